/* SPDX-License-Identifier: MIT */
#include "batch/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "batch/grid.h"
#include "batch/sheet.h"
#include "batch/value.h"
#include "engine/command.h"

/* ---- tables ---- */

struct table {
    const struct column *columns;
    struct grid grid;
    struct json_span *values;  /* of the row at hand */
    struct json_span *remarks; /* its fields that are told behind others */
    bool is_utf8;
    bool is_brief; /* sizes as "257M": there is no room for "257.2 MiB" */
};

static void table_done(struct table *table)
{
    grid_done(&table->grid);
    free(table->values);
    free(table->remarks);
}

static bool json_span_is(struct json_span span, const char *word)
{
    return span.len == strlen(word) && memcmp(span.at, word, span.len) == 0;
}

/* Nearly every value is a string that stands for itself, and goes over without a tree. */
static void add_cell(struct table *table, size_t c, struct json_span value)
{
    char string[256];
    struct json_span plain;
    struct text *out = &table->grid.text;
    size_t start = out->len;
    enum column_form form = table->columns[c].form;
    bool is_short = json_text_plain(value, &plain) && plain.len < sizeof(string);
    if (is_short && form != COLUMN_SIZE && form != COLUMN_BOOL) {
        memcpy(string, plain.at, plain.len);
        string[plain.len] = '\0';
        value_append_string(string, form, table->is_utf8, out);
    } else if (value.len > 0) {
        auto_json struct json *tree = json_text_parse(value);
        char size[UNITS_MAX];
        if (table->is_brief && form == COLUMN_SIZE) {
            uint64_t bytes = (uint64_t)json_integer_value(tree, 0);
            text_append(out, units_format_size_short(bytes, size));
        } else {
            value_append_cell(tree, form, table->is_utf8, out);
        }
    }
    for (size_t i = 0; i < COLUMN_REMARKS; i++) {
        if (json_span_is(table->remarks[c * COLUMN_REMARKS + i], "true")) {
            column_append_remark(column_remark(&table->columns[c], i), out);
        }
    }
    grid_end_cell(&table->grid, start);
}

static void note_remarks(
    struct table *table, size_t c, struct json_span key, struct json_span value)
{
    const char *remark;
    for (size_t i = 0; (remark = column_remark(&table->columns[c], i)) != NULL; i++) {
        if (json_span_is(key, remark)) {
            table->remarks[c * COLUMN_REMARKS + i] = value;
        }
    }
}

/* Each member is looked at once, however many columns there are. */
static void find_values(struct table *table, struct json_span row)
{
    struct json_span key, value;
    memset(table->values, 0, table->grid.column_count * sizeof(struct json_span));
    memset(table->remarks, 0, table->grid.column_count * COLUMN_REMARKS * sizeof(struct json_span));
    for (const char *at = row.at; json_text_member(&at, &key, &value);) {
        for (size_t c = 0; c < table->grid.column_count; ++c) {
            const char *field = table->columns[c].field;
            note_remarks(table, c, key, value);
            if (strncmp(field, key.at, key.len) != 0) {
                continue;
            }
            if (field[key.len] == '\0') {
                table->values[c] = value;
            } else if (field[key.len] == '.') {
                table->values[c] = json_text_find(value, field + key.len + 1);
            }
        }
    }
}

static void fill_table(struct table *table, const char *rows)
{
    struct grid *grid = &table->grid;
    for (size_t c = 0; c < grid->column_count; ++c) {
        size_t start = grid->text.len;
        enum column_form form = table->columns[c].form;
        grid->is_right[c] = form == COLUMN_SIZE || form == COLUMN_NUMBER;
        text_append(&grid->text, table->columns[c].header);
        grid_end_cell(grid, start);
    }
    struct json_span row;
    for (const char *at = rows; json_text_next(&at, &row);) {
        find_values(table, row);
        for (size_t c = 0; c < grid->column_count; ++c) {
            add_cell(table, c, table->values[c]);
        }
    }
}

/* False: nothing was appended, for it would be wider than the terminal. */
static bool append_if_fits(const struct column *columns, size_t column_count, const char *rows,
    const struct listing_style *style, bool is_brief, bool is_last_try, struct text *out)
{
    auto_done(table) struct table table = {
        .columns = columns, .is_utf8 = style->is_utf8, .is_brief = is_brief};
    grid_init(&table.grid, column_count);
    table.values = memory_zero(column_count, sizeof(struct json_span));
    table.remarks = memory_zero(column_count * COLUMN_REMARKS, sizeof(struct json_span));
    fill_table(&table, rows);
    if (!is_last_try && !grid_fits(&table.grid, 0, style->width)) {
        return false;
    }
    grid_append(&table.grid, 0, style->width, out);
    return true;
}

/* Where there is no room even for brief sizes, the second half of the columns follows as a table of
 * its own, with the first column again in front. */
static void append_halves(const struct column *columns, size_t column_count, const char *rows,
    const struct listing_style *style, struct text *out)
{
    size_t half = column_count / 2 + 1;
    auto_free struct column *second = memory_zero(column_count, sizeof(*second));
    second[0] = columns[0];
    memcpy(&second[1], &columns[half], (column_count - half) * sizeof(*second));
    size_t second_count = column_count - half + 1;
    if (!append_if_fits(columns, half, rows, style, true, half < 3, out)) {
        append_halves(columns, half, rows, style, out);
    }
    text_append_char(out, '\n');
    if (!append_if_fits(second, second_count, rows, style, true, second_count < 3, out)) {
        append_halves(second, second_count, rows, style, out);
    }
}

void listing_append_table(const struct column *columns, size_t column_count, const char *rows,
    const struct listing_style *style, struct text *out)
{
    bool is_last_try = column_count < 3;
    if (!append_if_fits(columns, column_count, rows, style, false, is_last_try, out) &&
        !append_if_fits(columns, column_count, rows, style, true, false, out)) {
        append_halves(columns, column_count, rows, style, out);
    }
}

/* ---- objects ---- */

static void append_fields(const struct json *object, bool is_utf8, struct text *out)
{
    for (size_t i = 0; i < json_count(object); ++i) {
        const char *key = json_key_at(object, i);
        const struct json *value = json_at(object, i);
        text_append_safe(out, key, strlen(key), is_utf8);
        text_append(out, ":");
        for (size_t row = 0; value_is_block(value) && row < json_count(value); ++row) {
            text_append(out, "\n  ");
            value_append(json_at(value, row), is_utf8, out);
        }
        if (!value_is_block(value)) {
            text_append_char(out, ' ');
            value_append_details(key, value, is_utf8, out);
        }
        text_append_char(out, '\n');
    }
}

void listing_append_object(
    const struct json *object, const struct listing_style *style, struct text *out)
{
    if (style->width == 0) {
        append_fields(object, style->is_utf8, out);
    } else {
        sheet_append(object, style, out);
    }
}

void listing_append_name(const struct json *object, bool is_utf8, struct text *out)
{
    const struct json *name = json_get(object, "name");
    if (name == NULL) {
        name = json_get(object, "id");
    }
    if (name != NULL) {
        value_append(name, is_utf8, out);
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
