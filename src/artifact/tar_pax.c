/* SPDX-License-Identifier: MIT */
#include "artifact/tar_pax.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

struct record {
    const char *key;
    size_t key_len;
    const char *value;
    size_t value_len;
};

enum key {
    KEY_PATH,
    KEY_LINK,
    KEY_SIZE,
    KEY_UID,
    KEY_GID,
    KEY_MTIME,
    KEY_CHARSET,
    KEY_MAJOR,
    KEY_MINOR,
    KEY_SPARSE_NAME,
    KEY_REAL_SIZE,
    KEY_PIECES,
    KEY_MAP,
    KEY_ONCE_LAST = KEY_MAP,
    KEY_OFFSET,
    KEY_LENGTH,
    KEY_IGNORED,
    KEY_XATTR,
    KEY_XATTR_AGAIN,
    KEY_LABEL, /* an extended attribute under a key of its own */
    KEY_SPARSE,
    KEY_UNKNOWN,
};

/* A name that ends in '.' stands for everything that begins with it. */
static const struct {
    const char *name;
    enum key key;
    const char *label;
} keys[] = {
    {"path", KEY_PATH, NULL},
    {"linkpath", KEY_LINK, NULL},
    {"size", KEY_SIZE, NULL},
    {"uid", KEY_UID, NULL},
    {"gid", KEY_GID, NULL},
    {"mtime", KEY_MTIME, NULL},
    {"hdrcharset", KEY_CHARSET, NULL},
    {"atime", KEY_IGNORED, NULL},
    {"ctime", KEY_IGNORED, NULL},
    {"uname", KEY_IGNORED, NULL},
    {"gname", KEY_IGNORED, NULL},
    {"comment", KEY_IGNORED, NULL},
    {"SCHILY.dev", KEY_IGNORED, NULL},
    {"SCHILY.ino", KEY_IGNORED, NULL},
    {"SCHILY.nlink", KEY_IGNORED, NULL},
    {"LIBARCHIVE.creationtime", KEY_IGNORED, NULL},
    {"SCHILY.xattr.", KEY_XATTR, NULL},
    {"LIBARCHIVE.xattr.", KEY_XATTR_AGAIN, NULL},
    {"SCHILY.acl.access", KEY_LABEL, "system.posix_acl_access"},
    {"SCHILY.acl.default", KEY_LABEL, "system.posix_acl_default"},
    {"SCHILY.acl.ace", KEY_LABEL, "system.nfs4_acl"},
    {"RHT.security.selinux", KEY_LABEL, "security.selinux"},
    {"GNU.sparse.major", KEY_MAJOR, NULL},
    {"GNU.sparse.minor", KEY_MINOR, NULL},
    {"GNU.sparse.name", KEY_SPARSE_NAME, NULL},
    {"GNU.sparse.realsize", KEY_REAL_SIZE, NULL},
    {"GNU.sparse.size", KEY_REAL_SIZE, NULL},
    {"GNU.sparse.numblocks", KEY_PIECES, NULL},
    {"GNU.sparse.map", KEY_MAP, NULL},
    {"GNU.sparse.offset", KEY_OFFSET, NULL},
    {"GNU.sparse.numbytes", KEY_LENGTH, NULL},
    {"GNU.sparse.", KEY_SPARSE, NULL},
    {"SCHILY.realsize", KEY_SPARSE, NULL},
};

void tar_pax_done(struct tar_pax *pax)
{
    free(pax->path);
    free(pax->link);
    free(pax->sparse_name);
    tar_sparse_done(&pax->sparse);
    for (size_t i = 0; i < pax->xattr_count; i++) {
        free(pax->xattrs[i].name);
        free(pax->xattrs[i].value);
    }
    free(pax->xattrs);
    *pax = (struct tar_pax){0};
}

static enum key find_key(const struct record *record, const char **label)
{
    for (size_t i = 0; i < array_length(keys); i++) {
        size_t len = strlen(keys[i].name);
        bool is_family = keys[i].name[len - 1] == '.';
        if ((is_family ? record->key_len >= len : record->key_len == len) &&
            memcmp(keys[i].name, record->key, len) == 0) {
            *label = keys[i].label;
            return keys[i].key;
        }
    }
    return KEY_UNKNOWN;
}

/* "LENGTH KEY=VALUE\n", LENGTH counting all of it. Moves *at behind the record. */
static bool next_record(
    const char *body, size_t len, size_t *at, struct record *record, struct error *err)
{
    const char *start = body + *at;
    size_t left = len - *at;
    size_t digits = 0;
    size_t total = 0;
    while (digits < left && digits < 8 && start[digits] >= '0' && start[digits] <= '9') {
        total = total * 10 + (size_t)(start[digits] - '0');
        digits++;
    }
    if (digits == 0 || digits >= left || start[digits] != ' ' || start[0] == '0') {
        return error_set(err, ERROR_FORMAT, "a pax record does not begin with its length");
    }
    if (total > left || total < digits + sizeof(" k=\n") - 1) {
        return error_set(err, ERROR_FORMAT, "a pax record has an impossible length");
    }
    const char *key = start + digits + 1;
    const char *end = start + total - 1;
    if (*end != '\n') {
        return error_set(err, ERROR_FORMAT, "a pax record does not end in a newline");
    }
    const char *equals = memchr(key, '=', (size_t)(end - key));
    if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key))) {
        return error_set(err, ERROR_FORMAT, "a pax record has no key");
    }
    *record = (struct record){
        .key = key,
        .key_len = (size_t)(equals - key),
        .value = equals + 1,
        .value_len = (size_t)(end - equals - 1),
    };
    *at += total;
    return true;
}

static bool bad_value(const struct record *record, struct error *err)
{
    return error_set(err, ERROR_FORMAT, "the pax record \"%.*s\" holds no usable value",
        (int)(record->key_len > 64 ? 64 : record->key_len), record->key);
}

/* Digits, nothing else. *is_huge when the number does not fit. */
static bool read_digits(const char *text, size_t len, uint64_t *number, bool *is_huge)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum)) {
            *is_huge = true;
            sum = UINT64_MAX;
        }
    }
    *number = sum;
    return len > 0;
}

/* Owners and times: a bundle's are ignored and so may be anything that is a number. */
static bool read_owner(
    const struct record *record, enum tar_profile profile, uint64_t *number, struct error *err)
{
    bool is_huge = false;
    size_t sign = record->value_len > 0 && record->value[0] == '-';
    if (!read_digits(record->value + sign, record->value_len - sign, number, &is_huge)) {
        return bad_value(record, err);
    }
    if (profile != TAR_BUNDLE && (sign || is_huge || *number > UINT32_MAX - 1)) {
        return error_set(err, ERROR_FORMAT, "an owner number is out of range");
    }
    return true;
}

static bool read_time(
    const struct record *record, enum tar_profile profile, struct tar_pax *pax, struct error *err)
{
    size_t sign = record->value_len > 0 && record->value[0] == '-';
    const char *text = record->value + sign;
    size_t len = record->value_len - sign;
    const char *dot = memchr(text, '.', len);
    size_t whole = dot ? (size_t)(dot - text) : len;
    uint64_t seconds = 0;
    bool is_huge = false;
    if (!read_digits(text, whole, &seconds, &is_huge)) {
        return bad_value(record, err);
    }
    uint32_t nanoseconds = 0;
    uint32_t unit = 100000000;
    for (size_t i = whole + 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return bad_value(record, err);
        }
        nanoseconds += unit * (uint32_t)(text[i] - '0');
        unit /= 10;
    }
    if (is_huge || seconds > INT64_MAX) {
        if (profile != TAR_BUNDLE) {
            return error_set(err, ERROR_FORMAT, "a time is out of range");
        }
        seconds = INT64_MAX;
    }
    pax->mtime = sign ? -(int64_t)seconds : (int64_t)seconds;
    if (sign && nanoseconds > 0) {
        pax->mtime -= 1; /* the fraction counts upwards from the second below */
        nanoseconds = 1000000000 - nanoseconds;
    }
    pax->mtime_nanoseconds = nanoseconds;
    pax->has_mtime = true;
    return true;
}

static bool read_name(
    const struct record *record, const struct limits *limits, char **name, struct error *err)
{
    if (record->value_len == 0 || memchr(record->value, '\0', record->value_len)) {
        return bad_value(record, err);
    }
    if (record->value_len > limits->path_bytes) {
        return error_set(err, ERROR_LIMIT, "a name is longer than path_bytes (%llu)",
            (unsigned long long)limits->path_bytes);
    }
    *name = memory_strndup(record->value, record->value_len);
    return true;
}

static bool add_xattr(struct tar_pax *pax, const char *name, size_t name_len,
    const struct record *record, enum tar_profile profile, const struct limits *limits,
    struct error *err)
{
    /* A bundle's are never created, so their size is nobody's trouble. */
    if (profile != TAR_BUNDLE && record->value_len > limits->xattr_bytes) {
        return error_set(err, ERROR_LIMIT,
            "an extended attribute is larger than xattr_bytes (%llu)",
            (unsigned long long)limits->xattr_bytes);
    }
    if (pax->xattr_count == pax->xattr_capacity) {
        pax->xattr_capacity = pax->xattr_capacity ? pax->xattr_capacity * 2 : 4;
        pax->xattrs = memory_grow(pax->xattrs, pax->xattr_capacity, sizeof *pax->xattrs);
    }
    pax->xattrs[pax->xattr_count++] = (struct tar_xattr){
        .name = memory_strndup(name, name_len),
        .value = record->value_len ? memory_dup(record->value, record->value_len) : NULL,
        .len = record->value_len,
    };
    return true;
}

static bool take_charset(const struct record *record, enum tar_profile profile, struct error *err)
{
    static const char utf8[] = "ISO-IR 10646 2000 UTF-8";
    if (profile == TAR_BUNDLE && (record->value_len != sizeof utf8 - 1 ||
                                     memcmp(record->value, utf8, sizeof utf8 - 1) != 0)) {
        return error_set(
            err, ERROR_FORMAT, "a pax header declares a character set other than UTF-8");
    }
    return true;
}

/* The keys of the forms 0.0, 0.1 and 1.0; which of them belong together is seen at the end. */
static bool take_sparse(struct tar_pax *pax, const struct record *record, enum key key,
    const struct limits *limits, struct error *err)
{
    struct tar_sparse *sparse = &pax->sparse;
    uint64_t number = 0;
    bool is_huge = false;
    if (key == KEY_SPARSE_NAME) {
        return read_name(record, limits, &pax->sparse_name, err);
    }
    if (key == KEY_MAP) {
        return tar_sparse_list(sparse, record->value, record->value_len, err);
    }
    if (!read_digits(record->value, record->value_len, &number, &is_huge) || is_huge ||
        number > INT64_MAX) {
        return bad_value(record, err);
    }
    bool is_fine = true;
    switch (key) {
    case KEY_MAJOR:
        pax->is_map_in_data = number == 1;
        is_fine = number <= 1;
        break;
    case KEY_MINOR:
        is_fine = number <= 1;
        break;
    case KEY_REAL_SIZE:
        sparse->has_size = true;
        sparse->size_bytes = number;
        break;
    case KEY_PIECES:
        pax->has_pairs = true;
        pax->pairs = number;
        break;
    case KEY_OFFSET:
        is_fine = !sparse->is_offset_given;
        sparse->is_offset_given = true;
        sparse->offset = number;
        break;
    default:
        is_fine = sparse->is_offset_given;
        sparse->is_offset_given = false;
        return (is_fine || bad_value(record, err)) &&
               tar_sparse_add(sparse, sparse->offset, number, err);
    }
    return is_fine || bad_value(record, err);
}

/* The map is in the records or in front of the data, and then under an alias. */
static bool check_sparse(const struct tar_pax *pax, struct error *err)
{
    const struct tar_sparse *sparse = &pax->sparse;
    bool is_one = pax->is_map_in_data ? sparse->pairs == 0 && !pax->has_pairs && pax->sparse_name
                                      : !pax->has_pairs || pax->pairs == sparse->pairs;
    return (sparse->has_size && !sparse->is_offset_given && is_one) ||
           error_set(err, ERROR_FORMAT, "the map of a sparse member is broken");
}

static bool take_record(struct tar_pax *pax, const struct record *record, enum tar_profile profile,
    const struct limits *limits, struct error *err)
{
    const char *label = NULL;
    enum key key = find_key(record, &label);
    if (key <= KEY_ONCE_LAST) {
        if (pax->seen & 1U << key) {
            return error_set(err, ERROR_FORMAT, "a pax header says \"%.*s\" twice",
                (int)record->key_len, record->key);
        }
        pax->seen |= 1U << key;
    }
    bool is_huge = false;
    switch (key) {
    case KEY_PATH:
        return read_name(record, limits, &pax->path, err);
    case KEY_LINK:
        return read_name(record, limits, &pax->link, err);
    case KEY_SIZE:
        pax->has_size = true;
        return (read_digits(record->value, record->value_len, &pax->size_bytes, &is_huge) &&
                   !is_huge && pax->size_bytes <= INT64_MAX) ||
               bad_value(record, err);
    case KEY_UID:
        pax->has_uid = true;
        return read_owner(record, profile, &pax->uid, err);
    case KEY_GID:
        pax->has_gid = true;
        return read_owner(record, profile, &pax->gid, err);
    case KEY_MTIME:
        return read_time(record, profile, pax, err);
    case KEY_CHARSET:
        return take_charset(record, profile, err);
    case KEY_IGNORED:
        return true;
    case KEY_XATTR: {
        size_t skip = sizeof "SCHILY.xattr." - 1;
        return add_xattr(
            pax, record->key + skip, record->key_len - skip, record, profile, limits, err);
    }
    case KEY_XATTR_AGAIN:
        pax->second_spellings++;
        return true;
    case KEY_LABEL:
        return add_xattr(pax, label, strlen(label), record, profile, limits, err);
    case KEY_MAJOR:
    case KEY_MINOR:
    case KEY_SPARSE_NAME:
    case KEY_REAL_SIZE:
    case KEY_PIECES:
    case KEY_MAP:
    case KEY_OFFSET:
    case KEY_LENGTH:
        if (profile == TAR_SPARSE) {
            pax->is_sparse = true;
            return take_sparse(pax, record, key, limits, err);
        }
        __attribute__((fallthrough));
    case KEY_SPARSE:
        return error_set(err, ERROR_FORMAT, "sparse members are not accepted");
    case KEY_UNKNOWN:
        if (profile != TAR_BUNDLE) {
            return true;
        }
        return error_set(err, ERROR_FORMAT, "a pax header holds the unknown key \"%.*s\"",
            (int)(record->key_len > 64 ? 64 : record->key_len), record->key);
    }
    return error_set(err, ERROR_BUG, "no such pax key");
}

bool tar_pax_parse(struct tar_pax *pax, const char *body, size_t len, enum tar_profile profile,
    bool is_global, const struct limits *limits, struct error *err)
{
    size_t at = 0;
    while (at < len) {
        struct record record = {0};
        if (!next_record(body, len, &at, &record, err)) {
            return false;
        }
        if (is_global && (record.key_len != 7 || memcmp(record.key, "comment", 7) != 0)) {
            return error_set(err, ERROR_FORMAT, "a global pax header says more than a comment");
        }
        if (!take_record(pax, &record, profile, limits, err)) {
            return false;
        }
    }
    return !pax->is_sparse || check_sparse(pax, err);
}
