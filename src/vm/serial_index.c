/* SPDX-License-Identifier: MIT */
#include "vm/serial_index.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/serial_log.h"

void serial_index_put(uint8_t *at, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

static uint64_t get(const uint8_t *at)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--) {
        number = number << 8 | at[i];
    }
    return number;
}

bool serial_index_begin(int fd, uint64_t *begin)
{
    uint8_t head[SERIAL_INDEX_RECORD];
    if (fd < 0 || pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head, SERIAL_INDEX_MAGIC, 8) != 0) {
        return false;
    }
    *begin = get(head + 8);
    return true;
}

static uint64_t count_records(int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size < SERIAL_INDEX_RECORD) {
        return 0;
    }
    return (uint64_t)status.st_size / SERIAL_INDEX_RECORD - 1;
}

static bool read_record(int fd, uint64_t number, uint64_t *offset, int64_t *wall_ms)
{
    uint8_t record[SERIAL_INDEX_RECORD];
    off_t at = (off_t)((number + 1) * SERIAL_INDEX_RECORD);
    if (pread(fd, record, sizeof(record), at) != (ssize_t)sizeof(record)) {
        return false;
    }
    *offset = get(record);
    *wall_ms = (int64_t)get(record + 8);
    return true;
}

bool serial_index_find_time(int fd, int64_t wall_ms, uint64_t *offset)
{
    uint64_t low = 0;
    uint64_t count = count_records(fd);
    uint64_t high = count;
    uint64_t at_offset = 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int64_t at_ms = 0;
        if (!read_record(fd, middle, &at_offset, &at_ms)) {
            return false;
        }
        if (at_ms < wall_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    /* Lines that followed a record within the step have none of their own. */
    int64_t before_ms = 0;
    if (low > 0 && read_record(fd, low - 1, &at_offset, &before_ms) &&
        before_ms + SERIAL_INDEX_STEP_MS > wall_ms) {
        *offset = at_offset;
        return true;
    }
    int64_t ignored = 0;
    return low < count && read_record(fd, low, offset, &ignored);
}

bool serial_index_time_at(int fd, uint64_t offset, int64_t *wall_ms)
{
    uint64_t low = 0;
    uint64_t high = count_records(fd);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t at_offset = 0;
        int64_t ignored = 0;
        if (!read_record(fd, middle, &at_offset, &ignored)) {
            return false;
        }
        if (at_offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint64_t ignored = 0;
    return low > 0 && read_record(fd, low - 1, &ignored, wall_ms);
}
