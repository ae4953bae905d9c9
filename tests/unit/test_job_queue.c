/* SPDX-License-Identifier: MIT */
#include "engine/job_queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/json.h"
#include "engine/job_file.h"
#include "engine/section.h"
#include "engine/state_jobs.h"
#include "support/scratch.h"

struct place {
    char *dir;
    int jobs;
    struct cancel *cancel;
    pid_t other; /* a process that only waits for a signal */
    struct job_file whose;
};

static int set_up(void **state)
{
    struct place *place = memory_zero(1, sizeof(*place));
    place->dir = scratch_make();
    place->jobs = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    place->cancel = cancel_new();
    place->other = fork();
    if (place->other == 0) {
        for (;;) {
            pause();
        }
    }
    place->whose = (struct job_file){.login = "root", .terminal = "pts/3", .is_watched = true};
    *state = place;
    return place->other > 0 && process_identify(place->other, &place->whose.process) ? 0 : -1;
}

static void end_other(struct place *place)
{
    kill(place->other, SIGKILL);
    assert_int_equal(waitpid(place->other, NULL, 0), place->other);
    place->other = 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    if (place->other > 0) {
        end_other(place);
    }
    cancel_free(place->cancel);
    close(place->jobs);
    scratch_remove(place->dir);
    free(place);
    return 0;
}

static uint64_t id_of(const struct place *place, unsigned number)
{
    return (uint64_t)place->other * STATE_JOB_STRIDE + number;
}

/* A queue of transfers, of that many. */
static void put(const struct place *place, size_t count)
{
    struct error err = {0};
    auto_section struct section *queued = section_new(sizeof(struct job_file));
    for (size_t i = 0; i < count; i++) {
        auto_free char *command = memory_printf("kernel pull number-%zu", i);
        *(struct job_file *)section_add(queued) = (struct job_file){.id = id_of(place, 1 + i),
            .command = section_string(queued, command),
            .object = "kernel/some",
            .place = 1 + i,
            .places = count,
            .queue = "transfer",
            .waits_for = "kernel pull lab"};
    }
    assert_true(job_queue_write(place->jobs, &place->whose, queued, &err));
}

static struct section *list_of(const struct place *place, bool is_readonly)
{
    struct error err = {0};
    struct section *list = job_file_list(place->jobs, is_readonly, &err);
    assert_non_null(list);
    return list;
}

static void what_waits_is_read_back_in_its_order(void **state)
{
    struct place *place = *state;
    put(place, 3);
    auto_section struct section *list = list_of(place, false);
    assert_int_equal(section_count(list), 3);
    const struct job_file *files = section_items(list);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(files[i].id, id_of(place, 1 + i));
        assert_int_equal(files[i].place, 1 + i);
        assert_int_equal(files[i].places, 3);
    }
    assert_string_equal(files[1].command, "kernel pull number-1");
    assert_string_equal(files[1].object, "kernel/some");
    assert_string_equal(files[1].waits_for, "kernel pull lab");
    assert_string_equal(files[1].queue, "transfer");
    assert_string_equal(files[1].login, "root");
    assert_string_equal(files[1].terminal, "pts/3");
    assert_int_equal(files[1].process.pid, place->other);
    assert_true(files[1].is_watched);
    put(place, 0);
    auto_free char *names = scratch_list(place->dir, ".");
    assert_string_equal(names, "");
}

static void what_has_begun_meanwhile_is_listed_once(void **state)
{
    struct place *place = *state;
    put(place, 2);
    struct job_file begun = place->whose;
    begun.id = id_of(place, 1);
    begun.command = "kernel pull number-0";
    begun.object = "";
    begun.note = "waiting for kernel pull lab (pid 12)";
    begun.started_at = 1700000000;
    struct error err = {0};
    assert_true(job_file_write(place->jobs, &begun, &err));
    auto_section struct section *list = list_of(place, false);
    const struct job_file *files = section_items(list);
    assert_int_equal(section_count(list), 2);
    assert_int_equal(files[0].id, id_of(place, 1));
    assert_int_equal(files[0].place, 0);
    assert_string_equal(files[0].note, "waiting for kernel pull lab (pid 12)");
    assert_string_equal(files[0].login, "root");
    assert_int_equal(files[1].id, id_of(place, 2));
}

static void it_vanishes_with_its_process(void **state)
{
    struct place *place = *state;
    put(place, 2);
    end_other(place);
    auto_section struct section *seen = list_of(place, true);
    assert_int_equal(section_count(seen), 0);
    auto_free char *left = scratch_list(place->dir, ".");
    assert_true(text_has_suffix(left, JOB_QUEUE_ENDING)); /* a seat that only reads */
    auto_section struct section *list = list_of(place, false);
    assert_int_equal(section_count(list), 0);
    auto_free char *names = scratch_list(place->dir, ".");
    assert_string_equal(names, "");
}

/* More than a file holds: the first ones are told, and the file can be read. */
static void a_very_long_queue_is_told_as_far_as_it_goes(void **state)
{
    struct place *place = *state;
    put(place, 20000);
    auto_section struct section *list = list_of(place, false);
    const struct job_file *files = section_items(list);
    assert_in_range(section_count(list), 1000, 20000);
    assert_int_equal(files[0].places, 20000);
}

static void what_is_none_of_its_process_is_passed_over(void **state)
{
    struct place *place = *state;
    auto_free char *name = memory_printf("%llu.queue", (unsigned long long)id_of(place, 0));
    auto_free char *text = memory_printf(
        "{\"pid\":%d,\"start_time\":%llu,\"boot_id\":\"%s\",\"jobs\":[7,{},{\"id\":-1,\"place\":1},"
        "{\"id\":10001,\"place\":1,\"command\":\"kernel rm a\"},{\"id\":%llu,\"place\":2,"
        "\"command\":\"kernel pull b\"},{\"id\":%llu,\"place\":-4}]}",
        (int)place->other, (unsigned long long)place->whose.process.start_time, process_boot_id(),
        (unsigned long long)id_of(place, 5), (unsigned long long)id_of(place, 6));
    scratch_write(place->dir, name, text);
    scratch_write(place->dir, "12.queue", text); /* another one's name */
    scratch_write(place->dir, "13.queue", "{");
    scratch_write(place->dir, "14.queue", "[]");
    auto_section struct section *list = list_of(place, false);
    const struct job_file *files = section_items(list);
    assert_int_equal(section_count(list), 1);
    assert_int_equal(files[0].id, id_of(place, 5));
}

struct request {
    const struct place *place;
    uint64_t id;
    enum engine_move move;
    uint64_t before;
    bool is_ok, is_moved;
    struct error err;
};

static void *ask(void *argument)
{
    struct request *request = argument;
    request->is_ok = job_queue_move(request->place->jobs, request->id, request->move,
        request->before, &request->is_moved, 30000, request->place->cancel, &request->err);
    return NULL;
}

/* What the owner would find; it is taken away as the owner does. */
static void answer(const struct place *place, const struct request *request)
{
    char *name = NULL;
    while (name == NULL) {
        auto_free char *names = scratch_list(place->dir, ".");
        const char *at = strstr(names, JOB_QUEUE_MOVE);
        while (at != NULL && at > names && at[-1] != ' ') {
            at--;
        }
        name = at != NULL ? memory_strndup(at, strcspn(at, " ")) : NULL;
    }
    enum engine_move move = ENGINE_MOVE_FIRST;
    uint64_t before = 1;
    char *rest = NULL;
    assert_int_equal(strtoull(name, &rest, 10), request->id);
    assert_true(job_queue_read_move(rest, &move, &before));
    assert_int_equal(move, request->move);
    assert_int_equal(before, request->before);
    assert_int_equal(unlinkat(place->jobs, name, 0), 0);
    free(name);
    put(place, 3);
}

static void the_owner_is_asked_and_waited_for(void **state)
{
    struct place *place = *state;
    put(place, 3);
    for (int move = 0; move < ENGINE_MOVE_COUNT; move++) {
        struct request request = {.place = place,
            .id = id_of(place, 2),
            .move = (enum engine_move)move,
            .before = move == ENGINE_MOVE_BEFORE ? id_of(place, 1) : 0};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, ask, &request), 0);
        answer(place, &request);
        pthread_join(thread, NULL);
        assert_true(request.is_ok && request.is_moved);
    }
}

static void nobody_is_asked_for_what_is_so_already(void **state)
{
    struct place *place = *state;
    put(place, 2);
    const struct request requests[] = {
        {.id = id_of(place, 1), .move = ENGINE_MOVE_FIRST},
        {.id = id_of(place, 1), .move = ENGINE_MOVE_SOONER},
        {.id = id_of(place, 2), .move = ENGINE_MOVE_LAST},
        {.id = id_of(place, 2), .move = ENGINE_MOVE_LATER},
        {.id = id_of(place, 1), .move = ENGINE_MOVE_BEFORE, .before = id_of(place, 2)},
    };
    for (size_t i = 0; i < array_length(requests); i++) {
        struct request request = requests[i];
        request.place = place;
        ask(&request);
        assert_true(request.is_ok && !request.is_moved);
    }
}

static void what_does_not_wait_is_not_moved(void **state)
{
    struct place *place = *state;
    put(place, 2);
    struct request unknown = {.place = place, .id = id_of(place, 9)};
    ask(&unknown);
    assert_false(unknown.is_ok);
    assert_code(unknown.err, ERROR_NOT_FOUND);
    struct request lost = {.place = place,
        .id = id_of(place, 2),
        .move = ENGINE_MOVE_BEFORE,
        .before = id_of(place, 9)};
    ask(&lost);
    assert_false(lost.is_ok);
    assert_code(lost.err, ERROR_NOT_FOUND);
    place->whose.is_watched = false; /* nobody would see the request */
    put(place, 2);
    struct request deaf = {.place = place, .id = id_of(place, 2)};
    ask(&deaf);
    assert_false(deaf.is_ok);
    assert_code(deaf.err, ERROR_UNSUPPORTED);
    struct error err = {0};
    assert_false(job_file_cancel(place->jobs, id_of(place, 2), &err));
    assert_code(err, ERROR_UNSUPPORTED);
    int status;
    assert_int_equal(waitpid(place->other, &status, WNOHANG), 0); /* what else it does goes on */
    end_other(place);
    struct request late = {.place = place, .id = id_of(place, 2)};
    ask(&late);
    assert_false(late.is_ok);
    assert_code(late.err, ERROR_NOT_FOUND);
}

/* Asking ends with the one who asks, and leaves no request. */
static void an_unanswered_request_is_taken_back(void **state)
{
    struct place *place = *state;
    put(place, 2);
    struct request request = {.place = place, .id = id_of(place, 2)};
    cancel_request(place->cancel);
    ask(&request);
    assert_false(request.is_ok);
    assert_code(request.err, ERROR_CANCELLED);
    auto_free char *names = scratch_list(place->dir, ".");
    assert_null(strstr(names, JOB_QUEUE_MOVE));
}

static void a_queued_one_is_cancelled_by_a_word(void **state)
{
    struct place *place = *state;
    put(place, 2);
    struct error err = {0};
    assert_true(job_file_cancel(place->jobs, id_of(place, 2), &err));
    auto_free char *name = memory_printf("%llu.cancel", (unsigned long long)id_of(place, 2));
    assert_true(scratch_has(place->dir, name));
}

static void names_that_ask_for_nothing_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".json", ".move-", ".move-sideways.1", ".move-before.1",
        ".move-before-", ".move-before-x.1", ".move--1", ".moved-up.1", ".move-UP.1"};
    enum engine_move move;
    uint64_t before;
    for (size_t i = 0; i < array_length(names); i++) {
        assert_false(job_queue_read_move(names[i], &move, &before));
    }
    assert_true(job_queue_read_move(".move-down.77", &move, &before));
    assert_int_equal(move, ENGINE_MOVE_LATER);
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_place(what_waits_is_read_back_in_its_order),
        in_place(what_has_begun_meanwhile_is_listed_once),
        in_place(it_vanishes_with_its_process),
        in_place(a_very_long_queue_is_told_as_far_as_it_goes),
        in_place(what_is_none_of_its_process_is_passed_over),
        in_place(the_owner_is_asked_and_waited_for),
        in_place(nobody_is_asked_for_what_is_so_already),
        in_place(what_does_not_wait_is_not_moved),
        in_place(an_unanswered_request_is_taken_back),
        in_place(a_queued_one_is_cancelled_by_a_word),
        in_place(names_that_ask_for_nothing_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
