/* SPDX-License-Identifier: MIT */
/* Images of registries: reference → verified blobs in the cache → rootfs.ext4; whether a tag has
 * moved; and the cache of blobs. */
#include "engine/image/ops_image_registry.h"

#include "artifact/blob_cache.h"
#include "artifact/flatten.h"
#include "artifact/oci_image.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/image/ops_image.h"
#include "engine/image/ops_image_draft.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/config.h"
#include "store/publish.h"

#include <string.h>
#include <unistd.h>

void registry_done(struct registry *registry)
{
    strings_done(&registry->insecure);
    strings_done(&registry->auth_files);
    strings_done(&registry->mirror_urls);
    free(registry->mirrors);
    *registry = (struct registry){0};
}

static void add_mirrors(const struct config_pairs *pairs, struct registry *registry)
{
    size_t count = 0;
    for (size_t i = 0; i < pairs->count; i++) {
        auto_done(strings) struct strings urls = {0};
        strings_split(&urls, pairs->items[i].value, " \t,");
        for (size_t j = 0; j < urls.count; j++) {
            strings_add(&registry->mirror_urls, urls.items[j]);
            registry->mirrors =
                memory_grow(registry->mirrors, count + 1, sizeof(struct oci_mirror));
            registry->mirrors[count++] = (struct oci_mirror){.registry = pairs->items[i].key};
        }
    }
    for (size_t i = 0; i < count; i++) {
        registry->mirrors[i].url = registry->mirror_urls.items[i];
    }
    registry->settings.mirrors = registry->mirrors;
    registry->settings.mirror_count = count;
}

void registry_settle(struct ops *ops, struct registry *registry)
{
    struct oci_settings *settings = &registry->settings;
    for (size_t i = 0; i < ops->settings->insecure.count; i++) {
        strings_add(&registry->insecure, ops->settings->insecure.items[i]);
    }
    if (ops->config->auth_files != NULL) {
        strings_split(&registry->auth_files, ops->config->auth_files, "\n");
    }
    add_mirrors(&ops->settings->mirrors, registry);
    settings->blobs_dir = store_cache_dir(ops->store, STORE_CACHE_BLOBS);
    settings->downloads_dir = store_cache_dir(ops->store, STORE_CACHE_DOWNLOADS);
    settings->limits = ops->limits;
    settings->ca_file = ops->config->ca_file;
    settings->platform = command_get(ops->command, "platform");
    /* Lists of strings end in NULL, and an empty one is NULL. */
    settings->insecure = (const char *const *)registry->insecure.items;
    settings->auth_files = (const char *const *)registry->auth_files.items;
}

/* What `vm run` reads again. */
static struct json *config_of(const struct oci_run *run)
{
    struct json *config = json_new_object();
    ops_put_strings(config, "entrypoint", &run->entrypoint);
    ops_put_strings(config, "cmd", &run->cmd);
    ops_put_strings(config, "env", &run->env);
    json_put_string(config, "workdir", run->workdir);
    json_put_string(config, "user", run->user);
    json_put_string(config, "stop_signal", run->stop_signal);
    return config;
}

static char *digest_text(const struct digest *digest)
{
    char hex[DIGEST_HEX_LEN + 1];
    return memory_printf("sha256:%s", digest_format(digest, hex));
}

/* The config's steps; each that made a layer tells which. */
static void describe_history(const struct oci_image *image, struct json **history)
{
    size_t layer = 0;
    for (size_t i = 0; i < image->step_count; i++) {
        const struct oci_step *step = &image->steps[i];
        bool has_layer = !step->is_empty && layer < image->layer_count;
        const struct oci_layer *made = has_layer ? &image->layers[layer++] : NULL;
        auto_free char *digest = made != NULL ? digest_text(&made->digest) : NULL;
        image_history_add(
            history, step->created, step->created_by, made != NULL ? made->size_bytes : 0, digest);
    }
    for (; layer < image->layer_count; layer++) {
        auto_free char *digest = digest_text(&image->layers[layer].digest);
        image_history_add(history, NULL, NULL, image->layers[layer].size_bytes, digest);
    }
}

static void describe(const struct oci_image *image, struct image_draft *draft)
{
    struct image_entry *entry = &draft->entry;
    entry->digest = digest_text(&image->pinned_digest);
    entry->manifest_digest = digest_text(&image->manifest_digest);
    entry->config = config_of(&image->run);
    describe_history(image, &entry->history);
    auto_free char *line = memory_printf("image pull %s", image->reference);
    image_draft_history(draft, line);
}

static bool wait_for_layer(void *context, size_t layer, struct error *err)
{
    return oci_pull_wait(context, layer, err);
}

/* Makes the disk while the layers come. */
static bool flatten(struct ops *ops, const struct image_request *request,
    const struct oci_image *image, struct oci_pull *pull, struct image_draft *draft,
    struct error *err)
{
    int blobs = store_cache_dir(ops->store, STORE_CACHE_BLOBS);
    struct flatten_options options = {
        .size_bytes = request->size_bytes, .wait = wait_for_layer, .context = pull};
    struct flatten_report report = {0};
    /* What the layers take packed is less than what all but odd images take. */
    auto_close int fd = file_need_space(staging_dir(draft->staging), "..", image->layers_bytes, err)
                            ? file_create(staging_dir(draft->staging), IMAGE_ROOTFS, err)
                            : -1;
    if (fd < 0 || !flatten_image(image, blobs, &options, fd, ops->limits, oci_pull_progress(pull),
                      ops->cancel, &report, err)) {
        return false;
    }
    image_draft_tell(draft, &report);
    return oci_pull_finish(pull, err);
}

bool image_draft_pull_and_flatten(struct ops *ops, const struct image_request *request,
    struct image_draft *draft, struct error *err)
{
    auto_done(registry) struct registry registry = {0};
    auto_done(oci_image) struct oci_image image = {0};
    registry_settle(ops, &registry);
    auto_oci_pull struct oci_pull *pull = oci_pull_begin(
        &registry.settings, request->reference, ops->progress, ops->cancel, &image, err);
    if (pull == NULL) {
        return false;
    }
    progress_digest(oci_pull_progress(pull), &image.manifest_digest, &image.manifest_digest);
    if (!flatten(ops, request, &image, pull, draft, err)) {
        return error_wrap(err, "%s", image.reference);
    }
    describe(&image, draft);
    return true;
}

/* ---- refresh ---- */

/* What the reference names now, against what was pulled. */
static bool compare(struct ops *ops, const struct registry *registry,
    const struct image_entry *entry, struct json *row, struct error *err)
{
    auto_done(oci_resolution) struct oci_resolution resolution = {0};
    const char *reference = ops_image_reference(entry);
    if (!oci_resolve(&registry->settings, reference, ops->cancel, &resolution, err)) {
        return false;
    }
    auto_free char *latest = digest_text(&resolution.digest);
    json_put_string(row, "latest_digest", latest);
    json_put_bool(row, "moved", entry->digest == NULL || strcmp(entry->digest, latest) != 0);
    return true;
}

/* *is_skipped: not of a registry, and not asked for by name. */
static struct json *refresh_one(
    struct ops *ops, const struct registry *registry, const char *name, struct error *err)
{
    auto_done(image_entry) struct image_entry entry = {0};
    if (!image_store_read(ops->store, name, &entry, err)) {
        return NULL;
    }
    if (ops_image_reference(&entry) == NULL) {
        error_set(err, ERROR_UNSUPPORTED,
            "image %s does not come from a registry (%s): there is no tag that could have moved",
            name, entry.source != NULL ? entry.source : "its source is not known");
        return NULL;
    }
    struct json *row = json_new_object();
    json_put_string(row, "name", name);
    json_put_string(row, "source", entry.source);
    json_put_string(row, "digest", entry.digest);
    if (!compare(ops, registry, &entry, row, err)) {
        json_put_string(row, "error", err->text);
    }
    return row;
}

bool ops_image_refresh(struct ops *ops, struct json **result, struct error *err)
{
    bool is_all = command_all(ops->command, "name")->count == 0;
    auto_done(strings) struct strings names = {0};
    auto_done(registry) struct registry registry = {0};
    auto_json struct json *rows = json_new_array();
    struct error first = {0};
    registry_settle(ops, &registry);
    if (!ops_image_each(ops, &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct error failure = {0};
        progress_report(ops->progress, PROGRESS_RESOLVE, PROGRESS_STEPS, i, names.count);
        struct json *row = refresh_one(ops, &registry, names.items[i], &failure);
        if (row != NULL) {
            json_append(rows, row);
        } else if (is_all && failure.code == ERROR_UNSUPPORTED) {
            continue;
        }
        if (failure.code == ERROR_CANCELLED) {
            *err = failure;
            return false;
        }
        first = first.code == ERROR_NONE ? failure : first;
    }
    *result = take_ptr(rows);
    *err = first.code != ERROR_NONE ? first : *err;
    return first.code == ERROR_NONE;
}

/* ---- cache ---- */

bool ops_image_cache(struct ops *ops, struct json **result, struct error *err)
{
    bool is_dry_run = command_is_dry_run(ops->command);
    struct blob_cache_tally tally = {0};
    if (!blob_cache_prune(
            store_cache_dir(ops->store, STORE_CACHE_BLOBS), is_dry_run, &tally, err)) {
        return false;
    }
    if (is_dry_run) {
        *result = ops_plan(ops);
        auto_free char *object =
            memory_printf("%llu blobs of the cache", (unsigned long long)tally.blobs);
        if (tally.blobs > 0) {
            ops_plan_add(*result, "remove", object, tally.bytes);
        }
        return true;
    }
    *result = json_new_object();
    json_put_bool(*result, "changed", tally.blobs > 0);
    json_put_integer(*result, "blobs", (int64_t)tally.blobs);
    json_put_integer(*result, "disk_bytes", (int64_t)tally.bytes);
    return true;
}
