/* SPDX-License-Identifier: MIT */
#pragma once

/* Opening an ext4 file that is there. Private to ext4*.c. */

#include <stdbool.h>

struct error;
struct struct_ext2_filsys;

/* By a duplicate of fd. ERROR_FORMAT when it is none; ERROR_BUSY when its journal was not played
 * back. NULL on failure. */
struct struct_ext2_filsys *ext4_open(int fd, bool is_writable, struct error *err);
/* Also one that was not unmounted: what is read of it may be older than what its journal has. */
struct struct_ext2_filsys *ext4_open_as_is(int fd, bool is_writable, struct error *err);
/* Sets the sentence for an error of libext2fs on something that may be damaged. Returns false. */
bool ext4_open_fail(long code, const char *doing, struct error *err);
