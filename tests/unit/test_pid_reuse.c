/* SPDX-License-Identifier: MIT */

/* A machine's record outlives its process, and a stranger gets the number: nobody but the machine is
 * ever signalled. The numbers are forced in a pid namespace of the test's own (pid_namespaces(7),
 * ns_last_pid). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "vm/machine_identity.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define REUSES 1000
#define LAST_PID "/proc/sys/kernel/ns_last_pid"

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        close(fd);
    }
    return is_written;
}

/* The next process gets this number. */
static bool ask_for(pid_t pid)
{
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid - 1);
    return write_file(LAST_PID, text);
}

/* Reads what never comes, with this word on its command line; signals end it. */
static pid_t spawn(const char *word)
{
    static int silence[2] = {-1, -1};
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    if (silence[0] < 0) {
        assert_int_equal(pipe2(silence, O_CLOEXEC), 0);
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(silence[0], 0);
        execl("/bin/cat", "cat", "-", word, NULL);
        _exit(127);
    }
    close(ready[1]);
    char byte;
    (void)!read(ready[0], &byte, 1); /* its end closes at exec */
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void write_handle(const struct world *world, const struct machine_handle *handle)
{
    struct error err = {0};
    auto_json struct json *json = machine_handle_to_json(handle);
    auto_done(text) struct text text = {0};
    json_write(json, true, &text);
    assert_true(file_replace(world->dir, MACHINE_HANDLE_FILE, text.data, text.len, 0600, &err));
}

static struct machine_handle handle_for(const struct world *world, pid_t pid)
{
    struct machine_handle handle = {.started_at = 1780000000, .kind = "qemu", .accel = "tcg"};
    snprintf(handle.boot_id, sizeof handle.boot_id, "%s", process_boot_id());
    snprintf(handle.uuid, sizeof handle.uuid, "%s", world->spec.uuid);
    assert_true(process_identify(pid, &handle.vmm));
    assert_true(process_identify(pid, &handle.monitor));
    return handle;
}

/* Everything that could signal: none of it may reach the stranger. */
static void try_everything(const struct world *world, const struct machine_handle *handle)
{
    struct error err = {0};
    assert_true(machine_status(world->dir, handle, NULL) == MACHINE_CRASHED);
    assert_false(machine_kill(world->dir, handle, SIGUSR1, NULL, NULL, &err));
    error_clear(&err);
    assert_false(machine_pause(world->dir, handle, NULL, &err));
    error_clear(&err);
    assert_true(machine_stop(world->dir, handle, 100, NULL, NULL, NULL, &err));
    write_handle(world, handle);
    assert_true(machine_kill(world->dir, handle, SIGKILL, NULL, NULL, &err));
    write_handle(world, handle);
    machine_settle(world->dir, &err);
    assert_int_equal(err.code, ERROR_NONE);
}

static void strangers_are_never_signalled(void **state)
{
    (void)state;
    struct world world;
    unsigned same_tick = 0;
    const char *sanitizers = getenv("SANITIZERS");
    bool is_slow = sanitizers != NULL && strcmp(sanitizers, "no") != 0;
    unsigned reuses = is_slow ? REUSES / 20 : REUSES;
    world_make(&world, "", NULL);
    for (unsigned i = 0; i < reuses; i++) {
        pid_t machine = spawn(world.spec.uuid);
        struct machine_handle handle = handle_for(&world, machine);
        write_handle(&world, &handle);
        assert_true(machine_process_is_ours(&handle, &handle.vmm));
        end(machine);
        assert_true(ask_for(machine));
        pid_t stranger = spawn("nobody");
        assert_int_equal(stranger, machine);
        struct process_identity identity;
        assert_true(process_identify(stranger, &identity));
        same_tick += identity.start_time == handle.vmm.start_time;
        try_everything(&world, &handle);
        assert_int_equal(waitpid(stranger, NULL, WNOHANG), 0);
        end(stranger);
    }
    printf("%u strangers with the number of a machine, %u of them in the same tick\n", reuses,
        same_tick);
    world_remove(&world);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(strangers_are_never_signalled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    auto_free char *ids = memory_printf("0 %d 1", (int)getuid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0 ||
        !write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", ids)) {
        printf("skipped: this needs user and pid namespaces of its own\n");
        return 77;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (mount("proc", "/proc", "proc", 0, NULL) != 0 || !ask_for(300)) {
            printf("skipped: process numbers cannot be chosen here\n");
            fflush(stdout);
            _exit(77);
        }
        int failed = run_all();
        fflush(stdout);
        _exit(failed != 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    fflush(stdout);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1); /* no leak can be looked for from here */
}
