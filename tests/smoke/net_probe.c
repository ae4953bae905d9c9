/* SPDX-License-Identifier: MIT */

/* A guest's side of the tests about networks, static, so that it needs nothing else:
 *     fetch ADDRESS PORT [SECONDS]   what a web server answers to GET /
 *     ping ADDRESS          one ICMP echo that came back
 *     serve PORT            says over TCP and UDP who asked, for ever
 *     resolver              the file /etc/resolv.conf */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 30

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static struct sockaddr_in place(const char *address, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
        to.sin_family = AF_UNSPEC;
    }
    return to;
}

static int copy_out(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        if (write(STDOUT_FILENO, bytes, (size_t)got) != got) {
            return 1;
        }
    }
    return got == 0 ? 0 : fail("read");
}

static int fetch(const char *address, const char *port, unsigned patience_s)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = place(address, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    alarm(patience_s);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        return fail("connect");
    }
    if (write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1) {
        return fail("write");
    }
    return copy_out(fd);
}

static int ping(const char *address)
{
    unsigned char echo[8] = {8, 0, 0xf7, 0xfd, 0, 1, 0, 1}; /* RFC 792, with its checksum */
    unsigned char answer[256];
    struct sockaddr_in to = place(address, "0");
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) {
        return fail("socket");
    }
    for (int i = 0; i < PATIENCE_S; i++) {
        struct pollfd line = {.fd = fd, .events = POLLIN};
        if (sendto(fd, echo, sizeof echo, 0, (struct sockaddr *)&to, sizeof to) < 0) {
            return fail("sendto");
        }
        while (poll(&line, 1, 1000) > 0) {
            ssize_t got = recv(fd, answer, sizeof answer, 0);
            if (got >= 28 && answer[20] == 0 && memcmp(answer + 12, &to.sin_addr, 4) == 0) {
                puts("pong");
                return 0;
            }
        }
    }
    return 1;
}

static void answer_udp(int fd)
{
    char text[INET_ADDRSTRLEN + 1];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    for (;;) {
        if (recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &len) >= 0) {
            inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
            (void)!sendto(fd, text, strlen(text), 0, (struct sockaddr *)&from, len);
        }
        len = sizeof from;
    }
}

static int serve(const char *port)
{
    struct sockaddr_in here = place("0.0.0.0", port);
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (tcp < 0 || udp < 0 || bind(tcp, (struct sockaddr *)&here, sizeof here) != 0 ||
        bind(udp, (struct sockaddr *)&here, sizeof here) != 0 || listen(tcp, 16) != 0) {
        return fail("listen");
    }
    puts("serving");
    fflush(stdout);
    if (fork() == 0) {
        answer_udp(udp);
    }
    for (;;) {
        char text[INET_ADDRSTRLEN];
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        int fd = accept(tcp, (struct sockaddr *)&from, &len);
        if (fd >= 0) {
            inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
            (void)!write(fd, text, strlen(text));
            close(fd);
        }
    }
}

static int resolver(void)
{
    FILE *file = fopen("/etc/resolv.conf", "r");
    return file == NULL ? fail("/etc/resolv.conf") : copy_out(fileno(file));
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "fetch") == 0 && argc > 3) {
        return fetch(argv[2], argv[3], argc > 4 ? (unsigned)atoi(argv[4]) : PATIENCE_S);
    }
    if (strcmp(verb, "ping") == 0 && argc > 2) {
        return ping(argv[2]);
    }
    if (strcmp(verb, "serve") == 0 && argc > 2) {
        return serve(argv[2]);
    }
    if (strcmp(verb, "resolver") == 0) {
        return resolver();
    }
    return 64;
}
