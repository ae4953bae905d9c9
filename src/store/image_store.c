/* SPDX-License-Identifier: MIT */
#include "store/image_store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/entry_listing.h"
#include "store/kernel_store.h"
#include "store/trash.h"

static const struct entry_field fields[] = {
    {offsetof(struct image_entry, name), ENTRY_STRING},
    {offsetof(struct image_entry, source), ENTRY_STRING},
    {offsetof(struct image_entry, digest), ENTRY_STRING},
    {offsetof(struct image_entry, kernel_ref), ENTRY_STRING},
    {offsetof(struct image_entry, rootfs_path), ENTRY_STRING},
    {offsetof(struct image_entry, kernel_path), ENTRY_STRING},
    {offsetof(struct image_entry, initrd_path), ENTRY_STRING},
    {offsetof(struct image_entry, modules_path), ENTRY_STRING},
    {offsetof(struct image_entry, content_sha256), ENTRY_STRING},
    {offsetof(struct image_entry, kernel_sha256), ENTRY_STRING},
    {offsetof(struct image_entry, manifest_digest), ENTRY_STRING},
    {offsetof(struct image_entry, created_at), ENTRY_NUMBER},
    {offsetof(struct image_entry, recorded_bytes), ENTRY_NUMBER},
    {offsetof(struct image_entry, is_managed), ENTRY_BOOL},
};

static const struct entry_shape shape = {
    .kind = STORE_IMAGE,
    .entry_size = sizeof(struct image_entry),
    .fields = fields,
    .field_count = array_length(fields),
};

/* What lists do without. */
static void drop_documents(struct image_entry *entry)
{
    json_free(take_ptr(entry->config));
    json_free(take_ptr(entry->history));
    json_free(take_ptr(entry->document));
}

void image_entry_done(struct image_entry *entry)
{
    if (!entry->is_borrowed) {
        entry_free_strings(&shape, entry);
    }
    free(entry->damage);
    unread_done(&entry->unread);
    drop_documents(entry);
    *entry = (struct image_entry){0};
}

void image_list_done(struct image_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        image_entry_done(&list->items[i]);
    }
    free(list->items);
    entry_index_free(list->index);
    *list = (struct image_list){0};
}

static char *take_path(struct image_entry *entry, const struct json *paths, const char *key)
{
    const struct json *item = json_get(paths, key);
    const char *path = json_string_value(item);
    if (item != NULL && (path == NULL || path[0] != '/')) {
        entries_damage(
            &entry->damage, memory_printf("\"%s\" in its manifest is not an absolute path", key));
        return NULL;
    }
    return memory_strdup(path);
}

static void read_manifest(
    const struct entry_place *place, struct image_entry *entry, struct entry_stamp *stamp)
{
    auto_done(entries_document) struct entries_document document = {0};
    entries_read_document(place, STORE_MANIFEST, &document);
    entries_take_unread(&document, &entry->unread);
    if (document.json == NULL && document.damage == NULL) {
        entries_damage(&entry->damage, memory_strdup("its " STORE_MANIFEST " is missing"));
        return;
    }
    entry->is_newer = document.is_newer;
    entry->source = entries_take_string(&document, "source");
    entry->digest = entries_take_string(&document, "digest");
    entry->kernel_ref = entries_take_string(&document, "kernel_ref");
    entry->content_sha256 = entries_take_digest(&document, "content_sha256");
    entry->kernel_sha256 = entries_take_digest(&document, "kernel_sha256");
    entry->manifest_digest = entries_take_string(&document, "manifest_digest");
    entry->created_at = entries_take_time(&document, "created_at");
    entries_take_size(&document, "size_bytes", &entry->recorded_bytes);
    entry->damage = take_ptr(document.damage);

    const struct json *paths = json_get(document.json, "paths");
    entry->rootfs_path = take_path(entry, paths, "rootfs");
    entry->kernel_path = take_path(entry, paths, "kernel");
    entry->initrd_path = take_path(entry, paths, "initrd");
    entry->modules_path = take_path(entry, paths, "modules");
    entry->is_managed = json_bool(document.json, "managed", entry->rootfs_path == NULL);
    const struct json *config = json_get(document.json, "config");
    if (json_is_object(config)) {
        entry->config = json_copy(config);
    } else if (config != NULL) {
        entries_damage(
            &entry->damage, memory_strdup("\"config\" in its manifest is not an object"));
    }
    const struct json *history = json_get(document.json, "history");
    entry->history = json_is_array(history) ? json_copy(history) : NULL;
    *stamp = entry->damage == NULL ? entries_document_stamp(&document) : (struct entry_stamp){0};
    entry->document = take_ptr(document.json);
}

/* A file of a registered image; false when it is not there, or may be. */
static bool look_at_path(struct image_entry *entry, const char *path, struct stat *info)
{
    if (stat(path, info) == 0) {
        return true;
    }
    unread_note_errno(&entry->unread, errno, path, path);
    entries_damage(&entry->damage, memory_printf("its %s is missing", path));
    return false;
}

static bool look_at_own(
    const struct entry_place *place, struct image_entry *entry, struct stat *info)
{
    if (entries_look_at(place, IMAGE_ROOTFS, info, &entry->unread)) {
        return true;
    }
    entries_damage(&entry->damage, memory_strdup("its " IMAGE_ROOTFS " is missing"));
    return false;
}

static void look_at_rootfs(const struct entry_place *place, struct image_entry *entry)
{
    struct stat info;
    const char *shown = entry->rootfs_path != NULL ? entry->rootfs_path : IMAGE_ROOTFS;
    if (!(entry->rootfs_path != NULL ? look_at_path(entry, entry->rootfs_path, &info)
                                     : look_at_own(place, entry, &info))) {
        return;
    }
    if (!S_ISREG(info.st_mode)) {
        entries_damage(&entry->damage, memory_printf("its %s is not a regular file", shown));
    } else if (info.st_size == 0) {
        entries_damage(&entry->damage, memory_printf("its %s is empty", shown));
    } else {
        entry->has_rootfs = true;
        entry->size_bytes = (uint64_t)info.st_size;
        entry->disk_bytes = (uint64_t)info.st_blocks * 512;
    }
}

static void look_at_files(const struct entry_place *place, struct image_entry *entry)
{
    struct stat info;
    const char *const elsewhere[] = {entry->kernel_path, entry->initrd_path, entry->modules_path};
    look_at_rootfs(place, entry);
    for (size_t i = 0; i < array_length(elsewhere); i++) {
        if (elsewhere[i] != NULL) {
            look_at_path(entry, elsewhere[i], &info);
        }
    }
    entry->has_work_seed =
        entries_look_at(place, IMAGE_WORK_SEED, &info, &entry->unread) && S_ISREG(info.st_mode);
    entry->has_kernel =
        entries_look_at(place, IMAGE_KERNEL, &info, &entry->unread) && S_ISDIR(info.st_mode);
}

/* What is seen at every look, whatever the manifest says. */
static void look_around(const struct entry_place *place, bool is_plain, struct image_entry *entry)
{
    entry->size_bytes = entry->recorded_bytes;
    if (is_plain) {
        look_at_files(place, entry);
    }
    entries_check_name(entry->name, &entry->damage);
    entry->is_damaged = entries_is_damaged(&entry->damage, &entry->unread);
}

/* False when it is not there (any more). is_plain: known to be a directory. */
static bool read_entry(const struct entry_place *place, bool is_plain, struct image_entry *entry,
    struct entry_stamp *stamp)
{
    if (!is_plain && !entries_look(place, &entry->damage, &entry->unread)) {
        return false;
    }
    is_plain = entry->damage == NULL;
    entry->name = memory_strdup(place->name);
    if (is_plain) {
        read_manifest(place, entry, stamp);
    }
    look_around(place, is_plain, entry);
    return true;
}

bool image_store_read(
    const struct store *store, const char *name, struct image_entry *entry, struct error *err)
{
    if (!name_check_entry(name, "image name", err)) {
        return false;
    }
    struct entry_stamp unused;
    const struct entry_place place = {store, STORE_IMAGE, name};
    if (!read_entry(&place, false, entry, &unused)) {
        return error_set(err, ERROR_NOT_FOUND, "there is no image named %s: see image list", name);
    }
    return entry->unread.errnum == 0 || unread_error(&entry->unread, "image", name, err);
}

/* What the older Go program left: a directory by id, without a manifest. */
static bool is_foreign(const struct entry_place *place)
{
    struct stat info;
    auto_done(unread) struct unread unread = {0};
    return entries_is_foreign_id(place->name) &&
           !entries_look_at(place, STORE_MANIFEST, &info, &unread) && unread.errnum == 0;
}

static bool list_one(struct entry_listing *listing, size_t i, bool is_recalled, void *context)
{
    struct image_entry *entry = context;
    const struct entry_place place = {listing->store, STORE_IMAGE, listing->names.items[i]};
    bool is_there = is_recalled;
    if (is_recalled) {
        entry->is_borrowed = true;
        look_around(&place, true, entry);
    } else {
        is_there = !is_foreign(&place) && read_entry(&place, entry_listing_is_plain(listing, i),
                                              entry, &listing->stamps[i]);
    }
    drop_documents(entry);
    /* What is damaged may have gone away meanwhile. */
    return is_there && (!entry->is_damaged || !file_is_absent(listing->kind_dir, place.name));
}

static void entry_done(void *entry)
{
    image_entry_done(entry);
}

bool image_store_list(const struct store *store, struct image_list *list, struct error *err)
{
    static const struct entry_reader reader = {list_one, entry_done};
    list->items = entry_listing_read(store, &shape, &reader, &list->count, &list->index, err);
    return list->items != NULL;
}

static void put_paths(struct json *json, const struct image_entry *entry)
{
    json_remove(json, "paths");
    if (entry->is_managed || entry->rootfs_path == NULL) {
        return;
    }
    struct json *paths = json_new_object();
    json_put_string(paths, "rootfs", entry->rootfs_path);
    json_put_string(paths, "kernel", entry->kernel_path);
    json_put_string(paths, "initrd", entry->initrd_path);
    json_put_string(paths, "modules", entry->modules_path);
    json_put(json, "paths", paths);
}

bool image_store_write_manifest(int staging_dir, const struct image_entry *entry, struct error *err)
{
    if (entry->is_newer) {
        return entries_newer_error(STORE_IMAGE, entry->name, err);
    }
    auto_json struct json *json =
        entry->document != NULL ? json_copy(entry->document) : json_new_object();
    json_put_string(json, "name", entry->name);
    json_put_string(json, "source", entry->source);
    json_put_string(json, "digest", entry->digest);
    json_put_string(json, "kernel_ref", entry->kernel_ref);
    json_put_bool(json, "managed", entry->is_managed);
    entries_put_time(json, "created_at", entry->created_at);
    if (entry->size_bytes > 0) {
        json_put_integer(json, "size_bytes", (int64_t)entry->size_bytes);
    }
    put_paths(json, entry);
    json_put(json, "config", json_copy(entry->config));
    json_put_string(json, "content_sha256", entry->content_sha256);
    json_put_string(json, "kernel_sha256", entry->kernel_sha256);
    json_put_string(json, "manifest_digest", entry->manifest_digest);
    json_put(json, "history", json_copy(entry->history));
    return entries_write_document(staging_dir, STORE_MANIFEST, json, err);
}

bool image_store_trash(
    const struct store *store, const char *name, char **trash_id, struct error *err)
{
    return entries_refuse_newer(store, STORE_IMAGE, name, STORE_MANIFEST, err) &&
           trash_put(store, STORE_IMAGE, name, trash_id, err);
}

int image_store_open(const struct store *store, const char *name, struct error *err)
{
    return entries_open(store, STORE_IMAGE, name, err);
}

char *image_store_rootfs(const struct store *store, const struct image_entry *entry)
{
    if (entry->rootfs_path != NULL) {
        return memory_printf("%s", entry->rootfs_path);
    }
    return store_entry_path(store, STORE_IMAGE, entry->name, IMAGE_ROOTFS);
}
