/* SPDX-License-Identifier: MIT */
#pragma once

/* Child processes: argv arrays only, never a shell; an explicit list of descriptors, default signal
 * dispositions, an empty signal mask. Identity of a process over time is boot id + pid + start
 * time; signals go by pidfd only. Workers and the monitor. Sources: pidfd_open(2), proc(5) stat
 * field 22, close_range(2). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cancel;
struct error;
struct strings;
struct text;

struct process_identity {
    pid_t pid;
    uint64_t start_time; /* clock ticks since boot, /proc/PID/stat field 22 */
};

struct process_spec {
    const char *const *argv; /* argv[0] is looked up in PATH unless it holds a slash */
    const char *const *env;  /* NULL: the caller's */
    int stdin_fd;            /* -1: /dev/null */
    int stdout_fd;           /* -1: /dev/null */
    int stderr_fd;           /* -1: /dev/null */
    int cwd_fd;              /* -1: the caller's */
    const int *keep_fds;     /* handed on under the same numbers */
    unsigned keep_count;
    bool is_new_session; /* setsid */
};

/* Starts it; *pidfd is the caller's to close. ERROR_NOT_FOUND when there is no such program. */
bool process_spawn(const struct process_spec *spec, pid_t *pid, int *pidfd, struct error *err);
/* Waits for a child of ours. status as from waitpid. TIMEOUT and CANCELLED leave it running. */
bool process_wait(pid_t pid, int pidfd, uint64_t timeout_ms, const struct cancel *cancel,
    int *status, struct error *err);
/* Runs to the end, collecting at most max_bytes of stdout and of stderr (either may be NULL);
 * on timeout or cancel the child is killed. A status other than 0 is not an error here. */
bool process_run(const char *const *argv, uint64_t timeout_ms, size_t max_bytes,
    const struct cancel *cancel, struct text *out, struct text *errors, int *status,
    struct error *err);

/* The same with a descriptor to read from; it stays the caller's. */
bool process_run_input(const char *const *argv, int stdin_fd, uint64_t timeout_ms, size_t max_bytes,
    const struct cancel *cancel, struct text *out, struct text *errors, int *status,
    struct error *err);

/* Absolute path of a program in PATH, caller frees; NULL when there is none. */
char *process_find(const char *program);

/* This boot: /proc/sys/kernel/random/boot_id, 36 characters. Read once; "" as long as the host keeps us
 * from reading it, which is no other boot: see process_is_boot_other. */
const char *process_boot_id(void);
/* Known to be of another boot than this one. */
bool process_is_boot_other(const char *boot_id);
/* What /proc/PID/stat says that is wanted here. */
struct process_stat {
    char state;
    uint32_t terminal;     /* field 7, a device number; 0 for none */
    uint64_t user_ticks;   /* field 14 */
    uint64_t system_ticks; /* field 15 */
    uint64_t start_time;   /* field 22 */
};

/* Reads the line of /proc/PID/stat; false when it is none. */
bool process_parse_stat(const char *line, struct process_stat *stat);
/* False with errno ESRCH when there is none; with another one nobody knows. */
bool process_identify(pid_t pid, struct process_identity *identity);
struct process_identity process_self(void);
/* Processor time it has used so far, user and system, all threads; 0 when it is gone. */
uint64_t process_cpu_ms(const struct process_identity *identity);
enum process_life {
    PROCESS_ALIVE,  /* that very process still runs: same start time, neither zombie nor dead */
    PROCESS_GONE,   /* it does not */
    PROCESS_HIDDEN, /* the host (too many open files) kept us from looking; errno */
};
enum process_life process_look(const struct process_identity *identity);
/* Known to be so. */
bool process_is_alive(const struct process_identity *identity);
bool process_is_gone(const struct process_identity *identity);
/* A pidfd of exactly that process, or -1 with errno: ESRCH when it is gone. */
int process_open(const struct process_identity *identity);
/* By pidfd after the identity check. ERROR_NOT_FOUND when it is gone. */
bool process_signal(const struct process_identity *identity, int number, struct error *err);
