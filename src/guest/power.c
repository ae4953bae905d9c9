/* SPDX-License-Identifier: MIT */
#include "guest/power.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest/guest.h"

#define LINKS_MAX 16
#define SYSTEMD_POWEROFF (34 + 4) /* SIGRTMIN as glibc counts; musl's differs */
#define SYSTEMD_REBOOT (34 + 5)

char *power_resolve(const char *path)
{
    char *found = copy_text(path);
    for (unsigned links = 0; links < LINKS_MAX; links++) {
        char target[PATH_MAX];
        ssize_t len = readlink(found, target, sizeof target - 1);
        if (len < 0) {
            break;
        }
        target[len] = '\0';
        char *slash = strrchr(found, '/');
        char *next = target[0] == '/' || slash == NULL
                         ? copy_text(target)
                         : format_text("%.*s/%s", (int)(slash - found), found, target);
        free(found);
        found = next;
    }
    return found;
}

/* The program of the image that asks its own init. */
static bool run_program(bool is_reboot)
{
    static const char *const folders[] = {"/sbin", "/usr/sbin", "/bin", "/usr/bin"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = format_text("%s/%s", folders[i], is_reboot ? "reboot" : "poweroff");
        if (access(path, X_OK) == 0) {
            pid_t pid = fork();
            if (pid == 0) {
                sigset_t none;
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
                setsid();
                char *const argv[] = {path, NULL};
                execv(path, argv);
                _exit(127);
            }
            free(path);
            return pid > 0;
        }
        free(path);
    }
    return false;
}

void power_end(const char *init, bool is_reboot)
{
    const char *slash = strrchr(init, '/');
    const char *name = slash != NULL ? slash + 1 : init;
    int number = 0;
    if (strcmp(init, POWER_OWN_INIT) == 0) {
        number = is_reboot ? SIGINT : SIGUSR2;
    } else if (strcmp(name, "systemd") == 0) {
        number = is_reboot ? SYSTEMD_REBOOT : SYSTEMD_POWEROFF;
    } else if (strcmp(name, "busybox") == 0) {
        number = is_reboot ? SIGTERM : SIGUSR2;
    }
    if (number != 0 && kill(1, number) == 0) {
        return;
    }
    if (!run_program(is_reboot)) {
        sync();
        reboot(is_reboot ? RB_AUTOBOOT : RB_POWER_OFF);
    }
}
