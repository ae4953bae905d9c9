/* SPDX-License-Identifier: MIT */
#include "vm/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "vm/machine.h"

#define ANY_ADDRESS "0.0.0.0"

static bool refuse(const char *word, struct error *err)
{
    return error_set(err, ERROR_INVALID,
        "port %s is not [ADDRESS:]HOST:GUEST[/tcp|/udp], such as 8080:80", word);
}

static bool parse_port(const char *text, uint16_t *port)
{
    struct error ignored = {0};
    uint64_t number = 0;
    if (!units_parse_number(text, "port", UINT16_MAX, &number, &ignored)) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

bool net_parse_publish(const char *word, struct machine_port *port, struct error *err)
{
    struct machine_port read = {.host_address = "127.0.0.1"};
    auto_free char *copy = memory_strdup(word);
    char *slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (strcmp(slash + 1, "udp") == 0) {
            read.is_udp = true;
        } else if (strcmp(slash + 1, "tcp") != 0) {
            return refuse(word, err);
        }
    }
    char *last = strrchr(copy, ':');
    if (last == NULL || !parse_port(last + 1, &read.guest_port) || read.guest_port == 0) {
        return refuse(word, err);
    }
    *last = '\0';
    char *host = strrchr(copy, ':');
    if (host != NULL) {
        *host = '\0';
        struct in_addr address;
        if (inet_pton(AF_INET, copy, &address) != 1) {
            return error_set(
                err, ERROR_INVALID, "--publish %s: \"%s\" is not an IPv4 address", word, copy);
        }
        snprintf(read.host_address, sizeof(read.host_address), "%s", copy);
    }
    const char *host_port = host == NULL ? copy : host + 1;
    if (*host_port != '\0' && !parse_port(host_port, &read.host_port)) {
        return refuse(word, err);
    }
    *port = read;
    return true;
}

const char *net_format_publish(const struct machine_port *port, char buffer[NET_PUBLISH_MAX])
{
    snprintf(buffer, NET_PUBLISH_MAX, "%s:%u:%u/%s", port->host_address, port->host_port,
        port->guest_port, port->is_udp ? "udp" : "tcp");
    return buffer;
}

bool net_ports_clash(const struct machine_port *a, const struct machine_port *b)
{
    bool is_same_address = strcmp(a->host_address, b->host_address) == 0 ||
                           strcmp(a->host_address, ANY_ADDRESS) == 0 ||
                           strcmp(b->host_address, ANY_ADDRESS) == 0;
    return a->host_port != 0 && a->host_port == b->host_port && a->is_udp == b->is_udp &&
           is_same_address;
}

bool net_check_udp(const struct machine_spec *spec, struct error *err)
{
    for (size_t i = 0; i < spec->port_count; i++) {
        const struct machine_port *port = &spec->ports[i];
        bool is_reached = spec->net == NET_USER ||
                          (spec->net == NET_NAT && strncmp(port->host_address, "127.", 4) != 0);
        if (port->is_udp && !is_reached) {
            return error_set(err, ERROR_INVALID,
                "--publish %s:%u:%u/udp does not work with --net %s: use --net user, or --net nat "
                "with an address of this host's that is not loopback",
                port->host_address, port->host_port, port->guest_port, net_mode_name(spec->net));
        }
    }
    return true;
}

/* Why the kernel did not give the port, and what to do. */
static bool refuse_port(const struct machine_port *port, int errnum, struct error *err)
{
    const char *address = port->host_address;
    switch (errnum) {
    case EADDRINUSE:
        return error_set(err, ERROR_IN_USE,
            "host port %s:%u is taken by another program: publish another one", address,
            port->host_port);
    case EACCES:
        return error_set(err, ERROR_PERMISSION,
            "host port %s:%u needs more rights than this user has: publish one from 1024 on, or "
            "lower net.ipv4.ip_unprivileged_port_start",
            address, port->host_port);
    case EADDRNOTAVAIL:
        return error_set(err, ERROR_INVALID,
            "--publish: %s is no address of this host (see `ip address`), so port %u cannot be "
            "published there",
            address, port->host_port);
    default:
        return error_set_errno(err, errnum, "host port %s:%u", address, port->host_port);
    }
}

static bool try_bind(struct machine_port *port, int *held, struct error *err)
{
    int type = (port->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
    auto_close int fd = socket(AF_INET, type, 0);
    if (fd < 0) {
        return error_set_errno(err, errno, "no socket to try a published port with");
    }
    /* As QEMU will: a port in TIME_WAIT is free, one that is listened on is not. */
    int on = 1;
    if (!port->is_udp) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port->host_port)};
    inet_pton(AF_INET, port->host_address, &address.sin_addr);
    socklen_t len = sizeof(address);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || (!port->is_udp && listen(fd, 1) != 0)) {
        return refuse_port(port, errno, err);
    }
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return error_set_errno(err, errno, "name of a published port");
    }
    port->host_port = ntohs(address.sin_port);
    *held = take_fd(&fd);
    return true;
}

bool net_check_ports(struct machine_port *ports, size_t count, struct error *err)
{
    /* All are held until the last one is bound, so that two free choices differ. */
    int held[MACHINE_PORT_MAX];
    size_t held_count = 0;
    bool is_free = true;
    for (size_t i = 0; i < count && i < MACHINE_PORT_MAX && is_free; i++) {
        is_free = try_bind(&ports[i], &held[held_count], err);
        held_count += is_free ? 1 : 0;
    }
    for (size_t i = 0; i < held_count; i++) {
        memory_auto_close(&held[i]);
    }
    return is_free;
}
