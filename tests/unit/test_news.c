/* SPDX-License-Identifier: MIT */
#include "engine/news.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "engine/change_log.h"
#include "support/engine_world.h"

/* A change of somebody else's, as he writes it. */
static void add_line(struct text *lines, const char *verb, const char *name, const char *login)
{
    text_printf(lines,
        "{\"format\":1,\"time\":\"2026-07-01T14:02:03Z\",\"login\":\"%s\",\"terminal\":\"pts/3\","
        "\"pid\":1,\"start_time\":1,\"boot_id\":\"another\",\"subject\":\"kernel\",\"verb\":\"%s\","
        "\"object\":\"kernel/%s\",\"command\":\"kernel %s %s\"}\n",
        login, verb, name, verb, name);
}

static void append(const struct world *world, const char *bytes)
{
    auto_free char *path = memory_printf("%s/log/%s", world->dir, CHANGE_LOG_NAME);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    close(fd);
}

static bool has_line(const struct snapshot *snapshot, const void *context)
{
    bool has = false;
    for (size_t i = 0; i < snapshot->log_count; i++) {
        const struct log_item *item = &snapshot->log[i];
        has |= item->is_news && strcmp(item->text, context) == 0;
    }
    return has;
}

static size_t news_count(const struct world *world)
{
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    size_t count = 0;
    for (size_t i = 0; i < snapshot->log_count; i++) {
        count += snapshot->log[i].is_news;
    }
    engine_release(snapshot);
    return count;
}

static void test_many_of_one_hand_are_one_sentence(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text lines = {0};
    add_line(&lines, "rm", "before", "kim");
    auto_free char *log = memory_printf("%s/log", world->dir);
    assert_int_equal(mkdir(log, 0700), 0);
    append(world, text_cstr(&lines));
    text_clear(&lines);
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < array_length(names); i++) {
        add_line(&lines, "rm", names[i], "kim");
    }
    add_line(&lines, "verify", "f", "kim"); /* neither destroys nor stops */
    text_append(&lines, "no JSON at all\n");
    add_line(&lines, "rm", "g", "lee");
    append(world, text_cstr(&lines));
    world_await_once(
        world, has_line, "Removed: kernels a, b, c and 2 more (by kim on pts/3, 14:02 UTC)");
    world_await_once(world, has_line, "Removed: kernel g (by lee on pts/3, 14:02 UTC)");
    assert_int_equal(news_count(world), 2);
}

/* A sentence of those characters, in one line, without a control character. */
static bool is_told_safely(const struct snapshot *snapshot, const void *context)
{
    const char *text = snapshot->log_count > 0 ? snapshot->log[snapshot->log_count - 1].text : "";
    bool is_there = strstr(text, context) != NULL;
    for (const char *at = text; is_there && *at != '\0'; at++) {
        assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
    }
    return is_there;
}

/* Half a line is told once its end is there; what it says cannot act on a terminal. */
static void test_torn_and_hostile_lines(void **state)
{
    struct world *world = *state;
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
    auto_done(text) struct text lines = {0};
    add_line(&lines, "rm", "first", "kim");
    auto_free char *half = memory_strndup(text_cstr(&lines), 60);
    append(world, half);
    append(world, text_cstr(&lines) + 60);
    world_await_once(world, has_line, "Removed: kernel first (by kim on pts/3, 14:02 UTC)");
    text_clear(&lines);
    text_append(&lines,
        "{\"time\":\"2026-07-01T14:02:03Z\",\"login\":\"kim\",\"subject\":\"vm\","
        "\"verb\":\"prune\",\"command\":\"vm prune\",\"names\":[7,null,\"web\"]}\n");
    append(world, text_cstr(&lines));
    text_clear(&lines);
    add_line(&lines, "rm", "\\u001b[2J\\nx", "\\u001b]0;me\\u0007");
    append(world, text_cstr(&lines));
    world_await_once(world, is_told_safely, "]0;me");
    assert_int_equal(news_count(world), 3);
}

/* A log that was turned over is read from the beginning of the next one; the old one stays. */
static void test_a_long_log_is_turned_over(void **state)
{
    struct world *world = *state;
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
    auto_free char *path = memory_printf("%s/log", world->dir);
    int log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_free char *line = memory_zero(300001, 1);
    memset(line, 'x', 300000);
    struct error err = {0};
    struct change change = {
        .at = 1, .subject = "kernel", .verb = "change", .object = "kernel/x", .line = line};
    change_set_self(&change);
    assert_true(change.login[0] != '\0');
    for (int i = 0; i < 4; i++) {
        assert_true(change_log_add(log, &change, &err));
    }
    assert_true(scratch_has(world->dir, "log/changes.1.jsonl"));
    assert_false(scratch_has(world->dir, "log/changes.jsonl"));
    close(log);
    auto_done(text) struct text lines = {0};
    add_line(&lines, "rm", "after", "kim");
    append(world, text_cstr(&lines));
    world_await_once(world, has_line, "Removed: kernel after (by kim on pts/3, 14:02 UTC)");
    assert_int_equal(news_count(world), 1);
}

struct heard {
    size_t count;
    char last[64];
};

static void hear(void *context, const struct change *change)
{
    struct heard *heard = context;
    heard->count++;
    snprintf(heard->last, sizeof(heard->last), "%s", change->object);
}

/* What came between the last look and the moment a long log was moved away is not lost, and both
 * that are kept can be read from their beginning. */
static void test_no_line_is_lost_when_a_log_is_turned_over(void **state)
{
    struct world *world = *state;
    auto_free char *path = memory_printf("%s/log", world->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    auto_close int log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_done(text) struct text lines = {0};
    struct error err = {0};
    struct heard heard = {0};
    add_line(&lines, "rm", "a", "kim");
    append(world, text_cstr(&lines));
    struct change_mark mark = change_log_end(log);
    text_clear(&lines);
    add_line(&lines, "rm", "b", "kim");
    append(world, text_cstr(&lines));
    assert_int_equal(renameat(log, CHANGE_LOG_NAME, log, "changes.1.jsonl"), 0);
    text_clear(&lines);
    add_line(&lines, "rm", "c", "kim");
    append(world, text_cstr(&lines));
    assert_true(change_log_read(log, &mark, hear, &heard, &err));
    assert_int_equal(heard.count, 2);
    assert_string_equal(heard.last, "kernel/c");
    assert_true(change_log_read(log, &mark, hear, &heard, &err));
    assert_int_equal(heard.count, 2);
    struct heard all = {0};
    assert_true(change_log_read_all(log, &mark, hear, &all, &err));
    assert_int_equal(all.count, 3);
    assert_int_equal(mark.passed, 0);
    append(world, text_cstr(&lines));
    assert_true(change_log_read(log, &mark, hear, &all, &err));
    assert_int_equal(all.count, 4);
}

/* One that could not be written to its end, as on a full disk, takes no other one with it. */
static void test_a_line_after_a_cut_one_is_whole(void **state)
{
    struct world *world = *state;
    auto_free char *path = memory_printf("%s/log", world->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    auto_close int log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    append(world, "{\"format\":1,\"time\":\"2026-");
    struct error err = {0};
    struct heard heard = {0};
    struct change_mark mark;
    struct change change = {
        .at = 1, .subject = "kernel", .verb = "rm", .object = "kernel/x", .line = "kernel rm x"};
    change_set_self(&change);
    assert_true(change_log_add(log, &change, &err));
    assert_true(change_log_read_all(log, &mark, hear, &heard, &err));
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.last, "kernel/x");
    assert_int_equal(mark.passed, 1);
}

/* What this program changed is written down with who asked for it, once, and is no news here. */
static void test_own_changes_are_written_down(void **state)
{
    struct world *world = *state;
    static const struct verb fake_rm = FAKE_VERB("kernel", "rm", VERB_DESTROYS, fake_run);
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
    assert_int_equal(world_end(world, world_submit(world, &fake_rm, "mine", NULL)), JOB_OK);
    assert_int_equal(world_end(world, world_submit(world, &fake_read, "mine", NULL)), JOB_OK);
    gate_add("bad")->fails = true;
    gate_open(gate_of("bad"));
    assert_int_equal(world_end(world, world_submit(world, &fake_rm, "bad", NULL)), JOB_FAILED);
    auto_done(text) struct text lines = {0};
    add_line(&lines, "rm", "theirs", "kim");
    append(world, text_cstr(&lines));
    world_await_once(world, has_line, "Removed: kernel theirs (by kim on pts/3, 14:02 UTC)");
    assert_int_equal(news_count(world), 1);
    auto_free char *log = scratch_read(world->dir, "log/changes.jsonl");
    assert_non_null(strstr(log, "\"object\":\"kernel/mine\",\"command\":\"kernel rm mine\"}\n"));
    assert_null(strstr(log, "kernel read"));
    assert_null(strstr(log, "bad"));
    assert_int_equal(scratch_mode(world->dir, "log/changes.jsonl") & 0777, 0600);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, watching_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_many_of_one_hand_are_one_sentence),
        TEST(test_torn_and_hostile_lines),
        TEST(test_a_long_log_is_turned_over),
        TEST(test_no_line_is_lost_when_a_log_is_turned_over),
        TEST(test_a_line_after_a_cut_one_is_whole),
        TEST(test_own_changes_are_written_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
