/* SPDX-License-Identifier: MIT */
#pragma once

/* One line of text being typed: the value of a form's field, a filter, a search. Holds valid UTF-8
 * without control characters; the cursor never stands inside a character. Pure; main thread. */

#include <stdbool.h>
#include <stddef.h>

#define EDIT_MAX 512

struct edit {
    char text[EDIT_MAX];
    size_t len;
    size_t cursor; /* in bytes */
};

void edit_set(struct edit *edit, const char *text);
/* A key as from term_key: characters, Backspace, Delete, Left, Right, Home, End, ^A ^E ^U ^W.
 * False: not one of them. */
bool edit_key(struct edit *edit, int key);
/* Characters in front of the cursor, as cells. */
int edit_cursor_cells(const struct edit *edit, bool is_utf8);
