/* SPDX-License-Identifier: MIT */
#include "vm/net_space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/securebits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define PROGRAM "slirp4netns"
#define TUN_FILE "/dev/net/tun"
#define BRIDGE "br0"
#define UPLINK "up0"
#define READY_TIMEOUT_MS 30000
#define END_TIMEOUT_MS 2000
#define TRY_TIMEOUT_MS 30000
#define TRY_OUTPUT_MAX 4096
#define COMMAND_LINE_MAX (64 * 1024)

/* ---- inside: the child, single-threaded, before its exec --------------------------------------- */

static bool write_line(const char *path, const char *line)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t len = (ssize_t)strlen(line);
    return fd >= 0 && write(fd, line, (size_t)len) == len;
}

/* Root makes do with a network namespace. An ordinary user needs a user namespace to be allowed one.
 * In it the user has the name of root, which slirp4netns asks for; to the rest of the host it stays
 * who it is. */
static bool unshare_network(bool *has_user_namespace)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    *has_user_namespace = unshare(CLONE_NEWNET) != 0;
    if (!*has_user_namespace) {
        return true;
    }
    if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)uid);
    if (!write_line("/proc/self/setgroups", "deny") || !write_line("/proc/self/uid_map", map)) {
        return false;
    }
    snprintf(map, sizeof(map), "0 %u 1\n", (unsigned)gid);
    return write_line("/proc/self/gid_map", map);
}

/* It stays when the descriptor closes, and whoever opens it needs to be its owner, no more. */
static bool make_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    auto_close int fd = open(TUN_FILE, O_RDWR | O_CLOEXEC);
    return fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 &&
           ioctl(fd, TUNSETOWNER, (unsigned long)geteuid()) == 0 &&
           ioctl(fd, TUNSETPERSIST, 1UL) == 0;
}

static bool set_up(int fd, const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
        return false;
    }
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static bool add_port(int fd, const char *name)
{
    struct ifreq request = {.ifr_ifindex = (int)if_nametoindex(name)};
    snprintf(request.ifr_name, sizeof(request.ifr_name), BRIDGE);
    return ioctl(fd, SIOCBRADDIF, &request) == 0 && set_up(fd, name);
}

/* Root by name alone: what is executed next has no capability in the namespace either. */
static bool give_up_rights(void)
{
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED;
    return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) == 0;
}

int net_space_enter(void)
{
    bool has_user_namespace = false;
    if (!unshare_network(&has_user_namespace) || !make_tap(UPLINK) || !make_tap(NET_SPACE_TAP)) {
        return errno;
    }
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_made = fd >= 0 && ioctl(fd, SIOCBRADDBR, BRIDGE) == 0 && add_port(fd, UPLINK) &&
                   add_port(fd, NET_SPACE_TAP) && set_up(fd, BRIDGE) && set_up(fd, "lo");
    is_made = is_made && (!has_user_namespace || give_up_rights());
    return is_made ? 0 : errno;
}

/* ---- outside ---------------------------------------------------------------------------------- */

/* Tried out by a program that does the same, so that the answer is the kernel's. */
static bool is_permitted(void)
{
    static const char *const as_root[] = {"unshare", "--net", "true", NULL};
    static const char *const as_user[] = {
        "unshare", "--user", "--map-root-user", "--net", "true", NULL};
    struct error ignored = {0};
    int status = -1;
    return (process_run(
                as_root, TRY_TIMEOUT_MS, TRY_OUTPUT_MAX, NULL, NULL, NULL, &status, &ignored) &&
               status == 0) ||
           (process_run(
                as_user, TRY_TIMEOUT_MS, TRY_OUTPUT_MAX, NULL, NULL, NULL, &status, &ignored) &&
               status == 0);
}

bool net_space_check(struct error *err)
{
    auto_free char *program = process_find(PROGRAM);
    if (program == NULL) {
        return error_set(err, ERROR_UNSUPPORTED,
            PROGRAM
            " is not installed, and a network in a namespace needs it: apt install " PROGRAM);
    }
    if (access(TUN_FILE, R_OK | W_OK) != 0) {
        return error_set_errno(
            err, errno, TUN_FILE " is not for this user, and a network in a namespace needs it");
    }
    return is_permitted() ||
           error_set(err, ERROR_PERMISSION,
               "this host gives this user no network namespace (user namespaces may be turned off "
               "by kernel.unprivileged_userns_clone or user.max_user_namespaces)");
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_ino == of_b.st_ino &&
           of_a.st_dev == of_b.st_dev;
}

static bool spawn(
    pid_t child, int ready_fd, int alive_fd, struct net_server *server, struct error *err)
{
    auto_free char *network = memory_printf("/proc/%d/ns/net", (int)child);
    auto_free char *user = memory_printf("/proc/%d/ns/user", (int)child);
    auto_done(strings) struct strings argv = {0};
    auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!is_same_file(user, "/proc/self/ns/user")) {
        /* Its sandbox wants to be root, which this user is only there. */
        strings_add(&argv, "nsenter");
        strings_printf(&argv, "--user=%s", user);
        strings_add(&argv, "--preserve-credentials");
    }
    strings_add(&argv, PROGRAM);
    /* The guest sees the world, but not what listens at this host's loopback. */
    strings_add(&argv, "--disable-host-loopback");
    strings_add(&argv, "--enable-sandbox");
    strings_add(&argv, "--enable-seccomp");
    strings_printf(&argv, "--ready-fd=%d", ready_fd);
    strings_printf(&argv, "--exit-fd=%d", alive_fd);
    strings_add(&argv, "--netns-type=path");
    strings_add(&argv, network);
    strings_add(&argv, UPLINK);
    const int keep[] = {ready_fd, alive_fd};
    struct process_spec process = {.argv = (const char *const *)argv.items,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .cwd_fd = root,
        .keep_fds = keep,
        .keep_count = array_length(keep),
        .is_new_session = true};
    return process_spawn(&process, &server->pid, &server->pidfd, err);
}

bool net_space_serve(pid_t child, int alive_fd, struct net_server *server, struct error *err)
{
    int ready[2];
    char word = 0;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        return error_set_errno(err, errno, "no pipe for " PROGRAM);
    }
    bool is_started = spawn(child, ready[1], alive_fd, server, err);
    close(ready[1]); /* else its end would not be seen */
    struct pollfd line = {.fd = ready[0], .events = POLLIN};
    uint64_t deadline = clock_deadline(READY_TIMEOUT_MS);
    bool is_ready = is_started;
    while (is_ready && poll(&line, 1, clock_left_ms(deadline)) < 0 && errno == EINTR) {
    }
    is_ready = is_ready && line.revents != 0 && read(ready[0], &word, 1) == 1;
    close(ready[0]);
    if (is_started && !is_ready) {
        return error_set(err, ERROR_VMM,
            PROGRAM " did not begin, so the machine would have no network: see `host doctor`, or "
                    "use --net none");
    }
    return is_ready;
}

/* Ours by its user, and that VMM's by what it was told to serve. */
static bool is_server_of(pid_t pid, const char *network)
{
    struct error ignored = {0};
    auto_done(text) struct text line = {0};
    auto_done(text) struct text status = {0};
    auto_free char *line_path = memory_printf("/proc/%d/cmdline", (int)pid);
    auto_free char *status_path = memory_printf("/proc/%d/status", (int)pid);
    unsigned uid = 0;
    bool is_program = false, is_meant = false;
    if (!file_read_all(AT_FDCWD, line_path, COMMAND_LINE_MAX, &line, &ignored) ||
        !file_read_all(AT_FDCWD, status_path, COMMAND_LINE_MAX, &status, &ignored)) {
        return false;
    }
    const char *row = strstr(text_cstr(&status), "\nUid:");
    text_cstr(&line);
    for (size_t at = 0; at < line.len; at += strlen(line.data + at) + 1) {
        is_program = is_program || strcmp(line.data + at, PROGRAM) == 0;
        is_meant = is_meant || strcmp(line.data + at, network) == 0;
    }
    return is_program && is_meant && row != NULL && sscanf(row, "\nUid: %u", &uid) == 1 &&
           uid == geteuid();
}

bool net_space_find(pid_t vmm, struct net_server *server)
{
    auto_free char *network = memory_printf("/proc/%d/ns/net", (int)vmm);
    auto_done(strings) struct strings entries = {0};
    struct error ignored = {0};
    file_list(AT_FDCWD, "/proc", &entries, &ignored);
    for (size_t i = 0; i < entries.count; i++) {
        struct process_identity identity;
        pid_t pid = (pid_t)strtol(entries.items[i], NULL, 10);
        if (pid <= 0 || !process_identify(pid, &identity) || !is_server_of(pid, network)) {
            continue;
        }
        int pidfd = process_open(&identity); /* still the one that was looked at */
        if (pidfd >= 0) {
            *server = (struct net_server){.pid = pid, .pidfd = pidfd};
            return true;
        }
    }
    return false;
}

int net_space_open_alive(pid_t vmm, int number)
{
    auto_free char *path = memory_printf("/proc/%d/fd/%d", (int)vmm, number);
    struct stat status;
    auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? take_fd(&fd) : -1;
}

void net_server_done(struct net_server *server)
{
    if (server->pid <= 0) {
        return;
    }
    struct pollfd gone = {.fd = server->pidfd, .events = POLLIN};
    if (poll(&gone, 1, END_TIMEOUT_MS) <= 0) {
        syscall(SYS_pidfd_send_signal, server->pidfd, SIGKILL, NULL, 0U);
        poll(&gone, 1, END_TIMEOUT_MS);
    }
    waitpid(server->pid, NULL, WNOHANG);
    close(server->pidfd);
    *server = (struct net_server){.pid = -1, .pidfd = -1};
}
