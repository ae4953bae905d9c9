/* SPDX-License-Identifier: MIT */
#pragma once

/* What operations need to know of this host. Workers only. */

struct ops;

/* Paths of the VMM programs as configured, else in PATH; NULL when missing. Caller frees. */
char *ops_find_qemu(const struct ops *ops);
char *ops_find_firecracker(const struct ops *ops);
/* "auto", "kvm", "tcg" as the flag, environment or configuration say; NULL for auto. */
const char *ops_accel_mode(const struct ops *ops);
