/* SPDX-License-Identifier: MIT */
#include "engine/job_file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/json.h"
#include "engine/section.h"
#include "engine/state_jobs.h"
#include "support/scratch.h"

struct place {
    char *dir;
    int jobs;
    pid_t other; /* a process that only waits for a signal */
};

static int set_up(void **state)
{
    signal(SIGINT, SIG_DFL);
    struct place *place = memory_zero(1, sizeof(*place));
    place->dir = scratch_make();
    place->jobs = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    place->other = fork();
    if (place->other == 0) {
        for (;;) {
            pause();
        }
    }
    *state = place;
    return place->other > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    if (place->other > 0) {
        kill(place->other, SIGKILL);
        waitpid(place->other, NULL, 0);
    }
    close(place->jobs);
    scratch_remove(place->dir);
    free(place);
    return 0;
}

static struct job_file file_of(pid_t pid, uint64_t id)
{
    struct job_file file = {
        .id = id,
        .command = "kernel pull 'a b'",
        .object = "kernel/a",
        .phase = PROGRESS_EXTRACT,
        .unit = PROGRESS_ENTRIES,
        .done = 5,
        .total = 9,
        .started_at = 1700000000,
    };
    assert_true(process_identify(pid, &file.process));
    return file;
}

static void put(struct place *place, const struct job_file *file)
{
    struct error err = {0};
    assert_true(job_file_write(place->jobs, file, &err));
}

static void what_is_written_is_read_back(void **state)
{
    struct place *place = *state;
    struct job_file file = file_of(place->other, 42);
    put(place, &file);
    file.done = 6;
    file.is_watched = true;
    file.rate = 12345;
    file.permille = 456;
    memset(&file.expected, 0x5a, sizeof(file.expected));
    file.has_expected = true;
    put(place, &file);
    struct error err = {0};
    auto_section struct section *list = job_file_list(place->jobs, false, &err);
    assert_int_equal(section_count(list), 1);
    const struct job_file *read = section_items(list);
    assert_int_equal(read->id, 42);
    assert_string_equal(read->command, "kernel pull 'a b'");
    assert_string_equal(read->object, "kernel/a");
    assert_int_equal(read->process.pid, place->other);
    assert_int_equal(read->process.start_time, file.process.start_time);
    assert_int_equal(read->phase, PROGRESS_EXTRACT);
    assert_int_equal(read->unit, PROGRESS_ENTRIES);
    assert_int_equal(read->done, 6);
    assert_int_equal(read->total, 9);
    assert_int_equal(read->started_at, 1700000000);
    assert_true(read->is_watched);
    assert_int_equal(read->rate, 12345);
    assert_int_equal(read->permille, 456);
    assert_true(read->has_expected);
    assert_true(digest_equal(&read->expected, &file.expected));
    auto_free char *names = scratch_list(place->dir, ".");
    assert_string_equal(names, "42.json");
}

static void names_of_processes_that_are_gone_are_swept(void **state)
{
    struct place *place = *state;
    pid_t gone = fork();
    if (gone == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    static const char *const endings[] = {"json", "json.tmp-0f", "new", "cancel"};
    unsigned long id = (unsigned long)place->other * STATE_JOB_STRIDE + 1;
    for (size_t i = 0; i < array_length(endings); i++) {
        auto_free char *dead =
            memory_printf("%lu.%s", (unsigned long)gone * STATE_JOB_STRIDE + 1, endings[i]);
        auto_free char *live = memory_printf("%lu.%s", id, endings[i]);
        scratch_write(place->dir, dead, "");
        scratch_write(place->dir, live, "");
    }
    scratch_write(place->dir, "notes.json", "");
    job_file_sweep(place->jobs);
    auto_free char *names = scratch_list(place->dir, ".");
    auto_free char *left =
        memory_printf("%lu.cancel %lu.json %lu.json.tmp-0f %lu.new notes.json", id, id, id, id);
    assert_string_equal(names, left);
}

static void the_file_has_the_fields_others_rely_on(void **state)
{
    struct place *place = *state;
    struct job_file file = file_of(place->other, 42);
    put(place, &file);
    auto_free char *text = scratch_read(place->dir, "42.json");
    struct error err = {0};
    auto_json struct json *json = json_parse(text, strlen(text), 1 << 20, 8, "42.json", &err);
    assert_non_null(json);
    assert_int_equal(json_integer(json, "format", 0), 1);
    assert_int_equal(json_integer(json, "id", 0), 42);
    assert_string_equal(json_string(json, "command", ""), "kernel pull 'a b'");
    assert_int_equal(json_integer(json, "pid", 0), place->other);
    assert_int_equal(json_integer(json, "start_time", 0), (int64_t)file.process.start_time);
    assert_string_equal(json_string(json, "boot_id", ""), process_boot_id());
    assert_string_equal(json_string(json, "phase", ""), "extract");
    assert_int_equal(json_integer(json, "done", 0), 5);
    assert_int_equal(json_integer(json, "total", 0), 9);
    assert_int_equal(scratch_mode(place->dir, "42.json"), 0600);
}

static void files_of_dead_processes_are_debris(void **state)
{
    struct place *place = *state;
    struct job_file alive = file_of(place->other, 1);
    struct job_file dead = file_of(place->other, 2);
    dead.process.start_time++;
    put(place, &alive);
    put(place, &dead);
    struct error err = {0};
    /* A seat that only reads leaves it where it is. */
    auto_section struct section *first = job_file_list(place->jobs, true, &err);
    assert_int_equal(section_count(first), 1);
    assert_true(scratch_has(place->dir, "2.json"));
    auto_section struct section *second = job_file_list(place->jobs, false, &err);
    assert_int_equal(section_count(second), 1);
    assert_false(scratch_has(place->dir, "2.json"));
    assert_true(scratch_has(place->dir, "1.json"));
}

/* Of an earlier version, which did not say how much of the whole is done. */
/* Too many open files: its process may run, and somebody may wait for it. */
static void a_process_that_cannot_be_looked_at_has_its_jobs(void **state)
{
    (void)state;
    auto_section struct section *strings = section_new(sizeof(struct job_file));
    struct job_file file = {0};
    bool is_alive = false;
    auto_json struct json *json = json_new_object();
    json_put_integer(json, "pid", getpid());
    json_put_string(json, "boot_id", process_boot_id());
    struct rlimit old = scratch_take_descriptors();
    job_file_read_owner(json, strings, &file, &is_alive);
    scratch_give_descriptors(&old);
    assert_true(is_alive);
    job_file_read_owner(json, strings, &file, &is_alive); /* started at another time */
    assert_false(is_alive);
}

static void a_file_without_a_share_is_read_as_before(void **state)
{
    struct place *place = *state;
    struct job_file file = file_of(place->other, 42);
    auto_free char *text =
        memory_printf("{\"id\":42,\"command\":\"kernel pull a\",\"pid\":%d,\"start_time\":%llu,"
                      "\"boot_id\":\"%s\",\"phase\":\"download\",\"done\":1,\"total\":4}",
            (int)place->other, (unsigned long long)file.process.start_time, process_boot_id());
    scratch_write(place->dir, "42.json", text);
    struct error err = {0};
    auto_section struct section *list = job_file_list(place->jobs, false, &err);
    assert_int_equal(section_count(list), 1);
    const struct job_file *read = section_items(list);
    assert_in_range(read->permille, 240, 260);
    assert_string_equal(read->note, "");
    assert_string_equal(read->login, "");
}

static void what_cannot_be_read_is_left_alone(void **state)
{
    struct place *place = *state;
    scratch_write(place->dir, "7.json", "{ not json");
    scratch_write(place->dir, "8.json", "[]");
    scratch_write(place->dir, "note.txt", "hello");
    struct error err = {0};
    auto_section struct section *list = job_file_list(place->jobs, false, &err);
    assert_fine(err);
    assert_int_equal(section_count(list), 0);
    assert_true(scratch_has(place->dir, "7.json"));
    assert_true(scratch_has(place->dir, "note.txt"));
}

static void cancelling_sends_sigint_to_one_that_has_one_job(void **state)
{
    struct place *place = *state;
    struct job_file file = file_of(place->other, 42);
    put(place, &file);
    struct error err = {0};
    assert_true(job_file_cancel(place->jobs, 42, &err));
    int status = 0;
    assert_int_equal(waitpid(place->other, &status, 0), place->other);
    place->other = 0;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static void one_that_ignores_sigint_gets_sigterm(void **state)
{
    struct place *place = *state;
    signal(SIGINT, SIG_IGN);
    pid_t deaf = fork();
    if (deaf == 0) {
        for (;;) {
            pause();
        }
    }
    signal(SIGINT, SIG_DFL);
    struct job_file file = file_of(deaf, 43);
    put(place, &file);
    struct error err = {0};
    assert_true(job_file_cancel(place->jobs, 43, &err));
    int status = 0;
    assert_int_equal(waitpid(deaf, &status, 0), deaf);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void cancelling_leaves_a_word_for_one_that_watches(void **state)
{
    struct place *place = *state;
    struct job_file file = file_of(place->other, 42);
    file.is_watched = true;
    put(place, &file);
    struct error err = {0};
    assert_true(job_file_cancel(place->jobs, 42, &err));
    assert_true(scratch_has(place->dir, "42.cancel"));
    int status;
    assert_int_equal(waitpid(place->other, &status, WNOHANG), 0);
    job_file_remove(place->jobs, 42);
    auto_free char *names = scratch_list(place->dir, ".");
    assert_string_equal(names, "");
}

static void nobody_is_signalled_for_a_job_that_is_gone(void **state)
{
    struct place *place = *state;
    struct error err = {0};
    assert_false(job_file_cancel(place->jobs, 42, &err));
    assert_code(err, ERROR_NOT_FOUND);
    /* The number of the process was given to another one meanwhile. */
    struct job_file file = file_of(place->other, 42);
    file.process.start_time--;
    put(place, &file);
    error_clear(&err);
    assert_false(job_file_cancel(place->jobs, 42, &err));
    assert_code(err, ERROR_NOT_FOUND);
    int status;
    assert_int_equal(waitpid(place->other, &status, WNOHANG), 0);
}

#define in_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_place(what_is_written_is_read_back),
        in_place(the_file_has_the_fields_others_rely_on),
        in_place(files_of_dead_processes_are_debris),
        in_place(names_of_processes_that_are_gone_are_swept),
        in_place(a_file_without_a_share_is_read_as_before),
        in_place(what_cannot_be_read_is_left_alone),
        in_place(a_process_that_cannot_be_looked_at_has_its_jobs),
        in_place(cancelling_sends_sigint_to_one_that_has_one_job),
        in_place(one_that_ignores_sigint_gets_sigterm),
        in_place(cancelling_leaves_a_word_for_one_that_watches),
        in_place(nobody_is_signalled_for_a_job_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
