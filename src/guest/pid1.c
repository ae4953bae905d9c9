/* SPDX-License-Identifier: MIT */
#include "guest/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/boot_parts.h"
#include "guest/command.h"
#include "guest/facts.h"
#include "guest/guest.h"

/* FIFREEZE of linux/fs.h, which does not go together with sys/mount.h everywhere. */
#define FREEZE _IOWR('X', 119, int)
#define GRACE_MS 5000u /* for everybody to end after SIGTERM */
#define LAST_GRACE_MS 1000u
#define AGENT_PAUSE_MS 1000u

struct pid1 {
    struct facts *facts;
    pid_t entrypoint, agent;
    uint64_t agent_started_ms;
    bool has_agent;
    int disk_fd;
    int events_read, events_write; /* to the agent; both are kept, for the next one */
};

static void mount_rest(void)
{
    mount_try("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
    mount_try("mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    if (access("/sys/fs/cgroup", F_OK) == 0) {
        mount_try("cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    }
    mount_make_dir("/tmp", 0755);
    chmod("/tmp", 01777);
    mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL); /* as systemd does; containers rely on it */
    /* Programs expect these, and there is nobody else to make them. */
    (void)!symlink("/proc/self/fd", "/dev/fd");
    (void)!symlink("/proc/self/fd/0", "/dev/stdin");
    (void)!symlink("/proc/self/fd/1", "/dev/stdout");
    (void)!symlink("/proc/self/fd/2", "/dev/stderr");
}

static void tell_entrypoint(struct pid1 *self, const char *value)
{
    char *line = format_text("entrypoint=%s\n", value);
    facts_tell(self->facts, "entrypoint", value);
    (void)!write(self->events_write, line, strlen(line));
    free(line);
}

static void run_on_console(const struct command *command, const struct facts *facts, int failure)
{
    setsid();
    int console = open("/dev/console", O_RDWR);
    if (console >= 0) {
        ioctl(console, TIOCSCTTY, 1);
        dup2(console, STDIN_FILENO);
        dup2(console, STDOUT_FILENO);
        dup2(console, STDERR_FILENO);
        if (console > STDERR_FILENO) {
            close(console);
        }
    }
    command_exec(command, facts, failure);
}

static void start_entrypoint(struct pid1 *self)
{
    struct command command = {.is_tty = true};
    size_t at = 0;
    for (const char *word = facts_next(self->facts, "arg", &at); word != NULL;
         word = facts_next(self->facts, "arg", &at)) {
        list_add(&command.argv, word);
    }
    if (command.argv.count == 0) {
        return;
    }
    int failure[2];
    if (pipe2(failure, O_CLOEXEC) != 0) {
        die("cannot make a pipe: %m");
    }
    self->entrypoint = fork();
    if (self->entrypoint == 0) {
        run_on_console(&command, self->facts, failure[1]);
    }
    close(failure[1]);
    struct command_failure report;
    if (self->entrypoint > 0 && read(failure[0], &report, sizeof report) == sizeof report) {
        say("the image's program did not start: %s", report.text);
        char *value = format_text("failed:%s", report.text);
        tell_entrypoint(self, value);
        free(value);
        self->entrypoint = 0; /* reaped like anybody else's child */
    } else if (self->entrypoint > 0) {
        tell_entrypoint(self, "running");
    }
    close(failure[0]);
    command_done(&command);
}

static void entrypoint_ended(struct pid1 *self, int status)
{
    char *value;
    if (WIFSIGNALED(status)) {
        say("the image's program was ended by signal %d", WTERMSIG(status));
        value = format_text("signaled:%d", WTERMSIG(status));
    } else {
        say("the image's program ended with status %d", WEXITSTATUS(status));
        value = format_text("exited:%d", WEXITSTATUS(status));
    }
    tell_entrypoint(self, value);
    free(value);
    self->entrypoint = 0;
}

static void start_agent(struct pid1 *self)
{
    self->agent_started_ms = uptime_ms();
    self->agent = launch_agent(self->facts, self->events_read);
}

static void reap(struct pid1 *self)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == self->entrypoint) {
            entrypoint_ended(self, status);
        } else if (pid == self->agent) {
            self->agent = 0;
        }
    }
}

/* True once no child is left; every process that loses its parent becomes one. */
static bool wait_for_all(uint64_t grace_ms)
{
    uint64_t deadline = uptime_ms() + grace_ms;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return true;
        }
        if (pid == 0) {
            if (uptime_ms() >= deadline) {
                return false;
            }
            struct timespec step = {.tv_nsec = 5000000};
            nanosleep(&step, NULL);
        }
    }
}

static void end_machine(struct pid1 *self, bool is_reboot)
{
    say(is_reboot ? "restarting" : "powering off");
    if (self->agent > 0) {
        kill(self->agent, SIGKILL);
    }
    kill(-1, SIGTERM);
    kill(-1, SIGCONT);
    if (!wait_for_all(GRACE_MS)) {
        kill(-1, SIGKILL);
        wait_for_all(LAST_GRACE_MS);
    }
    sync();
    volumes_leave(self->facts);
    root_leave_work(self->facts);
    /* Whatever is left, the disk takes no more writes and needs no recovery at the next start. */
    mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
    ioctl(self->disk_fd, FREEZE, 0);
    reboot(is_reboot ? RB_AUTOBOOT : RB_POWER_OFF);
    die("the machine does not end: %m");
}

/* Sleeps until a signal, or until a dead agent may be started again. */
static int wait_for_signal(const struct pid1 *self, const sigset_t *signals)
{
    if (!self->has_agent || self->agent > 0) {
        return sigwaitinfo(signals, NULL);
    }
    uint64_t passed = uptime_ms() - self->agent_started_ms;
    uint64_t left = passed < AGENT_PAUSE_MS ? AGENT_PAUSE_MS - passed : 0;
    struct timespec pause = {
        .tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
    return sigtimedwait(signals, NULL, &pause);
}

void pid1_main(struct facts *facts, int disk_fd)
{
    struct pid1 self = {.facts = facts, .disk_fd = disk_fd, .events_read = -1, .events_write = -1};
    int events[2];
    sigset_t signals;
    sigfillset(&signals);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    reboot(RB_DISABLE_CAD); /* ctrl-alt-del becomes SIGINT */
    mount_rest();
    if (pipe2(events, O_CLOEXEC | O_NONBLOCK) == 0) {
        self.events_read = events[0];
        self.events_write = events[1];
    }
    self.has_agent = strcmp(facts_get(facts, "agent", ""), "none") != 0;
    start_entrypoint(&self);
    for (;;) {
        if (self.has_agent && self.agent <= 0 &&
            (self.agent_started_ms == 0 || uptime_ms() - self.agent_started_ms >= AGENT_PAUSE_MS)) {
            start_agent(&self);
        }
        int number = wait_for_signal(&self, &signals);
        if (number == SIGCHLD) {
            reap(&self);
        } else if (number == SIGINT || number == SIGTERM) {
            end_machine(&self, true);
        } else if (number == SIGUSR1 || number == SIGUSR2 || number == SIGPWR) {
            end_machine(&self, false);
        }
    }
}
