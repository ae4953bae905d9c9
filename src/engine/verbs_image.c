/* SPDX-License-Identifier: MIT */
/* The verbs of images. */
#include "engine/verbs.h"

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
    {"rootfs", 0, ARGUMENT_PLACE, .is_required = true, .value_name = "FILE",
        .help = "Root file system: an ext4 file"},
    {"kernel-ref", 0, ARGUMENT_KERNEL, .value_name = "KERNEL",
        .help = "Kernel of this host that it boots with"},
    {"kernel", 0, ARGUMENT_FILE, .value_name = "FILE", .help = "Kernel file that it boots with"},
    {"initrd", 0, ARGUMENT_FILE, .value_name = "FILE", .help = "Initial RAM disk for --kernel"},
    {"modules", 0, ARGUMENT_PLACE, .value_name = "DIR", .help = "Modules for --kernel"},
    FORCE("Replace an image of that name"),
};
static const struct argument image_pull_arguments[] = {
    {"image", 0, ARGUMENT_IMAGE, .is_positional = true, .is_required = true,
        .value_name = "IMAGE", .help = "Name in a catalog"},
    {"name", 0, ARGUMENT_NAME, .value_name = "NAME",
        .help = "Name the image gets here (default: from IMAGE)"},
    {"kernel-ref", 0, ARGUMENT_KERNEL, .value_name = "KERNEL",
        .help = "Kernel that it boots with, instead of the catalog's"},
    FORCE("Fetch it again and replace the one that is here"),
    {"if-absent", 0, ARGUMENT_FLAG, .help = "Succeed without a change when it is here already"},
};
static const struct argument image_rm_arguments[] = {NAMES_OF("Images to remove")};

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
        "Records where a root file system and its kernel are; nothing is copied. A kernel given\n"
        "with --kernel-ref that is absent is pulled on the way.",
        "banger-tui --batch image register lab --rootfs ./rootfs.ext4 --kernel-ref debian-cloud",
        ROWS(image_register_arguments), STEPS(verb_copy_steps), .check = check_register,
        .run = ops_image_register},
    {"image", "pull", NULL, VERB_TRANSFERS, "Fetch an image",
        "Downloads an image of a catalog, compares its SHA-256 digest, unpacks it with its holes\n"
        "kept, and pulls the kernel it needs when that is absent.",
        "banger-tui --batch image pull debian",
        ROWS(image_pull_arguments), STEPS(verb_fetch_steps), .check = verb_check_pull,
        .object = object_image_pull, .run = ops_image_pull},
    {"image", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Remove images",
        "Removes images from the store. One that a VM uses is kept. Files of registered images\n"
        "stay where they are.",
        "banger-tui --batch image rm lab", ROWS(image_rm_arguments), .run = ops_image_rm},
};
const struct verb_group image_verbs = VERB_GROUP(rows);
