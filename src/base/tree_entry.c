/* SPDX-License-Identifier: MIT */
#include "base/tree_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_IN_BLOCK 100u
#define XATTR_KEY "SCHILY.xattr."

/* Where each field of a header block stands: POSIX ustar. */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_CHECKSUM = 148,
    AT_TYPE = 156,
    AT_LINK = 157,
    AT_MAGIC = 257,
    AT_MAJOR = 329,
    AT_MINOR = 337,
    AT_PREFIX = 345,
};

/* ---- small things --------------------------------------------------------------------------- */

void *tree_grow(void *old, size_t size)
{
    void *grown = realloc(old, size > 0 ? size : 1);
    if (grown == NULL) {
        abort();
    }
    return grown;
}

char *tree_text(const char *text, size_t len)
{
    char *copy = tree_grow(NULL, len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

__attribute__((format(printf, 4, 0))) static void fail_text(struct tree_failure *failure,
    enum tree_fault fault, int error, const char *format, va_list list)
{
    failure->fault = fault;
    failure->error = error;
    vsnprintf(failure->text, sizeof failure->text, format, list);
}

bool tree_fail(
    struct tree_failure *failure, enum tree_fault fault, int error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fail_text(failure, fault, error, format, list);
    va_end(list);
    return false;
}

bool tree_fail_errno(struct tree_failure *failure, const char *format, ...)
{
    int error = errno;
    va_list list;
    va_start(list, format);
    fail_text(failure, TREE_FAULT_IO, error, format, list);
    va_end(list);
    size_t len = strlen(failure->text);
    errno = error;
    snprintf(failure->text + len, sizeof failure->text - len, ": %m");
    return false;
}

void tree_bytes_add(struct tree_bytes *to, const void *bytes, size_t len)
{
    if (to->len + len > to->capacity) {
        to->capacity = (to->len + len) * 2;
        to->bytes = tree_grow(to->bytes, to->capacity);
    }
    if (len > 0) {
        memcpy(to->bytes + to->len, bytes, len);
    }
    to->len += len;
}

void tree_bytes_pad(struct tree_bytes *to)
{
    static const unsigned char zeros[TREE_BLOCK];
    tree_bytes_add(to, zeros, (TREE_BLOCK - to->len % TREE_BLOCK) % TREE_BLOCK);
}

void tree_entry_add_xattr(
    struct tree_entry *entry, const char *name, size_t name_len, const void *value, size_t len)
{
    entry->xattrs = tree_grow(entry->xattrs, (entry->xattr_count + 1) * sizeof *entry->xattrs);
    struct tree_xattr *xattr = &entry->xattrs[entry->xattr_count++];
    *xattr = (struct tree_xattr){.name = tree_text(name, name_len), .len = len};
    xattr->value = (unsigned char *)tree_text(value, len);
}

void tree_entry_done(struct tree_entry *entry)
{
    for (size_t i = 0; i < entry->xattr_count; i++) {
        free(entry->xattrs[i].name);
        free(entry->xattrs[i].value);
    }
    free(entry->xattrs);
    free(entry->path);
    free(entry->link);
    *entry = (struct tree_entry){0};
}

/* ---- to bytes ------------------------------------------------------------------------------- */

/* "LEN key=value\n", where LEN counts its own digits. */
static void add_record(struct tree_bytes *to, const char *key, const void *value, size_t len)
{
    size_t rest = strlen(key) + len + 3; /* blank, equals sign, line feed */
    size_t total = rest + 1;
    while (total != rest + (size_t)snprintf(NULL, 0, "%zu", total)) {
        total = rest + (size_t)snprintf(NULL, 0, "%zu", total);
    }
    char head[32];
    tree_bytes_add(to, head, (size_t)snprintf(head, sizeof head, "%zu ", total));
    tree_bytes_add(to, key, strlen(key));
    tree_bytes_add(to, "=", 1);
    tree_bytes_add(to, value, len);
    tree_bytes_add(to, "\n", 1);
}

static void add_number(struct tree_bytes *to, const char *key, uint64_t number)
{
    char text[24];
    add_record(to, key, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, number));
}

static void put_octal(unsigned char *block, unsigned at, unsigned digits, uint64_t number)
{
    char text[24];
    uint64_t most = ((uint64_t)1 << (digits * 3)) - 1;
    snprintf(text, sizeof text, "%0*" PRIo64, (int)digits, number < most ? number : most);
    memcpy(block + at, text, digits);
}

static void put_checksum(unsigned char *block)
{
    unsigned sum = 0;
    memset(block + AT_CHECKSUM, ' ', 8);
    for (unsigned i = 0; i < TREE_BLOCK; i++) {
        sum += block[i];
    }
    put_octal(block, AT_CHECKSUM, 6, sum);
    block[AT_CHECKSUM + 6] = '\0';
}

static void put_text(unsigned char *block, unsigned at, const char *text)
{
    size_t len = strlen(text);
    memcpy(block + at, text, len < NAME_MAX_IN_BLOCK ? len : NAME_MAX_IN_BLOCK);
}

static void add_block(struct tree_bytes *to, const struct tree_entry *entry, const char *path)
{
    unsigned char block[TREE_BLOCK] = {0};
    put_text(block, AT_NAME, path);
    put_octal(block, AT_MODE, 7, entry->mode);
    put_octal(block, AT_UID, 7, entry->uid);
    put_octal(block, AT_GID, 7, entry->gid);
    put_octal(block, AT_SIZE, 11, entry->stored_bytes);
    put_octal(block, AT_MTIME, 11, entry->mtime.tv_sec > 0 ? (uint64_t)entry->mtime.tv_sec : 0);
    block[AT_TYPE] = (unsigned char)entry->type;
    put_text(block, AT_LINK, entry->link != NULL ? entry->link : "");
    memcpy(block + AT_MAGIC,
        "ustar\0"
        "00",
        8);
    put_octal(block, AT_MAJOR, 7, entry->device_major);
    put_octal(block, AT_MINOR, 7, entry->device_minor);
    put_checksum(block);
    tree_bytes_add(to, block, sizeof block);
}

/* Seconds may be negative, the fraction counts upwards all the same. */
static void add_time(struct tree_bytes *to, const struct timespec *time)
{
    char text[48];
    intmax_t seconds = time->tv_sec;
    long nanoseconds = time->tv_nsec;
    bool is_before = seconds < 0 && nanoseconds > 0;
    if (is_before) { /* -1.25 is -2 s and 750,000,000 ns */
        seconds++;
        nanoseconds = 1000000000L - nanoseconds;
    }
    int len = snprintf(text, sizeof text, "%s%jd.%09ld", is_before && seconds == 0 ? "-" : "",
        seconds, nanoseconds);
    add_record(to, "mtime", text, (size_t)len);
}

static void add_xattrs(struct tree_bytes *to, const struct tree_entry *entry)
{
    for (size_t i = 0; i < entry->xattr_count; i++) {
        char key[300];
        snprintf(key, sizeof key, XATTR_KEY "%s", entry->xattrs[i].name);
        add_record(to, key, entry->xattrs[i].value, entry->xattrs[i].len);
    }
}

static void add_extended(struct tree_bytes *to, const struct tree_entry *entry)
{
    struct tree_bytes records = {0};
    if (entry->is_sparse) {
        add_number(&records, "GNU.sparse.major", 1);
        add_number(&records, "GNU.sparse.minor", 0);
        add_record(&records, "GNU.sparse.name", entry->path, strlen(entry->path));
        add_number(&records, "GNU.sparse.realsize", entry->real_bytes);
    } else if (strlen(entry->path) > NAME_MAX_IN_BLOCK) {
        add_record(&records, "path", entry->path, strlen(entry->path));
    }
    if (entry->link != NULL && strlen(entry->link) > NAME_MAX_IN_BLOCK) {
        add_record(&records, "linkpath", entry->link, strlen(entry->link));
    }
    if (entry->stored_bytes >> 33 != 0) {
        add_number(&records, "size", entry->stored_bytes);
    }
    if (entry->uid >> 21 != 0) {
        add_number(&records, "uid", entry->uid);
    }
    if (entry->gid >> 21 != 0) {
        add_number(&records, "gid", entry->gid);
    }
    if (entry->mtime.tv_nsec != 0 || entry->mtime.tv_sec < 0 || entry->mtime.tv_sec >> 33 != 0) {
        add_time(&records, &entry->mtime);
    }
    add_xattrs(&records, entry);
    if (records.len > 0) {
        struct tree_entry head = {.type = 'x', .mode = 0644, .stored_bytes = records.len};
        add_block(to, &head, "PaxHeaders/entry");
        tree_bytes_pad(&records);
        tree_bytes_add(to, records.bytes, records.len);
    }
    free(records.bytes);
}

void tree_entry_write(const struct tree_entry *entry, struct tree_bytes *to)
{
    add_extended(to, entry);
    add_block(to, entry, entry->is_sparse ? TREE_SPARSE_PLACE "/file" : entry->path);
}

/* ---- from bytes ----------------------------------------------------------------------------- */

/* Octal digits with blanks before and NULs or blanks behind, or GNU's base 256. */
static bool get_number(const unsigned char *field, size_t len, uint64_t *number)
{
    size_t at = 0;
    *number = 0;
    if (field[0] == 0x80) {
        for (at = 1; at < len; at++) {
            if (*number >> 55 != 0) {
                return false;
            }
            *number = *number << 8 | field[at];
        }
        return true;
    }
    while (at < len && field[at] == ' ') {
        at++;
    }
    for (; at < len && field[at] >= '0' && field[at] <= '7'; at++) {
        *number = *number << 3 | (uint64_t)(field[at] - '0');
    }
    while (at < len && (field[at] == ' ' || field[at] == '\0')) {
        at++;
    }
    return at == len;
}

/* Base 256 may be negative: a time before 1970. */
static bool get_time(const unsigned char *field, size_t len, time_t *time)
{
    uint64_t number = UINT64_MAX;
    if (field[0] == 0xff) {
        for (size_t at = 1; at < len; at++) {
            number = number << 8 | field[at];
        }
        *time = (time_t)(int64_t)number;
        return *time < 0;
    }
    bool is_fine = get_number(field, len, &number) && number <= INT64_MAX;
    *time = (time_t)number;
    return is_fine;
}

bool tree_block_check(const unsigned char block[TREE_BLOCK], char *type, uint64_t *size_bytes)
{
    uint64_t wanted = 0;
    uint64_t sum = 0;
    for (unsigned i = 0; i < TREE_BLOCK; i++) {
        sum += i >= AT_CHECKSUM && i < AT_CHECKSUM + 8 ? ' ' : block[i];
    }
    *type = block[AT_TYPE] == '\0' || block[AT_TYPE] == '7' ? '0' : (char)block[AT_TYPE];
    return memcmp(block + AT_MAGIC, "ustar", 5) == 0 &&
           get_number(block + AT_CHECKSUM, 8, &wanted) && wanted == sum &&
           get_number(block + AT_SIZE, 12, size_bytes) && *size_bytes <= INT64_MAX - TREE_BLOCK;
}

static char *block_text(const unsigned char *field, size_t max)
{
    return tree_text((const char *)field, strnlen((const char *)field, max));
}

static char *block_path(const unsigned char *block)
{
    char *name = block_text(block + AT_NAME, NAME_MAX_IN_BLOCK);
    bool is_posix = block[AT_MAGIC + 5] == '\0';
    if (!is_posix || block[AT_PREFIX] == '\0') {
        return name;
    }
    char *prefix = block_text(block + AT_PREFIX, 155);
    size_t len = strlen(prefix) + strlen(name) + 1;
    char *path = tree_grow(NULL, len + 1);
    snprintf(path, len + 1, "%s/%s", prefix, name);
    free(prefix);
    free(name);
    return path;
}

bool tree_entry_read(struct tree_entry *entry, const unsigned char block[TREE_BLOCK])
{
    uint64_t size = 0, mode = 0, uid = 0, gid = 0, major = 0, minor = 0;
    time_t mtime = 0;
    if (!tree_block_check(block, &entry->type, &size) || !get_number(block + AT_MODE, 8, &mode) ||
        !get_number(block + AT_UID, 8, &uid) || !get_number(block + AT_GID, 8, &gid) ||
        !get_time(block + AT_MTIME, 12, &mtime) || !get_number(block + AT_MAJOR, 8, &major) ||
        !get_number(block + AT_MINOR, 8, &minor)) {
        return false;
    }
    entry->mode = (uint32_t)mode & 07777;
    entry->uid = entry->uid != 0 ? entry->uid : (uint32_t)uid;
    entry->gid = entry->gid != 0 ? entry->gid : (uint32_t)gid;
    entry->device_major = (uint32_t)major;
    entry->device_minor = (uint32_t)minor;
    if (entry->mtime.tv_sec == 0 && entry->mtime.tv_nsec == 0) {
        entry->mtime.tv_sec = mtime;
    }
    if (entry->stored_bytes == 0) {
        entry->stored_bytes = size;
    }
    entry->stored_bytes = entry->type == '0' ? entry->stored_bytes : 0;
    if (!entry->is_sparse) {
        entry->real_bytes = entry->stored_bytes;
    }
    if (entry->path == NULL) {
        entry->path = block_path(block);
    }
    if (entry->link == NULL) {
        entry->link = block_text(block + AT_LINK, NAME_MAX_IN_BLOCK);
    }
    return !entry->is_sparse || entry->type == '0';
}

static bool read_decimal(const char *text, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *number <= INT64_MAX;
}

/* [-]SECONDS[.FRACTION] */
static bool read_time(const char *text, struct timespec *time)
{
    bool is_negative = text[0] == '-';
    const char *at = text + is_negative;
    char *end = NULL;
    errno = 0;
    intmax_t seconds = strtoimax(at, &end, 10);
    long nanoseconds = 0;
    if (*at < '0' || *at > '9' || errno != 0) {
        return false;
    }
    if (*end == '.') {
        long unit = 100000000;
        for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10) {
            nanoseconds += unit * (*end - '0');
        }
    }
    if (is_negative && nanoseconds > 0) {
        seconds = -seconds - 1;
        nanoseconds = 1000000000L - nanoseconds;
    } else if (is_negative) {
        seconds = -seconds;
    }
    *time = (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};
    return *end == '\0';
}

static void replace_text(char **to, const char *text, size_t len)
{
    free(*to);
    *to = tree_text(text, len);
}

static bool take_owner(const char *value, uint32_t *id)
{
    uint64_t number = 0;
    if (!read_decimal(value, &number) || number >= UINT32_MAX) {
        return false;
    }
    *id = (uint32_t)number;
    return true;
}

/* value has a NUL behind its len bytes. Keys nobody knows are passed over. */
static bool take_record(struct tree_entry *entry, const char *key, const char *value, size_t len)
{
    bool is_text = memchr(value, '\0', len) == NULL;
    if (strncmp(key, XATTR_KEY, strlen(XATTR_KEY)) == 0) {
        const char *name = key + strlen(XATTR_KEY);
        tree_entry_add_xattr(entry, name, strlen(name), value, len);
        return true;
    }
    if (strcmp(key, "path") == 0 || strcmp(key, "GNU.sparse.name") == 0) {
        if (key[0] == 'G' || entry->path == NULL || !entry->is_sparse) {
            replace_text(&entry->path, value, len);
        }
        return is_text && len > 0;
    }
    if (strcmp(key, "linkpath") == 0) {
        replace_text(&entry->link, value, len);
        return is_text && len > 0;
    }
    if (strcmp(key, "size") == 0) {
        return is_text && read_decimal(value, &entry->stored_bytes);
    }
    if (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0) {
        return is_text && take_owner(value, key[0] == 'u' ? &entry->uid : &entry->gid);
    }
    if (strcmp(key, "mtime") == 0) {
        return is_text && read_time(value, &entry->mtime);
    }
    if (strcmp(key, "GNU.sparse.major") == 0 || strcmp(key, "GNU.sparse.minor") == 0) {
        entry->is_sparse = true;
        return strcmp(value, key[11] == 'm' && key[12] == 'a' ? "1" : "0") == 0;
    }
    if (strcmp(key, "GNU.sparse.realsize") == 0) {
        return is_text && read_decimal(value, &entry->real_bytes);
    }
    return strncmp(key, "GNU.sparse.", 11) != 0; /* an older way to write holes */
}

bool tree_entry_read_pax(struct tree_entry *entry, const char *body, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t digits = 0;
        size_t total = 0;
        while (at + digits < len && body[at + digits] >= '0' && body[at + digits] <= '9' &&
               digits < 8) {
            total = total * 10 + (size_t)(body[at + digits++] - '0');
        }
        if (digits == 0 || total < digits + 4 || total > len - at || body[at + digits] != ' ' ||
            body[at + total - 1] != '\n') {
            return false;
        }
        const char *key = body + at + digits + 1;
        size_t rest = total - digits - 2;
        const char *equals = memchr(key, '=', rest);
        if (equals == NULL || equals == key) {
            return false;
        }
        char *key_text = tree_text(key, (size_t)(equals - key));
        size_t value_len = rest - (size_t)(equals - key) - 1;
        char *value = tree_text(equals + 1, value_len);
        bool is_fine = take_record(entry, key_text, value, value_len);
        free(key_text);
        free(value);
        if (!is_fine) {
            return false;
        }
        at += total;
    }
    return true;
}
