/* SPDX-License-Identifier: MIT */
#include "artifact/tar_block.h"

#include <string.h>

#include "base/error.h"

/* Where the fields lie. */
enum {
    NAME_AT = 0,
    NAME_LEN = 100,
    MODE_AT = 100,
    UID_AT = 108,
    GID_AT = 116,
    ID_LEN = 8,
    SIZE_AT = 124,
    MTIME_AT = 136,
    LONG_LEN = 12,
    SUM_AT = 148,
    TYPE_AT = 156,
    LINK_AT = 157,
    MAGIC_AT = 257,
    MAGIC_LEN = 8,
    UNAME_AT = 265,
    GNAME_AT = 297,
    OWNER_LEN = 32,
    MAJOR_AT = 329,
    MINOR_AT = 337,
    PREFIX_AT = 345,
    PREFIX_LEN = 155,
    PAD_AT = 500,
    /* GNU's use of the prefix field */
    GNU_TIMES_AT = 345,
    GNU_TIMES_LEN = 24,
    GNU_SPARSE_AT = 369, /* offset, long names */
    GNU_MAP_AT = 386,    /* of a sparse file, is-extended, real size */
    GNU_MAP_END = 495,
};

#define SIZE_FIELD_MAX 077777777777ULL

bool tar_block_is_zero(const uint8_t bytes[TAR_BLOCK])
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, TAR_BLOCK - 1) == 0;
}

static enum tar_number read_binary(const uint8_t *field, size_t len, int64_t *number)
{
    uint8_t fill = field[0] == 0xff ? 0xff : 0;
    for (size_t i = 1; i + 8 < len; i++) {
        if (field[i] != fill) {
            return TAR_NUMBER_RANGE;
        }
    }
    uint64_t bits = fill ? UINT64_MAX : 0;
    for (size_t i = len > 8 ? len - 8 : 1; i < len; i++) {
        bits = bits << 8 | field[i];
    }
    if ((bits >> 63 != 0) != (fill != 0)) {
        return TAR_NUMBER_RANGE;
    }
    *number = (int64_t)bits;
    return TAR_NUMBER_OK;
}

enum tar_number tar_block_number(const uint8_t *field, size_t len, int64_t *number)
{
    if (field[0] == 0x80 || field[0] == 0xff) {
        return read_binary(field, len, number);
    }
    if (field[0] & 0x80) {
        return TAR_NUMBER_RANGE;
    }
    size_t at = 0;
    while (at < len && field[at] == ' ') {
        at++;
    }
    size_t first = at;
    int64_t sum = 0;
    while (at < len && field[at] >= '0' && field[at] <= '7') {
        sum = sum * 8 + (field[at++] - '0');
    }
    size_t digits = at - first;
    while (at < len && (field[at] == '\0' || field[at] == ' ')) {
        at++;
    }
    if (at < len) {
        return TAR_NUMBER_BAD;
    }
    if (digits == 0) {
        return TAR_NUMBER_BLANK;
    }
    *number = sum;
    return TAR_NUMBER_OK;
}

/* Copies a field that ends at its first NUL or is full; behind the NUL only NULs may come, lest
 * another reader see more than we do. */
static bool read_text(const uint8_t *field, size_t len, char *out)
{
    const uint8_t *end = memchr(field, '\0', len);
    size_t used = end ? (size_t)(end - field) : len;
    for (size_t i = used; i < len; i++) {
        if (field[i] != 0) {
            return false;
        }
    }
    memcpy(out, field, used);
    out[used] = '\0';
    return true;
}

static bool read_format(const uint8_t *bytes, enum tar_format *format, struct error *err)
{
    if (memcmp(bytes + MAGIC_AT,
            "ustar\0"
            "00",
            MAGIC_LEN) == 0) {
        *format = TAR_FORMAT_POSIX;
        return true;
    }
    if (memcmp(bytes + MAGIC_AT, "ustar  \0", MAGIC_LEN) == 0) {
        *format = TAR_FORMAT_GNU;
        return true;
    }
    return error_set(err, ERROR_FORMAT, "this is no ustar header");
}

static bool check_sum(const uint8_t *bytes, struct error *err)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += i >= SUM_AT && i < SUM_AT + ID_LEN ? ' ' : bytes[i];
    }
    int64_t promised = 0;
    if (tar_block_number(bytes + SUM_AT, ID_LEN, &promised) != TAR_NUMBER_OK || promised != sum) {
        return error_set(err, ERROR_FORMAT, "the header's checksum is wrong");
    }
    return true;
}

static bool check_tail(const uint8_t *bytes, const struct tar_block *block,
    enum tar_profile profile, struct error *err)
{
    size_t from = block->format == TAR_FORMAT_GNU ? GNU_SPARSE_AT : PAD_AT;
    if (block->format == TAR_FORMAT_POSIX && profile != TAR_BUNDLE) {
        return true;
    }
    bool has_map = block->typeflag == 'S';
    for (size_t i = from; i < TAR_BLOCK; i++) {
        bool is_map = has_map && i >= GNU_MAP_AT && i < GNU_MAP_END;
        if (bytes[i] != 0 && !is_map) {
            return error_set(err, ERROR_FORMAT, "the header's unused fields are not empty");
        }
    }
    return true;
}

static bool join_path(const uint8_t *bytes, struct tar_block *block, struct error *err)
{
    char prefix[PREFIX_LEN + 1] = "";
    char name[NAME_LEN + 1];
    if (!read_text(bytes + NAME_AT, NAME_LEN, name) ||
        !read_text(bytes + LINK_AT, NAME_LEN, block->link) ||
        (block->format == TAR_FORMAT_POSIX && !read_text(bytes + PREFIX_AT, PREFIX_LEN, prefix))) {
        return error_set(err, ERROR_FORMAT, "a name in the header goes on behind its end");
    }
    size_t len = strlen(prefix);
    if (len > 0 && prefix[len - 1] == '/') {
        return error_set(err, ERROR_FORMAT, "the header's name prefix ends in a slash");
    }
    if (len > 0) {
        memcpy(block->path, prefix, len);
        block->path[len++] = '/';
    }
    memcpy(block->path + len, name, strlen(name) + 1);
    return true;
}

static bool read_size(const uint8_t *bytes, struct tar_block *block, struct error *err)
{
    int64_t size = 0;
    if (tar_block_number(bytes + SIZE_AT, LONG_LEN, &size) != TAR_NUMBER_OK || size < 0) {
        return error_set(err, ERROR_FORMAT, "the header's size is no size");
    }
    block->size_bytes = (uint64_t)size;
    block->is_size_saturated = size == 0 || block->size_bytes == SIZE_FIELD_MAX;
    return true;
}

/* A number that is only data about the file: a bundle's is ignored, so it may be out of range. */
static bool read_fact(const uint8_t *field, size_t len, enum tar_profile profile, int64_t min,
    int64_t max, int64_t *number, struct error *err)
{
    int64_t value = 0;
    switch (tar_block_number(field, len, &value)) {
    case TAR_NUMBER_OK:
        if (value >= min && value <= max) {
            *number = value;
            return true;
        }
        break;
    case TAR_NUMBER_BLANK:
        return true;
    case TAR_NUMBER_RANGE:
        break;
    case TAR_NUMBER_BAD:
        return error_set(err, ERROR_FORMAT, "a number in the header is none");
    }
    return profile == TAR_BUNDLE ||
           error_set(err, ERROR_FORMAT, "a number in the header is out of range");
}

bool tar_block_decode(const uint8_t bytes[TAR_BLOCK], enum tar_profile profile,
    struct tar_block *block, struct error *err)
{
    struct tar_block result = {.typeflag = (char)bytes[TYPE_AT]};
    int64_t mode = 0, uid = 0, gid = 0, mtime = 0, major = 0, minor = 0, time = 0;
    char owner[OWNER_LEN + 1];
    if (!read_format(bytes, &result.format, err) || !check_sum(bytes, err) ||
        !check_tail(bytes, &result, profile, err) || !join_path(bytes, &result, err) ||
        !read_size(bytes, &result, err) ||
        !read_fact(bytes + MODE_AT, ID_LEN, profile, 0, UINT32_MAX, &mode, err) ||
        !read_fact(bytes + UID_AT, ID_LEN, profile, 0, UINT32_MAX - 1, &uid, err) ||
        !read_fact(bytes + GID_AT, ID_LEN, profile, 0, UINT32_MAX - 1, &gid, err) ||
        !read_fact(bytes + MTIME_AT, LONG_LEN, profile, INT64_MIN, INT64_MAX, &mtime, err) ||
        !read_fact(bytes + MAJOR_AT, ID_LEN, profile, 0, UINT32_MAX, &major, err) ||
        !read_fact(bytes + MINOR_AT, ID_LEN, profile, 0, UINT32_MAX, &minor, err)) {
        return false;
    }
    if (!read_text(bytes + UNAME_AT, OWNER_LEN, owner) ||
        !read_text(bytes + GNAME_AT, OWNER_LEN, owner)) {
        return error_set(err, ERROR_FORMAT, "a name in the header goes on behind its end");
    }
    for (size_t i = 0; result.format == TAR_FORMAT_GNU && i < GNU_TIMES_LEN; i += LONG_LEN) {
        if (!read_fact(
                bytes + GNU_TIMES_AT + i, LONG_LEN, profile, INT64_MIN, INT64_MAX, &time, err)) {
            return false;
        }
    }
    result.mode = (uint32_t)mode & 07777;
    result.uid = (uint64_t)uid;
    result.gid = (uint64_t)gid;
    result.mtime = mtime;
    result.device_major = (uint32_t)major;
    result.device_minor = (uint32_t)minor;
    *block = result;
    return true;
}
