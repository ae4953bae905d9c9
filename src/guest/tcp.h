/* SPDX-License-Identifier: MIT */
#pragma once

/* Connections to ports of the machine's own, over its loopback: first by IPv4, then by IPv6. */

#include <stdbool.h>
#include <stdint.h>

enum tcp_try { TCP_FIRST, TCP_SECOND };

/* Begins to connect: a nonblocking descriptor, or -1 with errno. */
int tcp_connect(uint16_t port, enum tcp_try which);
/* What became of it, once poll(2) says so: 0 or an errno. */
int tcp_error(int fd);
bool tcp_is_first(int fd);
