/* SPDX-License-Identifier: MIT */
#include "store/kernel_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/entry_listing.h"
#include "store/trash.h"

static const struct entry_field fields[] = {
    {offsetof(struct kernel_entry, name), ENTRY_STRING},
    {offsetof(struct kernel_entry, distro), ENTRY_STRING},
    {offsetof(struct kernel_entry, arch), ENTRY_STRING},
    {offsetof(struct kernel_entry, kernel_version), ENTRY_STRING},
    {offsetof(struct kernel_entry, sha256), ENTRY_STRING},
    {offsetof(struct kernel_entry, source), ENTRY_STRING},
    {offsetof(struct kernel_entry, source_sha256), ENTRY_STRING},
    {offsetof(struct kernel_entry, fetched_from), ENTRY_STRING},
    {offsetof(struct kernel_entry, format_of_kernel), ENTRY_STRING},
    {offsetof(struct kernel_entry, imported_by), ENTRY_STRING},
    {offsetof(struct kernel_entry, found_sha256), ENTRY_STRING},
    {offsetof(struct kernel_entry, imported_at), ENTRY_NUMBER},
    {offsetof(struct kernel_entry, recorded_bytes), ENTRY_NUMBER},
};

static const struct entry_shape shape = {
    .kind = STORE_KERNEL,
    .entry_size = sizeof(struct kernel_entry),
    .fields = fields,
    .field_count = array_length(fields),
};

void kernel_entry_done(struct kernel_entry *entry)
{
    if (!entry->is_borrowed) {
        entry_free_strings(&shape, entry);
    }
    free(entry->damage);
    unread_done(&entry->unread);
    json_free(entry->document);
    *entry = (struct kernel_entry){0};
}

void kernel_list_done(struct kernel_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        kernel_entry_done(&list->items[i]);
    }
    free(list->items);
    entry_index_free(list->index);
    *list = (struct kernel_list){0};
}

/* What stands beside vmlinux. */
static void look_beside(const struct entry_place *place, struct kernel_entry *entry)
{
    struct stat info;
    entry->has_initrd =
        entries_look_at(place, KERNEL_INITRD, &info, &entry->unread) && S_ISREG(info.st_mode);
    entry->has_modules =
        entries_look_at(place, KERNEL_MODULES, &info, &entry->unread) && S_ISDIR(info.st_mode);
}

static void look_at_kernel(const struct entry_place *place, struct kernel_entry *entry)
{
    struct stat info;
    if (!entries_look_at(place, KERNEL_FILE, &info, &entry->unread)) {
        entries_damage(
            &entry->damage, memory_strdup(entry->has_manifest ? "its " KERNEL_FILE " is missing"
                                                              : "it holds neither " STORE_MANIFEST
                                                                " nor " KERNEL_FILE));
    } else if (!S_ISREG(info.st_mode)) {
        entries_damage(&entry->damage, memory_strdup("its " KERNEL_FILE " is not a regular file"));
    } else if (info.st_size == 0) {
        entries_damage(&entry->damage, memory_strdup("its " KERNEL_FILE " is empty"));
    } else {
        entry->has_kernel = true;
        if (entry->size_bytes == 0) {
            entry->size_bytes = (uint64_t)info.st_size;
        }
    }
}

static void read_manifest(
    const struct entry_place *place, struct kernel_entry *entry, struct entry_stamp *stamp)
{
    auto_done(entries_document) struct entries_document document = {0};
    entries_read_document(place, STORE_MANIFEST, &document);
    entry->has_manifest = document.json != NULL || document.damage != NULL;
    entry->is_newer = document.is_newer;
    entry->distro = entries_take_string(&document, "distro");
    entry->arch = entries_take_string(&document, "arch");
    entry->kernel_version = entries_take_string(&document, "kernel_version");
    entry->sha256 = entries_take_digest(&document, "sha256");
    entry->source = entries_take_string(&document, "source");
    entry->source_sha256 = entries_take_digest(&document, "source_sha256");
    entry->fetched_from = entries_take_string(&document, "fetched_from");
    entry->format_of_kernel = entries_take_string(&document, "format_of_kernel");
    entry->imported_by = entries_take_string(&document, "imported_by");
    entry->found_sha256 = entries_take_digest(&document, "found_sha256");
    entry->imported_at = entries_take_time(&document, "imported_at");
    entries_take_size(&document, "size_bytes", &entry->recorded_bytes);
    *stamp = entries_document_stamp(&document);
    entry->damage = take_ptr(document.damage);
    entries_take_unread(&document, &entry->unread);
    entry->document = take_ptr(document.json);
}

/* What is seen at every look, whatever the manifest says. is_brief: without what stands beside the
 * kernel. */
static void look_around(const struct entry_place *place, bool is_brief, struct kernel_entry *entry)
{
    entry->size_bytes = entry->recorded_bytes;
    if (entry->damage == NULL || entry->has_manifest) {
        look_at_kernel(place, entry);
        if (!is_brief) {
            look_beside(place, entry);
        }
    }
    entries_check_name(entry->name, &entry->damage);
    entry->is_damaged = entries_is_damaged(&entry->damage, &entry->unread);
}

/* False when it is not there (any more). is_plain: known to be a directory. */
static bool read_entry(const struct entry_place *place, bool is_plain, bool is_brief,
    struct kernel_entry *entry, struct entry_stamp *stamp)
{
    if (!is_plain && !entries_look(place, &entry->damage, &entry->unread)) {
        return false;
    }
    entry->name = memory_strdup(place->name);
    if (entry->damage == NULL) {
        read_manifest(place, entry, stamp);
    }
    look_around(place, is_brief, entry);
    return true;
}

bool kernel_store_read(
    const struct store *store, const char *name, struct kernel_entry *entry, struct error *err)
{
    if (!name_check_entry(name, "kernel name", err)) {
        return false;
    }
    struct entry_stamp unused;
    const struct entry_place place = {store, STORE_KERNEL, name};
    if (!read_entry(&place, false, false, entry, &unused)) {
        return error_set(
            err, ERROR_NOT_FOUND, "there is no kernel named %s: see kernel list", name);
    }
    return entry->unread.errnum == 0 || unread_error(&entry->unread, "kernel", name, err);
}

static bool list_one(struct entry_listing *listing, size_t i, bool is_recalled, bool is_brief,
    struct kernel_entry *entry)
{
    const struct entry_place place = {listing->store, STORE_KERNEL, listing->names.items[i]};
    bool is_there = is_recalled;
    if (is_recalled) {
        entry->is_borrowed = entry->has_manifest = true;
        look_around(&place, is_brief, entry);
    } else {
        is_there = read_entry(
            &place, entry_listing_is_plain(listing, i), is_brief, entry, &listing->stamps[i]);
    }
    json_free(take_ptr(entry->document));
    /* What is damaged may have gone away meanwhile. */
    return is_there && (!entry->is_damaged || !file_is_absent(listing->kind_dir, place.name));
}

static bool list_whole(struct entry_listing *listing, size_t i, bool is_recalled, void *entry)
{
    return list_one(listing, i, is_recalled, false, entry);
}

static bool list_brief(struct entry_listing *listing, size_t i, bool is_recalled, void *entry)
{
    return list_one(listing, i, is_recalled, true, entry);
}

static void entry_done(void *entry)
{
    kernel_entry_done(entry);
}

bool kernel_store_list(const struct store *store, struct kernel_list *list, struct error *err)
{
    static const struct entry_reader reader = {list_whole, entry_done};
    list->items = entry_listing_read(store, &shape, &reader, &list->count, &list->index, err);
    return list->items != NULL;
}

bool kernel_store_list_brief(const struct store *store, struct kernel_list *list, struct error *err)
{
    static const struct entry_reader reader = {list_brief, entry_done};
    list->items = entry_listing_read(store, &shape, &reader, &list->count, &list->index, err);
    return list->items != NULL;
}

bool kernel_store_write_manifest(
    int staging_dir, const struct kernel_entry *entry, struct error *err)
{
    if (entry->is_newer) {
        return entries_newer_error(STORE_KERNEL, entry->name, err);
    }
    auto_json struct json *json =
        entry->document != NULL ? json_copy(entry->document) : json_new_object();
    json_put_string(json, "name", entry->name);
    json_put_string(json, "distro", entry->distro);
    json_put_string(json, "arch", entry->arch);
    json_put_string(json, "kernel_version", entry->kernel_version);
    json_put_string(json, "sha256", entry->sha256);
    json_put_string(json, "source", entry->source);
    json_put_string(json, "source_sha256", entry->source_sha256);
    json_put_string(json, "fetched_from", entry->fetched_from);
    json_put_string(json, "format_of_kernel", entry->format_of_kernel);
    json_put_string(json, "imported_by", entry->imported_by);
    json_remove(json, "found_sha256"); /* said of the bytes that were here before */
    if (entry->size_bytes > 0) {
        json_put_integer(json, "size_bytes", (int64_t)entry->size_bytes);
    }
    entries_put_time(json, "imported_at", entry->imported_at);
    return entries_write_document(staging_dir, STORE_MANIFEST, json, err);
}

bool kernel_store_record_found(const struct store *store, const struct kernel_entry *entry,
    const char *found_sha256, struct error *err)
{
    if (entry->is_newer) {
        return entries_newer_error(STORE_KERNEL, entry->name, err);
    }
    if (entry->document == NULL) {
        return error_set(err, ERROR_FORMAT, "kernel %s has no manifest to note it in", entry->name);
    }
    auto_json struct json *json = json_copy(entry->document);
    auto_done(text) struct text bytes = {0};
    char path[ENTRIES_PATH_MAX];
    json_remove(json, "found_sha256");
    json_put_string(json, "found_sha256", found_sha256);
    json_write(json, true, &bytes);
    return file_replace(store_kind_dir(store, STORE_KERNEL),
        entries_path(entry->name, STORE_MANIFEST, path), text_cstr(&bytes), bytes.len, 0600, err);
}

bool kernel_store_trash(
    const struct store *store, const char *name, char **trash_id, struct error *err)
{
    return entries_refuse_newer(store, STORE_KERNEL, name, STORE_MANIFEST, err) &&
           trash_put(store, STORE_KERNEL, name, trash_id, err);
}

int kernel_store_open(const struct store *store, const char *name, struct error *err)
{
    return entries_open(store, STORE_KERNEL, name, err);
}
