/* SPDX-License-Identifier: MIT */
#include "batch/grid.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define WORDS "no more than what is needed to go on with it at all"

struct sample {
    size_t column_count;
    size_t right; /* a column of numbers; 0: none */
    size_t indent, width;
    const char *cells[12]; /* row by row, NULL ends them */
};

static void assert_grid(const struct sample *sample, const char *expected)
{
    auto_done(grid) struct grid grid = {0};
    auto_done(text) struct text out = {0};
    grid_init(&grid, sample->column_count);
    grid.is_right[sample->right] = sample->right > 0;
    for (size_t i = 0; sample->cells[i] != NULL; ++i) {
        size_t start = grid.text.len;
        text_append(&grid.text, sample->cells[i]);
        grid_end_cell(&grid, start);
    }
    grid_append(&grid, sample->indent, sample->width, &out);
    assert_string_equal(text_cstr(&out), expected);
}

static void what_fits_is_never_folded(void **state)
{
    (void)state;
    for (size_t width = 20; width <= 21; ++width) {
        assert_grid(&(struct sample){3, 1, 1, width,
                        {"NAME", "N", "WHY", "a", "100", "it broke", "", "2", "-"}},
            " NAME    N  WHY\n"
            " a     100  it broke\n"
            " -       2  -\n");
    }
}

static void columns_come_closer_before_any_is_folded(void **state)
{
    (void)state;
    assert_grid(&(struct sample){3, 1, 1, 18, {"NAME", "N", "WHY", "a", "100", "it broke"}},
        " NAME   N WHY\n"
        " a    100 it broke\n");
}

static void prose_is_folded_at_blanks_beside_the_rest(void **state)
{
    (void)state;
    assert_grid(
        &(struct sample){3, 0, 0, 34, {"CHECK", "DETAIL", "OK", "a", WORDS, "yes", "b", "-", "no"}},
        "CHECK  DETAIL                  OK\n"
        "a      no more than what is    yes\n"
        "       needed to go on with\n"
        "       it at all\n"
        "b      -                       no\n");
}

static void the_widest_stands_below_where_too_little_would_be_left(void **state)
{
    (void)state;
    assert_grid(
        &(struct sample){3, 0, 0, 24, {"CHECK", "DETAIL", "OK", "a", WORDS, "yes", "b", "-", "no"}},
        "CHECK  OK\n"
        "    DETAIL\n"
        "a      yes\n"
        "    no more than what is\n"
        "    needed to go on with\n"
        "    it at all\n"
        "b      no\n"
        "    -\n");
}

static void names_and_numbers_stay_in_one_piece(void **state)
{
    (void)state;
    assert_grid(&(struct sample){3, 1, 0, 30,
                    {"NAME", "N", "KERNEL", "a-long-name", "12345678", "6.1.0-56-cloud-amd64"}},
        "NAME                N\n"
        "    KERNEL\n"
        "a-long-name  12345678\n"
        "    6.1.0-56-cloud-amd64\n");
}

static void a_word_breaks_behind_a_hyphen_but_the_last_column_keeps_its_words(void **state)
{
    (void)state;
    assert_grid(&(struct sample){3, 0, 0, 60,
                    {"A", "B", "C", "a", "linux-image-6.1.0-56-cloud-amd64-unsigned",
                        "https://example.org/kernels/index.json ok"}},
        "A  B                            C\n"
        "a  linux-image-6.1.0-56-cloud-  https://example.org/kernels/index.json\n"
        "   amd64-unsigned               ok\n");
}

static void without_a_terminal_nothing_is_folded(void **state)
{
    (void)state;
    assert_grid(&(struct sample){2, 0, 0, 0, {"A", "B", "a", WORDS}}, "A  B\n"
                                                                      "a  " WORDS "\n");
}

static void a_terminal_too_narrow_for_anything_gets_all_of_it(void **state)
{
    (void)state;
    assert_grid(
        &(struct sample){2, 1, 0, 3, {"NAME", "N", "long", "123"}}, "NAME    N\nlong  123\n");
}

static void wide_characters_count_twice(void **state)
{
    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        skip();
    }
#define SUN "\xe6\x97\xa5"
#define FIVE SUN SUN SUN SUN SUN
    assert_grid(&(struct sample){3, 0, 0, 30, {"A", "B", "C", "a", FIVE FIVE FIVE, "x"}},
        "A  B                         C\n"
        "a  " FIVE FIVE SUN SUN "  x\n"
        "   " SUN SUN SUN "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_never_folded),
        cmocka_unit_test(columns_come_closer_before_any_is_folded),
        cmocka_unit_test(prose_is_folded_at_blanks_beside_the_rest),
        cmocka_unit_test(the_widest_stands_below_where_too_little_would_be_left),
        cmocka_unit_test(names_and_numbers_stay_in_one_piece),
        cmocka_unit_test(a_word_breaks_behind_a_hyphen_but_the_last_column_keeps_its_words),
        cmocka_unit_test(without_a_terminal_nothing_is_folded),
        cmocka_unit_test(a_terminal_too_narrow_for_anything_gets_all_of_it),
        cmocka_unit_test(wide_characters_count_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
