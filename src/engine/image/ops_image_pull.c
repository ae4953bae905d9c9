/* SPDX-License-Identifier: MIT */
/* image pull: a catalog's bundle or a registry's image becomes an image of this host. */
#include "artifact/flatten.h"
#include "artifact/oci_ref.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "engine/catalog/ops_catalog.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/image/ops_image.h"
#include "engine/image/ops_image_draft.h"
#include "engine/image/ops_image_registry.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/catalog.h"
#include "store/config.h"
#include "store/image_store.h"
#include "store/kernel_store.h"
#include "store/lock.h"

#include <string.h>

#define USUAL_KERNEL "debian-cloud"

void image_request_done(struct image_request *request)
{
    free(request->reference);
    free(request->source);
    free(request->name);
    free(request->kernel_ref);
}

/* ---- kernel ---- */

/* What the operator is told to type: the usual one where there is such a kernel, else the only one
 * of this host. */
static char *suggest_kernel(struct ops *ops)
{
    struct error ignored = {0};
    auto_done(kernel_list) struct kernel_list kernels = {0};
    auto_done(catalog) struct catalog catalog = {0};
    const char *only = NULL;
    size_t count = 0;
    if (kernel_store_list(ops->store, &kernels, &ignored)) {
        for (size_t i = 0; i < kernels.count; i++) {
            if (!kernels.items[i].is_damaged && kernels.items[i].unread.errnum == 0) {
                only = strcmp(kernels.items[i].name, USUAL_KERNEL) == 0 && count > 0
                           ? only
                           : kernels.items[i].name;
                count++;
            }
        }
    }
    if (count == 1) {
        return memory_strdup(only);
    }
    error_clear(&ignored);
    bool is_offered = ops_catalog_load(ops, false, &catalog, &ignored) &&
                      catalog_require(&catalog, CATALOG_KERNEL, USUAL_KERNEL, &ignored) != NULL;
    return memory_strdup(is_offered ? USUAL_KERNEL : "KERNEL");
}

bool ops_image_choose_kernel(
    struct ops *ops, const char *image, const char *offered, char **kernel, struct error *err)
{
    const char *choices[] = {
        command_get(ops->command, "kernel-ref"), offered, ops->settings->default_kernel};
    for (size_t i = 0; i < array_length(choices); i++) {
        if (choices[i] != NULL && choices[i][0] != '\0') {
            *kernel = memory_strdup(choices[i]);
            return name_check_entry(*kernel, "kernel name", err);
        }
    }
    auto_free char *suggestion = suggest_kernel(ops);
    return error_set(err, ERROR_INVALID,
        "image %s brings no kernel: add --kernel-ref %s, or set kernel under [defaults] in "
        "config.ini",
        image, suggestion);
}

/* ---- what is wanted ---- */

static bool settle_offer(struct ops *ops, const struct catalog *catalog,
    const struct catalog_entry *offer, struct image_request *request, struct error *err)
{
    if (!offer->is_usable) {
        return error_set(err, ERROR_CONFIG, "image %s cannot be pulled from the catalog %s: %s",
            offer->name, catalog_source_name(catalog, offer), offer->why_unusable);
    }
    if (request->size_bytes > 0) {
        return error_set(err, ERROR_INVALID,
            "--size is for images of registries: %s comes from a catalog, with a size of its own",
            offer->name);
    }
    if (command_has(ops->command, "platform")) {
        return error_set(err, ERROR_INVALID,
            "--platform is for images of registries: %s comes from a catalog, where each entry is "
            "for one",
            offer->name);
    }
    auto_free char *url = catalog_public_url(offer->urls.items[0]);
    request->offer = offer;
    request->source = memory_printf("pull:%s", url);
    /* A kernel that only the bundle names is settled when that is here. */
    bool is_known = command_has(ops->command, "kernel-ref") ||
                    (offer->kernel_ref != NULL && offer->kernel_ref[0] != '\0');
    return !is_known || ops_image_choose_kernel(
                            ops, request->name, offer->kernel_ref, &request->kernel_ref, err);
}

static bool settle_reference(
    struct ops *ops, const char *word, struct image_request *request, struct error *err)
{
    auto_done(oci_ref) struct oci_ref ref = {0};
    if (!oci_ref_parse(word, &ref, err)) {
        return false;
    }
    request->reference = oci_ref_format(&ref);
    request->source = memory_printf("pull:%s", request->reference);
    return ops_image_choose_kernel(ops, request->name, NULL, &request->kernel_ref, err);
}

/* A catalog's name first, else a reference by docker's rule. */
static bool settle(
    struct ops *ops, struct catalog *catalog, struct image_request *request, struct error *err)
{
    const char *word = command_get(ops->command, "image");
    if (!ops_catalog_load(ops, true, catalog, err)) {
        return false;
    }
    struct error missing = {0};
    const struct catalog_entry *offer = catalog_require(catalog, CATALOG_IMAGE, word, &missing);
    if (offer != NULL) {
        return settle_offer(ops, catalog, offer, request, err);
    }
    if (missing.code != ERROR_NOT_FOUND && missing.code != ERROR_INVALID) {
        *err = missing;
        return false;
    }
    if (strpbrk(word, "/:@") == NULL) {
        return error_set(err, ERROR_NOT_FOUND,
            "no catalog has the image %s: see `image list --available`; for a registry's image "
            "type docker.io/library/%s",
            word, word);
    }
    return settle_reference(ops, word, request, err);
}

/* ---- doing it ---- */

static bool is_same_source(const struct image_entry *entry, const struct image_request *request)
{
    return !entry->is_damaged && entry->source != NULL &&
           strcmp(entry->source, request->source) == 0;
}

/* Somebody else's finished pull of the same is success. */
static bool take_finished(
    struct ops *ops, const struct image_request *request, struct json **result)
{
    auto_done(image_entry) struct image_entry found = {0};
    struct error missing = {0};
    if (request->was_here || request->is_forced ||
        !image_store_read(ops->store, request->name, &found, &missing) ||
        !is_same_source(&found, request)) {
        return false;
    }
    *result = ops_image_json(&found);
    json_put_bool(*result, "changed", false);
    return true;
}

static bool make(struct ops *ops, const struct image_request *request, struct image_draft *draft,
    struct error *err)
{
    struct image_steps steps = image_steps(ops);
    if (request->kernel_ref != NULL && !ops_kernel_ensure(ops, request->kernel_ref, err)) {
        return false;
    }
    if (!image_draft_begin(ops, request->name, draft, err)) {
        return false;
    }
    draft->entry.source = memory_strdup(request->source);
    draft->entry.kernel_ref = memory_strdup(request->kernel_ref);
    bool is_made = request->offer != NULL ? steps.bundle_fetch(ops, request, draft, err)
                                          : steps.pull_and_flatten(ops, request, draft, err);
    return is_made &&
           (request->kernel_ref != NULL || draft->entry.kernel_ref == NULL ||
               ops_kernel_ensure(ops, draft->entry.kernel_ref, err)) &&
           steps.finalize_rootfs(ops, draft, err) &&
           image_draft_publish(
               ops, draft, request->is_forced ? IMAGE_PUBLISH_REPLACE : IMAGE_PUBLISH_NEW, err);
}

static void show_digest(struct ops *ops, const struct image_draft *draft)
{
    struct digest digest;
    const char *text = draft->entry.digest;
    /* A kernel pulled on the way showed its own. */
    if (text != NULL && digest_parse(text, &digest)) {
        progress_digest(ops->progress, &digest, &digest);
    }
}

static bool pull(
    struct ops *ops, const struct image_request *request, struct json **result, struct error *err)
{
    uint64_t started_ms = clock_monotonic_ms();
    auto_lock struct lock *work = ops_lock_work(ops, STORE_IMAGE, request->name, "pull", err);
    if (work == NULL) {
        return false;
    }
    if (take_finished(ops, request, result)) {
        return true;
    }
    auto_done(image_draft) struct image_draft draft = {0};
    if (!ops_image_check_free(ops, request->name, request->is_forced, err)) {
        return false;
    }
    if (!make(ops, request, &draft, err)) {
        struct error failure = *err;
        if (failure.code == ERROR_EXISTS && take_finished(ops, request, result)) {
            error_clear(err);
            return true;
        }
        return false;
    }
    show_digest(ops, &draft);
    ops_images_changed(ops);
    struct json *json = image_draft_result(&draft);
    json_put_string(json, "fetched_from", draft.fetched_from);
    json_put_string(json, "manifest_digest", draft.entry.manifest_digest);
    json_put_integer(json, "downloaded_bytes", (int64_t)draft.downloaded_bytes);
    json_put_number(json, "seconds", (double)(clock_monotonic_ms() - started_ms) / 1000);
    *result = json;
    return true;
}

/* ---- the plan ---- */

static bool plan_reference(
    struct ops *ops, const struct image_request *request, struct json *plan, struct error *err)
{
    auto_done(registry) struct registry registry = {0};
    auto_done(oci_plan) struct oci_plan found = {0};
    registry_settle(ops, &registry);
    if (!oci_plan(&registry.settings, request->reference, ops->cancel, &found, err)) {
        return false;
    }
    uint64_t size_bytes =
        request->size_bytes > 0 ? request->size_bytes : flatten_size(found.layers_bytes);
    auto_free char *object = memory_printf("image/%s", request->name);
    ops_plan_add(plan, "download", request->reference, found.missing_bytes);
    ops_plan_add(plan, "flatten", object, size_bytes);
    return true;
}

static bool make_plan(
    struct ops *ops, const struct image_request *request, struct json **result, struct error *err)
{
    auto_json struct json *plan = ops_plan(ops);
    auto_free char *object = memory_printf("image/%s", request->name);
    if (request->kernel_ref != NULL && !ops_kernel_plan(ops, request->kernel_ref, plan, err)) {
        return false;
    }
    if (request->offer != NULL) {
        ops_plan_add(plan, "download", object, request->offer->size_bytes);
    } else if (!plan_reference(ops, request, plan, err)) {
        return false;
    }
    ops_plan_add(plan, "publish", object, 0);
    *result = take_ptr(plan);
    return true;
}

bool ops_image_pull(struct ops *ops, struct json **result, struct error *err)
{
    const char *given = command_get(ops->command, "name");
    auto_done(image_request) struct image_request request = {
        .is_forced = command_has(ops->command, "force"),
        .size_bytes = command_size(ops->command, "size")};
    request.name = given != NULL ? memory_strdup(given)
                                 : command_image_name(command_get(ops->command, "image"));
    if (!name_check_entry(request.name, "image name", err)) {
        return false;
    }
    auto_done(image_entry) struct image_entry here = {0};
    struct error missing = {0};
    request.was_here = image_store_read(ops->store, request.name, &here, &missing);
    if (request.was_here && !here.is_damaged && command_has(ops->command, "if-absent")) {
        *result = ops_image_json(&here);
        json_put_bool(*result, "changed", false);
        return true;
    }
    auto_done(catalog) struct catalog catalog = {0};
    if (!ops_image_check_free(ops, request.name, request.is_forced, err) ||
        !settle(ops, &catalog, &request, err)) {
        return false;
    }
    return command_is_dry_run(ops->command) ? make_plan(ops, &request, result, err)
                                            : pull(ops, &request, result, err);
}
