/* SPDX-License-Identifier: MIT */
/* What a machine gets beside its root: directories of this host and further disks. */
#include "artifact/ext4.h"
#include "artifact/initrd.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "store/layout.h"
#include "vm/machine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- from the command ----------------------------------------------------------------------- */

/* As it is now: a link that is changed later does not change what the machine gets. */
static bool make_absolute(const char *option, char **path, struct error *err)
{
    char *resolved = realpath(*path, NULL);
    if (resolved == NULL) {
        return error_set_errno(err, errno, "--%s %s", option, *path);
    }
    free(*path);
    *path = resolved;
    return true;
}

static bool is_none(const struct strings *words)
{
    return words->count == 1 && strcmp(words->items[0], "none") == 0;
}

bool ops_vm_take_mounts(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    const struct strings *volumes = command_all(ops->command, "volume");
    bool has_disks = verb_argument(command_verb(ops->command), "disk") != NULL;
    const struct strings *disks = has_disks ? command_all(ops->command, "disk") : NULL;
    for (size_t i = 0; i < volumes->count && !is_none(volumes); i++) {
        struct machine_volume volume;
        if (!machine_volume_parse(volumes->items[i], &volume, err)) {
            return false;
        }
        machine_spec_add_volume(spec, &volume);
        if (!make_absolute("volume", &spec->volumes[spec->volume_count - 1].host, err)) {
            return false;
        }
    }
    for (size_t i = 0; disks != NULL && i < disks->count; i++) {
        struct machine_disk disk;
        if (!machine_disk_parse(disks->items[i], &disk, err)) {
            return false;
        }
        machine_spec_add_disk(spec, &disk);
        char **file = &spec->disks[spec->disk_count - 1].file;
        if (*file != NULL && !make_absolute("disk", file, err)) {
            return false;
        }
    }
    return true;
}

/* ---- what is there -------------------------------------------------------------------------- */

/* A guest that may write there could rewrite what this program trusts. */
static bool is_ours(struct ops *ops, const char *path)
{
    const char *state = store_path(ops->store); /* resolved */
    size_t len = strlen(state);
    return strncmp(path, state, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool check_volume(struct ops *ops, const struct machine_volume *volume, struct error *err)
{
    struct stat status;
    if (stat(volume->host, &status) != 0) {
        return error_set_errno(err, errno, "--volume: %s", volume->host);
    }
    if (!S_ISDIR(status.st_mode)) {
        return error_set(err, ERROR_INVALID, "--volume: %s is no directory: share the one it is in",
            volume->host);
    }
    if (is_ours(ops, volume->host)) {
        return error_set(err, ERROR_INVALID,
            "--volume: %s holds this program's own records: share another directory", volume->host);
    }
    int wanted = R_OK | X_OK | (volume->is_readonly ? 0 : W_OK);
    return access(volume->host, wanted) == 0 ||
           error_set_errno(err, errno, "--volume: %s", volume->host);
}

static bool check_disk(const struct machine_disk *disk, struct error *err)
{
    struct stat status;
    if (disk->file == NULL) {
        return disk->size_bytes <= EXT4_SIZE_MAX ||
               error_set(err, ERROR_INVALID, "--disk: 16T is the most");
    }
    if (stat(disk->file, &status) != 0) {
        return error_set_errno(err, errno, "--disk: %s", disk->file);
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size % 512 != 0) {
        return error_set(err, ERROR_INVALID,
            "--disk: %s is no raw disk: a regular file of whole 512-byte sectors", disk->file);
    }
    return access(disk->file, disk->is_readonly ? R_OK : R_OK | W_OK) == 0 ||
           error_set_errno(err, errno, "--disk: %s", disk->file);
}

bool ops_vm_check_mounts(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    for (size_t i = 0; i < spec->volume_count; i++) {
        if (!check_volume(ops, &spec->volumes[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < spec->disk_count; i++) {
        if (!check_disk(&spec->disks[i], err)) {
            return false;
        }
    }
    return true;
}

bool ops_vm_check_sharing(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, const char *next, struct error *err)
{
    struct error why = {0};
    if (spec->volume_count == 0 || initrd_can_share(kernel->modules_dir, ops->limits, &why)) {
        return true;
    }
    if (why.code != ERROR_UNSUPPORTED) {
        *err = why;
        return false;
    }
    return error_set(err, ERROR_UNSUPPORTED,
        "kernel %s has no 9p file system, which --volume takes: %s (debian has it), or copy with "
        "`vm cp`",
        spec->kernel_ref != NULL ? spec->kernel_ref : kernel->path, next);
}

/* ---- making them ---------------------------------------------------------------------------- */

/* The text form of RFC 4122; it is ours and well-formed. */
void ops_vm_uuid_bytes(const struct machine_spec *spec, uint8_t bytes[16])
{
    size_t at = 0;
    for (const char *c = spec->uuid; *c != '\0' && at < 16; c++) {
        unsigned value;
        if (*c != '-' && sscanf(c, "%2x", &value) == 1) {
            bytes[at++] = (uint8_t)value;
            c++;
        }
    }
}

bool ops_vm_make_disks(int dir, const struct machine_spec *spec, size_t first, struct error *err)
{
    for (size_t i = first; i < spec->disk_count; i++) {
        const struct machine_disk *disk = &spec->disks[i];
        uint8_t own[16] = {0};
        ops_vm_uuid_bytes(spec, own);
        own[15] = (uint8_t)(own[15] ^ (disk->slot + 1)); /* one each, and all of the machine's */
        if (disk->file != NULL) {
            continue;
        }
        const char *name = machine_disk_serial(disk->slot);
        auto_close int fd = file_create(dir, machine_disk_file(disk->slot), err);
        if (fd < 0 || !ext4_make_empty(fd, disk->size_bytes, name, own, err)) {
            return false;
        }
    }
    return true;
}

static void put_mount(
    struct text *facts, const char *kind, const char *source, bool is_readonly, const char *guest)
{
    auto_free char *value =
        memory_printf("%s %s %s %s", kind, source, is_readonly ? "ro" : "rw", guest);
    initrd_put_fact(facts, "mount", value);
}

void ops_vm_describe_mounts(const struct machine_spec *spec, struct text *facts)
{
    for (size_t i = 0; i < spec->disk_count; i++) {
        const struct machine_disk *disk = &spec->disks[i];
        if (disk->guest != NULL) {
            put_mount(
                facts, "disk", machine_disk_serial(disk->slot), disk->is_readonly, disk->guest);
        }
    }
    for (size_t i = 0; i < spec->volume_count; i++) {
        auto_free char *tag = memory_printf("volume%zu", i + 1);
        put_mount(facts, "9p", tag, spec->volumes[i].is_readonly, spec->volumes[i].guest);
    }
}
