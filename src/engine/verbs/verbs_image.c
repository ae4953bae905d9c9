/* SPDX-License-Identifier: MIT */
/* The verbs of images. */
#include "engine/verbs/verbs.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/ops.h"

/* clang-format off */

static const struct column image_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"SOURCE", "source", COLUMN_TEXT},
    {"KERNEL", "kernel_ref", COLUMN_TEXT}, {"SIZE", "size_bytes", COLUMN_SIZE},
    {"DISK", "disk_bytes", COLUMN_SIZE}, {"DIGEST", "digest", COLUMN_DIGEST},
    {"AGE", "created_at", COLUMN_AGE}, {"STATE", "state", COLUMN_TEXT},
};
static const struct argument image_show_arguments[] = {NAME_OF("Image to show")};
static const struct argument image_register_arguments[] = {
    NAME_OF("Name the image gets here"),
    {"rootfs", 0, ARGUMENT_PLACE, .is_required = true, .value_name = "PLACE",
        .help = "Root file system: an ext4 file, a directory, or a tar (plain, gzip, zstd)"},
    {"kernel-ref", 0, ARGUMENT_KERNEL, .value_name = "KERNEL",
        .help = "Kernel of this host that it boots with"},
    {"kernel", 0, ARGUMENT_FILE, .value_name = "FILE", .help = "Kernel file that it boots with"},
    {"initrd", 0, ARGUMENT_FILE, .value_name = "FILE", .help = "Initial RAM disk for --kernel"},
    {"modules", 0, ARGUMENT_PLACE, .value_name = "DIR", .help = "Modules for --kernel"},
    SIZE_OF("Size of the disk made of a directory or a tar (default: what it takes and more)"),
    FORCE("Replace an image of that name"),
};
static const struct argument image_pull_arguments[] = {
    {"image", 0, ARGUMENT_IMAGE, .is_positional = true, .is_required = true,
        .value_name = "IMAGE",
        .help = "Name in a catalog, or a registry's reference such as debian:bookworm"},
    {"name", 0, ARGUMENT_NAME, .value_name = "NAME",
        .help = "Name the image gets here (default: from IMAGE)"},
    {"kernel-ref", 0, ARGUMENT_KERNEL, .value_name = "KERNEL",
        .help = "Kernel that it boots with (default: the catalog's, else the configured one)"},
    {"platform", 0, ARGUMENT_WORD, .value_name = "PLATFORM",
        .help = "Of several in a registry, such as linux/arm64 (default: this host's)"},
    SIZE_OF("Size of the disk made of a registry's image (default: what it takes and more)"),
    FORCE("Fetch it again and replace the one that is here"),
    {"if-absent", 0, ARGUMENT_FLAG, .help = "Succeed without a change when it is here already"},
};
static const struct argument image_promote_arguments[] = {NAME_OF("Image to promote")};
static const struct argument image_verify_arguments[] = {
    SOME_OF("Images to verify (default: all)"),
};
static const struct argument image_history_arguments[] = {NAME_OF("Image to tell about")};
static const struct argument image_refresh_arguments[] = {
    SOME_OF("Images to ask about (default: all of registries)"),
};
static const struct argument image_export_arguments[] = {
    NAME_OF("Image to export"),
    {"to", 0, ARGUMENT_PLACE, .is_required = true, .value_name = "FILE",
        .help = "File to write; in a directory it is named by its content"},
};
static const struct argument image_rm_arguments[] = {NAMES_OF("Images to remove")};
static const struct column image_verify_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"VERIFIED", "verified", COLUMN_TEXT},
    {"SHA256", "content_sha256", COLUMN_DIGEST}, {"DAMAGE", "damage", COLUMN_TEXT},
};
static const struct column image_history_columns[] = {
    {"AGE", "created_at", COLUMN_AGE}, {"SIZE", "size_bytes", COLUMN_SIZE},
    {"DIGEST", "digest", COLUMN_DIGEST}, {"BY", "created_by", COLUMN_TEXT},
};
static const struct column image_refresh_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"SOURCE", "source", COLUMN_TEXT},
    {"DIGEST", "digest", COLUMN_DIGEST}, {"LATEST", "latest_digest", COLUMN_DIGEST},
    {"MOVED", "moved", COLUMN_BOOL},
};

/* clang-format on */

static char *object_image_pull(const struct command *command)
{
    const char *name = command_get(command, "name");
    if (name) {
        return memory_printf("image/%s", name);
    }
    auto_free char *local = command_image_name(command_get(command, "image"));
    return memory_printf("image/%s", local);
}

static bool check_register(const struct command *command, struct error *err)
{
    bool has_ref = command_has(command, "kernel-ref");
    bool has_file = command_has(command, "kernel");
    bool has_parts = command_has(command, "initrd") || command_has(command, "modules");
    if (has_ref && (has_file || has_parts)) {
        return error_set(err, ERROR_INVALID,
            "--kernel-ref excludes --kernel, --initrd and --modules: give one or the other");
    }
    if (!has_ref && !has_file) {
        return error_set(err, ERROR_INVALID,
            "image register needs a kernel: give --kernel-ref KERNEL or --kernel FILE");
    }
    return true;
}

/* clang-format off */

static const struct verb rows[] = {
    {"image", "list", "ls", VERB_READS, "List images",
        "Lists the images of this host; with --available what the catalogs offer.",
        "banger-tui --batch image list", ROWS(verb_list_arguments), COLUMNS(image_columns),
        .variant_flag = "available", .variant_columns = verb_offer_columns,
        .variant_column_count = array_length(verb_offer_columns), .run = ops_image_list},
    {"image", "show", NULL, VERB_READS, "Show one image",
        "Shows everything that is recorded of an image and the VMs that use it. A unique\n"
        "beginning of the name is enough.",
        "banger-tui --batch image show debian --format json",
        ROWS(image_show_arguments), .run = ops_image_show},
    {"image", "register", NULL, VERB_TRANSFERS, "Use a root file system of yours as an image",
        "Records where an ext4 file and its kernel are; nothing is copied (image promote does\n"
        "that). Of a directory or a tar a disk is made, which the image then owns. A kernel given\n"
        "with --kernel-ref that is absent is pulled on the way.",
        "banger-tui --batch image register lab --rootfs ./rootfs.ext4 --kernel-ref debian-cloud",
        ROWS(image_register_arguments), STEPS(verb_copy_steps), .check = check_register,
        .run = ops_image_register},
    {"image", "pull", NULL, VERB_TRANSFERS, "Fetch an image",
        "A name that a catalog has is downloaded from there and compared with its digest.\n"
        "Anything else is a reference by docker's rule: its layers are fetched, proved, and\n"
        "written as one bootable disk; nothing is unpacked on this host. The kernel it needs is\n"
        "pulled when that is absent.",
        "banger-tui --batch image pull debian:bookworm --kernel-ref debian-cloud",
        ROWS(image_pull_arguments), STEPS(verb_fetch_steps), .check = verb_check_pull,
        .object = object_image_pull, .run = ops_image_pull},
    {"image", "promote", NULL, VERB_TRANSFERS, "Copy a registered image's files in",
        "Turns an image whose files are elsewhere into one that owns them: root file system,\n"
        "kernel, initial RAM disk and modules are copied, as clones where the file system can.\n"
        "Nothing changes for one that owns its files already.",
        "banger-tui --batch image promote lab", ROWS(image_promote_arguments),
        STEPS(verb_copy_steps), .run = ops_image_promote},
    {"image", "verify", NULL, VERB_READS | VERB_TRANSFERS, "Compare images with their digests",
        "Reads the files of managed images again and compares them with what was recorded when\n"
        "they were published. What is registered has no digest and is not verified.",
        "banger-tui --batch image verify", ROWS(image_verify_arguments),
        COLUMNS(image_verify_columns), .object = verb_object_none, .run = ops_image_verify},
    {"image", "history", NULL, VERB_READS, "Show how an image was made",
        "Shows the steps and layers of an image, the newest first.",
        "banger-tui --batch image history debian-bookworm", ROWS(image_history_arguments),
        COLUMNS(image_history_columns), .run = ops_image_history},
    {"image", "refresh", NULL, VERB_READS | VERB_TRANSFERS, "See whether tags have moved",
        "Asks registries what the references of pulled images name now, and says where that is\n"
        "not what is here. Nothing is changed: image pull --force replaces an image.",
        "banger-tui --batch image refresh", ROWS(image_refresh_arguments),
        COLUMNS(image_refresh_columns), .object = verb_object_none, .run = ops_image_refresh},
    {"image", "export", NULL, VERB_READS | VERB_TRANSFERS, "Write an image as a bundle",
        "Writes the root file system as a bundle that a catalog can offer and image pull takes.\n"
        "The same image gives the same file.",
        "banger-tui --batch image export lab --to lab.tar.zst", ROWS(image_export_arguments),
        STEPS(verb_copy_steps), .object = verb_object_none, .run = ops_image_export},
    {"image", "cache prune", NULL, VERB_DESTROYS, "Empty the cache of layers",
        "Removes every blob of registries from the cache; images are not touched. What is needed\n"
        "again is fetched again.",
        "banger-tui --batch image cache prune --dry-run", .object = verb_object_none,
        .run = ops_image_cache},
    {"image", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Remove images",
        "Removes images from the store. One that a VM uses is kept. Files of registered images\n"
        "stay where they are.",
        "banger-tui --batch image rm lab", ROWS(image_rm_arguments), .run = ops_image_rm},
};
const struct verb_group image_verbs = VERB_GROUP(rows);
