/* SPDX-License-Identifier: MIT */
/* image register: an ext4 file that stays where it is, or a disk made of a directory or a tar,
 * becomes an image of this host. */
#include "artifact/flatten.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/image/ops_image.h"
#include "engine/image/ops_image_draft.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/publish.h"
#include "store/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What --rootfs names. */
enum place { PLACE_EXT4, PLACE_TAR, PLACE_DIRECTORY };

/* Where things are, absolute, and a descriptor of the root file system. */
struct sources {
    char *rootfs, *kernel, *initrd, *modules;
    int fd;
    enum place place;
};

static void sources_done(struct sources *sources)
{
    free(sources->rootfs);
    free(sources->kernel);
    free(sources->initrd);
    free(sources->modules);
    memory_auto_close(&sources->fd);
}

/* Absolute path of what the flag names, opened once to see that it can be used; *path stays NULL
 * without the flag. A file given through a link is recorded where it really is. -1 on failure, and
 * without the flag. */
static int open_path(
    struct ops *ops, const char *flag, char **path, struct stat *status, struct error *err)
{
    const char *given = command_get(ops->command, flag);
    if (given == NULL) {
        return -1;
    }
    *path = realpath(given, NULL);
    auto_close int fd = *path != NULL ? open(*path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0 || fstat(fd, status) != 0) {
        error_set_errno(err, errno, "--%s %s", flag, given);
        return -1;
    }
    return take_fd(&fd);
}

static bool take_path(
    struct ops *ops, const char *flag, bool is_dir, char **path, struct error *err)
{
    struct stat status = {0};
    auto_close int fd = open_path(ops, flag, path, &status, err);
    if (fd < 0) {
        return err->code == ERROR_NONE;
    }
    return (is_dir ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode)) ||
           error_set(err, ERROR_FORMAT, "--%s %s is not a %s", flag,
               command_get(ops->command, flag), is_dir ? "directory" : "regular file");
}

/* The first bytes of a compressed file (RFC 1952, RFC 8878), or a tar's magic (POSIX ustar). */
static bool looks_like_tar(int fd)
{
    unsigned char head[4] = {0};
    char magic[5] = {0};
    if (pread(fd, head, sizeof head, 0) != (ssize_t)sizeof head) {
        return false;
    }
    if ((head[0] == 0x1f && head[1] == 0x8b) ||
        (head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd)) {
        return true;
    }
    return pread(fd, magic, sizeof magic, 257) == (ssize_t)sizeof magic &&
           memcmp(magic, "ustar", sizeof magic) == 0;
}

static bool take_rootfs(struct ops *ops, struct sources *sources, struct error *err)
{
    struct stat status = {0};
    sources->fd = open_path(ops, "rootfs", &sources->rootfs, &status, err);
    if (sources->fd < 0) {
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        sources->place = PLACE_DIRECTORY;
        return true;
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_FORMAT, "--rootfs %s is neither a file nor a directory",
            command_get(ops->command, "rootfs"));
    }
    struct error no_disk = {0};
    if (ops_image_check_rootfs(sources->fd, sources->rootfs, &no_disk)) {
        sources->place = PLACE_EXT4;
        return true;
    }
    if (no_disk.code != ERROR_FORMAT || !looks_like_tar(sources->fd)) {
        *err = no_disk;
        return false;
    }
    sources->place = PLACE_TAR;
    return true;
}

static bool take_sources(struct ops *ops, struct sources *sources, struct error *err)
{
    if (!take_rootfs(ops, sources, err) ||
        !take_path(ops, "kernel", false, &sources->kernel, err) ||
        !take_path(ops, "initrd", false, &sources->initrd, err) ||
        !take_path(ops, "modules", true, &sources->modules, err)) {
        return false;
    }
    return sources->place != PLACE_EXT4 || !command_has(ops->command, "size") ||
           error_set(err, ERROR_INVALID,
               "--size is for a disk made of a directory or a tar: %s is one already",
               sources->rootfs);
}

/* Files that stay where they are. */
static bool refer(struct sources *sources, struct image_draft *draft, struct error *err)
{
    struct stat status;
    struct image_entry *entry = &draft->entry;
    if (fstat(sources->fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", sources->rootfs);
    }
    entry->is_managed = false;
    entry->size_bytes = (uint64_t)status.st_size;
    entry->disk_bytes = (uint64_t)status.st_blocks * 512;
    entry->has_rootfs = true;
    entry->rootfs_path = take_ptr(sources->rootfs);
    entry->kernel_path = take_ptr(sources->kernel);
    entry->initrd_path = take_ptr(sources->initrd);
    entry->modules_path = take_ptr(sources->modules);
    return true;
}

/* What the place takes now, packed or not: the disk takes at least as much. */
static bool check_room(const struct sources *sources, int staging, struct error *err)
{
    struct usage usage = {0};
    struct stat status;
    if (sources->place == PLACE_DIRECTORY) {
        usage_add(sources->fd, ".", &usage);
    } else if (fstat(sources->fd, &status) == 0) {
        usage.disk_bytes = (uint64_t)status.st_blocks * 512;
    }
    return file_need_space(staging, "..", usage.disk_bytes, err);
}

/* A disk of its own. */
static bool build(
    struct ops *ops, const struct sources *sources, struct image_draft *draft, struct error *err)
{
    struct flatten_options options = {.size_bytes = command_size(ops->command, "size")};
    struct flatten_report report = {0};
    int staging = staging_dir(draft->staging);
    auto_close int fd =
        check_room(sources, staging, err) ? file_create(staging, IMAGE_ROOTFS, err) : -1;
    if (fd < 0) {
        return false;
    }
    bool is_made = sources->place == PLACE_DIRECTORY
                       ? flatten_directory(sources->fd, sources->rootfs, &options, fd, ops->limits,
                             ops->progress, ops->cancel, &report, err)
                       : flatten_tar(sources->fd, sources->rootfs, &options, fd, ops->limits,
                             ops->progress, ops->cancel, &report, err);
    if (!is_made || !image_draft_copy_kernel(
                        ops, draft, sources->kernel, sources->initrd, sources->modules, err)) {
        return false;
    }
    image_draft_tell(draft, &report);
    return image_steps(ops).finalize_rootfs(ops, draft, err);
}

static bool make(struct ops *ops, struct sources *sources, bool is_forced,
    struct image_draft *draft, struct error *err)
{
    struct image_entry *entry = &draft->entry;
    const char *kernel = command_get(ops->command, "kernel-ref");
    if ((kernel != NULL && !ops_kernel_ensure(ops, kernel, err)) ||
        !image_draft_begin(ops, command_get(ops->command, "name"), draft, err)) {
        return false;
    }
    entry->kernel_ref = memory_strdup(kernel);
    entry->source = memory_printf("register:%s", sources->rootfs);
    auto_free char *line = memory_printf("image register %s", sources->rootfs);
    image_draft_history(draft, line);
    bool is_made =
        sources->place == PLACE_EXT4 ? refer(sources, draft, err) : build(ops, sources, draft, err);
    return is_made && image_draft_publish(
                          ops, draft, is_forced ? IMAGE_PUBLISH_REPLACE : IMAGE_PUBLISH_NEW, err);
}

static struct json *plan(struct ops *ops, const struct sources *sources, const char *name)
{
    static const char *const actions[] = {
        [PLACE_EXT4] = "register", [PLACE_TAR] = "flatten", [PLACE_DIRECTORY] = "flatten"};
    struct stat status;
    auto_free char *object = memory_printf("image/%s", name);
    struct json *plan = ops_plan(ops);
    bool is_tar = sources->place == PLACE_TAR && fstat(sources->fd, &status) == 0;
    ops_plan_add(plan, actions[sources->place], object, is_tar ? (uint64_t)status.st_size : 0);
    return plan;
}

bool ops_image_register(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    bool is_forced = command_has(ops->command, "force");
    auto_done(sources) struct sources sources = {.fd = -1};
    auto_done(image_draft) struct image_draft draft = {0};
    if (!name_check_entry(name, "image name", err) ||
        !ops_image_check_free(ops, name, is_forced, err) || !take_sources(ops, &sources, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        *result = plan(ops, &sources, name);
        return true;
    }
    if (!make(ops, &sources, is_forced, &draft, err)) {
        return false;
    }
    progress_digest(ops->progress, NULL, NULL); /* a kernel pulled on the way showed its own */
    ops_images_changed(ops);
    *result = image_draft_result(&draft);
    return true;
}
