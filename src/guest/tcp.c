/* SPDX-License-Identifier: MIT */
#include "guest/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACKS 2u

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    return address->sa_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_LOOPBACK)
                                         : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* The machine's own address of that number, in the order in which the kernel tells them. */
static bool own_address(unsigned number, union address *found)
{
    struct ifaddrs *all = NULL;
    bool is_found = false;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (const struct ifaddrs *item = all; item != NULL && !is_found; item = item->ifa_next) {
        const struct sockaddr *address = item->ifa_addr;
        if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
            is_loopback(address) || number-- > 0) {
            continue;
        }
        memcpy(found, address, address->sa_family == AF_INET ? sizeof found->v4 : sizeof found->v6);
        is_found = true;
    }
    freeifaddrs(all);
    return is_found;
}

static bool address_of_try(unsigned try, union address *address)
{
    *address = (union address){0};
    if (try >= LOOPBACKS) {
        return own_address(try - LOOPBACKS, address);
    }
    if (try == 0) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
    }
    return true;
}

static int connect_to(union address *address, uint16_t port)
{
    socklen_t len = sizeof address->v4;
    address->v4.sin_port = htons(port);
    if (address->any.sa_family == AF_INET6) {
        len = sizeof address->v6;
        address->v6.sin6_port = htons(port);
    }
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, &address->any, len) != 0 && errno != EINPROGRESS && errno != ECONNREFUSED) {
        close(fd);
        return -1;
    }
    return fd;
}

int tcp_connect(uint16_t port, unsigned *try)
{
    union address address;
    while (address_of_try(*try, &address)) {
        (*try)++;
        int fd = connect_to(&address, port);
        if (fd >= 0) {
            return fd;
        }
    }
    errno = ECONNREFUSED;
    return -1;
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
