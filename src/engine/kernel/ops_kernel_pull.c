/* SPDX-License-Identifier: MIT */
/* kernel pull: catalog entry → verified download → staging → published entry. */
#include "artifact/apt.h"
#include "artifact/bundle.h"
#include "artifact/deb.h"
#include "artifact/hash.h"
#include "artifact/kernel_dir.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/catalog/ops_catalog.h"
#include "engine/catalog/ops_fetch.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/catalog.h"
#include "store/kernel_store.h"
#include "store/lock.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A pull on its way: what was fetched and what was made of it. */
struct pull {
    struct kernel_entry entry;
    struct bundle_report report;
    struct kernel_facts facts;
    struct fetched fetched;
};

static void pull_done(struct pull *pull)
{
    kernel_entry_done(&pull->entry);
    bundle_report_done(&pull->report);
    kernel_facts_done(&pull->facts);
    fetched_done(&pull->fetched);
}

static bool pull_bundle(struct ops *ops, const struct catalog_entry *offer, int staging,
    struct pull *pull, struct digest *kernel_digest, struct error *err)
{
    if (!file_need_space(staging, "..", offer->disk_bytes, err)) {
        return error_wrap(err, "kernel %s was not fetched", offer->name);
    }
    auto_close int blob = ops_fetch(ops, (const char *const *)offer->urls.items, offer->urls.count,
        &offer->digest, offer->size_bytes, &pull->fetched, err);
    if (blob < 0 || !bundle_extract(blob, staging, BUNDLE_KERNEL, ops->limits, ops_self_path(ops),
                        ops->progress, ops->cancel, &pull->report, err)) {
        return false;
    }
    /* Hashed again from disk: the manifest says what is there, not what was promised. */
    auto_close int kernel = file_open_read(staging, KERNEL_FILE, err);
    if (kernel < 0 ||
        !hash_fd(kernel, KERNEL_FILE, ops->progress, ops->cancel, kernel_digest, err)) {
        return false;
    }
    char hex[DIGEST_HEX_LEN + 1];
    auto_free char *url = catalog_public_url(offer->urls.items[0]);
    pull->entry.source = memory_printf("pull:%s", url);
    pull->entry.source_sha256 = memory_strdup(digest_format(&offer->digest, hex));
    return true;
}

static bool fetch_packages(struct ops *ops, const struct apt_answer *answer, struct pull *pull,
    int *fds, const char **shown, struct error *err)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct apt_file *file = &answer->files[i];
        const char *const urls[] = {file->url};
        progress_note(ops->progress, "%s %s", file->package, file->version);
        fds[i] = ops_fetch(ops, urls, 1, &file->digest, file->size_bytes, &pull->fetched, err);
        if (fds[i] < 0) {
            return false;
        }
        shown[i] = file->filename;
    }
    return true;
}

static bool pull_packages(struct ops *ops, const struct catalog_entry *offer, int staging,
    struct pull *pull, struct digest *kernel_digest, struct error *err)
{
    auto_free char *wanted = strings_join(&offer->apt_packages, "|");
    auto_done(apt_answer) struct apt_answer answer = {0};
    progress_report(ops->progress, PROGRESS_RESOLVE, PROGRESS_STEPS, 0, 1);
    if (!apt_resolve(
            wanted, store_cache_dir(ops->store, STORE_CACHE_CATALOGS), ops->cancel, &answer, err)) {
        return false;
    }
    auto_free int *fds = memory_zero(answer.count, sizeof *fds);
    auto_free const char **shown = memory_zero(answer.count, sizeof *shown);
    for (size_t i = 0; i < answer.count; i++) {
        fds[i] = -1;
    }
    bool is_good = fetch_packages(ops, &answer, pull, fds, shown, err) &&
                   deb_import(fds, shown, answer.count, staging, ops->limits, ops_self_path(ops),
                       ops->progress, ops->cancel, kernel_digest, &pull->facts, err);
    for (size_t i = 0; i < answer.count; i++) {
        memory_auto_close(&fds[i]);
    }
    if (!is_good) {
        return false;
    }
    char hex[DIGEST_HEX_LEN + 1];
    pull->entry.source = memory_printf("apt:%s=%s", answer.files[0].package, answer.version);
    pull->entry.source_sha256 = memory_strdup(digest_format(&answer.files[0].digest, hex));
    pull->entry.kernel_version = memory_strdup(answer.kernel_version);
    return true;
}

/* What nothing else said is taken from the catalog or from the kernel itself. */
static bool complete_entry(struct pull *pull, const struct catalog_entry *offer,
    const struct digest *kernel_digest, int staging, struct error *err)
{
    struct kernel_entry *entry = &pull->entry;
    char hex[DIGEST_HEX_LEN + 1];
    bool is_bootable = false;
    entry->name = memory_strdup(offer->name);
    entry->sha256 = memory_strdup(digest_format(kernel_digest, hex));
    entry->distro = offer->distro[0] != '\0' ? memory_strdup(offer->distro) : NULL;
    entry->arch = offer->arch[0] != '\0' ? memory_strdup(offer->arch) : take_ptr(pull->facts.arch);
    if (entry->kernel_version == NULL) {
        entry->kernel_version = offer->kernel_version[0] != '\0'
                                    ? memory_strdup(offer->kernel_version)
                                    : take_ptr(pull->facts.kernel_version);
    }
    if (pull->facts.format[0] != '\0') {
        entry->format_of_kernel = memory_strdup(pull->facts.format);
    } else if (!ops_kernel_format(staging, &entry->format_of_kernel, &is_bootable, err)) {
        return false;
    }
    entry->fetched_from = take_ptr(pull->fetched.from);
    entry->imported_at = clock_wall();
    entry->imported_by = ops_login();
    struct stat status;
    if (fstatat(staging, KERNEL_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", KERNEL_FILE);
    }
    entry->size_bytes = (uint64_t)status.st_size;
    return true;
}

static struct json *pull_result(const struct pull *pull, uint64_t started_ms)
{
    struct json *result = ops_kernel_json(&pull->entry);
    json_put_bool(result, "changed", true);
    json_put_string(result, "source_sha256", pull->entry.source_sha256);
    json_put_string(result, "fetched_from", pull->entry.fetched_from);
    json_put_integer(result, "size_bytes", (int64_t)pull->entry.size_bytes);
    json_put_integer(result, "downloaded_bytes", (int64_t)pull->fetched.size_bytes);
    struct json *skipped = json_new_object();
    json_put_integer(skipped, "hardlink", (int64_t)pull->report.skipped_hardlinks);
    json_put_integer(skipped, "device", (int64_t)pull->report.skipped_devices);
    json_put_integer(skipped, "fifo", (int64_t)pull->report.skipped_fifos);
    json_put_integer(skipped, "xattr", (int64_t)pull->report.skipped_xattrs);
    json_put(result, "skipped", skipped);
    ops_put_strings(result, "skipped_names", &pull->report.skipped);
    ops_put_strings(result, "notes", &pull->facts.notes);
    json_put_number(result, "seconds", (double)(clock_monotonic_ms() - started_ms) / 1000);
    return result;
}

static bool stage_and_publish(struct ops *ops, const struct catalog_entry *offer,
    enum publish_mode mode, struct pull *pull, struct error *err)
{
    auto_staging struct staging *staging =
        staging_begin(ops->store, STORE_KERNEL, offer->name, err);
    if (staging == NULL) {
        return false;
    }
    int dir = staging_dir(staging);
    struct digest digest;
    bool is_filled = offer->urls.count > 0 ? pull_bundle(ops, offer, dir, pull, &digest, err)
                                           : pull_packages(ops, offer, dir, pull, &digest, err);
    if (!is_filled) {
        return false;
    }
    if (!complete_entry(pull, offer, &digest, dir, err)) {
        return false;
    }
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 0, 1);
    return kernel_store_write_manifest(dir, &pull->entry, err) &&
           staging_publish(staging, mode, err);
}

/* The entry as it is, as the result of a pull that had nothing to do. */
static struct json *unchanged_result(const struct kernel_entry *entry)
{
    struct json *result = ops_kernel_json(entry);
    json_put_bool(result, "changed", false);
    return result;
}

static bool exists_error(const struct kernel_entry *entry, struct error *err)
{
    if (entry->is_damaged) {
        return error_set(err, ERROR_EXISTS,
            "kernel %s is here but damaged (%s): pull it again with --force", entry->name,
            entry->damage);
    }
    return error_set(err, ERROR_EXISTS,
        "kernel %s is already here: nothing was fetched; --force replaces it", entry->name);
}

static struct json *plan_pull(struct ops *ops, const struct catalog_entry *offer)
{
    struct json *plan = ops_plan(ops);
    auto_free char *object = memory_printf("kernel/%s", offer->name);
    ops_plan_add(plan, "download", object, offer->size_bytes);
    ops_plan_add(plan, "publish", object, 0);
    return plan;
}

/* Behind the checks of the name: the entry's lock is taken, looked at again, and filled. */
static bool pull_locked(struct ops *ops, const struct catalog_entry *offer, bool is_forced,
    bool was_here, struct json **result, struct error *err)
{
    uint64_t started_ms = clock_monotonic_ms();
    auto_lock struct lock *lock = ops_lock(ops, STORE_KERNEL, offer->name, "pull", err);
    if (lock == NULL) {
        return false;
    }
    auto_done(kernel_entry) struct kernel_entry found = {0};
    struct error missing = {0};
    /* Somebody else's pull finished while this one waited: that is success for both. */
    if (!was_here && !is_forced && kernel_store_read(ops->store, offer->name, &found, &missing) &&
        !found.is_damaged) {
        *result = unchanged_result(&found);
        return true;
    }
    auto_done(pull) struct pull pull = {0};
    if (!stage_and_publish(ops, offer, is_forced ? PUBLISH_REPLACE : PUBLISH_NEW, &pull, err)) {
        return false;
    }
    ops_fetch_forget(ops, &pull.fetched);
    ops_kernels_changed(ops);
    *result = pull_result(&pull, started_ms);
    return true;
}

bool ops_kernel_pull(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    bool is_forced = command_has(ops->command, "force");
    if (!name_check_entry(name, "kernel name", err)) {
        return false;
    }
    auto_done(kernel_entry) struct kernel_entry here = {0};
    struct error missing = {0};
    bool is_here = kernel_store_read(ops->store, name, &here, &missing);
    if (!is_here && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (is_here && !is_forced) {
        if (command_has(ops->command, "if-absent") && !here.is_damaged) {
            *result = unchanged_result(&here);
            return true;
        }
        return exists_error(&here, err);
    }
    auto_done(catalog) struct catalog catalog = {0};
    if (!ops_catalog_load(ops, true, &catalog, err)) {
        return false;
    }
    const struct catalog_entry *offer = catalog_require(&catalog, CATALOG_KERNEL, name, err);
    if (offer == NULL) {
        return false;
    }
    if (!offer->is_usable) {
        return error_set(err, ERROR_CONFIG, "kernel %s cannot be pulled from the catalog %s: %s",
            name, catalog_source_name(&catalog, offer), offer->why_unusable);
    }
    if (command_is_dry_run(ops->command)) {
        bool is_complete = false;
        if (!ops_catalog_ask_apt(ops, &catalog, true, &is_complete, err)) {
            return false;
        }
        *result = plan_pull(ops, offer);
        return true;
    }
    return pull_locked(ops, offer, is_forced, is_here, result, err);
}

bool ops_kernel_ensure(struct ops *ops, const char *name, struct error *err)
{
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    struct error missing = {0};
    if (kernel_store_read(ops->store, name, &entry, &missing)) {
        if (entry.is_damaged) {
            return error_set(err, ERROR_FORMAT,
                "kernel %s is damaged (%s): `kernel pull %s --force` replaces it", name,
                entry.damage, name);
        }
        return true;
    }
    if (missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    struct command *pull = command_new(verb_find("kernel", "pull"));
    if (!command_set(pull, "name", name, err) || !command_set(pull, "if-absent", NULL, err)) {
        command_free(pull);
        return false;
    }
    return ops_call(ops, pull, NULL, err) ||
           error_wrap(err, "kernel %s is not here and could not be pulled", name);
}

bool ops_kernel_plan(struct ops *ops, const char *name, struct json *plan, struct error *err)
{
    if (!file_is_absent(store_kind_dir(ops->store, STORE_KERNEL), name)) {
        return true;
    }
    auto_done(catalog) struct catalog catalog = {0};
    if (!ops_catalog_load(ops, false, &catalog, err)) {
        return false;
    }
    const struct catalog_entry *offer = catalog_require(&catalog, CATALOG_KERNEL, name, err);
    if (offer == NULL) {
        return false;
    }
    auto_free char *object = memory_printf("kernel/%s", name);
    ops_plan_add(plan, "pull", object, offer->size_bytes);
    return true;
}
