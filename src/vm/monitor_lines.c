/* SPDX-License-Identifier: MIT */
/* The monitor's side of the VMM's lines: serial port, events, agent, and its own words. */
#include "vm/monitor_state.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"

#define READS_MAX 16 /* per round, so that one line cannot starve the others */

/* Bytes, 0 at the end of the line, -1 when there is nothing now. */
static ssize_t read_line_fd(int fd, void *bytes, size_t size)
{
    for (;;) {
        ssize_t got = read(fd, bytes, size);
        if (got >= 0) {
            return got;
        }
        if (errno == EAGAIN) {
            return -1;
        }
        if (errno != EINTR) {
            return 0;
        }
    }
}

static void close_line(int *fd)
{
    memory_auto_close(fd);
    *fd = -1;
}

static void write_line_fd(int *fd, struct wire_buffer *buffer)
{
    while (*fd >= 0 && buffer->len > 0) {
        ssize_t put =
            send(*fd, wire_buffer_bytes(buffer), buffer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == ENOTSOCK) { /* a terminal; the monitor blocks SIGPIPE */
            put = write(*fd, wire_buffer_bytes(buffer), buffer->len);
        }
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return; /* EAGAIN; an end shows itself on the reading side */
        }
        wire_buffer_consume(buffer, (size_t)put);
    }
}

void monitor_read_serial(struct monitor *monitor)
{
    char chunk[4096];
    int *fd = &monitor->launch.lines[VMM_LINE_SERIAL];
    for (int i = 0; i < READS_MAX && *fd >= 0; i++) {
        ssize_t got = read_line_fd(*fd, chunk, sizeof(chunk));
        if (got < 0) {
            return;
        }
        if (got == 0) {
            close_line(fd);
            return;
        }
        serial_log_append(&monitor->log, chunk, (size_t)got, clock_wall_ms());
        boot_watch_feed(&monitor->boot, chunk, (size_t)got);
        bool is_new = monitor_reach(monitor, MACHINE_STAGE_KERNEL);
        if (monitor->boot.has_init) {
            is_new = monitor_reach(monitor, MACHINE_STAGE_INIT) || is_new;
        }
        if (is_new) {
            monitor_tell(monitor);
        }
    }
}

void monitor_write_serial(struct monitor *monitor)
{
    write_line_fd(&monitor->launch.lines[VMM_LINE_SERIAL], &monitor->typed);
}

static void take_event(struct monitor *monitor, enum vmm_event event)
{
    switch (event) {
    case VMM_EVENT_NONE:
        return;
    case VMM_EVENT_GUEST_PANIC:
    case VMM_EVENT_GUEST_POWEROFF:
    case VMM_EVENT_GUEST_REBOOT:
    case VMM_EVENT_HOST_QUIT:
        /* A panic is followed by the reset it causes. */
        if (monitor->fate != VMM_EVENT_GUEST_PANIC) {
            monitor->fate = event;
        }
        return;
    case VMM_EVENT_PAUSED:
    case VMM_EVENT_RESUMED:
        monitor->timeline.is_paused = event == VMM_EVENT_PAUSED;
        monitor_tell(monitor);
        return;
    }
}

void monitor_take_events(struct monitor *monitor)
{
    struct text *pending = &monitor->events;
    const char *feed;
    while (pending->len > 0 && (feed = memchr(pending->data, '\n', pending->len)) != NULL) {
        size_t len = (size_t)(feed - pending->data);
        enum vmm_event event = monitor->backend->read_event == NULL
                                   ? VMM_EVENT_NONE
                                   : monitor->backend->read_event(pending->data, len);
        memmove(pending->data, feed + 1, pending->len - len - 1);
        pending->len -= len + 1;
        take_event(monitor, event);
    }
}

void monitor_read_events(struct monitor *monitor)
{
    char chunk[4096];
    int *fd = &monitor->launch.lines[VMM_LINE_EVENTS];
    for (int i = 0; i < READS_MAX && *fd >= 0; i++) {
        ssize_t got = read_line_fd(*fd, chunk, sizeof(chunk));
        if (got < 0) {
            return;
        }
        if (got == 0 || !text_append_bytes(&monitor->events, chunk, (size_t)got)) {
            close_line(fd);
            return;
        }
        monitor_take_events(monitor);
    }
}

bool monitor_greet_agent(struct monitor *monitor)
{
    uint8_t nonce[WIRE_NONCE_LEN];
    if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
        return false;
    }
    relay_greet(&monitor->relay, nonce);
    return true;
}

/* Clients whose streams died hang up on; the line is greeted again a few times. */
static void agent_broke(struct monitor *monitor)
{
    log_write(LOG_WARNING, "the guest's agent broke the rules of its line");
    if (monitor->relay.greetings < RELAY_RETRIES) {
        monitor_greet_agent(monitor);
    } else {
        close_line(&monitor->launch.lines[VMM_LINE_AGENT]);
    }
}

static bool guest_time(const struct monitor *monitor, const char *key, uint64_t *ms)
{
    const char *value = machine_timeline_fact(&monitor->timeline, key);
    struct error ignored = {0};
    return value != NULL && units_parse_number(value, key, UINT32_MAX, ms, &ignored);
}

/* What the guest knows better than the serial line shows. Its clock begins at some unknown moment of
 * its kernel's start, so times are counted back from the one moment that both sides saw: the agent
 * begins to answer. They are the guest's word: never outside of kernel and now. */
static void take_guest_stages(struct monitor *monitor)
{
    static const struct {
        const char *key;
        enum machine_stage stage;
    } rows[] = {
        {"stage_init_ms", MACHINE_STAGE_INIT},
        {"stage_root_ms", MACHINE_STAGE_ROOT},
        {"stage_network_ms", MACHINE_STAGE_NETWORK},
    };
    uint64_t *at_ms = monitor->timeline.at_ms;
    uint64_t now_ms = clock_monotonic_ms() - monitor->exec_ms;
    uint64_t kernel_ms = at_ms[MACHINE_STAGE_KERNEL];
    uint64_t agent = 0;
    if (kernel_ms == MACHINE_STAGE_UNREACHED || !guest_time(monitor, "stage_agent_ms", &agent)) {
        return;
    }
    for (size_t i = 0; i < array_length(rows); i++) {
        uint64_t stage = 0;
        if (!guest_time(monitor, rows[i].key, &stage) || stage > agent) {
            continue;
        }
        uint64_t ago = agent - stage;
        uint64_t at = ago < now_ms ? now_ms - ago : 0;
        at_ms[rows[i].stage] = at > kernel_ms ? at : kernel_ms;
    }
}

void monitor_read_agent(struct monitor *monitor)
{
    uint8_t chunk[MONITOR_CHUNK];
    int *fd = &monitor->launch.lines[VMM_LINE_AGENT];
    ssize_t got = *fd < 0 ? -1 : read_line_fd(*fd, chunk, sizeof(chunk));
    if (got < 0) {
        return;
    }
    if (got == 0) {
        relay_lose_line(&monitor->relay);
        close_line(fd);
        return;
    }
    size_t at = 0;
    for (;;) {
        size_t taken = 0;
        enum relay_news news = relay_feed_guest(
            &monitor->relay, chunk + at, (size_t)got - at, &taken, &monitor->timeline.facts);
        at += taken;
        switch (news) {
        case RELAY_NOTHING:
            return;
        case RELAY_READY:
            take_guest_stages(monitor);
            monitor_reach(monitor, MACHINE_STAGE_AGENT);
            monitor_tell(monitor);
            break;
        case RELAY_FACTS:
            monitor_tell(monitor);
            break;
        case RELAY_BROKEN:
            agent_broke(monitor);
            return; /* the rest belongs to nobody */
        }
    }
}

void monitor_write_agent(struct monitor *monitor)
{
    write_line_fd(&monitor->launch.lines[VMM_LINE_AGENT], &monitor->relay.out);
}

void monitor_read_said(struct monitor *monitor)
{
    char chunk[4096];
    int *fd = &monitor->launch.stderr_fd;
    for (int i = 0; i < READS_MAX && *fd >= 0; i++) {
        ssize_t got = read_line_fd(*fd, chunk, sizeof(chunk));
        if (got < 0) {
            return;
        }
        if (got == 0) {
            close_line(fd);
            return;
        }
        text_append_bytes(&monitor->said, chunk, (size_t)got); /* dropped once it is full */
    }
}
