/* SPDX-License-Identifier: MIT */
/* image register: files that stay where they are become an image of this host. */
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/ops_image.h"
#include "engine/ops_kernel.h"
#include "store/image_store.h"
#include "store/lock.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Absolute path of what the flag names, opened once to see that it can be used; *path stays NULL
 * without the flag. A file given through a link is recorded where it really is. */
static bool take_path(
    struct ops *ops, const char *flag, int open_flags, char **path, struct error *err)
{
    const char *given = command_get(ops->command, flag);
    if (given == NULL) {
        return true;
    }
    *path = realpath(given, NULL);
    if (*path == NULL) {
        return error_set_errno(err, errno, "--%s %s", flag, given);
    }
    auto_close int fd = open(*path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | open_flags);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "--%s %s", flag, given);
    }
    if ((open_flags & O_DIRECTORY) == 0 && !S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_FORMAT, "--%s %s is not a regular file", flag, given);
    }
    return true;
}

static bool check_rootfs(struct image_entry *entry, struct error *err)
{
    auto_close int fd = file_open_read(AT_FDCWD, entry->rootfs_path, err);
    struct stat status;
    if (fd < 0 || !ops_image_check_rootfs(fd, entry->rootfs_path, err)) {
        return false;
    }
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", entry->rootfs_path);
    }
    entry->size_bytes = (uint64_t)status.st_size;
    entry->disk_bytes = (uint64_t)status.st_blocks * 512;
    entry->has_rootfs = true;
    return true;
}

static bool fill_entry(
    struct ops *ops, const char *name, struct image_entry *entry, struct error *err)
{
    entry->name = memory_strdup(name);
    entry->kernel_ref = memory_strdup(command_get(ops->command, "kernel-ref"));
    if (!take_path(ops, "rootfs", 0, &entry->rootfs_path, err) || !check_rootfs(entry, err) ||
        !take_path(ops, "kernel", 0, &entry->kernel_path, err) ||
        !take_path(ops, "initrd", 0, &entry->initrd_path, err) ||
        !take_path(ops, "modules", O_DIRECTORY, &entry->modules_path, err)) {
        return false;
    }
    entry->source = memory_printf("register:%s", entry->rootfs_path);
    entry->created_at = clock_wall();
    return entry->kernel_ref == NULL || ops_kernel_ensure(ops, entry->kernel_ref, err);
}

static bool publish_entry(
    struct ops *ops, const struct image_entry *entry, enum publish_mode mode, struct error *err)
{
    auto_staging struct staging *staging = staging_begin(ops->store, STORE_IMAGE, entry->name, err);
    return staging != NULL && image_store_write_manifest(staging_dir(staging), entry, err) &&
           staging_publish(staging, mode, err);
}

bool ops_image_register(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    bool is_forced = command_has(ops->command, "force");
    if (!name_check_entry(name, "image name", err)) {
        return false;
    }
    auto_lock struct lock *lock = ops_lock(ops, STORE_IMAGE, name, "register", err);
    if (lock == NULL || !ops_image_check_free(ops, name, is_forced, err)) {
        return false;
    }
    auto_done(image_entry) struct image_entry entry = {0};
    if (command_is_dry_run(ops->command)) {
        auto_free char *object = memory_printf("image/%s", name);
        *result = ops_plan(ops);
        ops_plan_add(*result, "register", object, 0);
        return true;
    }
    if (!fill_entry(ops, name, &entry, err) ||
        !publish_entry(ops, &entry, is_forced ? PUBLISH_REPLACE : PUBLISH_NEW, err)) {
        return false;
    }
    progress_digest(ops->progress, NULL, NULL); /* a kernel pulled on the way showed its own */
    ops_images_changed(ops);
    *result = ops_image_json(&entry);
    json_put_bool(*result, "changed", true);
    return true;
}
