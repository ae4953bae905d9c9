/* SPDX-License-Identifier: MIT */
#include "engine/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define auto_command __attribute__((cleanup(command_auto_free)))

static struct command *build(const char *subject, const char *name)
{
    const struct verb *verb = verb_find(subject, name);
    assert_non_null(verb);
    return command_new(verb);
}

static void set(struct command *command, const char *argument, const char *value)
{
    struct error err = {0};
    if (!command_set(command, argument, value, &err)) {
        fail_msg("%s: %s", argument, err.text);
    }
}

static void refuse(struct command *command, const char *argument, const char *value)
{
    struct error err = {0};
    assert_false(command_set(command, argument, value, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    assert_true(strlen(err.text) > 0);
}

static void assert_line(const struct command *command, const char *expected)
{
    auto_done(text) struct text line = {0};
    command_line(command, &line);
    assert_string_equal(text_cstr(&line), expected);
}

static void verb_is_found_by_name_and_by_each_alias(void **state)
{
    (void)state;
    const struct verb *list = verb_find("vm", "list");
    assert_non_null(list);
    assert_ptr_equal(verb_find("vm", "ls"), list);
    assert_ptr_equal(verb_find("vm", "ps"), list);
    assert_ptr_equal(verb_find("kernel", "delete"), verb_find("kernel", "rm"));
    assert_null(verb_find("vm", "ls|ps"));
    assert_null(verb_find("kernel", ""));
    assert_null(verb_find("nothing", "list"));
    assert_non_null(verb_find("", "version"));
}

static bool is_choice(const struct argument *argument, const char *word)
{
    auto_done(strings) struct strings words = {0};
    strings_split(&words, argument->choices, "|");
    return strings_contain(&words, word);
}

static void check_argument(const struct argument *argument)
{
    assert_non_null(argument->help);
    size_t len = strlen(argument->help);
    assert_true(len > 0 && argument->help[len - 1] != '.');
    assert_true(argument->help[0] < 'a' || argument->help[0] > 'z' || !argument->value_name ||
                !argument->is_positional);
    assert_int_equal(argument->kind == ARGUMENT_FLAG, argument->value_name == NULL);
    assert_int_equal(argument->kind == ARGUMENT_CHOICE, argument->choices != NULL);
    if (argument->kind == ARGUMENT_NUMBER) {
        assert_true(argument->max > 0);
    }
    if (argument->choices && argument->fallback) {
        assert_true(is_choice(argument, argument->fallback));
    }
}

static void table_rows_keep_their_promises(void **state)
{
    (void)state;
    for (size_t i = 0; i < common_argument_count; i++) {
        check_argument(&common_arguments[i]);
    }
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *verb = verb_at(i);
        assert_ptr_equal(verb_find(verb->subject, verb->name), verb);
        assert_non_null(verb->summary);
        assert_non_null(verb->example);
        assert_int_equal(verb->run == NULL, (verb->flags & VERB_LOCAL) != 0);
        assert_false((verb->flags & VERB_READS) && (verb->flags & VERB_DESTROYS));
        bool has_many_names = false, has_many_things = false;
        for (size_t j = 0; j < verb->argument_count; j++) {
            const struct argument *argument = &verb->arguments[j];
            check_argument(argument);
            /* Optional ones mean all of them when none is given: one command then. */
            has_many_names |=
                argument->kind == ARGUMENT_NAME && argument->is_many && argument->is_required;
            has_many_things |= argument->is_positional && argument->is_many;
            for (size_t k = 0; k < j; k++) {
                assert_string_not_equal(verb->arguments[k].name, argument->name);
                assert_true(!argument->letter || verb->arguments[k].letter != argument->letter);
            }
            for (size_t k = 0; k < common_argument_count; k++) {
                assert_string_not_equal(common_arguments[k].name, argument->name);
                assert_true(!argument->letter || common_arguments[k].letter != argument->letter);
            }
        }
        bool is_each = (verb->flags & VERB_EACH) != 0;
        assert_true(is_each ? has_many_things : !has_many_names);
        assert_true(!verb->variant_flag || verb_argument(verb, verb->variant_flag));
    }
}

static void rows_of_one_subject_stand_together(void **state)
{
    (void)state;
    for (size_t i = 2; i < verb_count(); i++) {
        bool is_new = strcmp(verb_at(i)->subject, verb_at(i - 1)->subject) != 0;
        for (size_t j = 0; is_new && j + 1 < i; j++) {
            assert_string_not_equal(verb_at(j)->subject, verb_at(i)->subject);
        }
    }
}

static void names_are_checked_by_their_subject(void **state)
{
    (void)state;
    auto_command struct command *kernel = build("kernel", "pull");
    set(kernel, "name", "Debian_6.1-x");
    refuse(kernel, "name", "");
    refuse(kernel, "name", "../x");
    refuse(kernel, "name", "-x");
    assert_string_equal(command_get(kernel, "name"), "Debian_6.1-x");
    auto_command struct command *vm = build("vm", "run");
    set(vm, "name", "web-1");
    refuse(vm, "name", "Web");
    refuse(vm, "name", "web-");
    refuse(vm, "name", "we.b");
}

static void values_are_checked_by_their_kind(void **state)
{
    (void)state;
    auto_command struct command *run = build("vm", "run");
    set(run, "vcpu", "4");
    refuse(run, "vcpu", "0");
    refuse(run, "vcpu", "33");
    refuse(run, "vcpu", "4x");
    set(run, "memory", "1G");
    refuse(run, "memory", "0");
    refuse(run, "memory", "-1");
    set(run, "vmm", "qemu");
    refuse(run, "vmm", "qem");
    refuse(run, "vmm", "auto|qemu");
    set(run, "rm", NULL);
    refuse(run, "rm", "yes");
    refuse(run, "kernel-ref", NULL);
    refuse(run, "kernel-ref", "a/b");
    refuse(run, "image", "");
    refuse(run, "no-such-option", "x");
    assert_int_equal(command_number(run, "vcpu"), 4);
    assert_int_equal(command_size(run, "memory"), 1024ULL * 1024 * 1024);
    assert_true(command_has(run, "rm"));
    assert_false(command_has(run, "detach"));
}

static void what_is_not_given_has_its_fallback(void **state)
{
    (void)state;
    auto_command struct command *wait = build("vm", "wait");
    assert_string_equal(command_get(wait, "for"), "ready");
    assert_false(command_has(wait, "for"));
    assert_null(command_get(wait, "name"));
    assert_null(command_get(wait, "unheard-of"));
    assert_int_equal(command_all(wait, "for")->count, 0);
    auto_command struct command *logs = build("vm", "logs");
    assert_int_equal(command_number(logs, "tail"), 0);
    assert_int_equal(command_duration_ms(logs, "since"), 0);
    set(logs, "since", "10m");
    assert_int_equal(command_duration_ms(logs, "since"), 600000);
}

static void a_single_value_is_replaced_and_many_are_added(void **state)
{
    (void)state;
    auto_command struct command *run = build("vm", "run");
    set(run, "name", "a");
    set(run, "name", "b");
    assert_int_equal(command_all(run, "name")->count, 1);
    assert_string_equal(command_get(run, "name"), "b");
    set(run, "publish", "8080:80");
    set(run, "publish", "8443:443");
    assert_int_equal(command_all(run, "publish")->count, 2);
}

static void assert_check(struct command *command, bool is_good)
{
    struct error err = {0};
    assert_int_equal(command_check(command, &err), is_good);
    assert_int_equal(err.code, is_good ? ERROR_NONE : ERROR_INVALID);
}

static void import_needs_from(void **state)
{
    (void)state;
    auto_command struct command *import = build("kernel", "import");
    set(import, "name", "lab");
    struct error err = {0};
    assert_false(command_check(import, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    assert_non_null(strstr(err.text, "--from"));
    set(import, "from", ".");
    assert_check(import, true);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    auto_command struct command *run = build("vm", "run");
    set(run, "detach", NULL);
    assert_check(run, true);
    set(run, "command", "true");
    assert_check(run, false);
    auto_command struct command *run_rm = build("vm", "run");
    set(run_rm, "detach", NULL);
    set(run_rm, "rm", NULL);
    assert_check(run_rm, false);
    auto_command struct command *pull = build("kernel", "pull");
    set(pull, "name", "a");
    set(pull, "force", NULL);
    assert_check(pull, true);
    set(pull, "if-absent", NULL);
    assert_check(pull, false);
    auto_command struct command *wait = build("vm", "wait");
    set(wait, "name", "a");
    assert_check(wait, true);
    set(wait, "for", "text=");
    assert_check(wait, false);
    set(wait, "for", "text=login:");
    assert_check(wait, true);
    set(wait, "for", "never");
    assert_check(wait, false);
}

static void register_needs_exactly_one_kind_of_kernel(void **state)
{
    (void)state;
    auto_command struct command *none = build("image", "register");
    set(none, "name", "lab");
    set(none, "rootfs", "/r.ext4");
    assert_check(none, false);
    set(none, "kernel-ref", "debian");
    assert_check(none, true);
    set(none, "initrd", "/initrd");
    assert_check(none, false);
    auto_command struct command *files = build("image", "register");
    set(files, "name", "lab");
    set(files, "rootfs", "/r.ext4");
    set(files, "kernel", "/vmlinuz");
    set(files, "modules", "/m");
    assert_check(files, true);
}

static void line_reads_back_as_the_same_words(void **state)
{
    (void)state;
    auto_command struct command *run = build("vm", "run");
    set(run, "image", "debian:bookworm");
    set(run, "name", "web");
    set(run, "append", "-x 'quoted' $HOME");
    set(run, "rm", NULL);
    set(run, "command", "sh");
    set(run, "command", "-c");
    set(run, "command", "echo \"a b\"; exit 3");
    set(run, "command", "");
    command_set_timeout(run, 1500);
    assert_line(run, "vm run debian:bookworm --name web '--append=-x '\\''quoted'\\'' $HOME' --rm "
                     "--timeout 1500ms -- sh -c 'echo \"a b\"; exit 3' ''");
    auto_command struct command *pull = build("kernel", "pull");
    set(pull, "name", "debian-cloud");
    command_set_dry_run(pull, true);
    assert_line(pull, "kernel pull debian-cloud --dry-run");
    auto_command struct command *version = build("", "version");
    assert_line(version, "version");
}

static void each_name_becomes_a_command(void **state)
{
    (void)state;
    auto_command struct command *rm = build("kernel", "rm");
    set(rm, "name", "a");
    set(rm, "name", "b");
    set(rm, "force", NULL);
    command_set_dry_run(rm, true);
    assert_int_equal(command_each_count(rm), 2);
    auto_command struct command *second = command_each(rm, 1);
    assert_line(second, "kernel rm b --force --dry-run");
    assert_int_equal(command_each_count(second), 1);
    auto_free char *object = command_object(second);
    assert_string_equal(object, "kernel/b");
}

static void assert_object(const char *subject, const char *name, const char *argument,
    const char *value, const char *expected)
{
    auto_command struct command *command = build(subject, name);
    set(command, argument, value);
    auto_free char *object = command_object(command);
    if (expected) {
        assert_string_equal(object, expected);
    } else {
        assert_null(object);
    }
}

static void objects_name_what_is_changed(void **state)
{
    (void)state;
    assert_object("kernel", "pull", "name", "k", "kernel/k");
    assert_object("image", "pull", "image", "debian:bookworm", "image/debian-bookworm");
    assert_object("image", "pull", "image", "debian", "image/debian");
    assert_object("vm", "run", "name", "web", "vm/web");
    assert_object("vm", "run", "image", "debian", NULL);
    assert_object("job", "cancel", "id", "7", NULL);
}

static void assert_image_name(const char *reference, const char *expected)
{
    auto_free char *name = command_image_name(reference);
    assert_string_equal(name, expected);
}

static void image_names_come_from_references(void **state)
{
    (void)state;
    assert_image_name("debian", "debian");
    assert_image_name("debian:bookworm", "debian-bookworm");
    assert_image_name("docker.io/library/debian:12", "debian-12");
    assert_image_name("localhost:5000/a/b", "b");
    assert_image_name("b@sha256:0123456789abcdef0123", "b-0123456789ab");
    assert_image_name("b:1@sha256:0123456789abcdef0123", "b-1");
}

static void listing_what_is_available_has_other_columns(void **state)
{
    (void)state;
    auto_command struct command *list = build("kernel", "list");
    size_t count = 0;
    const struct column *columns = command_columns(list, &count);
    assert_int_equal(count, 9);
    assert_string_equal(columns[5].header, "SHA256");
    set(list, "available", NULL);
    columns = command_columns(list, &count);
    assert_int_equal(count, 8);
    assert_string_equal(columns[1].header, "KIND");
    auto_command struct command *show = build("kernel", "show");
    assert_null(command_columns(show, &count));
    assert_int_equal(count, 0);
}

static void descriptors_belong_to_the_command(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct command *exec = build("vm", "exec");
    assert_int_equal(command_take_fd(exec, COMMAND_STDIN), -1);
    command_set_fd(exec, COMMAND_STDIN, ends[0]);
    command_set_fd(exec, COMMAND_STDOUT, ends[1]);
    int taken = command_take_fd(exec, COMMAND_STDIN);
    assert_int_equal(taken, ends[0]);
    command_free(exec);
    char byte;
    /* The write end was closed with the command, the read end was not. */
    assert_int_equal(read(taken, &byte, 1), 0);
    close(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verb_is_found_by_name_and_by_each_alias),
        cmocka_unit_test(table_rows_keep_their_promises),
        cmocka_unit_test(rows_of_one_subject_stand_together),
        cmocka_unit_test(names_are_checked_by_their_subject),
        cmocka_unit_test(values_are_checked_by_their_kind),
        cmocka_unit_test(what_is_not_given_has_its_fallback),
        cmocka_unit_test(a_single_value_is_replaced_and_many_are_added),
        cmocka_unit_test(import_needs_from),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(register_needs_exactly_one_kind_of_kernel),
        cmocka_unit_test(line_reads_back_as_the_same_words),
        cmocka_unit_test(each_name_becomes_a_command),
        cmocka_unit_test(objects_name_what_is_changed),
        cmocka_unit_test(image_names_come_from_references),
        cmocka_unit_test(listing_what_is_available_has_other_columns),
        cmocka_unit_test(descriptors_belong_to_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
