/* SPDX-License-Identifier: MIT */
#include "artifact/tar_writer.h"

#include <stdio.h>
#include <string.h>

#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define SIZE_FIELD_MAX 077777777777ULL
#define NAME_LEN 100

/* One ustar header block. */
struct header {
    char name[NAME_LEN];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char sum[8];
    char type;
    char link[NAME_LEN];
    char magic[6];
    char version[2];
    char uname[32];
    char gname[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a header is one block");

static bool put(struct tar_writer *writer, const void *bytes, size_t len, struct error *err)
{
    if (len > 0 && !writer->sink(writer->context, bytes, len, err)) {
        return false;
    }
    writer->total_bytes += len;
    return true;
}

static bool put_zeros(struct tar_writer *writer, size_t len, struct error *err)
{
    static const char zeros[2 * TAR_BLOCK];
    return put(writer, zeros, len, err);
}

/* As much of it as the field holds; the rest is in the pax header. */
static void fill(char field[NAME_LEN], const char *text)
{
    size_t len = strlen(text);
    memcpy(field, text, len < NAME_LEN ? len : NAME_LEN);
}

static bool put_header(struct tar_writer *writer, char type, const char *path, const char *target,
    uint64_t size_bytes, struct error *err)
{
    struct header header = {.type = type, .magic = "ustar", .version = {'0', '0'}};
    unsigned mode = type == '5' ? 0755 : type == '2' ? 0777 : 0644;
    uint64_t said = size_bytes < SIZE_FIELD_MAX ? size_bytes : SIZE_FIELD_MAX;
    fill(header.name, path);
    fill(header.link, target);
    snprintf(header.mode, sizeof header.mode, "%07o", mode);
    snprintf(header.uid, sizeof header.uid, "%07o", 0U);
    snprintf(header.gid, sizeof header.gid, "%07o", 0U);
    snprintf(header.size, sizeof header.size, "%011llo", (unsigned long long)said);
    snprintf(header.mtime, sizeof header.mtime, "%011o", 0U);
    snprintf(header.major, sizeof header.major, "%07o", 0U);
    snprintf(header.minor, sizeof header.minor, "%07o", 0U);
    memset(header.sum, ' ', sizeof header.sum);
    unsigned char bytes[sizeof header];
    memcpy(bytes, &header, sizeof header);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        sum += bytes[i];
    }
    snprintf(header.sum, sizeof header.sum, "%06o", sum);
    return put(writer, &header, sizeof header, err);
}

/* "LEN key=value\n", where LEN counts its own digits. */
static void add_record(struct text *body, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3;
    size_t len = rest + 1;
    char digits[24];
    while (rest + (size_t)snprintf(digits, sizeof digits, "%zu", len) != len) {
        len++;
    }
    text_printf(body, "%s %s=%s\n", digits, key, value);
}

static bool is_utf8(const char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        unsigned code_point;
        int used = text_decode_utf8(text + at, len - at, &code_point);
        if (used <= 0) {
            return false;
        }
        at += (size_t)used;
    }
    return true;
}

static bool put_member(struct tar_writer *writer, char type, const char *path, const char *target,
    uint64_t size_bytes, struct error *err)
{
    auto_done(text) struct text body = {0};
    if (!is_utf8(path) || !is_utf8(target)) {
        return error_set(
            err, ERROR_FORMAT, "the name %s is not UTF-8 and cannot go into a bundle", path);
    }
    if (strlen(path) > NAME_LEN) {
        add_record(&body, "path", path);
    }
    if (strlen(target) > NAME_LEN) {
        add_record(&body, "linkpath", target);
    }
    if (size_bytes > SIZE_FIELD_MAX) {
        char digits[24];
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)size_bytes);
        add_record(&body, "size", digits);
    }
    size_t padding = (TAR_BLOCK - body.len % TAR_BLOCK) % TAR_BLOCK;
    if (body.len > 0 &&
        (!put_header(writer, 'x', "pax", "", body.len, err) ||
            !put(writer, text_cstr(&body), body.len, err) || !put_zeros(writer, padding, err))) {
        return false;
    }
    return put_header(writer, type, path, target, size_bytes, err);
}

bool tar_write_directory(struct tar_writer *writer, const char *path, struct error *err)
{
    auto_done(text) struct text name = {0};
    text_printf(&name, "%s/", path);
    return put_member(writer, '5', text_cstr(&name), "", 0, err);
}

bool tar_write_symlink(
    struct tar_writer *writer, const char *path, const char *target, struct error *err)
{
    return put_member(writer, '2', path, target, 0, err);
}

bool tar_write_file(
    struct tar_writer *writer, const char *path, uint64_t size_bytes, struct error *err)
{
    writer->member_bytes = size_bytes;
    writer->member_padding = (TAR_BLOCK - size_bytes % TAR_BLOCK) % TAR_BLOCK;
    return put_member(writer, '0', path, "", size_bytes, err);
}

bool tar_write_data(struct tar_writer *writer, const void *bytes, size_t len, struct error *err)
{
    if (len > writer->member_bytes) {
        return error_set(err, ERROR_BUG, "more data than the tar header says");
    }
    if (!put(writer, bytes, len, err)) {
        return false;
    }
    writer->member_bytes -= len;
    return writer->member_bytes > 0 || put_zeros(writer, writer->member_padding, err);
}

bool tar_write_end(struct tar_writer *writer, struct error *err)
{
    return put_zeros(writer, 2 * TAR_BLOCK, err);
}
