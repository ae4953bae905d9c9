/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "engine/snapshot.h"
#include "ui/cell.h"
#include "ui/layout.h"
#include "ui/listbox.h"
#include "ui/table.h"

/* Kernels by name and size are all that these lists need. */
static const struct table_column columns[] = {
    {"NAME", 0, 4, 30, .is_right = false},
    {"SIZE", 1, 4, 6, .is_right = true},
    {"NOTE", 2, 6, 40, .is_loose = true},
};

static const void *section(const struct snapshot *snapshot, size_t *count)
{
    *count = snapshot->kernels_count;
    return snapshot->kernels;
}

static void key(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX])
{
    snprintf(key, TABLE_KEY_MAX, "%s", snapshot->kernels[index].name);
}

static void cell(
    const struct snapshot *snapshot, size_t index, size_t column, int64_t now, struct cell *cell)
{
    (void)now;
    const struct kernel_item *kernel = &snapshot->kernels[index];
    if (column == 0) {
        cell_print(cell, ROLE_TEXT, "%s", kernel->name);
    } else if (column == 1) {
        cell_size(cell, kernel->size_bytes);
    } else {
        cell_print(cell, ROLE_TEXT, "%s", kernel->distro);
    }
}

static const struct table_source source = {
    .columns = columns, .column_count = 3, .section = section, .key = key, .cell = cell};

static struct snapshot make(const struct kernel_item *kernels, size_t count)
{
    return (struct snapshot){.kernels = kernels, .kernels_count = count};
}

static const struct kernel_item four[] = {
    {.name = "alpha", .distro = "one", .size_bytes = 900},
    {.name = "beta", .distro = "two", .size_bytes = 100},
    {.name = "gamma", .distro = "one", .size_bytes = 500},
    {.name = "delta", .distro = "two", .size_bytes = 200000},
};

static const char *under_cursor(const struct table *table, const struct snapshot *snapshot)
{
    size_t index = 0;
    return table_selected(table, &index) ? snapshot->kernels[index].name : "";
}

/* T11: the object under the cursor stays under it, whatever is added, removed or re-ordered. */
static void test_cursor_sticks(void **state)
{
    (void)state;
    struct table table;
    struct snapshot before = make(four, 4);
    table_init(&table, &source, true);
    table_update(&table, &before, 0);
    table_move(&table, &before, 2);
    assert_string_equal(under_cursor(&table, &before), "gamma");
    static const struct kernel_item more[] = {
        {.name = "aardvark", .distro = ""},
        {.name = "alpha", .distro = ""},
        {.name = "gamma", .distro = ""},
        {.name = "zeta", .distro = ""},
    };
    struct snapshot after = make(more, 4);
    table_update(&table, &after, 0);
    assert_string_equal(under_cursor(&table, &after), "gamma");
    struct snapshot again = make(four, 4);
    table_sort_next(&table);
    table_sort_next(&table); /* by size */
    table_update(&table, &again, 0);
    assert_string_equal(under_cursor(&table, &again), "gamma");
    assert_int_equal(table.cursor, 1);
    table_done(&table);
}

/* What is gone leaves the cursor where it was, on what is there now. */
static void test_cursor_of_a_removed_row(void **state)
{
    (void)state;
    struct table table;
    struct snapshot before = make(four, 4);
    table_init(&table, &source, true);
    table_update(&table, &before, 0);
    table_move(&table, &before, 99);
    assert_string_equal(under_cursor(&table, &before), "delta");
    struct snapshot fewer = make(four, 2);
    table_update(&table, &fewer, 0);
    assert_string_equal(under_cursor(&table, &fewer), "beta");
    struct snapshot none = make(NULL, 0);
    table_update(&table, &none, 0);
    size_t index = 0;
    assert_false(table_selected(&table, &index));
    table_move(&table, &none, 1);
    table_move(&table, &none, -1);
    table_done(&table);
}

/* T12: an order that is held stays when the figures it was made of change; what is new goes to the
 * end, and sorting anew lets go. */
static void test_held_order(void **state)
{
    (void)state;
    struct table table;
    struct snapshot before = make(four, 4);
    table_init(&table, &source, true);
    table_sort(&table, 1, false);
    table_update(&table, &before, 0);
    table_hold(&table, &before, true);
    static const struct kernel_item other[] = {
        {.name = "aardvark", .distro = "", .size_bytes = 1},
        {.name = "alpha", .distro = "one", .size_bytes = 1},
        {.name = "beta", .distro = "two", .size_bytes = 9000},
        {.name = "delta", .distro = "two", .size_bytes = 20},
    };
    static const char *const held[] = {"beta", "alpha", "delta", "aardvark"};
    struct snapshot after = make(other, 4);
    table_update(&table, &after, 0);
    for (size_t i = 0; i < array_length(held); i++) {
        assert_string_equal(other[table.rows[i]].name, held[i]);
    }
    table_sort(&table, 1, false);
    assert_false(table.is_held);
    table_update(&table, &after, 0);
    assert_string_equal(other[table.rows[3]].name, "beta");
    table_done(&table);
}

/* T13: a column that was left out is not looked at; the first one stays. */
static void test_hidden_columns(void **state)
{
    (void)state;
    struct table table;
    struct snapshot snapshot = make(four, 4);
    table_init(&table, &source, true);
    table_hide(&table, 0, true);
    assert_false(table.is_hidden[0]);
    table_hide(&table, 2, true);
    table_set_filter(&table, "two");
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.shown_count, 0);
    table_hide(&table, 2, false);
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.shown_count, 2);
    table_done(&table);
}

static void test_filter(void **state)
{
    (void)state;
    struct table table;
    struct snapshot snapshot = make(four, 4);
    table_init(&table, &source, true);
    table_set_filter(&table, "TWO"); /* another column, another case */
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.shown_count, 2);
    assert_int_equal(table.listed_count, 4);
    assert_string_equal(under_cursor(&table, &snapshot), "beta");
    table_set_filter(&table, "!two");
    table_update(&table, &snapshot, 0);
    assert_string_equal(under_cursor(&table, &snapshot), "alpha");
    table_set_filter(&table, "nothing");
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.shown_count, 0);
    table_set_filter(&table, "");
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.shown_count, 4);
    assert_string_equal(under_cursor(&table, &snapshot), "alpha");
    table_done(&table);
}

static void test_order(void **state)
{
    (void)state;
    struct table table;
    struct snapshot snapshot = make(four, 4);
    table_init(&table, &source, true);
    table_sort_next(&table);
    table_sort_next(&table);
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.rows[0], 1); /* by the number, not by "100B" < "195K" */
    assert_int_equal(table.rows[3], 3);
    table_sort_reverse(&table);
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.rows[0], 3);
    table_sort_next(&table);
    table_sort_next(&table); /* past the last column: as it came */
    table_update(&table, &snapshot, 0);
    assert_int_equal(table.sort_column, -1);
    assert_int_equal(table.rows[0], 0);
    table_done(&table);
}

/* T13: prose gives way first, then columns go by rank, names are cut last. */
static void test_columns_give_way(void **state)
{
    (void)state;
    static const int natural[] = {10, 5, 30};
    int widths[3] = {0};
    assert_true(table_layout(&source, natural, 60, widths));
    assert_int_equal(widths[2], 30);
    assert_true(table_layout(&source, natural, 30, widths));
    assert_int_equal(widths[0], 10);
    assert_int_equal(widths[2], 11);
    assert_true(table_layout(&source, natural, 18, widths));
    assert_int_equal(widths[0], 10);
    assert_int_equal(widths[1], 5);
    assert_int_equal(widths[2], 0);
    assert_false(table_layout(&source, natural, 12, widths));
    assert_int_equal(widths[0] + 2 + widths[1], 12);
    assert_false(table_layout(&source, natural, 6, widths));
    assert_int_equal(widths[0], 6);
    assert_int_equal(widths[1], 0);
}

static bool overlap(struct area a, struct area b)
{
    return a.height > 0 && b.height > 0 && a.x < b.x + b.width && b.x < a.x + a.width &&
           a.y < b.y + b.height && b.y < a.y + a.height;
}

/* At any size: panes fill the body exactly, none lies over another, the focused one is there. */
static void test_layout_is_a_grid(void **state)
{
    (void)state;
    for (int height = 8; height < 120; height += 3) {
        for (int width = 40; width < 260; width += 7) {
            struct layout layout;
            struct area body = {.y = 1, .height = height, .width = width};
            layout_main(&layout, body, PANE_IMAGES, false);
            struct area all[PANE_COUNT + 2];
            memcpy(all, layout.panes, sizeof(layout.panes));
            all[PANE_COUNT] = layout.details;
            all[PANE_COUNT + 1] = layout.tail;
            int cells = 0;
            for (size_t i = 0; i < array_length(all); i++) {
                cells += all[i].height * all[i].width;
                assert_true(all[i].height == 0 || all[i].height >= 3);
                for (size_t k = 0; k < i; k++) {
                    assert_false(overlap(all[i], all[k]));
                }
            }
            assert_int_equal(cells, height * width);
            assert_true(layout.panes[PANE_IMAGES].height > 0);
        }
    }
}

/* A list that became shorter, or got more room, leaves no line of it empty. */
static void a_page_is_as_full_as_can_be(void **state)
{
    (void)state;
    struct listbox box = {0};
    listbox_set_count(&box, 100);
    listbox_request(&box, REQUEST_LAST);
    listbox_scroll(&box, 10);
    assert_int_equal(box.top, 90);
    listbox_scroll(&box, 30);
    assert_int_equal(box.top, 70);
    listbox_set_count(&box, 40);
    assert_int_equal(box.marked, 39);
    listbox_scroll(&box, 30);
    assert_int_equal(box.top, 10);
    listbox_scroll(&box, 50);
    assert_int_equal(box.top, 0);
    listbox_scroll(&box, 3);
    assert_int_equal(box.top, 37);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cursor_sticks),
        cmocka_unit_test(test_cursor_of_a_removed_row),
        cmocka_unit_test(test_held_order),
        cmocka_unit_test(test_hidden_columns),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_columns_give_way),
        cmocka_unit_test(test_layout_is_a_grid),
        cmocka_unit_test(a_page_is_as_full_as_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
