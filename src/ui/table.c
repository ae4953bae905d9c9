/* SPDX-License-Identifier: MIT */
#include "ui/table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "ui/cell.h"
#include "ui/cells.h"

/* Rows whose cells decide how wide the columns are; more would cost a frame on huge lists. */
#define WIDTH_SAMPLE 1000

struct sort_key {
    size_t index;
    struct cell cell;
};

void table_cell(const struct table *table, const struct snapshot *snapshot, size_t index,
    size_t column, int64_t now, struct cell *cell)
{
    cell->text[0] = '\0';
    cell->role = ROLE_TEXT;
    cell->has_order = false;
    cell->changes_in_s = 0;
    cell->trend_count = 0;
    table->source->cell(snapshot, index, column, now, cell);
}

static bool row_matches(
    const struct table *table, const struct snapshot *snapshot, size_t index, int64_t now)
{
    bool is_inverted = table->filter[0] == '!';
    const char *wanted = table->filter + (is_inverted ? 1 : 0);
    if (wanted[0] == '\0') {
        return true;
    }
    bool has_match = false;
    for (size_t column = 0; column < table->source->column_count && !has_match; column++) {
        struct cell cell;
        if (table->is_hidden[column]) {
            continue;
        }
        table_cell(table, snapshot, index, column, now, &cell);
        has_match = strcasestr(cell.text, wanted) != NULL;
    }
    return has_match != is_inverted;
}

static int compare_cells(const struct cell *a, const struct cell *b)
{
    if (a->has_order && b->has_order) {
        return (a->order > b->order) - (a->order < b->order);
    }
    return strcasecmp(a->text, b->text);
}

static int compare_up(const void *left, const void *right)
{
    const struct sort_key *a = left;
    const struct sort_key *b = right;
    int order = compare_cells(&a->cell, &b->cell);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare_down(const void *left, const void *right)
{
    const struct sort_key *a = left;
    const struct sort_key *b = right;
    int order = compare_cells(&b->cell, &a->cell);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

struct held_key {
    char *key;
    size_t place;
};

static int compare_held(const void *left, const void *right)
{
    const struct held_key *a = left;
    const struct held_key *b = right;
    return strcmp(a->key, b->key);
}

/* Where the row stood when the order was held; what came later goes behind. */
static int64_t held_place(const struct table *table, const struct snapshot *snapshot, size_t index)
{
    char key[TABLE_KEY_MAX];
    table->source->key(snapshot, index, key);
    struct held_key wanted = {.key = key};
    const struct held_key *found =
        table->held_count > 0
            ? bsearch(&wanted, table->held, table->held_count, sizeof(*table->held), compare_held)
            : NULL;
    return found != NULL ? (int64_t)found->place : INT64_MAX;
}

static void sort_rows(struct table *table, const struct snapshot *snapshot, int64_t now)
{
    const struct table_source *source = table->source;
    bool has_order = table->is_held || table->sort_column >= 0 || source->order != NULL;
    if (table->shown_count == 0 || !has_order) {
        return;
    }
    auto_free struct sort_key *keys = memory_zero(table->shown_count, sizeof(*keys));
    for (size_t i = 0; i < table->shown_count; i++) {
        size_t index = table->rows[i];
        keys[i].index = index;
        if (table->is_held) {
            cell_order(&keys[i].cell, held_place(table, snapshot, index));
        } else if (table->sort_column < 0) {
            cell_order(&keys[i].cell, source->order(snapshot, index));
        } else {
            table_cell(table, snapshot, index, (size_t)table->sort_column, now, &keys[i].cell);
        }
    }
    qsort(keys, table->shown_count, sizeof(*keys),
        table->is_descending && !table->is_held ? compare_down : compare_up);
    for (size_t i = 0; i < table->shown_count; i++) {
        table->rows[i] = keys[i].index;
    }
}

static void measure(struct table *table, const struct snapshot *snapshot, int64_t now)
{
    for (size_t column = 0; column < table->source->column_count; column++) {
        int widest = 0;
        size_t sample = table->shown_count < WIDTH_SAMPLE ? table->shown_count : WIDTH_SAMPLE;
        for (size_t i = 0; i < sample; i++) {
            struct cell cell;
            table_cell(table, snapshot, table->rows[i], column, now, &cell);
            int width = cell.trend_count > 0 ? (int)cell.trend_count
                                             : cells_width(cell.text, table->is_utf8);
            widest = width > widest ? width : widest;
        }
        int min = table->source->columns[column].min;
        bool has_place = widest > 0 || (table->source->columns[column].is_kept && sample > 0);
        table->widths[column] = has_place && widest < min ? min : widest;
    }
}

/* Puts the cursor on `index` after the rows moved under it. */
static void remember(struct table *table, const struct snapshot *snapshot)
{
    if (table->shown_count == 0) {
        table->cursor = 0;
        return; /* the key is kept: the object may come back when the filter goes */
    }
    if (table->cursor >= table->shown_count) {
        table->cursor = table->shown_count - 1;
    }
    table->source->key(snapshot, table->rows[table->cursor], table->key);
}

/* A mark on what is gone would be a mark on whatever comes back under that name. */
static void forget_gone_marks(struct table *table, const struct snapshot *snapshot)
{
    struct strings kept = {0};
    for (size_t i = 0; i < table->section_count && table->marked.count > 0; i++) {
        char key[TABLE_KEY_MAX];
        table->source->key(snapshot, i, key);
        if (strings_contain(&table->marked, key)) {
            strings_add(&kept, key);
        }
    }
    strings_done(&table->marked);
    table->marked = kept;
}

static void find_again(struct table *table, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < table->shown_count && table->key[0] != '\0'; i++) {
        char key[TABLE_KEY_MAX];
        table->source->key(snapshot, table->rows[i], key);
        if (strcmp(key, table->key) == 0) {
            table->cursor = i;
            return;
        }
    }
    remember(table, snapshot);
}

void table_init(struct table *table, const struct table_source *source, bool is_utf8)
{
    *table = (struct table){
        .source = source, .sort_column = -1, .is_stale = true, .is_utf8 = is_utf8, .page = 1};
}

static void let_go(struct table *table)
{
    for (size_t i = 0; i < table->held_count; i++) {
        free(table->held[i].key);
    }
    free(table->held);
    table->held = NULL;
    table->held_count = 0;
    table->is_held = false;
}

void table_done(struct table *table)
{
    free(table->rows);
    table->rows = NULL;
    let_go(table);
    strings_done(&table->marked);
}

void table_update(struct table *table, const struct snapshot *snapshot, int64_t now)
{
    size_t count = 0;
    const void *section = table->source->section(snapshot, &count);
    if (section == table->section && count == table->section_count && !table->is_stale) {
        return;
    }
    table->section = section;
    table->section_count = count;
    table->is_stale = false;
    table->rows = memory_grow(table->rows, count > 0 ? count : 1, sizeof(*table->rows));
    table->shown_count = 0;
    table->listed_count = 0;
    for (size_t index = 0; index < count; index++) {
        if (table->source->is_listed != NULL && !table->source->is_listed(snapshot, index)) {
            continue;
        }
        table->listed_count++;
        if (row_matches(table, snapshot, index, now)) {
            table->rows[table->shown_count++] = index;
        }
    }
    forget_gone_marks(table, snapshot);
    sort_rows(table, snapshot, now);
    measure(table, snapshot, now);
    find_again(table, snapshot);
}

void table_mark(struct table *table)
{
    if (table->shown_count == 0) {
        return;
    }
    if (!strings_contain(&table->marked, table->key)) {
        strings_add(&table->marked, table->key);
        return;
    }
    struct strings kept = {0};
    for (size_t i = 0; i < table->marked.count; i++) {
        if (strcmp(table->marked.items[i], table->key) != 0) {
            strings_add(&kept, table->marked.items[i]);
        }
    }
    strings_done(&table->marked);
    table->marked = kept;
}

void table_mark_all(struct table *table, const struct snapshot *snapshot)
{
    table_clear_marks(table);
    for (size_t i = 0; i < table->shown_count; i++) {
        char key[TABLE_KEY_MAX];
        table->source->key(snapshot, table->rows[i], key);
        strings_add(&table->marked, key);
    }
}

void table_clear_marks(struct table *table)
{
    strings_done(&table->marked);
    table->marked = (struct strings){0};
}

bool table_is_marked(const struct table *table, const struct snapshot *snapshot, size_t index)
{
    char key[TABLE_KEY_MAX];
    if (table->marked.count == 0) {
        return false;
    }
    table->source->key(snapshot, index, key);
    return strings_contain(&table->marked, key);
}

void table_set_filter(struct table *table, const char *filter)
{
    if (strcmp(table->filter, filter) != 0) {
        snprintf(table->filter, sizeof(table->filter), "%s", filter);
        table->is_stale = true;
    }
}

bool table_is_filtered(const struct table *table)
{
    return table->filter[0] != '\0';
}

void table_sort(struct table *table, int column, bool is_descending)
{
    table->sort_column = column < (int)table->source->column_count ? column : -1;
    table->is_descending = is_descending;
    table->is_stale = true;
    let_go(table);
}

void table_sort_next(struct table *table)
{
    int column = table->sort_column;
    do {
        column++;
    } while (column < (int)table->source->column_count && table->is_hidden[column]);
    table_sort(table, column, false);
}

void table_sort_reverse(struct table *table)
{
    table_sort(table, table->sort_column < 0 ? 0 : table->sort_column, !table->is_descending);
}

void table_hide(struct table *table, size_t column, bool is_hidden)
{
    if (column > 0 && column < table->source->column_count) {
        table->is_hidden[column] = is_hidden;
        table->is_stale = true;
    }
}

void table_hold(struct table *table, const struct snapshot *snapshot, bool is_held)
{
    let_go(table);
    table->is_held = is_held;
    table->is_stale = true;
    if (!is_held) {
        return;
    }
    table->held = memory_zero(table->shown_count + 1, sizeof(*table->held));
    table->held_count = table->shown_count;
    for (size_t i = 0; i < table->shown_count; i++) {
        char key[TABLE_KEY_MAX];
        table->source->key(snapshot, table->rows[i], key);
        table->held[i] = (struct held_key){.key = memory_strdup(key), .place = i};
    }
    qsort(table->held, table->held_count, sizeof(*table->held), compare_held);
}

void table_move(struct table *table, const struct snapshot *snapshot, long by)
{
    if (table->shown_count == 0) {
        return;
    }
    size_t last = table->shown_count - 1;
    if (by < 0) {
        size_t up = (size_t)-by;
        table->cursor = up > table->cursor ? 0 : table->cursor - up;
    } else {
        table->cursor = (size_t)by > last - table->cursor ? last : table->cursor + (size_t)by;
    }
    remember(table, snapshot);
}

bool table_selected(const struct table *table, size_t *index)
{
    if (table->shown_count == 0) {
        return false;
    }
    *index = table->rows[table->cursor];
    return true;
}
