/* SPDX-License-Identifier: MIT */
#include "engine/section.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

struct thing {
    const char *name;
    int number;
};

static void strings_stay_where_they_are_while_items_are_added(void **state)
{
    (void)state;
    auto_section struct section *section = section_new(sizeof(struct thing));
    assert_null(section_items(section));
    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "thing-%d", i);
        const char *kept = section_string(section, name);
        struct thing *thing = section_add(section);
        assert_int_equal(thing->number, 0);
        *thing = (struct thing){.name = kept, .number = i};
    }
    const struct thing *things = section_items(section);
    assert_int_equal(section_count(section), 5000);
    assert_string_equal(things[0].name, "thing-0");
    assert_string_equal(things[4999].name, "thing-4999");
    assert_int_equal(things[4999].number, 4999);
}

static void long_and_empty_strings_are_kept(void **state)
{
    (void)state;
    auto_section struct section *section = section_new(sizeof(struct thing));
    auto_free char *text = memory_alloc(100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    assert_string_equal(section_string(section, text), text);
    assert_string_equal(section_string(section, ""), "");
    assert_string_equal(section_string(section, NULL), "");
}

static void lists_of_strings_are_copied(void **state)
{
    (void)state;
    auto_section struct section *section = section_new(sizeof(struct thing));
    struct strings list = {0};
    assert_null(section_strings(section, &list));
    strings_add(&list, "a");
    strings_add(&list, "b");
    const char *const *copy = section_strings(section, &list);
    strings_done(&list);
    assert_string_equal(copy[0], "a");
    assert_string_equal(copy[1], "b");
}

static void count_drop(void *thing)
{
    (*(int *)thing)++;
}

static void what_is_kept_goes_with_the_last_holder(void **state)
{
    (void)state;
    int drops = 0;
    struct section *section = section_new(sizeof(struct thing));
    section_keep(section, &drops, count_drop);
    section_keep(section, &drops, count_drop);
    struct section *again = section_hold(section);
    section_release(section);
    assert_int_equal(drops, 0);
    section_release(again);
    assert_int_equal(drops, 2);
    section_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_stay_where_they_are_while_items_are_added),
        cmocka_unit_test(long_and_empty_strings_are_kept),
        cmocka_unit_test(lists_of_strings_are_copied),
        cmocka_unit_test(what_is_kept_goes_with_the_last_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
