/* SPDX-License-Identifier: MIT */
#pragma once

/* The guest program, which is built as a program of its own (src/guest) and carried inside this
 * one: the engine puts it into every initrd. Any thread. */

#include <stddef.h>

/* Its bytes, for as long as the process lives. */
const void *guest_blob(size_t *len);
