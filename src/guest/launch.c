/* SPDX-License-Identifier: MIT */
#include "guest/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"

/* dup2 that also works when both are the same, and leaves the new one open across exec. */
static void place(int fd, int wanted)
{
    if (fd == wanted) {
        fcntl(fd, F_SETFD, 0);
    } else {
        dup2(fd, wanted);
    }
}

static void become_agent(int facts_fd, int events_fd)
{
    setsid();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0) {
        dup2(null_fd, STDIN_FILENO);
        dup2(null_fd, STDOUT_FILENO);
    }
    /* Out of the way first, in case one sits where the other goes. */
    facts_fd = fcntl(facts_fd, F_DUPFD_CLOEXEC, 10);
    events_fd = events_fd < 0 ? -1 : fcntl(events_fd, F_DUPFD_CLOEXEC, 10);
    place(facts_fd, LAUNCH_FACTS_FD);
    if (events_fd >= 0) {
        place(events_fd, LAUNCH_EVENTS_FD);
    } else {
        close(LAUNCH_EVENTS_FD);
    }
    char name[] = LAUNCH_AGENT_NAME;
    char *const argv[] = {name, NULL};
    char *const env[] = {NULL};
    execve(LAUNCH_PROGRAM, argv, env);
    die("cannot start the agent: %m");
}

pid_t launch_agent(const struct facts *facts, int events_fd)
{
    char *text = facts_format(facts);
    int facts_fd = memfd_create("facts", MFD_CLOEXEC);
    pid_t pid = -1;
    if (facts_fd >= 0 && write_all(facts_fd, text, strlen(text)) &&
        lseek(facts_fd, 0, SEEK_SET) == 0) {
        pid = fork();
        if (pid == 0) {
            become_agent(facts_fd, events_fd);
        }
    }
    if (pid < 0) {
        say("cannot start the agent: %m");
    }
    if (facts_fd >= 0) {
        close(facts_fd);
    }
    free(text);
    return pid;
}
