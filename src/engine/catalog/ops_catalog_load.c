/* SPDX-License-Identifier: MIT */
/* Reading all catalogs, and fetching the remote ones with their signatures. */
#include "engine/catalog/ops_catalog.h"

#include "artifact/http.h"
#include "artifact/signature.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/state.h"
#include "store/config.h"

#include <poll.h>
#include <string.h>

/* A publisher replaces document and signature one after the other: who asked in between asks
 * again. */
#define PAIR_TRIES 3
#define PAIR_PAUSE_MS 100

_Static_assert(SIGNATURE_KEY_BYTES == CATALOG_KEY_BYTES, "keys are of one kind");

/* The key of a name is trusted by itself: a signature that is there must then be right. */
static void set_trust(
    struct ops_places *places, const char *name, enum catalog_policy policy, const uint8_t *key)
{
    for (size_t i = 0; i < places->places.trust_count; i++) {
        struct catalog_trust *trust = &places->trust[i];
        if (strcmp(trust->name, name) == 0) {
            trust->policy = policy;
            trust->key = key != NULL ? key : trust->key;
            return;
        }
    }
    places->trust[places->places.trust_count++] =
        (struct catalog_trust){.name = name, .policy = policy, .key = key};
}

void ops_places_init(const struct ops *ops, struct ops_places *places)
{
    const struct config *config = ops->settings;
    const struct config_pairs *pairs = &config->catalogs;
    *places = (struct ops_places){0};
    places->settings = memory_zero(pairs->count + 1, sizeof *places->settings);
    places->trust =
        memory_zero(config->trust_count + config->signatures.count + 1, sizeof *places->trust);
    for (size_t i = 0; i < pairs->count; i++) {
        places->settings[i].name = pairs->items[i].key;
        places->settings[i].place = pairs->items[i].value;
    }
    for (size_t i = 0; i < config->trust_count; i++) {
        set_trust(places, config->trust[i].name, CATALOG_POLICY_PREFER, config->trust[i].key);
    }
    for (size_t i = 0; i < config->signatures.count; i++) {
        enum catalog_policy policy = CATALOG_POLICY_REQUIRE;
        catalog_policy_parse(config->signatures.items[i].value, &policy);
        set_trust(places, config->signatures.items[i].key, policy, NULL);
    }
    places->places.environment = ops->config->catalog;
    places->places.builtin_path = ops->config->builtin_catalog;
    places->places.settings = places->settings;
    places->places.setting_count = pairs->count;
    places->places.trust = places->trust;
    places->places.verify = signature_verify;
}

void ops_places_done(struct ops_places *places)
{
    free(places->settings);
    free(places->trust);
}

static bool get(
    struct ops *ops, const char *url, uint64_t max_bytes, struct text *body, struct error *err)
{
    struct http_small request = {.url = url,
        .max_bytes = max_bytes,
        .settings = {
            .limits = ops->limits, .ca_file = ops->config->ca_file, .is_userinfo_ok = true}};
    text_clear(body);
    return http_get_small(&request, ops->cancel, body, NULL, err);
}

/* *is_there: the server has one. Failing to tell is a failure. */
static bool get_signature(
    struct ops *ops, const char *url, struct text *signature, bool *is_there, struct error *err)
{
    struct error failure = {0};
    auto_free char *place = catalog_signature_place(url);
    *is_there = get(ops, place, CATALOG_SIGNATURE_MOST, signature, &failure);
    if (*is_there || failure.code == ERROR_NOT_FOUND) {
        return true;
    }
    *err = failure;
    return false;
}

/* One try at a document and its signature, judged. *is_torn: they do not fit together. */
static bool fetch_pair(struct ops *ops, const char *trust, const char *url, struct text *body,
    struct text *signature, bool *is_signed, bool *is_torn, struct error *err)
{
    struct ops_places places;
    ops_places_init(ops, &places);
    enum catalog_policy policy = CATALOG_POLICY_OFF;
    enum catalog_signature found = CATALOG_SIGNATURE_NONE;
    struct error ignored = {0};
    *is_signed = false;
    *is_torn = false;
    /* Without a document, only to learn the policy. */
    catalog_judge(&places.places, trust, "", 0, NULL, &policy, &found, &ignored);
    bool is_good =
        get(ops, url, ops->limits->json_bytes, body, err) &&
        (policy == CATALOG_POLICY_OFF || get_signature(ops, url, signature, is_signed, err));
    if (is_good) {
        is_good = catalog_judge(&places.places, trust, text_cstr(body), body->len,
            *is_signed ? text_cstr(signature) : NULL, &policy, &found, err);
        *is_torn = found == CATALOG_SIGNATURE_BAD;
    }
    ops_places_done(&places);
    return is_good;
}

bool ops_catalog_fetch(
    struct ops *ops, const char *trust, const char *url, bool *is_changed, struct error *err)
{
    auto_done(text) struct text body = {.cap_bytes = SIZE_MAX};
    auto_done(text) struct text signature = {0};
    bool is_signed = false;
    progress_note(ops->progress, "fetching the catalog %s", trust);
    for (unsigned i = 1;; i++) {
        struct error failure = {0};
        bool is_torn = false;
        if (fetch_pair(ops, trust, url, &body, &signature, &is_signed, &is_torn, &failure)) {
            break;
        }
        if (!is_torn || i == PAIR_TRIES) {
            *err = failure;
            return false;
        }
        struct pollfd asked = {.fd = cancel_fd(ops->cancel), .events = POLLIN};
        poll(&asked, 1, PAIR_PAUSE_MS);
        if (cancel_check(ops->cancel, err)) {
            return false;
        }
    }
    return catalog_cache_put(ops->store, url, text_cstr(&body), body.len,
        is_signed ? text_cstr(&signature) : NULL, ops->limits, is_changed, err);
}

static bool load_as_configured(struct ops *ops, struct catalog *catalog, struct error *err)
{
    struct ops_places places;
    ops_places_init(ops, &places);
    bool is_loaded = catalog_load(ops->store, &places.places, ops->limits, catalog, err);
    ops_places_done(&places);
    return is_loaded;
}

/* What kept a source from being fetched, for the one that has no copy to fall back on. */
static void keep_failures(struct catalog *catalog, const struct error *failures, size_t count)
{
    for (size_t i = 0; i < count && i < catalog->source_count; i++) {
        struct catalog_source *source = &catalog->sources[i];
        if (failures[i].code != ERROR_NONE && !source->is_loaded) {
            catalog_set_problem(source, &failures[i]);
        }
    }
}

bool ops_catalog_load(struct ops *ops, bool may_fetch, struct catalog *catalog, struct error *err)
{
    if (!load_as_configured(ops, catalog, err)) {
        return false;
    }
    size_t count = catalog->source_count;
    auto_free struct error *failures = memory_zero(count + 1, sizeof *failures);
    bool is_fetched = false;
    for (size_t i = 0; may_fetch && i < count; i++) {
        const struct catalog_source *source = &catalog->sources[i];
        if (!source->wants_refresh) {
            continue;
        }
        if (ops_catalog_fetch(ops, source->trust, source->place, NULL, &failures[i])) {
            is_fetched = true;
        } else if (failures[i].code == ERROR_CANCELLED) {
            *err = failures[i];
            catalog_done(catalog);
            return false;
        } else {
            state_log(ops->state, LOG_WARNING, "catalog %s: %s", source->name, failures[i].text);
        }
    }
    if (is_fetched) {
        catalog_done(catalog);
        *catalog = (struct catalog){0};
        if (!load_as_configured(ops, catalog, err)) {
            return false;
        }
    }
    keep_failures(catalog, failures, count);
    return true;
}

void ops_catalog_idle_trust(
    const struct ops *ops, const struct catalog *catalog, struct strings *names)
{
    struct ops_places places;
    ops_places_init(ops, &places);
    for (size_t i = 0; i < places.places.trust_count; i++) {
        bool is_used = false;
        for (size_t j = 0; j < catalog->source_count; j++) {
            is_used = is_used || strcmp(catalog->sources[j].trust, places.trust[i].name) == 0;
        }
        if (!is_used) {
            strings_add(names, places.trust[i].name);
        }
    }
    ops_places_done(&places);
}

void ops_catalogs_changed(struct ops *ops)
{
    struct error failure = {0};
    if (ops->config->is_watching &&
        (!ops_refresh_offers(ops, &failure) || !ops_complete_offers(ops, &failure))) {
        state_log(ops->state, LOG_WARNING, "reading catalogs: %s", failure.text);
    }
}
