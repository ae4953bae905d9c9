/* SPDX-License-Identifier: MIT */
#include "ui/cell.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "ui/format.h"

void cell_print(struct cell *cell, enum role role, const char *format, ...)
{
    cell->role = role;
    va_list args;
    va_start(args, format);
    vsnprintf(cell->text, sizeof(cell->text), format, args);
    va_end(args);
}

void cell_order(struct cell *cell, int64_t order)
{
    cell->has_order = true;
    cell->order = order;
}

void cell_text(struct cell *cell, enum role role, const struct text *text)
{
    cell_print(cell, role, "%s", text_cstr(text));
}

void cell_size(struct cell *cell, uint64_t size_bytes)
{
    char buffer[UNITS_MAX];
    cell_print(
        cell, ROLE_TEXT, "%s", size_bytes > 0 ? units_format_size_short(size_bytes, buffer) : "");
    cell_order(cell, (int64_t)size_bytes);
}

void cell_age(struct cell *cell, int64_t now, int64_t then)
{
    auto_done(text) struct text age = {0};
    format_age(&age, now, then, &cell->changes_in_s);
    cell_text(cell, ROLE_DIM, &age);
    cell_order(cell, -then);
}

void cell_trend(struct cell *cell, const uint32_t *figures, size_t count, uint64_t full)
{
    size_t shown = count < CELL_TREND_MAX ? count : CELL_TREND_MAX;
    cell->text[0] = '\0';
    cell->trend_count = shown;
    for (size_t i = 0; i < shown; i++) {
        uint64_t level = full > 0 ? (uint64_t)figures[count - shown + i] * 8 / full : 0;
        cell->trend[i] = (uint8_t)(level > 7 ? 7 : level);
    }
}
