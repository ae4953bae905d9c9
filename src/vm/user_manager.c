/* SPDX-License-Identifier: MIT */
#include "vm/user_manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define LINGER_PLACE "/var/lib/systemd/linger"
#define PROGRAM "systemd-run"
#define SOCKET "systemd/private"
#define FILE_BYTES_MAX (64 * 1024)
#define UUID_LEN 36

bool user_manager_is_lingering(void)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == NULL) {
        return false;
    }
    auto_free char *mark = memory_printf(LINGER_PLACE "/%s", found->pw_name);
    return access(mark, F_OK) == 0;
}

/* A manager that died leaves its socket behind. */
static bool is_listening(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

bool user_manager_is_reachable(const char *runtime_dir, struct error *err)
{
    struct stat status;
    auto_free char *program = process_find(PROGRAM);
    if (program == NULL) {
        return error_set(err, ERROR_UNSUPPORTED, PROGRAM " is not installed");
    }
    if (runtime_dir == NULL || stat(runtime_dir, &status) != 0) {
        return error_set(err, ERROR_UNSUPPORTED, "this user has no runtime directory");
    }
    if (status.st_uid != geteuid()) {
        return error_set(err, ERROR_UNSUPPORTED, "%s is another user's", runtime_dir);
    }
    auto_free char *path = memory_printf("%s/" SOCKET, runtime_dir);
    return is_listening(path) || error_set(err, ERROR_UNSUPPORTED, "nothing answers at %s", path);
}

bool user_manager_keeps(const char *runtime_dir)
{
    struct error ignored = {0};
    return user_manager_is_lingering() && user_manager_is_reachable(runtime_dir, &ignored);
}

void user_manager_wrap(
    const char *runtime_dir, const char *name, const char *uuid, struct strings *argv)
{
    auto_done(strings) struct strings command = {0};
    struct strings words = {0};
    strings_add(&words, "env");
    strings_printf(&words, "XDG_RUNTIME_DIR=%s", runtime_dir);
    strings_add(&words, PROGRAM);
    strings_add(&words, "--user");
    strings_add(&words, "--scope");
    strings_add(&words, "--collect");
    strings_add(&words, "--quiet");
    /* One that ended may be there a little longer than the machine; a new monitor of a machine that
     * runs comes beside the scope that it runs in. */
    strings_printf(&words, "--unit=banger-%s-%" PRIx64 ".scope", uuid, clock_monotonic_ms());
    strings_printf(&words, "--description=VM %s", name);
    strings_add(&words, "--property=Delegate=yes");
    strings_printf(&words, "--property=KillSignal=SIG%s", sigabbrev_np(USER_MANAGER_STOP_SIGNAL));
    strings_add(&words, "--property=TimeoutStopSec=90");
    strings_add(&words, "--");
    for (size_t i = 0; i < argv->count; i++) {
        strings_add(&words, argv->items[i]);
    }
    command = *argv; /* freed with this block */
    *argv = words;
}

bool user_manager_unit_of(pid_t pid, const char *uuid, char unit[USER_UNIT_MAX])
{
    auto_done(text) struct text table = {0};
    struct error ignored = {0};
    auto_free char *path = memory_printf("/proc/%d/cgroup", (int)pid);
    auto_free char *prefix = memory_printf("/banger-%s-", uuid);
    if (!file_read_all(AT_FDCWD, path, FILE_BYTES_MAX, &table, &ignored)) {
        return false;
    }
    const char *found = strstr(text_cstr(&table), prefix);
    size_t len = found != NULL ? strcspn(found + 1, "/\n") : 0;
    if (len >= USER_UNIT_MAX || len < strlen(prefix) + strlen(".scope") ||
        memcmp(found + 1 + len - strlen(".scope"), ".scope", strlen(".scope")) != 0) {
        return false;
    }
    memcpy(unit, found + 1, len);
    unit[len] = '\0';
    return true;
}
