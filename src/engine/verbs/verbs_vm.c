/* SPDX-License-Identifier: MIT */
/* The verbs of machines. */
#include "engine/verbs/verbs.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/ops.h"

#include <string.h>

/* clang-format off */

static const struct column vm_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"STATE", "state", COLUMN_STATE},
    {"IMAGE", "image", COLUMN_TEXT}, {"KERNEL", "kernel_ref", COLUMN_TEXT},
    {"VMM", "vmm", COLUMN_TEXT}, {"ACCEL", "accel", COLUMN_TEXT},
    {"VCPU", "vcpu", COLUMN_NUMBER}, {"MEMORY_MIB", "memory_mib", COLUMN_NUMBER},
    {"PID", "pid", COLUMN_NUMBER}, {"AGE", "created_at", COLUMN_AGE},
};

/* What a machine is made of: vm run and vm create. */
#define VM_SPEC \
    {"image", 0, ARGUMENT_IMAGE, .is_positional = true, .value_name = "IMAGE", \
        .help = "Image to run, pulled on the way when it is absent (default: [defaults] image)"}, \
    {"name", 0, ARGUMENT_NAME, .value_name = "NAME", \
        .help = "Name of the VM (default: two short words)"}, \
    {"vcpu", 0, ARGUMENT_NUMBER, .value_name = "N", .max = 32, \
        .help = "Virtual processors (default: 1)"}, \
    {"memory", 'm', ARGUMENT_SIZE, .value_name = "SIZE", .help = "Memory (default: 512M)"}, \
    {"disk-size", 0, ARGUMENT_SIZE, .value_name = "SIZE", \
        .help = "Space for what the machine writes (default: 8G)"}, \
    {"root", 0, ARGUMENT_CHOICE, .value_name = "KIND", .choices = "overlay|copy", \
        .fallback = "overlay", \
        .help = "Writes over the shared image, or a private copy of it"}, \
    {"kernel-ref", 'k', ARGUMENT_KERNEL, .value_name = "KERNEL", \
        .help = "Kernel to boot instead of the image's"}, \
    {"append", 0, ARGUMENT_TEXT, .value_name = "ARGS", .help = "More kernel arguments"}, \
    {"vmm", 0, ARGUMENT_CHOICE, .value_name = "KIND", .choices = "auto|firecracker|qemu", \
        .help = "Program that runs the machine (default: auto)"}, \
    {"publish", 'p', ARGUMENT_WORD, .is_many = true, .value_name = "HOST:GUEST", \
        .help = "Reach a port of the guest through one of this host"}, \
    {"net", 0, ARGUMENT_CHOICE, .value_name = "MODE", \
        .choices = "user|bridge|nat|namespace|none", \
        .help = "Network: needing no rights, or a tap on a bridge (default: user)"}, \
    {"address", 0, ARGUMENT_WORD, .value_name = "ADDRESS", \
        .help = "IPv4 address on the bridge, kept from then on (default: a free one)"}, \
    {"volume", 'v', ARGUMENT_WORD, .is_many = true, .value_name = "HOSTDIR:GUESTDIR[:ro]", \
        .help = "Show a directory of this host in the guest (QEMU only)"}, \
    {"disk", 0, ARGUMENT_WORD, .is_many = true, .value_name = "SIZE|FILE[:GUESTDIR][:ro]", \
        .help = "One more disk, made new or a raw file, mounted there"}, \
    {"ssh-key", 0, ARGUMENT_FILE, .value_name = "FILE", \
        .help = "Public key for root of the guest, read at each start (default: one of ours)"}, \
    {"env-file", 0, ARGUMENT_FILE, .value_name = "FILE", \
        .help = "Lines NAME=VALUE for the environment of its commands, over the image's"}, \
    {"restart", 0, ARGUMENT_CHOICE, .value_name = "WHEN", .choices = "no|on-failure|always", \
        .help = "Start it again when it ends (default: no)"}

static const struct argument vm_run_arguments[] = {
    VM_SPEC,
    {"rm", 0, ARGUMENT_FLAG, .help = "Remove the VM when it has ended"},
    {"detach", 'd', ARGUMENT_FLAG, .help = "Return when the machine runs, not when it is ready"},
    {"tty", 't', ARGUMENT_FLAG, .help = "Give the command, or a shell, a terminal"},
    {"command", 0, ARGUMENT_REST, .value_name = "CMD",
        .help = "Command to run in the guest with this terminal's input and output"},
};
static const struct argument vm_create_arguments[] = {VM_SPEC};
static const struct argument vm_start_arguments[] = {
    NAMES_OF("VMs to start"),
    {"detach", 'd', ARGUMENT_FLAG, .help = "Return when the machine runs, not when it is ready"},
};
static const struct argument vm_stop_arguments[] = {NAMES_OF("VMs to stop")};
static const struct argument vm_kill_arguments[] = {
    NAMES_OF("VMs to kill"),
    {"signal", 's', ARGUMENT_WORD, .value_name = "SIGNAL", .fallback = "KILL",
        .help = "Signal for the VMM"},
};
static const struct argument vm_rm_arguments[] = {
    NAMES_OF("VMs to remove"),
    FORCE("Kill it first when it runs"),
};
static const struct argument vm_list_arguments[] = {
    {"running", 0, ARGUMENT_FLAG, .help = "Only those that run"},
};
static const struct argument vm_show_arguments[] = {NAME_OF("VM to show")};
static const struct argument vm_exec_arguments[] = {
    NAME_OF("VM to run the command in"),
    {"no-stdin", 'n', ARGUMENT_FLAG, .help = "Give the command an empty input"},
    {"tty", 't', ARGUMENT_FLAG, .help = "Give the command a terminal"},
    {"env", 'e', ARGUMENT_WORD, .is_many = true, .value_name = "K=V",
        .help = "Set a variable of its environment"},
    {"workdir", 'w', ARGUMENT_PLACE, .value_name = "DIR", .help = "Directory to start in"},
    {"user", 'u', ARGUMENT_WORD, .value_name = "USER", .help = "User to run as"},
    {"command", 0, ARGUMENT_REST, .is_required = true, .value_name = "CMD",
        .help = "Command and its arguments, behind --"},
};
static const struct argument vm_logs_arguments[] = {
    NAME_OF("VM whose serial console is shown"),
    {"follow", 'f', ARGUMENT_FLAG, .help = "Go on with what comes until the machine ends"},
    {"tail", 0, ARGUMENT_NUMBER, .value_name = "N", .max = 1000000000,
        .help = "Only the last N lines"},
    {"since", 0, ARGUMENT_DURATION, .value_name = "TIME",
        .help = "Only what is younger than this, such as 10m"},
    {"timestamps", 'T', ARGUMENT_FLAG, .help = "Put the time in front of each line"},
};
static const struct argument vm_console_arguments[] = {
    NAME_OF("VM to connect to"),
    {"detach-keys", 0, ARGUMENT_WORD, .value_name = "KEY",
        .help = "Key that ends it, such as ctrl-a or ^A (default: [ui] detach_keys, else ^])"},
};
static const struct argument vm_wait_arguments[] = {
    NAME_OF("VM to wait for"),
    {"for", 0, ARGUMENT_WORD, .value_name = "WHAT", .fallback = "ready",
        .help = "ready, running, system, stopped, exit, or text=TEXT on its console"},
};
static const struct step boot_steps[] = {
    {"resolve", 2}, {"publish", 8}, {"boot", 60}, {"wait", 30},
};

/* clang-format on */

static bool check_run(const struct command *command, struct error *err)
{
    const char *restart = command_get(command, "restart");
    if (command_has(command, "rm") && restart != NULL && strcmp(restart, "no") != 0) {
        return error_set(err, ERROR_INVALID,
            "--rm and --restart %s exclude each other: one removes what the other starts again",
            restart);
    }
    if (!command_has(command, "detach")) {
        return true;
    }
    static const char *const exclude[] = {"rm", "tty", "command"};
    static const char *const shown[] = {"--rm", "--tty", "a command behind --"};
    for (size_t i = 0; i < array_length(exclude); i++) {
        if (command_has(command, exclude[i])) {
            return error_set(err, ERROR_INVALID,
                "--detach and %s exclude each other: nobody stays to see the end", shown[i]);
        }
    }
    return true;
}

static bool check_wait(const struct command *command, struct error *err)
{
    static const char *const known[] = {"ready", "running", "system", "stopped", "exit"};
    const char *what = command_get(command, "for");
    for (size_t i = 0; i < array_length(known); i++) {
        if (strcmp(what, known[i]) == 0) {
            return true;
        }
    }
    if (text_has_prefix(what, "text=") && what[strlen("text=")]) {
        return true;
    }
    return error_set(err, ERROR_INVALID,
        "--for is one of ready, running, system, stopped, exit, text=TEXT, not '%s'", what);
}

static bool check_exec(const struct command *command, struct error *err)
{
    const struct strings *env = command_all(command, "env");
    for (size_t i = 0; i < env->count; i++) {
        const char *equals = strchr(env->items[i], '=');
        if (!equals || equals == env->items[i]) {
            return error_set(err, ERROR_INVALID, "--env is NAME=VALUE, not '%s'", env->items[i]);
        }
    }
    return true;
}

/* clang-format off */

static const struct verb rows[] = {
    {"vm", "run", NULL, VERB_STREAMS, "Create and start a VM",
        "Creates a VM from an image and boots it; image and kernel are pulled on the way when\n"
        "they are absent. Returns when the guest is ready and leaves it running; with --detach as\n"
        "soon as it runs. With a command behind -- that command gets this terminal's input and\n"
        "output and its status is given back.",
        "banger-tui --batch vm run debian --name web --memory 1G\n"
        "banger-tui --batch vm run debian --rm -- uname -a",
        ROWS(vm_run_arguments), STEPS(boot_steps), .check = check_run, .run = ops_vm_run},
    {"vm", "create", NULL, VERB_TRANSFERS, "Create a VM without starting it",
        "Creates a VM from an image; image and kernel are pulled on the way when they are absent.",
        "banger-tui --batch vm create debian --name db --vcpu 2 --memory 2G",
        ROWS(vm_create_arguments), STEPS(verb_copy_steps), .run = ops_vm_create},
    {"vm", "start", NULL, VERB_STREAMS | VERB_EACH, "Start VMs",
        "Boots VMs that do not run and returns when their guests are ready.",
        "banger-tui --batch vm start db",
        ROWS(vm_start_arguments), STEPS(boot_steps), .run = ops_vm_start},
    {"vm", "stop", NULL, VERB_STREAMS | VERB_EACH | VERB_ENDS, "Stop VMs",
        "Asks the guests to power off and, when that takes too long (--timeout), ends them.",
        "banger-tui --batch vm stop db web", ROWS(vm_stop_arguments), .run = ops_vm_stop},
    {"vm", "kill", NULL, VERB_DESTROYS | VERB_EACH | VERB_ENDS, "Kill VMs",
        "Sends a signal to the VMMs. The guests have no chance to write back what they hold.",
        "banger-tui --batch vm kill web", ROWS(vm_kill_arguments), .run = ops_vm_kill},
    {"vm", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Remove VMs",
        "Removes VMs and their disks. One that runs is kept unless --force is given.",
        "banger-tui --batch vm rm web", ROWS(vm_rm_arguments), .run = ops_vm_rm},
    {"vm", "list", "ls|ps", VERB_READS, "List VMs",
        "Lists all VMs with what is true now.",
        "banger-tui --batch vm list --running --format json",
        ROWS(vm_list_arguments), COLUMNS(vm_columns), .run = ops_vm_list},
    {"vm", "show", NULL, VERB_READS, "Show one VM",
        "Shows what a VM is made of, its state, and the stages of its latest boot. A unique\n"
        "beginning of the name is enough.",
        "banger-tui --batch vm show web", ROWS(vm_show_arguments), .run = ops_vm_show},
    {"vm", "exec", NULL, VERB_STREAMS | VERB_CARRIES, "Run a command in a VM",
        "Runs a command in the guest, connected to this input and output, and gives back its\n"
        "status. No shell is involved: each word behind -- is one argument.",
        "banger-tui --batch vm exec web -- cat /etc/os-release",
        ROWS(vm_exec_arguments), .check = check_exec, .run = ops_vm_exec},
    {"vm", "logs", NULL, VERB_READS | VERB_STREAMS | VERB_CARRIES, "Show the console's log",
        "Writes what the machine's serial console has said, from the first instruction on.",
        "banger-tui --batch vm logs web --tail 50 --follow",
        ROWS(vm_logs_arguments), .run = ops_vm_logs},
    {"vm", "console", NULL, VERB_STREAMS | VERB_CARRIES | VERB_TERMINAL,
        "Connect to the serial console",
        "Connects this terminal with the serial console. The keys that end it are shown first.",
        "banger-tui --batch vm console web", ROWS(vm_console_arguments), .run = ops_vm_console},
    {"vm", "wait", NULL, VERB_READS | VERB_STREAMS, "Wait for a VM",
        "Waits until a VM is ready, runs, has stopped, or has written a text to its console; at\n"
        "most as long as --timeout says.",
        "banger-tui --batch vm wait web --for text=login: --timeout 2m",
        ROWS(vm_wait_arguments), .check = check_wait, .run = ops_vm_wait},
};
const struct verb_group vm_verbs = VERB_GROUP(rows);
