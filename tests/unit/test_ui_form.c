/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "support/scratch.h"
#include "ui/complete.h"
#include "ui/edit.h"
#include "ui/files.h"
#include "ui/form.h"
#include "ui/keys.h"
#include "ui/line.h"

static void type(struct edit *edit, const char *ascii)
{
    for (; *ascii != '\0'; ascii++) {
        assert_true(edit_key(edit, (unsigned char)*ascii));
    }
}

static void test_edit(void **state)
{
    (void)state;
    struct edit edit = {0};
    type(&edit, "abc def");
    assert_string_equal(edit.text, "abc def");
    assert_true(edit_key(&edit, 'W' - '@'));
    assert_string_equal(edit.text, "abc ");
    assert_true(edit_key(&edit, 0xe9));   /* é */
    assert_true(edit_key(&edit, 0x6f22)); /* 漢 */
    assert_string_equal(edit.text, "abc é漢");
    assert_true(edit_key(&edit, KEY_FUNCTION + KEY_LEFT));
    assert_true(edit_key(&edit, 0x7f));
    assert_string_equal(edit.text, "abc 漢");
    assert_true(edit_key(&edit, KEY_FUNCTION + KEY_DC));
    assert_string_equal(edit.text, "abc ");
    assert_true(edit_key(&edit, 'A' - '@'));
    assert_int_equal(edit.cursor, 0);
    assert_true(edit_key(&edit, 0x7f)); /* at the beginning: nothing */
    type(&edit, "x");
    assert_string_equal(edit.text, "xabc ");
    assert_true(edit_key(&edit, 'E' - '@'));
    assert_true(edit_key(&edit, 'U' - '@'));
    assert_string_equal(edit.text, "");
}

static void test_edit_refuses_control(void **state)
{
    (void)state;
    struct edit edit = {0};
    static const int keys[] = {0x1b, '\r', '\t', 0x9b, 0xd800, KEY_FUNCTION + KEY_F(1), -1};
    for (size_t i = 0; i < array_length(keys); i++) {
        assert_false(edit_key(&edit, keys[i]));
    }
    assert_int_equal(edit.len, 0);
    for (int i = 0; i < EDIT_MAX * 2; i++) {
        edit_key(&edit, 0x6f22);
    }
    assert_true(edit.len < EDIT_MAX);
    unsigned ignored = 0;
    assert_int_equal(text_decode_utf8(edit.text + edit.len - 3, 3, &ignored), 3);
}

static struct field *field_of(struct form *form, const char *name)
{
    for (size_t i = 0; i < form->field_count; i++) {
        if (strcmp(form->fields[i].argument->name, name) == 0) {
            form->focus = i;
            return &form->fields[i];
        }
    }
    fail_msg("no field %s", name);
    return NULL;
}

/* What a form says, as a batch line; "" with the sentence in *err when it says nothing right. */
static char *line_of(const struct form *form, bool is_whole, struct error *err)
{
    size_t at = 0;
    struct command *command = form_command(form, is_whole, &at, err);
    if (command == NULL) {
        return memory_strdup("");
    }
    struct text line = {0};
    command_line(command, &line);
    command_free(command);
    return text_take(&line);
}

static void test_form_is_the_command(void **state)
{
    (void)state;
    struct error err = {0};
    struct form form;
    struct command *command = command_new(verb_find("vm", "run"));
    assert_true(command_set(command, "image", "debian", &err));
    form_init(&form, command, "/home/op");
    command_free(command);
    auto_free char *plain = line_of(&form, true, &err);
    assert_string_equal(plain, "vm run debian");
    edit_set(&field_of(&form, "memory")->edit, "1G");
    edit_set(&field_of(&form, "publish")->edit, "8080:80 2222:22");
    field_of(&form, "rm");
    assert_true(form_key(&form, ' '));
    field_of(&form, "root");
    assert_true(form_key(&form, ' '));
    assert_true(form_key(&form, ' '));
    auto_free char *full = line_of(&form, true, &err);
    assert_string_equal(
        full, "vm run debian --memory 1G --root copy --publish 8080:80 --publish 2222:22 --rm");
    assert_fine(err);
    edit_set(&field_of(&form, "memory")->edit, "lots");
    auto_free char *wrong = line_of(&form, false, &err);
    assert_string_equal(wrong, "");
    assert_code(err, ERROR_INVALID);
    form_done(&form);
}

/* A verb without words has a form all the same, in which there is only its line. */
static void test_form_without_fields(void **state)
{
    (void)state;
    struct error err = {0};
    size_t at = 0;
    struct form form;
    auto_done(strings) struct strings found = {0};
    auto_done(text) struct text line = {0};
    const struct verb *verb = verb_find("host", "trash empty");
    assert_false(form_has_fields(verb));
    assert_true(form_has_fields(verb_find("vm", "kill")));
    struct command *command = command_new(verb);
    form_init(&form, command, NULL);
    command_free(command);
    assert_false(form_key(&form, 'x'));
    form_move(&form, 1);
    assert_false(form_wants_path(&form));
    assert_false(form_complete(&form, NULL, &found));
    command = form_command(&form, false, &at, &err);
    assert_non_null(command);
    command_line(command, &line);
    assert_string_equal(text_cstr(&line), "host trash empty");
    command_free(command);
    form_done(&form);
}

static void test_form_asks_for_what_is_needed(void **state)
{
    (void)state;
    struct error err = {0};
    struct form form;
    size_t at = 99;
    struct command *command = command_new(verb_find("kernel", "import"));
    form_init(&form, command, "/home/op");
    command_free(command);
    assert_int_equal(form.focus, 0);
    assert_null(form_command(&form, true, &at, &err));
    assert_int_equal(at, 0);
    edit_set(&form.fields[0].edit, "lab");
    error_clear(&err);
    assert_null(form_command(&form, true, &at, &err));
    assert_string_equal(form.fields[at].argument->name, "from");
    edit_set(&field_of(&form, "from")->edit, "~/a dir");
    error_clear(&err);
    auto_free char *line = line_of(&form, true, &err);
    assert_string_equal(line, "kernel import lab --from '/home/op/a dir'");
    form_done(&form);
}

/* Every line that command_line writes is read back as the same command. */
static void test_lines_are_read_back(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "kernel pull debian-cloud --force",
        "kernel import lab --from '/srv/a dir/it'\\''s here' --distro void",
        "kernel rm a b c --force",
        "vm run debian --name web --memory 1G --publish 8080:80 --publish 2222:22",
        "vm exec web --tty -- sh -c 'exec bash -l'",
        "vm logs web --follow --tail 100",
        "image register lab --rootfs ./rootfs.ext4 --kernel-ref debian",
        "host doctor",
        "host trash list",
        "host trash restore lab image/web",
    };
    for (size_t i = 0; i < array_length(lines); i++) {
        struct error err = {0};
        struct command *command = line_parse(lines[i], &err);
        assert_fine(err);
        auto_done(text) struct text line = {0};
        command_line(command, &line);
        assert_string_equal(text_cstr(&line), lines[i]);
        command_free(command);
    }
}

static void test_lines_are_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "kernel", "kernel frobnicate x", "kernel pull 'x",
        "kernel pull a b", "kernel pull x --no-such", "kernel import x --from", "host doctor x",
        "help kernel", "host trash", "kernel pull ../x", "vm run debian --vcpu 0"};
    for (size_t i = 0; i < array_length(lines); i++) {
        struct error err = {0};
        assert_null(line_parse(lines[i], &err));
        assert_code(err, ERROR_INVALID);
    }
}

static void completes(const struct strings *found, const char *wanted)
{
    auto_free char *all = strings_join(found, " ");
    assert_string_equal(all, wanted);
}

static void test_complete(void **state)
{
    (void)state;
    static const struct kernel_item kernels[] = {{.name = "debian"}, {.name = "void"}};
    static const struct offer_item offers[] = {
        {.name = "debian", .kind = OFFER_KERNEL},
        {.name = "debian-cloud", .kind = OFFER_KERNEL},
        {.name = "debian-image", .kind = OFFER_IMAGE},
    };
    struct snapshot snapshot = {
        .kernels = kernels, .kernels_count = 2, .offers = offers, .offers_count = 3};
    const struct verb *pull = verb_find("kernel", "pull");
    const struct verb *rm = verb_find("kernel", "rm");
    auto_done(strings) struct strings pulled = {0};
    complete_argument(&snapshot, pull, &pull->arguments[0], "deb", &pulled);
    completes(&pulled, "debian debian-cloud");
    auto_done(text) struct text common = {0};
    complete_common(&pulled, &common);
    assert_string_equal(text_cstr(&common), "debian");
    auto_done(strings) struct strings removed = {0};
    complete_argument(&snapshot, rm, &rm->arguments[0], "", &removed);
    completes(&removed, "debian void");
}

/* Every verb that people are offered is in the palette, under its own words and under what it is
 * said to do; one that changes something is a command that the palette reads back. */
static void test_every_verb_is_within_reach(void **state)
{
    (void)state;
    size_t reached = 0;
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *verb = verb_at(i);
        if ((verb->flags & (VERB_LOCAL | VERB_HIDDEN)) != 0) {
            continue;
        }
        bool has_subject = verb->subject[0] != '\0';
        auto_free char *words =
            memory_printf("%s%s%s", verb->subject, has_subject ? " " : "", verb->name);
        auto_done(strings) struct strings by_words = {0};
        auto_done(strings) struct strings by_summary = {0};
        complete_verbs(words, &by_words);
        complete_verbs(verb->summary, &by_summary);
        assert_true(strings_contain(&by_words, words));
        assert_true(strings_contain(&by_summary, words));
        struct error err = {0};
        struct command *command = line_parse(words, &err);
        assert_non_null(command);
        assert_ptr_equal(command_verb(command), verb);
        command_free(command);
        reached++;
    }
    assert_true(reached > 40);
}

/* Paths are told apart by their text alone. */
static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *whole;
    } paths[] = {{"/a/b/", "/a/b"}, {"/a/./b/../c", "/a/c"}, {"/..", "/"}, {"/", "/"},
        {"//a", "/a"}, {"~/x", "/home/op/x"}, {"~", "/home/op"}};
    for (size_t i = 0; i < array_length(paths); i++) {
        auto_free char *whole = files_absolute(paths[i].path, "/home/op");
        assert_string_equal(whole, paths[i].whole);
    }
    auto_free char *here = getcwd(NULL, 0);
    auto_free char *absolute = files_absolute(".", NULL);
    assert_string_equal(absolute, here);
    auto_free char *above = files_parent("/a/b");
    auto_free char *top = files_parent("/a");
    auto_free char *same = files_parent("/");
    assert_string_equal(above, "/a");
    assert_string_equal(top, "/");
    assert_string_equal(same, "/");
    auto_free char *inside = files_inside("/", "a");
    auto_free char *deeper = files_inside("/a", "b");
    assert_string_equal(inside, "/a");
    assert_string_equal(deeper, "/a/b");
}

/* A key means one thing in one place, but for those whose meanings exclude each other. */
static void test_keys_do_not_clash(void **state)
{
    (void)state;
    static const enum request excluding[][2] = {{REQUEST_PAUSE, REQUEST_RESUME}};
    struct keymap keymap;
    keymap_init(&keymap, NULL);
    for (size_t a = 0; a < request_row_count; a++) {
        for (size_t b = 0; b < a; b++) {
            bool is_exempt = request_rows[a].request == request_rows[b].request;
            for (size_t i = 0; i < array_length(excluding); i++) {
                is_exempt |= request_rows[b].request == excluding[i][0] &&
                             request_rows[a].request == excluding[i][1];
            }
            if (is_exempt || (request_rows[a].contexts & request_rows[b].contexts) == 0) {
                continue;
            }
            for (size_t k = 0; k < KEYS_PER_REQUEST; k++) {
                for (size_t m = 0; m < KEYS_PER_REQUEST; m++) {
                    if (keymap.keys[a][k] != KEY_NONE && keymap.keys[a][k] == keymap.keys[b][m]) {
                        fail_msg(
                            "%s and %s share a key", request_rows[a].name, request_rows[b].name);
                    }
                }
            }
        }
    }
}

static void test_keys_are_named(void **state)
{
    (void)state;
    struct keymap keymap;
    keymap_init(&keymap, NULL);
    for (size_t i = 0; i < request_row_count; i++) {
        assert_int_not_equal(keymap.keys[i][0], KEY_NONE);
        for (size_t k = 0; k < KEYS_PER_REQUEST && keymap.keys[i][k] != KEY_NONE; k++) {
            auto_done(text) struct text name = {0};
            keys_name(keymap.keys[i][k], &name);
            assert_int_equal(keys_parse(text_cstr(&name)), keymap.keys[i][k]);
        }
    }
    assert_int_equal(keys_parse("F13"), KEY_NONE);
    assert_int_equal(keys_parse(""), KEY_NONE);
    assert_int_equal(keys_parse("Entr"), KEY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_edit_refuses_control),
        cmocka_unit_test(test_form_is_the_command),
        cmocka_unit_test(test_form_without_fields),
        cmocka_unit_test(test_form_asks_for_what_is_needed),
        cmocka_unit_test(test_lines_are_read_back),
        cmocka_unit_test(test_lines_are_refused),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_every_verb_is_within_reach),
        cmocka_unit_test(test_keys_do_not_clash),
        cmocka_unit_test(test_keys_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
