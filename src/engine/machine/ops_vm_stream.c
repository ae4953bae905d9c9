/* SPDX-License-Identifier: MIT */
/* vm exec, logs, console, wait: verbs that stay as long as the guest or the operator does. */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/config.h"
#include "store/vm_store.h"
#include "vm/agent_client.h"
#include "vm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A dozen lines: the line above them that says how to leave stays on any screen. */
#define CONSOLE_REPLAY_BYTES 1024
/* Between two questions how far a guest's systemd is: each costs it a process. */
#define SYSTEM_GAP_MS 500
#define SYSTEM_BYTES_MAX 4096

/* The command's descriptors, closed when the operation is over. */
struct streams {
    int in, out, errors, window;
};

static void streams_done(struct streams *streams)
{
    memory_auto_close(&streams->in);
    memory_auto_close(&streams->out);
    memory_auto_close(&streams->errors);
    memory_auto_close(&streams->window);
}

static struct streams take_streams(struct ops *ops)
{
    return (struct streams){.in = command_take_fd(ops->command, COMMAND_STDIN),
        .out = command_take_fd(ops->command, COMMAND_STDOUT),
        .errors = command_take_fd(ops->command, COMMAND_STDERR),
        .window = command_take_fd(ops->command, COMMAND_WINDOW)};
}

static struct json *status_result(int exit_status)
{
    struct json *json = json_new_object();
    json_put_integer(json, "exit_status", exit_status);
    return json;
}

static bool require_running(const struct vm_hand *hand, struct error *err)
{
    bool is_running = hand->facts.state == MACHINE_RUNNING || hand->facts.state == MACHINE_STARTING;
    const char *verb = hand->facts.state == MACHINE_PAUSED ? "resume" : "start";
    return is_running ||
           (ops_vm_has_room(hand, err) &&
               error_set(err, ERROR_UNSUPPORTED, "VM %s is %s: `vm %s %s` first", hand->name,
                   machine_state_name(hand->facts.state), verb, hand->name));
}

static bool require_known(const struct vm_hand *hand, struct error *err)
{
    if (!error_is_blind(&hand->facts.why_unknown)) {
        return true;
    }
    *err = hand->facts.why_unknown;
    return error_wrap(err, "whether VM %s runs cannot be seen", hand->name);
}

bool ops_vm_attach_exec(struct ops *ops, int dir, const char *const *argv, bool is_tty,
    struct json **result, struct error *err)
{
    static const char *const shell[] = {"/bin/sh", "-l", NULL};
    auto_done(streams) struct streams streams = take_streams(ops);
    struct agent_exec_spec spec = {.argv = argv != NULL ? argv : shell,
        .is_tty = is_tty,
        .stdin_fd = streams.in,
        .stdout_fd = streams.out,
        .stderr_fd = streams.errors,
        .window_fd = streams.window};
    bool is_exec = strcmp(command_verb(ops->command)->name, "exec") == 0;
    if (is_exec) {
        spec.env = (const char *const *)command_all(ops->command, "env")->items;
        spec.cwd = command_get(ops->command, "workdir");
        spec.user = command_get(ops->command, "user");
        spec.stdin_fd = command_has(ops->command, "no-stdin") ? -1 : streams.in;
    }
    int exit_status = 0;
    if (!agent_exec(dir, &spec, ops->cancel, &exit_status, err)) {
        return false;
    }
    *result = status_result(exit_status);
    return true;
}

bool ops_vm_reach(struct ops *ops, const char *name, struct vm_hand *hand, struct error *err)
{
    if (!ops_vm_read(ops, name, hand, err)) {
        return false;
    }
    ops_vm_settle(ops, hand);
    if (!require_known(hand, err) || !require_running(hand, err)) {
        return false;
    }
    /* A machine that is still booting is waited for: what was asked for is something in it. */
    auto_done(machine_timeline) struct machine_timeline timeline = {0};
    return machine_timeline_is_ready(&hand->facts.timeline) ||
           ops_vm_await_ready(ops, name, hand->dir, &hand->facts.handle, &timeline, err);
}

bool ops_vm_exec(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_reach(ops, name, &hand, err)) {
        return false;
    }
    const struct strings *words = command_all(ops->command, "command");
    return ops_vm_attach_exec(ops, hand.dir, (const char *const *)words->items,
        command_has(ops->command, "tty"), result, err);
}

/* A machine by exact name or unique prefix, for verbs that only read. */
static bool read_by_prefix(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    const char *name = ops_resolve_name("vm", &names, command_get(ops->command, "name"), err);
    return name != NULL && ops_vm_read(ops, name, hand, err);
}

bool ops_vm_logs(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(streams) struct streams streams = take_streams(ops);
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!read_by_prefix(ops, &hand, err)) {
        return false;
    }
    uint64_t since_ms = command_duration_ms(ops->command, "since");
    struct console_log_options options = {
        .tail_lines =
            command_has(ops->command, "tail") ? (int64_t)command_number(ops->command, "tail") : -1,
        .since_ms = since_ms > 0 ? clock_wall_ms() - (int64_t)since_ms : 0,
        .is_following = command_has(ops->command, "follow"),
        .has_timestamps = command_has(ops->command, "timestamps")};
    if (streams.out < 0) {
        return error_set(err, ERROR_BUG, "the log has nowhere to go");
    }
    if (!console_log_write(hand.dir, &options, streams.out, ops->cancel, err)) {
        return error_wrap(err, "VM %s", hand.name);
    }
    *result = status_result(0);
    return true;
}

/* What the command says, else the settings, else ^]. */
static bool detach_key(struct ops *ops, int *key, struct error *err)
{
    const char *word = command_get(ops->command, "detach-keys");
    *key = CONSOLE_DETACH_DEFAULT;
    if (word == NULL) {
        word = config_pairs_get(&ops->settings->ui, "detach_keys");
    }
    return word == NULL || console_parse_key(word, key, err);
}

bool ops_vm_console(struct ops *ops, struct json **result, struct error *err)
{
    int key = 0;
    if (!detach_key(ops, &key, err)) {
        return false;
    }
    const char *name = command_get(ops->command, "name");
    auto_done(streams) struct streams streams = take_streams(ops);
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_read(ops, name, &hand, err)) {
        return false;
    }
    ops_vm_settle(ops, &hand);
    if (!require_running(&hand, err)) {
        return false;
    }
    struct console_attach_options options = {.in_fd = streams.in,
        .out_fd = streams.out,
        .detach_key = isatty(streams.in) ? key : -1,
        .replay_bytes = CONSOLE_REPLAY_BYTES};
    if (!console_attach(hand.dir, &options, ops->cancel, err)) {
        return error_wrap(err, "VM %s", name);
    }
    *result = status_result(0);
    return true;
}

bool ops_vm_ask_guest(struct ops *ops, int dir, struct agent_exec_spec spec, size_t max_bytes,
    struct text *said, int *exit_status, struct error *err)
{
    auto_close int fd = memfd_create("said", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)max_bytes) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
        return error_set_errno(err, errno, "no memory file");
    }
    spec.stdin_fd = spec.stderr_fd = spec.window_fd = -1;
    spec.stdout_fd = fd;
    return agent_exec(dir, &spec, ops->cancel, exit_status, err) && lseek(fd, 0, SEEK_SET) == 0 &&
           file_read_fd(fd, "what the guest says", max_bytes + 1, said, err);
}

/* What `systemctl is-system-running` says, in one word; *exit_status as of a shell. */
static bool ask_system(struct ops *ops, int dir, uint64_t deadline, struct text *word,
    int *exit_status, struct error *err)
{
    static const char *const argv[] = {"systemctl", "is-system-running", NULL};
    struct agent_exec_spec spec = {.argv = argv, .deadline = deadline};
    auto_done(text) struct text said = {0};
    if (!ops_vm_ask_guest(ops, dir, spec, SYSTEM_BYTES_MAX, &said, exit_status, err)) {
        return false;
    }
    text_append_safe(word, text_cstr(&said), strcspn(text_cstr(&said), "\n"), true);
    return true;
}

/* systemd says running or degraded once everything it wanted to start has been dealt with. Early in
 * a boot it says offline, which is no answer yet. */
static bool wait_system(
    struct ops *ops, const struct vm_hand *hand, uint64_t timeout_ms, struct error *err)
{
    auto_done(machine_timeline) struct machine_timeline timeline = {0};
    uint64_t deadline = clock_deadline(timeout_ms);
    if (!ops_vm_await_ready(ops, hand->name, hand->dir, &hand->facts.handle, &timeline, err)) {
        return false;
    }
    for (;;) {
        auto_done(text) struct text said = {0};
        int exit_status = 0;
        if (!ask_system(ops, hand->dir, deadline, &said, &exit_status, err)) {
            return error_wrap(err, "VM %s does not say how far its system is", hand->name);
        }
        const char *word = text_cstr(&said);
        if (exit_status == 127) {
            return error_set(
                err, ERROR_UNSUPPORTED, "VM %s has no systemd: wait for ready instead", hand->name);
        }
        if (strcmp(word, "running") == 0 || strcmp(word, "degraded") == 0) {
            return true;
        }
        struct pollfd stop = {.fd = cancel_fd(ops->cancel), .events = POLLIN};
        poll(&stop, 1, SYSTEM_GAP_MS);
        if (cancel_check(ops->cancel, err)) {
            return false;
        }
        if (clock_left_ms(deadline) == 0) {
            return error_set(err, ERROR_TIMEOUT, "VM %s: its system is still %s", hand->name, word);
        }
    }
}

static bool wait_for(
    struct ops *ops, const struct vm_hand *hand, const char *what, struct error *err)
{
    uint64_t timeout_ms = command_timeout_ms(ops->command);
    auto_done(machine_timeline) struct machine_timeline timeline = {0};
    struct machine_exit exit;
    if (strcmp(what, "stopped") == 0 || strcmp(what, "exit") == 0) {
        bool is_down = hand->facts.state == MACHINE_STOPPED ||
                       hand->facts.state == MACHINE_CRASHED || hand->facts.state == MACHINE_CREATED;
        return is_down || machine_wait_exit(
                              hand->dir, &hand->facts.handle, timeout_ms, ops->cancel, &exit, err);
    }
    if (!require_running(hand, err)) {
        return false;
    }
    if (strcmp(what, "running") == 0) {
        return true;
    }
    if (strcmp(what, "system") == 0) {
        return wait_system(ops, hand, timeout_ms, err);
    }
    if (text_has_prefix(what, "text=")) {
        return console_wait_text(hand->dir, what + strlen("text="), timeout_ms, ops->cancel, err);
    }
    return ops_vm_await_ready(ops, hand->name, hand->dir, &hand->facts.handle, &timeline, err);
}

bool ops_vm_wait(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_read(ops, name, &hand, err) || !require_known(&hand, err) ||
        !wait_for(ops, &hand, command_get(ops->command, "for"), err)) {
        return false;
    }
    *result = ops_vm_result(ops, name, false);
    json_remove(*result, "changed");
    return true;
}
