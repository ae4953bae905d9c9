/* SPDX-License-Identifier: MIT */
#pragma once

/* The time index of one segment of a serial log: the format is described in serial_log.h. Reads by
 * pread, so one descriptor serves any number of readers. Records are in the order of offsets; the
 * times may step back with the wall clock, which makes a search by time inexact, never wrong by
 * more than the step. */

#include <stdbool.h>
#include <stdint.h>

void serial_index_put(uint8_t *at, uint64_t number);
/* The stream offset of the segment's first byte; false when this is no index. */
bool serial_index_begin(int fd, uint64_t *begin);
/* Where to begin so that no line of this time or later is missed (older ones by less than a step may
 * be there); false when there is none. */
bool serial_index_find_time(int fd, int64_t wall_ms, uint64_t *offset);
/* Time of the last record at or before the offset; false when there is none. */
bool serial_index_time_at(int fd, uint64_t offset, int64_t *wall_ms);
