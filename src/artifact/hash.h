/* SPDX-License-Identifier: MIT */
#pragma once

/* Computes SHA-256 over bytes as they pass by (FIPS 180-4, by OpenSSL's EVP, which uses the
 * processor's SHA instructions). The only place that does. OpenSSL is first touched by the first
 * hash_new. Any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct digest;
struct error;
struct progress;

struct hash;

struct hash *hash_new(void) __attribute__((returns_nonnull));
void hash_free(struct hash *hash);
void hash_auto_free(struct hash **hash);
#define auto_hash __attribute__((cleanup(hash_auto_free)))

void hash_update(struct hash *hash, const void *bytes, size_t len);
/* The digest of everything so far. More may follow and be finished again. */
void hash_finish(const struct hash *hash, struct digest *digest);
/* Forgets everything so far. */
void hash_reset(struct hash *hash);

/* Adds the next len bytes of fd, from offset on, by pread; fewer in the file is ERROR_IO. Reports
 * PROGRESS_VERIFY of offset + len bytes. `shown` names the file in errors. */
bool hash_update_fd(struct hash *hash, int fd, const char *shown, uint64_t offset, uint64_t len,
    const struct progress *progress, const struct cancel *cancel, struct error *err);
/* The digest of the whole file from offset 0, by pread: the position of fd does not matter and does
 * not move. ERROR_IO, ERROR_CANCELLED. */
bool hash_fd(int fd, const char *shown, const struct progress *progress,
    const struct cancel *cancel, struct digest *digest, struct error *err);
/* The digest of what a sparse file holds, the same however its holes are laid out and in a time that
 * grows with its data only: every 4 KiB block that is not all zeros behind its number (8 bytes,
 * little-endian), in order, then the size of the file likewise. Errors as hash_fd. */
bool hash_content(int fd, const char *shown, const struct progress *progress,
    const struct cancel *cancel, struct digest *digest, struct error *err);
/* The digest of len bytes in memory. */
void hash_bytes(const void *bytes, size_t len, struct digest *digest);
