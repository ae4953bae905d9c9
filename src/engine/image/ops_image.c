/* SPDX-License-Identifier: MIT */
/* The images on this host: list, show, rm, look-up, and their part of the state. */
#include "engine/image/ops_image.h"

#include "artifact/oci_ref.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/host/ops_trash.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/catalog.h"
#include "store/image_store.h"
#include "store/kernel_store.h"
#include "store/lock.h"
#include "store/vm_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ext4(5), "super block": magic 0xEF53 at offset 56 of the block at 1024. */
#define EXT_MAGIC_OFFSET (1024 + 56)

bool ops_image_check_rootfs(int fd, const char *shown, struct error *err)
{
    unsigned char magic[2];
    ssize_t got = pread(fd, magic, sizeof magic, EXT_MAGIC_OFFSET);
    if (got < 0) {
        return error_set_errno(err, errno, "cannot read %s", shown);
    }
    if (got != (ssize_t)sizeof magic || magic[0] != 0x53 || magic[1] != 0xef) {
        return error_set(err, ERROR_FORMAT,
            "%s holds no ext4 file system: make one with mke2fs -d DIR FILE SIZE", shown);
    }
    return true;
}

struct json *ops_image_json(const struct image_entry *entry)
{
    struct json *json = json_new_object();
    json_put_string(json, "name", entry->name);
    json_put_string(json, "source", entry->source);
    json_put_string(json, "digest", entry->digest);
    json_put_string(json, "kernel_ref", entry->kernel_ref);
    if (entry->has_rootfs) {
        json_put_integer(json, "size_bytes", (int64_t)entry->size_bytes);
        json_put_integer(json, "disk_bytes", (int64_t)entry->disk_bytes);
    }
    if (entry->unread.errnum == 0) { /* else it is not known */
        json_put_bool(json, "managed", entry->is_managed);
    }
    ops_put_time(json, "created_at", entry->created_at);
    json_put_string(
        json, "state", entry_state_name(ops_entry_state(entry->is_damaged, &entry->unread)));
    json_put_string(json, "damage", entry->damage);
    unread_put(&entry->unread, json);
    return json;
}

/* That a VM uses an image; both borrowed from the inventory. */
struct use {
    const char *image;
    const char *vm;
};

/* Image and VM lists read together, so that who uses what costs one pass. */
struct inventory {
    struct image_list images;
    struct vm_list vms;
    struct use *uses; /* by image and VM */
};

static void inventory_done(struct inventory *inventory)
{
    image_list_done(&inventory->images);
    vm_list_done(&inventory->vms);
    free(inventory->uses);
}

static int compare_uses(const void *a, const void *b)
{
    const struct use *left = a, *right = b;
    int order = strcmp(left->image, right->image);
    return order != 0 ? order : strcmp(left->vm, right->vm);
}

static bool inventory_load(struct ops *ops, struct inventory *inventory, struct error *err)
{
    if (!image_store_list(ops->store, &inventory->images, err) ||
        !vm_store_list(ops->store, &inventory->vms, err)) {
        return false;
    }
    size_t count = inventory->vms.count;
    inventory->uses = memory_zero(count + 1, sizeof(struct use));
    for (size_t i = 0; i < count; i++) {
        const struct vm_record *vm = &inventory->vms.items[i];
        inventory->uses[i].image = json_string(vm->documents[VM_DOCUMENT_SPEC], "image", "");
        inventory->uses[i].vm = vm->name;
    }
    qsort(inventory->uses, count, sizeof(struct use), compare_uses);
    return true;
}

static void collect_users(
    const struct inventory *inventory, const char *image, struct strings *users)
{
    size_t count = inventory->vms.count;
    size_t from = 0, to = count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(inventory->uses[middle].image, image) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    for (; from < count && strcmp(inventory->uses[from].image, image) == 0; from++) {
        strings_add(users, inventory->uses[from].vm);
    }
}

bool ops_refresh_images(struct ops *ops, struct error *err)
{
    auto_done(inventory) struct inventory inventory = {0};
    if (!inventory_load(ops, &inventory, err)) {
        return false;
    }
    struct section *section = section_new(sizeof(struct image_item));
    for (size_t i = 0; i < inventory.images.count; i++) {
        const struct image_entry *entry = &inventory.images.items[i];
        auto_done(strings) struct strings users = {0};
        collect_users(&inventory, entry->name, &users);
        struct image_item *item = section_add(section);
        *item = (struct image_item){
            .name = section_string(section, entry->name),
            .source = section_string(section, entry->source),
            .digest = section_string(section, entry->digest),
            .kernel_ref = section_string(section, entry->kernel_ref),
            .size_bytes = entry->size_bytes,
            .disk_bytes = entry->disk_bytes,
            .is_managed = entry->is_managed,
            .created_at = entry->created_at,
            .state = ops_entry_state(entry->is_damaged, &entry->unread),
            .damage = section_string(section, entry->damage),
            .reason = section_string(section, entry->unread.reason),
            .hint = section_string(section, entry->unread.hint),
            .used_by_count = users.count,
            .used_by = section_strings(section, &users),
        };
    }
    state_put_images(ops->state, section);
    return true;
}

void ops_images_changed(struct ops *ops)
{
    if (!ops->config->is_watching) {
        return;
    }
    struct error failure = {0};
    if (!ops_refresh_images(ops, &failure) || !ops_refresh_offers(ops, &failure)) {
        state_log(ops->state, LOG_WARNING, "listing images: %s", failure.text);
    }
}

bool ops_image_list(struct ops *ops, struct json **result, struct error *err)
{
    if (command_has(ops->command, "available")) {
        return ops_offers_json(ops, CATALOG_IMAGE, result, err);
    }
    auto_done(inventory) struct inventory inventory = {0};
    if (!inventory_load(ops, &inventory, err)) {
        return false;
    }
    auto_done(text) struct text rows = {.cap_bytes = SIZE_MAX / 2};
    for (size_t i = 0; i < inventory.images.count; i++) {
        struct json *row = ops_image_json(&inventory.images.items[i]);
        auto_done(strings) struct strings users = {0};
        collect_users(&inventory, inventory.images.items[i].name, &users);
        ops_put_strings(row, "used_by", &users);
        ops_rows_add(&rows, row);
    }
    *result = ops_rows_take(&rows);
    return true;
}

static void put_paths(struct ops *ops, struct json *json, const struct image_entry *entry)
{
    auto_free char *rootfs = image_store_rootfs(ops->store, entry);
    struct json *paths = json_new_object();
    json_put_string(paths, "rootfs", rootfs);
    if (entry->has_kernel) {
        auto_free char *kernel =
            store_entry_path(ops->store, STORE_IMAGE, entry->name, IMAGE_KERNEL "/" KERNEL_FILE);
        json_put_string(paths, "kernel", kernel);
    } else {
        json_put_string(paths, "kernel", entry->kernel_path);
        json_put_string(paths, "initrd", entry->initrd_path);
        json_put_string(paths, "modules", entry->modules_path);
    }
    json_put(json, "paths", paths);
}

bool ops_image_show(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(inventory) struct inventory inventory = {0};
    if (!inventory_load(ops, &inventory, err)) {
        return false;
    }
    auto_done(strings) struct strings names = {0};
    for (size_t i = 0; i < inventory.images.count; i++) {
        strings_add(&names, inventory.images.items[i].name);
    }
    const char *name = ops_resolve_name("image", &names, command_get(ops->command, "name"), err);
    auto_done(image_entry) struct image_entry entry = {0};
    if (name == NULL || !image_store_read(ops->store, name, &entry, err)) {
        return false;
    }
    struct json *json = ops_image_json(&entry);
    auto_done(strings) struct strings users = {0};
    collect_users(&inventory, name, &users);
    ops_put_strings(json, "used_by", &users);
    put_paths(ops, json, &entry);
    json_put_string(json, "manifest_digest", entry.manifest_digest);
    json_put_string(json, "content_sha256", entry.content_sha256);
    json_put_bool(json, "has_work_seed", entry.has_work_seed);
    json_put(json, "config", json_copy(entry.config));
    *result = json;
    return true;
}

bool ops_image_rm(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    if (!name_check_entry(name, "image name", err)) {
        return false;
    }
    auto_lock struct lock *lock = ops_lock(ops, STORE_IMAGE, name, "remove", err);
    auto_done(image_entry) struct image_entry entry = {0};
    auto_done(strings) struct strings users = {0};
    if (lock == NULL || !image_store_read(ops->store, name, &entry, err) ||
        !ops_image_users(ops, name, &users, err)) {
        return false;
    }
    /* A VM's disk is only the difference to its image: there is no --force here. */
    if (users.count > 0) {
        return ops_refuse_in_use("image", name, &users, false, err);
    }
    if (command_is_dry_run(ops->command)) {
        auto_free char *object = memory_printf("image/%s", name);
        *result = ops_plan(ops);
        ops_plan_add(*result, "remove", object, entry.is_managed ? entry.disk_bytes : 0);
        return true;
    }
    auto_free char *trash_id = NULL;
    if (!image_store_trash(ops->store, name, &trash_id, err)) {
        return false;
    }
    ops_images_changed(ops);
    *result = ops_trash_result(ops, name, trash_id);
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
            "image %s is already here%s: --force replaces it, or choose another name", name,
            entry.is_damaged ? " but damaged" : "");
    }
    /* Disks of VMs hold only the difference to this very image. */
    auto_done(strings) struct strings users = {0};
    return ops_image_users(ops, name, &users, err) &&
           (users.count == 0 || ops_refuse_in_use("image", name, &users, false, err));
}

const char *ops_image_reference(const struct image_entry *entry)
{
    bool is_pulled = entry->source != NULL && text_has_prefix(entry->source, "pull:");
    return is_pulled && strstr(entry->source, "://") == NULL ? entry->source + strlen("pull:")
                                                             : NULL;
}

/* ---- the look-up ---- */

/* Pulls it in the same job. */
static bool pull_on_the_way(
    struct ops *ops, const char *word, const char *kernel_ref, struct error *err)
{
    struct command *pull = command_new(verb_find("image", "pull"));
    if (!command_set(pull, "image", word, err) || !command_set(pull, "if-absent", NULL, err) ||
        (kernel_ref != NULL && !command_set(pull, "kernel-ref", kernel_ref, err))) {
        command_free(pull);
        return false;
    }
    return ops_call(ops, pull, NULL, err) ||
           error_wrap(err, "image %s is not here and could not be pulled", word);
}

/* The name here of what a reference was pulled to: any that came from it; else the one that a pull
 * would give it. NULL on failure; ERROR_EXISTS when something else has that. Caller frees. */
static char *name_of_reference(struct ops *ops, const char *word, struct error *err)
{
    auto_done(oci_ref) struct oci_ref ref = {0};
    auto_done(image_list) struct image_list images = {0};
    if (!oci_ref_parse(word, &ref, err) || !image_store_list(ops->store, &images, err)) {
        return NULL;
    }
    auto_free char *canonical = oci_ref_format(&ref);
    auto_free char *name = command_image_name(word);
    const struct image_entry *other = NULL;
    for (size_t i = 0; i < images.count; i++) {
        const char *from = ops_image_reference(&images.items[i]);
        if (from != NULL && strcmp(from, canonical) == 0) {
            return memory_strdup(images.items[i].name);
        }
        other = strcmp(images.items[i].name, name) == 0 ? &images.items[i] : other;
    }
    if (other != NULL && other->unread.errnum != 0) {
        unread_error(&other->unread, "image", name, err);
        return NULL;
    }
    if (other != NULL) {
        error_set(err, ERROR_EXISTS,
            "image %s here is not %s but %s: use it by its name, or pull the other one with "
            "`image pull %s --name NAME`",
            name, canonical, other->source != NULL ? other->source : "of unknown origin", word);
        return NULL;
    }
    return take_ptr(name);
}

bool ops_image_find(struct ops *ops, const char *word, const char *kernel_ref,
    struct image_entry *entry, struct error *err)
{
    bool is_reference = strpbrk(word, "/:@") != NULL;
    auto_free char *name = is_reference ? name_of_reference(ops, word, err) : memory_strdup(word);
    if (name == NULL || !name_check_entry(name, "image name", err)) {
        return false;
    }
    struct error missing = {0};
    if (!image_store_read(ops->store, name, entry, &missing)) {
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        if (!pull_on_the_way(ops, word, kernel_ref, err) ||
            !image_store_read(ops->store, name, entry, err)) {
            return false;
        }
    }
    if (entry->is_damaged) {
        return error_set(err, ERROR_FORMAT,
            "image %s is damaged (%s): remove it and pull or register it again", name,
            entry->damage);
    }
    return true;
}
