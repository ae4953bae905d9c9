/* SPDX-License-Identifier: MIT */
/* The monitor's line to the guest's agent: one that the VMM made, or one that is dialled through the
 * socket in front of its vsock, again whenever it is lost. */
#include "vm/monitor_state.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"

static void greet(struct monitor *monitor)
{
    uint8_t nonce[WIRE_NONCE_LEN];
    if (getrandom(nonce, sizeof(nonce), 0) == (ssize_t)sizeof(nonce)) {
        relay_greet(&monitor->relay, nonce);
    }
}

static void lose_line(struct monitor *monitor)
{
    int *fd = &monitor->launch.lines[VMM_LINE_AGENT];
    relay_lose_line(&monitor->relay);
    memory_auto_close(fd);
    *fd = -1;
    vsock_dial_init(&monitor->dial);
}

/* Clients whose streams died hang up on; the line is greeted again a few times. */
static void agent_broke(struct monitor *monitor)
{
    log_write(LOG_WARNING, "the guest's agent broke the rules of its line");
    if (monitor->relay.greetings < RELAY_RETRIES) {
        greet(monitor);
    } else {
        monitor->is_agent_broken = true;
        lose_line(monitor);
    }
}

/* ---- the dial ------------------------------------------------------------------------------- */

static bool is_dialling(const struct monitor *monitor)
{
    return monitor->backend->has_vsock && monitor->launch.lines[VMM_LINE_AGENT] < 0 &&
           monitor->launch.pidfd >= 0 && !monitor->is_agent_broken;
}

void monitor_begin_agent(struct monitor *monitor)
{
    relay_done(&monitor->relay);
    relay_init(&monitor->relay);
    vsock_dial_done(&monitor->dial);
    monitor->is_agent_broken = false;
    monitor->init_lines = 0;
    if (!monitor->backend->has_vsock) {
        greet(monitor); /* waits in the line until the agent reads it */
    }
}

bool monitor_has_agent_line(const struct monitor *monitor)
{
    return monitor->launch.lines[VMM_LINE_AGENT] >= 0 || is_dialling(monitor);
}

int monitor_agent_fd(const struct monitor *monitor)
{
    return is_dialling(monitor) ? monitor->dial.fd : monitor->launch.lines[VMM_LINE_AGENT];
}

int monitor_agent_wait_ms(const struct monitor *monitor)
{
    return is_dialling(monitor) ? vsock_dial_wait_ms(&monitor->dial) : -1;
}

void monitor_dial_agent(struct monitor *monitor)
{
    if (!is_dialling(monitor)) {
        return;
    }
    if (monitor->init_lines != monitor->boot.init_lines) {
        monitor->init_lines = monitor->boot.init_lines;
        vsock_dial_hurry(&monitor->dial); /* the agent follows soon */
    }
    int fd = vsock_dial_go_on(&monitor->dial, monitor->vm_dir, VMM_VSOCK_SOCKET, WIRE_VSOCK_PORT);
    if (fd >= 0) {
        monitor->launch.lines[VMM_LINE_AGENT] = fd;
        /* What was for the one before is for nobody. */
        wire_buffer_consume(&monitor->relay.out, monitor->relay.out.len);
        monitor->relay.greetings = 0;
        greet(monitor);
    }
}

/* ---- what it says --------------------------------------------------------------------------- */

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

/* True when the timeline changed. */
static bool take_bytes(struct monitor *monitor, const uint8_t *bytes, size_t len)
{
    bool is_news = false;
    for (size_t at = 0;;) {
        size_t taken = 0;
        enum relay_news news = relay_feed_guest(
            &monitor->relay, bytes + at, len - at, &taken, &monitor->timeline.facts);
        at += taken;
        switch (news) {
        case RELAY_NOTHING:
            return is_news;
        case RELAY_READY:
            take_guest_stages(monitor);
            monitor_reach(monitor, MACHINE_STAGE_AGENT);
            is_news = true;
            break;
        case RELAY_FACTS:
            is_news = true;
            break;
        case RELAY_BROKEN:
            agent_broke(monitor);
            return is_news; /* the rest belongs to nobody */
        }
    }
}

void monitor_read_agent(struct monitor *monitor)
{
    uint8_t chunk[MONITOR_CHUNK];
    const int *fd = &monitor->launch.lines[VMM_LINE_AGENT];
    ssize_t got = *fd < 0 ? -1 : monitor_read_line(*fd, chunk, sizeof(chunk));
    if (got < 0) {
        return;
    }
    if (got == 0) {
        lose_line(monitor);
        return;
    }
    if (take_bytes(monitor, chunk, (size_t)got)) {
        monitor_tell(monitor); /* once, however much the guest had to say */
    }
}

void monitor_write_agent(struct monitor *monitor)
{
    monitor_write_line(monitor->launch.lines[VMM_LINE_AGENT], &monitor->relay.out);
}
