/* SPDX-License-Identifier: MIT */
/* What can be had: the catalogs against what is here. */
#include "engine/catalog/ops_catalog.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/catalog.h"
#include "store/image_store.h"
#include "store/kernel_store.h"

/* A catalog with the state of each of its entries. */
struct offers {
    struct catalog catalog;
    enum catalog_state *states;
    bool is_complete; /* nothing is left to be asked of apt */
};

static void offers_done(struct offers *offers)
{
    catalog_done(&offers->catalog);
    free(offers->states);
}

/* Which of the names in the catalog are here, readable: there may be thousands that no catalog has. */
static void find_local(
    struct ops *ops, const struct catalog *catalog, struct strings *kernels, struct strings *images)
{
    for (size_t i = 0; i < catalog->entry_count; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        struct error ignored = {0};
        auto_done(kernel_entry) struct kernel_entry kernel = {0};
        auto_done(image_entry) struct image_entry image = {0};
        if (entry->kind == CATALOG_KERNEL) {
            if (kernel_store_read(ops->store, entry->name, &kernel, &ignored) &&
                !kernel.is_damaged) {
                strings_add(kernels, entry->name);
            }
        } else if (image_store_read(ops->store, entry->name, &image, &ignored) &&
                   !image.is_damaged) {
            strings_add(images, entry->name);
        }
    }
}

static bool offers_load(struct ops *ops, bool may_ask, struct offers *offers, struct error *err)
{
    auto_done(strings) struct strings kernels = {0};
    auto_done(strings) struct strings images = {0};
    if (!ops_catalog_load(ops, false, &offers->catalog, err) ||
        !ops_catalog_ask_apt(ops, &offers->catalog, may_ask, &offers->is_complete, err)) {
        return false;
    }
    find_local(ops, &offers->catalog, &kernels, &images);
    offers->states = memory_zero(offers->catalog.entry_count, sizeof *offers->states);
    catalog_reconcile(&offers->catalog, &kernels, &images, offers->states);
    return true;
}

static enum offer_state offer_state_of(enum catalog_state state)
{
    switch (state) {
    case CATALOG_AVAILABLE:
        return OFFER_AVAILABLE;
    case CATALOG_PULLED:
        return OFFER_PULLED;
    case CATALOG_UNUSABLE:
        return OFFER_UNUSABLE;
    }
    return OFFER_UNUSABLE;
}

/* Where it comes from: the public URL, or the first apt package. Caller frees. */
static char *origin_of(const struct catalog_entry *entry)
{
    if (entry->urls.count > 0) {
        return catalog_public_url(entry->urls.items[0]);
    }
    return memory_printf(
        "apt:%s", entry->apt_packages.count > 0 ? entry->apt_packages.items[0] : "");
}

bool ops_offers_json(
    struct ops *ops, enum catalog_kind kind, struct json **result, struct error *err)
{
    auto_done(offers) struct offers offers = {0};
    if (!offers_load(ops, kind == CATALOG_KERNEL, &offers, err)) {
        return false;
    }
    struct json *array = json_new_array();
    for (size_t i = 0; i < offers.catalog.entry_count; i++) {
        const struct catalog_entry *entry = &offers.catalog.entries[i];
        if (entry->kind != kind) {
            continue;
        }
        struct json *row = json_new_object();
        json_put_string(row, "name", entry->name);
        json_put_string(
            row, "kind", offer_kind_name(kind == CATALOG_KERNEL ? OFFER_KERNEL : OFFER_IMAGE));
        json_put_known(row, "distro", entry->distro);
        json_put_known(row, "arch", entry->arch);
        json_put_known(row, "kernel_version", entry->kernel_version);
        if (entry->size_bytes > 0) {
            json_put_integer(row, "size_bytes", (int64_t)entry->size_bytes);
        }
        json_put_string(row, "state", offer_state_name(offer_state_of(offers.states[i])));
        json_put_known(row, "description", entry->description);
        json_put_string(row, "catalog", catalog_source_name(&offers.catalog, entry));
        const struct catalog_source *source = &offers.catalog.sources[entry->source];
        json_put_string(row, "signature", catalog_signature_name(source->signature));
        ops_put_time(row, "as_of", source->as_of);
        if (!entry->is_usable) {
            json_put_string(row, "why", entry->why_unusable);
        }
        json_append(array, row);
    }
    *result = array;
    const struct catalog_source *broken = catalog_first_problem(&offers.catalog);
    return broken == NULL || error_set(err, broken->problem.code, "%s", broken->problem.text);
}

static void fill_item(
    struct section *section, struct offer_item *item, const struct offers *offers, size_t index)
{
    const struct catalog_entry *entry = &offers->catalog.entries[index];
    auto_free char *origin = origin_of(entry);
    char digest[DIGEST_HEX_LEN + 1] = "";
    if (entry->has_digest) {
        digest_format(&entry->digest, digest);
    }
    *item = (struct offer_item){
        .name = section_string(section, entry->name),
        .kind = entry->kind == CATALOG_KERNEL ? OFFER_KERNEL : OFFER_IMAGE,
        .distro = section_string(section, entry->distro),
        .arch = section_string(section, entry->arch),
        .kernel_version = section_string(section, entry->kernel_version),
        .size_bytes = entry->size_bytes,
        .description = section_string(section, entry->description),
        .kernel_ref = section_string(section, entry->kernel_ref),
        .catalog = section_string(section, catalog_source_name(&offers->catalog, entry)),
        .origin = section_string(section, origin),
        .expected_sha256 = section_string(section, digest),
        .state = offer_state_of(offers->states[index]),
        .why_unusable = section_string(section, entry->why_unusable),
    };
}

static void put_offers(struct ops *ops, const struct offers *offers)
{
    struct section *section = section_new(sizeof(struct offer_item));
    for (size_t i = 0; i < offers->catalog.entry_count; i++) {
        struct offer_item *item = section_add(section);
        fill_item(section, item, offers, i);
    }
    state_put_offers(ops->state, section);
}

bool ops_refresh_offers(struct ops *ops, struct error *err)
{
    auto_done(offers) struct offers offers = {0};
    if (!offers_load(ops, false, &offers, err)) {
        return false;
    }
    for (size_t i = 0; i < offers.catalog.source_count; i++) {
        const struct catalog_source *source = &offers.catalog.sources[i];
        if (source->problem.code != ERROR_NONE) {
            state_log(ops->state, LOG_WARNING, "%s", source->problem.text);
        }
    }
    put_offers(ops, &offers);
    atomic_store(&ops->engine->is_apt_unasked, !offers.is_complete);
    return true;
}

bool ops_complete_offers(struct ops *ops, struct error *err)
{
    auto_done(offers) struct offers offers = {0};
    if (!atomic_exchange(&ops->engine->is_apt_unasked, false)) {
        return true;
    }
    if (!offers_load(ops, true, &offers, err)) {
        return false;
    }
    put_offers(ops, &offers);
    return true;
}
