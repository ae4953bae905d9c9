/* SPDX-License-Identifier: MIT */
#pragma once

/* What goes wrong around a console at work, drawn by its monkey: other seats that change things,
 * processes of its machines that die or stand still, files that are spoiled. Include cmocka's
 * headers first. */

#include "tui/console_world.h"
#include "tui/monkey.h"

#include "base/clock.h"
#include "base/units.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>

#define SEATS_MAX 4

/* ---- other seats ---- */

struct seats {
    pid_t pids[SEATS_MAX]; /* 0: free */
};

static inline pid_t seat_start(const struct console_world *world, const char *words)
{
    auto_free char *all = memory_printf("--lock-timeout 1s --timeout 20s %s", words);
    return world_batch_start(world, all, true);
}

/* Starts a command of another seat, unless enough of them are at work. */
static inline void sit_down_elsewhere(
    const struct console_world *world, struct seats *seats, struct monkey *monkey)
{
    static const char *const words[] = {"kernel pull fine --if-absent", "kernel rm fine --force",
        "kernel pull slow --force", "host trash empty", "catalog refresh", "kernel verify",
        "vm run small --name m1 --detach", "vm stop m1", "vm kill m1", "vm kill m2",
        "vm rm m1 --force", "vm rm m4 --force", "vm rm m5 --force", "vm rename m8 m9", "vm rm m9",
        "vm restart m1", "vm pause m1", "vm resume m1", "image rm small --force",
        "host trash restore small", "host trash restore k", "vm prune", "host gc"};
    const char *drawn = monkey_pick(monkey, words);
    for (size_t i = 0; i < SEATS_MAX; i++) {
        int status = 0;
        if (seats->pids[i] == 0 || waitpid(seats->pids[i], &status, WNOHANG) == seats->pids[i]) {
            monkey_note(monkey, drawn);
            seats->pids[i] = seat_start(world, drawn);
            return;
        }
    }
}

/* ---- processes ---- */

/* Whether that file of a process (its words, its environment) speaks of the world. */
static inline bool speaks_of(const char *pid, const char *file, const char *dir)
{
    struct error err = {0};
    auto_free char *path = memory_printf("/proc/%s/%s", pid, file);
    auto_done(text) struct text content = {0};
    return file_read_all(AT_FDCWD, path, 1 << 20, &content, &err) &&
           memmem(text_cstr(&content), content.len, dir, strlen(dir)) != NULL;
}

/* What has a console's words is one, or what a sanitizer makes of it at its end. */
static inline bool is_without_screen(const char *pid)
{
    return speaks_of(pid, "cmdline", "--batch") || speaks_of(pid, "cmdline", "monitor") ||
           speaks_of(pid, "cmdline", "fake_qemu");
}

/* Monitors, VMMs, other seats and jobs without a screen; not the console itself. Returns how many
 * were put into pids. */
static inline size_t find_kin(const struct console_world *world, pid_t *pids, size_t max)
{
    size_t count = 0;
    pid_t console = world->pty != NULL ? pty_pid(world->pty) : -1;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 1 || pid == getpid() || pid == console || count == max) {
            continue;
        }
        bool is_kin = speaks_of(entry->d_name, "cmdline", world->dir) ||
                      speaks_of(entry->d_name, "environ", world->dir);
        if (is_kin && (console == -1 || is_without_screen(entry->d_name))) {
            pids[count++] = pid;
        }
    }
    closedir(proc);
    return count;
}

static inline void hit_a_process(const struct console_world *world, struct monkey *monkey)
{
    static const int signals[] = {SIGKILL, SIGKILL, SIGTERM, SIGSTOP, SIGCONT, SIGABRT};
    pid_t pids[64];
    size_t count = find_kin(world, pids, array_length(pids));
    int number = monkey_pick(monkey, signals);
    uint32_t which = monkey_draw(monkey, 1 << 20);
    if (count > 0) {
        char what[48];
        snprintf(what, sizeof(what), "<signal %d of %zu>", number, count);
        monkey_note(monkey, what);
        kill(pids[which % count], number);
    }
}

/* Until none is left. */
static inline void end_kin(const struct console_world *world, struct seats *seats)
{
    pid_t pids[64];
    uint64_t deadline = clock_deadline(PTY_WAIT_MS);
    for (size_t count = 1; count > 0;) {
        for (size_t i = 0; i < SEATS_MAX; i++) {
            if (seats->pids[i] != 0 && waitpid(seats->pids[i], NULL, WNOHANG) != 0) {
                seats->pids[i] = 0;
            }
        }
        count = find_kin(world, pids, array_length(pids));
        for (size_t i = 0; i < count; i++) {
            kill(pids[i], SIGKILL);
        }
        assert_true(clock_left_ms(deadline) > 0);
        poll(NULL, 0, count > 0 ? 10 : 0);
    }
}

/* ---- files ---- */

static inline void collect_files(const char *dir, const char *below, int depth, struct strings *all)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/%s", dir, below);
    auto_done(strings) struct strings names = {0};
    if (depth == 0 || !file_list(AT_FDCWD, path, &names, &err)) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *name = memory_printf("%s/%s", below, names.items[i]);
        strings_add(all, name);
        collect_files(dir, name, depth - 1, all);
    }
}

/* One file or directory of the state becomes something else, as by an editor, a disk or a hand. */
static inline void spoil(const char *path, struct monkey *monkey)
{
    static const char *const contents[] = {"", "{", "{\"name\":\"\\u001b[7777m\"}", "[]", "null",
        "{\"format\":99}", "\x1b]0;7777\x07\xff\xfe"};
    const char *content = monkey_pick(monkey, contents);
    auto_free char *aside = memory_printf("%s.aside", path);
    int fd = -1;
    switch (monkey_draw(monkey, 6)) {
    case 0:
        unlink(path);
        return;
    case 1:
        rename(path, aside);
        return;
    case 2:
        unlink(path);
        (void)!symlink("/nonexistent", path);
        return;
    case 3:
        unlink(path);
        mkdir(path, 0700);
        return;
    default:
        fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0) {
            (void)!write(fd, content, strlen(content));
            close(fd);
        }
        return;
    }
}

/* A file as it was, whatever stands there now. */
static inline void put_back(
    const struct console_world *world, const char *name, const char *content)
{
    struct error err = {0};
    auto_free char *place = memory_printf("%s/%s", world->dir, name);
    file_remove_tree(AT_FDCWD, place, &err);
    scratch_write(world->dir, name, content);
}

static inline void spoil_a_file(
    const struct console_world *world, const char *catalog, struct monkey *monkey)
{
    auto_done(strings) struct strings all = {0};
    uint32_t which = monkey_draw(monkey, 1 << 20);
    if (monkey_draw(monkey, 4) == 0) {
        monkey_note(monkey, "<a catalog again>");
        put_back(world, "catalog.json", catalog);
        return;
    }
    collect_files(world->dir, "state", 4, &all);
    strings_add(&all, "catalog.json");
    strings_add(&all, "config.ini");
    auto_free char *path = memory_printf("%s/%s", world->dir, all.items[which % all.count]);
    auto_free char *what = memory_printf("<%s>", strrchr(path, '/') + 1);
    monkey_note(monkey, what);
    spoil(path, monkey);
}
