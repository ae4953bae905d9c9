/* SPDX-License-Identifier: MIT */
/* image verify and history: whether images are still what was published, and how they were made. */
#include "artifact/hash.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/image/ops_image.h"
#include "engine/image/ops_image_draft.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/snapshot.h"
#include "store/image_store.h"
#include "store/kernel_store.h"

#include <fcntl.h>

/* One digest of an image against what its manifest says. */
struct proof {
    const char *file; /* in the entry */
    const char *recorded;
    bool (*compute)(int fd, const char *shown, const struct progress *progress,
        const struct cancel *cancel, struct digest *digest, struct error *err);
};

/* False with *err only where the file cannot be read; what is there but another is told by
 * *is_same. */
static bool prove(struct ops *ops, const struct image_entry *entry, const struct proof *proof,
    struct digest *found, bool *is_same, struct error *err)
{
    auto_free char *path = store_entry_path(ops->store, STORE_IMAGE, entry->name, proof->file);
    auto_close int fd = file_open_read(AT_FDCWD, path, err);
    struct digest expected;
    if (fd < 0 || !proof->compute(fd, path, ops->progress, ops->cancel, found, err)) {
        return false;
    }
    *is_same = digest_parse(proof->recorded, &expected) && digest_equal(&expected, found);
    progress_digest(ops->progress, &expected, found);
    return true;
}

static void tell_mismatch(struct json *row, const struct image_entry *entry, const char *file,
    const struct digest *found, struct error *first)
{
    char hex[DIGEST_HEX_LEN + 1];
    json_put_string(row, "file", file);
    json_put_string(row, "found_sha256", digest_format(found, hex));
    if (first->code == ERROR_NONE) {
        error_set(first, ERROR_DIGEST,
            "%s of image %s is not what was published any more: remove the image and pull or "
            "register it again",
            file, entry->name);
    }
}

/* Reads the managed files of one image. False when it cannot be gone on with (cancelled). */
static bool verify_files(struct ops *ops, const struct image_entry *entry, struct json *row,
    enum verified_state *verified, struct error *first, struct error *err)
{
    const struct proof proofs[] = {
        {IMAGE_ROOTFS, entry->content_sha256, hash_content},
        {IMAGE_KERNEL "/" KERNEL_FILE, entry->kernel_sha256, hash_fd},
    };
    for (size_t i = 0; i < array_length(proofs); i++) {
        struct digest found;
        struct error failure = {0};
        bool is_same = false;
        if (proofs[i].recorded == NULL) {
            continue;
        }
        *verified = *verified == VERIFIED_NONE ? VERIFIED_RECORDED : *verified;
        if (!prove(ops, entry, &proofs[i], &found, &is_same, &failure)) {
            if (failure.code == ERROR_CANCELLED) {
                *err = failure;
                return false;
            }
            json_put_string(row, "damage", failure.text);
            *first = first->code == ERROR_NONE ? failure : *first;
            return true;
        }
        if (!is_same) {
            *verified = VERIFIED_MISMATCH;
            tell_mismatch(row, entry, proofs[i].file, &found, first);
            return true;
        }
    }
    return true;
}

static bool verify_one(
    struct ops *ops, const char *name, struct json *rows, struct error *first, struct error *err)
{
    auto_done(image_entry) struct image_entry entry = {0};
    struct error failure = {0};
    if (!image_store_read(ops->store, name, &entry, &failure) && !error_is_blind(&failure)) {
        *err = failure;
        return false;
    }
    struct json *row = json_new_object();
    json_append(rows, row);
    json_put_string(row, "name", name);
    enum verified_state verified = VERIFIED_NONE;
    if (failure.code != ERROR_NONE) {
        unread_put(&entry.unread, row);
        *first = first->code == ERROR_NONE ? failure : *first;
    } else if (entry.is_damaged) {
        json_put_string(row, "damage", entry.damage);
        if (first->code == ERROR_NONE) {
            error_set(first, ERROR_FORMAT, "image %s is damaged (%s)", name, entry.damage);
        }
    } else if (!verify_files(ops, &entry, row, &verified, first, err)) {
        return false;
    }
    if (verified == VERIFIED_RECORDED && entry.source != NULL &&
        text_has_prefix(entry.source, "pull:")) {
        verified = VERIFIED_PULL;
    }
    json_put_string(row, "verified", verified_state_name(verified));
    json_put_string(row, "content_sha256", entry.content_sha256);
    return true;
}

bool ops_image_each(struct ops *ops, struct strings *names, struct error *err)
{
    const struct strings *words = command_all(ops->command, "name");
    auto_done(image_list) struct image_list list = {0};
    auto_done(strings) struct strings all = {0};
    if (!image_store_list(ops->store, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        strings_add(words->count > 0 ? &all : names, list.items[i].name);
    }
    for (size_t i = 0; i < words->count; i++) {
        const char *name = ops_resolve_name("image", &all, words->items[i], err);
        if (name == NULL) {
            return false;
        }
        if (!strings_contain(names, name)) {
            strings_add(names, name);
        }
    }
    return true;
}

bool ops_image_verify(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    auto_json struct json *rows = json_new_array();
    struct error first = {0};
    if (!ops_image_each(ops, &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (!verify_one(ops, names.items[i], rows, &first, err)) {
            return false;
        }
    }
    *result = take_ptr(rows);
    *err = first.code != ERROR_NONE ? first : *err;
    return first.code == ERROR_NONE;
}

/* Of an image that tells nothing: where it came from. */
static struct json *history_of(const struct image_entry *entry)
{
    if (json_count(entry->history) > 0) {
        return json_copy(entry->history);
    }
    struct json *history = NULL;
    char stamp[CLOCK_TEXT_LEN];
    image_history_add(&history,
        entry->created_at != 0 ? clock_format(entry->created_at, stamp) : NULL, entry->source,
        entry->size_bytes, entry->digest);
    return history;
}

bool ops_image_history(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    auto_done(image_entry) struct image_entry entry = {0};
    if (!ops_image_each(ops, &names, err) ||
        !image_store_read(ops->store, names.items[0], &entry, err)) {
        return false;
    }
    /* Newest first, as everybody else shows it. */
    auto_json struct json *oldest_first = history_of(&entry);
    struct json *rows = json_new_array();
    for (size_t i = json_count(oldest_first); i > 0; i--) {
        json_append(rows, json_copy(json_at(oldest_first, i - 1)));
    }
    *result = rows;
    return true;
}
