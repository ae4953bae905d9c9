/* SPDX-License-Identifier: MIT */
#pragma once

/* Connections to ports of the machine's own: over its loopback first, then at each of its addresses,
 * for a service that listens nowhere else. */

#include <stdint.h>

/* Begins to connect, at the first address from number *try on that takes part at all; *try is then the
 * number to go on with. A nonblocking descriptor, or -1 with errno when there is no further address. */
int tcp_connect(uint16_t port, unsigned *try);
/* What became of it, once poll(2) says so: 0 or an errno. */
int tcp_error(int fd);
