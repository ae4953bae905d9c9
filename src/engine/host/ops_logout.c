/* SPDX-License-Identifier: MIT */
/* The doctor's row about logouts: logind ends what is in a session (KillUserProcesses, unless the user
 * is excluded), and a user's manager that does not linger ends with the last one (logind.conf(5)). */
#include "engine/host/ops_host.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "vm/user_manager.h"

#define SYSTEMD_PLACE "/run/systemd/system"
#define ASK_TIMEOUT_MS 5000
#define ANSWER_MAX 65536
#define LINGER_HINT "run: loginctl enable-linger (machines that run go over at their next start)"

enum killing { KILLING_UNKNOWN, KILLING_NO, KILLING_YES };

static char *user_name(void)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];
    bool is_found = getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0;
    return is_found && found != NULL ? memory_strdup(found->pw_name) : NULL;
}

/* A line of busctl: as COUNT "NAME" ... */
static bool has_name(const char *line, const char *name)
{
    auto_free char *quoted = memory_printf("\"%s\"", name);
    return strstr(line, quoted) != NULL;
}

/* Three properties, a line each. */
static enum killing read_answer(const char *answer, const char *user)
{
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, answer, "\n");
    if (lines.count != 3 || strncmp(lines.items[0], "b ", 2) != 0 ||
        strncmp(lines.items[1], "as ", 3) != 0 || strncmp(lines.items[2], "as ", 3) != 0) {
        return KILLING_UNKNOWN;
    }
    bool is_only_some = strncmp(lines.items[1], "as 0", 4) != 0;
    bool is_meant = is_only_some ? has_name(lines.items[1], user) : !has_name(lines.items[2], user);
    return strcmp(lines.items[0], "b true") == 0 && is_meant ? KILLING_YES : KILLING_NO;
}

/* What logind itself says it does: its configuration is in several places. */
static enum killing ask_logind(struct ops *ops)
{
    static const char *const argv[] = {"busctl", "--system", "get-property",
        "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
        "KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers", NULL};
    auto_done(text) struct text answer = {0};
    auto_free char *user = user_name();
    struct error ignored = {0};
    int status = -1;
    bool is_told = user != NULL &&
                   process_run(argv, ASK_TIMEOUT_MS, ANSWER_MAX, ops->cancel, &answer, NULL,
                       &status, &ignored) &&
                   status == 0;
    return is_told ? read_answer(text_cstr(&answer), user) : KILLING_UNKNOWN;
}

static void add(struct json *rows, const char *status, const char *detail, const char *hint)
{
    struct json *row = json_new_object();
    json_put_string(row, "check", "logout");
    json_put_string(row, "status", status);
    json_put_string(row, "detail", detail);
    json_put_string(row, "hint", hint);
    json_append(rows, row);
}

/* Machines live in the session that starts them, for that reason. */
static void add_session(struct ops *ops, const char *why, const char *hint, struct json *rows)
{
    static const char *const sentences[] = {
        [KILLING_UNKNOWN] =
            "may end machines: logind does not say what it does (KillUserProcesses)",
        [KILLING_NO] = "ends no machine: logind leaves what is in a session (KillUserProcesses=no)",
        [KILLING_YES] = "ends the machines started in that session (KillUserProcesses=yes)",
    };
    enum killing killing = ask_logind(ops);
    auto_free char *detail = memory_printf("%s, and %s", sentences[killing], why);
    add(rows, killing == KILLING_NO ? "ok" : "warn", detail, killing == KILLING_NO ? NULL : hint);
}

void ops_logout_doctor(struct ops *ops, struct json *rows)
{
    const char *runtime_dir = ops->config->runtime_dir;
    struct error why_not = {0};
    if (access(SYSTEMD_PLACE, F_OK) != 0) {
        return;
    }
    if (!user_manager_is_lingering()) {
        add_session(ops, "this user does not linger", LINGER_HINT, rows);
    } else if (!user_manager_is_reachable(runtime_dir, &why_not)) {
        auto_free char *why =
            memory_printf("the user's systemd manager is not there: %s", why_not.text);
        auto_free char *hint =
            memory_printf("run: sudo systemctl start user@%u.service", (unsigned)geteuid());
        add_session(ops, why, hint, rows);
    } else {
        add(rows, "ok",
            "ends no machine: each is started in a scope of the user's systemd manager, which "
            "lingers",
            NULL);
    }
}
