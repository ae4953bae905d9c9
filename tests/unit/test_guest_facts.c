/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/boot_parts.h"
#include "guest/facts.h"
#include "guest/power.h"
#include "guest/user.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void facts_done(struct facts *facts)
{
    list_done(&facts->lines);
}

static void lines_are_read_and_unescaped(void **state)
{
    (void)state;
    struct facts facts = {0};
    facts_parse(
        &facts, "hostname=web\nno equals sign\n\nenv=A=1\nenv=B=two\\nlines\\\\n\\x\nlast=z");
    assert_string_equal(facts_get(&facts, "hostname", "?"), "web");
    assert_string_equal(facts_get(&facts, "last", "?"), "z");
    assert_string_equal(facts_get(&facts, "host", "?"), "?");
    size_t at = 0;
    assert_string_equal(facts_next(&facts, "env", &at), "A=1");
    assert_string_equal(facts_next(&facts, "env", &at), "B=two\nlines\\n\\x");
    assert_null(facts_next(&facts, "env", &at));
    facts_done(&facts);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct facts facts = {0}, again = {0};
    facts_add(&facts, "arg", "a\nb\\nc\\");
    facts_add(&facts, "arg", "");
    facts_tell(&facts, "init", "/sbin/init");
    char *text = facts_format(&facts);
    facts_parse(&again, text);
    assert_int_equal(again.lines.count, facts.lines.count);
    for (size_t i = 0; i < facts.lines.count; i++) {
        assert_string_equal(again.lines.items[i], facts.lines.items[i]);
    }
    free(text);
    facts_done(&facts);
    facts_done(&again);
}

static void the_command_line_wins(void **state)
{
    (void)state;
    struct facts facts = {0};
    facts_parse_command_line(&facts,
        "console=ttyS0 banger.root=copy quiet banger.hostname=\"a b\" \"banger.env=X=y z\" "
        "notbanger.root=x init=/bin/x rdinit=/y banger.flag\n");
    facts_parse(&facts, "root=overlay\nhostname=file\nuser=me\n");
    assert_string_equal(facts_get(&facts, "root", ""), "copy");
    assert_string_equal(facts_get(&facts, "hostname", ""), "a b");
    assert_string_equal(facts_get(&facts, "env", ""), "X=y z");
    assert_string_equal(facts_get(&facts, "init", ""), "/bin/x");
    assert_string_equal(facts_get(&facts, "user", ""), "me");
    assert_string_equal(facts_get(&facts, "flag", "absent"), "absent");
    facts_done(&facts);
}

static void what_is_told_is_replaced_but_warnings_add_up(void **state)
{
    (void)state;
    struct facts facts = {0};
    facts_tell(&facts, "entrypoint", "running");
    facts_tell(&facts, "warning", "one");
    facts_tell(&facts, "warning", "two");
    facts_tell(&facts, "entrypoint", "exited:1");
    size_t at = 0;
    assert_string_equal(facts_next(&facts, FACTS_TOLD, &at), "entrypoint=exited:1");
    assert_string_equal(facts_next(&facts, FACTS_TOLD, &at), "warning=one");
    assert_string_equal(facts_next(&facts, FACTS_TOLD, &at), "warning=two");
    assert_null(facts_next(&facts, FACTS_TOLD, &at));
    facts_done(&facts);
}

static void users_are_names_or_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        bool is_good;
        uid_t uid;
        gid_t gid;
    } rows[] = {
        {NULL, true, 0, 0},
        {"", true, 0, 0},
        {"root", true, 0, 0},
        {"root:7654321", true, 0, 7654321},
        {"1234567", true, 1234567, 0},
        {"1234567:7654321", true, 1234567, 7654321},
        {"nobody-by-this-name", false, 0, 0},
        {"root:no-group-of-this-name", false, 0, 0},
        {"4294967295", false, 0, 0}, /* means "no change" to the kernel */
        {"-1", false, 0, 0},
        {"12ab", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct user user;
        if (user_find(rows[i].spec, &user) != rows[i].is_good) {
            fail_msg("%s", rows[i].spec);
        }
        if (rows[i].is_good) {
            assert_int_equal(user.uid, rows[i].uid);
            assert_int_equal(user.gid, rows[i].gid);
            assert_int_equal(user.groups[0], user.gid);
            assert_non_null(user.home);
        }
        free(user.home);
    }
}

static void links_of_an_init_are_followed(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_guest_facts.XXXXXX", old[4096];
    assert_non_null(getcwd(old, sizeof old));
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("sbin", 0700), 0);
    assert_int_equal(symlink("../lib/systemd", "sbin/init"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    char *found = power_resolve("sbin/init");
    assert_string_equal(found, "sbin/../lib/systemd");
    free(found);
    found = power_resolve("loop");
    assert_string_equal(found, "loop");
    free(found);
    found = power_resolve(POWER_OWN_INIT);
    assert_string_equal(found, POWER_OWN_INIT);
    free(found);
    assert_int_equal(unlink("sbin/init") + unlink("loop") + rmdir("sbin"), 0);
    assert_int_equal(chdir(old), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void put_text(const char *path, const char *text)
{
    assert_true(write_file(path, text));
}

static void assert_text(const char *path, const char *wanted)
{
    char *text = read_file(path, 4096, NULL);
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

static void keys_of_a_start_replace_those_before(void **state)
{
    (void)state;
    char old[4096], dir[] = "/tmp/banger-test-XXXXXX";
    struct stat status;
    struct facts none = {0}, first = {0}, second = {0};
    facts_parse(&first, "ssh_key=ssh-ed25519 AAA\nssh_key=ssh-rsa BBB\nssh_key=two\\nlines\n");
    facts_parse(&second, "ssh_key=ssh-ed25519 CCC\n");
    assert_non_null(getcwd(old, sizeof old));
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    keys_set_in("home", &none); /* nothing to put there, nothing is made */
    assert_int_equal(access("home", F_OK), -1);
    keys_set_in("home", &first);
    assert_int_equal(stat("home/.ssh", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(stat("home/.ssh/authorized_keys", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    put_text("home/.ssh/authorized_keys",
        "ssh-rsa MINE me\nssh-ed25519 AAA banger-operator\nssh-rsa LAST no line feed");
    keys_set_in("home", &second);
    assert_text("home/.ssh/authorized_keys",
        "ssh-rsa MINE me\nssh-rsa LAST no line feed\nssh-ed25519 CCC banger-operator\n");
    keys_set_in("home", &none);
    assert_text("home/.ssh/authorized_keys", "ssh-rsa MINE me\nssh-rsa LAST no line feed\n");
    /* Through no link: what it leads to stays as it is. */
    assert_int_equal(unlink("home/.ssh/authorized_keys"), 0);
    put_text("elsewhere", "kept\n");
    assert_int_equal(symlink("../../elsewhere", "home/.ssh/authorized_keys"), 0);
    keys_set_in("home", &second);
    assert_text("elsewhere", "kept\n");
    assert_text("home/.ssh/authorized_keys", "ssh-ed25519 CCC banger-operator\n");
    assert_int_equal(unlink("home/.ssh/authorized_keys") + unlink("elsewhere"), 0);
    assert_int_equal(rmdir("home/.ssh") + rmdir("home"), 0);
    assert_int_equal(chdir(old), 0);
    assert_int_equal(rmdir(dir), 0);
    facts_done(&first);
    facts_done(&second);
}

/* An interface as sysfs shows it. */
static void put_interface(const char *name, const char *type, bool has_hardware)
{
    char path[128];
    assert_int_equal(mkdir(name, 0755), 0);
    snprintf(path, sizeof path, "%s/type", name);
    put_text(path, type);
    snprintf(path, sizeof path, "%s/device", name);
    assert_true(!has_hardware || symlink("..", path) == 0);
}

static void remove_interface(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/type", name);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/device", name);
    unlink(path);
    assert_int_equal(rmdir(name), 0);
}

static void assert_card(const char *wanted)
{
    char *card = network_find_card(".");
    assert_non_null(card);
    assert_string_equal(card, wanted);
    free(card);
}

/* A kernel may begin with interfaces of its own (dummy0, bond0), whose names come first. */
static void the_card_is_one_with_hardware(void **state)
{
    (void)state;
    char old[4096], dir[] = "/tmp/banger-test-XXXXXX";
    assert_non_null(getcwd(old, sizeof old));
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    put_text("bonding_masters", "bond0\n");
    put_interface("lo", "772\n", false);
    assert_null(network_find_card("."));
    put_interface("dummy0", "1\n", false);
    assert_card("dummy0");
    put_interface("eth1", "1\n", true);
    assert_card("eth1");
    put_interface("eth0", "1\n", true);
    put_interface("bond0", "1\n", false);
    assert_card("eth0");
    assert_null(network_find_card("eth0/nothing"));
    static const char *const names[] = {"lo", "dummy0", "eth1", "eth0", "bond0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        remove_interface(names[i]);
    }
    assert_int_equal(unlink("bonding_masters") + chdir(old), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_and_unescaped),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_command_line_wins),
        cmocka_unit_test(what_is_told_is_replaced_but_warnings_add_up),
        cmocka_unit_test(users_are_names_or_numbers),
        cmocka_unit_test(links_of_an_init_are_followed),
        cmocka_unit_test(keys_of_a_start_replace_those_before),
        cmocka_unit_test(the_card_is_one_with_hardware),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
