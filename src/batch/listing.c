/* SPDX-License-Identifier: MIT */
#include "batch/listing.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"

#define DIGEST_SHOWN 12

/* ---- one value ---- */

/* Follows "exit.reason" into nested objects; NULL when a part is absent. */
static const struct json *find_field(const struct json *object, const char *path)
{
    if (strchr(path, '.') == NULL) {
        return json_get(object, path);
    }
    auto_done(strings) struct strings parts = {0};
    strings_split(&parts, path, ".");
    const struct json *value = object;
    for (size_t i = 0; value != NULL && i < parts.count; ++i) {
        value = json_get(value, parts.items[i]);
    }
    return value;
}

static void append_foreign(struct text *out, const char *bytes, bool is_utf8)
{
    text_append_safe(out, bytes, strlen(bytes), is_utf8);
}

/* Any value on one line: lists with commas, objects as "field value". */
static void append_value(const struct json *value, bool is_utf8, struct text *out)
{
    if (json_is_string(value)) {
        append_foreign(out, json_string_value(value), is_utf8);
    } else if (json_is_array(value) || json_is_object(value)) {
        for (size_t i = 0; i < json_count(value); ++i) {
            text_append(out, i > 0 ? ", " : "");
            if (json_is_object(value)) {
                append_foreign(out, json_key_at(value, i), is_utf8);
                text_append_char(out, ' ');
            }
            append_value(json_at(value, i), is_utf8, out);
        }
    } else {
        json_write(value, false, out);
    }
}

static bool append_age(const char *time, struct text *out)
{
    int64_t at = 0;
    if (!clock_parse(time, &at)) {
        return false;
    }
    char buffer[UNITS_MAX];
    int64_t now = clock_wall();
    text_append(out, units_format_age(now > at ? (uint64_t)(now - at) : 0, buffer));
    return true;
}

static void append_cell(
    const struct json *value, enum column_form form, bool is_utf8, struct text *out)
{
    char buffer[UNITS_MAX];
    switch (form) {
    case COLUMN_SIZE:
        text_append(out, units_format_size((uint64_t)json_integer_value(value, 0), buffer));
        return;
    case COLUMN_AGE:
        if (json_is_string(value) && append_age(json_string_value(value), out)) {
            return;
        }
        break;
    case COLUMN_DIGEST:
        if (json_is_string(value)) {
            const char *hex = json_string_value(value);
            hex += text_has_prefix(hex, "sha256:") ? strlen("sha256:") : 0;
            text_append_safe(out, hex, strnlen(hex, DIGEST_SHOWN), is_utf8);
            return;
        }
        break;
    case COLUMN_BOOL: {
        auto_done(text) struct text word = {0};
        json_write(value, false, &word);
        text_append(out, strcmp(text_cstr(&word), "true") == 0 ? "yes" : "no");
        return;
    }
    case COLUMN_TEXT:
    case COLUMN_NUMBER:
        break;
    }
    append_value(value, is_utf8, out);
}

/* ---- tables ---- */

/* Cells a terminal needs for text that text_append_safe let through. */
static size_t width_of(const char *safe)
{
    size_t width = 0;
    size_t len = strlen(safe);
    unsigned code_point = 0;
    for (size_t at = 0; at < len;) {
        if (safe[at] >= 0x20 && safe[at] <= 0x7e) {
            width++;
            at++;
            continue;
        }
        int step = text_decode_utf8(safe + at, len - at, &code_point);
        if (step <= 0) {
            break;
        }
        int cells = wcwidth((wchar_t)code_point);
        width += cells > 0 ? (size_t)cells : cells == 0 ? 0 : 1;
        at += (size_t)step;
    }
    return width;
}

static void append_blanks(struct text *out, size_t count)
{
    static const char blanks[] = "                ";
    for (size_t some; count > 0; count -= some) {
        some = count < sizeof blanks - 1 ? count : sizeof blanks - 1;
        text_append_bytes(out, blanks, some);
    }
}

static bool is_right_aligned(const struct column *column)
{
    return column->form == COLUMN_SIZE || column->form == COLUMN_NUMBER;
}

static void append_row(const struct column *columns, size_t column_count, char *const *cells,
    const size_t *widths, struct text *out)
{
    for (size_t c = 0; c < column_count; ++c) {
        size_t blanks = widths[c] - width_of(cells[c]);
        bool is_right = is_right_aligned(&columns[c]);
        append_blanks(out, (c > 0 ? 2 : 0) + (is_right ? blanks : 0));
        text_append(out, cells[c]);
        append_blanks(out, is_right || c + 1 == column_count ? 0 : blanks);
    }
    text_append_char(out, '\n');
}

void listing_append_table(const struct column *columns, size_t column_count,
    const struct json *array, bool is_utf8, struct text *out)
{
    size_t row_count = 0;
    auto_done(strings) struct strings cells = {0};
    auto_free size_t *widths = memory_zero(column_count, sizeof(size_t));
    for (size_t c = 0; c < column_count; ++c) {
        widths[c] = strlen(columns[c].header);
        strings_add(&cells, columns[c].header);
    }
    for (const struct json *row = json_first(array); row != NULL; row = json_next(row)) {
        row_count++;
        for (size_t c = 0; c < column_count; ++c) {
            const struct json *value = find_field(row, columns[c].field);
            auto_done(text) struct text cell = {0};
            if (value != NULL) {
                append_cell(value, columns[c].form, is_utf8, &cell);
            }
            strings_add(&cells, cell.len > 0 ? text_cstr(&cell) : "-");
            size_t width = width_of(cells.items[cells.count - 1]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (size_t r = 0; r <= row_count; ++r) {
        append_row(columns, column_count, cells.items + r * column_count, widths, out);
    }
}

/* ---- objects ---- */

/* Exact bytes stay readable beside the short form; times get their age. */
static void append_details(
    const char *key, const struct json *value, bool is_utf8, struct text *out)
{
    char buffer[UNITS_MAX];
    int64_t bytes = text_has_suffix(key, "_bytes") ? json_integer_value(value, -1) : -1;
    auto_done(text) struct text age = {0};
    if (bytes >= 0) {
        text_printf(out, "%lld (%s)", (long long)bytes, units_format_size((uint64_t)bytes, buffer));
        return;
    }
    append_value(value, is_utf8, out);
    if (text_has_suffix(key, "_at") && json_is_string(value) &&
        append_age(json_string_value(value), &age)) {
        text_printf(out, " (%s ago)", text_cstr(&age));
    }
}

void listing_append_object(const struct json *object, bool is_utf8, struct text *out)
{
    for (size_t i = 0; i < json_count(object); ++i) {
        const char *key = json_key_at(object, i);
        const struct json *value = json_at(object, i);
        append_foreign(out, key, is_utf8);
        text_append(out, ":");
        bool is_block = json_is_array(value) && json_is_object(json_at(value, 0));
        for (size_t row = 0; is_block && row < json_count(value); ++row) {
            text_append(out, "\n  ");
            append_value(json_at(value, row), is_utf8, out);
        }
        if (!is_block) {
            text_append_char(out, ' ');
            append_details(key, value, is_utf8, out);
        }
        text_append_char(out, '\n');
    }
}

static void append_name(const struct json *object, bool is_utf8, struct text *out)
{
    const struct json *name = json_get(object, "name");
    if (name == NULL) {
        name = json_get(object, "id");
    }
    if (name != NULL) {
        append_value(name, is_utf8, out);
        text_append_char(out, '\n');
    }
}

void listing_append_names(const struct json *result, bool is_utf8, struct text *out)
{
    if (!json_is_array(result)) {
        append_name(result, is_utf8, out);
        return;
    }
    for (const struct json *row = json_first(result); row != NULL; row = json_next(row)) {
        append_name(row, is_utf8, out);
    }
}
