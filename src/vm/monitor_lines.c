/* SPDX-License-Identifier: MIT */
/* The monitor's side of the VMM's lines: serial port, events, and its own words. */
#include "vm/monitor_state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define READS_MAX 16 /* per round, so that one line cannot starve the others */

ssize_t monitor_read_line(int fd, void *bytes, size_t size)
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

void monitor_write_line(int fd, struct wire_buffer *buffer)
{
    while (fd >= 0 && buffer->len > 0) {
        ssize_t put = send(fd, wire_buffer_bytes(buffer), buffer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == ENOTSOCK) { /* a terminal; the monitor blocks SIGPIPE */
            put = write(fd, wire_buffer_bytes(buffer), buffer->len);
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
        ssize_t got = monitor_read_line(*fd, chunk, sizeof(chunk));
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
        monitor->halted_ms = boot_watch_has_halted(&monitor->boot) ? clock_monotonic_ms() : 0;
    }
}

void monitor_write_serial(struct monitor *monitor)
{
    monitor_write_line(monitor->launch.lines[VMM_LINE_SERIAL], &monitor->typed);
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
    case VMM_EVENT_NO_SPACE: /* followed by the pause */
        monitor_room_lost(monitor);
        return;
    case VMM_EVENT_PAUSED:
    case VMM_EVENT_RESUMED:
        if (event == VMM_EVENT_RESUMED) {
            monitor_room_back(monitor);
        }
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
        ssize_t got = monitor_read_line(*fd, chunk, sizeof(chunk));
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

void monitor_read_said(struct monitor *monitor)
{
    char chunk[4096];
    int *fd = &monitor->launch.stderr_fd;
    for (int i = 0; i < READS_MAX && *fd >= 0; i++) {
        ssize_t got = monitor_read_line(*fd, chunk, sizeof(chunk));
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
