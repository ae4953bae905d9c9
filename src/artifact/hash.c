/* SPDX-License-Identifier: MIT */
#include "artifact/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/behind.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"

#define READ_CHUNK ((size_t)256 << 10)
#define CONTENT_BLOCK ((size_t)4096)

struct hash {
    EVP_MD_CTX *context;
};

/* With SHA-256 and valid arguments OpenSSL fails for want of memory only; a digest that may be
 * wrong must not be returned. */
static void must_succeed(int openssl_result)
{
    if (openssl_result != 1) {
        abort();
    }
}

struct hash *hash_new(void)
{
    struct hash *hash = memory_zero(1, sizeof *hash);
    hash->context = EVP_MD_CTX_new();
    must_succeed(hash->context != NULL);
    must_succeed(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL));
    return hash;
}

void hash_free(struct hash *hash)
{
    if (hash != NULL) {
        EVP_MD_CTX_free(hash->context);
        free(hash);
    }
}

void hash_auto_free(struct hash **hash)
{
    hash_free(*hash);
}

void hash_update(struct hash *hash, const void *bytes, size_t len)
{
    must_succeed(EVP_DigestUpdate(hash->context, bytes, len));
}

void hash_finish(const struct hash *hash, struct digest *digest)
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    must_succeed(copy != NULL);
    must_succeed(EVP_MD_CTX_copy_ex(copy, hash->context));
    unsigned len = 0;
    must_succeed(EVP_DigestFinal_ex(copy, digest->bytes, &len));
    must_succeed(len == sizeof digest->bytes);
    EVP_MD_CTX_free(copy);
}

void hash_reset(struct hash *hash)
{
    must_succeed(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL));
}

/* Adds what a pread at offset gives, at most len bytes. 0 at the end of the file, -1 on failure. */
static ssize_t update_chunk(struct hash *hash, int fd, const char *shown, char *chunk, size_t len,
    uint64_t offset, struct error *err)
{
    ssize_t got;
    do {
        got = pread(fd, chunk, len, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        error_set_errno(err, errno, "cannot read %s", shown);
        return -1;
    }
    hash_update(hash, chunk, (size_t)got);
    return got;
}

bool hash_update_fd(struct hash *hash, int fd, const char *shown, uint64_t offset, uint64_t len,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    auto_free char *chunk = memory_alloc(READ_CHUNK);
    uint64_t end = offset + len;
    while (offset < end) {
        if (cancel_check(cancel, err)) {
            return false;
        }
        size_t want = end - offset < READ_CHUNK ? (size_t)(end - offset) : READ_CHUNK;
        ssize_t got = update_chunk(hash, fd, shown, chunk, want, offset, err);
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            return error_set(err, ERROR_IO, "%s became shorter while it was read", shown);
        }
        offset += (uint64_t)got;
        progress_report(progress, PROGRESS_VERIFY, PROGRESS_BYTES, offset, end);
    }
    return true;
}

bool hash_fd(int fd, const char *shown, const struct progress *progress,
    const struct cancel *cancel, struct digest *digest, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", shown);
    }
    auto_free char *chunk = memory_alloc(READ_CHUNK);
    auto_hash struct hash *hash = hash_new();
    uint64_t offset = 0;
    for (;;) {
        if (cancel_check(cancel, err)) {
            return false;
        }
        ssize_t got = update_chunk(hash, fd, shown, chunk, READ_CHUNK, offset, err);
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            hash_finish(hash, digest);
            return true;
        }
        offset += (uint64_t)got;
        progress_report(progress, PROGRESS_VERIFY, PROGRESS_BYTES, offset,
            (uint64_t)status.st_size > offset ? (uint64_t)status.st_size : offset);
    }
}

static void update_number(struct hash *hash, uint64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(number >> (8 * i));
    }
    hash_update(hash, bytes, sizeof bytes);
}

/* Blocks of a file from offset on, each with its number before it. */
static bool update_blocks(
    void *context, uint8_t *bytes, size_t len, uint64_t offset, struct error *err)
{
    (void)err;
    struct hash *hash = context;
    for (size_t at = 0; at < len; at += CONTENT_BLOCK) {
        if (!memory_is_zero(bytes + at, CONTENT_BLOCK)) {
            update_number(hash, (offset + at) / CONTENT_BLOCK);
            hash_update(hash, bytes + at, CONTENT_BLOCK);
        }
    }
    return true;
}

/* As many blocks as make a piece, for the hash; the last block is filled up with zeros. */
static bool read_blocks(struct behind *behind, int fd, const char *shown, uint64_t offset,
    uint64_t end, struct error *err)
{
    uint8_t *chunk = behind_piece(behind);
    size_t want = end - offset < READ_CHUNK ? (size_t)(end - offset) : READ_CHUNK;
    ssize_t got = file_read_at(fd, shown, chunk, want, offset, err);
    if (got < 0) {
        return false;
    }
    if ((size_t)got < want) {
        return error_set(err, ERROR_IO, "%s became shorter while it was read", shown);
    }
    size_t rest = (CONTENT_BLOCK - want % CONTENT_BLOCK) % CONTENT_BLOCK;
    memset(chunk + want, 0, rest);
    return behind_put(behind, want + rest, offset, err);
}

/* From `at` on, the block in which the next data begins; `size` when there is none. A file system
 * that knows no holes calls everything data. */
static uint64_t next_data(int fd, uint64_t at, uint64_t size)
{
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    if (data < 0) {
        return errno == ENXIO ? size : at;
    }
    return (uint64_t)data / CONTENT_BLOCK * CONTENT_BLOCK;
}

bool hash_content(int fd, const char *shown, const struct progress *progress,
    const struct cancel *cancel, struct digest *digest, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", shown);
    }
    auto_hash struct hash *hash = hash_new();
    auto_behind struct behind *behind = behind_new(READ_CHUNK, update_blocks, hash);
    uint64_t size = (uint64_t)status.st_size;
    for (uint64_t at = next_data(fd, 0, size); at < size; at = next_data(fd, at, size)) {
        if (cancel_check(cancel, err) || !read_blocks(behind, fd, shown, at, size, err)) {
            return false;
        }
        at = size - at < READ_CHUNK ? size : at + READ_CHUNK;
        progress_report(progress, PROGRESS_VERIFY, PROGRESS_BYTES, at, size);
    }
    if (!behind_wait(behind, err)) {
        return false;
    }
    update_number(hash, size);
    hash_finish(hash, digest);
    return true;
}

void hash_bytes(const void *bytes, size_t len, struct digest *digest)
{
    auto_hash struct hash *hash = hash_new();
    hash_update(hash, bytes, len);
    hash_finish(hash, digest);
}
