/* SPDX-License-Identifier: MIT */
/* A stand-in for qemu-system-x86_64 as our monitor starts it: the same descriptors, a QMP peer on
 * two sockets, a serial port that talks, an agent behind its port. What it does is said by words on
 * the kernel's command line (-append):
 *     fake.die=N       complains on stderr and exits with N before it answers
 *     fake.mute        never answers QMP
 *     fake.noagent     no agent
 *     fake.flood=N     N bytes of numbered lines on the serial port
 *     fake.panic       a kernel panic, then a reset
 *     fake.stubborn    ignores ctrl-alt-del, the agent's power-off and TERM
 *     fake.systemd     systemctl says that the system comes up
 *     fake.liar        the agent sends more than it has credit for
 *     fake.realagent   the guest's own agent behind the port, in this host's world (real_agent.c)
 * On the serial port: "off" powers off, "reboot" resets, "crash" exits with 3, anything else is
 * echoed as "got …". The agent's exec knows: cat, exit N, kill N, spew N, env, missing, denied. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum line { SERIAL, EVENTS, AGENT, CONTROL, LINES };
#define STREAMS 64

struct fake_stream {
    uint32_t id; /* 0: free */
    bool is_cat;
    bool has_eof;               /* of stdin */
    uint64_t spew_left;         /* bytes of output to come */
    struct wire_buffer waiting; /* output without credit */
    struct wire_credit out;
    struct wire_credit in;
};

struct fake {
    int listeners[LINES];
    int fds[LINES];
    struct text input[LINES];
    const char *append;
    bool is_running;
    bool has_talked;
    unsigned asked; /* how far its systemd is */
    struct wire_decoder decoder;
    struct wire_buffer agent_out;
    struct wire_buffer serial_out;
    struct fake_stream streams[STREAMS];
};

static bool has_word(const struct fake *fake, const char *word)
{
    return strstr(fake->append, word) != NULL;
}

static unsigned long number_of(const struct fake *fake, const char *word)
{
    const char *at = strstr(fake->append, word);
    return at == NULL ? 0 : strtoul(at + strlen(word), NULL, 10);
}

static void say_json(int fd, const char *line)
{
    if (fd >= 0) {
        (void)!send(fd, line, strlen(line), MSG_NOSIGNAL);
    }
}

static void event(struct fake *fake, const char *line)
{
    say_json(fake->fds[EVENTS], line);
    say_json(fake->fds[CONTROL], line);
}

static _Noreturn void end(struct fake *fake, const char *reason)
{
    auto_free char *line = memory_printf("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                                         "\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, "
                                         "\"reason\": \"%s\"}}\r\n",
        reason);
    event(fake, line);
    exit(0);
}

static void flush_out(int fd, struct wire_buffer *buffer)
{
    while (fd >= 0 && buffer->len > 0) {
        ssize_t put = send(fd, wire_buffer_bytes(buffer), buffer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put <= 0) {
            return;
        }
        wire_buffer_consume(buffer, (size_t)put);
    }
}

static void print(struct fake *fake, const char *words)
{
    wire_buffer_append(&fake->serial_out, words, strlen(words));
}

static void drain_serial(struct fake *fake)
{
    while (fake->serial_out.len > 0) {
        struct pollfd room = {.fd = fake->fds[SERIAL], .events = POLLOUT};
        if (poll(&room, 1, 5000) <= 0 || (room.revents & POLLHUP) != 0) {
            return;
        }
        flush_out(fake->fds[SERIAL], &fake->serial_out);
    }
}

static void talk(struct fake *fake)
{
    fake->has_talked = true;
    print(fake, "[    0.000000] Linux version 6.1.0-fake\r\n");
    print(fake, "[    0.100000] banger-guest: init\r\n");
    for (unsigned long i = 0, n = number_of(fake, "fake.flood="); i * 16 < n; i++) {
        auto_free char *line = memory_printf("line %08lu\r\n", i);
        print(fake, line);
    }
    if (has_word(fake, "fake.panic")) {
        print(fake, "[    0.200000] Kernel panic - not syncing: VFS: no root\r\n");
        drain_serial(fake);
        end(fake, "guest-reset");
    }
}

/* ---- QMP ------------------------------------------------------------------------------------ */

static void obey(struct fake *fake, enum line line, const char *text, size_t len)
{
    struct error err = {0};
    auto_json struct json *message = json_parse(text, len, 1 << 20, 32, "QMP", &err);
    const char *command = json_string(message, "execute", "");
    auto_free char *done = memory_printf(
        "{\"return\": {}, \"id\": %lld}\r\n", (long long)json_integer(message, "id", 0));
    if (strcmp(command, "cont") == 0) {
        event(fake, "{\"timestamp\": {\"seconds\": 1}, \"event\": \"RESUME\"}\r\n");
        fake->is_running = true;
    } else if (strcmp(command, "stop") == 0) {
        event(fake, "{\"timestamp\": {\"seconds\": 1}, \"event\": \"STOP\"}\r\n");
    } else if (strcmp(command, "send-key") == 0) {
        say_json(fake->fds[line], done);
        if (!has_word(fake, "fake.stubborn")) {
            end(fake, "guest-reset");
        }
        return;
    } else if (strcmp(command, "qmp_capabilities") != 0) {
        auto_free char *refusal =
            memory_printf("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command %s "
                          "has not been found\"}, \"id\": %lld}\r\n",
                command, (long long)json_integer(message, "id", 0));
        say_json(fake->fds[line], refusal);
        return;
    }
    say_json(fake->fds[line], done);
}

static bool take_serial(struct fake *fake, const char *text, size_t len)
{
    auto_free char *line = memory_strndup(text, len);
    if (strcmp(line, "off") == 0) {
        end(fake, "guest-shutdown");
    } else if (strcmp(line, "reboot") == 0) {
        end(fake, "guest-reset");
    } else if (strcmp(line, "crash") == 0) {
        (void)!write(2, "fake-qemu: crashed\n", 19);
        exit(3);
    }
    auto_free char *echo = memory_printf("got %s\r\n", line);
    print(fake, echo);
    return true;
}

static void read_lines(struct fake *fake, enum line line)
{
    char chunk[4096];
    ssize_t got = recv(fake->fds[line], chunk, sizeof chunk, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            close(fake->fds[line]);
            fake->fds[line] = -1;
            text_done(&fake->input[line]);
        }
        return;
    }
    struct text *input = &fake->input[line];
    text_append_bytes(input, chunk, (size_t)got);
    char *feed;
    while (input->len > 0 && (feed = memchr(input->data, '\n', input->len)) != NULL) {
        size_t len = (size_t)(feed - input->data);
        if (line == SERIAL) {
            take_serial(fake, input->data, len);
        } else {
            obey(fake, line, input->data, len);
        }
        memmove(input->data, feed + 1, input->len - len - 1);
        input->len -= len + 1;
    }
}

/* ---- agent ---------------------------------------------------------------------------------- */

static void result(struct fake *fake, uint32_t id, enum wire_outcome outcome, uint64_t number)
{
    struct wire_writer writer;
    wire_begin(&writer, &fake->agent_out, WIRE_RESULT, outcome, id);
    wire_add_number(&writer, WIRE_TAG_NUMBER, number);
    wire_add_text(&writer, WIRE_TAG_TEXT, "the fake agent says so");
    wire_finish(&writer);
}

static struct fake_stream *find_stream(struct fake *fake, uint32_t id)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (fake->streams[i].id == id) {
            return &fake->streams[i];
        }
    }
    return NULL;
}

static void free_stream(struct fake_stream *stream)
{
    wire_buffer_done(&stream->waiting);
    *stream = (struct fake_stream){0};
}

/* Sends what credit allows; a stream that has sent everything ends. */
static void push_stream(struct fake *fake, struct fake_stream *stream)
{
    static const char page[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
    while (stream->spew_left > 0 && stream->waiting.len < WIRE_WINDOW) {
        size_t part = stream->spew_left < 64 ? (size_t)stream->spew_left : 64;
        wire_buffer_append(&stream->waiting, page, part);
        stream->spew_left -= part;
    }
    uint32_t room = has_word(fake, "fake.liar") ? UINT32_MAX : stream->out.left;
    size_t part = stream->waiting.len < room ? stream->waiting.len : room;
    if (part > 0) {
        wire_put_data(
            &fake->agent_out, stream->id, WIRE_OUT, wire_buffer_bytes(&stream->waiting), part);
        wire_credit_spend(&stream->out, part);
        wire_buffer_consume(&stream->waiting, part);
        if (stream->is_cat) {
            uint32_t back = wire_credit_return(&stream->in, part);
            if (back > 0) {
                wire_put_credit(&fake->agent_out, stream->id, WIRE_IN, back);
            }
        }
    }
    bool has_more = stream->spew_left > 0 || stream->waiting.len > 0;
    if (!has_more && (!stream->is_cat || stream->has_eof)) {
        result(fake, stream->id, WIRE_OUTCOME_EXITED, 0);
        free_stream(stream);
    } else if (has_more && stream->spew_left > 0 && stream->out.left > 0) {
        push_stream(fake, stream);
    }
}

static void open_exec(struct fake *fake, const struct wire_frame *frame)
{
    struct wire_reader reader;
    struct wire_field field;
    auto_done(strings) struct strings words = {0};
    auto_done(text) struct text env = {0};
    wire_read(&reader, frame);
    while (wire_next(&reader, &field)) {
        auto_free char *text = wire_field_text(&field);
        if (field.tag == WIRE_TAG_ARG) {
            strings_add(&words, text);
        } else if (field.tag == WIRE_TAG_ENV) {
            text_printf(&env, "%s\n", text);
        }
    }
    const char *command = words.count > 0 ? words.items[0] : "";
    uint64_t number = words.count > 1 ? strtoull(words.items[1], NULL, 10) : 0;
    struct fake_stream *stream = find_stream(fake, 0);
    if (strcmp(command, "exit") == 0) {
        result(fake, frame->stream, WIRE_OUTCOME_EXITED, number);
        return;
    } else if (strcmp(command, "kill") == 0) {
        result(fake, frame->stream, WIRE_OUTCOME_SIGNALED, number);
        return;
    } else if (strcmp(command, "denied") == 0) {
        result(fake, frame->stream, WIRE_OUTCOME_NOT_EXECUTABLE, 0);
        return;
    } else if (strcmp(command, "cat") != 0 && strcmp(command, "spew") != 0 &&
               strcmp(command, "env") != 0 &&
               !(strcmp(command, "systemctl") == 0 && has_word(fake, "fake.systemd"))) {
        result(fake, frame->stream, WIRE_OUTCOME_NOT_FOUND, 0);
        return;
    }
    *stream = (struct fake_stream){.id = frame->stream, .is_cat = strcmp(command, "cat") == 0};
    wire_credit_init(&stream->out);
    wire_credit_init(&stream->in);
    stream->spew_left = strcmp(command, "spew") == 0 ? number : 0;
    if (strcmp(command, "env") == 0) {
        wire_buffer_append(&stream->waiting, text_cstr(&env), env.len);
    }
    if (strcmp(command, "systemctl") == 0) {
        /* As early in a boot, then in the middle, then up. */
        static const char *const answers[] = {"offline\n", "starting\n", "degraded\n"};
        const char *word = answers[fake->asked < 2 ? fake->asked : 2];
        fake->asked++;
        wire_buffer_append(&stream->waiting, word, strlen(word));
    }
    wire_put_frame(&fake->agent_out, WIRE_STARTED, 0, stream->id, NULL, 0);
    if (!stream->is_cat) {
        push_stream(fake, stream);
    }
}

static void greet(struct fake *fake, const struct wire_frame *frame)
{
    struct wire_field nonce;
    struct wire_writer writer;
    if (!wire_find(frame, WIRE_TAG_NONCE, &nonce)) {
        return;
    }
    for (size_t i = 0; i < STREAMS; i++) {
        free_stream(&fake->streams[i]);
    }
    wire_begin(&writer, &fake->agent_out, WIRE_HELLO, 0, 0);
    wire_add_number(&writer, WIRE_TAG_VERSION, WIRE_VERSION);
    wire_add(&writer, WIRE_TAG_NONCE, nonce.bytes, nonce.len);
    wire_add_text(&writer, WIRE_TAG_FACT, "kernel=6.1.0-fake");
    wire_add_text(&writer, WIRE_TAG_FACT, "stage_init_ms=100000");
    wire_add_text(&writer, WIRE_TAG_FACT, "stage_root_ms=100200");
    wire_add_text(&writer, WIRE_TAG_FACT, "stage_agent_ms=100200");
    wire_finish(&writer);
}

static void open_stream(struct fake *fake, const struct wire_frame *frame)
{
    switch (frame->code) {
    case WIRE_KIND_EXEC:
        open_exec(fake, frame);
        return;
    case WIRE_KIND_SYNC:
        result(fake, frame->stream, WIRE_OUTCOME_OK, 0);
        return;
    case WIRE_KIND_POWEROFF:
        result(fake, frame->stream, WIRE_OUTCOME_OK, 0);
        flush_out(fake->fds[AGENT], &fake->agent_out);
        if (!has_word(fake, "fake.stubborn")) {
            end(fake, "guest-shutdown");
        }
        return;
    }
    result(fake, frame->stream, WIRE_OUTCOME_UNSUPPORTED, 0);
}

static void take_frame(struct fake *fake, const struct wire_frame *frame)
{
    struct fake_stream *stream = frame->stream != 0 ? find_stream(fake, frame->stream) : NULL;
    if (frame->type == WIRE_HELLO) {
        greet(fake, frame);
    } else if (frame->type == WIRE_OPEN) {
        open_stream(fake, frame);
    } else if (stream == NULL) {
        return;
    } else if (frame->type == WIRE_DATA && stream->is_cat) {
        wire_buffer_append(&stream->waiting, frame->payload, frame->len);
        push_stream(fake, stream);
    } else if (frame->type == WIRE_END && frame->code == WIRE_IN) {
        stream->has_eof = true;
        push_stream(fake, stream);
    } else if (frame->type == WIRE_CREDIT) {
        wire_credit_refill(&stream->out, wire_frame_credit(frame));
        push_stream(fake, stream);
    } else if (frame->type == WIRE_END && frame->code == WIRE_OUT) {
        result(fake, stream->id, WIRE_OUTCOME_SIGNALED, SIGPIPE);
        free_stream(stream);
    } else if (frame->type == WIRE_CLOSE) {
        free_stream(stream);
        print(fake, "closed a stream\r\n");
    }
}

static void read_agent(struct fake *fake)
{
    uint8_t chunk[65536];
    ssize_t got = recv(fake->fds[AGENT], chunk, sizeof chunk, MSG_DONTWAIT);
    if (got == 0) { /* the host is gone: another one may come */
        close(fake->fds[AGENT]);
        fake->fds[AGENT] = -1;
        wire_buffer_consume(&fake->agent_out, fake->agent_out.len);
        return;
    }
    if (got < 0) {
        return;
    }
    size_t at = 0;
    for (;;) {
        size_t step = 0;
        struct wire_frame frame;
        enum wire_status status =
            wire_decode(&fake->decoder, chunk + at, (size_t)got - at, &step, &frame);
        at += step;
        if (status == WIRE_MORE) {
            return;
        }
        if (status == WIRE_FRAME) {
            take_frame(fake, &frame);
        }
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static void accept_lines(struct fake *fake)
{
    for (int i = 0; i < LINES; i++) {
        if (fake->fds[i] >= 0 || fake->listeners[i] < 0) {
            continue;
        }
        struct pollfd ready = {.fd = fake->listeners[i], .events = POLLIN};
        if (poll(&ready, 1, 0) <= 0) {
            continue;
        }
        fake->fds[i] = accept4(fake->listeners[i], NULL, NULL, SOCK_CLOEXEC);
        if ((i == EVENTS || i == CONTROL) && !has_word(fake, "fake.mute")) {
            say_json(fake->fds[i],
                "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}}, "
                "\"capabilities\": [\"oob\"]}}\r\n");
        }
    }
}

static volatile sig_atomic_t is_power_off_asked;

static void note_power_off(int number)
{
    (void)number;
    is_power_off_asked = 1;
}

/* The port and everything said on it are the real agent's from now on. */
static void start_real_agent(struct fake *fake)
{
    char here[4096] = "";
    ssize_t len = readlink("/proc/self/exe", here, sizeof here - 1);
    char *slash = len > 0 ? strrchr(here, '/') : NULL;
    if (slash == NULL) {
        exit(70);
    }
    *slash = '\0';
    auto_free char *program = memory_printf("%s/real_agent", here);
    if (fork() == 0) {
        auto_free char *number = memory_printf("%d", dup(fake->fds[AGENT]));
        execl(program, "@banger-guest", number, (char *)NULL);
        _exit(127);
    }
    close(fake->fds[AGENT]);
    fake->fds[AGENT] = -1; /* who comes next gets an agent that begins anew */
}

static void run(struct fake *fake)
{
    for (;;) {
        if (is_power_off_asked) {
            end(fake, "guest-shutdown");
        }
        if (fake->is_running && fake->fds[AGENT] >= 0 && has_word(fake, "fake.realagent")) {
            start_real_agent(fake);
        }
        struct pollfd fds[LINES * 2];
        for (int i = 0; i < LINES; i++) {
            short wants = POLLIN;
            wants |= i == SERIAL && fake->serial_out.len > 0 ? POLLOUT : 0;
            wants |= i == AGENT && fake->agent_out.len > 0 ? POLLOUT : 0;
            bool is_silent = i == AGENT && (!fake->is_running || has_word(fake, "fake.noagent"));
            fds[i] = (struct pollfd){is_silent ? -1 : fake->fds[i], wants, 0};
            fds[LINES + i] =
                (struct pollfd){fake->fds[i] >= 0 ? -1 : fake->listeners[i], POLLIN, 0};
        }
        if (poll(fds, LINES * 2, -1) < 0) {
            continue;
        }
        accept_lines(fake);
        for (int i = 0; i < LINES; i++) {
            if (fds[i].revents == 0 || fake->fds[i] < 0) {
                continue;
            }
            if (i == AGENT) {
                read_agent(fake);
            } else {
                read_lines(fake, (enum line)i);
            }
        }
        if (fake->is_running && !fake->has_talked) {
            talk(fake);
        }
        flush_out(fake->fds[SERIAL], &fake->serial_out);
        flush_out(fake->fds[AGENT], &fake->agent_out);
    }
}

static void take_option(struct fake *fake, const char *option, const char *value)
{
    static const char *const names[] = {"id=serial", "id=events", "id=agent", "id=control"};
    if (strcmp(option, "-append") == 0) {
        fake->append = value;
    }
    if (strcmp(option, "-chardev") != 0) {
        return;
    }
    for (int i = 0; i < LINES; i++) {
        const char *fd = strstr(value, "fd=");
        if (strstr(value, names[i]) != NULL && fd != NULL) {
            fake->listeners[i] = (int)strtol(fd + 3, NULL, 10);
        }
    }
}

int main(int argc, char **argv)
{
    static struct fake fake;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("QEMU emulator version 7.2.99 (fake)");
        return 0;
    }
    fake.append = "";
    for (int i = 0; i < LINES; i++) {
        fake.listeners[i] = -1;
        fake.fds[i] = -1;
    }
    wire_decoder_init(&fake.decoder, true);
    for (int i = 1; i + 1 < argc; i++) {
        take_option(&fake, argv[i], argv[i + 1]);
    }
    if (has_word(&fake, "fake.die=")) {
        fprintf(stderr, "fake-qemu: a warning\nfake-qemu: Could not set up host forwarding rule\n");
        return (int)number_of(&fake, "fake.die=");
    }
    if (has_word(&fake, "fake.stubborn")) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGTERM, &ignore, NULL);
    }
    signal(SIGUSR1, note_power_off);
    signal(SIGCHLD, SIG_IGN);
    run(&fake);
    return 0;
}
