/* SPDX-License-Identifier: MIT */
#include "guest/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest/boot_parts.h"
#include "guest/facts.h"
#include "guest/guest.h"
#include "guest/power.h"

#define FACTS_FILE "/banger.conf"
#define FACTS_MAX ((size_t)1 << 20)
#define COMMAND_LINE_MAX ((size_t)64 << 10)

static void tell_stage(struct facts *facts, const char *key)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, uptime_ms());
    facts_tell(facts, key, text);
}

static void read_facts(struct facts *facts)
{
    char *line = read_file("/proc/cmdline", COMMAND_LINE_MAX, NULL);
    char *text = read_file(FACTS_FILE, FACTS_MAX, NULL);
    if (line != NULL) {
        facts_parse_command_line(facts, line);
    }
    if (text != NULL) {
        facts_parse(facts, text);
    }
    free(line);
    free(text);
}

static void tell_system(struct facts *facts)
{
    struct utsname system;
    facts_tell(facts, "agent", GUEST_VERSION);
    if (uname(&system) == 0) {
        facts_tell(facts, "kernel", system.release);
        facts_tell(facts, "hostname", system.nodename);
    }
    facts_tell(facts, "root", facts_get(facts, "root", "overlay"));
}

/* The initrd's memory is given back, so the program moves to where the agent can be started from
 * at any time. */
static void install_program(int program)
{
    mount_make_dir(LAUNCH_DIR, 0755);
    int copy = open(LAUNCH_PROGRAM, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    struct stat status;
    if (copy < 0 || fstat(program, &status) != 0) {
        die("cannot make " LAUNCH_PROGRAM ": %m");
    }
    for (off_t at = 0; at < status.st_size;) {
        if (sendfile(copy, program, &at, (size_t)(status.st_size - at)) <= 0) {
            die("cannot make " LAUNCH_PROGRAM ": %m");
        }
    }
    close(copy);
    close(program);
}

/* NULL: our own. */
static const char *choose_init(const struct facts *facts)
{
    static const char *const usual[] = {
        "/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/etc/init", "/bin/init"};
    const char *wanted = facts_get(facts, "init", "");
    if (strcmp(wanted, "none") == 0) {
        return NULL;
    }
    if (*wanted != '\0') {
        if (access(wanted, X_OK) != 0) {
            die("init=%s cannot be started: %m", wanted);
        }
        return wanted;
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (access(usual[i], X_OK) == 0) {
            return usual[i];
        }
    }
    return NULL;
}

static void tell_init(struct facts *facts, const char *init)
{
    char *file = power_resolve(init != NULL ? init : POWER_OWN_INIT);
    facts_tell(facts, "init", init != NULL ? init : POWER_OWN_INIT);
    facts_add(facts, "init_file", file);
    free(file);
}

static bool has_agent(const struct facts *facts)
{
    return strcmp(facts_get(facts, "agent", ""), "none") != 0;
}

static void mount_first(void)
{
    mount_try("proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
    mount_try("sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
    mount_try("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
}

void boot_main(char **argv)
{
    struct facts facts = {0};
    umask(022);
    tell_stage(&facts, "stage_init_ms");
    mount_first();
    read_facts(&facts);
    modules_load(&facts);
    modules_load_late();
    int disk = root_mount(&facts);
    root_mount_work(&facts);
    int program = open("/init", O_RDONLY | O_CLOEXEC);
    root_enter();
    volumes_set(&facts);
    tell_stage(&facts, "stage_root_ms");
    install_program(program);
    identity_set(&facts);
    keys_set(&facts);
    if (network_set(&facts)) {
        tell_stage(&facts, "stage_network_ms");
    }
    tell_system(&facts);
    const char *init = choose_init(&facts);
    tell_init(&facts, init);
    say("the root is ready after %" PRIu64 " ms; %s%s", uptime_ms(),
        init != NULL ? "starting " : "the image has no init", init != NULL ? init : "");
    if (init == NULL) {
        pid1_main(&facts, disk);
    }
    if (has_agent(&facts)) {
        launch_agent(&facts, -1);
    }
    char *name = copy_text(init);
    argv[0] = name;
    execv(name, argv);
    die("%s cannot be started: %m", name);
}
