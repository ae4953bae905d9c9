/* SPDX-License-Identifier: MIT */
#pragma once

/* A control group of a machine's own, where this host allows one without asking anybody: below the
 * group that we are in, in the version-2 hierarchy. It holds the machine's monitor, its VMM and what
 * serves them, so their use is counted together, and what is left of them can be found and ended. A
 * group that has no controllers still counts processor time. Everything else works without one.
 *
 * Used by the monitor, by whoever settles after one, and by workers. Source: the kernel's
 * admin-guide/cgroup-v2. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct strings;

#define CGROUP_PATH_MAX 512

/* The group that groups can be made in. Caller frees; NULL: ERROR_UNSUPPORTED or ERROR_PERMISSION. */
char *cgroup_parent(struct error *err);
/* Where the group of a machine is, if one can be made: a path, nothing is made yet. Caller frees;
 * NULL: none. */
char *cgroup_of_machine(const char *uuid);
/* The uuid in the path of such a group, borrowed; NULL: it is none. */
const char *cgroup_uuid(const char *path);

/* Makes it, unless it is there, and marks it as one of that state directory, where the kernel keeps
 * such marks. */
bool cgroup_make(const char *path, const char *state_path, struct error *err);
bool cgroup_is_of(const char *path, const char *state_path);
/* Moves a process there; 0: this one. */
bool cgroup_enter(const char *path, pid_t pid, struct error *err);
/* Has the kernel count all it can for it, where the group above, in which no process is left, is ours
 * alone; and no more, so that processes can go there again. */
void cgroup_count(const char *path, bool is_wanted);
/* Moves this process to the group above. True when it is there. */
bool cgroup_leave(const char *path);
/* Takes an empty group away, waiting a moment for the last process to be gone. True when it is not
 * there any more. */
bool cgroup_remove(const char *path);
/* SIGKILL to everything in it. */
void cgroup_kill(const char *path);
/* Waits so long for it; 0: not at all. */
bool cgroup_is_empty(const char *path, uint64_t timeout_ms);
/* All groups of machines that belong to this user, of whatever state directory: adds their paths. */
void cgroup_find(struct strings *paths);

/* What a group used so far; what its controllers do not count is not known. */
struct cgroup_use {
    bool has_cpu;
    bool has_memory;
    bool has_storage;
    uint64_t cpu_ms;
    uint64_t memory_bytes; /* with the page cache of its disks */
    uint64_t memory_peak_bytes;
    uint64_t read_bytes;
    uint64_t written_bytes;
    int cpu_pressure; /* hundredths of a percent of the last 10 s that something waited; -1: unknown */
    int memory_pressure;
};
void cgroup_read(const char *path, struct cgroup_use *use);
