/* SPDX-License-Identifier: MIT */
#include "ui/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "ui/cell.h"
#include "ui/cells.h"
#include "ui/draw.h"

/* Rows whose cells decide how wide the columns are; more would cost a frame on huge lists. */
#define WIDTH_SAMPLE 1000
#define GAP 2
/* From this many rows of room on, the first one is spent on the column titles. */
#define HEADER_FROM 7

struct sort_key {
    size_t index;
    struct cell cell;
};

static void get_cell(const struct table *table, const struct snapshot *snapshot, size_t index,
    size_t column, int64_t now, struct cell *cell)
{
    cell->text[0] = '\0';
    cell->role = ROLE_TEXT;
    cell->has_order = false;
    cell->changes_in_s = 0;
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
        get_cell(table, snapshot, index, column, now, &cell);
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

static void sort_rows(struct table *table, const struct snapshot *snapshot, int64_t now)
{
    const struct table_source *source = table->source;
    if (table->shown_count == 0 || (table->sort_column < 0 && source->order == NULL)) {
        return;
    }
    auto_free struct sort_key *keys = memory_zero(table->shown_count, sizeof(*keys));
    for (size_t i = 0; i < table->shown_count; i++) {
        size_t index = table->rows[i];
        keys[i].index = index;
        if (table->sort_column < 0) {
            cell_order(&keys[i].cell, source->order(snapshot, index));
        } else {
            get_cell(table, snapshot, index, (size_t)table->sort_column, now, &keys[i].cell);
        }
    }
    qsort(
        keys, table->shown_count, sizeof(*keys), table->is_descending ? compare_down : compare_up);
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
            get_cell(table, snapshot, table->rows[i], column, now, &cell);
            int width = cells_width(cell.text, table->is_utf8);
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

void table_done(struct table *table)
{
    free(table->rows);
    table->rows = NULL;
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

void table_sort_next(struct table *table)
{
    table->sort_column++;
    if (table->sort_column >= (int)table->source->column_count) {
        table->sort_column = -1;
    }
    table->is_descending = false;
    table->is_stale = true;
}

void table_sort_reverse(struct table *table)
{
    table->sort_column = table->sort_column < 0 ? 0 : table->sort_column;
    table->is_descending = !table->is_descending;
    table->is_stale = true;
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

bool table_select(struct table *table, const struct snapshot *snapshot, const char *key)
{
    for (size_t i = 0; i < table->shown_count; i++) {
        char found[TABLE_KEY_MAX];
        table->source->key(snapshot, table->rows[i], found);
        if (strcmp(found, key) == 0) {
            table->cursor = i;
            remember(table, snapshot);
            return true;
        }
    }
    return false;
}

static int layout_need(const struct table_source *source, const int *widths)
{
    int need = 0;
    for (size_t i = 0; i < source->column_count; i++) {
        need += widths[i] > 0 ? widths[i] + GAP : 0;
    }
    return need > 0 ? need - GAP : 0;
}

/* Takes cells away, the widest surplus first; from all columns only when nothing else is left. */
static bool layout_squeeze(const struct table_source *source, bool from_all, int over, int *widths)
{
    while (over > 0) {
        int best = -1;
        int surplus = 0;
        for (size_t i = 0; i < source->column_count; i++) {
            bool may_give = from_all || source->columns[i].is_loose;
            if (may_give && widths[i] - source->columns[i].min > surplus) {
                surplus = widths[i] - source->columns[i].min;
                best = (int)i;
            }
        }
        if (best < 0) {
            return false;
        }
        widths[best]--;
        over--;
    }
    return true;
}

bool table_layout(const struct table_source *source, const int *natural, int width, int *widths)
{
    unsigned highest = 0;
    for (size_t i = 0; i < source->column_count; i++) {
        highest = source->columns[i].rank > highest ? source->columns[i].rank : highest;
    }
    for (unsigned limit = highest + 1; limit-- > 0;) {
        for (size_t i = 0; i < source->column_count; i++) {
            const struct table_column *column = &source->columns[i];
            int wanted = natural[i] < column->max ? natural[i] : column->max;
            widths[i] = column->rank <= limit ? wanted : 0;
        }
        int over = layout_need(source, widths) - width;
        if (over <= 0 || layout_squeeze(source, false, over, widths)) {
            return true;
        }
        if (limit <= 1 && layout_squeeze(source, true, over, widths)) {
            return false;
        }
    }
    widths[0] = widths[0] > width ? width : widths[0];
    return false;
}

static void draw_header(
    const struct table *table, struct frame *frame, struct area area, const int *widths)
{
    int x = area.x + 1;
    for (size_t i = 0; i < table->source->column_count; i++) {
        if (widths[i] == 0) {
            continue;
        }
        const struct table_column *column = &table->source->columns[i];
        if (column->is_right) {
            draw_right(frame, area.y, x, widths[i], ROLE_DIM, column->title);
        } else {
            draw_text(frame, area.y, x, widths[i], ROLE_DIM, column->title);
        }
        x += widths[i] + GAP;
    }
}

static void draw_row(const struct table *table, const struct snapshot *snapshot,
    struct frame *frame, struct area line, size_t index, const int *widths)
{
    int x = line.x + 1;
    for (size_t i = 0; i < table->source->column_count; i++) {
        if (widths[i] == 0) {
            continue;
        }
        struct cell cell;
        get_cell(table, snapshot, index, i, frame->now, &cell);
        if (cell.changes_in_s > 0) {
            draw_again_in(frame, cell.changes_in_s * 1000);
        }
        if (table->source->columns[i].is_right) {
            draw_right(frame, line.y, x, widths[i], cell.role, cell.text);
        } else {
            draw_text(frame, line.y, x, widths[i], cell.role, cell.text);
        }
        x += widths[i] + GAP;
    }
}

static void scroll_to_cursor(struct table *table, int height)
{
    size_t page = height > 0 ? (size_t)height : 1;
    table->page = page;
    if (table->cursor < table->top) {
        table->top = table->cursor;
    } else if (table->cursor >= table->top + page) {
        table->top = table->cursor - page + 1;
    }
    if (table->top > 0 && table->top + page > table->shown_count) {
        table->top = table->shown_count > page ? table->shown_count - page : 0;
    }
}

void table_draw(struct table *table, const struct snapshot *snapshot, struct frame *frame,
    struct area area, bool is_focused)
{
    int natural[array_length(table->widths)] = {0};
    int widths[array_length(table->widths)] = {0};
    bool has_header = area.height >= HEADER_FROM && table->shown_count > 0;
    for (size_t i = 0; i < table->source->column_count; i++) {
        int title = has_header ? (int)strlen(table->source->columns[i].title) : 0;
        natural[i] = table->widths[i] == 0 || table->widths[i] > title ? table->widths[i] : title;
    }
    /* A blank before the border, unless a name would have to be cut for it. */
    if (!table_layout(table->source, natural, area.width - 2, widths)) {
        table_layout(table->source, natural, area.width - 1, widths);
    }
    if (has_header) {
        draw_header(table, frame, area, widths);
        area.y++;
        area.height--;
    }
    scroll_to_cursor(table, area.height);
    for (int line = 0; line < area.height; line++) {
        size_t row = table->top + (size_t)line;
        if (row >= table->shown_count) {
            break;
        }
        struct area place = {.y = area.y + line, .x = area.x, .height = 1, .width = area.width};
        frame->is_selected = is_focused && row == table->cursor;
        if (frame->is_selected) {
            draw_clear(frame, place);
            draw_text(frame, place.y, place.x, 1, ROLE_TEXT, theme_glyph(frame->theme, GLYPH_MARK));
        }
        if (table_is_marked(table, snapshot, table->rows[row])) {
            draw_text(frame, place.y, place.x, 1, ROLE_ATTENTION, "*");
        }
        draw_row(table, snapshot, frame, place, table->rows[row], widths);
        frame->is_selected = false;
    }
}
