/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scratch.h"
#include "vm/machine.h"
#include "vm/net.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_publish_words(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *means; /* NULL: refused */
    } rows[] = {
        {"8080:80", "127.0.0.1:8080:80/tcp"},
        {"0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp"},
        {"53:53/udp", "127.0.0.1:53:53/udp"},
        {"0:22", "127.0.0.1:0:22/tcp"},
        {":22", "127.0.0.1:0:22/tcp"},
        {"10.0.0.1::22/tcp", "10.0.0.1:0:22/tcp"},
        {"", NULL},
        {"80", NULL},
        {"80:", NULL},
        {"80:0", NULL},
        {"80:65536", NULL},
        {"65536:80", NULL},
        {"-1:80", NULL},
        {"a:80", NULL},
        {"host:80:80", NULL},
        {"80:80/sctp", NULL},
        {"1.2.3:80:80", NULL},
        {"::1:80:80", NULL},
        {"80:80,guestfwd=x", NULL},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        struct machine_port port;
        bool is_read = net_parse_publish(rows[i].word, &port, &err);
        if (rows[i].means == NULL) {
            if (is_read) {
                fail_msg("\"%s\" was accepted", rows[i].word);
            }
            assert_code(err, ERROR_INVALID);
            continue;
        }
        char text[NET_PUBLISH_MAX];
        assert_fine(err);
        assert_string_equal(net_format_publish(&port, text), rows[i].means);
    }
}

static void test_clash_is_found(void **state)
{
    (void)state;
    struct error err = {0};
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    struct machine_port port = {
        .host_address = "127.0.0.1", .host_port = ntohs(address.sin_port), .guest_port = 80};
    assert_false(net_check_ports(&port, 1, &err));
    assert_code(err, ERROR_IN_USE);
    close(take_fd(&fd));
    error_clear(&err);
    assert_true(net_check_ports(&port, 1, &err));
    assert_fine(err);
    port.is_udp = true;
    assert_true(net_check_ports(&port, 1, &err));
}

static void test_clash_of_two(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_clash;
    } rows[] = {
        {"80:1", "80:2", true},
        {"0.0.0.0:80:1", "80:2", true},
        {"80:1", "0.0.0.0:80:2", true},
        {"80:1", "127.0.0.2:80:2", false},
        {"80:1", "80:2/udp", false},
        {"80:1", "81:1", false},
        {"0:1", "0:1", false},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        struct machine_port a, b;
        assert_true(net_parse_publish(rows[i].a, &a, &err));
        assert_true(net_parse_publish(rows[i].b, &b, &err));
        if (net_ports_clash(&a, &b) != rows[i].is_clash) {
            fail_msg("%s and %s", rows[i].a, rows[i].b);
        }
    }
}

static void test_address_of_another_host(void **state)
{
    (void)state;
    struct error err = {0};
    struct machine_port port = {.host_address = "203.0.113.77", .guest_port = 80};
    assert_false(net_check_ports(&port, 1, &err));
    assert_code(err, ERROR_INVALID);
}

/* As an ordinary user, whoever runs the test. Port 7 is nobody's in a namespace of its own. */
static _Noreturn void try_privileged(void)
{
    struct error err = {0};
    struct machine_port port = {.host_address = "127.0.0.1", .host_port = 7, .guest_port = 80};
    bool is_had = net_check_ports(&port, 1, &err);
    _exit(is_had || err.code != ERROR_PERMISSION || strstr(err.text, "127.0.0.1:7") == NULL);
}

static void test_privileged_port(void **state)
{
    (void)state;
    unsigned first = 0;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    if (file == NULL || fscanf(file, "%u", &first) != 1) {
        first = 1024;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (first <= 7) {
        skip(); /* this host gives every port to everybody */
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(2);
        }
        try_privileged();
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_free_ports_are_chosen(void **state)
{
    (void)state;
    struct error err = {0};
    struct machine_port ports[3] = {{.host_address = "127.0.0.1", .guest_port = 1},
        {.host_address = "127.0.0.1", .guest_port = 2},
        {.host_address = "127.0.0.1", .guest_port = 3, .is_udp = true}};
    assert_true(net_check_ports(ports, 3, &err));
    assert_int_not_equal(ports[0].host_port, 0);
    assert_int_not_equal(ports[1].host_port, 0);
    assert_int_not_equal(ports[2].host_port, 0);
    assert_int_not_equal(ports[0].host_port, ports[1].host_port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish_words),
        cmocka_unit_test(test_clash_is_found),
        cmocka_unit_test(test_clash_of_two),
        cmocka_unit_test(test_address_of_another_host),
        cmocka_unit_test(test_privileged_port),
        cmocka_unit_test(test_free_ports_are_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
