/* SPDX-License-Identifier: MIT */
#include "guest/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"
#include "guest/guest.h"

#define CHUNK ((size_t)64 << 10)

void copy_done(struct copy_request *request)
{
    free(request->path);
    free(request->name);
    *request = (struct copy_request){0};
}

const char *copy_parse(const struct wire_frame *frame, struct copy_request *request)
{
    struct wire_field field;
    uint64_t direction = WIRE_ERR;
    if (!wire_find(frame, WIRE_TAG_FORMAT, &field) ||
        !wire_field_number(&field, &request->format) || request->format != COPY_FORMAT) {
        return "the agent in the machine does not know this format of copies";
    }
    if (wire_find(frame, WIRE_TAG_NAME, &field)) {
        request->name = wire_field_text(&field);
        if (request->name == NULL || *request->name == '\0') {
            return "the name of a copy is empty or holds a NUL";
        }
    }
    if (wire_find(frame, WIRE_TAG_PATH, &field)) {
        request->path = wire_field_text(&field);
    }
    if (request->path == NULL || request->path[0] != '/') {
        return "a path in the machine begins with a slash";
    }
    if (!wire_find(frame, WIRE_TAG_DIRECTION, &field) || !wire_field_number(&field, &direction) ||
        direction > WIRE_OUT) {
        return "a copy goes into the machine or out of it";
    }
    request->is_into_guest = direction == WIRE_IN;
    return NULL;
}

/* ---- in the process ------------------------------------------------------------------------- */

static void fail(int failure_fd, const struct tree_failure *why) __attribute__((noreturn));

static void fail(int failure_fd, const struct tree_failure *why)
{
    struct command_failure failure = {.outcome = WIRE_OUTCOME_FAILED, .error = why->error};
    snprintf(failure.text, sizeof failure.text, "%s", why->text);
    (void)!write(failure_fd, &failure, sizeof failure);
    _exit(1);
}

static void send_tree(const char *path, int failure_fd)
{
    static char bytes[CHUNK];
    struct tree_failure failure;
    struct tree_pack *pack = tree_pack_open(path, true, &failure);
    ssize_t got = pack == NULL ? -1 : tree_pack_read(pack, bytes, sizeof bytes, &failure);
    while (got > 0 && write_all(STDOUT_FILENO, bytes, (size_t)got)) {
        got = tree_pack_read(pack, bytes, sizeof bytes, &failure);
    }
    if (got < 0) {
        fail(failure_fd, &failure);
    }
    _exit(got == 0 ? 0 : 1); /* nobody reads any more */
}

static void receive_tree(const struct copy_request *request, int failure_fd)
{
    static char bytes[CHUNK];
    struct tree_rules rules = {.keeps_owners = geteuid() == 0,
        .keeps_nodes = geteuid() == 0,
        .entries_max = UINT64_MAX,
        .bytes_max = UINT64_MAX};
    struct tree_failure failure;
    struct tree_take *take = tree_take_open(request->path, request->name, &rules, &failure);
    bool is_fine = take != NULL;
    ssize_t got = 0;
    while (is_fine && (got = read(STDIN_FILENO, bytes, sizeof bytes)) > 0) {
        is_fine = tree_take_feed(take, bytes, (size_t)got, &failure);
    }
    is_fine = is_fine && tree_take_finish(take, &failure);
    tree_take_free(take); /* what is not whole goes */
    if (!is_fine) {
        fail(failure_fd, &failure);
    }
    _exit(0);
}

static void become_copy(const struct copy_request *request, const int pipe_ends[2], int failure_fd)
{
    sigset_t none;
    sigemptyset(&none);
    setsid();
    umask(0);
    write_file("/proc/self/oom_score_adj", "0\n");
    /* The agent's descriptors are not for us: a line held open here would outlive it. */
    int place = request->is_into_guest ? STDIN_FILENO : STDOUT_FILENO;
    dup2(pipe_ends[request->is_into_guest ? 0 : 1], place);
    failure_fd = dup2(failure_fd, STDERR_FILENO + 1);
    for (int fd = failure_fd + 1; fd < 1024; fd++) {
        close(fd);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (request->is_into_guest) {
        /* Of a copy that is given up, what is not whole has to go yet. */
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGHUP, &ignore, NULL);
        receive_tree(request, failure_fd);
    }
    send_tree(request->path, failure_fd);
}

static int keep_end(int pair[2], unsigned which)
{
    close(pair[1 - which]);
    fcntl(pair[which], F_SETFL, fcntl(pair[which], F_GETFL) | O_NONBLOCK);
    return pair[which];
}

bool copy_start(const struct copy_request *request, struct exec_child *child)
{
    int data[2] = {-1, -1};
    int start[2] = {-1, -1};
    pid_t pid = -1;
    if (pipe2(data, O_CLOEXEC) == 0 && pipe2(start, O_CLOEXEC) == 0) {
        pid = fork();
    }
    if (pid == 0) {
        become_copy(request, data, start[1]);
        _exit(70);
    }
    int error = errno;
    if (pid < 0) {
        for (unsigned i = 0; i < 2; i++) {
            close(data[i]);
            close(start[i]);
        }
        errno = error;
        return false;
    }
    *child = (struct exec_child){.pid = pid, .in_fd = -1, .out_fd = -1, .err_fd = -1};
    int ours = keep_end(data, request->is_into_guest ? 1 : 0);
    child->start_fd = keep_end(start, 0);
    *(request->is_into_guest ? &child->in_fd : &child->out_fd) = ours;
    return true;
}
