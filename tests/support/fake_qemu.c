/* SPDX-License-Identifier: MIT */
/* A stand-in for qemu-system-x86_64 as our monitor starts it: the same descriptors, a QMP peer on
 * two sockets, a serial port that talks, an agent behind its port. What it does is said by words on
 * the kernel's command line (-append):
 *     fake.die=N       complains on stderr and exits with N before it answers
 *     fake.mute        never answers QMP
 *     fake.noagent     no agent
 *     fake.late        no agent before USR2
 *     fake.flood=N     N bytes of numbered lines on the serial port
 *     fake.panic       a kernel panic, then a reset
 *     fake.stubborn    ignores ctrl-alt-del, the agent's power-off and TERM
 *     fake.realagent   the guest's own agent behind the port, in this host's world (real_agent.c)
 *     fake.nosave      what it holds in memory cannot be written
 * Memory is what it said when it booted, behind a mark: it is written to a descriptor while it is
 * stopped, and taken from one after -incoming defer, before it runs; then it says "goes on".
 * On the serial port: "off" powers off, "reboot" resets, "crash" exits with 3, anything else is
 * echoed as "got …". The agent is fake_agent.h's, whose words count too. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/wire.h"
#include "support/fake_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum line { SERIAL, EVENTS, AGENT, CONTROL, LINES };

struct fake {
    int listeners[LINES];
    int fds[LINES];
    struct text input[LINES];
    const char *append;
    bool is_running;
    bool has_talked;
    bool is_stopped;
    bool is_incoming; /* waits for its memory */
    int passed_fd;
    struct wire_buffer serial_out;
    struct fake_agent agent; /* its descriptor is fds[AGENT] */
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
        fake_agent_flush(fake->fds[SERIAL], &fake->serial_out);
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

/* ---- memory --------------------------------------------------------------------------------- */

#define MEMORY_MARK "fake memory\n"

static const char *put_memory(struct fake *fake, const char *uri)
{
    if (strcmp(uri, "fd:memory") != 0 || fake->passed_fd < 0 || !fake->is_stopped) {
        return "it runs, or there is no such descriptor";
    }
    (void)!write(fake->passed_fd, MEMORY_MARK, strlen(MEMORY_MARK));
    (void)!write(fake->passed_fd, fake->append, strlen(fake->append));
    close(fake->passed_fd);
    fake->passed_fd = -1;
    return NULL;
}

/* The real one ends when the stream is none. */
static const char *take_memory(struct fake *fake, const char *uri)
{
    char bytes[4096] = "";
    if (strcmp(uri, "fd:memory") != 0 || fake->passed_fd < 0 || !fake->is_incoming) {
        return "nothing is expected, or there is no such descriptor";
    }
    ssize_t got = read(fake->passed_fd, bytes, sizeof bytes - 1);
    if (got <= 0 || strncmp(bytes, MEMORY_MARK, strlen(MEMORY_MARK)) != 0) {
        (void)!write(2, "fake-qemu: load of migration failed: Invalid argument\n", 54);
        exit(1);
    }
    close(fake->passed_fd);
    fake->passed_fd = -1;
    fake->is_incoming = false;
    fake->has_talked = true;
    print(fake, "[   99.000000] goes on\r\n");
    return NULL;
}

/* ---- QMP ------------------------------------------------------------------------------------ */

static void say_return(struct fake *fake, enum line line, const char *value, int64_t id)
{
    auto_free char *said =
        memory_printf("{\"return\": %s, \"id\": %lld}\r\n", value, (long long)id);
    say_json(fake->fds[line], said);
}

static void say_fault(struct fake *fake, enum line line, const char *why, int64_t id)
{
    auto_free char *said =
        memory_printf("{\"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}, \"id\": "
                      "%lld}\r\n",
            why, (long long)id);
    say_json(fake->fds[line], said);
}

/* True when it was one of these. */
static bool obey_memory(
    struct fake *fake, enum line line, const char *command, const struct json *message)
{
    int64_t id = json_integer(message, "id", 0);
    const struct json *arguments = json_get(message, "arguments");
    const char *uri = json_string(arguments, "uri", "");
    const char *fault = NULL;
    if (strcmp(command, "query-version") == 0) {
        say_return(fake, line,
            "{\"qemu\": {\"micro\": 99, \"minor\": 2, \"major\": 7}, \"package\": \"fake\"}", id);
        return true;
    }
    if (strcmp(command, "query-migrate") == 0) {
        say_return(fake, line,
            has_word(fake, "fake.nosave")
                ? "{\"status\": \"failed\", \"error-desc\": \"No space left on device\"}"
                : "{\"status\": \"completed\"}",
            id);
        return true;
    }
    if (strcmp(command, "migrate") == 0) {
        fault = put_memory(fake, uri);
    } else if (strcmp(command, "migrate-incoming") == 0) {
        fault = take_memory(fake, uri);
    } else if (strcmp(command, "getfd") == 0) {
        fault = fake->passed_fd < 0 ? "no descriptor came with it" : NULL;
    } else if (strcmp(command, "migrate-set-parameters") != 0 &&
               strcmp(command, "migrate_cancel") != 0) {
        return false;
    }
    if (fault != NULL) {
        say_fault(fake, line, fault, id);
    } else {
        say_return(fake, line, "{}", id);
    }
    return true;
}

static void obey(struct fake *fake, enum line line, const char *text, size_t len)
{
    struct error err = {0};
    auto_json struct json *message = json_parse(text, len, 1 << 20, 32, "QMP", &err);
    const char *command = json_string(message, "execute", "");
    auto_free char *done = memory_printf(
        "{\"return\": {}, \"id\": %lld}\r\n", (long long)json_integer(message, "id", 0));
    if (obey_memory(fake, line, command, message)) {
        return;
    }
    if (strcmp(command, "cont") == 0) {
        if (fake->is_incoming) {
            say_fault(fake, line, "it waits for its memory", json_integer(message, "id", 0));
            return;
        }
        fake->is_stopped = false;
        event(fake, "{\"timestamp\": {\"seconds\": 1}, \"event\": \"RESUME\"}\r\n");
        fake->is_running = true;
    } else if (strcmp(command, "stop") == 0) {
        fake->is_stopped = true;
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
    if (strcmp(line, "full") == 0) {
        fake->is_stopped = true;
        event(fake, "{\"timestamp\": {\"seconds\": 1}, \"event\": \"BLOCK_IO_ERROR\", \"data\": "
                    "{\"device\": \"\", \"operation\": \"write\", \"action\": \"stop\", "
                    "\"nospace\": true, \"reason\": \"No space left on device\"}}\r\n");
        event(fake, "{\"timestamp\": {\"seconds\": 1}, \"event\": \"STOP\"}\r\n");
    }
    auto_free char *echo = memory_printf("got %s\r\n", line);
    print(fake, echo);
    return true;
}

/* As recv(2); a descriptor that comes along is kept. */
static ssize_t receive(struct fake *fake, int fd, char *chunk, size_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = chunk, .iov_len = size};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&fake->passed_fd, CMSG_DATA(header), sizeof(int));
    }
    return got;
}

static void read_lines(struct fake *fake, enum line line)
{
    char chunk[4096];
    ssize_t got = receive(fake, fake->fds[line], chunk, sizeof chunk);
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

static volatile sig_atomic_t is_agent_late;

static void note_agent(int number)
{
    (void)number;
    is_agent_late = 0;
}

static void run(struct fake *fake)
{
    for (;;) {
        if (is_power_off_asked) {
            end(fake, "guest-shutdown");
        }
        if (fake->is_running && fake->agent.fd >= 0 && has_word(fake, "fake.realagent")) {
            fake_agent_become_real(&fake->agent);
        }
        fake->fds[AGENT] = fake->agent.fd;
        struct pollfd fds[LINES * 2];
        for (int i = 0; i < LINES; i++) {
            short wants = POLLIN;
            wants |= i == SERIAL && fake->serial_out.len > 0 ? POLLOUT : 0;
            wants |= i == AGENT && fake->agent.out.len > 0 ? POLLOUT : 0;
            bool is_silent = i == AGENT &&
                             (!fake->is_running || is_agent_late || has_word(fake, "fake.noagent"));
            fds[i] = (struct pollfd){is_silent ? -1 : fake->fds[i], wants, 0};
            fds[LINES + i] =
                (struct pollfd){fake->fds[i] >= 0 ? -1 : fake->listeners[i], POLLIN, 0};
        }
        if (poll(fds, LINES * 2, is_agent_late ? 20 : -1) < 0) {
            continue;
        }
        accept_lines(fake);
        fake->agent.fd = fake->fds[AGENT];
        for (int i = 0; i < LINES; i++) {
            if (fds[i].revents == 0 || fake->fds[i] < 0) {
                continue;
            }
            if (i == AGENT) {
                fake_agent_read(&fake->agent);
            } else {
                read_lines(fake, (enum line)i);
            }
        }
        if (fake->is_running && !fake->has_talked) {
            talk(fake);
        }
        fake_agent_flush(fake->fds[SERIAL], &fake->serial_out);
        fake_agent_write(&fake->agent);
    }
}

static void print_for_agent(void *machine, const char *words)
{
    print(machine, words);
}

static void end_for_agent(void *machine, bool is_reboot)
{
    end(machine, is_reboot ? "guest-reset" : "guest-shutdown");
}

static void take_option(struct fake *fake, const char *option, const char *value)
{
    static const char *const names[] = {"id=serial", "id=events", "id=agent", "id=control"};
    if (strcmp(option, "-append") == 0) {
        fake->append = value;
    }
    if (strcmp(option, "-incoming") == 0) {
        fake->is_incoming = strcmp(value, "defer") == 0;
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
    fake.passed_fd = -1;
    for (int i = 0; i < LINES; i++) {
        fake.listeners[i] = -1;
        fake.fds[i] = -1;
    }
    for (int i = 1; i + 1 < argc; i++) {
        take_option(&fake, argv[i], argv[i + 1]);
    }
    fake.agent = (struct fake_agent){
        .words = fake.append, .print = print_for_agent, .end = end_for_agent, .machine = &fake};
    fake_agent_init(&fake.agent);
    if (has_word(&fake, "fake.die=")) {
        fprintf(stderr, "fake-qemu: a warning\nfake-qemu: Could not set up host forwarding rule\n");
        return (int)number_of(&fake, "fake.die=");
    }
    if (has_word(&fake, "fake.stubborn")) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGTERM, &ignore, NULL);
    }
    is_agent_late = has_word(&fake, "fake.late");
    signal(SIGUSR1, note_power_off);
    signal(SIGUSR2, note_agent);
    signal(SIGCHLD, SIG_IGN);
    run(&fake);
    return 0;
}
