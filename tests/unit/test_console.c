/* SPDX-License-Identifier: MIT */
/* The serial line from the operator's side: on a real pty, with a real monitor and a fake QEMU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "vm/console.h"

#include <pthread.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>

/* Somebody attached: a thread in console_attach, its far ends in our hands. */
struct seat {
    pthread_t thread;
    const struct world *world;
    struct console_attach_options options;
    struct cancel *cancel;
    struct error err;
    bool is_fine;
    int keyboard; /* write here */
    int screen;   /* read here */
    struct text seen;
    size_t searched;
};

static void *attach(void *context)
{
    struct seat *seat = context;
    seat->is_fine = console_attach(seat->world->dir, &seat->options, seat->cancel, &seat->err);
    return NULL;
}

static void seat_take_part(
    struct seat *seat, const struct world *world, bool is_terminal, uint64_t replay_bytes)
{
    *seat = (struct seat){.world = world,
        .options = {.detach_key = CONSOLE_DETACH_DEFAULT, .replay_bytes = replay_bytes},
        .cancel = cancel_new()};
    if (is_terminal) {
        assert_int_equal(openpty(&seat->keyboard, &seat->options.in_fd, NULL, NULL, NULL), 0);
        seat->screen = seat->keyboard;
        seat->options.out_fd = seat->options.in_fd;
    } else {
        int in[2];
        int out[2];
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        seat->keyboard = in[1];
        seat->options.in_fd = in[0];
        seat->screen = out[0];
        seat->options.out_fd = out[1];
    }
    assert_int_equal(pthread_create(&seat->thread, NULL, attach, seat), 0);
}

static void seat_take(struct seat *seat, const struct world *world, bool is_terminal)
{
    seat_take_part(seat, world, is_terminal, 1 << 20);
}

/* Until the screen shows the words, behind what was waited for before. */
static void seat_wait(struct seat *seat, const char *words)
{
    uint64_t deadline = clock_deadline(60000);
    for (;;) {
        const char *found = seat->seen.len > seat->searched
                                ? strstr(text_cstr(&seat->seen) + seat->searched, words)
                                : NULL;
        if (found != NULL) {
            seat->searched = (size_t)(found - seat->seen.data) + strlen(words);
            return;
        }
        struct pollfd ready = {.fd = seat->screen, .events = POLLIN};
        char chunk[4096];
        ssize_t got = poll(&ready, 1, clock_left_ms(deadline)) > 0
                          ? read(seat->screen, chunk, sizeof chunk)
                          : 0;
        if (got <= 0) {
            fail_msg("the screen never showed \"%s\" but \"%s\"", words, text_cstr(&seat->seen));
        }
        text_append_bytes(&seat->seen, chunk, (size_t)got);
    }
}

static void seat_type(struct seat *seat, const char *words)
{
    assert_int_equal(write(seat->keyboard, words, strlen(words)), strlen(words));
}

static void seat_join(struct seat *seat)
{
    pthread_join(seat->thread, NULL);
    assert_fine(seat->err);
    assert_true(seat->is_fine);
}

static void seat_leave(struct seat *seat)
{
    if (seat->screen != seat->keyboard) {
        close(seat->screen);
        close(seat->options.out_fd);
    }
    close(seat->keyboard);
    close(seat->options.in_fd);
    cancel_free(seat->cancel);
    text_done(&seat->seen);
}

static void started(struct world *world, const char *append)
{
    world_make(world, append, NULL);
    world_start(world);
    world_wait_text(world, "console.log", "banger-guest");
}

static void test_terminal_comes_back_as_it_was(void **state)
{
    (void)state;
    struct world world;
    struct seat seat;
    started(&world, "");
    seat_take(&seat, &world, true);
    /* How to leave comes before anything of the guest's. */
    seat_wait(&seat, "press Ctrl-] to leave");
    seat_wait(&seat, "Linux version");
    struct termios raw;
    assert_int_equal(tcgetattr(seat.options.in_fd, &raw), 0);
    assert_int_equal(raw.c_lflag & (ICANON | ECHO | ISIG), 0);
    seat_type(&seat, "hello\n");
    seat_wait(&seat, "got hello");
    seat_type(&seat, "last\n\x1d"
                     "never");
    seat_wait(&seat, "\x1b[?1049l");
    seat_join(&seat);
    struct termios after;
    assert_int_equal(tcgetattr(seat.options.in_fd, &after), 0);
    assert_int_equal(after.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
    seat_leave(&seat);
    /* What was typed before the key arrived, what came behind it did not. */
    world_wait_text(&world, "console.log", "got last");
    auto_free char *log = scratch_read(world.path, "console.log");
    assert_null(strstr(log, "never"));
    world_remove(&world);
}

/* What was printed before is shown from the beginning of a line on. */
static void test_replay_begins_with_a_line(void **state)
{
    (void)state;
    struct world world;
    struct seat seat;
    started(&world, "");
    auto_free char *log = scratch_read(world.path, "console.log");
    const char *line = strstr(log, "[    0.100000] banger-guest");
    assert_non_null(line);
    seat_take_part(&seat, &world, false, strlen(line) + 5); /* and the end of the line before */
    seat_wait(&seat, "banger-guest");
    assert_memory_equal(text_cstr(&seat.seen), line, strlen("[    0.100000] banger-guest"));
    seat_type(&seat, "off\n");
    seat_join(&seat);
    seat_leave(&seat);
    world_remove(&world);
}

static void test_keyboard_changes_hands(void **state)
{
    (void)state;
    struct world world;
    struct seat first;
    struct seat second;
    struct seat watcher;
    started(&world, "");
    seat_take(&first, &world, true);
    seat_wait(&first, "banger-guest");
    seat_take(&second, &world, true);
    seat_wait(&second, "banger-guest");
    seat_wait(&first, "[the keyboard went to process");
    seat_type(&second, "two\n");
    seat_wait(&first, "got two");
    seat_wait(&second, "got two");
    seat_type(&first, "one\n");
    seat_wait(&second, "[the keyboard went to process");
    seat_wait(&second, "got one");
    /* The end of the machine ends both. */
    seat_take(&watcher, &world, false);
    seat_wait(&watcher, "got one"); /* from the replay */
    seat_type(&first, "off\n");
    seat_join(&first);
    seat_join(&second);
    seat_join(&watcher);
    seat_leave(&first);
    seat_leave(&second);
    seat_leave(&watcher);
    world_remove(&world);
}

static void test_cancel_and_end_of_input(void **state)
{
    (void)state;
    struct world world;
    struct seat seat;
    started(&world, "");
    seat_take(&seat, &world, false);
    seat_type(&seat, "x\n");
    close(seat.keyboard); /* goes on watching */
    seat.keyboard = -1;
    seat_wait(&seat, "got x");
    cancel_request(seat.cancel);
    seat_join(&seat);
    seat_leave(&seat);
    assert_int_equal(world_state(&world), MACHINE_RUNNING);
    /* Not running: said so. */
    struct error err = {0};
    assert_true(machine_kill(world.dir, &world.handle, SIGKILL, NULL, NULL, &err));
    struct console_attach_options options = {.in_fd = -1, .out_fd = -1, .detach_key = -1};
    assert_false(console_attach(world.dir, &options, NULL, &err));
    assert_code(err, ERROR_VMM);
    world_remove(&world);
}

/* Every byte of a flood, in order, for one who attaches in the middle and for the log. */
static void test_flood(void **state)
{
    (void)state;
    struct world world;
    struct seat seat;
    world_make(&world, "fake.flood=600000", NULL);
    world_start(&world);
    seat_take(&seat, &world, false);
    seat_wait(&seat, "line 00037499");
    const char *at = strstr(text_cstr(&seat.seen), "line ");
    for (unsigned long i = 0; i < 37499; i++) {
        assert_int_equal(strtoul(at + 5, NULL, 10), i);
        at = strstr(at + 5, "line ");
        assert_non_null(at);
    }
    seat_type(&seat, "off\n");
    seat_join(&seat);
    seat_leave(&seat);
    auto_free char *log = scratch_read(world.path, "console.log");
    assert_non_null(strstr(log, "line 00037499"));
    world_remove(&world);
}

struct follower {
    pthread_t thread;
    const struct world *world;
    int out;
    struct cancel *cancel;
    struct error err;
    bool is_fine;
};

static void *follow(void *context)
{
    struct follower *follower = context;
    struct console_log_options options = {.tail_lines = 1, .is_following = true};
    follower->is_fine = console_log_write(
        follower->world->dir, &options, follower->out, follower->cancel, &follower->err);
    return NULL;
}

static void test_follow_ends_with_the_machine(void **state)
{
    (void)state;
    struct world world;
    struct seat seat;
    int pair[2];
    started(&world, "");
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    struct follower follower = {.world = &world, .out = pair[1]};
    assert_int_equal(pthread_create(&follower.thread, NULL, follow, &follower), 0);
    seat_take(&seat, &world, false);
    seat_type(&seat, "news\n");
    char text[4096] = "";
    size_t len = 0;
    while (strstr(text, "got news") == NULL) {
        ssize_t got = read(pair[0], text + len, sizeof text - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
    }
    assert_null(strstr(text, "Linux version")); /* only the last line of what was there */
    seat_type(&seat, "off\n");
    seat_join(&seat);
    pthread_join(follower.thread, NULL);
    assert_fine(follower.err);
    assert_true(follower.is_fine);
    close(pair[1]);
    assert_int_equal(read(pair[0], text, sizeof text), 0);
    close(pair[0]);
    seat_leave(&seat);
    /* Of a stopped machine it ends at once. */
    auto_free char *name = memory_printf("%s/out", world.path);
    follower.out = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    follow(&follower);
    assert_true(follower.is_fine);
    close(follower.out);
    world_remove(&world);
}

static void *cancel_soon(void *context)
{
    poll(NULL, 0, 30);
    cancel_request(context);
    return NULL;
}

static void test_follow_is_cancelled(void **state)
{
    (void)state;
    struct world world;
    pthread_t thread;
    started(&world, "");
    auto_free char *name = memory_printf("%s/out", world.path);
    struct follower follower = {.world = &world, .cancel = cancel_new()};
    follower.out = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, follower.cancel), 0);
    follow(&follower);
    pthread_join(thread, NULL);
    assert_false(follower.is_fine);
    assert_code(follower.err, ERROR_CANCELLED);
    cancel_free(follower.cancel);
    close(follower.out);
    world_remove(&world);
}

static void test_wait_for_text(void **state)
{
    (void)state;
    struct world world;
    struct seat seat;
    struct error err = {0};
    started(&world, "");
    assert_true(console_wait_text(world.dir, "Linux version", 5000, NULL, &err));
    assert_false(console_wait_text(world.dir, "login:", 30, NULL, &err));
    assert_code(err, ERROR_TIMEOUT);
    error_clear(&err);
    seat_take(&seat, &world, false);
    seat_type(&seat, "lo\nlogin: \n");
    assert_true(console_wait_text(world.dir, "got login: ", 20000, NULL, &err));
    seat_type(&seat, "off\n");
    assert_false(console_wait_text(world.dir, "never", 20000, NULL, &err));
    assert_code(err, ERROR_VMM);
    seat_join(&seat);
    seat_leave(&seat);
    /* What an earlier boot printed does not count. */
    struct error later = {0};
    world_start(&world);
    assert_false(console_wait_text(world.dir, "got login: ", 50, NULL, &later));
    assert_code(later, ERROR_TIMEOUT);
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal_comes_back_as_it_was),
        cmocka_unit_test(test_replay_begins_with_a_line),
        cmocka_unit_test(test_keyboard_changes_hands),
        cmocka_unit_test(test_cancel_and_end_of_input),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_follow_ends_with_the_machine),
        cmocka_unit_test(test_follow_is_cancelled),
        cmocka_unit_test(test_wait_for_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
