/* SPDX-License-Identifier: MIT */
#include "guest/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "guest/guest.h"

#define PORTS_DIR "/sys/class/virtio-ports"
#define PATIENCE_MS 10000u

/* The node of the port with our name; its number is not fixed. Caller frees. */
static char *find_port(void)
{
    DIR *dir = opendir(PORTS_DIR);
    char *found = NULL;
    if (dir == NULL) {
        return NULL;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && found == NULL;
         entry = readdir(dir)) {
        char *path = format_text(PORTS_DIR "/%s/name", entry->d_name);
        char *name = read_file(path, 128, NULL);
        if (name != NULL && strcmp(trim(name), WIRE_PORT_NAME) == 0) {
            found = format_text("/dev/%s", entry->d_name);
        }
        free(name);
        free(path);
    }
    closedir(dir);
    return found;
}

bool line_open(struct line *line)
{
    uint64_t deadline = uptime_ms() + PATIENCE_MS;
    for (;;) {
        char *path = find_port();
        int port = path == NULL ? -1 : open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        free(path);
        if (port >= 0) {
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLET};
            *line = (struct line){.port = port, .can_read = true, .can_write = true};
            line->epoll = epoll_create1(EPOLL_CLOEXEC);
            return line->epoll >= 0 && epoll_ctl(line->epoll, EPOLL_CTL_ADD, port, &event) == 0;
        }
        if (uptime_ms() >= deadline) {
            return false;
        }
        struct timespec step = {.tv_nsec = 5000000};
        nanosleep(&step, NULL);
    }
}

void line_look(struct line *line)
{
    struct epoll_event event;
    if (epoll_wait(line->epoll, &event, 1, 0) > 0) {
        line->can_read = true;
        line->can_write = true;
    }
}

ssize_t line_read(struct line *line, void *bytes, size_t len)
{
    ssize_t got = read(line->port, bytes, len);
    if (got > 0) {
        return got;
    }
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
        die("the agent's line failed: %m");
    }
    line->can_read = got < 0 && errno == EINTR;
    return got == 0 ? -1 : 0;
}

ssize_t line_write(struct line *line, const void *bytes, size_t len)
{
    ssize_t done = write(line->port, bytes, len);
    if (done > 0) {
        return done;
    }
    if (done < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE) {
        die("the agent's line failed: %m");
    }
    line->can_write = done < 0 && errno == EINTR;
    return 0;
}
