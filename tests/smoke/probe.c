/* SPDX-License-Identifier: MIT */

/* The only program in the images of the boot tests: static, so that they need nothing else. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVED_FILE "/etc/served"

static int copy(int from)
{
    char bytes[32768];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < got;) {
            ssize_t done = write(STDOUT_FILENO, bytes + at, (size_t)(got - at));
            if (done <= 0) {
                return 1;
            }
            at += done;
        }
    }
    return got == 0 ? 0 : 1;
}

static int read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        fprintf(stderr, "%s: %m\n", path);
        return 1;
    }
    return copy(fd);
}

static int write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "%s: %m\n", path);
        return 1;
    }
    return 0;
}

/* Gives everybody back what they send, until they end. */
static int serve(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0) {
        fprintf(stderr, "%s port %s: %m\n", host, port);
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0 && fork() == 0) {
            dup2(client, STDOUT_FILENO);
            _exit(copy(client));
        }
        close(client);
    }
}

/* An address and a port in a file of the image: what a service is started by. */
static int serve_as_told(void)
{
    char address[64] = "", port[16] = "";
    FILE *file = fopen(SERVED_FILE, "r");
    return file != NULL && fscanf(file, "%63s %15s", address, port) == 2 ? serve(address, port) : 1;
}

static int tell_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%lld\n", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    return 0;
}

static void restart(int number)
{
    (void)number;
    reboot(RB_AUTOBOOT);
}

/* An init of the image's own: says so and reaps. */
static int be_init(void)
{
    struct sigaction action = {.sa_handler = restart};
    sigaction(SIGINT, &action, NULL);
    reboot(RB_DISABLE_CAD);
    printf("probe: PID %d, init of the image\n", (int)getpid());
    fflush(stdout);
    if (access(SERVED_FILE, F_OK) == 0 && fork() == 0) {
        _exit(serve_as_told());
    }
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD) {
            pause();
        }
    }
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    struct utsname system;
    if (getpid() == 1) {
        return be_init();
    }
    if (strcmp(verb, "cat") == 0) {
        return copy(STDIN_FILENO);
    }
    if (strcmp(verb, "read") == 0 && argc > 2) {
        return read_file(argv[2]);
    }
    if (strcmp(verb, "write") == 0 && argc > 3) {
        return write_file(argv[2], argv[3]);
    }
    if (strcmp(verb, "say") == 0 && argc > 3) {
        printf("%s %s\n", argv[2], getenv("GREETING") ? getenv("GREETING") : "?");
        fflush(stdout);
        return atoi(argv[3]);
    }
    if (strcmp(verb, "uname") == 0 && uname(&system) == 0) {
        printf("%s %s\n", system.sysname, system.nodename);
        return 0;
    }
    if (strcmp(verb, "terminal") == 0) {
        printf("%s\n", isatty(STDIN_FILENO) ? "terminal" : "no terminal");
        return 0;
    }
    if (strcmp(verb, "serve") == 0 && argc > 3) {
        return serve(argv[2], argv[3]);
    }
    if (strcmp(verb, "time") == 0) {
        return tell_time();
    }
    if (strcmp(verb, "settime") == 0 && argc > 2) {
        struct timespec wanted = {.tv_sec = atoll(argv[2])};
        return clock_settime(CLOCK_REALTIME, &wanted) == 0 ? 0 : 1;
    }
    if (strcmp(verb, "reboot") == 0) {
        return kill(1, SIGINT); /* as reboot(8) asks a small init */
    }
    fprintf(stderr, "probe: what?\n");
    return 64;
}
