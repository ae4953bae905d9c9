/* SPDX-License-Identifier: MIT */
#pragma once

/* What stands where a row and a column of a table meet: a few words, what they mean, what they sort
 * by. Filled by a pane's cell function, drawn by the table. Pure. */

#include "ui/theme.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

#define CELL_MAX 160
#define CELL_TREND_MAX 16

struct cell {
    char text[CELL_MAX];
    enum role role;
    bool has_order; /* sorts by `order`, not by text */
    int64_t order;
    uint64_t changes_in_s; /* when the text will be another one; 0: never by itself */
    /* A trend in place of the text: levels 0..7, oldest first, the newest at the right end. */
    uint8_t trend[CELL_TREND_MAX];
    size_t trend_count;
};

void cell_print(struct cell *cell, enum role role, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void cell_text(struct cell *cell, enum role role, const struct text *text);
/* Sorts by that number. */
void cell_order(struct cell *cell, int64_t order);
/* A trend of the newest of `count` figures, where `full` is the highest level. */
void cell_trend(struct cell *cell, const uint32_t *figures, size_t count, uint64_t full);
/* "14M"; nothing for 0, which means not known. */
void cell_size(struct cell *cell, uint64_t size_bytes);
/* "3h"; knows when it will be another one. */
void cell_age(struct cell *cell, int64_t now, int64_t then);
