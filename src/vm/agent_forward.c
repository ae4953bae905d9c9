/* SPDX-License-Identifier: MIT */
#include "vm/agent_forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "vm/agent_line.h"
#include "vm/machine.h"

#define OPEN_TIMEOUT_MS 10000
#define BACKLOG 64
#define CONNECTIONS_MAX 128u      /* what the guest's agent can serve beside other things */
#define TO_GUEST_MAX (256u << 10) /* waiting for the monitor; beyond, clients wait */

/* A client of a host port, and its stream into the guest. */
struct connection {
    int fd;
    uint32_t id;
    struct wire_buffer pending; /* from the guest */
    struct wire_credit to_guest, from_guest;
    bool is_read_over; /* nothing more goes to the guest */
    bool is_ending;    /* the guest has sent everything */
    bool is_closed;    /* RESULT came: closed once everything is written */
    bool is_dead;      /* swept after the round */
};

struct forward {
    int vm_dir;
    const struct machine_port *ports;
    const int *listeners;
    size_t count;
    const struct cancel *cancel;
    struct agent_line line;
    bool has_line;
    uint32_t last_id;
    struct connection *connections[CONNECTIONS_MAX];
    size_t connection_count;
};

/* ---- the line ------------------------------------------------------------------------------- */

/* An answer that never comes shows as a reset and not as an empty one. */
static void reset_socket(int fd)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

static void free_connection(struct connection *connection)
{
    wire_buffer_done(&connection->pending);
    free(connection);
}

static void lose_line(struct forward *forward)
{
    for (size_t i = 0; i < forward->connection_count; i++) {
        reset_socket(forward->connections[i]->fd);
        free_connection(forward->connections[i]);
    }
    forward->connection_count = 0;
    if (forward->has_line) {
        agent_line_done(&forward->line);
    }
    forward->has_line = false;
    forward->last_id = 0;
}

static bool open_line(struct forward *forward, struct error *err)
{
    forward->has_line = agent_line_open(
        forward->vm_dir, clock_deadline(OPEN_TIMEOUT_MS), forward->cancel, &forward->line, err);
    return forward->has_line;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void accept_one(struct forward *forward, size_t which)
{
    auto_close int fd =
        accept4(forward->listeners[which], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct error ignored = {0};
    if (fd < 0) {
        return;
    }
    if (!forward->has_line && !open_line(forward, &ignored)) {
        reset_socket(take_fd(&fd));
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct connection *connection = memory_zero(1, sizeof(*connection));
    connection->fd = take_fd(&fd);
    connection->id = ++forward->last_id;
    wire_credit_init(&connection->to_guest);
    wire_credit_init(&connection->from_guest);
    forward->connections[forward->connection_count++] = connection;
    struct wire_writer writer;
    wire_begin(&writer, &forward->line.out, WIRE_OPEN, WIRE_KIND_TCP, connection->id);
    wire_add_number(&writer, WIRE_TAG_NUMBER, forward->ports[which].guest_port);
    wire_finish(&writer);
}

static void drop(struct forward *forward, struct connection *connection)
{
    if (!connection->is_closed) {
        wire_put_close(&forward->line.out, connection->id);
    }
    connection->is_dead = true;
}

static void end_reading(struct forward *forward, struct connection *connection)
{
    connection->is_read_over = true;
    if (!connection->is_closed) {
        wire_put_end(&forward->line.out, connection->id, WIRE_IN);
    }
}

static void pass_to_guest(struct forward *forward, struct connection *connection)
{
    uint8_t chunk[WIRE_DATA_MAX];
    size_t left = connection->to_guest.left;
    size_t most = left < sizeof(chunk) ? left : sizeof(chunk);
    ssize_t got = recv(connection->fd, chunk, most, MSG_DONTWAIT);
    if (got > 0) {
        wire_put_data(&forward->line.out, connection->id, WIRE_IN, chunk, (size_t)got);
        wire_credit_spend(&connection->to_guest, (size_t)got);
    } else if (got == 0) {
        end_reading(forward, connection);
    } else if (errno != EAGAIN && errno != EINTR) {
        drop(forward, connection);
    }
}

/* Once everything from the guest is written, its end is passed on as well. */
static void settle(struct connection *connection)
{
    if (connection->pending.len > 0) {
        return;
    }
    if (connection->is_closed) {
        connection->is_dead = true;
    } else if (connection->is_ending) {
        shutdown(connection->fd, SHUT_WR);
    }
}

static void pass_to_client(struct forward *forward, struct connection *connection)
{
    ssize_t put = send(connection->fd, wire_buffer_bytes(&connection->pending),
        connection->pending.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        drop(forward, connection);
        return;
    }
    if (put <= 0) {
        return;
    }
    wire_buffer_consume(&connection->pending, (size_t)put);
    uint32_t credit = wire_credit_return(&connection->from_guest, (size_t)put);
    if (credit > 0 && !connection->is_closed) {
        wire_put_credit(&forward->line.out, connection->id, WIRE_OUT, credit);
    }
    settle(connection);
}

static struct connection *find(struct forward *forward, uint32_t id)
{
    for (size_t i = 0; i < forward->connection_count; i++) {
        if (forward->connections[i]->id == id && !forward->connections[i]->is_dead) {
            return forward->connections[i];
        }
    }
    return NULL;
}

static bool take_frame(void *context, const struct wire_frame *frame, struct error *err)
{
    struct forward *forward = context;
    struct connection *connection = find(forward, frame->stream);
    if (connection == NULL) {
        return true;
    }
    if (frame->type == WIRE_DATA) {
        if (frame->code != WIRE_OUT || !wire_credit_receive(&connection->from_guest, frame->len)) {
            return error_set(err, ERROR_VMM, "the guest sends what it was not allowed to");
        }
        wire_buffer_append(&connection->pending, frame->payload, frame->len);
    } else if (frame->type == WIRE_CREDIT) {
        return wire_credit_refill(&connection->to_guest, wire_frame_credit(frame)) ||
               error_set(err, ERROR_VMM, "the guest allows more than a window");
    } else if (frame->type == WIRE_END && frame->code == WIRE_OUT) {
        connection->is_ending = true;
        settle(connection);
    } else if (frame->type == WIRE_END) {
        connection->is_read_over = true;
    } else if (frame->type == WIRE_RESULT) {
        connection->is_closed = true;
        settle(connection);
        if (frame->code != WIRE_OUTCOME_OK && connection->is_dead) {
            reset_socket(connection->fd);
            connection->fd = -1;
        }
    }
    return true;
}

static void sweep(struct forward *forward)
{
    for (size_t i = 0; i < forward->connection_count;) {
        struct connection *connection = forward->connections[i];
        if (!connection->is_dead) {
            i++;
            continue;
        }
        memory_auto_close(&connection->fd);
        free_connection(connection);
        forward->connections[i] = forward->connections[--forward->connection_count];
    }
}

/* ---- the loop ------------------------------------------------------------------------------- */

#define FIXED_SLOTS 2u

struct round {
    struct pollfd fds[FIXED_SLOTS + MACHINE_PORT_MAX + CONNECTIONS_MAX];
    size_t connections; /* served in this round */
};

static void fill(const struct forward *forward, struct round *round)
{
    bool has_room = forward->connection_count < CONNECTIONS_MAX;
    bool can_send = forward->line.out.len < TO_GUEST_MAX;
    short line = forward->line.out.len > 0 ? POLLIN | POLLOUT : POLLIN;
    struct pollfd *fds = round->fds;
    fds[0] = (struct pollfd){cancel_fd(forward->cancel), POLLIN, 0};
    fds[1] = (struct pollfd){forward->has_line ? forward->line.connection.fd : -1, line, 0};
    for (size_t i = 0; i < forward->count; i++) {
        fds[FIXED_SLOTS + i] = (struct pollfd){has_room ? forward->listeners[i] : -1, POLLIN, 0};
    }
    round->connections = forward->connection_count;
    for (size_t i = 0; i < round->connections; i++) {
        const struct connection *connection = forward->connections[i];
        bool is_read = !connection->is_read_over && can_send && connection->to_guest.left > 0;
        short events = is_read ? POLLIN : 0;
        events = connection->pending.len > 0 ? (short)(events | POLLOUT) : events;
        fds[FIXED_SLOTS + forward->count + i] = (struct pollfd){connection->fd, events, 0};
    }
}

static void serve_connection(struct forward *forward, struct connection *connection, short events)
{
    if ((events & POLLOUT) != 0) {
        pass_to_client(forward, connection);
    }
    bool is_gone = (events & (POLLERR | POLLNVAL)) != 0 ||
                   ((events & POLLHUP) != 0 && connection->is_read_over);
    if (connection->is_dead) {
        return;
    }
    if (is_gone) {
        drop(forward, connection);
    } else if ((events & (POLLIN | POLLHUP)) != 0) {
        pass_to_guest(forward, connection);
    }
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

static bool run(struct forward *forward, struct error *err)
{
    auto_free struct round *round = memory_alloc(sizeof(*round));
    for (;;) {
        fill(forward, round);
        if (poll(round->fds, (nfds_t)(FIXED_SLOTS + forward->count + round->connections), -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return error_set_errno(err, errno, "cannot wait for connections");
        }
        if (cancel_check(forward->cancel, err)) {
            return false;
        }
        for (size_t i = 0; i < round->connections; i++) {
            serve_connection(forward, forward->connections[i],
                round->fds[FIXED_SLOTS + forward->count + i].revents);
        }
        for (size_t i = 0; i < forward->count; i++) {
            if (round->fds[FIXED_SLOTS + i].revents != 0) {
                accept_one(forward, i);
            }
        }
        if (!serve_line(forward, round->fds[1].revents)) {
            return true;
        }
        sweep(forward);
    }
}

bool agent_forward(int vm_dir, const struct machine_port *ports, const int *listeners, size_t count,
    const struct cancel *cancel, struct error *err)
{
    struct forward forward = {
        .vm_dir = vm_dir, .ports = ports, .listeners = listeners, .count = count, .cancel = cancel};
    bool is_done = open_line(&forward, err) && run(&forward, err);
    lose_line(&forward);
    return is_done;
}

/* ---- listening ------------------------------------------------------------------------------ */

static int listen_on(struct machine_port *port, struct error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port->host_port)};
    socklen_t len = sizeof(address);
    int on = 1;
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set_errno(err, errno, "no socket to listen with");
        return -1;
    }
    inet_pton(AF_INET, port->host_address, &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        if (errno == EADDRINUSE) {
            error_set(err, ERROR_IN_USE,
                "host port %s:%u is taken by another program: name another one", port->host_address,
                port->host_port);
        } else {
            error_set_errno(err, errno, "host port %s:%u", port->host_address, port->host_port);
        }
        return -1;
    }
    port->host_port = ntohs(address.sin_port);
    return take_fd(&fd);
}

bool agent_forward_listen(
    struct machine_port *ports, size_t count, int *listeners, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        listeners[i] = ports[i].is_udp ? -1 : listen_on(&ports[i], err);
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
