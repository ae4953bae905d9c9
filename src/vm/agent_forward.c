/* SPDX-License-Identifier: MIT */
#include "vm/agent_forward.h"

#include <errno.h>
#include <poll.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "vm/agent_line.h"
#include "vm/forward_table.h"
#include "vm/machine.h"

#define OPEN_TIMEOUT_MS 10000
#define TO_GUEST_MAX (256u << 10) /* waiting for the monitor */

struct forward {
    int vm_dir;
    const struct cancel *cancel;
    struct forward_table table;
    struct agent_line line;
    bool has_line;
};

static void lose_line(struct forward *forward)
{
    forward_table_lose(&forward->table);
    if (forward->has_line) {
        agent_line_done(&forward->line);
    }
    forward->has_line = false;
    forward->table.last_id = 0;
}

static bool open_line(struct forward *forward, struct error *err)
{
    forward->has_line = agent_line_open(
        forward->vm_dir, clock_deadline(OPEN_TIMEOUT_MS), forward->cancel, &forward->line, err);
    return forward->has_line;
}

static bool take_frame(void *context, const struct wire_frame *frame, struct error *err)
{
    struct forward *forward = context;
    return forward_table_take(&forward->table, frame, err);
}

/* False: the machine has ended. A line that broke is opened anew. */
static bool serve_line(struct forward *forward, short events)
{
    struct error failure = {0};
    if (!forward->has_line) {
        return true;
    }
    bool has_early = forward->line.connection.pending.len > 0;
    bool is_fine = agent_line_send(&forward->line, &failure) &&
                   ((events == 0 && !has_early) ||
                       agent_line_receive(&forward->line, take_frame, forward, &failure));
    if (is_fine) {
        return true;
    }
    lose_line(forward);
    struct error why = {0};
    return open_line(forward, &why) || why.code != ERROR_UNSUPPORTED;
}

#define FIXED_SLOTS 2u

static bool run(struct forward *forward, struct error *err)
{
    struct forward_table *table = &forward->table;
    size_t most = FIXED_SLOTS + forward_table_slots_max(table);
    auto_free struct pollfd *fds = memory_zero(most, sizeof(*fds));
    for (;;) {
        short line = forward->line.out.len > 0 ? POLLIN | POLLOUT : POLLIN;
        fds[0] = (struct pollfd){cancel_fd(forward->cancel), POLLIN, 0};
        fds[1] = (struct pollfd){forward->has_line ? forward->line.connection.fd : -1, line, 0};
        size_t used = forward_table_poll(table, fds + FIXED_SLOTS);
        if (poll(fds, (nfds_t)(FIXED_SLOTS + used), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return error_set_errno(err, errno, "cannot wait for connections");
        }
        if (cancel_check(forward->cancel, err)) {
            return false;
        }
        struct error ignored = {0};
        if (!forward->has_line && forward_table_is_called(table, fds + FIXED_SLOTS)) {
            open_line(forward, &ignored);
        }
        forward_table_serve(table, fds + FIXED_SLOTS, used, forward->has_line);
        if (!serve_line(forward, fds[1].revents)) {
            return true;
        }
        forward_table_sweep(table);
    }
}

bool agent_forward(int vm_dir, const struct machine_port *ports, const int *listeners, size_t count,
    const struct cancel *cancel, struct error *err)
{
    struct forward forward = {.vm_dir = vm_dir, .cancel = cancel};
    forward.table = (struct forward_table){.ports = ports,
        .listeners = listeners,
        .count = count,
        .out = &forward.line.out,
        .out_max = TO_GUEST_MAX,
        .connections_max = FORWARD_CONNECTIONS_MAX};
    bool is_done = open_line(&forward, err) && run(&forward, err);
    lose_line(&forward);
    forward_table_done(&forward.table);
    return is_done;
}

bool agent_forward_listen(
    struct machine_port *ports, size_t count, int *listeners, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        listeners[i] = ports[i].is_udp ? -1 : forward_listen(&ports[i], err);
        if (listeners[i] < 0) {
            for (size_t j = 0; j < i; j++) {
                memory_auto_close(&listeners[j]);
            }
            return ports[i].is_udp
                       ? error_set(err, ERROR_UNSUPPORTED,
                             "udp cannot be forwarded through the agent: publish it with --publish")
                       : false;
        }
    }
    return true;
}
