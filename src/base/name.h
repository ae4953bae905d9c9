/* SPDX-License-Identifier: MIT */
#pragma once

/* The rules for names, checked at every border (FORMATS, "Names"). Any thread. */

#include <stdbool.h>

struct error;

#define NAME_ENTRY_MAX 64
#define NAME_LABEL_MAX 63

/* ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ for things kept in the store. `what` ("kernel name") opens the
 * sentence; an empty name has a sentence of its own. ERROR_INVALID. */
bool name_check_entry(const char *name, const char *what, struct error *err);
/* A DNS label: 1-63 of a-z 0-9 '-', no hyphen at either end; never normalised (RFC 1123, 2.1, lower
 * case only). ERROR_INVALID. */
bool name_check_label(const char *name, const char *what, struct error *err);
