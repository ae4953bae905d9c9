/* SPDX-License-Identifier: MIT */
#include "vm/forward_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "vm/machine.h"

#define BACKLOG 64

/* A client of a host port, and its stream into the guest. */
struct forward_connection {
    int fd;
    uint32_t id;
    struct wire_buffer pending; /* from the guest */
    struct wire_credit to_guest, from_guest;
    bool is_read_over; /* nothing more goes to the guest */
    bool is_ending;    /* the guest has sent everything */
    bool is_closed;    /* RESULT came: closed once everything is written */
    bool is_dead;      /* swept after the round */
};

/* An answer that never comes shows as a reset and not as an empty one. */
static void reset_socket(int fd)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    close(fd);
}

static void free_connection(struct forward_connection *connection)
{
    memory_auto_close(&connection->fd);
    wire_buffer_done(&connection->pending);
    free(connection);
}

void forward_table_done(struct forward_table *table)
{
    forward_table_lose(table);
    for (size_t i = 0; i < table->connection_count; i++) {
        free_connection(table->connections[i]);
    }
    table->connection_count = 0;
}

void forward_table_lose(struct forward_table *table)
{
    for (size_t i = 0; i < table->connection_count; i++) {
        struct forward_connection *connection = table->connections[i];
        if (!connection->is_closed && !connection->is_dead) {
            reset_socket(take_fd(&connection->fd));
            connection->is_dead = true;
        }
    }
    forward_table_sweep(table);
}

void forward_table_sweep(struct forward_table *table)
{
    for (size_t i = 0; i < table->connection_count;) {
        struct forward_connection *connection = table->connections[i];
        if (!connection->is_dead) {
            i++;
            continue;
        }
        free_connection(connection);
        table->connections[i] = table->connections[--table->connection_count];
    }
}

/* ---- from clients --------------------------------------------------------------------------- */

static void accept_one(struct forward_table *table, size_t which, bool is_reachable)
{
    if (table->connection_count >= table->connections_max) {
        return;
    }
    auto_close int fd = accept4(table->listeners[which], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    if (!is_reachable) {
        reset_socket(take_fd(&fd));
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct forward_connection *connection = memory_zero(1, sizeof(*connection));
    connection->fd = take_fd(&fd);
    connection->id = ++table->last_id;
    wire_credit_init(&connection->to_guest);
    wire_credit_init(&connection->from_guest);
    table->connections[table->connection_count++] = connection;
    struct wire_writer writer;
    wire_begin(&writer, table->out, WIRE_OPEN, WIRE_KIND_TCP, connection->id);
    wire_add_number(&writer, WIRE_TAG_NUMBER, table->ports[which].guest_port);
    wire_finish(&writer);
}

static void drop(struct forward_table *table, struct forward_connection *connection)
{
    if (!connection->is_closed) {
        wire_put_close(table->out, connection->id);
    }
    connection->is_dead = true;
}

static void end_reading(struct forward_table *table, struct forward_connection *connection)
{
    connection->is_read_over = true;
    if (!connection->is_closed) {
        wire_put_end(table->out, connection->id, WIRE_IN);
    }
}

static void pass_to_guest(struct forward_table *table, struct forward_connection *connection)
{
    uint8_t chunk[WIRE_DATA_MAX];
    size_t left = connection->to_guest.left;
    size_t most = left < sizeof(chunk) ? left : sizeof(chunk);
    ssize_t got = recv(connection->fd, chunk, most, MSG_DONTWAIT);
    if (got > 0) {
        wire_put_data(table->out, connection->id, WIRE_IN, chunk, (size_t)got);
        wire_credit_spend(&connection->to_guest, (size_t)got);
    } else if (got == 0) {
        end_reading(table, connection);
    } else if (errno != EAGAIN && errno != EINTR) {
        drop(table, connection);
    }
}

/* ---- from the guest ------------------------------------------------------------------------- */

/* Once everything from the guest is written, its end is passed on as well. */
static void settle(struct forward_connection *connection)
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

static void pass_to_client(struct forward_table *table, struct forward_connection *connection)
{
    ssize_t put = send(connection->fd, wire_buffer_bytes(&connection->pending),
        connection->pending.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EAGAIN && errno != EINTR) {
        drop(table, connection);
        return;
    }
    if (put <= 0) {
        return;
    }
    wire_buffer_consume(&connection->pending, (size_t)put);
    uint32_t credit = wire_credit_return(&connection->from_guest, (size_t)put);
    if (credit > 0 && !connection->is_closed) {
        wire_put_credit(table->out, connection->id, WIRE_OUT, credit);
    }
    settle(connection);
}

static struct forward_connection *find(const struct forward_table *table, uint32_t id)
{
    for (size_t i = 0; i < table->connection_count; i++) {
        if (table->connections[i]->id == id && !table->connections[i]->is_dead) {
            return table->connections[i];
        }
    }
    return NULL;
}

bool forward_table_take(
    struct forward_table *table, const struct wire_frame *frame, struct error *err)
{
    struct forward_connection *connection = find(table, frame->stream);
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
            reset_socket(take_fd(&connection->fd));
        }
    }
    return true;
}

/* ---- polling -------------------------------------------------------------------------------- */

size_t forward_table_slots_max(const struct forward_table *table)
{
    return table->count + table->connections_max;
}

size_t forward_table_poll(const struct forward_table *table, struct pollfd *fds)
{
    bool has_room = table->connection_count < table->connections_max;
    bool can_send = table->out->len < table->out_max;
    for (size_t i = 0; i < table->count; i++) {
        fds[i] = (struct pollfd){has_room ? table->listeners[i] : -1, POLLIN, 0};
    }
    for (size_t i = 0; i < table->connection_count; i++) {
        const struct forward_connection *connection = table->connections[i];
        bool is_read = !connection->is_read_over && can_send && connection->to_guest.left > 0;
        short events = is_read ? POLLIN : 0;
        events = connection->pending.len > 0 ? (short)(events | POLLOUT) : events;
        fds[table->count + i] = (struct pollfd){connection->fd, events, 0};
    }
    return table->count + table->connection_count;
}

bool forward_table_is_called(const struct forward_table *table, const struct pollfd *fds)
{
    for (size_t i = 0; i < table->count; i++) {
        if (fds[i].revents != 0) {
            return true;
        }
    }
    return false;
}

static void serve_connection(
    struct forward_table *table, struct forward_connection *connection, short events)
{
    if ((events & POLLOUT) != 0) {
        pass_to_client(table, connection);
    }
    bool is_gone = (events & (POLLERR | POLLNVAL)) != 0 ||
                   ((events & POLLHUP) != 0 && connection->is_read_over);
    if (connection->is_dead) {
        return;
    }
    if (is_gone) {
        drop(table, connection);
    } else if ((events & (POLLIN | POLLHUP)) != 0) {
        pass_to_guest(table, connection);
    }
}

void forward_table_serve(
    struct forward_table *table, const struct pollfd *fds, size_t used, bool is_reachable)
{
    for (size_t i = table->count; i < used; i++) {
        if (fds[i].revents != 0) {
            serve_connection(table, table->connections[i - table->count], fds[i].revents);
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        if (fds[i].revents != 0) {
            accept_one(table, i, is_reachable);
        }
    }
}

/* ---- listening ------------------------------------------------------------------------------ */

int forward_listen(struct machine_port *port, struct error *err)
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
