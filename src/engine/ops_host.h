/* SPDX-License-Identifier: MIT */
#pragma once

/* What operations need to know of this host. Workers only. */

#include <stdint.h>

struct ops;

/* Paths of the VMM programs as configured, else in PATH; NULL when missing. Caller frees. */
char *ops_find_qemu(const struct ops *ops);
char *ops_find_firecracker(const struct ops *ops);
/* MemTotal and MemAvailable of /proc/meminfo; zeros when it cannot be read. */
void ops_host_memory(uint64_t *total, uint64_t *available);
/* "auto", "kvm", "tcg" as the flag, environment or configuration say; NULL for auto. */
const char *ops_accel_mode(const struct ops *ops);
