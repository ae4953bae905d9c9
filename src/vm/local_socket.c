/* SPDX-License-Identifier: MIT */
#include "vm/local_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define BACKLOG 64
#define RETRY_MS 5

static bool make_address(int dir, const char *name, struct sockaddr_un *address, struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len =
        snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof(address->sun_path)) {
        return error_set(err, ERROR_BUG, "the socket name %s is too long", name);
    }
    return true;
}

int local_socket_listen(int dir, const char *name, struct error *err)
{
    struct sockaddr_un address;
    if (!make_address(dir, name, &address, err)) {
        return -1;
    }
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set_errno(err, errno, "no socket for %s", name);
        return -1;
    }
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT) {
        error_set_errno(err, errno, "cannot remove the old socket %s", name);
        return -1;
    }
    /* The descriptor's mode is the new file's: nobody else can connect, whatever the umask. */
    if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        error_set_errno(err, errno, "cannot listen on %s", name);
        return -1;
    }
    return take_fd(&fd);
}

/* EAGAIN: the backlog is full for the moment; there is nothing to poll for. */
static bool wait_for_backlog(
    const char *name, uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    struct pollfd asked = {.fd = cancel_fd(cancel), .events = POLLIN};
    poll(&asked, 1, RETRY_MS);
    if (cancel_check(cancel, err)) {
        return false;
    }
    if (clock_left_ms(deadline_ms) == 0) {
        return error_set(err, ERROR_TIMEOUT, "%s is too busy to answer", name);
    }
    return true;
}

int local_socket_connect(
    int dir, const char *name, uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    struct sockaddr_un address;
    if (!make_address(dir, name, &address, err)) {
        return -1;
    }
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error_set_errno(err, errno, "no socket for %s", name);
        return -1;
    }
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == EAGAIN) {
            if (!wait_for_backlog(name, deadline_ms, cancel, err)) {
                return -1;
            }
        } else if (errno == ENOENT || errno == ECONNREFUSED) {
            error_set(err, ERROR_NOT_FOUND, "nobody listens on %s", name);
            return -1;
        } else if (errno != EINTR) {
            error_set_errno(err, errno, "cannot connect to %s", name);
            return -1;
        }
    }
    return take_fd(&fd);
}

bool local_socket_wait(
    int fd, short events, uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    for (;;) {
        struct pollfd fds[2] = {
            {.fd = fd, .events = events}, {.fd = cancel_fd(cancel), .events = POLLIN}};
        int ready = poll(fds, 2, clock_left_ms(deadline_ms));
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot wait for a socket");
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        if (ready > 0 && fds[0].revents != 0) {
            return true;
        }
        if (clock_left_ms(deadline_ms) == 0) {
            return error_set(err, ERROR_TIMEOUT, "no answer in time");
        }
    }
}

bool local_socket_send(int fd, const void *bytes, size_t len, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!local_socket_wait(fd, POLLOUT, deadline_ms, cancel, err)) {
                return false;
            }
        } else if (errno != EINTR) {
            return error_set_errno(err, errno, "cannot send");
        }
    }
    return true;
}

ssize_t local_socket_receive(int fd, void *bytes, size_t size, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err)
{
    for (;;) {
        ssize_t got = recv(fd, bytes, size, MSG_DONTWAIT);
        if (got >= 0) {
            return got;
        }
        if (errno == ECONNRESET) {
            return 0;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!local_socket_wait(fd, POLLIN, deadline_ms, cancel, err)) {
                return -1;
            }
        } else if (errno != EINTR) {
            error_set_errno(err, errno, "cannot receive");
            return -1;
        }
    }
}

bool local_socket_read_line(int fd, struct text *pending, size_t max_bytes, struct text *line,
    uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    size_t searched = 0;
    for (;;) {
        const char *end = pending->len > searched
                              ? memchr(pending->data + searched, '\n', pending->len - searched)
                              : NULL;
        if (end != NULL) {
            size_t len = (size_t)(end - pending->data);
            text_clear(line);
            text_append_bytes(line, pending->data, len);
            struct text rest = {0};
            text_append_bytes(&rest, end + 1, pending->len - len - 1);
            text_done(pending);
            *pending = rest;
            return true;
        }
        searched = pending->len;
        if (pending->len > max_bytes) {
            return error_set(err, ERROR_LIMIT, "a line of more than %zu bytes came", max_bytes);
        }
        char chunk[4096];
        ssize_t got = local_socket_receive(fd, chunk, sizeof(chunk), deadline_ms, cancel, err);
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            return error_set(err, ERROR_IO, "the other side closed the connection");
        }
        text_append_bytes(pending, chunk, (size_t)got);
    }
}
