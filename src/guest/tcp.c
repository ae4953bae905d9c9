/* SPDX-License-Identifier: MIT */
#include "guest/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

int tcp_connect(uint16_t port, enum tcp_try which)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 address6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const struct sockaddr *to =
        which == TCP_FIRST ? (const struct sockaddr *)&address : (const struct sockaddr *)&address6;
    socklen_t len = which == TCP_FIRST ? sizeof address : sizeof address6;
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, to, len) != 0 && errno != EINPROGRESS && errno != ECONNREFUSED) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int tcp_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return errno;
    }
    struct sockaddr_storage peer;
    len = sizeof peer;
    /* A refusal that connect(2) told at once leaves no error behind. */
    return error == 0 && getpeername(fd, (struct sockaddr *)&peer, &len) != 0 ? ECONNREFUSED
                                                                              : error;
}

bool tcp_is_first(int fd)
{
    int domain = 0;
    socklen_t len = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET;
}
