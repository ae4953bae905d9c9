/* SPDX-License-Identifier: MIT */
/* image promote: a registered image gets files of its own, copied in by clone where the file system
 * can, and does not need the places it was registered from any more. */
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
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/publish.h"

#include <fcntl.h>
#include <sys/stat.h>

/* What a place named by the registration takes on disk; 0 when that cannot be told. */
static uint64_t disk_use(const char *path)
{
    struct stat status;
    return path != NULL && stat(path, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

static struct json *plan(struct ops *ops, const struct image_entry *entry)
{
    struct json *plan = ops_plan(ops);
    auto_free char *object = memory_printf("image/%s", entry->name);
    ops_plan_add(plan, "copy", entry->rootfs_path, entry->disk_bytes);
    if (entry->kernel_path != NULL) {
        ops_plan_add(plan, "copy", entry->kernel_path, disk_use(entry->kernel_path));
    }
    if (entry->initrd_path != NULL) {
        ops_plan_add(plan, "copy", entry->initrd_path, disk_use(entry->initrd_path));
    }
    if (entry->modules_path != NULL) {
        ops_plan_add(plan, "copy", entry->modules_path, 0);
    }
    ops_plan_add(plan, "publish", object, 0);
    return plan;
}

static bool copy_rootfs(struct ops *ops, struct image_draft *draft, struct error *err)
{
    const char *path = draft->entry.rootfs_path;
    auto_close int from = file_open_read(AT_FDCWD, path, err);
    auto_close int to =
        from >= 0 ? file_create(staging_dir(draft->staging), IMAGE_ROOTFS, err) : -1;
    return to >= 0 && file_copy_data(from, to, path, ops->progress, ops->cancel, err);
}

static bool stage(struct ops *ops, struct image_draft *draft, struct error *err)
{
    const struct image_entry *entry = &draft->entry;
    if (!file_need_space(store_kind_dir(ops->store, STORE_IMAGE), ".", entry->disk_bytes, err)) {
        return error_wrap(err, "image %s was not promoted", entry->name);
    }
    return image_draft_begin(ops, entry->name, draft, err) && copy_rootfs(ops, draft, err) &&
           image_draft_copy_kernel(
               ops, draft, entry->kernel_path, entry->initrd_path, entry->modules_path, err) &&
           image_steps(ops).finalize_rootfs(ops, draft, err);
}

bool ops_image_promote(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(image_draft) struct image_draft draft = {0};
    if (!name_check_entry(name, "image name", err)) {
        return false;
    }
    auto_lock struct lock *work = ops_lock_work(ops, STORE_IMAGE, name, "promote", err);
    if (work == NULL || !image_store_read(ops->store, name, &draft.entry, err)) {
        return false;
    }
    if (draft.entry.is_damaged) {
        return error_set(err, ERROR_FORMAT, "image %s is damaged (%s): register it again", name,
            draft.entry.damage);
    }
    if (command_is_dry_run(ops->command)) {
        *result = draft.entry.is_managed ? ops_plan(ops) : plan(ops, &draft.entry);
        return true;
    }
    if (draft.entry.is_managed) {
        *result = ops_image_json(&draft.entry);
        json_put_bool(*result, "changed", false);
        return true;
    }
    if (!stage(ops, &draft, err)) {
        return false;
    }
    image_draft_history(&draft, "image promote");
    if (!image_draft_publish(ops, &draft, IMAGE_PUBLISH_PROMOTE, err)) {
        return false;
    }
    ops_images_changed(ops);
    *result = image_draft_result(&draft);
    return true;
}
