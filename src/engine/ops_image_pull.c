/* SPDX-License-Identifier: MIT */
/* image pull: a catalog's bundle → verified download → staging → published image, with the kernel
 * it needs pulled on the way. */
#include "artifact/bundle.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/ops_catalog.h"
#include "engine/ops_common.h"
#include "engine/ops_fetch.h"
#include "engine/ops_image.h"
#include "engine/ops_kernel.h"
#include "store/catalog.h"
#include "store/config.h"
#include "store/image_store.h"
#include "store/lock.h"
#include "store/publish.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What the operator asked for. */
struct request {
    const char *word; /* catalog name or reference */
    char *name;       /* local */
    bool is_forced;
    bool was_here; /* before the verb began */
};

static void request_done(struct request *request)
{
    free(request->name);
}

/* Kernel from the flag, else the catalog entry, else the bundle's own manifest, else the configured
 * default. */
static bool choose_kernel(struct ops *ops, const struct catalog_entry *offer,
    const struct json *bundle, char **kernel, struct error *err)
{
    const char *choices[] = {
        command_get(ops->command, "kernel-ref"),
        offer->kernel_ref,
        json_string(bundle, "kernel_ref", NULL),
        ops->settings->default_kernel,
    };
    for (size_t i = 0; i < array_length(choices); i++) {
        if (choices[i] != NULL && choices[i][0] != '\0') {
            *kernel = memory_strdup(choices[i]);
            return name_check_entry(*kernel, "kernel name", err);
        }
    }
    return error_set(err, ERROR_INVALID,
        "image %s names no kernel: give --kernel-ref KERNEL, or set kernel under [defaults] in "
        "config.ini",
        offer->name);
}

static bool examine_rootfs(int staging, struct image_entry *entry, struct error *err)
{
    auto_close int fd = file_open_read(staging, IMAGE_ROOTFS, err);
    struct stat status;
    if (fd < 0 || !ops_image_check_rootfs(fd, "the bundle's " IMAGE_ROOTFS, err)) {
        return false;
    }
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", IMAGE_ROOTFS);
    }
    entry->size_bytes = (uint64_t)status.st_size;
    entry->disk_bytes = (uint64_t)status.st_blocks * 512;
    entry->has_rootfs = true;
    return true;
}

static bool fill_entry(struct ops *ops, const struct request *request,
    const struct catalog_entry *offer, const struct bundle_report *report, int staging,
    struct image_entry *entry, struct error *err)
{
    auto_json struct json *bundle = json_parse(text_cstr(&report->manifest), report->manifest.len,
        ops->limits->json_bytes, ops->limits->json_depth, "the bundle's manifest.json", err);
    if (bundle == NULL || !examine_rootfs(staging, entry, err) ||
        !choose_kernel(ops, offer, bundle, &entry->kernel_ref, err)) {
        return false;
    }
    char hex[DIGEST_HEX_LEN + 1];
    auto_free char *url = catalog_public_url(offer->urls.items[0]);
    entry->name = memory_strdup(request->name);
    entry->source = memory_printf("pull:%s", url);
    entry->digest = memory_printf("sha256:%s", digest_format(&offer->digest, hex));
    entry->is_managed = true;
    entry->created_at = clock_wall();
    entry->config = json_copy(json_get(bundle, "config"));
    return ops_kernel_ensure(ops, entry->kernel_ref, err);
}

static bool stage_and_publish(struct ops *ops, const struct request *request,
    const struct catalog_entry *offer, struct fetched *fetched, struct image_entry *entry,
    struct bundle_report *report, struct error *err)
{
    auto_close int blob = ops_fetch(ops, (const char *const *)offer->urls.items, offer->urls.count,
        &offer->digest, offer->size_bytes, fetched, err);
    auto_staging struct staging *staging =
        blob >= 0 ? staging_begin(ops->store, STORE_IMAGE, request->name, err) : NULL;
    if (staging == NULL) {
        return false;
    }
    int dir = staging_dir(staging);
    if (!bundle_extract(blob, dir, BUNDLE_IMAGE, ops->limits, ops_self_path(ops), ops->progress,
            ops->cancel, report, err) ||
        !fill_entry(ops, request, offer, report, dir, entry, err)) {
        return false;
    }
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 0, 1);
    return image_store_write_manifest(dir, entry, err) &&
           staging_publish(staging, request->is_forced ? PUBLISH_REPLACE : PUBLISH_NEW, err);
}

static struct json *unchanged_result(const struct image_entry *entry)
{
    struct json *result = ops_image_json(entry);
    json_put_bool(result, "changed", false);
    return result;
}

static bool pull_locked(struct ops *ops, const struct request *request,
    const struct catalog_entry *offer, struct json **result, struct error *err)
{
    uint64_t started_ms = clock_monotonic_ms();
    auto_lock struct lock *lock = ops_lock(ops, STORE_IMAGE, request->name, "pull", err);
    if (lock == NULL) {
        return false;
    }
    auto_done(image_entry) struct image_entry found = {0};
    struct error missing = {0};
    if (!request->was_here && image_store_read(ops->store, request->name, &found, &missing) &&
        !found.is_damaged && !request->is_forced) {
        *result = unchanged_result(&found);
        return true;
    }
    auto_done(fetched) struct fetched fetched = {0};
    auto_done(bundle_report) struct bundle_report report = {0};
    auto_done(image_entry) struct image_entry entry = {0};
    if (!stage_and_publish(ops, request, offer, &fetched, &entry, &report, err)) {
        return false;
    }
    ops_fetch_forget(ops, &fetched);
    /* A kernel pulled on the way showed its own. */
    progress_digest(ops->progress, &offer->digest, &offer->digest);
    ops_images_changed(ops);
    struct json *json = ops_image_json(&entry);
    json_put_bool(json, "changed", true);
    json_put_string(json, "fetched_from", fetched.from);
    json_put_integer(json, "downloaded_bytes", (int64_t)fetched.size_bytes);
    json_put_number(json, "seconds", (double)(clock_monotonic_ms() - started_ms) / 1000);
    *result = json;
    return true;
}

bool ops_image_check_free(struct ops *ops, const char *name, bool is_forced, struct error *err)
{
    auto_done(image_entry) struct image_entry entry = {0};
    struct error missing = {0};
    if (!image_store_read(ops->store, name, &entry, &missing)) {
        if (missing.code == ERROR_NOT_FOUND) {
            return true;
        }
        *err = missing;
        return false;
    }
    if (!is_forced) {
        return error_set(err, ERROR_EXISTS,
            "image %s is already here%s: --force replaces it, or choose another name with --name",
            name, entry.is_damaged ? " but damaged" : "");
    }
    /* Disks of VMs hold only the difference to this very image. */
    auto_done(strings) struct strings users = {0};
    return ops_image_users(ops, name, &users, err) &&
           (users.count == 0 || ops_refuse_in_use("image", name, &users, false, err));
}

static bool not_in_catalog(const char *word, struct error *err)
{
    if (strpbrk(word, "/:@") == NULL) {
        error_clear(err);
        return error_set(err, ERROR_NOT_FOUND,
            "no catalog has the image %s: see `image list --available`; for a registry's image "
            "type "
            "docker.io/library/%s",
            word, word);
    }
    error_clear(err);
    return error_set(err, ERROR_UNSUPPORTED,
        "%s is a registry's reference: this version pulls images of catalogs only "
        "(`image list --available`), or registers an ext4 file (`image register`)",
        word);
}

bool ops_image_pull(struct ops *ops, struct json **result, struct error *err)
{
    const char *given = command_get(ops->command, "name");
    auto_done(request) struct request request = {.word = command_get(ops->command, "image"),
        .is_forced = command_has(ops->command, "force")};
    request.name = given != NULL ? memory_strdup(given) : command_image_name(request.word);
    if (!name_check_entry(request.name, "image name", err)) {
        return false;
    }
    auto_done(image_entry) struct image_entry here = {0};
    struct error missing = {0};
    request.was_here = image_store_read(ops->store, request.name, &here, &missing);
    if (request.was_here && !here.is_damaged && command_has(ops->command, "if-absent")) {
        *result = unchanged_result(&here);
        return true;
    }
    if (!ops_image_check_free(ops, request.name, request.is_forced, err)) {
        return false;
    }
    auto_done(catalog) struct catalog catalog = {0};
    if (!ops_catalog_load(ops, true, &catalog, err)) {
        return false;
    }
    const struct catalog_entry *offer = catalog_require(&catalog, CATALOG_IMAGE, request.word, err);
    if (offer == NULL) {
        return err->code == ERROR_NOT_FOUND ? not_in_catalog(request.word, err) : false;
    }
    if (!offer->is_usable) {
        return error_set(err, ERROR_CONFIG, "image %s cannot be pulled from the catalog %s: %s",
            offer->name, catalog_source_name(&catalog, offer), offer->why_unusable);
    }
    if (command_is_dry_run(ops->command)) {
        auto_free char *object = memory_printf("image/%s", request.name);
        *result = ops_plan(ops);
        ops_plan_add(*result, "download", object, offer->size_bytes);
        ops_plan_add(*result, "publish", object, 0);
        return true;
    }
    return pull_locked(ops, &request, offer, result, err);
}
