/* SPDX-License-Identifier: MIT */
/* Images as files: a catalog's bundle → rootfs.ext4 in the staging, and back again (export). */
#include "artifact/bundle.h"
#include "artifact/bundle_write.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/file_draft.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "engine/catalog/ops_fetch.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/image/ops_image.h"
#include "engine/image/ops_image_draft.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/catalog.h"
#include "store/config.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What only the bundle itself tells. */
static bool take_manifest(struct ops *ops, const struct bundle_report *report,
    const struct image_request *request, struct image_draft *draft, struct error *err)
{
    struct image_entry *entry = &draft->entry;
    auto_json struct json *manifest = json_parse(text_cstr(&report->manifest), report->manifest.len,
        ops->limits->json_bytes, ops->limits->json_depth, "the bundle's manifest.json", err);
    if (manifest == NULL) {
        return false;
    }
    if (json_is_object(json_get(manifest, "config"))) {
        entry->config = json_copy(json_get(manifest, "config"));
    }
    return request->kernel_ref != NULL ||
           ops_image_choose_kernel(ops, request->name, json_string(manifest, "kernel_ref", NULL),
               &entry->kernel_ref, err);
}

bool image_draft_fetch_bundle(struct ops *ops, const struct image_request *request,
    struct image_draft *draft, struct error *err)
{
    const struct catalog_entry *offer = request->offer;
    auto_done(fetched) struct fetched fetched = {0};
    auto_done(bundle_report) struct bundle_report report = {0};
    if (!file_need_space(staging_dir(draft->staging), "..", offer->disk_bytes, err)) {
        return error_wrap(err, "image %s was not fetched", offer->name);
    }
    auto_close int blob = ops_fetch(ops, (const char *const *)offer->urls.items, offer->urls.count,
        &offer->digest, offer->size_bytes, &fetched, err);
    if (blob < 0 ||
        !bundle_extract(blob, staging_dir(draft->staging), BUNDLE_IMAGE, ops->limits,
            ops_self_path(ops), ops->progress, ops->cancel, &report, err) ||
        !take_manifest(ops, &report, request, draft, err)) {
        return false;
    }
    char hex[DIGEST_HEX_LEN + 1];
    draft->entry.digest = memory_printf("sha256:%s", digest_format(&offer->digest, hex));
    auto_free char *line = memory_printf("image pull %s", offer->name);
    image_draft_history(draft, line);
    draft->fetched_from = take_ptr(fetched.from);
    draft->downloaded_bytes = fetched.size_bytes;
    ops_fetch_forget(ops, &fetched);
    return true;
}

/* ---- export ---- */

/* What a bundle's manifest holds; caller frees. */
static char *bundle_manifest(const struct image_entry *entry)
{
    auto_json struct json *json = json_new_object();
    auto_done(text) struct text text = {0};
    json_put_string(json, "name", entry->name);
    json_put_string(json, "distro", json_string(entry->document, "distro", NULL));
    json_put_string(json, "arch", json_string(entry->document, "arch", NULL));
    json_put_string(json, "kernel_ref", entry->kernel_ref);
    json_put(json, "config", json_copy(entry->config));
    json_write(json, true, &text);
    return text_take(&text);
}

/* The directory that holds rootfs.ext4: the entry's; for a registered image one of our own with a
 * copy in it, by clone where the file system can. */
static bool open_source(struct ops *ops, const struct image_entry *entry, struct staging **staging,
    int *dir, struct error *err)
{
    if (entry->rootfs_path == NULL) {
        *dir = image_store_open(ops->store, entry->name, err);
        return *dir >= 0;
    }
    *staging = staging_begin(ops->store, STORE_IMAGE, entry->name, err);
    if (*staging == NULL) {
        return false;
    }
    auto_close int from = file_open_read(AT_FDCWD, entry->rootfs_path, err);
    auto_close int to = from >= 0 ? file_create(staging_dir(*staging), IMAGE_ROOTFS, err) : -1;
    if (to < 0 || !file_copy_data(from, to, entry->rootfs_path, ops->progress, ops->cancel, err)) {
        return false;
    }
    *dir = fcntl(staging_dir(*staging), F_DUPFD_CLOEXEC, 3);
    return *dir >= 0 || error_set_errno(err, errno, "cannot keep the staging directory open");
}

static bool write_bundle(struct ops *ops, const struct image_entry *entry, int out,
    struct bundle_written *written, struct error *err)
{
    auto_staging struct staging *staging = NULL;
    auto_close int dir = -1;
    auto_free char *manifest = bundle_manifest(entry);
    return open_source(ops, entry, &staging, &dir, err) &&
           bundle_write(out, dir, BUNDLE_IMAGE, manifest, ops->limits, ops->progress, ops->cancel,
               written, err);
}

/* Where the file goes: into a directory under a name that tells its content. Caller frees. */
static char *final_path(
    const char *to, const struct image_entry *entry, const struct bundle_written *written)
{
    struct stat status;
    char hex[DIGEST_HEX_LEN + 1];
    if (stat(to, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return memory_strdup(to);
    }
    struct utsname host;
    const char *arch = json_string(entry->document, "arch", NULL);
    arch = arch == NULL && uname(&host) == 0 ? host.machine : arch;
    return memory_printf(
        "%s/%s-%s-%.12s.tar.zst", to, entry->name, arch, digest_format(&written->digest, hex));
}

static bool export_to(struct ops *ops, const struct image_entry *entry, const char *to,
    struct json **result, struct error *err)
{
    auto_done(file_draft) struct file_draft draft = {.fd = -1};
    auto_done(bundle_written) struct bundle_written written = {0};
    if (!file_draft_begin(&draft, to, err) || !write_bundle(ops, entry, draft.fd, &written, err)) {
        return false;
    }
    auto_free char *path = final_path(to, entry, &written);
    if (!file_draft_finish(&draft, path, false, err)) {
        return false;
    }
    char hex[DIGEST_HEX_LEN + 1];
    *result = ops_result(entry->name, true);
    json_put_string(*result, "file", path);
    json_put_string(*result, "sha256", digest_format(&written.digest, hex));
    json_put_integer(*result, "size_bytes", (int64_t)written.size_bytes);
    if (entry->kernel_ref == NULL) {
        strings_printf(&written.notes,
            "the kernel of image %s is not in the bundle: whoever pulls "
            "it names one with --kernel-ref",
            entry->name);
    }
    ops_put_strings(*result, "notes", &written.notes);
    return true;
}

bool ops_image_export(struct ops *ops, struct json **result, struct error *err)
{
    const char *to = command_get(ops->command, "to");
    auto_done(strings) struct strings names = {0};
    auto_done(image_entry) struct image_entry entry = {0};
    struct stat status;
    if (!ops_image_each(ops, &names, err) ||
        !image_store_read(ops->store, names.items[0], &entry, err)) {
        return false;
    }
    if (entry.is_damaged) {
        return error_set(err, ERROR_FORMAT, "image %s is damaged (%s): there is nothing to export",
            entry.name, entry.damage);
    }
    if (stat(to, &status) == 0 && !S_ISDIR(status.st_mode)) {
        return error_set(
            err, ERROR_EXISTS, "%s is there already: choose another name, or remove it", to);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_plan(ops);
        ops_plan_add(*result, "write", to, entry.disk_bytes);
        return true;
    }
    return export_to(ops, &entry, to, result, err);
}
