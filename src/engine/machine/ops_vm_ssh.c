/* SPDX-License-Identifier: MIT */
/* vm ssh: the operator's ssh into a guest, over a connection through its agent. */
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/machine/ops_ssh.h"
#include "engine/machine/ops_vm.h"
#include "engine/machine/ops_vm_guest.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/config.h"
#include "store/layout.h"
#include "vm/agent_client.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEARN_TIMEOUT_MS 60000
#define KEYS_BYTES_MAX ((size_t)64 << 10)
#define STATUS_SSH_FAILED 255

struct session {
    struct ops *ops;
    struct vm_hand *hand;
    char *ssh;         /* program */
    char *alias;       /* what the guest is called in known_hosts: the same as long as it lives */
    char *known_hosts; /* path */
    char *identity;    /* NULL: the operator's agent has to know the key */
    char *proxy;       /* the command that connects */
};

static void session_done(struct session *session)
{
    free(session->ssh);
    free(session->alias);
    free(session->known_hosts);
    free(session->identity);
    free(session->proxy);
}

/* ---- words for ssh -------------------------------------------------------------------------- */

/* One word for a POSIX shell. */
static void append_quoted(struct text *out, const char *word)
{
    text_append_char(out, '\'');
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '\'') {
            text_append(out, "'\\''");
        } else {
            text_append_char(out, *c);
        }
    }
    text_append_char(out, '\'');
}

/* ssh replaces %h and the like in what its options say. */
static char *escape_percent(const char *word)
{
    auto_done(text) struct text out = {0};
    for (const char *c = word; *c != '\0'; c++) {
        text_append(&out, *c == '%' ? "%%" : (const char[]){*c, '\0'});
    }
    return text_take(&out);
}

/* This program by a name that means the same in another process. Caller frees. */
static char *own_path(const struct ops *ops)
{
    char path[PATH_MAX] = "";
    const char *self = ops_self_path(ops);
    ssize_t len = strcmp(self, "/proc/self/exe") == 0 ? readlink(self, path, sizeof path - 1) : -1;
    return escape_percent(len > 0 ? path : self);
}

/* ssh gives it to a shell, whatever we do: each word is quoted for that one. */
static char *proxy_command(struct ops *ops, const char *name, uint64_t port)
{
    auto_done(text) struct text line = {0};
    auto_free char *number = memory_printf("%" PRIu64, port);
    auto_free char *state = escape_percent(store_path(ops->store));
    auto_free char *self = own_path(ops);
    auto_free char *config =
        escape_percent(ops->config->config_file != NULL ? ops->config->config_file : "/dev/null");
    const char *const words[] = {self, "--batch", "--state-dir", state, "--config", config, "vm",
        "proxy", name, number, NULL};
    for (size_t i = 0; words[i] != NULL; i++) {
        text_append(&line, i > 0 ? " " : "");
        append_quoted(&line, words[i]);
    }
    return text_take(&line);
}

static void add_option(struct strings *argv, const char *key, const char *value)
{
    strings_add(argv, "-o");
    strings_printf(argv, "%s=%s", key, value);
}

/* Nothing of the operator's own configuration counts: it speaks of other hosts. */
static void add_connection(
    const struct session *session, const char *known_hosts, bool is_strict, struct strings *argv)
{
    auto_free char *escaped = escape_percent(known_hosts);
    auto_free char *quoted = memory_printf("\"%s\"", escaped);
    strings_add(argv, session->ssh);
    strings_add(argv, "-F");
    strings_add(argv, "none");
    add_option(argv, "ProxyCommand", session->proxy);
    add_option(argv, "HostKeyAlias", session->alias);
    add_option(argv, "UserKnownHostsFile", quoted);
    add_option(argv, "GlobalKnownHostsFile", "/dev/null");
    add_option(argv, "StrictHostKeyChecking", is_strict ? "yes" : "accept-new");
    add_option(argv, "CheckHostIP", "no");
    add_option(argv, "UpdateHostKeys", "no");
    add_option(argv, "LogLevel", "ERROR");
}

/* ---- the guest's host key ------------------------------------------------------------------- */

/* What the guest's files say, through the agent. */
static bool ask_guest(const struct session *session, struct strings *lines, struct error *err)
{
    static const char *const argv[] = {
        "/bin/sh", "-c", "exec cat /etc/ssh/ssh_host_*_key.pub", NULL};
    auto_done(text) struct text content = {0};
    int status = 0;
    struct agent_exec_spec spec = {
        .argv = argv, .user = "root", .cwd = "/", .deadline = clock_deadline(LEARN_TIMEOUT_MS)};
    if (!ops_vm_ask_guest(
            session->ops, session->hand->dir, spec, KEYS_BYTES_MAX, &content, &status, err)) {
        return false;
    }
    strings_split(lines, text_cstr(&content), "\n");
    return true;
}

/* A server that keeps its key elsewhere shows it when one connects. The connection is the agent's:
 * nobody but the guest can answer on it. */
static bool ask_server(const struct session *session, struct strings *lines, struct error *err)
{
    struct ops *ops = session->ops;
    int dir = store_area_dir(ops->store, STORE_SSH);
    auto_free char *name = file_temporary_name("learnt", err);
    if (name == NULL) {
        return false;
    }
    auto_free char *path = memory_printf("%s/ssh/%s", store_path(ops->store), name);
    auto_done(strings) struct strings argv = {0};
    auto_done(text) struct text errors = {0};
    auto_done(text) struct text content = {0};
    struct error ignored = {0};
    int status = 0;
    add_connection(session, path, false, &argv);
    add_option(&argv, "PreferredAuthentications", "none");
    add_option(&argv, "BatchMode", "yes");
    strings_add(&argv, session->hand->name);
    strings_add(&argv, "true");
    bool is_run = process_run((const char *const *)argv.items, LEARN_TIMEOUT_MS, 4096, ops->cancel,
        NULL, &errors, &status, err);
    if (is_run && file_read_all(dir, name, KEYS_BYTES_MAX, &content, &ignored)) {
        strings_split(lines, text_cstr(&content), "\n");
    } else if (is_run) {
        is_run = error_set(err, ERROR_VMM, "no ssh server answers in the guest: %s",
            errors.len > 0 ? text_cstr(&errors) : "ssh says nothing");
    }
    unlinkat(dir, name, 0);
    return is_run;
}

static bool learn_host_key(const struct session *session, struct error *err)
{
    auto_done(strings) struct strings lines = {0};
    unsigned count = 0;
    if (!ask_guest(session, &lines, err) ||
        !ops_ssh_learn(session->ops, session->alias, &lines, &count, err)) {
        return false;
    }
    if (count > 0 || ops_ssh_is_known(session->ops, session->alias)) {
        return true;
    }
    auto_done(strings) struct strings shown = {0};
    return ask_server(session, &shown, err) &&
           ops_ssh_learn(session->ops, session->alias, &shown, &count, err) &&
           (count > 0 || error_set(err, ERROR_VMM, "the guest's ssh server shows no host key"));
}

/* ---- the session ---------------------------------------------------------------------------- */

static bool open_session(
    struct ops *ops, struct vm_hand *hand, struct session *session, struct error *err)
{
    session->ops = ops;
    session->hand = hand;
    session->ssh = process_find(ops->settings->ssh != NULL ? ops->settings->ssh : "ssh");
    if (session->ssh == NULL) {
        return error_set(err, ERROR_UNSUPPORTED,
            "there is no ssh on this host: install openssh-client, or name one under [paths]");
    }
    session->alias = memory_printf("banger-%s", hand->spec.uuid);
    session->known_hosts = ops_ssh_known_hosts(ops);
    session->proxy = proxy_command(ops, hand->name, command_number(ops->command, "port"));
    session->identity = ops_ssh_identity(ops, &hand->spec, err);
    return err->code == ERROR_NONE;
}

static void fill_argv(const struct session *session, bool is_tty, struct strings *argv)
{
    const struct command *command = session->ops->command;
    const struct strings *words = command_all(command, "command");
    add_connection(session, session->known_hosts, true, argv);
    if (session->identity != NULL) {
        auto_free char *identity = escape_percent(session->identity);
        add_option(argv, "IdentitiesOnly", "yes");
        strings_add(argv, "-i");
        strings_add(argv, identity);
    }
    add_option(argv, "BatchMode", is_tty ? "no" : "yes");
    strings_add(argv, is_tty ? "-t" : "-T");
    strings_add(argv, "-l");
    strings_add(argv, command_get(command, "user"));
    strings_add(argv, "--");
    strings_add(argv, session->hand->name);
    if (words->count > 0) {
        auto_done(text) struct text line = {0};
        for (size_t i = 0; i < words->count; i++) {
            text_append(&line, i > 0 ? " " : "");
            append_quoted(&line, words->items[i]);
        }
        strings_add(argv, text_cstr(&line));
    }
}

/* Runs it with the caller's descriptors; its own words go to the caller's stderr. */
static bool run_ssh(
    struct ops *ops, const struct strings *argv, const int fds[3], int *status, struct error *err)
{
    struct process_spec spec = {.argv = (const char *const *)argv->items,
        .stdin_fd = fds[0],
        .stdout_fd = fds[1],
        .stderr_fd = fds[2],
        .cwd_fd = -1};
    pid_t pid = 0;
    auto_close int pidfd = -1;
    if (!process_spawn(&spec, &pid, &pidfd, err)) {
        return false;
    }
    if (process_wait(pid, pidfd, 0, ops->cancel, status, err)) {
        return true;
    }
    struct process_identity identity;
    struct error ignored = {0};
    if (process_identify(pid, &identity)) {
        process_signal(&identity, SIGTERM, &ignored);
    }
    process_wait(pid, pidfd, 0, NULL, status, &ignored);
    return false;
}

bool ops_vm_ssh(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(session) struct session session = {0};
    auto_done(strings) struct strings argv = {0};
    auto_close int in = command_take_fd(ops->command, COMMAND_STDIN);
    auto_close int out = command_take_fd(ops->command, COMMAND_STDOUT);
    auto_close int errors = command_take_fd(ops->command, COMMAND_STDERR);
    const char *name = command_get(ops->command, "name");
    int status = 0;
    if (!ops_vm_reach(ops, name, &hand, err)) {
        return false;
    }
    if (!open_session(ops, &hand, &session, err) || !learn_host_key(&session, err)) {
        return error_wrap(err, "VM %s", name);
    }
    bool is_tty = command_has(ops->command, "tty") ||
                  (command_all(ops->command, "command")->count == 0 && isatty(in));
    fill_argv(&session, is_tty, &argv);
    if (!run_ssh(ops, &argv, (const int[]){in, out, errors}, &status, err)) {
        return error_wrap(err, "VM %s", name);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SSH_FAILED) {
        return error_set(err, ERROR_VMM,
            "VM %s: ssh failed (what it said is above); the guest needs an ssh server, and the key "
            "is given to it when it starts",
            name);
    }
    *result = json_new_object();
    json_put_integer(
        *result, "exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return true;
}
