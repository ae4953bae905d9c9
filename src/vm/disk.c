/* SPDX-License-Identifier: MIT */
#include "vm/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "vm/machine_control.h"

static bool add(struct disk_list *list, int vm_dir, const char *serial, const char *path,
    bool is_readonly, struct error *err)
{
    struct stat status;
    if (fstatat(vm_dir, path, &status, 0) != 0) {
        return error_set_errno(err, errno, "the machine's %s disk %s", serial, path);
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(
            err, ERROR_FORMAT, "the machine's %s disk %s is not a regular file", serial, path);
    }
    list->items[list->count] =
        (struct disk){.serial = serial, .path = path, .is_readonly = is_readonly};
    list->count++;
    return true;
}

static const char *path_or(const char *path, const char *fallback)
{
    return path != NULL ? path : fallback;
}

bool disk_list_for(const struct machine_spec *spec, const struct machine_boot *boot,
    struct disk_list *list, struct error *err)
{
    struct disk_list made = {0};
    int dir = boot->vm_dir;
    switch (spec->root) {
    case MACHINE_ROOT_OVERLAY:
        if (boot->image_path == NULL) {
            return error_set(err, ERROR_BUG, "a machine over an image was given no image");
        }
        if (!add(&made, dir, DISK_SERIAL_IMAGE, boot->image_path, true, err) ||
            !add(&made, dir, DISK_SERIAL_UPPER, path_or(boot->upper_path, MACHINE_UPPER_FILE),
                false, err)) {
            return false;
        }
        break;
    case MACHINE_ROOT_COPY:
        if (!add(&made, dir, DISK_SERIAL_ROOT, path_or(boot->upper_path, MACHINE_ROOT_FILE), false,
                err)) {
            return false;
        }
        break;
    }
    if (boot->work_path != NULL &&
        !add(&made, dir, DISK_SERIAL_WORK, boot->work_path, false, err)) {
        return false;
    }
    for (size_t i = 0; i < spec->disk_count; i++) {
        const struct machine_disk *disk = &spec->disks[i];
        if (!add(&made, dir, machine_disk_serial(disk->slot),
                disk->file != NULL ? disk->file : machine_disk_file(disk->slot), disk->is_readonly,
                err)) {
            return false;
        }
    }
    *list = made;
    return true;
}
