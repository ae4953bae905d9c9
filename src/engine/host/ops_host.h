/* SPDX-License-Identifier: MIT */
#pragma once

/* What operations need to know of this host. Workers only. */

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json;
struct ops;

/* MemTotal and MemAvailable of /proc/meminfo; zeros when it cannot be read. */
void ops_host_memory(uint64_t *total, uint64_t *available);

/* ops_cgroup.c. Removes control groups of machines that are nobody's, and what is left in them of a
 * machine that is down: adds what was done to done, or what would be to plan (the other is NULL). */
bool ops_cgroup_gc(struct ops *ops, struct json *done, struct json *plan, struct error *err);
void ops_cgroup_doctor(struct json *rows);
/* ops_store_doctor.c: that everything in the store can be read. */
void ops_store_doctor(struct ops *ops, struct json *rows);
/* ops_logout.c: what a logout does to machines. */
void ops_logout_doctor(struct ops *ops, struct json *rows);
