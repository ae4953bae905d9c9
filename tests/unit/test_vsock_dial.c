/* SPDX-License-Identifier: MIT */
/* The handshake before a vsock, with peers that answer well, late, badly and not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "support/scratch.h"
#include "vm/local_socket.h"
#include "vm/vsock_dial.h"

#define SOCKET "vsock.sock"
#define PORT 1022
#define TIMEOUT_MS 20000

struct peer {
    char *path;
    int dir;
    int listener;
    struct vsock_dial dial;
};

static void peer_make(struct peer *peer)
{
    struct error err = {0};
    *peer = (struct peer){.path = scratch_make()};
    peer->dir = file_open_dir(AT_FDCWD, peer->path, &err);
    peer->listener = local_socket_listen(peer->dir, SOCKET, &err);
    assert_fine(err);
    vsock_dial_init(&peer->dial);
}

static void peer_remove(struct peer *peer)
{
    vsock_dial_done(&peer->dial);
    close(peer->listener);
    close(peer->dir);
    scratch_remove(peer->path);
}

/* One step of the dial, after waiting as the monitor's loop would. */
static int step(struct peer *peer)
{
    struct pollfd ready = {.fd = peer->dial.fd, .events = POLLIN};
    int wait_ms = vsock_dial_wait_ms(&peer->dial);
    poll(&ready, 1, wait_ms >= 0 ? wait_ms : TIMEOUT_MS);
    return vsock_dial_go_on(&peer->dial, peer->dir, SOCKET, PORT);
}

/* Takes the attempt that is on its way, holds its words against the protocol, and answers. */
static void answer(struct peer *peer, const char *words)
{
    char asked[64] = "";
    struct error err = {0};
    while (peer->dial.fd < 0) {
        assert_int_equal(step(peer), -1);
    }
    local_socket_wait(peer->listener, POLLIN, clock_deadline(TIMEOUT_MS), NULL, &err);
    assert_fine(err);
    auto_close int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(
        local_socket_receive(fd, asked, sizeof asked - 1, clock_deadline(TIMEOUT_MS), NULL, &err),
        13);
    assert_string_equal(asked, "CONNECT 1022\n");
    assert_int_equal(write(fd, words, strlen(words)), strlen(words));
}

static void test_what_follows_is_the_guests(void **state)
{
    (void)state;
    struct peer peer;
    char bytes[16] = "";
    peer_make(&peer);
    answer(&peer, "OK 1073741824\nhello");
    auto_close int fd = step(&peer);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    peer_remove(&peer);
}

/* Until somebody listens in the guest it is hung up on; then it gets through, and in between it
 * asks less and less often. */
static void test_tries_again(void **state)
{
    (void)state;
    static const char *const refusals[] = {
        "", "", "ERROR\n", "OK\n", "rubbish without an end, and more of it, and more"};
    struct peer peer;
    uint64_t before_ms = 0;
    peer_make(&peer);
    for (size_t i = 0; i < array_length(refusals); i++) {
        answer(&peer, refusals[i]);
        assert_int_equal(step(&peer), -1);
        assert_int_equal(peer.dial.fd, -1);
        assert_true(peer.dial.step_ms > before_ms);
        before_ms = peer.dial.step_ms;
    }
    answer(&peer, "OK 1\n");
    auto_close int fd = step(&peer);
    assert_true(fd >= 0);
    peer_remove(&peer);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct peer peer;
    peer_make(&peer);
    assert_int_equal(unlinkat(peer.dir, SOCKET, 0), 0);
    assert_int_equal(vsock_dial_wait_ms(&peer.dial), 0);
    assert_int_equal(vsock_dial_go_on(&peer.dial, peer.dir, SOCKET, PORT), -1);
    assert_int_equal(peer.dial.fd, -1);
    assert_true(peer.dial.next_ms > 0);
    peer_remove(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_follows_is_the_guests),
        cmocka_unit_test(test_tries_again),
        cmocka_unit_test(test_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
