/* SPDX-License-Identifier: MIT */
#include "batch/listing.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"

static const struct listing_style plain = {.is_utf8 = true};

static struct json *parse(const char *text)
{
    struct error err = {0};
    struct json *json = json_parse(text, strlen(text), 1 << 20, 64, "test", &err);
    assert_non_null(json);
    return json;
}

static const struct column columns[] = {
    {"NAME", "name", COLUMN_TEXT},
    {"SIZE", "size_bytes", COLUMN_SIZE},
    {"SHA256", "sha256", COLUMN_DIGEST},
    {"AGE", "imported_at", COLUMN_AGE},
    {"WHY", "exit.reason", COLUMN_TEXT},
};

static void assert_table(const char *json_text, bool is_utf8, const char *expected)
{
    auto_done(text) struct text out = {0};
    const struct listing_style style = {.is_utf8 = is_utf8};
    listing_append_table(columns, array_length(columns), json_text, &style, &out);
    assert_string_equal(text_cstr(&out), expected);
}

static void empty_table_is_its_header(void **state)
{
    (void)state;
    assert_table("[]", true, "NAME  SIZE  SHA256  AGE  WHY\n");
}

static void cells_are_aligned_and_unknown_is_a_dash(void **state)
{
    (void)state;
    assert_table("[{\"name\":\"debian-cloud\",\"size_bytes\":14889779,"
                 "\"sha256\":\"3f9c41d2aaaabbbbccccddddeeeeffff\",\"exit\":{\"reason\":\"panic\"}},"
                 "{\"name\":\"x\",\"size_bytes\":812}]",
        true,
        "NAME              SIZE  SHA256        AGE  WHY\n"
        "debian-cloud  14.2 MiB  3f9c41d2aaaa  -    panic\n"
        "x                812 B  -             -    -\n");
}

static void ages_are_of_now(void **state)
{
    (void)state;
    assert_table("[{\"name\":\"a\",\"imported_at\":\"2026-07-01T11:56:00Z\"}]", true,
        "NAME  SIZE  SHA256  AGE  WHY\n"
        "a        -  -       4m   -\n");
}

/* Where a terminal has no room for a table, sizes get short; where even that is too wide, the other
 * half of the columns follows below, with the names again in front. No line is wider than it. */
static void wide_tables_fit_a_terminal(void **state)
{
    (void)state;
    static const struct column wide[] = {{"NAME", "name", COLUMN_TEXT}, {"ONE", "a", COLUMN_SIZE},
        {"TWO", "b", COLUMN_SIZE}, {"THREE", "c", COLUMN_SIZE}, {"FOUR", "d", COLUMN_SIZE}};
    static const char row[] = "[{\"name\":\"quickstart\",\"a\":269484032,\"b\":536870912,"
                              "\"c\":1003520,\"d\":3774873}]";
    static const struct {
        size_t width;
        const char *expected;
    } samples[] = {
        {0, "NAME              ONE        TWO      THREE     FOUR\n"
            "quickstart  257.0 MiB  512.0 MiB  980.0 KiB  3.6 MiB\n"},
        {50, "NAME             ONE       TWO     THREE    FOUR\n"
             "quickstart 257.0 MiB 512.0 MiB 980.0 KiB 3.6 MiB\n"},
        {36, "NAME         ONE   TWO  THREE  FOUR\n"
             "quickstart  257M  512M   980K  3.6M\n"},
        {24, "NAME         ONE   TWO\n"
             "quickstart  257M  512M\n"
             "\n"
             "NAME        THREE  FOUR\n"
             "quickstart   980K  3.6M\n"},
    };
    for (size_t i = 0; i < array_length(samples); i++) {
        auto_done(text) struct text out = {0};
        const struct listing_style style = {.is_utf8 = true, .width = samples[i].width};
        listing_append_table(wide, array_length(wide), row, &style, &out);
        assert_string_equal(text_cstr(&out), samples[i].expected);
    }
}

/* Foreign bytes never reach a terminal as they are, and never break the columns. */
static void foreign_bytes_are_made_visible(void **state)
{
    (void)state;
    auto_json struct json *json = json_new_array();
    struct json *row = json_new_object();
    json_put_string(row, "name", "a\x1b[2J\nb");
    json_append(json, row);
    auto_done(text) struct text out = {0};
    auto_done(text) struct text rows = {0};
    json_write(json, false, &rows);
    listing_append_table(columns, 1, text_cstr(&rows), &plain, &out);
    assert_null(strchr(text_cstr(&out), '\x1b'));
    const char *first = strchr(text_cstr(&out), '\n');
    assert_ptr_equal(strchr(first + 1, '\n')[1], '\0');
}

static void wide_characters_keep_columns(void **state)
{
    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        skip();
    }
    static const struct column two[] = {{"NAME", "name", COLUMN_TEXT}, {"B", "b", COLUMN_TEXT}};
    static const char rows[] = "[{\"name\":\"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\",\"b\":\"1\"},"
                               "{\"name\":\"abcdef\",\"b\":\"2\"}]";
    auto_done(text) struct text out = {0};
    listing_append_table(two, 2, rows, &plain, &out);
    assert_string_equal(
        text_cstr(&out), "NAME    B\n\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e  1\nabcdef  2\n");
}

static void object_is_one_field_a_line(void **state)
{
    (void)state;
    auto_json struct json *json =
        parse("{\"name\":\"lab\",\"changed\":true,\"size_bytes\":1048576,"
              "\"imported_at\":\"2026-07-01T09:00:00Z\",\"skipped\":{\"hardlink\":2,\"device\":1},"
              "\"used_by\":[\"a\",\"b\"],\"timeline\":[{\"stage\":\"kernel\",\"ms\":12}]}");
    auto_done(text) struct text out = {0};
    listing_append_object(json, &plain, &out);
    assert_string_equal(text_cstr(&out), "name: lab\n"
                                         "changed: true\n"
                                         "size_bytes: 1048576 (1.0 MiB)\n"
                                         "imported_at: 2026-07-01T09:00:00Z (3h ago)\n"
                                         "skipped: hardlink 2, device 1\n"
                                         "used_by: a, b\n"
                                         "timeline:\n"
                                         "  stage kernel, ms 12\n");
}

/* To a terminal: columns, words for keys, small tables for lists of objects; no key is lost. */
static void object_on_a_terminal_is_a_sheet(void **state)
{
    (void)state;
    auto_json struct json *json = parse(
        "{\"name\":\"lab\",\"memory_mib\":512,\"boots\":[{\"stage\":\"kernel\",\"ms\":5},"
        "{\"stage\":\"init\",\"ms\":1200,\"log_bytes\":2048,\"is_late\":true}],"
        "\"has_initrd\":false,\"size_bytes\":1048576,\"skipped\":{\"fifo\":2,\"device\":1},"
        "\"imported_at\":\"2026-07-01T09:00:00Z\",\"used_by\":[],\"parts\":[[{\"a\":1},{\"b\":2}]],"
        "\"notes\":\"took what was there and left the rest alone\"}");
    auto_done(text) struct text out = {0};
    const struct listing_style style = {.is_utf8 = true, .width = 40};
    listing_append_object(json, &style, &out);
    assert_string_equal(text_cstr(&out), "name         lab\n"
                                         "memory       512.0 MiB\n"
                                         "has initrd   no\n"
                                         "size         1.0 MiB (1048576 bytes)\n"
                                         "skipped      fifo 2, device 1\n"
                                         "imported at  2026-07-01T09:00:00Z (3h\n"
                                         "             ago)\n"
                                         "used by      -\n"
                                         "parts        a 1; b 2\n"
                                         "notes        took what was there and\n"
                                         "             left the rest alone\n"
                                         "boots\n"
                                         "  STAGE     MS      LOG  IS LATE\n"
                                         "  kernel     5        -  -\n"
                                         "  init    1200  2.0 KiB  yes\n");
}

static void names_are_one_a_line(void **state)
{
    (void)state;
    auto_done(text) struct text out = {0};
    listing_append_names(
        "[{\"name\":\"a\"},{\"id\":7},{\"x\":1},{\"name\":\"b\\\"c\"}]", true, &out);
    assert_string_equal(text_cstr(&out), "a\n7\nb\"c\n");
}

/* A table is made without trees where it can be; what needs one looks the same. */
static void odd_values_are_shown_too(void **state)
{
    (void)state;
    assert_table("[{\"exit\":{\"x\":{},\"reason\":\"a\\\"]}b\"},\"name\":[1,{\"k\":\"v\"}]},"
                 "{\"exit\":\"no object\",\"name\":true,\"sha256\":\"sha256:0123456789abcdef\"},"
                 "{\"exit.reason\":\"flat\",\"nam\":\"a\",\"name2\":\"b\",\"size_bytes\":-1}]",
        true,
        "NAME        SIZE  SHA256        AGE  WHY\n"
        "1, k v         -  -             -    a\"]}b\n"
        "true           -  0123456789ab  -    -\n"
        "-       16.0 EiB  -             -    flat\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_tables_fit_a_terminal),
        cmocka_unit_test(empty_table_is_its_header),
        cmocka_unit_test(cells_are_aligned_and_unknown_is_a_dash),
        cmocka_unit_test(ages_are_of_now),
        cmocka_unit_test(foreign_bytes_are_made_visible),
        cmocka_unit_test(wide_characters_keep_columns),
        cmocka_unit_test(object_is_one_field_a_line),
        cmocka_unit_test(object_on_a_terminal_is_a_sheet),
        cmocka_unit_test(names_are_one_a_line),
        cmocka_unit_test(odd_values_are_shown_too),
    };
    int64_t now = 0;
    clock_parse("2026-07-01T12:00:00Z", &now);
    clock_pin_wall(now);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
