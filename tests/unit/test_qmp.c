/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scratch.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "vm/local_socket.h"
#include "vm/qmp.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define EVENT "{\"timestamp\": {\"seconds\": 1}, \"event\": \"RESUME\"}\r\n"

/* A peer that plays a script: before each of our lines it sends what stands before the '|'. */
struct peer {
    int fd;
    const char *const *script;
    pthread_t thread;
    int ours;
};

static void *play(void *context)
{
    struct peer *peer = context;
    auto_done(text) struct text pending = {0};
    auto_done(text) struct text line = {0};
    struct error err = {0};
    for (size_t i = 0; peer->script[i] != NULL; i++) {
        const char *words = peer->script[i];
        /* One byte at a time: lines must be put together. */
        for (size_t at = 0; words[at] != '\0'; at++) {
            if (send(peer->fd, words + at, 1, MSG_NOSIGNAL) != 1) {
                return NULL;
            }
        }
        if (peer->script[i + 1] != NULL && !local_socket_read_line(peer->fd, &pending, 1 << 20,
                                               &line, clock_deadline(60000), NULL, &err)) {
            return NULL;
        }
    }
    return NULL;
}

static void peer_start(struct peer *peer, const char *const *script)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    *peer = (struct peer){.fd = pair[0], .ours = pair[1], .script = script};
    assert_int_equal(pthread_create(&peer->thread, NULL, play, peer), 0);
}

static void peer_stop(struct peer *peer)
{
    shutdown(peer->fd, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->fd);
}

static void test_conversation(void **state)
{
    (void)state;
    static const char *const script[] = {GREETING, EVENT "{\"return\": {}, \"id\": 1}\n",
        EVENT EVENT "{\"return\": {\"status\": \"running\"}, \"id\": 2}\r\n" EVENT,
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}, \"id\": 3}\r\n",
        NULL};
    struct peer peer;
    struct qmp qmp;
    struct error err = {0};
    peer_start(&peer, script);
    assert_true(qmp_adopt(&qmp, peer.ours, 5000, NULL, &err));
    assert_fine(err);
    struct json *reply = NULL;
    assert_true(qmp_call(&qmp, "query-status", NULL, 5000, NULL, &reply, &err));
    assert_string_equal(json_string(reply, "status", ""), "running");
    json_free(reply);
    assert_false(qmp_call(&qmp, "frobnicate", NULL, 5000, NULL, NULL, &err));
    assert_code(err, ERROR_VMM);
    assert_non_null(strstr(err.text, "no such thing"));
    assert_non_null(strstr(err.text, "frobnicate"));
    qmp_done(&qmp);
    peer_stop(&peer);
}

static void test_late_answers_are_dropped(void **state)
{
    (void)state;
    static const char *const script[] = {GREETING, "{\"return\": {}, \"id\": 1}\n",
        "", /* the first call gets nothing in time */
        "{\"return\": {\"n\": 2}, \"id\": 2}\r\n{\"return\": {\"n\": 3}, \"id\": 3}\r\n", NULL};
    struct peer peer;
    struct qmp qmp;
    struct error err = {0};
    peer_start(&peer, script);
    assert_true(qmp_adopt(&qmp, peer.ours, 5000, NULL, &err));
    assert_false(qmp_call(&qmp, "slow", NULL, 20, NULL, NULL, &err));
    assert_code(err, ERROR_TIMEOUT);
    error_clear(&err);
    struct json *reply = NULL;
    assert_true(qmp_call(&qmp, "next", NULL, 5000, NULL, &reply, &err));
    assert_int_equal(json_integer(reply, "n", 0), 3);
    json_free(reply);
    qmp_done(&qmp);
    peer_stop(&peer);
}

static void test_not_qemu(void **state)
{
    (void)state;
    static const char *const scripts[][2] = {{"{\"return\": {}}\r\n", NULL},
        {"HTTP/1.1 400 Bad Request\r\n", NULL}, {"{\"QMP\"\n", NULL}, {"", NULL}};
    for (size_t i = 0; i < array_length(scripts); i++) {
        struct peer peer;
        struct qmp qmp;
        struct error err = {0};
        peer_start(&peer, scripts[i]);
        assert_false(qmp_adopt(&qmp, peer.ours, i == 3 ? 20 : 5000, NULL, &err));
        assert_int_not_equal(err.code, ERROR_NONE);
        peer_stop(&peer);
    }
}

static void test_endless_line(void **state)
{
    (void)state;
    char *flood = memory_alloc(QMP_LINE_MAX + 100000);
    memset(flood, 'x', QMP_LINE_MAX + 99999);
    flood[QMP_LINE_MAX + 99999] = '\0';
    int pair[2];
    struct qmp qmp;
    struct error err = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const char *const script[] = {flood, NULL};
    struct peer peer;
    close(pair[0]);
    close(pair[1]);
    peer_start(&peer, script);
    assert_false(qmp_adopt(&qmp, peer.ours, 60000, NULL, &err));
    assert_code(err, ERROR_LIMIT);
    peer_stop(&peer);
    free(flood);
}

static void *cancel_soon(void *context)
{
    poll(NULL, 0, 20);
    cancel_request(context);
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    static const char *const script[] = {"", NULL};
    struct peer peer;
    struct qmp qmp;
    struct error err = {0};
    struct cancel *cancel = cancel_new();
    pthread_t thread;
    peer_start(&peer, script);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
    assert_false(qmp_adopt(&qmp, peer.ours, 60000, cancel, &err));
    assert_code(err, ERROR_CANCELLED);
    pthread_join(thread, NULL);
    cancel_free(cancel);
    peer_stop(&peer);
}

/* A path longer than sun_path is reached through the directory's descriptor; nobody listening is a
 * failure of its own. */
static void test_long_paths(void **state)
{
    (void)state;
    struct error err = {0};
    struct qmp qmp;
    char *path = scratch_make();
    auto_free char *deep = memory_printf("%s/%0200d", path, 1);
    assert_int_equal(mkdir(deep, 0700), 0);
    auto_close int dir = file_open_dir(AT_FDCWD, deep, &err);
    assert_false(qmp_open(&qmp, dir, "control.sock", 1000, NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    error_clear(&err);
    auto_close int listener = local_socket_listen(dir, "control.sock", &err);
    assert_true(listener >= 0);
    struct stat info;
    assert_int_equal(fstatat(dir, "control.sock", &info, 0), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    /* Nobody accepts: the greeting does not come. */
    assert_false(qmp_open(&qmp, dir, "control.sock", 20, NULL, &err));
    assert_code(err, ERROR_TIMEOUT);
    error_clear(&err);
    close(take_fd(&listener));
    assert_false(qmp_open(&qmp, dir, "control.sock", 1000, NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    /* A stale socket is replaced. */
    error_clear(&err);
    listener = local_socket_listen(dir, "control.sock", &err);
    assert_true(listener >= 0);
    scratch_remove(path);
}

/* Reads what was sent up to there, and the descriptor that came with it. */
static int receive_fd(int socket_fd, struct text *sent)
{
    int fd = -1;
    char bytes[1024];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    for (;;) {
        struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
        struct msghdr message = {.msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof control.bytes};
        ssize_t got = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got <= 0) {
            return fd;
        }
        text_append_bytes(sent, bytes, (size_t)got);
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header != NULL) {
            assert_int_equal(header->cmsg_type, SCM_RIGHTS);
            memcpy(&fd, CMSG_DATA(header), sizeof fd);
        }
    }
}

/* It arrives with the call that gives it its name, as a descriptor of the same file. */
static void test_descriptor(void **state)
{
    (void)state;
    static const char answers[] =
        GREETING "{\"return\": {}, \"id\": 1}\n" EVENT "{\"return\": {}, \"id\": 2}\n";
    int pair[2], ends[2];
    struct qmp qmp;
    struct error err = {0};
    char byte = 0;
    auto_done(text) struct text sent = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(send(pair[0], answers, strlen(answers), 0), strlen(answers));
    assert_true(qmp_adopt(&qmp, pair[1], 5000, NULL, &err));
    assert_true(qmp_pass_fd(&qmp, "memory", ends[1], 5000, NULL, &err));
    int fd = receive_fd(pair[0], &sent);
    assert_true(fd >= 0);
    assert_non_null(strstr(text_cstr(&sent), "\"getfd\""));
    assert_non_null(strstr(text_cstr(&sent), "\"memory\""));
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(fd);
    close(pair[0]);
    assert_false(qmp_pass_fd(&qmp, "memory", ends[1], 5000, NULL, &err));
    qmp_done(&qmp);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_late_answers_are_dropped),
        cmocka_unit_test(test_not_qemu),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_long_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
