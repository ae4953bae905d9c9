/* SPDX-License-Identifier: MIT */
#include "batch/listing.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"

#define DIGEST_SHOWN 12

/* ---- one value ---- */

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

static void append_string(const char *string, enum column_form form, bool is_utf8, struct text *out)
{
    if (form == COLUMN_AGE && append_age(string, out)) {
        return;
    }
    if (form == COLUMN_DIGEST) {
        string += text_has_prefix(string, "sha256:") ? strlen("sha256:") : 0;
        text_append_safe(out, string, strnlen(string, DIGEST_SHOWN), is_utf8);
        return;
    }
    append_foreign(out, string, is_utf8);
}

static void append_cell(
    const struct json *value, enum column_form form, bool is_utf8, struct text *out)
{
    char buffer[UNITS_MAX];
    auto_done(text) struct text word = {0};
    switch (form) {
    case COLUMN_SIZE:
        text_append(out, units_format_size((uint64_t)json_integer_value(value, 0), buffer));
        return;
    case COLUMN_BOOL:
        json_write(value, false, &word);
        text_append(out, strcmp(text_cstr(&word), "true") == 0 ? "yes" : "no");
        return;
    case COLUMN_AGE:
    case COLUMN_DIGEST:
    case COLUMN_TEXT:
    case COLUMN_NUMBER:
        break;
    }
    if (json_is_string(value)) {
        append_string(json_string_value(value), form, is_utf8, out);
    } else {
        append_value(value, is_utf8, out);
    }
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

/* All cells of a table, row by row, one behind the other in one text, each with a NUL. */
struct cells {
    const struct column *columns;
    size_t column_count;
    struct text text;
    size_t *widths;           /* of the columns */
    struct json_span *values; /* of the row at hand */
    bool is_utf8;
};

static void cells_done(struct cells *cells)
{
    text_done(&cells->text);
    free(cells->widths);
    free(cells->values);
}

/* The cell of column c that begins at start is complete. */
static void end_cell(struct cells *cells, size_t c, size_t start)
{
    if (cells->text.len == start) {
        text_append_char(&cells->text, '-');
    }
    size_t width = width_of(text_cstr(&cells->text) + start);
    cells->widths[c] = width > cells->widths[c] ? width : cells->widths[c];
    text_append_char(&cells->text, '\0');
}

/* Nearly every value is a string that stands for itself, and goes over without a tree. */
static void add_cell(struct cells *cells, size_t c, struct json_span value)
{
    char string[256];
    struct json_span plain;
    size_t start = cells->text.len;
    enum column_form form = cells->columns[c].form;
    bool is_short = json_text_plain(value, &plain) && plain.len < sizeof(string);
    if (is_short && form != COLUMN_SIZE && form != COLUMN_BOOL) {
        memcpy(string, plain.at, plain.len);
        string[plain.len] = '\0';
        append_string(string, form, cells->is_utf8, &cells->text);
    } else if (value.len > 0) {
        auto_json struct json *tree = json_text_parse(value);
        append_cell(tree, form, cells->is_utf8, &cells->text);
    }
    end_cell(cells, c, start);
}

/* Each member is looked at once, however many columns there are. */
static void find_values(struct cells *cells, struct json_span row)
{
    struct json_span key, value;
    memset(cells->values, 0, cells->column_count * sizeof(struct json_span));
    for (const char *at = row.at; json_text_member(&at, &key, &value);) {
        for (size_t c = 0; c < cells->column_count; ++c) {
            const char *field = cells->columns[c].field;
            if (strncmp(field, key.at, key.len) != 0) {
                continue;
            }
            if (field[key.len] == '\0') {
                cells->values[c] = value;
            } else if (field[key.len] == '.') {
                cells->values[c] = json_text_find(value, field + key.len + 1);
            }
        }
    }
}

static void add_row(struct cells *cells, struct json_span row)
{
    find_values(cells, row);
    for (size_t c = 0; c < cells->column_count; ++c) {
        add_cell(cells, c, cells->values[c]);
    }
}

static void append_rows(const struct cells *cells, struct text *out)
{
    const char *cell = text_cstr(&cells->text);
    const char *end = cell + cells->text.len;
    for (size_t c = 0; cell < end; c = (c + 1) % cells->column_count) {
        bool is_last = c + 1 == cells->column_count;
        enum column_form form = cells->columns[c].form;
        bool is_right = form == COLUMN_SIZE || form == COLUMN_NUMBER;
        size_t blanks = cells->widths[c] - width_of(cell);
        size_t len = strlen(cell);
        append_blanks(out, (c > 0 ? 2 : 0) + (is_right ? blanks : 0));
        text_append_bytes(out, cell, len);
        append_blanks(out, is_right || is_last ? 0 : blanks);
        text_append_bytes(out, "\n", is_last);
        cell += len + 1;
    }
}

void listing_append_table(const struct column *columns, size_t column_count, const char *rows,
    bool is_utf8, struct text *out)
{
    auto_done(cells) struct cells cells = {
        .columns = columns, .column_count = column_count, .is_utf8 = is_utf8};
    cells.widths = memory_zero(column_count, sizeof(size_t));
    cells.values = memory_zero(column_count, sizeof(struct json_span));
    for (size_t c = 0; c < column_count; ++c) {
        text_append(&cells.text, columns[c].header);
        end_cell(&cells, c, cells.text.len - strlen(columns[c].header));
    }
    struct json_span row;
    for (const char *at = rows; json_text_next(&at, &row);) {
        add_row(&cells, row);
    }
    out->is_full |= cells.text.is_full;
    append_rows(&cells, out);
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

void listing_append_name(const struct json *object, bool is_utf8, struct text *out)
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

void listing_append_names(const char *rows, bool is_utf8, struct text *out)
{
    struct json_span row, plain;
    for (const char *at = rows; json_text_next(&at, &row);) {
        if (json_text_plain(json_text_find(row, "name"), &plain)) {
            text_append_safe(out, plain.at, plain.len, is_utf8);
            text_append_char(out, '\n');
            continue;
        }
        auto_json struct json *object = json_text_parse(row);
        listing_append_name(object, is_utf8, out);
    }
}
