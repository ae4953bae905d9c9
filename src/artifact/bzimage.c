/* SPDX-License-Identifier: MIT */
#include "artifact/bzimage.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/decompress.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"

#define CHUNK ((size_t)1 << 20)
#define SECTOR 512

/* The setup header. */
enum {
    SETUP_SECTORS_AT = 0x1f1,
    BOOT_FLAG_AT = 0x1fe,
    MAGIC_AT = 0x202,
    PROTOCOL_AT = 0x206,
    PAYLOAD_OFFSET_AT = 0x248,
    PAYLOAD_LENGTH_AT = 0x24c,
    PROTOCOL_WITH_PAYLOAD = 0x208,
    SETUP_SECTORS_OF_ZERO = 4,
    SIZE_LEN = 4,
};

/* The ELF header. */
enum { ELF_HEADER_LEN = 64, ELF_EXECUTABLE = 2, ELF_X86_64 = 62, ELF_PROGRAM_HEADER_LEN = 56 };

static uint64_t read_little(const uint8_t *at, size_t len)
{
    uint64_t number = 0;
    for (size_t i = len; i > 0; i--) {
        number = number << 8 | at[i - 1];
    }
    return number;
}

bool bzimage_parse(
    const uint8_t *head, size_t len, uint64_t file_bytes, struct bzimage *header, struct error *err)
{
    if (len < BZIMAGE_HEAD_LEN || read_little(head + BOOT_FLAG_AT, 2) != 0xaa55 ||
        memcmp(head + MAGIC_AT, "HdrS", 4) != 0) {
        return error_set(err, ERROR_FORMAT, "it is no bzImage");
    }
    if (read_little(head + PROTOCOL_AT, 2) < PROTOCOL_WITH_PAYLOAD) {
        return error_set(err, ERROR_UNSUPPORTED,
            "its boot protocol is older than 2.08 and does not say where the kernel in it lies");
    }
    uint64_t sectors = head[SETUP_SECTORS_AT] ? head[SETUP_SECTORS_AT] : SETUP_SECTORS_OF_ZERO;
    uint64_t offset = (sectors + 1) * SECTOR + read_little(head + PAYLOAD_OFFSET_AT, 4);
    uint64_t bytes = read_little(head + PAYLOAD_LENGTH_AT, 4);
    if (bytes <= SIZE_LEN || offset > file_bytes || bytes > file_bytes - offset) {
        return error_set(err, ERROR_FORMAT,
            "its header says that the kernel in it lies beyond the end of the file");
    }
    *header = (struct bzimage){.payload_offset = offset, .payload_bytes = bytes};
    return true;
}

bool bzimage_check_elf(const uint8_t *head, size_t len, uint64_t file_bytes, struct error *err)
{
    if (len < ELF_HEADER_LEN || memcmp(head, "\177ELF\2\1", 6) != 0 ||
        read_little(head + 16, 2) != ELF_EXECUTABLE || read_little(head + 18, 2) != ELF_X86_64) {
        return error_set(err, ERROR_FORMAT, "it is no ELF executable for x86-64");
    }
    uint64_t offset = read_little(head + 32, 8);
    uint64_t size = read_little(head + 54, 2);
    uint64_t count = read_little(head + 56, 2);
    if (size != ELF_PROGRAM_HEADER_LEN || count == 0 || offset > file_bytes ||
        size * count > file_bytes - offset) {
        return error_set(err, ERROR_FORMAT, "its program headers do not lie in the file");
    }
    return true;
}

/* Decompresses all of it, which has to become wanted_bytes. */
static bool write_out(struct decompress *stream, int out, uint64_t wanted_bytes,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    auto_free uint8_t *chunk = memory_alloc(CHUNK);
    uint64_t done = 0;
    for (;;) {
        if (cancel_check(cancel, err)) {
            return false;
        }
        ssize_t got = decompress_read(stream, chunk, CHUNK, err);
        if (got < 0) {
            return false;
        }
        if ((uint64_t)got > wanted_bytes - done || (got == 0 && done != wanted_bytes)) {
            return error_set(
                err, ERROR_FORMAT, "the kernel in it is not as large as its last bytes say");
        }
        if (got == 0) {
            return ftruncate(out, (off_t)done) == 0 ||
                   error_set_errno(err, errno, "cannot set the size of the uncompressed kernel");
        }
        if (done == 0 && !bzimage_check_elf(chunk, (size_t)got, wanted_bytes, err)) {
            return error_wrap(err, "the kernel in it");
        }
        if (!file_write_sparse(out, chunk, (size_t)got, done, err)) {
            return false;
        }
        done += (uint64_t)got;
        progress_report(progress, PROGRESS_EXTRACT, PROGRESS_BYTES, done, wanted_bytes);
    }
}

static bool extract(int fd, const char *shown, int out, const struct limits *limits,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    struct stat status;
    uint8_t head[BZIMAGE_HEAD_LEN], size[SIZE_LEN], magic[2];
    struct bzimage header;
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine it");
    }
    ssize_t got = pread(fd, head, sizeof head, 0);
    if (!bzimage_parse(head, got < 0 ? 0 : (size_t)got, (uint64_t)status.st_size, &header, err)) {
        return false;
    }
    uint64_t end = header.payload_offset + header.payload_bytes;
    if (pread(fd, size, sizeof size, (off_t)(end - SIZE_LEN)) != SIZE_LEN ||
        pread(fd, magic, sizeof magic, (off_t)header.payload_offset) != (ssize_t)sizeof magic) {
        return error_set(err, ERROR_IO, "it cannot be read");
    }
    /* gzip's own trailer ends with the size; behind the others it was put. */
    bool is_gzip = magic[0] == 0x1f && magic[1] == 0x8b;
    auto_decompress struct decompress *stream = decompress_new_fd(fd, header.payload_offset,
        header.payload_bytes - (is_gzip ? 0 : SIZE_LEN),
        DECOMPRESS_GZIP | DECOMPRESS_ZSTD | DECOMPRESS_XZ | DECOMPRESS_LZ4, limits, shown, cancel,
        err);
    return stream != NULL &&
           write_out(stream, out, read_little(size, SIZE_LEN), progress, cancel, err);
}

bool bzimage_extract(int fd, const char *shown, int out, const struct limits *limits,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    return extract(fd, shown, out, limits, progress, cancel, err) || error_wrap(err, "%s", shown);
}
