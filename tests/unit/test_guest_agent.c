/* SPDX-License-Identifier: MIT */

/* The agent without a machine around it: the same code in a child process, with one end of a socket
 * pair where the virtio-serial port would be. What only a guest's root may do is left out below. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/agent.h"
#include "guest/guest.h"
#include "guest/power.h"
#include "support/agent_alone.h"
#include "support/wire_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- in place of what belongs to the machine ------------------------------------------------- */

void power_end(const char *init, bool is_reboot)
{
    say("%s %s", init, is_reboot ? "restarts" : "powers off");
}

int clock_settime(clockid_t clock, const struct timespec *now)
{
    (void)clock;
    errno = now->tv_sec == 42 ? 0 : EPERM;
    return now->tv_sec == 42 ? 0 : -1;
}

/* ---- the agent in a child -------------------------------------------------------------------- */

struct world {
    pid_t agent;
    int events; /* as our own PID 1 would hold it */
    int console;
    struct peer peer;
};

static const char facts_text[] = "env=IMAGE=yes\nenv=BOTH=image\nworkdir=/tmp\ninit_file=/x/init\n"
                                 "told=agent=test\ntold=init=/sbin/init\n";

static int start(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    int line[2], events[2];
    assert_non_null(world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    assert_int_equal(pipe2(events, O_CLOEXEC | O_NONBLOCK), 0);
    world->console = memfd_create("console", MFD_CLOEXEC);
    world->agent = fork();
    assert_true(world->agent >= 0);
    if (world->agent == 0) {
        dup2(world->console, STDERR_FILENO);
        agent_alone_run(&(struct agent_alone){
            .port = line[1], .events = events[0], .facts = facts_text, .write_max = 4099});
    }
    close(line[1]);
    close(events[0]);
    world->events = events[1];
    peer_init(&world->peer, line[0]);
    *state = world;
    return 0;
}

static int stop(void **state)
{
    struct world *world = *state;
    int status = 0;
    kill(world->agent, SIGKILL);
    assert_int_equal(waitpid(world->agent, &status, 0), world->agent);
    peer_done(&world->peer);
    close(world->events);
    close(world->console);
    free(world);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it lived until then */
    return 0;
}

static void assert_console_says(const struct world *world, const char *wanted)
{
    char text[4096] = "";
    assert_true(pread(world->console, text, sizeof text - 1, 0) >= 0);
    if (strstr(text, wanted) == NULL) {
        fail_msg("the console says: %s", text);
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void hello_brings_the_facts(void **state)
{
    struct world *world = *state;
    peer_greet(&world->peer);
    assert_string_equal(peer_fact(&world->peer.facts, "agent"), "test");
    assert_string_equal(peer_fact(&world->peer.facts, "init"), "/sbin/init");
    assert_non_null(peer_fact(&world->peer.facts, "stage_agent_ms"));
    assert_null(peer_fact(&world->peer.facts, "env"));
}

static void exit_status_and_output_come_back(void **state)
{
    struct world *world = *state;
    peer_greet(&world->peer);
    struct peer_stream stream = {0};
    peer_exec(&world->peer, &stream,
        (const char *const[]){"sh", "-c", "echo out; echo err >&2; exit 7", NULL});
    peer_finish(&world->peer, &stream);
    assert_int_equal(stream.outcome, WIRE_OUTCOME_EXITED);
    assert_int_equal(stream.number, 7);
    assert_true(stream.is_started && stream.has_ended[0] && stream.has_ended[1]);
    assert_string_equal(text_cstr(&stream.got[0]), "out\n");
    assert_string_equal(text_cstr(&stream.got[1]), "err\n");
    peer_stream_done(&stream);
}

static void a_signal_is_reported_as_one(void **state)
{
    struct world *world = *state;
    peer_greet(&world->peer);
    struct peer_stream stream = {0};
    peer_exec(&world->peer, &stream, (const char *const[]){"sh", "-c", "kill -9 $$", NULL});
    peer_finish(&world->peer, &stream);
    assert_int_equal(stream.outcome, WIRE_OUTCOME_SIGNALED);
    assert_int_equal(stream.number, SIGKILL);
    peer_stream_done(&stream);
}

static void assert_fails(
    struct peer *peer, const char *program, enum wire_outcome outcome, const char *sentence)
{
    struct peer_stream stream = {0};
    peer_exec(peer, &stream, (const char *const[]){program, NULL});
    peer_finish(peer, &stream);
    assert_int_equal(stream.outcome, outcome);
    assert_false(stream.is_started);
    if (strstr(text_cstr(&stream.text), sentence) == NULL) {
        fail_msg("%s", text_cstr(&stream.text));
    }
    peer_stream_done(&stream);
}

static void what_cannot_run_is_told_apart(void **state)
{
    struct world *world = *state;
    char path[] = "/tmp/test_guest_agent.XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(write(fd, "#!/no/such/shell\n", 17) == 17);
    close(fd);
    peer_greet(&world->peer);
    assert_fails(&world->peer, "no-such-program", WIRE_OUTCOME_NOT_FOUND, "no such program");
    assert_fails(&world->peer, "/no/such", WIRE_OUTCOME_NOT_FOUND, "/no/such");
    assert_fails(&world->peer, "", WIRE_OUTCOME_NOT_FOUND, "no such program");
    assert_fails(&world->peer, "/tmp", WIRE_OUTCOME_NOT_EXECUTABLE, "directory");
    assert_fails(&world->peer, "/etc/passwd", WIRE_OUTCOME_NOT_EXECUTABLE, "denied");
    assert_int_equal(chmod(path, 0755), 0);
    assert_fails(&world->peer, path, WIRE_OUTCOME_NOT_EXECUTABLE, "interpreter");
    unlink(path);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    struct wire_writer writer;
    peer_greet(peer);
    static const struct {
        enum wire_tag tag;
        const char *bytes;
        size_t len;
        const char *sentence;
    } rows[] = {
        {WIRE_TAG_CWD, "/", 1, "no program"},
        {WIRE_TAG_ARG, "a\0b", 3, "NUL"},
        {WIRE_TAG_USER, "nobody-by-this-name", 19, "nobody-by-this-name"},
        {WIRE_TAG_CWD, "/no/such/place", 14, "/no/such/place"},
        {WIRE_TAG_TTY, "abc", 3, "terminal"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer_stream stream = {0};
        peer_open(peer, &stream, WIRE_KIND_EXEC, &writer);
        if (i > 1) {
            wire_add_text(&writer, WIRE_TAG_ARG, "true");
        }
        wire_add(&writer, rows[i].tag, rows[i].bytes, rows[i].len);
        peer_open_finish(peer, &writer);
        peer_finish(peer, &stream);
        assert_int_equal(stream.outcome, WIRE_OUTCOME_FAILED);
        if (strstr(text_cstr(&stream.text), rows[i].sentence) == NULL) {
            fail_msg("%zu: %s", i, text_cstr(&stream.text));
        }
        peer_stream_done(&stream);
    }
}

static void environment_is_the_image_s_and_the_caller_s(void **state)
{
    struct world *world = *state;
    struct peer_stream stream = {0};
    struct wire_writer writer;
    peer_greet(&world->peer);
    peer_open(&world->peer, &stream, WIRE_KIND_EXEC, &writer);
    wire_add_text(&writer, WIRE_TAG_ARG, "sh");
    wire_add_text(&writer, WIRE_TAG_ARG, "-c");
    wire_add_text(&writer, WIRE_TAG_ARG, "echo $IMAGE $BOTH $MINE; pwd; echo ${PATH##*:}");
    wire_add_text(&writer, WIRE_TAG_ENV, "BOTH=caller");
    wire_add_text(&writer, WIRE_TAG_ENV, "MINE=a b");
    wire_add_text(&writer, WIRE_TAG_ENV, "=nonsense");
    peer_open_finish(&world->peer, &writer);
    peer_finish(&world->peer, &stream);
    assert_string_equal(text_cstr(&stream.got[0]), "yes caller a b\n/tmp\n/bin\n");
    peer_stream_done(&stream);
}

static void long_lists_of_arguments_arrive(void **state)
{
    struct world *world = *state;
    struct peer_stream stream = {0};
    struct wire_writer writer;
    char word[201];
    memset(word, 'x', 200);
    word[200] = '\0';
    peer_greet(&world->peer);
    peer_open(&world->peer, &stream, WIRE_KIND_EXEC, &writer);
    wire_add_text(&writer, WIRE_TAG_ARG, "sh");
    wire_add_text(&writer, WIRE_TAG_ARG, "-c");
    wire_add_text(&writer, WIRE_TAG_ARG, "echo $# ${#1000}");
    for (unsigned i = 0; i < 1001; i++) {
        wire_add_text(&writer, WIRE_TAG_ARG, word);
    }
    peer_open_finish(&world->peer, &writer);
    peer_finish(&world->peer, &stream);
    assert_string_equal(text_cstr(&stream.got[0]), "1000 200\n");
    peer_stream_done(&stream);
}

/* Bytes of all values, the marker among them. */
static uint8_t *make_input(size_t len)
{
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)((i * 2654435761u) >> 11);
    }
    for (size_t i = 0; i + WIRE_MARKER_LEN < len; i += 50021) {
        memcpy(bytes + i, wire_marker, WIRE_MARKER_LEN);
    }
    return bytes;
}

static void no_byte_is_lost_on_many_streams(void **state)
{
    struct world *world = *state;
    enum { STREAMS = 24, BYTES = 400000 };
    uint8_t *input = make_input(BYTES);
    static struct peer_stream streams[STREAMS];
    memset(streams, 0, sizeof streams);
    peer_greet(&world->peer);
    for (unsigned i = 0; i < STREAMS; i++) {
        streams[i].input = input;
        streams[i].input_len = BYTES - i;
        peer_exec(&world->peer, &streams[i],
            (const char *const[]){"sh", "-c", "cat; echo end >&2; exit 3", NULL});
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        peer_finish(&world->peer, &streams[i]);
        assert_int_equal(streams[i].number, 3);
        assert_int_equal(streams[i].got[0].len, BYTES - i);
        assert_memory_equal(streams[i].got[0].data, input, BYTES - i);
        assert_string_equal(text_cstr(&streams[i].got[1]), "end\n");
        peer_stream_done(&streams[i]);
    }
    free(input);
}

static void a_stream_nobody_reads_stops_no_other(void **state)
{
    struct world *world = *state;
    struct peer_stream stalled = {.gives_no_credit = true};
    peer_greet(&world->peer);
    peer_exec(&world->peer, &stalled, (const char *const[]){"yes", NULL});
    while (stalled.got[0].len < WIRE_WINDOW) {
        peer_step(&world->peer);
    }
    for (unsigned i = 0; i < 20; i++) {
        peer_assert_runs(&world->peer, (const char *const[]){"echo", "alive", NULL}, 0, "alive\n");
    }
    assert_int_equal(stalled.got[0].len, WIRE_WINDOW); /* and not a byte more */
    assert_false(stalled.is_done);
    wire_put_credit(&world->peer.out, stalled.id, WIRE_OUT, WIRE_WINDOW);
    stalled.out[0].left = WIRE_WINDOW;
    while (stalled.got[0].len < 2 * WIRE_WINDOW) {
        peer_step(&world->peer);
    }
    wire_put_end(&world->peer.out, stalled.id, WIRE_OUT);
    peer_finish(&world->peer, &stalled);
    assert_int_equal(stalled.outcome, WIRE_OUTCOME_SIGNALED);
    assert_int_equal(stalled.number, SIGPIPE);
    peer_stream_done(&stalled);
}

static void a_command_that_does_not_read_refuses_its_input(void **state)
{
    struct world *world = *state;
    uint8_t *input = make_input(600000);
    struct peer_stream stream = {.input = input, .input_len = 600000};
    peer_greet(&world->peer);
    peer_exec(&world->peer, &stream,
        (const char *const[]){"sh", "-c", "exec 0<&-; echo closed; sleep 0.2", NULL});
    peer_finish(&world->peer, &stream);
    assert_true(stream.is_input_refused);
    assert_true(stream.input_at < 600000);
    assert_int_equal(stream.number, 0);
    peer_stream_done(&stream);
    free(input);
}

static void what_children_leave_behind_holds_up_nothing(void **state)
{
    struct world *world = *state;
    struct peer_stream stream = {0};
    peer_greet(&world->peer);
    peer_exec(&world->peer, &stream,
        (const char *const[]){
            "sh", "-c", "sleep 600 & echo $! >&2; yes | head -c 60000; exit 2", NULL});
    peer_finish(&world->peer, &stream);
    assert_int_equal(stream.number, 2);
    assert_int_equal(stream.got[0].len, 60000);
    assert_int_equal(kill((pid_t)strtol(text_cstr(&stream.got[1]), NULL, 10), SIGKILL), 0);
    peer_stream_done(&stream);
}

static void a_signal_is_passed_on(void **state)
{
    struct world *world = *state;
    struct peer_stream stream = {.keeps_input = true};
    peer_greet(&world->peer);
    peer_exec(&world->peer, &stream,
        (const char *const[]){"sh", "-c",
            "trap 'kill $!; echo caught; exit 4' TERM; sleep 600 & echo ready; wait", NULL});
    while (stream.got[0].len == 0) {
        peer_step(&world->peer);
    }
    wire_put_signal(&world->peer.out, stream.id, SIGTERM);
    peer_finish(&world->peer, &stream);
    assert_string_equal(text_cstr(&stream.got[0]), "ready\ncaught\n");
    assert_int_equal(stream.number, 4);
    peer_stream_done(&stream);
}

static void open_terminal(struct peer *peer, struct peer_stream *stream, const char *script)
{
    struct wire_writer writer;
    peer_open(peer, stream, WIRE_KIND_EXEC, &writer);
    wire_add_text(&writer, WIRE_TAG_ARG, "sh");
    wire_add_text(&writer, WIRE_TAG_ARG, "-c");
    wire_add_text(&writer, WIRE_TAG_ARG, script);
    wire_add_size(&writer, WIRE_TAG_TTY, 40, 100);
    peer_open_finish(peer, &writer);
}

static void wait_for_text(struct peer *peer, struct peer_stream *stream, const char *text)
{
    while (strstr(text_cstr(&stream->got[0]), text) == NULL) {
        if (stream->is_done) {
            fail_msg("ended with: %s", text_cstr(&stream->got[0]));
        }
        peer_step(peer);
    }
}

static void a_terminal_has_size_job_control_and_end_of_file(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    struct peer_stream stream = {.keeps_input = true};
    peer_greet(peer);
    open_terminal(peer, &stream,
        "stty size; trap 'stty size' WINCH; trap 'echo got-int' INT; test -t 0 && test -t 2 && "
        "echo $TERM; while ! read line; do :; done; echo line $line; cat; echo bye; exit 9");
    wait_for_text(peer, &stream, "xterm");
    assert_non_null(strstr(text_cstr(&stream.got[0]), "40 100"));
    wire_put_resize(&peer->out, stream.id, 50, 132);
    wait_for_text(peer, &stream, "50 132"); /* first: ^C would end the stty as well */
    wire_put_data(&peer->out, stream.id, WIRE_IN, "\x03", 1);
    wait_for_text(peer, &stream, "got-int");
    wire_put_data(&peer->out, stream.id, WIRE_IN, "hello\r", 6);
    wait_for_text(peer, &stream, "line hello");
    stream.keeps_input = false; /* END, which a terminal sees as its end-of-file character */
    peer_finish(peer, &stream);
    assert_non_null(strstr(text_cstr(&stream.got[0]), "bye\r\n"));
    assert_int_equal(stream.number, 9);
    peer_stream_done(&stream);
}

static void a_terminal_gives_its_last_words(void **state)
{
    struct world *world = *state;
    peer_greet(&world->peer);
    for (unsigned i = 0; i < 20; i++) {
        struct peer_stream stream = {.keeps_input = true};
        open_terminal(&world->peer, &stream, "seq 1 2000; (sleep 600 &) ; echo last");
        peer_finish(&world->peer, &stream);
        assert_int_equal(stream.outcome, WIRE_OUTCOME_EXITED);
        assert_non_null(strstr(text_cstr(&stream.got[0]), "\n2000\r\nlast\r\n"));
        peer_stream_done(&stream);
    }
}

/* The pid that a script printed; it must be gone soon, or the test hangs and fails. */
static void assert_ends(const struct peer_stream *stream)
{
    pid_t pid = (pid_t)strtol(text_cstr(&stream->got[0]), NULL, 10);
    assert_true(pid > 1);
    for (unsigned i = 0; kill(pid, 0) == 0; i++) {
        struct timespec step = {.tv_nsec = 5000000};
        assert_true(i < 4000);
        nanosleep(&step, NULL);
    }
}

static void a_closed_stream_hangs_up_and_says_nothing_more(void **state)
{
    struct world *world = *state;
    struct peer_stream stream = {.keeps_input = true};
    peer_greet(&world->peer);
    peer_exec(
        &world->peer, &stream, (const char *const[]){"sh", "-c", "echo $$; exec sleep 600", NULL});
    wait_for_text(&world->peer, &stream, "\n");
    wire_put_close(&world->peer.out, stream.id);
    peer_assert_runs(&world->peer, (const char *const[]){"echo", "on", NULL}, 0, "on\n");
    assert_ends(&stream);
    assert_false(stream.is_done);
    peer_stream_done(&stream);
}

static void a_new_hello_ends_what_was(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    struct peer_stream stream = {.keeps_input = true}, cut = {.keeps_input = true};
    peer_greet(peer);
    peer_exec(peer, &stream, (const char *const[]){"sh", "-c", "echo $$; exec cat", NULL});
    wait_for_text(peer, &stream, "\n");
    peer_exec(peer, &cut, (const char *const[]){"cat", NULL});
    while (peer->out.len > 0) {
        peer_step(peer);
    }
    /* Half a frame, then somebody else. */
    wire_put_data(&peer->out, cut.id, WIRE_IN, "0123456789", 10);
    peer->out.len -= 6;
    peer_greet(peer);
    assert_ends(&stream);
    peer_assert_runs(peer, (const char *const[]){"echo", "new", NULL}, 0, "new\n");
    assert_false(stream.is_done || cut.is_done);
    peer_stream_done(&stream);
    peer_stream_done(&cut);
}

static void a_lost_host_ends_what_was(void **state)
{
    struct world *world = *state;
    struct peer_stream stream = {.keeps_input = true};
    peer_greet(&world->peer);
    peer_exec(
        &world->peer, &stream, (const char *const[]){"sh", "-c", "echo $$; exec sleep 600", NULL});
    wait_for_text(&world->peer, &stream, "\n");
    assert_int_equal(shutdown(world->peer.fd, SHUT_RDWR), 0);
    assert_ends(&stream);
    peer_stream_done(&stream);
}

static void a_broken_frame_ends_what_was_until_the_next_hello(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    static const char *const faults[] = {"never opened", "not new", "only the guest", "credit"};
    peer_greet(peer);
    for (unsigned i = 0; i < 4; i++) {
        struct peer_stream stream = {.keeps_input = true};
        peer_exec(peer, &stream, (const char *const[]){"sh", "-c", "echo $$; exec cat", NULL});
        wait_for_text(peer, &stream, "\n");
        if (i == 0) {
            wire_put_end(&peer->out, stream.id + 1, WIRE_IN);
        } else if (i == 1) {
            wire_put_frame(&peer->out, WIRE_OPEN, WIRE_KIND_STATS, stream.id, NULL, 0);
        } else if (i == 2) {
            wire_put_frame(&peer->out, WIRE_STARTED, 0, stream.id, NULL, 0);
        } else {
            wire_put_credit(&peer->out, stream.id, WIRE_OUT, WIRE_WINDOW);
        }
        peer_greet(peer);
        assert_ends(&stream);
        assert_console_says(world, faults[i]);
        peer_assert_runs(peer, (const char *const[]){"echo", "on", NULL}, 0, "on\n");
        peer_stream_done(&stream);
    }
}

static void simple_requests_are_answered(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    struct wire_writer writer;
    static const struct {
        int kind;
        uint64_t number;
        enum wire_outcome outcome;
    } rows[] = {
        {WIRE_KIND_TIME_SET, 42000000000, WIRE_OUTCOME_OK},
        {WIRE_KIND_TIME_SET, 43000000000, WIRE_OUTCOME_FAILED},
        {WIRE_KIND_TIME_SET, UINT64_MAX, WIRE_OUTCOME_FAILED},
        {WIRE_KIND_STATS, 0, WIRE_OUTCOME_OK},
        {WIRE_KIND_REBOOT, 0, WIRE_OUTCOME_OK},
        {WIRE_KIND_POWEROFF, 0, WIRE_OUTCOME_OK},
        {WIRE_KIND_TCP, 0, WIRE_OUTCOME_FAILED},
        {WIRE_KIND_COPY, 0, WIRE_OUTCOME_FAILED},
        {255, 0, WIRE_OUTCOME_UNSUPPORTED},
    };
    peer_greet(peer);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer_stream stream = {0};
        peer_open(peer, &stream, (enum wire_kind)rows[i].kind, &writer);
        wire_add_number(&writer, WIRE_TAG_NUMBER, rows[i].number);
        peer_open_finish(peer, &writer);
        peer_finish(peer, &stream);
        assert_int_equal(stream.outcome, rows[i].outcome);
        if (rows[i].kind == WIRE_KIND_STATS) {
            assert_true(strtoull(peer_fact(&stream.facts, "mem_total"), NULL, 10) > 1 << 20);
            assert_true(strtoull(peer_fact(&stream.facts, "mem_available"), NULL, 10) > 1 << 20);
            assert_non_null(peer_fact(&stream.facts, "load1"));
        }
        peer_stream_done(&stream);
    }
    peer_assert_runs(peer, (const char *const[]){"true", NULL}, 0, "");
    assert_console_says(world, "/x/init restarts");
    assert_console_says(world, "/x/init powers off");
}

static void events_of_pid_1_are_passed_on_and_kept(void **state)
{
    struct world *world = *state;
    peer_greet(&world->peer);
    static const char lines[] = "entrypoint=running\nentrypoint=exited:3\n";
    assert_int_equal(write(world->events, lines, sizeof lines - 1), sizeof lines - 1);
    while (world->peer.events.count < 2) {
        peer_step(&world->peer);
    }
    assert_string_equal(world->peer.events.items[1], "entrypoint=exited:3");
    peer_greet(&world->peer);
    assert_string_equal(peer_fact(&world->peer.facts, "entrypoint"), "exited:3");
}

static void too_many_streams_are_refused(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    struct wire_writer writer;
    peer_greet(peer);
    /* Opened behind the peer's back: it need not remember them. */
    for (unsigned i = 0; i < AGENT_STREAMS_MAX; i++) {
        wire_begin(&writer, &peer->out, WIRE_OPEN, WIRE_KIND_EXEC, ++peer->last_id);
        wire_add_text(&writer, WIRE_TAG_ARG, "sleep");
        wire_add_text(&writer, WIRE_TAG_ARG, "600");
        assert_true(wire_finish(&writer));
    }
    struct peer_stream stream = {0};
    peer_exec(peer, &stream, (const char *const[]){"true", NULL});
    peer_finish(peer, &stream);
    assert_int_equal(stream.outcome, WIRE_OUTCOME_FAILED);
    assert_int_equal(stream.number, EAGAIN);
    peer_stream_done(&stream);
    peer_greet(peer);
    peer_assert_runs(peer, (const char *const[]){"echo", "room", NULL}, 0, "room\n");
}

/* ---- connections ------------------------------------------------------------------------------ */

#define OWN_ADDRESS "10.9.8.7"

/* In a network of its own that holds nothing but the loopback, which has one more address: as a
 * guest's network card would have. For the last tests, since there is no way back. */
static int start_apart(void **state)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        *state = NULL;
        return 0;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    request = (struct ifreq){.ifr_name = "lo:1"};
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&request.ifr_addr;
    address->sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, OWN_ADDRESS, &address->sin_addr), 1);
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
    close(fd);
    return start(state);
}

static int stop_apart(void **state)
{
    return *state != NULL ? stop(state) : 0;
}

static void open_connection(struct peer *peer, struct peer_stream *stream, uint16_t port)
{
    struct wire_writer writer;
    peer_open(peer, stream, WIRE_KIND_TCP, &writer);
    stream->keeps_input = false;
    wire_add_number(&writer, WIRE_TAG_NUMBER, port);
    peer_open_finish(peer, &writer);
}

static uint16_t listen_at(const char *text, int *fd)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET};
    socklen_t len = sizeof address;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        len = sizeof *v4;
    } else {
        address.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    }
    *fd = socket(address.sin6_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || bind(*fd, (struct sockaddr *)&address, len) != 0) {
        return 0; /* a host without IPv6 */
    }
    assert_int_equal(listen(*fd, 8), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(v4->sin_port);
}

/* A service is reached whichever of the machine's addresses it listens on. */
static void a_service_is_reached_where_it_listens(void **state)
{
    static const char *const places[] = {"127.0.0.1", "::1", OWN_ADDRESS, "0.0.0.0", "::"};
    struct world *world = *state;
    if (world == NULL) {
        skip(); /* no network of one's own here */
    }
    peer_greet(&world->peer);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct peer_stream stream = {.input = "question", .input_len = 8};
        int listener = -1;
        char asked[16] = "";
        uint16_t port = listen_at(places[i], &listener);
        if (port != 0) {
            open_connection(&world->peer, &stream, port);
            while (!stream.is_started && !stream.is_done) {
                peer_step(&world->peer);
            }
            if (stream.is_done) {
                fail_msg("nobody was reached at %s: %s", places[i], text_cstr(&stream.text));
            }
            int served = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            assert_true(served >= 0);
            assert_int_equal(recv(served, asked, 8, MSG_WAITALL), 8);
            assert_string_equal(asked, "question");
            assert_int_equal(write(served, "answer", 6), 6);
            close(served);
            peer_finish(&world->peer, &stream);
            assert_string_equal(text_cstr(&stream.got[0]), "answer");
            peer_stream_done(&stream);
        }
        close(listener);
    }
    /* Where nobody listens that is said, and as a refusal. */
    struct peer_stream stream = {0};
    open_connection(&world->peer, &stream, 1);
    peer_finish(&world->peer, &stream);
    assert_int_equal(stream.outcome, WIRE_OUTCOME_FAILED);
    assert_int_equal(stream.number, ECONNREFUSED);
    peer_stream_done(&stream);
}

/* ---- a host that lies ------------------------------------------------------------------------ */

struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *dice, uint64_t below)
{
    dice->state ^= dice->state << 13;
    dice->state ^= dice->state >> 7;
    dice->state ^= dice->state << 17;
    return (dice->state >> 11) % below;
}

/* Opens what harms nobody on the host that plays the guest, with fields that make little sense. */
static void lie_open(struct dice *dice, struct wire_buffer *out, uint32_t id)
{
    static const char *const programs[] = {"true", "cat", "/no/where", "", "."};
    static const int kinds[] = {WIRE_KIND_EXEC, WIRE_KIND_EXEC, WIRE_KIND_STATS, WIRE_KIND_PORTS,
        WIRE_KIND_TIME_SET, WIRE_KIND_TCP, WIRE_KIND_COPY, 77};
    static const enum wire_tag texts[] = {
        WIRE_TAG_ARG, WIRE_TAG_ENV, WIRE_TAG_USER, WIRE_TAG_TEXT, WIRE_TAG_NAME, WIRE_TAG_FACT};
    struct wire_writer writer;
    int kind = kinds[roll(dice, sizeof kinds / sizeof *kinds)];
    uint8_t noise[64];
    wire_begin(&writer, out, WIRE_OPEN, (unsigned)kind, id);
    if (kind == WIRE_KIND_EXEC) {
        wire_add_text(&writer, WIRE_TAG_ARG, programs[roll(dice, 5)]);
    } else if (kind == WIRE_KIND_COPY) {
        wire_add_text(&writer, WIRE_TAG_PATH, "/nowhere/at/all");
        wire_add_number(&writer, WIRE_TAG_DIRECTION, roll(dice, 4));
        wire_add_number(&writer, WIRE_TAG_FORMAT, roll(dice, 3));
    } else if (kind == WIRE_KIND_TCP) {
        wire_add_number(&writer, WIRE_TAG_NUMBER, roll(dice, 2) == 0 ? 1 : UINT64_MAX);
    }
    for (uint64_t more = roll(dice, 4); more > 0; more--) {
        size_t len = roll(dice, sizeof noise);
        for (size_t i = 0; i < len; i++) {
            noise[i] = (uint8_t)roll(dice, 256);
        }
        wire_add(&writer, texts[roll(dice, sizeof texts / sizeof *texts)], noise, len);
    }
    if (roll(dice, 4) == 0) {
        wire_add_size(&writer, WIRE_TAG_TTY, (uint16_t)roll(dice, 65536), 0);
    }
    wire_finish(&writer);
}

static void lie(struct dice *dice, struct peer *peer)
{
    uint8_t noise[WIRE_DATA_MAX];
    size_t len = roll(dice, roll(dice, 8) == 0 ? sizeof noise : 40);
    uint32_t id = (uint32_t)(roll(dice, 4) == 0 ? roll(dice, UINT32_MAX) : peer->last_id);
    for (size_t i = 0; i < len; i++) {
        noise[i] = (uint8_t)roll(dice, 256);
    }
    switch (roll(dice, 8)) {
    case 0:
        wire_buffer_append(&peer->out, noise, len % 200);
        break;
    case 1:
        wire_buffer_append(&peer->out, wire_marker, roll(dice, WIRE_MARKER_LEN + 1));
        break;
    case 2:
        wire_put_hello(&peer->out, noise);
        peer->last_id = 0;
        break;
    case 3:
        wire_put_data(&peer->out, id, WIRE_IN, noise, len);
        break;
    case 4: {
        /* Never an OPEN: what it would be of is not left to chance. */
        static const int types[] = {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
        wire_put_frame(&peer->out, (enum wire_type)types[roll(dice, 11)], (unsigned)roll(dice, 70),
            id, noise, len % 100);
        break;
    }
    default:
        lie_open(dice, &peer->out, ++peer->last_id);
        break;
    }
}

/* Whatever a host says, the next one that greets is served, and the agent has stayed small. */
static void a_host_that_lies_harms_nobody(void **state)
{
    struct world *world = *state;
    struct peer *peer = &world->peer;
    const char *given = getenv("BANGER_LIAR_SEED");
    struct dice dice = {.state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL)};
    char path[64], text[4096] = "";
    print_message("BANGER_LIAR_SEED=%llu\n", (unsigned long long)dice.state);
    dice.state = dice.state * 2 + 1;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 50; i++) {
            lie(&dice, peer);
        }
        peer_greet(peer);
        peer_assert_runs(peer, (const char *const[]){"echo", "still", NULL}, 0, "still\n");
    }
    snprintf(path, sizeof path, "/proc/%d/statm", (int)world->agent);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    unsigned long pages = strtoul(strchr(text, ' '), NULL, 10);
    assert_true(pages * 4096 < (256UL << 20));
}

/* Last: see start_apart. */
#define agent_test_apart(name) cmocka_unit_test_setup_teardown(name, start_apart, stop_apart)
#define agent_test(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        agent_test(hello_brings_the_facts),
        agent_test(exit_status_and_output_come_back),
        agent_test(a_signal_is_reported_as_one),
        agent_test(what_cannot_run_is_told_apart),
        agent_test(requests_that_make_no_sense_are_refused),
        agent_test(environment_is_the_image_s_and_the_caller_s),
        agent_test(long_lists_of_arguments_arrive),
        agent_test(no_byte_is_lost_on_many_streams),
        agent_test(a_stream_nobody_reads_stops_no_other),
        agent_test(a_command_that_does_not_read_refuses_its_input),
        agent_test(what_children_leave_behind_holds_up_nothing),
        agent_test(a_signal_is_passed_on),
        agent_test(a_terminal_has_size_job_control_and_end_of_file),
        agent_test(a_terminal_gives_its_last_words),
        agent_test(a_closed_stream_hangs_up_and_says_nothing_more),
        agent_test(a_new_hello_ends_what_was),
        agent_test(a_lost_host_ends_what_was),
        agent_test(a_broken_frame_ends_what_was_until_the_next_hello),
        agent_test(simple_requests_are_answered),
        agent_test(events_of_pid_1_are_passed_on_and_kept),
        agent_test(too_many_streams_are_refused),
        agent_test(a_host_that_lies_harms_nobody),
        agent_test_apart(a_service_is_reached_where_it_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
