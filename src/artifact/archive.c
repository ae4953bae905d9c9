/* SPDX-License-Identifier: MIT */
#include "artifact/archive.h"

#include <locale.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

#define READ_CHUNK ((size_t)128 << 10)

struct archive_reader {
    struct archive *archive;
    struct tar_scan *scan; /* NULL for ar */
    archive_source *source;
    void *context;
    struct limits limits;
    locale_t utf8;      /* libarchive reads names by the thread's locale */
    struct error cause; /* what went wrong inside the read callback */
    struct tar_member member;
    uint64_t data_bytes; /* handed out of this member */
    uint64_t total_bytes;
    uint64_t entries;
    uint8_t chunk[READ_CHUNK];
};

/* Gets more of the stream past our own header check. 0 at the end, -1 with reader->cause set. */
static ssize_t pull(struct archive_reader *reader)
{
    ssize_t got = reader->source(reader->context, reader->chunk, READ_CHUNK, &reader->cause);
    if (got <= 0) {
        return got;
    }
    reader->total_bytes += (uint64_t)got;
    if (reader->total_bytes > reader->limits.expanded_bytes) {
        error_set(&reader->cause, ERROR_LIMIT, "the archive holds more than expanded_bytes (%llu)",
            (unsigned long long)reader->limits.expanded_bytes);
        return -1;
    }
    if (reader->scan && !tar_scan_feed(reader->scan, reader->chunk, (size_t)got, &reader->cause)) {
        return -1;
    }
    return got;
}

static la_ssize_t on_read(struct archive *archive, void *context, const void **bytes)
{
    struct archive_reader *reader = context;
    ssize_t got = pull(reader);
    if (got < 0) {
        archive_set_error(archive, -1, "%s", "the source failed");
        return ARCHIVE_FATAL;
    }
    *bytes = reader->chunk;
    return got;
}

/* Our own sentence when the source or the header check failed, else libarchive's. */
static bool fail(struct archive_reader *reader, struct error *err)
{
    if (reader->cause.code != ERROR_NONE) {
        *err = reader->cause;
        return false;
    }
    const char *text = archive_error_string(reader->archive);
    return error_set(
        err, ERROR_FORMAT, "the archive is malformed: %s", text ? text : "no reason was given");
}

static bool open_archive(
    struct archive_reader *reader, enum archive_format format, struct error *err)
{
    int result = format == ARCHIVE_AR ? archive_read_support_format_ar(reader->archive)
                                      : archive_read_support_format_tar(reader->archive);
    if (result != ARCHIVE_OK) {
        return fail(reader, err);
    }
    result = archive_read_open2(reader->archive, reader, NULL, on_read, NULL, NULL);
    return result == ARCHIVE_OK || fail(reader, err);
}

struct archive_reader *archive_reader_new(enum archive_format format, archive_source *source,
    void *context, const struct limits *limits, struct error *err)
{
    auto_archive_reader struct archive_reader *reader = memory_zero(1, sizeof *reader);
    reader->source = source;
    reader->context = context;
    reader->limits = *limits;
    reader->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    reader->archive = archive_read_new();
    if (!reader->archive) {
        error_set(err, ERROR_BUG, "libarchive gives no reader");
        return NULL;
    }
    if (format != ARCHIVE_AR) {
        reader->scan =
            tar_scan_new(format == ARCHIVE_TAR_BUNDLE ? TAR_BUNDLE : TAR_FOREIGN, limits);
    }
    locale_t before = uselocale(reader->utf8);
    bool is_open = open_archive(reader, format, err);
    uselocale(before);
    return is_open ? take_ptr(reader) : NULL;
}

void archive_reader_free(struct archive_reader *reader)
{
    if (!reader) {
        return;
    }
    archive_read_free(reader->archive);
    tar_scan_free(reader->scan);
    tar_member_done(&reader->member);
    if (reader->utf8) {
        freelocale(reader->utf8);
    }
    free(reader);
}

void archive_reader_auto_free(struct archive_reader **reader)
{
    archive_reader_free(*reader);
}

static bool is_same_type(struct archive_entry *entry, enum tar_type type)
{
    if (type == TAR_HARDLINK) {
        return archive_entry_hardlink(entry) != NULL;
    }
    if (archive_entry_hardlink(entry)) {
        return false;
    }
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return type == TAR_FILE;
    case AE_IFLNK:
        return type == TAR_SYMLINK;
    case AE_IFCHR:
        return type == TAR_CHARACTER_DEVICE;
    case AE_IFBLK:
        return type == TAR_BLOCK_DEVICE;
    case AE_IFDIR:
        return type == TAR_DIRECTORY;
    case AE_IFIFO:
        return type == TAR_FIFO;
    default:
        return false;
    }
}

/* Two readers of one archive that see two things: one of them would be wrong. */
static bool check_against_scan(
    const struct tar_member *member, struct archive_entry *entry, struct error *err)
{
    const char *path = archive_entry_pathname(entry);
    const char *link = member->type == TAR_SYMLINK    ? archive_entry_symlink(entry)
                       : member->type == TAR_HARDLINK ? archive_entry_hardlink(entry)
                                                      : NULL;
    if (path && strcmp(path, member->path) == 0 && is_same_type(entry, member->type) &&
        (member->type != TAR_FILE || archive_entry_size(entry) == (int64_t)member->size_bytes) &&
        (!member->link || (link && strcmp(link, member->link) == 0))) {
        return true;
    }
    return error_set(
        err, ERROR_FORMAT, "the member %s can be understood in two ways", member->path);
}

static bool take_entry(
    struct archive_reader *reader, struct archive_entry *entry, struct error *err)
{
    tar_member_done(&reader->member);
    reader->data_bytes = 0;
    if (reader->scan) {
        if (!tar_scan_take(reader->scan, &reader->member)) {
            return error_set(err, ERROR_FORMAT, "the archive holds a member without a header");
        }
        return check_against_scan(&reader->member, entry, err);
    }
    const char *path = archive_entry_pathname(entry);
    if (!path || path[0] == '\0' || archive_entry_size(entry) < 0) {
        return error_set(err, ERROR_FORMAT, "the archive holds a member without a name or size");
    }
    if (++reader->entries > reader->limits.entries) {
        return error_set(err, ERROR_LIMIT, "more members than entries (%llu)",
            (unsigned long long)reader->limits.entries);
    }
    reader->member = (struct tar_member){
        .path = memory_strdup(path),
        .type = TAR_FILE,
        .size_bytes = (uint64_t)archive_entry_size(entry),
    };
    return true;
}

/* libarchive stops at the end mark; what lies behind it is ours to look at. */
static bool check_end(struct archive_reader *reader, struct error *err)
{
    ssize_t got = 0;
    do {
        got = pull(reader);
    } while (got > 0);
    if (got < 0) {
        return fail(reader, err);
    }
    if (reader->scan && !tar_scan_finish(reader->scan, err)) {
        return false;
    }
    struct tar_member left;
    if (reader->scan && tar_scan_take(reader->scan, &left)) {
        tar_member_done(&left);
        return error_set(err, ERROR_FORMAT, "the archive holds members behind its end");
    }
    return true;
}

int archive_reader_next(
    struct archive_reader *reader, const struct tar_member **member, struct error *err)
{
    struct archive_entry *entry = NULL;
    locale_t before = uselocale(reader->utf8);
    int result = archive_read_next_header(reader->archive, &entry);
    bool is_fine = result == ARCHIVE_EOF  ? check_end(reader, err)
                   : result == ARCHIVE_OK ? take_entry(reader, entry, err)
                                          : fail(reader, err);
    uselocale(before);
    if (!is_fine) {
        return -1;
    }
    if (result == ARCHIVE_EOF) {
        return 0;
    }
    *member = &reader->member;
    return 1;
}

ssize_t archive_reader_block(struct archive_reader *reader, const void **bytes, struct error *err)
{
    size_t len = 0;
    la_int64_t offset = 0;
    locale_t before = uselocale(reader->utf8);
    int result = archive_read_data_block(reader->archive, bytes, &len, &offset);
    uselocale(before);
    if (result != ARCHIVE_OK && result != ARCHIVE_EOF) {
        fail(reader, err);
        return -1;
    }
    bool is_end = result == ARCHIVE_EOF;
    if (!is_end && (uint64_t)offset == reader->data_bytes &&
        len <= reader->member.size_bytes - reader->data_bytes) {
        reader->data_bytes += len;
        if (len > 0) {
            return (ssize_t)len;
        }
        is_end = reader->data_bytes == reader->member.size_bytes;
    }
    if (!is_end || reader->data_bytes != reader->member.size_bytes) {
        error_set(err, ERROR_FORMAT, "the data of %s is not as long as its header says",
            reader->member.path);
        return -1;
    }
    return 0;
}

uint64_t archive_reader_bytes(const struct archive_reader *reader)
{
    return reader->total_bytes;
}
