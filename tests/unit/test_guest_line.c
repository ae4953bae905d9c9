/* SPDX-License-Identifier: MIT */
/* The agent's line over a vsock: one that listens, hosts that come, go, and come again. Its socket is
 * one of this host's here; what must be true of the real one is checked where it is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guest/agent.h"
#include "guest/guest.h"
#include "support/scratch.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"

static struct {
    char *path; /* scratch */
    bool has_device;
    unsigned port;
    unsigned cid;
    uint64_t now_ms;
} host;

static struct sockaddr_un address_of_host(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/vsock", host.path);
    return address;
}

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    return __real_socket(domain == AF_VSOCK ? AF_UNIX : domain, type, protocol);
}

int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    uint32_t words[4];
    assert_int_equal(address->sa_family, AF_VSOCK);
    assert_int_equal(len, sizeof words);
    memcpy(words, address, sizeof words);
    host.port = words[1];
    host.cid = words[2];
    struct sockaddr_un ours = address_of_host();
    return __real_bind(fd, (struct sockaddr *)&ours, sizeof ours);
}

/* The guest's /sys, as far as it is asked. */
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    if (strncmp(path, "/sys/", 5) != 0) {
        return __real_opendir(path);
    }
    bool is_driver = strstr(path, "/drivers/vmw_vsock_virtio_transport") != NULL;
    auto_free char *there = memory_printf("%s/driver", host.path);
    return is_driver && host.has_device ? __real_opendir(there) : NULL;
}

/* Patience costs this test no time. */
uint64_t __wrap_uptime_ms(void);
uint64_t __wrap_uptime_ms(void)
{
    return host.now_ms += 1000;
}

static int connect_host(void)
{
    struct sockaddr_un address = address_of_host();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* As the agent's loop: sleeps until there is something, and asks what. */
static void await(struct line *line)
{
    struct pollfd ready = {.fd = line->epoll, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 30000), 1);
    line_look(line);
}

static void expect(struct line *line, const char *words)
{
    char bytes[64] = "";
    ssize_t got;
    while ((got = line_read(line, bytes, sizeof bytes - 1)) == 0) {
        await(line);
    }
    assert_int_equal(got, (ssize_t)strlen(words));
    assert_string_equal(bytes, words);
}

static void open_it(struct line *line)
{
    host.path = scratch_make();
    host.has_device = true;
    scratch_write(host.path, "driver/virtio4", "");
    assert_true(line_open(line));
    assert_false(line->can_read || line->can_write);
    assert_int_equal(host.port, WIRE_VSOCK_PORT);
    assert_true(host.port < 1024);
    assert_int_equal(host.cid, UINT32_MAX);
}

static void close_it(struct line *line)
{
    close(line->epoll);
    close(line->listener);
    if (line->port >= 0) {
        close(line->port);
    }
    scratch_remove(host.path);
}

static void test_bytes_go_both_ways(void **state)
{
    (void)state;
    struct line line;
    char bytes[8] = "";
    open_it(&line);
    int fd = connect_host();
    assert_int_equal(write(fd, "hello", 5), 5);
    await(&line);
    expect(&line, "hello");
    assert_true(line.can_write);
    assert_int_equal(line_write(&line, "yes", 3), 3);
    assert_int_equal(read(fd, bytes, sizeof bytes), 3);
    assert_string_equal(bytes, "yes");
    assert_int_equal(line_read(&line, bytes, sizeof bytes), 0);
    assert_false(line.can_read);
    close(fd);
    close_it(&line);
}

static void test_a_host_that_left_is_told_once(void **state)
{
    (void)state;
    struct line line;
    char byte;
    open_it(&line);
    for (int i = 0; i < 3; i++) {
        int fd = connect_host();
        await(&line);
        assert_int_equal(write(fd, "x", 1), 1);
        expect(&line, "x");
        close(fd);
        do {
            await(&line);
        } while (!line.can_read);
        assert_int_equal(line_read(&line, &byte, 1), -1);
        assert_false(line.can_read || line.can_write);
        /* Nothing keeps the agent awake now. */
        struct pollfd ready = {.fd = line.epoll, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 0), 0);
    }
    close_it(&line);
}

static void test_the_newest_host_counts(void **state)
{
    (void)state;
    struct line line;
    char byte;
    open_it(&line);
    int old = connect_host();
    await(&line);
    assert_int_equal(write(old, "old", 3), 3);
    int new = connect_host();
    assert_int_equal(write(new, "new", 3), 3);
    await(&line);
    expect(&line, "new");
    assert_true(read(old, &byte, 1) <= 0); /* hung up on */
    assert_int_equal(line_write(&line, "y", 1), 1);
    assert_int_equal(read(new, &byte, 1), 1);
    close(old);
    close(new);
    close_it(&line);
}

/* A vsock of the kernel's without a device would be one that nobody ever reaches. */
static void test_no_device_no_line(void **state)
{
    (void)state;
    struct line line;
    host.path = scratch_make();
    host.has_device = false;
    assert_false(line_open(&line));
    close(line.epoll);
    scratch_remove(host.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_both_ways),
        cmocka_unit_test(test_a_host_that_left_is_told_once),
        cmocka_unit_test(test_the_newest_host_counts),
        cmocka_unit_test(test_no_device_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
