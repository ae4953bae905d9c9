/* SPDX-License-Identifier: MIT */
#include "guest/command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/wire.h"
#include "guest/facts.h"
#include "guest/user.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

void command_done(struct command *command)
{
    list_done(&command->argv);
    list_done(&command->env);
    free(command->cwd);
    free(command->user);
    *command = (struct command){0};
}

static void fail(int failure_fd, enum wire_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

static void fail(int failure_fd, enum wire_outcome outcome, const char *format, ...)
{
    struct command_failure failure = {.outcome = (int)outcome, .error = errno};
    va_list args;
    va_start(args, format);
    vsnprintf(failure.text, sizeof failure.text, format, args);
    va_end(args);
    (void)!write(failure_fd, &failure, sizeof failure);
    _exit(127);
}

static const char *env_get(const struct list *env, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < env->count; i++) {
        if (strncmp(env->items[i], key, len) == 0 && env->items[i][len] == '=') {
            return env->items[i] + len + 1;
        }
    }
    return NULL;
}

/* Replaces an earlier value. What is no K=V is left out. */
static void env_set(struct list *env, const char *setting)
{
    const char *equals = strchr(setting, '=');
    if (equals == NULL || equals == setting) {
        return;
    }
    size_t len = (size_t)(equals - setting) + 1;
    for (size_t i = 0; i < env->count; i++) {
        if (strncmp(env->items[i], setting, len) == 0) {
            free(env->items[i]);
            env->items[i] = copy_text(setting);
            return;
        }
    }
    list_add(env, setting);
}

static void env_default(struct list *env, const char *key, const char *value)
{
    if (env_get(env, key) == NULL) {
        list_take(env, format_text("%s=%s", key, value));
    }
}

static void make_environment(
    const struct command *command, const struct facts *facts, const char *home, struct list *env)
{
    size_t at = 0;
    for (const char *setting = facts_next(facts, "env", &at); setting != NULL;
         setting = facts_next(facts, "env", &at)) {
        env_set(env, setting);
    }
    for (size_t i = 0; i < command->env.count; i++) {
        env_set(env, command->env.items[i]);
    }
    env_default(env, "PATH", DEFAULT_PATH);
    env_default(env, "HOME", home);
    if (command->is_tty) {
        env_default(env, "TERM", "xterm");
    }
}

static void become_user(
    const struct command *command, const struct user *user, const char *spec, int failure_fd)
{
    if (command->is_tty) {
        (void)!fchown(STDIN_FILENO, user->uid, (gid_t)-1);
    }
    if (setgroups(user->group_count, user->groups) != 0 || setgid(user->gid) != 0 ||
        setuid(user->uid) != 0) {
        fail(failure_fd, WIRE_OUTCOME_FAILED, "cannot become the user %s: %m", spec);
    }
}

static void change_directory(
    const struct command *command, const struct facts *facts, const char *home, int failure_fd)
{
    const char *wanted = command->cwd != NULL ? command->cwd : facts_get(facts, "workdir", "");
    if (*wanted != '\0') {
        if (chdir(wanted) != 0) {
            fail(failure_fd, WIRE_OUTCOME_FAILED, "cannot change to the directory %s: %m", wanted);
        }
    } else if (chdir(home) != 0 && chdir("/") != 0) {
        fail(failure_fd, WIRE_OUTCOME_FAILED, "cannot change to the directory /: %m");
    }
}

/* Every program begins with the signals of a fresh process. */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ENOENT of a file that is there: its interpreter or loader is not. */
static void explain(const char *path, int failure_fd)
{
    int error = errno;
    struct stat status;
    bool is_there = stat(path, &status) == 0;
    errno = error;
    if (error == ENOENT && is_there) {
        fail(failure_fd, WIRE_OUTCOME_NOT_EXECUTABLE,
            "%s cannot be executed: its interpreter is missing", path);
    }
    if (error == EACCES && is_there && S_ISDIR(status.st_mode)) {
        fail(failure_fd, WIRE_OUTCOME_NOT_EXECUTABLE, "%s cannot be executed: it is a directory",
            path);
    }
    if (error == ENOENT || error == ENOTDIR) {
        fail(failure_fd, WIRE_OUTCOME_NOT_FOUND, "%s: no such program", path);
    }
    fail(failure_fd, WIRE_OUTCOME_NOT_EXECUTABLE, "%s cannot be executed: %m", path);
}

/* As execvp(3), with the PATH of the new environment. */
static void search(char *const *argv, struct list *env, int failure_fd)
{
    const char *program = argv[0], *path = env_get(env, "PATH");
    if (strchr(program, '/') != NULL) {
        execve(program, argv, env->items);
        explain(program, failure_fd);
    }
    char *refused = NULL;
    int refused_error = 0;
    while (*program != '\0' && path != NULL) {
        size_t len = strcspn(path, ":");
        char *candidate =
            len == 0 ? copy_text(program) : format_text("%.*s/%s", (int)len, path, program);
        execve(candidate, argv, env->items);
        struct stat status;
        int error = errno;
        if (refused == NULL && stat(candidate, &status) == 0 && !S_ISDIR(status.st_mode)) {
            refused = candidate;
            refused_error = error;
        } else {
            free(candidate);
        }
        path = path[len] == ':' ? path + len + 1 : NULL;
    }
    if (refused != NULL) {
        errno = refused_error;
        explain(refused, failure_fd);
    }
    errno = ENOENT;
    fail(failure_fd, WIRE_OUTCOME_NOT_FOUND, "%s: no such program in PATH", program);
}

void command_exec(const struct command *command, const struct facts *facts, int failure_fd)
{
    const char *spec = command->user != NULL ? command->user : facts_get(facts, "user", "");
    struct user user;
    struct list env = {0};
    umask(022);
    reset_signals();
    if (!user_find(spec, &user)) {
        errno = 0;
        fail(failure_fd, WIRE_OUTCOME_FAILED, "there is no user or group %s in the image", spec);
    }
    make_environment(command, facts, user.home, &env);
    become_user(command, &user, spec, failure_fd);
    change_directory(command, facts, user.home, failure_fd);
    search(command->argv.items, &env, failure_fd);
    _exit(127);
}
