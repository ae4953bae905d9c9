/* SPDX-License-Identifier: MIT */

/* The guest's agent without a machine around it, for tests that need what it does and not only what
 * it says: the agent's own code, with a descriptor of the caller's where the virtio-serial port would
 * be, and this host's files, ports and programs for the guest's.
 *     real_agent LINE_FD
 * It ends with its parent. Powering off is SIGUSR1 for the parent. */

#include "guest/agent.h"
#include "guest/guest.h"
#include "guest/launch.h"
#include "guest/power.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int line_fd;

bool line_open(struct line *line)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLET};
    *line = (struct line){.port = line_fd, .can_read = true, .can_write = true};
    line->epoll = epoll_create1(EPOLL_CLOEXEC);
    return line->epoll >= 0 && epoll_ctl(line->epoll, EPOLL_CTL_ADD, line_fd, &event) == 0;
}

void line_look(struct line *line)
{
    struct epoll_event event;
    if (epoll_wait(line->epoll, &event, 1, 0) > 0) {
        line->can_read = line->can_write = true;
    }
}

ssize_t line_read(struct line *line, void *bytes, size_t len)
{
    ssize_t got = read(line->port, bytes, len);
    if (got == 0) {
        _exit(0); /* the machine is gone */
    }
    line->can_read = got > 0;
    return got > 0 ? got : 0;
}

ssize_t line_write(struct line *line, const void *bytes, size_t len)
{
    ssize_t done = write(line->port, bytes, len);
    line->can_write = done > 0;
    return done > 0 ? done : 0;
}

void power_end(const char *init, bool is_reboot)
{
    (void)init;
    (void)is_reboot;
    kill(getppid(), SIGUSR1);
}

/* Whoever runs the tests is the guest's root. */
int setgroups(size_t count, const gid_t *groups)
{
    (void)count;
    (void)groups;
    return 0;
}

int setgid(gid_t gid)
{
    (void)gid;
    return 0;
}

int setuid(uid_t uid)
{
    (void)uid;
    return 0;
}

int clock_settime(clockid_t clock, const struct timespec *now)
{
    (void)clock;
    say("the clock is set to %lld", (long long)now->tv_sec);
    return 0;
}

int main(int argc, char **argv)
{
    static const char text[] = "told=agent=real\ntold=init=/sbin/init\ninit_file=/sbin/init\n";
    int facts = memfd_create("facts", MFD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    if (argc != 2 || facts < 0 || write(facts, text, sizeof text - 1) < 0) {
        return 64;
    }
    lseek(facts, 0, SEEK_SET);
    line_fd = fcntl(atoi(argv[1]), F_DUPFD_CLOEXEC, 40);
    facts = fcntl(facts, F_DUPFD_CLOEXEC, 40);
    dup2(facts, LAUNCH_FACTS_FD);
    for (int fd = LAUNCH_EVENTS_FD; fd < 40; fd++) {
        close(fd);
    }
    fcntl(line_fd, F_SETFL, fcntl(line_fd, F_GETFL) | O_NONBLOCK);
    agent_main();
}
