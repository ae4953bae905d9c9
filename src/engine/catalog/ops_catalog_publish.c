/* SPDX-License-Identifier: MIT */
/* catalog publish: what is here → bundles named by their content → a signed catalog beside them, for
 * any web server. */
#include "engine/catalog/ops_catalog_publish.h"

#include "artifact/bundle_write.h"
#include "artifact/hash.h"
#include "artifact/signature.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/catalog_url.h"
#include "store/image_store.h"
#include "store/kernel_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Digits of the digest in a file's name: enough to tell any two apart. */
#define PREFIX_DIGITS 16
#define ARCH_UNKNOWN "unknown"

/* One publishing under way. Names are borrowed from the lists. */
struct publishing {
    struct ops *ops;
    struct publication publication;
    struct kernel_list kernels;
    struct image_list images;
    struct strings kernel_names; /* chosen */
    struct strings image_names;
    struct json *published; /* rows of the result */
    const char *base_url;   /* NULL: files are named relative to the catalog */
    bool has_new_files;
};

static void publishing_done(struct publishing *work)
{
    publication_done(&work->publication);
    kernel_list_done(&work->kernels);
    image_list_done(&work->images);
    strings_done(&work->kernel_names);
    strings_done(&work->image_names);
    json_free(work->published);
}

/* ---- what is chosen ---- */

static const struct kernel_entry *find_kernel(const struct kernel_list *list, const char *name)
{
    for (size_t i = 0; name != NULL && i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

static const struct image_entry *find_image(const struct image_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* NULL: it can be published; else why not, a clause. */
static const char *why_not_kernel(const struct kernel_entry *entry)
{
    return entry->is_damaged ? entry->damage : NULL;
}

static const char *why_not_image(const struct image_entry *entry)
{
    if (entry->is_damaged) {
        return entry->damage;
    }
    if (!entry->is_managed) {
        return "its files are elsewhere: promote it first";
    }
    return entry->has_rootfs ? NULL : "its root file system is missing";
}

static bool choose_named(struct publishing *work, const struct strings *kernels,
    const struct strings *images, struct error *err)
{
    for (size_t i = 0; i < kernels->count; i++) {
        const struct kernel_entry *entry = find_kernel(&work->kernels, kernels->items[i]);
        if (entry == NULL) {
            return error_set(err, ERROR_NOT_FOUND, "there is no kernel %s here: see `kernel list`",
                kernels->items[i]);
        }
        if (entry->unread.errnum != 0) {
            return unread_error(&entry->unread, "kernel", entry->name, err);
        }
        if (why_not_kernel(entry) != NULL) {
            return error_set(err, ERROR_FORMAT, "the kernel %s cannot be published: %s",
                entry->name, why_not_kernel(entry));
        }
        strings_add(&work->kernel_names, entry->name);
    }
    for (size_t i = 0; i < images->count; i++) {
        const struct image_entry *entry = find_image(&work->images, images->items[i]);
        if (entry == NULL) {
            return error_set(err, ERROR_NOT_FOUND, "there is no image %s here: see `image list`",
                images->items[i]);
        }
        if (entry->unread.errnum != 0) {
            return unread_error(&entry->unread, "image", entry->name, err);
        }
        if (why_not_image(entry) != NULL) {
            return error_set(err, entry->is_damaged ? ERROR_FORMAT : ERROR_INVALID,
                "the image %s cannot be published: %s", entry->name, why_not_image(entry));
        }
        strings_add(&work->image_names, entry->name);
    }
    return true;
}

/* What is wrong is left out and told; what nobody could look at may be well, and is waited for. */
static bool choose_all(struct publishing *work, struct error *err)
{
    struct strings *notes = &work->publication.notes;
    for (size_t i = 0; i < work->kernels.count; i++) {
        const struct kernel_entry *entry = &work->kernels.items[i];
        if (entry->unread.errnum != 0) {
            return unread_error(&entry->unread, "kernel", entry->name, err);
        }
        if (why_not_kernel(entry) == NULL) {
            strings_add(&work->kernel_names, entry->name);
        } else {
            strings_printf(
                notes, "the kernel %s was left out: %s", entry->name, why_not_kernel(entry));
        }
    }
    for (size_t i = 0; i < work->images.count; i++) {
        const struct image_entry *entry = &work->images.items[i];
        if (entry->unread.errnum != 0) {
            return unread_error(&entry->unread, "image", entry->name, err);
        }
        if (why_not_image(entry) == NULL) {
            strings_add(&work->image_names, entry->name);
        } else {
            strings_printf(
                notes, "the image %s was left out: %s", entry->name, why_not_image(entry));
        }
    }
    return true;
}

static bool choose(struct publishing *work, struct error *err)
{
    const struct strings *kernels = command_all(work->ops->command, "kernel");
    const struct strings *images = command_all(work->ops->command, "image");
    if (!kernel_store_list(work->ops->store, &work->kernels, err) ||
        !image_store_list(work->ops->store, &work->images, err)) {
        return false;
    }
    if (kernels->count + images->count > 0) {
        return choose_named(work, kernels, images, err);
    }
    return choose_all(work, err) &&
           (work->kernel_names.count + work->image_names.count > 0 ||
               error_set(err, ERROR_NOT_FOUND,
                   "there is no kernel and no image here that can be published"));
}

/* ---- bundles ---- */

static void note_all(struct strings *notes, const char *name, const struct strings *more)
{
    for (size_t i = 0; i < more->count; i++) {
        strings_printf(notes, "%s: %s", name, more->items[i]);
    }
}

/* Whether the file is there and whole: then it stays as it is, for those who copy what is new. */
static bool is_published(
    const struct publishing *work, const char *file, const struct digest *digest)
{
    struct error ignored = {0};
    struct digest found;
    auto_close int fd = file_open_read(work->publication.dir, file, &ignored);
    return fd >= 0 && hash_fd(fd, file, NULL, work->ops->cancel, &found, &ignored) &&
           digest_equal(&found, digest);
}

/* Gives the packed file the name its content has. Caller frees; NULL on failure. */
static char *give_name(struct publishing *work, int fd, const char *temporary, const char *name,
    const char *arch, const struct bundle_written *written, struct error *err)
{
    char hex[DIGEST_HEX_LEN + 1];
    digest_format(&written->digest, hex);
    char *file = memory_printf("%s-%s-%.*s.tar.zst", name, arch, PREFIX_DIGITS, hex);
    int dir = work->publication.dir;
    if (is_published(work, file, &written->digest)) {
        unlinkat(dir, temporary, 0);
        return file;
    }
    work->has_new_files = true;
    if (fchmod(fd, 0644) != 0) {
        error_set_errno(err, errno, "cannot let others read %s", file);
    } else if (!file_sync(fd, file, err)) {
        /* told */
    } else if (renameat(dir, temporary, dir, file) != 0) {
        error_set_errno(err, errno, "cannot give %s its name", file);
    } else {
        return file;
    }
    free(file);
    return NULL;
}

/* Packs one entry's directory; its file's name, caller frees. NULL on failure. */
static char *pack(struct publishing *work, int entry_dir, enum bundle_kind kind, const char *name,
    const char *arch, const char *manifest, struct bundle_written *written, struct error *err)
{
    auto_free char *stem = memory_printf("%s.tar.zst", name);
    auto_free char *temporary = file_temporary_name(stem, err);
    int dir = work->publication.dir;
    auto_close int fd = temporary != NULL ? file_create(dir, temporary, err) : -1;
    if (fd < 0) {
        return NULL;
    }
    const struct ops *ops = work->ops;
    char *file = bundle_write(fd, entry_dir, kind, manifest, ops->limits, ops->progress,
                     ops->cancel, written, err)
                     ? give_name(work, fd, temporary, name, arch, written, err)
                     : NULL;
    if (file == NULL) {
        unlinkat(dir, temporary, 0);
        error_wrap(err, "%s could not be packed", name);
    }
    return file;
}

/* The keys that an entry has whatever it is, and its row in the result. */
static void describe(struct publishing *work, struct json *entry, const char *kind,
    const char *file, const struct bundle_written *written)
{
    char hex[DIGEST_HEX_LEN + 1];
    const char *name = json_string(entry, "name", "");
    const char *base = work->base_url;
    bool has_slash = base != NULL && text_has_suffix(base, "/");
    auto_free char *url = base != NULL ? memory_printf("%s%s%s", base, has_slash ? "" : "/", file)
                                       : memory_strdup(file);
    digest_format(&written->digest, hex);
    json_put_string(entry, "tarball_url", url);
    json_put_string(entry, "tarball_sha256", hex);
    json_put_integer(entry, "size_bytes", (int64_t)written->size_bytes);
    json_put_integer(entry, "disk_bytes", (int64_t)written->disk_bytes);
    struct json *row = json_new_object();
    json_put_string(row, "name", name);
    json_put_string(row, "kind", kind);
    json_put_string(row, "file", file);
    json_put_string(row, "sha256", hex);
    json_put_integer(row, "size_bytes", (int64_t)written->size_bytes);
    json_append(work->published, row);
    note_all(&work->publication.notes, name, &written->notes);
}

/* What is on disk is still what was recorded: no rot is ever published. */
static bool check_kernel(
    struct ops *ops, const struct kernel_entry *kernel, int dir, struct error *err)
{
    auto_close int fd = file_open_read(dir, KERNEL_FILE, err);
    struct digest recorded;
    struct digest found;
    if (fd < 0 || !hash_fd(fd, KERNEL_FILE, ops->progress, ops->cancel, &found, err)) {
        return false;
    }
    return kernel->sha256 == NULL ||
           (digest_parse(kernel->sha256, &recorded) && digest_equal(&recorded, &found)) ||
           error_set(err, ERROR_DIGEST,
               "the kernel %s is not what was recorded of it: it is not published", kernel->name);
}

static bool publish_kernel(struct publishing *work, const char *name, struct error *err)
{
    const struct kernel_entry *kernel = find_kernel(&work->kernels, name);
    auto_done(bundle_written) struct bundle_written written = {0};
    auto_close int dir = kernel_store_open(work->ops->store, name, err);
    if (dir < 0 || !check_kernel(work->ops, kernel, dir, err)) {
        return false;
    }
    const char *arch = kernel->arch != NULL ? kernel->arch : ARCH_UNKNOWN;
    auto_free char *file = pack(work, dir, BUNDLE_KERNEL, name, arch, NULL, &written, err);
    if (file == NULL) {
        return false;
    }
    struct json *entry = json_new_object();
    json_put_string(entry, "name", name);
    json_put_known(entry, "distro", kernel->distro);
    json_put_known(entry, "arch", kernel->arch);
    json_put_known(entry, "kernel_version", kernel->kernel_version);
    describe(work, entry, "kernel", file, &written);
    publication_put(&work->publication, "kernels", entry);
    return true;
}

/* The manifest inside an image bundle. Caller frees. */
static char *image_manifest(const struct image_entry *image, const char *arch)
{
    auto_json struct json *manifest = json_new_object();
    json_put_string(manifest, "name", image->name);
    json_put_known(manifest, "distro", json_string(image->document, "distro", NULL));
    json_put_known(manifest, "arch", arch);
    json_put_known(manifest, "kernel_ref", image->kernel_ref);
    json_put(manifest, "config", image->config != NULL ? json_copy(image->config) : NULL);
    struct text text = {0};
    json_write(manifest, true, &text);
    return text_take(&text);
}

static bool publish_image(struct publishing *work, const char *name, struct error *err)
{
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(bundle_written) struct bundle_written written = {0};
    auto_close int dir = image_store_open(work->ops->store, name, err);
    if (dir < 0 || !image_store_read(work->ops->store, name, &image, err)) {
        return false;
    }
    /* An image does not say what it runs on; the kernel it boots with does. */
    const struct kernel_entry *kernel = find_kernel(&work->kernels, image.kernel_ref);
    const char *arch = json_string(
        image.document, "arch", kernel != NULL && kernel->arch != NULL ? kernel->arch : NULL);
    auto_free char *manifest = image_manifest(&image, arch);
    auto_free char *file = pack(
        work, dir, BUNDLE_IMAGE, name, arch != NULL ? arch : ARCH_UNKNOWN, manifest, &written, err);
    if (file == NULL) {
        return false;
    }
    struct json *entry = json_new_object();
    json_put_string(entry, "name", name);
    json_put_known(entry, "distro", json_string(image.document, "distro", NULL));
    json_put_known(entry, "arch", arch);
    json_put_known(entry, "kernel_ref", image.kernel_ref);
    describe(work, entry, "image", file, &written);
    publication_put(&work->publication, "images", entry);
    return true;
}

static bool publish_all(struct publishing *work, struct error *err)
{
    for (size_t i = 0; i < work->kernel_names.count; i++) {
        progress_note(work->ops->progress, "kernel %s", work->kernel_names.items[i]);
        if (!publish_kernel(work, work->kernel_names.items[i], err)) {
            return false;
        }
    }
    for (size_t i = 0; i < work->image_names.count; i++) {
        progress_note(work->ops->progress, "image %s", work->image_names.items[i]);
        if (!publish_image(work, work->image_names.items[i], err)) {
            return false;
        }
    }
    /* The names are on disk before the catalog that speaks of them. */
    return file_sync_dir(work->publication.dir, ".", err);
}

/* ---- the operation ---- */

static struct json *plan_publish(struct publishing *work)
{
    struct json *plan = ops_plan(work->ops);
    for (size_t i = 0; i < work->kernel_names.count; i++) {
        auto_free char *object = memory_printf("kernel/%s", work->kernel_names.items[i]);
        const struct kernel_entry *kernel =
            find_kernel(&work->kernels, work->kernel_names.items[i]);
        ops_plan_add(plan, "publish", object, kernel->size_bytes);
    }
    for (size_t i = 0; i < work->image_names.count; i++) {
        auto_free char *object = memory_printf("image/%s", work->image_names.items[i]);
        const struct image_entry *image = find_image(&work->images, work->image_names.items[i]);
        ops_plan_add(plan, "publish", object, image->disk_bytes);
    }
    return plan;
}

static bool check_base_url(const char *base_url, struct error *err)
{
    return base_url == NULL || catalog_url_is_remote(base_url) || catalog_url_is_file(base_url) ||
           error_set(err, ERROR_INVALID, "--base-url must be an http, https or file URL, not %s",
               base_url);
}

static bool publish(
    struct publishing *work, const char *place, struct json **result, struct error *err)
{
    uint64_t started_ms = clock_monotonic_ms();
    struct publication *publication = &work->publication;
    bool is_changed = false;
    work->published = json_new_array();
    if (!publication_open(work->ops, place, publication, err) || !publish_all(work, err) ||
        !publication_write(work->ops, publication, &is_changed, err)) {
        return false;
    }
    *result = ops_result(place, is_changed || work->has_new_files);
    json_put_bool(*result, "signed", publication->key != NULL);
    json_put(*result, "published", json_copy(work->published));
    ops_put_strings(*result, "notes", &publication->notes);
    json_put_number(*result, "seconds", (double)(clock_monotonic_ms() - started_ms) / 1000);
    return true;
}

bool ops_catalog_publish(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(publishing) struct publishing work = {
        .ops = ops, .base_url = command_get(ops->command, "base-url")};
    const char *key = command_get(ops->command, "key");
    if (!check_base_url(work.base_url, err) || !choose(&work, err)) {
        return false;
    }
    if (key != NULL) {
        work.publication.key = ops_read_key(key, &work.publication.notes, err);
        if (work.publication.key == NULL) {
            return false;
        }
    }
    if (command_is_dry_run(ops->command)) {
        *result = plan_publish(&work);
        return true;
    }
    return publish(&work, command_get(ops->command, "dir"), result, err);
}
