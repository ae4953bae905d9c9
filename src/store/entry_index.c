/* SPDX-License-Identifier: MIT */
#include "store/entry_index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

/* On disk, in this machine's byte order: the header, count records of a stamp and one 64-bit value
 * for each field, then the strings, each with its NUL. A string's value is its offset in them; the
 * first byte of the strings belongs to none, so that 0 stands for NULL. To be raised whenever the
 * fields change or a manifest is understood in another way. */
#define VERSION 1
#define MAGIC UINT64_C(0x0a78646e69676e62) /* "bngindx\n" */
#define BYTES_MOST ((size_t)256 << 20)
#define FIELDS_MOST 32

struct header {
    uint64_t magic;
    uint64_t checksum; /* of everything behind it */
    uint64_t version;
    uint64_t field_count;
    uint64_t count;
    uint64_t device; /* of the directory the entries are in */
    uint64_t inode;
};

struct entry_index {
    const struct entry_shape *shape;
    struct text bytes;
    size_t count;
    size_t record_size;
    const char *records;
    const char *strings;
    size_t strings_size;
};

int64_t entry_index_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void entry_free_strings(const struct entry_shape *shape, void *entry)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        if (shape->fields[i].type == ENTRY_STRING) {
            memory_auto_free((char *)entry + shape->fields[i].offset);
        }
    }
}

struct entry_stamp entry_stamp_of(const struct stat *manifest)
{
    return (struct entry_stamp){
        .device = manifest->st_dev,
        .inode = manifest->st_ino,
        .size_bytes = manifest->st_size,
        .modified_ns = manifest->st_mtim.tv_sec * INT64_C(1000000000) + manifest->st_mtim.tv_nsec,
        .changed_ns = manifest->st_ctim.tv_sec * INT64_C(1000000000) + manifest->st_ctim.tv_nsec,
    };
}

/* Finds torn and flipped bytes, not malice: the directory is this user's own. */
static uint64_t checksum_of(const char *bytes, size_t len)
{
    uint64_t sum = len;
    uint64_t word;
    for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 29;
    }
    word = 0;
    memcpy(&word, bytes, len);
    return (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
}

static size_t record_size_of(const struct entry_shape *shape)
{
    return sizeof(struct entry_stamp) + shape->field_count * sizeof(uint64_t);
}

static uint64_t value_of(const struct entry_index *index, size_t record, size_t field)
{
    uint64_t value;
    memcpy(&value,
        index->records + record * index->record_size + sizeof(struct entry_stamp) +
            field * sizeof(value),
        sizeof(value));
    return value;
}

static const char *string_of(const struct entry_index *index, size_t record, size_t field)
{
    uint64_t at = value_of(index, record, field);
    return at != 0 ? index->strings + at : NULL;
}

/* ---- reading ---- */

static bool is_header_ours(
    const struct header *header, const struct entry_shape *shape, const struct stat *place)
{
    return header->magic == MAGIC && header->version == VERSION &&
           header->field_count == shape->field_count && header->device == place->st_dev &&
           header->inode == place->st_ino && header->count <= BYTES_MOST;
}

/* Whatever the bytes are, nothing is read beside them and a search ends. */
static bool is_sound(const struct entry_index *index)
{
    if (index->strings_size == 0 || index->strings[index->strings_size - 1] != '\0') {
        return false;
    }
    for (size_t i = 0; i < index->count; i++) {
        for (size_t f = 0; f < index->shape->field_count; f++) {
            if (index->shape->fields[f].type == ENTRY_STRING &&
                value_of(index, i, f) >= index->strings_size) {
                return false;
            }
        }
        if (value_of(index, i, 0) == 0) {
            return false;
        }
    }
    return true;
}

static bool take_apart(
    struct entry_index *index, const struct entry_shape *shape, const struct stat *place)
{
    const struct text *bytes = &index->bytes;
    struct header header;
    if (bytes->len < sizeof(header)) {
        return false;
    }
    memcpy(&header, bytes->data, sizeof(header));
    size_t checked = offsetof(struct header, version);
    index->shape = shape;
    index->count = (size_t)header.count;
    index->record_size = record_size_of(shape);
    size_t left = bytes->len - sizeof(header);
    if (!is_header_ours(&header, shape, place) || index->count > left / index->record_size ||
        header.checksum != checksum_of(bytes->data + checked, bytes->len - checked)) {
        return false;
    }
    index->records = bytes->data + sizeof(header);
    index->strings = index->records + index->count * index->record_size;
    index->strings_size = left - index->count * index->record_size;
    return is_sound(index);
}

struct entry_index *entry_index_read(const struct store *store, const struct entry_shape *shape)
{
    struct error ignored = {0};
    struct stat place;
    auto_close int dir = store_open_lists(store, false);
    if (dir < 0 || fstat(store_kind_dir(store, shape->kind), &place) != 0) {
        return NULL;
    }
    const char *name = store_kind_folder(shape->kind);
    auto_close int fd = file_open_read(dir, name, &ignored);
    struct entry_index *index = memory_zero(1, sizeof(*index));
    index->bytes.cap_bytes = BYTES_MOST;
    if (fd < 0 || !file_read_fd(fd, name, BYTES_MOST, &index->bytes, &ignored) ||
        !take_apart(index, shape, &place)) {
        entry_index_free(index);
        return NULL;
    }
    return index;
}

void entry_index_free(struct entry_index *index)
{
    if (index != NULL) {
        text_done(&index->bytes);
        free(index);
    }
}

/* The number of records when there is none of that name. */
static size_t find(const struct entry_index *index, const char *name, size_t likely)
{
    if (likely < index->count && strcmp(string_of(index, likely, 0), name) == 0) {
        return likely;
    }
    size_t from = 0, to = index->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = strcmp(string_of(index, middle, 0), name);
        if (order == 0) {
            return middle;
        }
        from = order < 0 ? middle + 1 : from;
        to = order < 0 ? to : middle;
    }
    return index->count;
}

static bool is_known(const struct entry_index *index, const char *name, size_t likely,
    const struct entry_stamp *stamp, size_t *record)
{
    *record = find(index, name, likely);
    return *record < index->count &&
           memcmp(index->records + *record * index->record_size, stamp, sizeof(*stamp)) == 0;
}

static void fill_member(const struct entry_index *index, size_t record, size_t field, char *member)
{
    uint64_t value = value_of(index, record, field);
    const char *string = NULL;
    bool is_set = value != 0;
    switch (index->shape->fields[field].type) {
    case ENTRY_STRING:
        string = string_of(index, record, field);
        memcpy(member, &string, sizeof(string));
        return;
    case ENTRY_NUMBER:
        memcpy(member, &value, sizeof(value));
        return;
    case ENTRY_BOOL:
        memcpy(member, &is_set, sizeof(is_set));
        return;
    }
}

bool entry_index_fill(const struct entry_index *index, const char *name, size_t likely,
    const struct entry_stamp *stamp, void *entry)
{
    size_t record;
    if (!is_known(index, name, likely, stamp, &record)) {
        return false;
    }
    for (size_t f = 0; f < index->shape->field_count; f++) {
        const struct entry_field *field = &index->shape->fields[f];
        fill_member(index, record, f, (char *)entry + field->offset);
    }
    return true;
}

/* ---- writing ---- */

/* What is being put together. Neighbours often say the same, so a string equal to the last one of
 * its field is kept once. */
struct draft {
    const struct entry_shape *shape;
    struct text records;
    struct text strings;
    uint64_t last[FIELDS_MOST];
};

static void draft_done(struct draft *draft)
{
    text_done(&draft->records);
    text_done(&draft->strings);
}

static const char *member_string(const void *entry, const struct entry_field *field)
{
    const char *string;
    memcpy(&string, (const char *)entry + field->offset, sizeof(string));
    return string;
}

static uint64_t put_string(struct draft *draft, size_t field, const char *string)
{
    uint64_t *last = &draft->last[field];
    if (string == NULL) {
        return 0;
    }
    if (*last == 0 || strcmp(draft->strings.data + *last, string) != 0) {
        *last = draft->strings.len;
        text_append_bytes(&draft->strings, string, strlen(string) + 1);
    }
    return *last;
}

static uint64_t put_member(struct draft *draft, size_t field, const void *entry)
{
    const struct entry_field *row = &draft->shape->fields[field];
    const char *member = (const char *)entry + row->offset;
    uint64_t value = 0;
    bool is_set;
    switch (row->type) {
    case ENTRY_STRING:
        return put_string(draft, field, member_string(entry, row));
    case ENTRY_NUMBER:
        memcpy(&value, member, sizeof(value));
        break;
    case ENTRY_BOOL:
        memcpy(&is_set, member, sizeof(is_set));
        return is_set;
    }
    return value;
}

static void put_record(struct draft *draft, const void *entry, const struct entry_stamp *stamp)
{
    text_append_bytes(&draft->records, stamp, sizeof(*stamp));
    for (size_t f = 0; f < draft->shape->field_count; f++) {
        uint64_t value = put_member(draft, f, entry);
        text_append_bytes(&draft->records, &value, sizeof(value));
    }
}

/* Everything behind the header's checksum in one piece, then the checksum. */
static bool put_together(
    const struct draft *draft, size_t count, const struct stat *place, struct text *whole)
{
    struct header header = {
        .magic = MAGIC,
        .version = VERSION,
        .field_count = draft->shape->field_count,
        .count = count,
        .device = place->st_dev,
        .inode = place->st_ino,
    };
    size_t checked = offsetof(struct header, version);
    text_append_bytes(whole, &header, sizeof(header));
    text_append_bytes(whole, draft->records.data, draft->records.len);
    text_append_bytes(whole, draft->strings.data, draft->strings.len);
    if (draft->records.is_full || draft->strings.is_full || whole->is_full) {
        return false;
    }
    header.checksum = checksum_of(whole->data + checked, whole->len - checked);
    memcpy(whole->data, &header, sizeof(header));
    return true;
}

/* Not synchronised: what a crash leaves of it fails its checksum. */
static void replace(int dir, const char *name, const struct text *whole)
{
    struct error ignored = {0};
    auto_free char *temporary = file_temporary_name(name, &ignored);
    auto_close int fd = temporary != NULL ? file_create(dir, temporary, &ignored) : -1;
    if (fd >= 0 && (!file_write_all(fd, whole->data, whole->len, &ignored) ||
                       renameat(dir, temporary, dir, name) != 0)) {
        unlinkat(dir, temporary, 0);
    }
}

/* Read from this store at a time when its manifest was at rest. */
static bool is_keepable(const struct entry_stamp *stamp, uint64_t device, int64_t started_ns)
{
    int64_t rest_ns = started_ns - ENTRY_INDEX_REST_MS * INT64_C(1000000);
    return stamp->inode != 0 && stamp->device == device && stamp->modified_ns < rest_ns &&
           stamp->changed_ns < rest_ns;
}

/* Whether more than a twentieth changed: less is read again sooner than the rest is written. */
static bool is_worth_it(const struct entry_index *old, size_t kept, size_t changed)
{
    size_t same = kept - changed;
    size_t gone = old != NULL && old->count > same ? old->count - same : 0;
    return kept >= ENTRY_INDEX_FROM && (changed + gone) * 20 > kept;
}

void entry_index_write(const struct store *store, const struct entry_shape *shape,
    const struct entry_index *old, const void *entries, struct entry_stamp *stamps, size_t count,
    int64_t started_ns)
{
    struct stat place;
    if (store_is_readonly(store) || count < ENTRY_INDEX_FROM ||
        fstat(store_kind_dir(store, shape->kind), &place) != 0) {
        return;
    }
    size_t kept = 0, changed = 0, record;
    for (size_t i = 0; i < count; i++) {
        if (!is_keepable(&stamps[i], place.st_dev, started_ns)) {
            stamps[i].inode = 0;
            continue;
        }
        const void *entry = (const char *)entries + i * shape->entry_size;
        const char *name = member_string(entry, &shape->fields[0]);
        kept++;
        changed += old == NULL || !is_known(old, name, i, &stamps[i], &record);
    }
    if (!is_worth_it(old, kept, changed)) {
        return;
    }
    auto_done(draft) struct draft draft = {.shape = shape};
    draft.records.cap_bytes = draft.strings.cap_bytes = BYTES_MOST / 2;
    text_append_char(&draft.strings, '\0');
    for (size_t i = 0; i < count; i++) {
        if (stamps[i].inode != 0) {
            put_record(&draft, (const char *)entries + i * shape->entry_size, &stamps[i]);
        }
    }
    auto_done(text) struct text whole = {.cap_bytes = BYTES_MOST};
    auto_close int dir = store_open_lists(store, true);
    if (dir >= 0 && put_together(&draft, kept, &place, &whole)) {
        replace(dir, store_kind_folder(shape->kind), &whole);
    }
}
