/* SPDX-License-Identifier: MIT */
#pragma once

/* The sockets that somebody in the machine listens on, from /proc/net. */

#include <stdbool.h>

#include "guest/guest.h"

/* Adds "tcp=0.0.0.0 22 sshd" and the like. False with errno when /proc does not tell. */
bool ports_list(struct list *lines);
