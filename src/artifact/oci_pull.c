/* SPDX-License-Identifier: MIT */
#include "artifact/oci_pull.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/blob_cache.h"
#include "artifact/hash.h"
#include "artifact/http.h"
#include "artifact/oci_config.h"
#include "artifact/oci_descriptor.h"
#include "artifact/oci_fetch.h"
#include "artifact/oci_layers.h"
#include "artifact/oci_manifest.h"
#include "artifact/oci_ref.h"
#include "artifact/oci_registry.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"

/* An index may list an index, once. */
#define INDEX_DEPTH_MAX 2

struct oci_pull {
    const struct oci_settings *settings;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    struct oci_platform platform;
    char *platform_text; /* NULL: this machine's */
    struct oci_ref ref;
    char *shown; /* canonical reference */
    struct oci_registries registries;
    size_t serving; /* index of the registry that knew the manifest */
    struct digest pinned;
    struct digest manifest;
    struct oci_document document;
    struct oci_layers *layers; /* NULL: not yet */
    bool is_plan;              /* nothing is put into the cache */
};

static void pull_done(struct oci_pull *pull)
{
    oci_ref_done(&pull->ref);
    free(pull->shown);
    free(pull->platform_text);
    oci_registries_done(&pull->registries);
    oci_document_done(&pull->document);
}

static bool begin(struct oci_pull *pull, const char *reference, struct error *err)
{
    const struct oci_settings *settings = pull->settings;
    pull->limits = settings->limits != NULL ? settings->limits : &limits_default;
    pull->platform = oci_platform_host();
    pull->platform_text = settings->platform != NULL ? memory_strdup(settings->platform) : NULL;
    if (pull->platform_text != NULL &&
        !oci_platform_parse(pull->platform_text, &pull->platform, err)) {
        return false;
    }
    if (!oci_ref_parse(reference, &pull->ref, err)) {
        return false;
    }
    pull->shown = oci_ref_format(&pull->ref);
    return oci_registries_make(settings, &pull->ref, &pull->registries, err);
}

/* What the server says the digest is must be what it is. */
static bool check_said_digest(
    const struct http_reply *reply, const struct digest *found, const char *what, struct error *err)
{
    const char *said = http_reply_header(reply, "docker-content-digest");
    struct digest digest;
    if (said == NULL || (text_has_prefix(said, "sha256:") && digest_parse(said, &digest) &&
                            digest_equal(&digest, found))) {
        return true;
    }
    char hex[DIGEST_HEX_LEN + 1];
    return error_set(err, ERROR_DIGEST,
        "%s is not what its server says it is: sha256 %s, said to be %.80s", what,
        digest_format(found, hex), said);
}

static bool parse_document(struct oci_pull *pull, const struct text *bytes,
    const char *content_type, enum oci_media expected, struct error *err)
{
    oci_document_done(&pull->document);
    return oci_document_parse(text_cstr(bytes), bytes->len, content_type, expected, &pull->platform,
        pull->limits, pull->shown, &pull->document, err);
}

static bool keep(
    struct oci_pull *pull, const struct digest *digest, const struct text *bytes, struct error *err)
{
    return pull->is_plan ||
           blob_cache_put(pull->settings->blobs_dir, digest, text_cstr(bytes), bytes->len, err);
}

/* Fetches the document that the reference names from one registry, and pins it. */
static bool fetch_root_from(struct oci_pull *pull, struct oci_registry *registry, struct error *err)
{
    auto_free char *version = oci_ref_version(&pull->ref);
    auto_free char *path = memory_printf("manifests/%s", version);
    auto_done(text) struct text bytes = {0};
    auto_done(http_reply) struct http_reply reply = {0};
    if (!oci_registry_get(
            registry, path, false, pull->limits->json_bytes, pull->cancel, &bytes, &reply, err)) {
        return false;
    }
    struct oci_descriptor pinned = {.size_bytes = bytes.len};
    hash_bytes(text_cstr(&bytes), bytes.len, &pinned.digest);
    if (pull->ref.has_digest) {
        pinned.digest = pull->ref.digest;
    }
    if (!oci_descriptor_prove(&pinned, text_cstr(&bytes), bytes.len, pull->shown, err) ||
        !check_said_digest(&reply, &pinned.digest, pull->shown, err) ||
        !parse_document(
            pull, &bytes, http_reply_header(&reply, "content-type"), OCI_MEDIA_UNKNOWN, err)) {
        return false;
    }
    pull->pinned = pull->manifest = pinned.digest;
    return keep(pull, &pinned.digest, &bytes, err);
}

/* A document by digest that is in the cache; false without *err when it is not or cannot be told
 * what it is. */
static bool read_root_from_cache(struct oci_pull *pull)
{
    struct error ignored = {0};
    struct oci_descriptor root = {.digest = pull->ref.digest};
    struct stat status;
    auto_close int fd = blob_cache_open(pull->settings->blobs_dir, &root.digest, &ignored);
    if (fd < 0 || fstat(fd, &status) != 0 || (uint64_t)status.st_size > pull->limits->json_bytes) {
        return false;
    }
    root.size_bytes = (uint64_t)status.st_size;
    auto_done(text) struct text bytes = {0};
    error_clear(&ignored);
    if (!blob_cache_read(pull->settings->blobs_dir, &root, &bytes, &ignored) ||
        !parse_document(pull, &bytes, NULL, OCI_MEDIA_UNKNOWN, &ignored)) {
        return false;
    }
    pull->pinned = pull->manifest = root.digest;
    return true;
}

/* Whether another registry may do better after this failure. */
static bool is_worth_another(enum error_code code)
{
    return code != ERROR_CANCELLED && code != ERROR_NO_SPACE && code != ERROR_IO &&
           code != ERROR_PERMISSION;
}

/* Asks one registry after the other; ask does the asking. */
static bool ask_each(struct oci_pull *pull,
    bool (*ask)(struct oci_pull *pull, struct oci_registry *registry, struct error *err),
    struct error *err)
{
    for (size_t i = 0; i < pull->registries.count; i++) {
        error_clear(err);
        if (ask(pull, &pull->registries.items[i], err)) {
            pull->serving = i;
            return true;
        }
        if (!is_worth_another(err->code)) {
            return false;
        }
        if (i + 1 < pull->registries.count) {
            progress_note(pull->progress, "%s; asking the next registry", err->text);
        }
    }
    return false;
}

/* A document that a descriptor names, on its way. */
struct wanted {
    const struct oci_descriptor *descriptor;
    struct text *bytes;
    char **content_type;
};

static bool fetch_wanted_from(struct oci_pull *pull, const struct wanted *wanted,
    struct oci_registry *registry, struct error *err)
{
    char hex[DIGEST_HEX_LEN + 1];
    const struct oci_descriptor *descriptor = wanted->descriptor;
    auto_free char *path =
        memory_printf("manifests/sha256:%s", digest_format(&descriptor->digest, hex));
    auto_done(http_reply) struct http_reply reply = {0};
    if (!oci_registry_get(registry, path, false, pull->limits->json_bytes, pull->cancel,
            wanted->bytes, &reply, err) ||
        !oci_descriptor_prove(
            descriptor, text_cstr(wanted->bytes), wanted->bytes->len, pull->shown, err)) {
        return false;
    }
    *wanted->content_type = memory_strdup(http_reply_header(&reply, "content-type"));
    return keep(pull, &descriptor->digest, wanted->bytes, err);
}

static bool fetch_wanted(struct oci_pull *pull, const struct wanted *wanted, struct error *err)
{
    const struct oci_descriptor *descriptor = wanted->descriptor;
    struct error absent = {0};
    if (blob_cache_read(pull->settings->blobs_dir, descriptor, wanted->bytes, &absent)) {
        return true;
    }
    if (descriptor->size_bytes > pull->limits->json_bytes) {
        return error_set(err, ERROR_LIMIT,
            "a manifest of %s is %" PRIu64 " bytes, more than the limit json_bytes (%" PRIu64 ")",
            pull->shown, descriptor->size_bytes, pull->limits->json_bytes);
    }
    for (size_t i = pull->serving; i < pull->registries.count; i++) {
        error_clear(err);
        if (fetch_wanted_from(pull, wanted, &pull->registries.items[i], err)) {
            return true;
        }
        if (!is_worth_another(err->code)) {
            break;
        }
    }
    return false;
}

/* From whatever the reference names down to a manifest for our platform. */
static bool find_manifest(struct oci_pull *pull, struct error *err)
{
    if (!(pull->ref.has_digest && read_root_from_cache(pull)) &&
        !ask_each(pull, fetch_root_from, err)) {
        return false;
    }
    for (unsigned depth = 1; pull->document.media == OCI_MEDIA_INDEX; depth++) {
        if (depth > INDEX_DEPTH_MAX) {
            return error_set(err, ERROR_FORMAT,
                "%s: an index of indexes of indexes is nothing anybody needs", pull->shown);
        }
        const struct oci_descriptor chosen = pull->document.chosen;
        const enum oci_media expected = pull->document.chosen_media;
        auto_done(text) struct text bytes = {0};
        auto_free char *content_type = NULL;
        const struct wanted wanted = {&chosen, &bytes, &content_type};
        if (!fetch_wanted(pull, &wanted, err) ||
            !parse_document(pull, &bytes, content_type, expected, err)) {
            return false;
        }
        pull->manifest = chosen.digest;
    }
    return true;
}

static struct oci_fetch fetch_of(struct oci_pull *pull, const struct progress *progress)
{
    return (struct oci_fetch){
        .settings = pull->settings,
        .registries = &pull->registries,
        .first = pull->serving,
        .progress = progress,
        .cancel = pull->cancel,
    };
}

static bool take_config(struct oci_pull *pull, struct oci_image *image, struct error *err)
{
    const struct oci_descriptor *config = &pull->document.config;
    const struct oci_fetch fetch = fetch_of(pull, NULL);
    auto_done(text) struct text bytes = {0};
    if (!oci_fetch_blobs(&fetch, config, 1, err) ||
        !blob_cache_read(pull->settings->blobs_dir, config, &bytes, err)) {
        return error_wrap(err, "the config of %s", pull->shown);
    }
    image->layers = take_ptr(pull->document.layers);
    image->layer_count = pull->document.layer_count;
    image->layers_bytes = pull->document.layers_bytes;
    image->config_digest = config->digest;
    return oci_config_parse(
               text_cstr(&bytes), bytes.len, &pull->platform, pull->limits, image, err) ||
           error_wrap(err, "%s", pull->shown);
}

/* Everything but the layers. */
static bool take_head(struct oci_pull *pull, struct oci_image *found, struct error *err)
{
    found->cache_hold = blob_cache_hold(pull->settings->blobs_dir, err);
    if (found->cache_hold < 0 || !find_manifest(pull, err) || !take_config(pull, found, err)) {
        return false;
    }
    found->reference = memory_strdup(pull->shown);
    found->manifest_digest = pull->manifest;
    found->pinned_digest = pull->pinned;
    return true;
}

struct oci_pull *oci_pull_begin(const struct oci_settings *settings, const char *reference,
    const struct progress *progress, const struct cancel *cancel, struct oci_image *image,
    struct error *err)
{
    auto_done(oci_image) struct oci_image found = {0};
    auto_oci_pull struct oci_pull *pull = memory_zero(1, sizeof *pull);
    *pull = (struct oci_pull){.settings = settings, .progress = progress, .cancel = cancel};
    progress_report(progress, PROGRESS_RESOLVE, PROGRESS_STEPS, 0, 1);
    if (!begin(pull, reference, err) || !take_head(pull, &found, err)) {
        return NULL;
    }
    const struct oci_fetch fetch = fetch_of(pull, progress);
    pull->layers = oci_layers_begin(&fetch, &found, pull->shown);
    *image = found;
    found = (struct oci_image){0};
    return take_ptr(pull);
}

const struct progress *oci_pull_progress(const struct oci_pull *pull)
{
    return oci_layers_progress(pull->layers);
}

bool oci_pull_wait(struct oci_pull *pull, size_t layer, struct error *err)
{
    return oci_layers_wait(pull->layers, layer, err);
}

bool oci_pull_finish(struct oci_pull *pull, struct error *err)
{
    return oci_layers_finish(pull->layers, err);
}

void oci_pull_end(struct oci_pull *pull)
{
    if (pull != NULL) {
        oci_layers_end(pull->layers);
        pull_done(pull);
        free(pull);
    }
}

void oci_pull_auto_end(struct oci_pull **pull)
{
    oci_pull_end(*pull);
}

bool oci_pull(const struct oci_settings *settings, const char *reference,
    const struct progress *progress, const struct cancel *cancel, struct oci_image *image,
    struct error *err)
{
    auto_done(oci_image) struct oci_image found = {0};
    auto_oci_pull struct oci_pull *pull =
        oci_pull_begin(settings, reference, progress, cancel, &found, err);
    if (pull == NULL) {
        return false;
    }
    if (!oci_pull_finish(pull, err)) {
        return error_wrap(err, "%s", found.reference);
    }
    *image = found;
    found = (struct oci_image){0};
    return true;
}

void oci_plan_done(struct oci_plan *plan)
{
    free(plan->reference);
    *plan = (struct oci_plan){0};
}

bool oci_plan(const struct oci_settings *settings, const char *reference,
    const struct cancel *cancel, struct oci_plan *plan, struct error *err)
{
    auto_done(pull) struct oci_pull pull = {
        .settings = settings, .cancel = cancel, .is_plan = true};
    if (!begin(&pull, reference, err) || !find_manifest(&pull, err)) {
        return false;
    }
    for (size_t i = 0; i < pull.document.layer_count; i++) {
        const struct oci_layer *layer = &pull.document.layers[i];
        const struct oci_descriptor blob = {
            .digest = layer->digest, .size_bytes = layer->size_bytes};
        bool is_repeated = false;
        for (size_t j = 0; j < i && !is_repeated; j++) {
            is_repeated = digest_equal(&layer->digest, &pull.document.layers[j].digest);
        }
        if (!is_repeated) {
            plan->layers_bytes += layer->size_bytes;
            plan->missing_bytes +=
                blob_cache_has(settings->blobs_dir, &blob) ? 0 : layer->size_bytes;
        }
    }
    plan->reference = take_ptr(pull.shown);
    return true;
}

void oci_resolution_done(struct oci_resolution *resolution)
{
    free(resolution->reference);
    *resolution = (struct oci_resolution){0};
}

/* By HEAD; a server that tells no digest there is asked for the whole. */
static bool resolve_at(struct oci_pull *pull, struct oci_registry *registry, struct error *err)
{
    auto_free char *version = oci_ref_version(&pull->ref);
    auto_free char *path = memory_printf("manifests/%s", version);
    auto_done(text) struct text bytes = {0};
    auto_done(http_reply) struct http_reply reply = {0};
    if (!oci_registry_get(
            registry, path, true, pull->limits->json_bytes, pull->cancel, &bytes, &reply, err)) {
        return false;
    }
    const char *said = http_reply_header(&reply, "docker-content-digest");
    if (said == NULL) {
        return fetch_root_from(pull, registry, err);
    }
    return (text_has_prefix(said, "sha256:") && digest_parse(said, &pull->pinned)) ||
           error_set(err, ERROR_FORMAT, "%s: the server tells a digest that is none: %.80s",
               pull->shown, said);
}

bool oci_resolve(const struct oci_settings *settings, const char *reference,
    const struct cancel *cancel, struct oci_resolution *resolution, struct error *err)
{
    auto_done(pull) struct oci_pull pull = {.settings = settings, .cancel = cancel};
    if (!begin(&pull, reference, err)) {
        return false;
    }
    if (pull.ref.has_digest) {
        pull.pinned = pull.ref.digest;
    } else if (!ask_each(&pull, resolve_at, err)) {
        return false;
    }
    resolution->reference = take_ptr(pull.shown);
    resolution->digest = pull.pinned;
    return true;
}
