/* SPDX-License-Identifier: MIT */
#include "vm/vsock_dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "vm/local_socket.h"

#define STEP_MIN_MS 10
#define STEP_MAX_MS 1000
#define ATTEMPT_MS 3000 /* some versions lose a connection that is made at the wrong moment */
#define ANSWER_PREFIX "OK "

void vsock_dial_init(struct vsock_dial *dial)
{
    *dial = (struct vsock_dial){.fd = -1, .step_ms = STEP_MIN_MS};
}

void vsock_dial_done(struct vsock_dial *dial)
{
    memory_auto_close(&dial->fd);
    vsock_dial_init(dial);
}

int vsock_dial_wait_ms(const struct vsock_dial *dial)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t due_ms = dial->fd >= 0 ? dial->give_up_ms : dial->next_ms;
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

void vsock_dial_hurry(struct vsock_dial *dial)
{
    dial->step_ms = STEP_MIN_MS;
    if (dial->fd < 0) {
        dial->next_ms = 0;
    }
}

static void try_later(struct vsock_dial *dial)
{
    memory_auto_close(&dial->fd);
    dial->fd = -1;
    dial->len = 0;
    dial->next_ms = clock_monotonic_ms() + dial->step_ms;
    dial->step_ms = dial->step_ms * 2 < STEP_MAX_MS ? dial->step_ms * 2 : STEP_MAX_MS;
}

static void begin(struct vsock_dial *dial, int vm_dir, const char *socket, unsigned port)
{
    char words[VSOCK_ANSWER_MAX];
    struct error ignored = {0};
    dial->give_up_ms = clock_monotonic_ms() + ATTEMPT_MS;
    int len = snprintf(words, sizeof(words), "CONNECT %u\n", port);
    /* A deadline of now: neither call waits. */
    dial->fd = local_socket_connect(vm_dir, socket, clock_monotonic_ms(), NULL, &ignored);
    if (dial->fd < 0 || write(dial->fd, words, (size_t)len) != len) {
        try_later(dial);
    }
}

/* Byte by byte: what follows the line feed is the guest's and not for here. */
static bool take_answer(struct vsock_dial *dial)
{
    while (dial->fd >= 0) {
        char byte = 0;
        ssize_t got = read(dial->fd, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return false;
        }
        if (got == 1 && byte == '\n') {
            bool is_ok = dial->len > strlen(ANSWER_PREFIX) &&
                         memcmp(dial->answer, ANSWER_PREFIX, strlen(ANSWER_PREFIX)) == 0;
            if (is_ok) {
                return true;
            }
        }
        if (got <= 0 || byte == '\n' || dial->len == sizeof(dial->answer)) {
            try_later(dial);
            return false;
        }
        dial->answer[dial->len++] = byte;
    }
    return false;
}

int vsock_dial_go_on(struct vsock_dial *dial, int vm_dir, const char *socket, unsigned port)
{
    if (dial->fd < 0 && vsock_dial_wait_ms(dial) == 0) {
        begin(dial, vm_dir, socket, port);
    }
    if (!take_answer(dial)) {
        if (dial->fd >= 0 && vsock_dial_wait_ms(dial) == 0) {
            try_later(dial);
        }
        return -1;
    }
    int fd = take_fd(&dial->fd);
    vsock_dial_init(dial);
    return fd;
}
