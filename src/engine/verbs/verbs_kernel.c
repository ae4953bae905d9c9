/* SPDX-License-Identifier: MIT */
/* The verbs of kernels. */
#include "engine/verbs/verbs.h"

#include "engine/ops.h"

/* clang-format off */

static const struct column kernel_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"DISTRO", "distro", COLUMN_TEXT},
    {"ARCH", "arch", COLUMN_TEXT}, {"VERSION", "kernel_version", COLUMN_TEXT},
    {"SIZE", "size_bytes", COLUMN_SIZE}, {"SHA256", "sha256", COLUMN_DIGEST},
    {"SOURCE", "source", COLUMN_TEXT}, {"AGE", "imported_at", COLUMN_AGE},
    {"STATE", "state", COLUMN_TEXT},
};
static const struct argument kernel_show_arguments[] = {NAME_OF("Kernel to show")};
static const struct argument kernel_import_arguments[] = {
    NAME_OF("Name the kernel gets here"),
    {"from", 0, ARGUMENT_PLACE, .is_required = true, .is_many = true, .value_name = "PLACE",
        .help = "Directory, .deb file (or several), file of kernel export, or the word host"},
    {"distro", 0, ARGUMENT_TEXT, .value_name = "WORD", .help = "Distribution to record"},
    {"arch", 0, ARGUMENT_TEXT, .value_name = "WORD", .help = "Architecture to record"},
    {"kernel-version", 0, ARGUMENT_TEXT, .value_name = "TEXT", .help = "Version to record"},
    FORCE("Replace a kernel of that name"),
};
static const struct argument kernel_pull_arguments[] = {
    NAME_OF("Kernel of a catalog"),
    FORCE("Fetch it again and replace the one that is here"),
    {"if-absent", 0, ARGUMENT_FLAG, .help = "Succeed without a change when it is here already"},
};
static const struct column kernel_verify_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"VERIFIED", "verified", COLUMN_TEXT},
    {"RECORDED", "sha256", COLUMN_DIGEST}, {"FOUND", "found_sha256", COLUMN_DIGEST},
    {"DAMAGE", "damage", COLUMN_TEXT},
};
static const struct argument kernel_verify_arguments[] = {
    {"name", 0, ARGUMENT_NAME, .is_positional = true, .is_many = true, .value_name = "NAME",
        .help = "Kernels to look at (default: all)"},
};
static const struct argument kernel_export_arguments[] = {
    NAME_OF("Kernel to write"),
    {"to", 0, ARGUMENT_PLACE, .is_required = true, .value_name = "FILE",
        .help = "File to make, or a directory to make one in that is named by its content"},
    FORCE("Replace a file that is there"),
};
static const struct argument kernel_rm_arguments[] = {
    NAMES_OF("Kernels to remove"),
    FORCE("Remove it even when images or VMs refer to it"),
};

/* clang-format on */

/* clang-format off */

static const struct verb rows[] = {
    {"kernel", "list", "ls", VERB_READS, "List kernels",
        "Lists the kernels of this host; with --available what the catalogs offer. Listing never\n"
        "touches the network. Entries that are no kernels are shown as damaged, those that this host\n"
        "keeps the program from reading as unreadable, with the reason.",
        "banger-tui --batch kernel list --available", ROWS(verb_list_arguments),
        COLUMNS(kernel_columns), .variant_flag = "available", .variant_columns = verb_offer_columns,
        .variant_column_count = array_length(verb_offer_columns), .run = ops_kernel_list},
    {"kernel", "show", NULL, VERB_READS, "Show one kernel",
        "Shows everything that is recorded of a kernel, who uses it, and for each VMM whether it can\n"
        "boot there: ok, refused with what it lacks, or unknown where its configuration was not\n"
        "kept. A unique beginning of the name is enough.",
        "banger-tui --batch kernel show debian-cloud --format json",
        ROWS(kernel_show_arguments), .run = ops_kernel_show},
    {"kernel", "import", NULL, 0, "Add a kernel from this machine",
        "Copies a kernel, its initial RAM disk and its modules from a directory, from a Debian\n"
        "package, from a file of kernel export, or from the running host. In a directory\n"
        "metadata.json says what is what, else the layout of the store, else boot/vmlinux-* and\n"
        "boot/vmlinuz-* are looked for.",
        "banger-tui --batch kernel import lab --from ./linux-image.deb",
        ROWS(kernel_import_arguments), STEPS(verb_copy_steps), .run = ops_kernel_import},
    {"kernel", "pull", NULL, VERB_TRANSFERS, "Fetch a kernel of a catalog",
        "Downloads a kernel, compares its SHA-256 digest with the catalog's, unpacks it and puts\n"
        "it into the store in one step. An interrupted download goes on where it stopped.",
        "banger-tui --batch kernel pull debian-cloud",
        ROWS(kernel_pull_arguments), STEPS(verb_fetch_steps), .check = verb_check_pull,
        .run = ops_kernel_pull},
    {"kernel", "verify", NULL, VERB_READS | VERB_EACH, "Find kernels that changed on the disk",
        "Hashes kernels again and compares with what was recorded when they came. What differs is\n"
        "noted, so that lists show it from then on; status 65.",
        "banger-tui --batch kernel verify", ROWS(kernel_verify_arguments),
        COLUMNS(kernel_verify_columns), .run = ops_kernel_verify},
    {"kernel", "export", NULL, VERB_READS, "Write a kernel as one file",
        "Packs a kernel, its initial RAM disk and its modules into a .tar.zst file that kernel\n"
        "import takes on another host, and that a catalog can offer. The same kernel is the same\n"
        "file everywhere.",
        "banger-tui --batch kernel export debian-cloud --to debian-cloud.tar.zst",
        ROWS(kernel_export_arguments), .run = ops_kernel_export},
    {"kernel", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Remove kernels",
        "Removes kernels from the store. One that an image or a VM refers to is kept unless\n"
        "--force is given.",
        "banger-tui --batch kernel rm lab", ROWS(kernel_rm_arguments), .run = ops_kernel_rm},
};
const struct verb_group kernel_verbs = VERB_GROUP(rows);
