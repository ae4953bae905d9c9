/* SPDX-License-Identifier: MIT */
#pragma once

/* The content-addressed cache: cache/blobs/sha256/<hex>, one verified file per digest, shared by
 * all images. cache_dir is a descriptor of that directory. A file gets its name by rename after its
 * digest was proved and is never changed; everything in it can be fetched again.
 *
 * Who works with blobs over some time holds the cache (shared lock on ".lock" in it), so that
 * pruning waits its turn. Any thread, any number of processes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct error;
struct oci_descriptor;
struct text;

/* A descriptor for reading at offset 0; the file was verified when it came in (damage done to it
 * since shows in the diff_id). ERROR_NOT_FOUND when it is not there. -1 on failure. */
int blob_cache_open(int cache_dir, const struct digest *digest, struct error *err);
/* Whether a file of that name and size is there. */
bool blob_cache_has(int cache_dir, const struct oci_descriptor *blob);
/* Reads a small blob and proves it once more. False with *err only where it should have worked:
 * absent is ERROR_NOT_FOUND; a damaged one is removed and absent too. */
bool blob_cache_read(
    int cache_dir, const struct oci_descriptor *blob, struct text *bytes, struct error *err);

/* Publishes a part that http_download proved: syncs fd and moves it in. The part's lock must still
 * be held: it is what keeps the name ours. A part that somebody else has published meanwhile is
 * success, and whatever goes by its name by then is left alone. */
bool blob_cache_take_part(int cache_dir, const struct digest *digest, int parts_dir,
    const char *part_name, int fd, struct error *err);
/* Publishes bytes whose digest the caller has proved. */
bool blob_cache_put(
    int cache_dir, const struct digest *digest, const void *bytes, size_t len, struct error *err);
/* Forgets a blob that turned out to be damaged; missing is success. */
bool blob_cache_remove(int cache_dir, const struct digest *digest, struct error *err);

/* A descriptor that keeps everything in the cache until it is closed; waits while somebody prunes.
 * -1 on failure. */
int blob_cache_hold(int cache_dir, struct error *err);

struct blob_cache_tally {
    uint64_t blobs;
    uint64_t bytes; /* on disk */
};

/* Removes every blob, or only counts them. ERROR_BUSY while somebody holds the cache (not for
 * counting). */
bool blob_cache_prune(
    int cache_dir, bool is_dry_run, struct blob_cache_tally *tally, struct error *err);
