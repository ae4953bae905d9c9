/* SPDX-License-Identifier: MIT */
#include "batch/sheet.h"

#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "batch/grid.h"
#include "batch/listing.h"
#include "batch/value.h"

#define INDENT 2

/* Keys that end in a unit of memory: the unit goes to the value. */
static const struct unit {
    const char *ending;
    int64_t bytes;
} units[] = {{"_bytes", 1}, {"_mib", 1 << 20}};

static const struct unit *unit_of(const char *key)
{
    for (size_t i = 0; i < array_length(units); ++i) {
        if (text_has_suffix(key, units[i].ending)) {
            return &units[i];
        }
    }
    return NULL;
}

/* "size_bytes" is "size", "kernel_version" is "kernel version". */
static void append_label(const char *key, bool is_utf8, struct text *out)
{
    const struct unit *unit = unit_of(key);
    size_t len = strlen(key) - (unit != NULL ? strlen(unit->ending) : 0);
    auto_done(text) struct text label = {0};
    for (size_t i = 0; i < len; ++i) {
        text_append_char(&label, key[i] == '_' ? ' ' : key[i]);
    }
    text_append_safe(out, text_cstr(&label), label.len, is_utf8);
}

/* has_exact: bytes beside the size. */
static void append_field(
    const char *key, const struct json *value, bool has_exact, bool is_utf8, struct text *out)
{
    char buffer[UNITS_MAX];
    const struct unit *unit = unit_of(key);
    int64_t count = unit != NULL ? json_integer_value(value, -1) : -1;
    if (count >= 0) {
        text_append(out, units_format_size((uint64_t)(count * unit->bytes), buffer));
        if (has_exact && unit->bytes == 1 && count >= 1024) {
            text_printf(out, " (%lld bytes)", (long long)count);
        }
    } else if (json_is_bool(value)) {
        value_append_cell(value, COLUMN_BOOL, is_utf8, out);
    } else {
        value_append_details(key, value, is_utf8, out);
    }
}

/* The keys of all rows, in the order of their first appearance. */
static void collect_keys(const struct json *rows, struct strings *keys)
{
    for (const struct json *row = json_first(rows); row != NULL; row = json_next(row)) {
        for (const struct json *field = json_first(row); field != NULL; field = json_next(field)) {
            if (!strings_contain(keys, json_key(field))) {
                strings_add(keys, json_key(field));
            }
        }
    }
}

static void append_header(struct grid *grid, const struct strings *keys, bool is_utf8)
{
    for (size_t c = 0; c < keys->count; ++c) {
        size_t start = grid->text.len;
        append_label(keys->items[c], is_utf8, &grid->text);
        for (size_t i = start; i < grid->text.len; ++i) {
            char letter = grid->text.data[i];
            grid->text.data[i] = letter >= 'a' && letter <= 'z' ? (char)(letter - 32) : letter;
        }
        grid_end_cell(grid, start);
    }
}

static void append_block(
    const struct json *rows, const struct listing_style *style, struct text *out)
{
    auto_done(strings) struct strings keys = {0};
    auto_done(grid) struct grid grid = {0};
    collect_keys(rows, &keys);
    if (keys.count == 0) {
        return;
    }
    grid_init(&grid, keys.count);
    append_header(&grid, &keys, style->is_utf8);
    for (const struct json *row = json_first(rows); row != NULL; row = json_next(row)) {
        for (size_t c = 0; c < keys.count; ++c) {
            size_t start = grid.text.len;
            const struct json *value = json_get(row, keys.items[c]);
            grid.is_right[c] = grid.is_right[c] || json_is_number(value);
            if (value != NULL) {
                append_field(keys.items[c], value, false, style->is_utf8, &grid.text);
            }
            grid_end_cell(&grid, start);
        }
    }
    grid_append(&grid, INDENT, style->width, out);
}

void sheet_append(const struct json *object, const struct listing_style *style, struct text *out)
{
    auto_done(grid) struct grid grid = {0};
    grid_init(&grid, 2);
    for (const struct json *field = json_first(object); field != NULL; field = json_next(field)) {
        size_t start = grid.text.len;
        if (!value_is_block(field)) {
            append_label(json_key(field), style->is_utf8, &grid.text);
            grid_end_cell(&grid, start);
            start = grid.text.len;
            append_field(json_key(field), field, true, style->is_utf8, &grid.text);
            grid_end_cell(&grid, start);
        }
    }
    grid_append(&grid, 0, style->width, out);
    for (const struct json *field = json_first(object); field != NULL; field = json_next(field)) {
        if (value_is_block(field)) {
            append_label(json_key(field), style->is_utf8, out);
            text_append_char(out, '\n');
            append_block(field, style, out);
        }
    }
}
