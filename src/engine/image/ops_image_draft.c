/* SPDX-License-Identifier: MIT */
#include "engine/image/ops_image_draft.h"

#include "artifact/flatten.h"
#include "artifact/hash.h"
#include "artifact/kernel_dir.h"
#include "artifact/work_seed.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "engine/engine.h"
#include "engine/image/ops_image.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/kernel_store.h"
#include "store/lock.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void image_draft_done(struct image_draft *draft)
{
    image_entry_done(&draft->entry);
    staging_abandon(draft->staging);
    strings_done(&draft->notes);
    free(draft->fetched_from);
    *draft = (struct image_draft){0};
}

struct image_steps image_steps(const struct ops *ops)
{
    struct image_steps steps = ops->config->image_steps;
    steps.bundle_fetch = steps.bundle_fetch ? steps.bundle_fetch : image_draft_fetch_bundle;
    steps.pull_and_flatten =
        steps.pull_and_flatten ? steps.pull_and_flatten : image_draft_pull_and_flatten;
    steps.finalize_rootfs = steps.finalize_rootfs ? steps.finalize_rootfs : image_draft_finalize;
    return steps;
}

bool image_draft_begin(
    struct ops *ops, const char *name, struct image_draft *draft, struct error *err)
{
    draft->staging = staging_begin(ops->store, STORE_IMAGE, name, err);
    if (draft->staging == NULL) {
        return false;
    }
    if (draft->entry.name == NULL) {
        draft->entry.name = memory_strdup(name);
        draft->entry.created_at = clock_wall();
    }
    draft->entry.is_managed = true;
    return true;
}

void image_history_add(struct json **history, const char *created_at, const char *created_by,
    uint64_t size_bytes, const char *digest)
{
    struct json *row = json_new_object();
    json_put_string(row, "created_at", created_at);
    json_put_string(row, "created_by", created_by);
    if (size_bytes > 0) {
        json_put_integer(row, "size_bytes", (int64_t)size_bytes);
    }
    json_put_string(row, "digest", digest);
    if (*history == NULL) {
        *history = json_new_array();
    }
    json_append(*history, row);
}

void image_draft_history(struct image_draft *draft, const char *created_by)
{
    char stamp[CLOCK_TEXT_LEN];
    image_history_add(
        &draft->entry.history, clock_format(clock_wall(), stamp), created_by, 0, NULL);
}

/* A path of the operator's into the staging. */
static bool copy_in(struct ops *ops, const char *path, int dir, const char *name, struct error *err)
{
    auto_close int from = file_open_read(AT_FDCWD, path, err);
    auto_close int to = from >= 0 ? file_create(dir, name, err) : -1;
    return to >= 0 && file_copy_data(from, to, path, ops->progress, ops->cancel, err);
}

bool image_draft_copy_kernel(struct ops *ops, struct image_draft *draft, const char *kernel,
    const char *initrd, const char *modules, struct error *err)
{
    if (kernel == NULL) {
        return true;
    }
    int staging = staging_dir(draft->staging);
    if (mkdirat(staging, IMAGE_KERNEL, 0700) != 0) {
        return error_set_errno(err, errno, "cannot create " IMAGE_KERNEL);
    }
    auto_close int dir = file_open_dir(staging, IMAGE_KERNEL, err);
    if (dir < 0 || !copy_in(ops, kernel, dir, KERNEL_FILE, err) ||
        (initrd != NULL && !copy_in(ops, initrd, dir, KERNEL_INITRD, err)) ||
        (modules != NULL && !kernel_modules_copy(AT_FDCWD, modules, dir, ops->progress, ops->cancel,
                                &draft->notes, err))) {
        return false;
    }
    char hex[DIGEST_HEX_LEN + 1];
    struct digest digest;
    auto_close int copied = file_open_read(dir, KERNEL_FILE, err);
    if (copied < 0 || !hash_fd(copied, kernel, ops->progress, ops->cancel, &digest, err)) {
        return false;
    }
    draft->entry.kernel_sha256 = memory_strdup(digest_format(&digest, hex));
    draft->entry.has_kernel = true;
    return true;
}

/* The home of the image as the template of work disks. An image can do without: what goes wrong is
 * a note, unless it is the operator's wish or the host's lack of room. */
static bool make_work_seed(
    struct ops *ops, struct image_draft *draft, int rootfs, struct error *err)
{
    int staging = staging_dir(draft->staging);
    const struct work_seed_options options = {.label = "work"};
    struct flatten_report report = {0};
    struct error failure = {0};
    auto_close int fd = file_create(staging, IMAGE_WORK_SEED, err);
    if (fd < 0) {
        return false;
    }
    if (work_seed_make(rootfs, &options, fd, ops->limits, ops->cancel, &report, &failure)) {
        draft->entry.has_work_seed = true;
        return true;
    }
    if (failure.code == ERROR_CANCELLED || failure.code == ERROR_NO_SPACE) {
        *err = failure;
        return false;
    }
    if (failure.code != ERROR_NOT_FOUND) {
        strings_printf(&draft->notes, "machines get no disk for /root: %s", failure.text);
    }
    return file_remove_tree(staging, IMAGE_WORK_SEED, err);
}

/* The two halves of what is left to do with a disk: what is in it is hashed while it goes to the real
 * one. Each touches what is its own. */
struct finish {
    struct ops *ops;
    struct image_draft *draft;
    int rootfs;
    struct digest digest;
    bool is_hashed, is_synced;
    struct error hash_err, sync_err;
};

static void finish_half(void *context, size_t index)
{
    struct finish *finish = context;
    struct ops *ops = finish->ops;
    if (index == 0) {
        finish->is_hashed = hash_content(finish->rootfs, IMAGE_ROOTFS, ops->progress, ops->cancel,
            &finish->digest, &finish->hash_err);
    } else {
        finish->is_synced = make_work_seed(ops, finish->draft, finish->rootfs, &finish->sync_err) &&
                            staging_sync(finish->draft->staging, &finish->sync_err);
    }
}

bool image_draft_finalize(struct ops *ops, struct image_draft *draft, struct error *err)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct stat status;
    struct image_entry *entry = &draft->entry;
    auto_close int fd = file_open_read(staging_dir(draft->staging), IMAGE_ROOTFS, err);
    if (fd < 0 || !ops_image_check_rootfs(fd, IMAGE_ROOTFS, err)) {
        return false;
    }
    file_start_sync(fd);
    struct finish finish = {.ops = ops, .draft = draft, .rootfs = fd};
    parallel_each(2, 2, finish_half, &finish);
    if (!finish.is_hashed || !finish.is_synced) {
        *err = finish.is_hashed ? finish.sync_err : finish.hash_err;
        return false;
    }
    free(entry->content_sha256);
    entry->content_sha256 = memory_strdup(digest_format(&finish.digest, hex));
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 0, 2);
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine " IMAGE_ROOTFS);
    }
    entry->size_bytes = (uint64_t)status.st_size;
    entry->disk_bytes = (uint64_t)status.st_blocks * 512;
    entry->has_rootfs = true;
    return true;
}

static bool is_same_document(const struct json *a, const struct json *b)
{
    auto_done(text) struct text first = {0};
    auto_done(text) struct text second = {0};
    json_write(a, false, &first);
    json_write(b, false, &second);
    return strcmp(text_cstr(&first), text_cstr(&second)) == 0;
}

/* The registered image that was copied is still the one that has the name. */
static bool check_unchanged(struct ops *ops, const struct image_draft *draft, struct error *err)
{
    auto_done(image_entry) struct image_entry now = {0};
    if (!image_store_read(ops->store, draft->entry.name, &now, err)) {
        return false;
    }
    return (!now.is_managed && !now.is_damaged &&
               is_same_document(now.document, draft->entry.document)) ||
           error_set(err, ERROR_BUSY,
               "image %s was changed while it was copied: look at it (`image show %s`) and promote "
               "it again",
               now.name, now.name);
}

bool image_draft_publish(
    struct ops *ops, struct image_draft *draft, enum image_publish how, struct error *err)
{
    const char *name = draft->entry.name;
    auto_lock struct lock *lock = ops_lock(ops, STORE_IMAGE, name, "publish", err);
    if (lock == NULL || !(how == IMAGE_PUBLISH_PROMOTE ? check_unchanged(ops, draft, err)
                                                       : ops_image_check_free(ops, name,
                                                             how == IMAGE_PUBLISH_REPLACE, err))) {
        return false;
    }
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 1, 2);
    return image_store_write_manifest(staging_dir(draft->staging), &draft->entry, err) &&
           staging_publish(
               draft->staging, how == IMAGE_PUBLISH_NEW ? PUBLISH_NEW : PUBLISH_REPLACE, err);
}

void image_draft_tell(struct image_draft *draft, const struct flatten_report *report)
{
    if (report->skipped_xattrs > 0) {
        strings_printf(&draft->notes,
            "left out %" PRIu64 " extended attributes that are neither capabilities nor user.*",
            report->skipped_xattrs);
    }
    if (report->skipped_sockets > 0) {
        strings_printf(&draft->notes, "left out %" PRIu64 " sockets", report->skipped_sockets);
    }
}

struct json *image_draft_result(const struct image_draft *draft)
{
    struct json *result = ops_image_json(&draft->entry);
    json_put_bool(result, "changed", true);
    ops_put_strings(result, "notes", &draft->notes);
    return result;
}
