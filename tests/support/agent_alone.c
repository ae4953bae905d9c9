/* SPDX-License-Identifier: MIT */
#include "support/agent_alone.h"

#include "guest/agent.h"
#include "guest/guest.h"
#include "guest/launch.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PORT_FD 20
#define ASIDE_FD 30 /* from here on while the others are closed */
#define LAST_FD 60

static struct agent_alone settings;

bool line_open(struct line *line)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLET};
    *line = (struct line){.port = PORT_FD, .can_read = true, .can_write = true};
    line->epoll = epoll_create1(EPOLL_CLOEXEC);
    return line->epoll >= 0 && epoll_ctl(line->epoll, EPOLL_CTL_ADD, PORT_FD, &event) == 0;
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
    if (got == 0 && settings.ends_with_line) {
        _exit(0); /* the machine is gone */
    }
    line->can_read = got > 0;
    return got > 0 ? got : got == 0 ? -1 : 0;
}

/* A port that takes little at a time cuts frames everywhere. */
ssize_t line_write(struct line *line, const void *bytes, size_t len)
{
    size_t most = settings.write_max;
    ssize_t done = write(line->port, bytes, most == 0 || len < most ? len : most);
    line->can_write = done > 0;
    return done > 0 ? done : 0;
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

void agent_alone_run(const struct agent_alone *alone)
{
    int facts = memfd_create("facts", 0);
    size_t len = strlen(alone->facts);
    settings = *alone;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
    if (facts < 0 || write(facts, alone->facts, len) != (ssize_t)len ||
        lseek(facts, 0, SEEK_SET) != 0) {
        _exit(70);
    }
    facts = fcntl(facts, F_DUPFD, ASIDE_FD);
    int events = alone->events < 0 ? -1 : fcntl(alone->events, F_DUPFD, ASIDE_FD);
    int port = fcntl(alone->port, F_DUPFD, ASIDE_FD);
    dup2(facts, LAUNCH_FACTS_FD);
    close(LAUNCH_EVENTS_FD);
    if (events >= 0) {
        dup2(events, LAUNCH_EVENTS_FD);
    }
    dup3(port, PORT_FD, O_CLOEXEC);
    for (int fd = LAUNCH_EVENTS_FD + 1; fd < LAST_FD; fd++) {
        if (fd != PORT_FD) {
            close(fd);
        }
    }
    fcntl(PORT_FD, F_SETFL, fcntl(PORT_FD, F_GETFL) | O_NONBLOCK);
    agent_main();
}
