/* SPDX-License-Identifier: MIT */
#include "guest/agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest/guest.h"

#define PORTS_DIR "/sys/class/virtio-ports"
#define VSOCK_DRIVER_DIR "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport"
#define PATIENCE_MS 10000u
#define BACKLOG 4

/* As in linux/vm_sockets.h, which not every libc has beside it. */
struct vsock_address {
    unsigned short family;
    unsigned short reserved;
    unsigned port;
    unsigned cid;
    unsigned char zero[4];
};
#define ANY_CID (~0u)

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

/* A socket that listens says nothing: it can be had without the device as well. */
static bool has_vsock(void)
{
    DIR *dir = opendir(VSOCK_DRIVER_DIR);
    bool is_there = false;
    if (dir == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && !is_there; entry = readdir(dir)) {
        is_there = strncmp(entry->d_name, "virtio", 6) == 0;
    }
    closedir(dir);
    return is_there;
}

/* -1 where the kernel has none. */
static int listen_on_vsock(void)
{
    struct vsock_address address = {.family = AF_VSOCK, .port = WIRE_VSOCK_PORT, .cid = ANY_CID};
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool watch(const struct line *line, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(line->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_port(const struct line *line)
{
    return watch(line, line->port, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP | EPOLLET);
}

/* Whichever of the two this machine has. */
static bool try_open(struct line *line)
{
    char *path = find_port();
    if (path != NULL) {
        line->port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        line->can_read = line->can_write = line->port >= 0;
        free(path);
        return line->port >= 0 && watch_port(line);
    }
    if (has_vsock()) {
        line->listener = listen_on_vsock();
        line->is_vsock = line->listener >= 0;
        return line->is_vsock && watch(line, line->listener, EPOLLIN);
    }
    return false;
}

bool line_open(struct line *line)
{
    uint64_t deadline = uptime_ms() + PATIENCE_MS;
    *line = (struct line){.port = -1, .listener = -1, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    while (line->epoll >= 0 && !try_open(line)) {
        if (uptime_ms() >= deadline) {
            return false;
        }
        struct timespec step = {.tv_nsec = 5000000};
        nanosleep(&step, NULL);
    }
    return line->epoll >= 0;
}

static void lose_connection(struct line *line)
{
    close(line->port);
    line->port = -1;
    line->can_read = line->can_write = false;
}

/* The newest host counts: one before it may have died without a word. What it says begins with the
 * protocol's marker, which ends whatever was under way. */
static void accept_connection(struct line *line)
{
    int fd = accept4(line->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (line->port >= 0) {
        lose_connection(line);
    }
    line->port = fd;
    line->can_read = line->can_write = true;
    watch_port(line);
}

void line_look(struct line *line)
{
    struct epoll_event events[2];
    int count = epoll_wait(line->epoll, events, 2, 0);
    for (int i = 0; i < count; i++) {
        if (line->is_vsock && events[i].data.fd == line->listener) {
            accept_connection(line);
        } else if (events[i].data.fd == line->port) {
            line->can_read = true;
            line->can_write = true;
        }
    }
}

ssize_t line_read(struct line *line, void *bytes, size_t len)
{
    ssize_t got = read(line->port, bytes, len);
    if (got > 0) {
        return got;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        line->can_read = errno == EINTR;
        return 0;
    }
    if (line->is_vsock) {
        lose_connection(line);
        return -1;
    }
    if (got < 0) {
        die("the agent's line failed: %m");
    }
    line->can_read = false;
    return -1;
}

ssize_t line_write(struct line *line, const void *bytes, size_t len)
{
    ssize_t done = write(line->port, bytes, len);
    if (done > 0) {
        return done;
    }
    if (done < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE && !line->is_vsock) {
        die("the agent's line failed: %m");
    }
    line->can_write = done < 0 && errno == EINTR; /* a lost connection shows itself to the reader */
    return 0;
}
