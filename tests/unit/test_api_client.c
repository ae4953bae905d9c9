/* SPDX-License-Identifier: MIT */
/* Calls of a VMM's interface, against the stand-in for Firecracker and against peers that do not
 * keep to the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "support/scratch.h"
#include "vm/api_client.h"
#include "vm/local_socket.h"

#define TIMEOUT_MS 20000

struct peer {
    char *path;
    struct api_target target;
    pid_t pid;
};

static void peer_make(struct peer *peer)
{
    struct error err = {0};
    *peer = (struct peer){.path = scratch_make(), .pid = -1};
    int dir = file_open_dir(AT_FDCWD, peer->path, &err);
    assert_fine(err);
    peer->target = (struct api_target){.dir = dir, .socket = "api.sock", .who = "Firecracker"};
}

static void peer_remove(struct peer *peer)
{
    if (peer->pid > 0) {
        kill(peer->pid, SIGKILL);
        waitpid(peer->pid, NULL, 0);
    }
    close(peer->target.dir);
    scratch_remove(peer->path);
}

static bool call(const struct peer *peer, const char *method, const char *path, const char *body,
    struct json **reply, struct error *err)
{
    struct error bad = {0};
    *err = (struct error){0};
    auto_json struct json *json =
        body == NULL ? NULL : json_parse(body, strlen(body), 4096, 8, "body", &bad);
    assert_fine(bad);
    return api_call(&peer->target, method, path, json, TIMEOUT_MS, NULL, reply, err);
}

/* The stand-in, in the scratch directory, once it answers. */
static void peer_start(struct peer *peer)
{
    const char *build = getenv("BUILDDIR");
    auto_free char *program =
        memory_printf("%s/tests/support/fake_firecracker", build != NULL ? build : ".");
    auto_free char *absolute = realpath(program, NULL);
    assert_non_null(absolute);
    peer_make(peer);
    peer->pid = fork();
    if (peer->pid == 0) {
        if (chdir(peer->path) == 0) {
            execl(absolute, absolute, "--api-sock", "api.sock", "--id", "x-1", (char *)NULL);
        }
        _exit(127);
    }
    uint64_t deadline = clock_deadline(TIMEOUT_MS);
    struct error err = {0};
    while (!call(peer, "GET", "/version", NULL, NULL, &err)) {
        assert_code(err, ERROR_NOT_FOUND);
        assert_int_not_equal(clock_left_ms(deadline), 0);
        poll(NULL, 0, 5);
    }
}

static void test_answers(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    peer_start(&peer);
    struct json *reply = NULL;
    assert_true(call(&peer, "GET", "/", NULL, &reply, &err));
    assert_string_equal(json_string(reply, "id", ""), "x-1");
    assert_string_equal(json_string(reply, "state", ""), "Not started");
    json_free(reply);
    /* A success without a document. */
    reply = NULL;
    assert_true(call(
        &peer, "PUT", "/machine-config", "{\"vcpu_count\":1,\"mem_size_mib\":64}", &reply, &err));
    assert_null(reply);
    peer_remove(&peer);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *body, *words;
    } rows[] = {
        {"PUT", "/machine-config", "{\"vcpu_count\":1,\"mem_size_mib\":64,\"new\":1}",
            "unknown field"},
        {"PUT", "/machine-config", "{\"vcpu_count\":1}", "missing field"},
        {"PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", "without kernel"},
        {"PATCH", "/vm", "{\"state\":\"Paused\"}", "before starting"},
        {"PUT", "/boot-source", "{\"kernel_image_path\":\"/nowhere\"}", "cannot be opened"},
        {"PUT", "/nowhere", "{}", "Invalid request"},
    };
    struct peer peer;
    peer_start(&peer);
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        assert_false(call(&peer, rows[i].method, rows[i].path, rows[i].body, NULL, &err));
        assert_code(err, ERROR_VMM);
        assert_non_null(strstr(err.text, rows[i].words));
        assert_non_null(strstr(err.text, rows[i].path));
    }
    peer_remove(&peer);
}

static void test_nobody_there(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    peer_make(&peer);
    assert_false(call(&peer, "GET", "/", NULL, NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    peer_remove(&peer);
}

/* One that takes the call and says nothing: the deadline ends it, and so does a cancel. */
static void test_silence(void **state)
{
    (void)state;
    struct peer peer;
    struct error err = {0};
    peer_make(&peer);
    auto_close int listener = local_socket_listen(peer.target.dir, "api.sock", &err);
    assert_true(listener >= 0);
    assert_false(api_call(&peer.target, "GET", "/", NULL, 50, NULL, NULL, &err));
    assert_code(err, ERROR_TIMEOUT);
    struct cancel *cancel = cancel_new();
    cancel_request(cancel);
    error_clear(&err);
    assert_false(api_call(&peer.target, "GET", "/", NULL, TIMEOUT_MS, cancel, NULL, &err));
    assert_code(err, ERROR_CANCELLED);
    cancel_free(cancel);
    peer_remove(&peer);
}

static void say(struct peer *peer, const char *words, size_t fill)
{
    struct error err = {0};
    auto_close int listener = local_socket_listen(peer->target.dir, "api.sock", &err);
    assert_fine(err);
    peer->pid = fork();
    if (peer->pid == 0) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        static const char page[4096] = {' '};
        char chunk[4096];
        poll(&ready, 1, -1);
        int fd = accept(listener, NULL, NULL);
        fcntl(fd, F_SETFL, 0);
        (void)!read(fd, chunk, sizeof chunk);
        (void)!send(fd, words, strlen(words), MSG_NOSIGNAL);
        for (size_t i = 0; i < fill / sizeof page; i++) {
            (void)!send(fd, page, sizeof page, MSG_NOSIGNAL);
        }
        _exit(0);
    }
    struct error failure = {0};
    assert_false(call(peer, "GET", "/", NULL, NULL, &failure));
    assert_int_not_equal(failure.code, ERROR_NONE);
    assert_int_not_equal(failure.code, ERROR_TIMEOUT);
    waitpid(peer->pid, NULL, 0);
    peer->pid = -1;
}

static void test_peers_that_lie(void **state)
{
    (void)state;
    struct peer peer;
    peer_make(&peer);
    say(&peer, "rubbish\r\n\r\n", 0);
    say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 0);
    say(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", 0);
    say(&peer, "HTTP/1.1 302 Found\r\nLocation: http://localhost/\r\nContent-Length: 0\r\n\r\n", 0);
    say(&peer, "HTTP/1.1 200 OK\r\n\r\n", (size_t)API_ANSWER_MAX * 2);
    peer_remove(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_peers_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
