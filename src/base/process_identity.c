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

static pthread_once_t boot_id_once = PTHREAD_ONCE_INIT;
static char boot_id[BOOT_ID_LEN + 1];

static void read_boot_id(void)
{
    auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, boot_id, BOOT_ID_LEN) != BOOT_ID_LEN) {
        memcpy(boot_id, "00000000-0000-0000-0000-000000000000", BOOT_ID_LEN);
    }
}

const char *process_boot_id(void)
{
    pthread_once(&boot_id_once, read_boot_id);
    return boot_id;
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

static bool read_stat(pid_t pid, struct process_stat *stat)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[1024];
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (got <= 0) {
        return false;
    }
    text[got] = '\0';
    return process_parse_stat(text, stat);
}

bool process_identify(pid_t pid, struct process_identity *identity)
{
    struct process_stat line;
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

bool process_is_alive(const struct process_identity *identity)
{
    struct process_stat line;
    return identity->pid > 0 && read_stat(identity->pid, &line) &&
           line.start_time == identity->start_time && line.state != 'Z' && line.state != 'X' &&
           line.state != 'x';
}

int process_open(const struct process_identity *identity)
{
    if (identity->pid <= 0) {
        return -1;
    }
    auto_close int fd = (int)syscall(SYS_pidfd_open, identity->pid, 0U);
    /* Compared after opening: from here on the descriptor cannot mean another process. */
    return fd >= 0 && process_is_alive(identity) ? take_fd(&fd) : -1;
}

bool process_signal(const struct process_identity *identity, int number, struct error *err)
{
    auto_close int fd = process_open(identity);
    if (fd < 0) {
        return error_set(
            err, ERROR_NOT_FOUND, "process %d is not running any more", (int)identity->pid);
    }
    if (syscall(SYS_pidfd_send_signal, fd, number, NULL, 0U) != 0) {
        return error_set_errno(err, errno, "cannot signal process %d", (int)identity->pid);
    }
    return true;
}
