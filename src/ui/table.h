/* SPDX-License-Identifier: MIT */
#pragma once

/* A list of objects of one snapshot section: rows, columns that leave by rank when it is narrow, a
 * filter, an order, and a cursor that sticks to the object under it, whatever happens around it.
 *
 * The table keeps no text of the rows: a source says what a cell holds, and only cells that are
 * looked at are made. Rows are arranged anew when the section, the filter or the order changed.
 * The snapshot given to table_update must be the one given to table_draw. Main thread. */

#include "base/text.h"
#include "ui/theme.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct area;
struct cell;
struct frame;
struct held_key;
struct snapshot;

#define TABLE_KEY_MAX 200
#define TABLE_FILTER_MAX 64
#define TABLE_COLUMNS_MAX 14

struct table_column {
    const char *title; /* upper case, in the header and in the title when it gives the order */
    unsigned rank;     /* 0 stays to the end; the highest goes first */
    int min, max;      /* cells: never narrower, so that a growing figure moves nothing */
    bool is_right;
    bool is_loose; /* prose: cut short before it is dropped */
    bool is_kept;  /* has its place even while all its cells are empty: they will not stay so */
};

struct table_source {
    const struct table_column *columns;
    size_t column_count;
    /* Start and length of the section; the same pointer means that nothing changed. */
    const void *(*section)(const struct snapshot *snapshot, size_t *count);
    /* What names the object among its like, for as long as it exists. */
    void (*key)(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX]);
    void (*cell)(const struct snapshot *snapshot, size_t index, size_t column, int64_t now,
        struct cell *cell);
    /* Both may be NULL: rows that are there for the list at all, and the order they have by
     * themselves (ascending; equal ones stay as they are). */
    bool (*is_listed)(const struct snapshot *snapshot, size_t index);
    int64_t (*order)(const struct snapshot *snapshot, size_t index);
};

struct table {
    const struct table_source *source;
    size_t *rows; /* indices into the section, in the order shown */
    size_t shown_count;
    size_t listed_count; /* without the filter */
    size_t section_count;
    size_t cursor; /* into rows */
    size_t top;
    size_t page;             /* rows that the last draw had room for */
    char key[TABLE_KEY_MAX]; /* of the object under the cursor; "" for none */
    char filter[TABLE_FILTER_MAX];
    struct strings marked; /* keys; only of objects that exist */
    int sort_column;       /* -1: the order of the section */
    bool is_descending;
    const void *section; /* arranged for this one */
    bool is_stale;
    bool is_utf8;
    int widths[TABLE_COLUMNS_MAX];     /* of the columns' widest cell */
    bool is_hidden[TABLE_COLUMNS_MAX]; /* by the operator's choice; never the first one */
    struct table_place {
        int y, height;                  /* of the rows */
        int x, header_y;                /* -1: no header */
        int columns[TABLE_COLUMNS_MAX]; /* cells each column has; 0: dropped */
    } place;                            /* of the last drawing */
    bool is_held;                       /* rows keep the places they had */
    struct held_key *held;              /* of them, by key */
    size_t held_count;
};

void table_init(struct table *table, const struct table_source *source, bool is_utf8);
void table_done(struct table *table);
/* Takes over a new snapshot: finds the object under the cursor again, or the next one. */
void table_update(struct table *table, const struct snapshot *snapshot, int64_t now);
/* "" shows everything; a leading '!' shows what does not match. Looks at every column. */
void table_set_filter(struct table *table, const char *filter);
bool table_is_filtered(const struct table *table);
/* By that column, -1 for the section's own order. */
void table_sort(struct table *table, int column, bool is_descending);
/* Steps through the columns that are shown, ending at the section's own order. */
void table_sort_next(struct table *table);
void table_sort_reverse(struct table *table);
/* Keeps every row where it is while figures change; what is new goes to the end. Until it is let go
 * or sorted anew. */
void table_hold(struct table *table, const struct snapshot *snapshot, bool is_held);
/* Leaves a column out, or takes it back. */
void table_hide(struct table *table, size_t column, bool is_hidden);
/* What stands in a column of row `index` of the section. */
void table_cell(const struct table *table, const struct snapshot *snapshot, size_t index,
    size_t column, int64_t now, struct cell *cell);
/* By rows; stops at the ends. */
void table_move(struct table *table, const struct snapshot *snapshot, long by);
/* Index into the section of the object under the cursor; false when the table is empty. */
bool table_selected(const struct table *table, size_t *index);
/* Marks the row under the cursor, or takes its mark away. */
void table_mark(struct table *table);
/* Marks every row that is shown. */
void table_mark_all(struct table *table, const struct snapshot *snapshot);
void table_clear_marks(struct table *table);
/* Whether row `index` of the section is marked. */
bool table_is_marked(const struct table *table, const struct snapshot *snapshot, size_t index);
/* Rows into the area, a header above them when it is high enough. */
void table_draw(struct table *table, const struct snapshot *snapshot, struct frame *frame,
    struct area area, bool is_focused);

/* What stands at a place of the screen, as last drawn: the row, as a place of the cursor; the column
 * of the header. -1: nothing. */
long table_row_at(const struct table *table, int y);
int table_header_at(const struct table *table, int y, int x);

/* Which columns fit into `width`, and how wide each is (0: dropped): pure, for table_draw. False
 * when a column that should stay whole had to be cut. */
bool table_layout(const struct table_source *source, const int *natural, int width, int *widths);
