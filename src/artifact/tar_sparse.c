/* SPDX-License-Identifier: MIT */
#include "artifact/tar_sparse.h"

#include <string.h>

#include "artifact/tar_block.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* Where the fields of the old form lie. */
enum {
    HEADER_AT = 386,
    HEADER_PIECES = 4,
    HEADER_MORE_AT = 482,
    REAL_SIZE_AT = 483,
    BLOCK_PIECES = 21,
    BLOCK_MORE_AT = 504,
    NUMBER_LEN = 12,
    NAME_FIELD_LEN = 100,
};

void tar_sparse_done(struct tar_sparse *sparse)
{
    free(sparse->pieces);
    *sparse = (struct tar_sparse){0};
}

static bool fail(struct error *err)
{
    return error_set(err, ERROR_FORMAT, "the map of a sparse member is broken");
}

bool tar_sparse_add(struct tar_sparse *sparse, uint64_t offset, uint64_t len, struct error *err)
{
    const struct tar_piece *last = sparse->count > 0 ? &sparse->pieces[sparse->count - 1] : NULL;
    uint64_t end = 0;
    if (__builtin_add_overflow(offset, len, &end) || end > INT64_MAX ||
        (last && offset < last->offset + last->len)) {
        return fail(err);
    }
    sparse->pairs++;
    if (len == 0) {
        return true;
    }
    if (last && last->len % TAR_BLOCK != 0) {
        return error_set(err, ERROR_FORMAT,
            "the map of a sparse member can be understood in two ways: only its last piece may end "
            "inside a block");
    }
    if (sparse->count == TAR_PIECES_MAX) {
        return error_set(
            err, ERROR_LIMIT, "a sparse member has more than %d pieces", TAR_PIECES_MAX);
    }
    if (sparse->count == sparse->capacity) {
        sparse->capacity = sparse->capacity ? sparse->capacity * 2 : 8;
        sparse->pieces = memory_grow(sparse->pieces, sparse->capacity, sizeof *sparse->pieces);
    }
    sparse->pieces[sparse->count++] = (struct tar_piece){.offset = offset, .len = len};
    return true;
}

/* Digits up to something else; false without any, or with more than fit. */
static bool read_number(const char **at, const char *end, uint64_t *number)
{
    const char *first = *at;
    *number = 0;
    while (*at < end && **at >= '0' && **at <= '9') {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number)) {
            return false;
        }
        ++*at;
    }
    return *at > first;
}

bool tar_sparse_list(struct tar_sparse *sparse, const char *text, size_t len, struct error *err)
{
    const char *at = text;
    const char *end = text + len;
    while (at < end) {
        uint64_t offset = 0;
        uint64_t bytes = 0;
        if (!read_number(&at, end, &offset) || at == end || *at++ != ',' ||
            !read_number(&at, end, &bytes) || (at < end && (*at++ != ',' || at == end))) {
            return fail(err);
        }
        if (!tar_sparse_add(sparse, offset, bytes, err)) {
            return false;
        }
    }
    return true;
}

static bool read_field(const uint8_t *field, uint64_t *number)
{
    int64_t value = 0;
    if (tar_block_number(field, NUMBER_LEN, &value) != TAR_NUMBER_OK || value < 0) {
        return false;
    }
    *number = (uint64_t)value;
    return true;
}

/* Places that are not used are filled with zeros. */
static bool read_places(
    struct tar_sparse *sparse, const uint8_t *place, unsigned count, struct error *err)
{
    for (unsigned i = 0; i < count; i++, place += NUMBER_LEN * 2) {
        uint64_t offset = 0;
        uint64_t len = 0;
        if (place[NUMBER_LEN] == 0) {
            break;
        }
        if (!read_field(place, &offset) || !read_field(place + NUMBER_LEN, &len)) {
            return fail(err);
        }
        if (!tar_sparse_add(sparse, offset, len, err)) {
            return false;
        }
    }
    return true;
}

static bool read_flag(uint8_t byte, bool *is_set, struct error *err)
{
    *is_set = byte == 1 || byte == '1';
    return *is_set || byte == 0 || byte == '0' || fail(err);
}

bool tar_sparse_header(
    struct tar_sparse *sparse, const uint8_t block[TAR_BLOCK], bool *goes_on, struct error *err)
{
    if (!read_field(block + REAL_SIZE_AT, &sparse->size_bytes)) {
        return fail(err);
    }
    sparse->has_size = true;
    return read_places(sparse, block + HEADER_AT, HEADER_PIECES, err) &&
           read_flag(block[HEADER_MORE_AT], goes_on, err);
}

bool tar_sparse_more(
    struct tar_sparse *sparse, const uint8_t block[TAR_BLOCK], bool *goes_on, struct error *err)
{
    return read_places(sparse, block, BLOCK_PIECES, err) &&
           read_flag(block[BLOCK_MORE_AT], goes_on, err);
}

/* The first number is how many pairs follow. */
static bool take_number(struct tar_sparse *sparse, struct error *err)
{
    uint64_t number = sparse->number;
    sparse->number = 0;
    sparse->has_digit = false;
    if (!sparse->is_begun) {
        sparse->is_begun = true;
        sparse->numbers_left = number * 2;
        return number <= TAR_PIECES_MAX ||
               error_set(
                   err, ERROR_LIMIT, "a sparse member has more than %d pieces", TAR_PIECES_MAX);
    }
    if (sparse->numbers_left-- % 2 == 0) {
        sparse->offset = number;
        return true;
    }
    return tar_sparse_add(sparse, sparse->offset, number, err);
}

bool tar_sparse_text(
    struct tar_sparse *sparse, const uint8_t block[TAR_BLOCK], bool *goes_on, struct error *err)
{
    size_t at = 0;
    while (at < TAR_BLOCK && (!sparse->is_begun || sparse->numbers_left > 0)) {
        uint8_t byte = block[at++];
        if (byte == '\n' && sparse->has_digit) {
            if (!take_number(sparse, err)) {
                return false;
            }
        } else if (byte < '0' || byte > '9' ||
                   __builtin_mul_overflow(sparse->number, 10, &sparse->number) ||
                   __builtin_add_overflow(
                       sparse->number, (uint64_t)(byte - '0'), &sparse->number)) {
            return fail(err);
        } else {
            sparse->has_digit = true;
        }
    }
    *goes_on = !sparse->is_begun || sparse->numbers_left > 0;
    while (at < TAR_BLOCK) {
        if (block[at++] != 0) {
            return fail(err);
        }
    }
    return true;
}

bool tar_sparse_check(const struct tar_sparse *sparse, uint64_t stored_bytes, struct error *err)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sparse->count; i++) {
        sum += sparse->pieces[i].len;
    }
    const struct tar_piece *last = sparse->count > 0 ? &sparse->pieces[sparse->count - 1] : NULL;
    bool is_inside = !last || last->offset + last->len <= sparse->size_bytes;
    return (sparse->has_size && !sparse->is_offset_given && is_inside && sum == stored_bytes) ||
           fail(err);
}

/* GNU tar says DIRECTORY/GNUSparseFile.PROCESS/NAME, cut where the header's field ends. */
bool tar_sparse_is_alias(const char *alias, const char *name)
{
    static const char middle[] = "GNUSparseFile.";
    const char *slash = strrchr(name, '/');
    size_t above = slash ? (size_t)(slash - name) + 1 : 0;
    if (strcmp(alias, name) == 0) {
        return true;
    }
    if (above == 0 && text_has_prefix(alias, "./")) {
        alias += 2;
    }
    if (strlen(alias) == NAME_FIELD_LEN && above > 0) {
        return strncmp(alias, name, above < NAME_FIELD_LEN ? above : NAME_FIELD_LEN) == 0;
    }
    if (strncmp(alias, name, above) != 0 || !text_has_prefix(alias + above, middle)) {
        return false;
    }
    const char *rest = alias + above + sizeof middle - 1;
    rest += strspn(rest, "0123456789");
    return rest[0] == '/' && strcmp(rest + 1, name + above) == 0;
}
