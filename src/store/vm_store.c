/* SPDX-License-Identifier: MIT */
#include "store/vm_store.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/parallel.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/publish.h"
#include "store/trash.h"

/* Fewer are read by one thread. */
#define SHARED_FROM 200

static const char *const document_files[VM_DOCUMENT_COUNT] = {
    [VM_DOCUMENT_SPEC] = "vm.json",
    [VM_DOCUMENT_HANDLE] = "handle.json",
    [VM_DOCUMENT_EXIT] = "exit.json",
};

void vm_record_done(struct vm_record *record)
{
    free(record->name);
    for (size_t i = 0; i < VM_DOCUMENT_COUNT; i++) {
        json_free(record->documents[i]);
    }
    free(record->damage);
    unread_done(&record->unread);
    *record = (struct vm_record){0};
}

void vm_list_done(struct vm_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        vm_record_done(&list->items[i]);
    }
    free(list->items);
    *list = (struct vm_list){0};
}

static void set_damage(struct vm_record *record, char *damage)
{
    if (record->damage == NULL) {
        record->damage = damage;
    } else {
        free(damage);
    }
}

/* A rename that was killed halfway: the directory has its old name, so the machine has too. */
static void undo_rename(struct entries_document *spec, const char *name)
{
    const char *was = json_string(spec->json, "was", NULL);
    if (spec->damage != NULL && was != NULL && strcmp(was, name) == 0 &&
        json_integer(spec->json, "format", ENTRIES_FORMAT) >= 1) {
        json_put_string(spec->json, "name", name);
        free(spec->damage);
        spec->damage = NULL;
    }
}

static void read_spec(const struct entry_place *place, struct vm_record *record)
{
    auto_done(entries_document) struct entries_document spec = {0};
    entries_read_document(place, document_files[VM_DOCUMENT_SPEC], &spec);
    entries_take_unread(&spec, &record->unread);
    undo_rename(&spec, record->name);
    if (spec.json == NULL && spec.damage == NULL) {
        set_damage(record, memory_strdup("its vm.json is missing"));
    }
    record->is_newer = spec.is_newer;
    record->damage = record->damage != NULL ? record->damage : take_ptr(spec.damage);
    record->documents[VM_DOCUMENT_SPEC] = take_ptr(spec.json);
}

/* What was true at the last start may be torn by a crash without harm to the machine itself. */
static void read_others(int kind_dir, struct vm_record *record)
{
    for (int i = VM_DOCUMENT_HANDLE; i < VM_DOCUMENT_COUNT; i++) {
        char path[ENTRIES_PATH_MAX];
        struct error ignored = {0};
        record->documents[i] = entries_read_json(kind_dir,
            entries_path(record->name, document_files[i], path), document_files[i], &ignored);
    }
}

/* False when it is not there (any more). is_plain: known to be a directory. */
static bool read_record(const struct entry_place *place, bool is_plain, struct vm_record *record)
{
    if (!is_plain && !entries_look(place, &record->damage, &record->unread)) {
        return false;
    }
    record->name = memory_strdup(place->name);
    if (record->damage == NULL) {
        read_spec(place, record);
    }
    struct error failure = {0};
    if (!name_check_label(place->name, "its name", &failure)) {
        set_damage(record, memory_strdup(failure.text));
    }
    record->is_damaged = entries_is_damaged(&record->damage, &record->unread);
    return true;
}

bool vm_store_exists(const struct store *store, const char *name)
{
    return !file_is_absent(store_kind_dir(store, STORE_VM), name);
}

bool vm_store_read(
    const struct store *store, const char *name, struct vm_record *record, struct error *err)
{
    if (!name_check_entry(name, "VM name", err)) {
        return false;
    }
    const struct entry_place place = {store, STORE_VM, name};
    if (!read_record(&place, false, record)) {
        return entries_absent(store, STORE_VM, name, err);
    }
    if (record->unread.errnum != 0) {
        return unread_error(&record->unread, "VM", name, err);
    }
    if (record->documents[VM_DOCUMENT_SPEC] != NULL) {
        read_others(store_kind_dir(store, STORE_VM), record);
    }
    return true;
}

/* What the older Go program left: a directory by id, without a record of ours. */
static bool is_foreign(int kind_dir, const char *name)
{
    char path[ENTRIES_PATH_MAX];
    return entries_is_foreign_id(name) &&
           file_is_absent(kind_dir, entries_path(name, document_files[VM_DOCUMENT_SPEC], path));
}

/* What the readers of a listing share; each writes the slot of its own index only. */
struct listing {
    const struct store *store;
    int kind_dir;
    struct strings names;
    struct strings links;
    struct vm_record *items; /* without a name: not there after all, or not ours */
};

static void listing_done(struct listing *listing)
{
    strings_done(&listing->names);
    strings_done(&listing->links);
}

static void list_one(void *context, size_t i)
{
    struct listing *listing = context;
    const char *name = listing->names.items[i];
    struct vm_record *record = &listing->items[i];
    if (is_foreign(listing->kind_dir, name)) {
        return;
    }
    bool is_plain = !strings_contain(&listing->links, name);
    const struct entry_place place = {listing->store, STORE_VM, name};
    if (!read_record(&place, is_plain, record) ||
        (record->is_damaged && file_is_absent(listing->kind_dir, name))) {
        vm_record_done(record); /* it went away meanwhile */
    }
}

bool vm_store_list(const struct store *store, struct vm_list *list, struct error *err)
{
    auto_done(listing) struct listing listing = {
        .store = store, .kind_dir = store_kind_dir(store, STORE_VM)};
    if (!entries_list_kind(store, STORE_VM, &listing.names, &listing.links, err)) {
        return false;
    }
    size_t count = listing.names.count;
    listing.items = list->items = memory_zero(count + 1, sizeof(*list->items));
    parallel_each(count, SHARED_FROM, list_one, &listing);
    for (size_t i = 0; i < count; i++) {
        if (list->items[i].name != NULL) {
            list->items[list->count++] = list->items[i];
        }
    }
    return true;
}

bool vm_store_names(const struct store *store, struct strings *names, struct error *err)
{
    int kind_dir = store_kind_dir(store, STORE_VM);
    auto_done(strings) struct strings all = {0};
    auto_done(strings) struct strings links = {0};
    if (!entries_list_kind(store, STORE_VM, &all, &links, err)) {
        return false;
    }
    for (size_t i = 0; i < all.count; i++) {
        if (!is_foreign(kind_dir, all.items[i])) {
            strings_add(names, all.items[i]);
        }
    }
    return true;
}

bool vm_store_write_document(
    int entry_dir, enum vm_document document, const struct json *json, struct error *err)
{
    const char *file = document_files[document];
    struct error failure = {0};
    auto_json struct json *old = entries_read_json(entry_dir, file, file, &failure);
    if (error_is_blind(&failure)) {
        *err = failure; /* it may be a newer program's */
        return false;
    }
    if (json_integer(old, "format", ENTRIES_FORMAT) > ENTRIES_FORMAT) {
        return error_set(err, ERROR_UNSUPPORTED,
            "%s was written by a newer version of this program and can only be read: use that "
            "version to change it",
            file);
    }
    auto_json struct json *copy = json_copy(json);
    json_put_integer(copy, "format", ENTRIES_FORMAT);
    auto_done(text) struct text bytes = {0};
    json_write(copy, true, &bytes);
    return file_replace(entry_dir, file, text_cstr(&bytes), bytes.len, 0600, err);
}

int vm_store_open(const struct store *store, const char *name, struct error *err)
{
    return entries_open(store, STORE_VM, name, err);
}

bool vm_store_remove(const struct store *store, const char *name, struct error *err)
{
    return entries_refuse_newer(store, STORE_VM, name, document_files[VM_DOCUMENT_SPEC], err) &&
           store_remove_entry(store, STORE_VM, name, err);
}

bool vm_store_trash(const struct store *store, const char *name, char **trash_id, struct error *err)
{
    return entries_refuse_newer(store, STORE_VM, name, document_files[VM_DOCUMENT_SPEC], err) &&
           trash_put(store, STORE_VM, name, trash_id, err);
}
