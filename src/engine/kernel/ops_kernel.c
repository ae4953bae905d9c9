/* SPDX-License-Identifier: MIT */
/* The kernels on this host: list, show, rm, and their part of the state. */
#include "engine/kernel/ops_kernel.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/host/ops_trash.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/kernel/ops_preflight.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/catalog.h"
#include "store/kernel_store.h"
#include "store/lock.h"

enum verified_state ops_kernel_verified(const struct kernel_entry *entry)
{
    if (entry->found_sha256 != NULL) {
        return VERIFIED_MISMATCH;
    }
    if (entry->sha256 == NULL || entry->source == NULL) {
        return VERIFIED_NONE;
    }
    bool is_pulled =
        text_has_prefix(entry->source, "pull:") || text_has_prefix(entry->source, "apt:");
    return is_pulled ? VERIFIED_PULL : VERIFIED_RECORDED;
}

/* A row of the list. */
static void write_row(const struct kernel_entry *entry, struct text *out)
{
    char time[CLOCK_TEXT_LEN];
    text_append_char(out, '{');
    json_text_put_string(out, "name", entry->name);
    json_text_put_string(out, "distro", entry->distro);
    json_text_put_string(out, "arch", entry->arch);
    json_text_put_string(out, "kernel_version", entry->kernel_version);
    json_text_put_string(out, "sha256", entry->sha256);
    json_text_put_string(out, "source", entry->source);
    if (entry->imported_at != 0) {
        json_text_put_string(out, "imported_at", clock_format(entry->imported_at, time));
    }
    if (entry->has_kernel) {
        json_text_put_integer(out, "size_bytes", (int64_t)entry->size_bytes);
    }
    json_text_put_string(
        out, "state", entry_state_name(ops_entry_state(entry->is_damaged, &entry->unread)));
    json_text_put_string(out, "verified", verified_state_name(ops_kernel_verified(entry)));
    json_text_put_string(out, "found_sha256", entry->found_sha256);
    json_text_put_string(out, "damage", entry->damage);
    json_text_put_string(out, "reason", entry->unread.reason);
    json_text_put_string(out, "hint", entry->unread.hint);
    text_append_char(out, '}');
}

struct json *ops_kernel_json(const struct kernel_entry *entry)
{
    auto_done(text) struct text row = {0};
    write_row(entry, &row);
    return json_text_parse((struct json_span){.at = text_cstr(&row), .len = row.len});
}

static void fill_item(
    struct section *section, struct kernel_item *item, const struct kernel_entry *entry)
{
    *item = (struct kernel_item){
        .name = section_string(section, entry->name),
        .distro = section_string(section, entry->distro),
        .arch = section_string(section, entry->arch),
        .kernel_version = section_string(section, entry->kernel_version),
        .sha256 = section_string(section, entry->sha256),
        .source = section_string(section, entry->source),
        .fetched_from = section_string(section, entry->fetched_from),
        .source_sha256 = section_string(section, entry->source_sha256),
        .imported_at = entry->imported_at,
        .size_bytes = entry->size_bytes,
        .state = ops_entry_state(entry->is_damaged, &entry->unread),
        .verified = ops_kernel_verified(entry),
        .damage = section_string(section, entry->damage),
        .reason = section_string(section, entry->unread.reason),
        .hint = section_string(section, entry->unread.hint),
    };
}

bool ops_refresh_kernels(struct ops *ops, struct error *err)
{
    auto_done(kernel_list) struct kernel_list list = {0};
    if (!kernel_store_list_brief(ops->store, &list, err)) {
        return false;
    }
    struct section *section = section_new(sizeof(struct kernel_item));
    for (size_t i = 0; i < list.count; i++) {
        struct kernel_item *item = section_add(section);
        fill_item(section, item, &list.items[i]);
    }
    state_put_kernels(ops->state, section);
    return true;
}

void ops_kernels_changed(struct ops *ops)
{
    if (!ops->config->is_watching) {
        return;
    }
    struct error failure = {0};
    if (!ops_refresh_kernels(ops, &failure)) {
        state_log(ops->state, LOG_WARNING, "listing kernels: %s", failure.text);
    }
    error_clear(&failure);
    if (!ops_refresh_offers(ops, &failure)) {
        state_log(ops->state, LOG_WARNING, "reading catalogs: %s", failure.text);
    }
}

bool ops_kernel_list(struct ops *ops, struct json **result, struct error *err)
{
    if (command_has(ops->command, "available")) {
        return ops_offers_json(ops, CATALOG_KERNEL, result, err);
    }
    auto_done(kernel_list) struct kernel_list list = {0};
    if (!kernel_store_list_brief(ops->store, &list, err)) {
        return false;
    }
    auto_done(text) struct text rows = {.cap_bytes = SIZE_MAX / 2};
    for (size_t i = 0; i < list.count; i++) {
        text_append_char(&rows, i == 0 ? '[' : ',');
        write_row(&list.items[i], &rows);
    }
    *result = ops_rows_take(&rows);
    return true;
}

char *ops_kernel_resolve(struct ops *ops, const char *word, struct error *err)
{
    auto_done(kernel_list) struct kernel_list list = {0};
    if (!kernel_store_list_brief(ops->store, &list, err)) {
        return NULL;
    }
    auto_done(strings) struct strings names = {0};
    for (size_t i = 0; i < list.count; i++) {
        strings_add(&names, list.items[i].name);
    }
    return memory_strdup(ops_resolve_name("kernel", &names, word, err));
}

/* A kernel that is shown is never kept from it by modules that cannot be opened. */
static void put_preflight(struct ops *ops, const struct kernel_entry *entry, struct json *json)
{
    auto_done(boot_kernel) struct boot_kernel kernel = BOOT_KERNEL_INIT;
    struct error ignored = {0};
    if (entry->has_kernel) {
        ops_boot_kernel_of_entry(ops, entry, &kernel, &ignored);
        json_put(json, "preflight", ops_preflight_json(ops, &kernel));
    }
}

bool ops_kernel_show(struct ops *ops, struct json **result, struct error *err)
{
    auto_free char *name = ops_kernel_resolve(ops, command_get(ops->command, "name"), err);
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    auto_done(strings) struct strings users = {0};
    struct error unseen = {0};
    if (name == NULL || !kernel_store_read(ops->store, name, &entry, err) ||
        (!ops_kernel_users(ops, name, &users, &unseen) && !error_is_blind(&unseen))) {
        *err = err->code == ERROR_NONE ? unseen : *err;
        return false;
    }
    struct json *json = ops_kernel_json(&entry);
    json_put_string(json, "source_sha256", entry.source_sha256);
    json_put_string(json, "fetched_from", entry.fetched_from);
    json_put_string(json, "imported_by", entry.imported_by);
    json_put_string(json, "format_of_kernel", entry.format_of_kernel);
    json_put_bool(json, "has_initrd", entry.has_initrd);
    json_put_bool(json, "has_modules", entry.has_modules);
    auto_free char *path = store_entry_path(ops->store, STORE_KERNEL, name, KERNEL_FILE);
    json_put_string(json, "path", path);
    if (unseen.code == ERROR_NONE) { /* else it is not known */
        ops_put_strings(json, "used_by", &users);
    }
    put_preflight(ops, &entry, json);
    *result = json;
    return true;
}

bool ops_kernel_rm(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    if (!name_check_entry(name, "kernel name", err)) {
        return false;
    }
    auto_lock struct lock *lock = ops_lock(ops, STORE_KERNEL, name, "remove", err);
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    auto_done(strings) struct strings users = {0};
    struct error unseen = {0};
    bool is_forced = command_has(ops->command, "force");
    if (lock == NULL || !kernel_store_read(ops->store, name, &entry, err)) {
        return false;
    }
    if (!ops_kernel_users(ops, name, &users, &unseen) && !(is_forced && error_is_blind(&unseen))) {
        *err = unseen;
        return false;
    }
    if (users.count > 0 && !is_forced) {
        return ops_refuse_in_use("kernel", name, &users, true, err);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_plan(ops);
        auto_free char *object = memory_printf("kernel/%s", name);
        ops_plan_add(*result, "remove", object, entry.size_bytes);
        for (size_t i = 0; i < users.count; i++) {
            ops_plan_add(*result, "disable", users.items[i], 0);
        }
        return true;
    }
    auto_free char *trash_id = NULL;
    if (!kernel_store_trash(ops->store, name, &trash_id, err)) {
        return false;
    }
    ops_kernels_changed(ops);
    *result = ops_trash_result(ops, name, trash_id);
    return true;
}
