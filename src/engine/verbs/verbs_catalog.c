/* SPDX-License-Identifier: MIT */
/* The verbs of catalogs. */
#include "engine/verbs/verbs.h"

#include "engine/ops.h"

/* clang-format off */

static const struct column catalog_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"ORIGIN", "origin", COLUMN_TEXT},
    {"PLACE", "place", COLUMN_TEXT}, {"KERNELS", "kernel_count", COLUMN_NUMBER},
    {"IMAGES", "image_count", COLUMN_NUMBER}, {"AGE", "as_of", COLUMN_AGE},
    {"POLICY", "policy", COLUMN_TEXT}, {"SIGNATURE", "signature", COLUMN_TEXT},
    {"STATE", "state", COLUMN_TEXT}, {"PROBLEM", "problem", COLUMN_TEXT},
};
static const struct argument catalog_add_arguments[] = {
    NAME_OF("Name the catalog gets here; its key stands under this name in [trust]"),
    {"place", 0, ARGUMENT_PLACE, .is_positional = true, .is_required = true,
        .value_name = "PLACE", .help = "URL or path of a catalog, or of the directory with one"},
    FORCE("Replace a catalog of that name"),
};
static const struct argument catalog_rm_arguments[] = {NAMES_OF("Catalogs to forget")};
static const struct argument catalog_refresh_arguments[] = {
    {"name", 0, ARGUMENT_NAME, .is_positional = true, .is_many = true, .value_name = "NAME",
        .help = "Catalogs to fetch again (default: all)"},
};
static const struct argument catalog_verify_arguments[] = {
    {"name", 0, ARGUMENT_NAME, .is_positional = true, .is_many = true, .value_name = "NAME",
        .help = "Catalogs to look at (default: all)"},
    {"entries", 0, ARGUMENT_FLAG,
        .help = "Look at every entry as well, and at its file where that is on this host"},
};

static const struct argument catalog_publish_arguments[] = {
    {"dir", 0, ARGUMENT_PLACE, .is_positional = true, .is_required = true, .value_name = "DIR",
        .help = "Directory that a web server shows; made when it is missing"},
    {"kernel", 0, ARGUMENT_KERNEL, .is_many = true, .value_name = "NAME",
        .help = "Kernel to publish (default, without --image too: all kernels and images)"},
    {"image", 0, ARGUMENT_IMAGE, .is_many = true, .value_name = "NAME",
        .help = "Image to publish"},
    {"key", 0, ARGUMENT_FILE, .value_name = "FILE",
        .help = "Sign the catalog with this Ed25519 key (PEM), as catalog keygen makes it"},
    {"base-url", 0, ARGUMENT_TEXT, .value_name = "URL",
        .help = "Where the bundles will be, if not beside the catalog"},
};
static const struct argument catalog_keygen_arguments[] = {
    {"file", 0, ARGUMENT_FILE, .is_positional = true, .is_required = true, .value_name = "FILE",
        .help = "New file for the private key"},
};
static const struct step publish_steps[] = {{"publish", 100}};

/* clang-format on */

static char *object_publish(const struct command *command)
{
    return memory_printf("catalog/%s", command_get(command, "dir"));
}

/* clang-format off */

static const struct verb rows[] = {
    {"catalog", "list", "ls", VERB_READS, "List where catalogs come from",
        "Lists the sources of catalogs in the order in which they are asked: BANGER_CATALOG,\n"
        "[catalogs] of config.ini, the added ones, the built-in one. Never touches the network.",
        "banger-tui --batch catalog list", COLUMNS(catalog_columns), .run = ops_catalog_list},
    {"catalog", "add", NULL, VERB_TRANSFERS, "Add a catalog",
        "Reads a catalog once, checks its signature by the key under [trust] in config.ini, and\n"
        "records its place. With NAME = require under [signatures] only a signed one is taken.",
        "banger-tui --batch catalog add lab https://kernels.example.org/lab/",
        ROWS(catalog_add_arguments), .run = ops_catalog_add},
    {"catalog", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Forget catalogs",
        "Forgets catalogs that were added, and their copies. What was pulled from them stays.",
        "banger-tui --batch catalog rm lab", ROWS(catalog_rm_arguments), .run = ops_catalog_rm},
    {"catalog", "refresh", NULL, VERB_TRANSFERS | VERB_EACH, "Fetch catalogs again",
        "Fetches remote catalogs and their signatures. One that cannot be fetched, or whose\n"
        "signature is not what its policy asks for, keeps the copy it has.",
        "banger-tui --batch catalog refresh", ROWS(catalog_refresh_arguments),
        COLUMNS(catalog_columns), .run = ops_catalog_refresh},
    {"catalog", "verify", NULL, VERB_READS | VERB_EACH, "Check catalogs",
        "Checks that catalogs can be read and are signed as their policy asks; with --entries also\n"
        "that every entry is well formed and that the files of local catalogs are intact.",
        "banger-tui --batch catalog verify --entries", ROWS(catalog_verify_arguments),
        COLUMNS(catalog_columns), .run = ops_catalog_verify},
    {"catalog", "publish", NULL, VERB_TRANSFERS, "Make a catalog of what is here",
        "Packs kernels and images of this host into bundles named by their content and puts them\n"
        "with catalog.json into a directory that any web server can show. Entries that are in the\n"
        "catalog already stay, those of the same name are replaced; older bundles stay as well, for\n"
        "those who still have the older catalog. The same content gives the same bytes. An entry's\n"
        "size_bytes is its bundle's, disk_bytes what it takes once unpacked: a pull asks for that\n"
        "much room before it fetches.",
        "banger-tui --batch catalog publish /srv/www/kernels --key ~/catalog.pem",
        ROWS(catalog_publish_arguments), STEPS(publish_steps), .object = object_publish,
        .run = ops_catalog_publish},
    {"catalog", "keygen", NULL, 0, "Make a key to sign catalogs with",
        "Writes a new private key, which `openssl pkey` reads as well, and shows the line that\n"
        "those who pull put under [trust] in their config.ini.",
        "banger-tui --batch catalog keygen ~/catalog.pem",
        ROWS(catalog_keygen_arguments), .object = verb_object_none, .run = ops_catalog_keygen},
};
const struct verb_group catalog_verbs = VERB_GROUP(rows);
