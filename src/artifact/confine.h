/* SPDX-License-Identifier: MIT */
#pragma once

/* What a process gives up before it parses bytes that nobody vouches for: new privileges, core
 * dumps, memory, processor time, large files, descriptors; by Landlock writing anywhere but below
 * one directory and TCP; by seccomp sockets, other processes and programs, mounts and looking into
 * processes, but not threads of its own. The
 * limits always hold; Landlock and seccomp as far as the kernel has them. For the whole process,
 * and for good. Sources: prctl(2), setrlimit(2), landlock(7), seccomp(2). */

#include <stdbool.h>
#include <stdint.h>

struct error;

struct confine {
    int writable_dir;
    uint64_t memory_bytes;
    uint64_t file_bytes;
    uint64_t cpu_seconds;
    uint64_t descriptors;
};

/* What came into force. */
struct confine_result {
    bool has_landlock;
    bool has_seccomp;
};

bool confine_self(const struct confine *confine, struct confine_result *result, struct error *err);
