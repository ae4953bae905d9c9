/* SPDX-License-Identifier: MIT */
/* kernel verify: is what lies on the disk still what was recorded? */
#include "artifact/hash.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/kernel_store.h"
#include "store/lock.h"

#include <string.h>
#include <unistd.h>

bool ops_kernel_hash(
    struct ops *ops, const struct kernel_entry *entry, struct digest *found, struct error *err)
{
    auto_close int dir = kernel_store_open(ops->store, entry->name, err);
    auto_close int kernel = dir < 0 ? -1 : file_open_read(dir, KERNEL_FILE, err);
    struct digest expected;
    if (kernel < 0) {
        return false;
    }
    bool has_expected = entry->sha256 != NULL && digest_parse(entry->sha256, &expected);
    if (has_expected) {
        progress_digest(ops->progress, &expected, NULL);
    }
    if (!hash_fd(kernel, entry->name, ops->progress, ops->cancel, found, err)) {
        return false;
    }
    if (has_expected) {
        progress_digest(ops->progress, &expected, found);
    }
    if (has_expected && !digest_equal(&expected, found)) {
        char hex[DIGEST_HEX_LEN + 1];
        return error_set(err, ERROR_DIGEST,
            "kernel %s has changed on the disk: its SHA-256 is %.12s…, recorded was %.12s…; pull "
            "or import it again with --force",
            entry->name, digest_format(found, hex), entry->sha256);
    }
    return true;
}

/* Lists tell of it from now on, or no longer. Nothing is written while the verdict stays as it was,
 * by a read-only seat, or when the entry was replaced meanwhile. */
static void record(struct ops *ops, const struct kernel_entry *entry, const char *found)
{
    bool is_news = (entry->found_sha256 != NULL) != (found != NULL);
    if (!is_news || ops->config->is_readonly || !entry->has_manifest || entry->is_newer) {
        return;
    }
    struct error failure = {0};
    auto_lock struct lock *lock = ops_lock(ops, STORE_KERNEL, entry->name, "verify", &failure);
    auto_done(kernel_entry) struct kernel_entry now = {0};
    bool is_same = lock != NULL && kernel_store_read(ops->store, entry->name, &now, &failure) &&
                   now.sha256 != NULL && strcmp(now.sha256, entry->sha256) == 0;
    if (is_same && !kernel_store_record_found(ops->store, &now, found, &failure)) {
        state_log(ops->state, LOG_WARNING, "the verdict on kernel %s is not recorded: %s",
            entry->name, failure.text);
    }
}

/* The row of one kernel; what was found wrong is in err as well. */
static struct json *verify_entry(struct ops *ops, struct kernel_entry *entry, struct error *err)
{
    struct digest digest;
    char hex[DIGEST_HEX_LEN + 1];
    if (entry->unread.errnum != 0) {
        unread_error(&entry->unread, "kernel", entry->name, err);
    } else if (entry->is_damaged && !entry->has_kernel) {
        error_set(err, ERROR_FORMAT, "kernel %s is damaged: %s", entry->name, entry->damage);
    } else if (ops_kernel_hash(ops, entry, &digest, err)) {
        if (entry->sha256 != NULL) {
            record(ops, entry, NULL);
            free(take_ptr(entry->found_sha256));
        }
    } else if (err->code == ERROR_DIGEST) {
        digest_format(&digest, hex);
        record(ops, entry, hex);
        free(take_ptr(entry->found_sha256));
        entry->found_sha256 = memory_strdup(hex);
    }
    if (err->code == ERROR_NONE && entry->is_damaged) {
        error_set(err, ERROR_FORMAT, "kernel %s is damaged: %s", entry->name, entry->damage);
    }
    struct json *row = ops_result(entry->name, false);
    json_put_string(row, "sha256", entry->sha256);
    json_put_string(row, "found_sha256", entry->found_sha256);
    json_put_string(row, "verified", verified_state_name(ops_kernel_verified(entry)));
    json_put_string(row, "damage", entry->damage);
    unread_put(&entry->unread, row);
    return row;
}

static bool verify_all(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(kernel_list) struct kernel_list list = {0};
    if (!kernel_store_list(ops->store, &list, err)) {
        return false;
    }
    auto_json struct json *rows = json_new_array();
    struct error first = {0};
    size_t bad = 0;
    for (size_t i = 0; i < list.count; i++) {
        struct error failure = {0};
        progress_note(ops->progress, "%s (%zu of %zu)", list.items[i].name, i + 1, list.count);
        json_append(rows, verify_entry(ops, &list.items[i], &failure));
        if (failure.code == ERROR_CANCELLED) {
            *err = failure;
            return false;
        }
        bad += failure.code != ERROR_NONE;
        first = first.code == ERROR_NONE ? failure : first;
    }
    *result = take_ptr(rows);
    if (bad > 1) {
        return error_set(err, first.code, "%zu of %zu kernels are bad or could not be read: %s",
            bad, list.count, first.text);
    }
    *err = first;
    return bad == 0;
}

bool ops_kernel_verify(struct ops *ops, struct json **result, struct error *err)
{
    const char *word = command_get(ops->command, "name");
    if (word == NULL) {
        return verify_all(ops, result, err);
    }
    auto_free char *name = ops_kernel_resolve(ops, word, err);
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    if (name == NULL || !kernel_store_read(ops->store, name, &entry, err)) {
        return false;
    }
    *result = verify_entry(ops, &entry, err);
    return err->code == ERROR_NONE;
}
