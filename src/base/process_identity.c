/* SPDX-License-Identifier: MIT */
/* Who a process is, over time: proc(5), pidfd_open(2). */
#include "base/error.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOOT_ID_LEN 36

static pthread_mutex_t boot_id_guard = PTHREAD_MUTEX_INITIALIZER;
static char boot_id[BOOT_ID_LEN + 1];

/* Where it is hidden for good all boots are one. */
static void read_boot_id(void)
{
    char read_id[BOOT_ID_LEN];
    auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, read_id, sizeof read_id) : -1;
    if (got < 0 && errno != ENOENT && errno != EACCES && errno != EPERM) {
        return;
    }
    memcpy(boot_id, got == BOOT_ID_LEN ? read_id : "00000000-0000-0000-0000-000000000000",
        BOOT_ID_LEN);
}

const char *process_boot_id(void)
{
    pthread_mutex_lock(&boot_id_guard);
    if (boot_id[0] == '\0') {
        read_boot_id();
    }
    bool is_read = boot_id[0] != '\0';
    pthread_mutex_unlock(&boot_id_guard);
    return is_read ? boot_id : "";
}

bool process_is_boot_other(const char *other)
{
    const char *ours = process_boot_id();
    return ours[0] != '\0' && strcmp(ours, other) != 0;
}

/* The command name may hold blanks and brackets, so fields are counted from the last ')'. */
bool process_parse_stat(const char *line, struct process_stat *stat)
{
    const char *fields = strrchr(line, ')');
    return fields != NULL && sscanf(fields,
                                 ") %c %*s %*s %*s %" SCNu32 " %*s %*s %*s %*s %*s %*s %" SCNu64
                                 " %" SCNu64 " %*s %*s %*s %*s %*s %*s %" SCNu64,
                                 &stat->state, &stat->terminal, &stat->user_ticks,
                                 &stat->system_ticks, &stat->start_time) == 5;
}

/* False with errno, ESRCH when there is no such process. */
static bool read_stat(pid_t pid, struct process_stat *stat)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[1024];
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (got <= 0) {
        /* One that may not be looked at is another user's, and none of those we look for. */
        bool is_none = got == 0 || errno == ENOENT || errno == EACCES || errno == EPERM;
        errno = is_none ? ESRCH : errno;
        return false;
    }
    text[got] = '\0';
    errno = ESRCH; /* for a line that is none */
    return process_parse_stat(text, stat);
}

bool process_identify(pid_t pid, struct process_identity *identity)
{
    struct process_stat line;
    errno = ESRCH;
    if (pid <= 0 || !read_stat(pid, &line)) {
        return false;
    }
    *identity = (struct process_identity){.pid = pid, .start_time = line.start_time};
    return true;
}

uint64_t process_cpu_ms(const struct process_identity *identity)
{
    struct process_stat line;
    if (!read_stat(identity->pid, &line) || line.start_time != identity->start_time) {
        return 0;
    }
    return (line.user_ticks + line.system_ticks) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

struct process_identity process_self(void)
{
    struct process_identity identity = {0};
    process_identify(getpid(), &identity);
    return identity;
}

enum process_life process_look(const struct process_identity *identity)
{
    struct process_stat line;
    if (identity->pid <= 0) {
        return PROCESS_GONE;
    }
    if (!read_stat(identity->pid, &line)) {
        return errno == ESRCH ? PROCESS_GONE : PROCESS_HIDDEN;
    }
    bool is_alive = line.start_time == identity->start_time && line.state != 'Z' &&
                    line.state != 'X' && line.state != 'x';
    return is_alive ? PROCESS_ALIVE : PROCESS_GONE;
}

bool process_is_alive(const struct process_identity *identity)
{
    return process_look(identity) == PROCESS_ALIVE;
}

bool process_is_gone(const struct process_identity *identity)
{
    return process_look(identity) == PROCESS_GONE;
}

int process_open(const struct process_identity *identity)
{
    errno = ESRCH;
    if (identity->pid <= 0) {
        return -1;
    }
    int fd = (int)syscall(SYS_pidfd_open, identity->pid, 0U);
    if (fd < 0) {
        return -1;
    }
    /* Compared after opening: from here on the descriptor cannot mean another process. */
    enum process_life life = process_look(identity);
    if (life != PROCESS_ALIVE) {
        int failure = life == PROCESS_GONE ? ESRCH : errno;
        close(fd);
        errno = failure;
        return -1;
    }
    return fd;
}

bool process_signal(const struct process_identity *identity, int number, struct error *err)
{
    auto_close int fd = process_open(identity);
    if (fd < 0 && errno == ESRCH) {
        return error_set(
            err, ERROR_NOT_FOUND, "process %d is not running any more", (int)identity->pid);
    }
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot look at process %d", (int)identity->pid);
    }
    if (syscall(SYS_pidfd_send_signal, fd, number, NULL, 0U) != 0) {
        return errno == ESRCH
                   ? error_set(err, ERROR_NOT_FOUND, "process %d is not running any more",
                         (int)identity->pid)
                   : error_set_errno(err, errno, "cannot signal process %d", (int)identity->pid);
    }
    return true;
}
