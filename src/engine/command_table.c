/* SPDX-License-Identifier: MIT */
/* What the program can do: one row per verb. Help, the man page, completions, the batch parser and
 * the console's forms are made from these rows; FORMATS has the same list. */
#include "engine/command.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/ops.h"

#define ROWS(array) .arguments = (array), .argument_count = array_length(array)
#define COLUMNS(array) .columns = (array), .column_count = array_length(array)
#define STEPS(array) .steps = (array), .step_count = array_length(array)

/* clang-format off */

const struct argument common_arguments[] = {
    {"state-dir", 0, ARGUMENT_PLACE, .value_name = "DIR",
        .help = "Use this state directory, and DIR/cache as the cache"},
    {"config", 0, ARGUMENT_FILE, .value_name = "FILE",
        .help = "Read this configuration file"},
    {"format", 0, ARGUMENT_CHOICE, .value_name = "FORM", .choices = "table|json|jsonl",
        .fallback = "table", .help = "How the result is written"},
    {"quiet", 'q', ARGUMENT_FLAG, .help = "Print names only and no notes"},
    {"progress", 0, ARGUMENT_CHOICE, .value_name = "MODE", .choices = "auto|none|plain|jsonl",
        .fallback = "auto", .help = "How progress is reported"},
    {"progress-fd", 0, ARGUMENT_NUMBER, .value_name = "FD", .max = 1023, .fallback = "2",
        .help = "Descriptor that progress is written to"},
    {"timeout", 0, ARGUMENT_DURATION, .value_name = "TIME",
        .help = "Give up after this time, such as 90s or 5m"},
    {"lock-timeout", 0, ARGUMENT_DURATION, .value_name = "TIME", .fallback = "30s",
        .help = "How long to wait for somebody else's change of the same object"},
    {"dry-run", 0, ARGUMENT_FLAG, .help = "Show what would be done and change nothing"},
    {"keep-going", 0, ARGUMENT_FLAG, .help = "Do the rest when one of several fails"},
    {"readonly", 0, ARGUMENT_FLAG, .help = "Refuse every verb that changes something"},
    {"accel", 0, ARGUMENT_CHOICE, .value_name = "KIND", .choices = "auto|kvm|tcg",
        .help = "Hardware (kvm) or software (tcg) virtualization"},
    {"no-color", 0, ARGUMENT_FLAG, .help = "Write without colours"},
    {"ascii", 0, ARGUMENT_FLAG, .help = "Write nothing but ASCII"},
    {"cacert", 0, ARGUMENT_FILE, .value_name = "FILE",
        .help = "Trust the certificate authorities in this file instead of the system's"},
};
const size_t common_argument_count = array_length(common_arguments);

/* ---- arguments that several verbs share ---- */

#define NAME_OF(what_help) \
    {"name", 0, ARGUMENT_NAME, .is_positional = true, .is_required = true, .value_name = "NAME", \
        .help = (what_help)}
#define NAMES_OF(what_help) \
    {"name", 0, ARGUMENT_NAME, .is_positional = true, .is_required = true, .is_many = true, \
        .value_name = "NAME", .help = (what_help)}
#define AVAILABLE \
    {"available", 'a', ARGUMENT_FLAG, .help = "List what the catalogs offer instead"}
#define FORCE(what_help) {"force", 'f', ARGUMENT_FLAG, .help = (what_help)}

/* ---- kernel ---- */

static const struct column kernel_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"DISTRO", "distro", COLUMN_TEXT},
    {"ARCH", "arch", COLUMN_TEXT}, {"VERSION", "kernel_version", COLUMN_TEXT},
    {"SIZE", "size_bytes", COLUMN_SIZE}, {"SHA256", "sha256", COLUMN_DIGEST},
    {"SOURCE", "source", COLUMN_TEXT}, {"AGE", "imported_at", COLUMN_AGE},
    {"STATE", "state", COLUMN_TEXT},
};
static const struct column offer_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"KIND", "kind", COLUMN_TEXT},
    {"DISTRO", "distro", COLUMN_TEXT}, {"ARCH", "arch", COLUMN_TEXT},
    {"VERSION", "kernel_version", COLUMN_TEXT}, {"SIZE", "size_bytes", COLUMN_SIZE},
    {"STATE", "state", COLUMN_TEXT}, {"DESCRIPTION", "description", COLUMN_TEXT},
};
static const struct argument list_arguments[] = {AVAILABLE};
static const struct argument kernel_show_arguments[] = {NAME_OF("Kernel to show")};
static const struct argument kernel_import_arguments[] = {
    NAME_OF("Name the kernel gets here"),
    {"from", 0, ARGUMENT_PLACE, .is_required = true, .is_many = true, .value_name = "PLACE",
        .help = "Directory, .deb file (or several), or the word host for the running kernel"},
    {"distro", 0, ARGUMENT_TEXT, .value_name = "WORD", .help = "Distribution to record"},
    {"arch", 0, ARGUMENT_TEXT, .value_name = "WORD", .help = "Architecture to record"},
    {"kernel-version", 0, ARGUMENT_TEXT, .value_name = "TEXT", .help = "Version to record"},
    FORCE("Replace a kernel of that name"),
};
static const struct argument kernel_pull_arguments[] = {
    NAME_OF("Kernel of a catalog"),
    FORCE("Fetch it again and replace the one that is here"),
    {"if-absent", 0, ARGUMENT_FLAG, .help = "Succeed without a change when it is here already"},
};
static const struct argument kernel_rm_arguments[] = {
    NAMES_OF("Kernels to remove"),
    FORCE("Remove it even when images or VMs refer to it"),
};
static const struct step fetch_steps[] = {
    {"resolve", 2}, {"download", 75}, {"verify", 3}, {"extract", 15}, {"publish", 5},
};
static const struct step copy_steps[] = {
    {"resolve", 5}, {"extract", 80}, {"publish", 15},
};

/* ---- image ---- */

static const struct column image_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"SOURCE", "source", COLUMN_TEXT},
    {"KERNEL", "kernel_ref", COLUMN_TEXT}, {"SIZE", "size_bytes", COLUMN_SIZE},
    {"DISK", "disk_bytes", COLUMN_SIZE}, {"DIGEST", "digest", COLUMN_DIGEST},
    {"AGE", "created_at", COLUMN_AGE}, {"STATE", "state", COLUMN_TEXT},
};
static const struct argument image_show_arguments[] = {NAME_OF("Image to show")};
static const struct argument image_register_arguments[] = {
    NAME_OF("Name the image gets here"),
    {"rootfs", 0, ARGUMENT_PLACE, .is_required = true, .value_name = "FILE",
        .help = "Root file system: an ext4 file"},
    {"kernel-ref", 0, ARGUMENT_KERNEL, .value_name = "KERNEL",
        .help = "Kernel of this host that it boots with"},
    {"kernel", 0, ARGUMENT_FILE, .value_name = "FILE", .help = "Kernel file that it boots with"},
    {"initrd", 0, ARGUMENT_FILE, .value_name = "FILE", .help = "Initial RAM disk for --kernel"},
    {"modules", 0, ARGUMENT_PLACE, .value_name = "DIR", .help = "Modules for --kernel"},
    FORCE("Replace an image of that name"),
};
static const struct argument image_pull_arguments[] = {
    {"image", 0, ARGUMENT_IMAGE, .is_positional = true, .is_required = true,
        .value_name = "IMAGE", .help = "Name in a catalog"},
    {"name", 0, ARGUMENT_NAME, .value_name = "NAME",
        .help = "Name the image gets here (default: from IMAGE)"},
    {"kernel-ref", 0, ARGUMENT_KERNEL, .value_name = "KERNEL",
        .help = "Kernel that it boots with, instead of the catalog's"},
    FORCE("Fetch it again and replace the one that is here"),
    {"if-absent", 0, ARGUMENT_FLAG, .help = "Succeed without a change when it is here already"},
};
static const struct argument image_rm_arguments[] = {NAMES_OF("Images to remove")};

/* ---- vm ---- */

static const struct column vm_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"STATE", "state", COLUMN_TEXT},
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
static const struct argument vm_console_arguments[] = {NAME_OF("VM to connect to")};
static const struct argument vm_wait_arguments[] = {
    NAME_OF("VM to wait for"),
    {"for", 0, ARGUMENT_WORD, .value_name = "WHAT", .fallback = "ready",
        .help = "ready, running, system, stopped, exit, or text=TEXT on its console"},
};
static const struct step boot_steps[] = {
    {"resolve", 2}, {"publish", 8}, {"boot", 60}, {"wait", 30},
};

/* ---- host, job, other ---- */

static const struct column doctor_columns[] = {
    {"CHECK", "check", COLUMN_TEXT}, {"STATUS", "status", COLUMN_TEXT},
    {"DETAIL", "detail", COLUMN_TEXT}, {"NEXT", "hint", COLUMN_TEXT},
};
static const struct column job_columns[] = {
    {"ID", "id", COLUMN_NUMBER}, {"STATE", "state", COLUMN_TEXT},
    {"COMMAND", "command", COLUMN_TEXT}, {"PHASE", "phase", COLUMN_TEXT},
    {"DONE", "done", COLUMN_NUMBER}, {"TOTAL", "total", COLUMN_NUMBER},
    {"PID", "pid", COLUMN_NUMBER},
};
static const struct argument job_cancel_arguments[] = {
    {"id", 0, ARGUMENT_NUMBER, .is_positional = true, .is_required = true, .value_name = "ID",
        .max = UINT64_MAX, .help = "Number of the job, from job list"},
};
static const struct argument help_arguments[] = {
    {"topic", 0, ARGUMENT_WORD, .is_positional = true, .is_many = true, .value_name = "TOPIC",
        .help = "Subject, or subject and verb, or one of the topics that help lists"},
};
static const struct argument completion_arguments[] = {
    {"shell", 0, ARGUMENT_CHOICE, .is_positional = true, .is_required = true,
        .value_name = "SHELL", .choices = "bash|zsh|fish", .help = "Shell to complete for"},
};

/* clang-format on */

/* ---- what rows compute ---- */

static char *object_none(const struct command *command)
{
    (void)command;
    return NULL;
}

static char *object_image_pull(const struct command *command)
{
    const char *name = command_get(command, "name");
    if (name) {
        return memory_printf("image/%s", name);
    }
    auto_free char *local = command_image_name(command_get(command, "image"));
    return memory_printf("image/%s", local);
}

static bool check_pull(const struct command *command, struct error *err)
{
    return !(command_has(command, "force") && command_has(command, "if-absent")) ||
           error_set(err, ERROR_INVALID,
               "--force and --if-absent exclude each other: one replaces, the other leaves alone");
}

static bool check_register(const struct command *command, struct error *err)
{
    bool has_ref = command_has(command, "kernel-ref");
    bool has_file = command_has(command, "kernel");
    bool has_parts = command_has(command, "initrd") || command_has(command, "modules");
    if (has_ref && (has_file || has_parts)) {
        return error_set(err, ERROR_INVALID,
            "--kernel-ref excludes --kernel, --initrd and --modules: give one or the other");
    }
    if (!has_ref && !has_file) {
        return error_set(err, ERROR_INVALID,
            "image register needs a kernel: give --kernel-ref KERNEL or --kernel FILE");
    }
    return true;
}

static bool check_run(const struct command *command, struct error *err)
{
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

const struct verb verbs[] = {
    {"kernel", "list", "ls", VERB_READS, "List kernels",
        "Lists the kernels of this host; with --available what the catalogs offer. Listing never\n"
        "touches the network. Entries that cannot be read are shown as damaged.",
        "banger-tui --batch kernel list --available", ROWS(list_arguments),
        COLUMNS(kernel_columns), .variant_flag = "available", .variant_columns = offer_columns,
        .variant_column_count = array_length(offer_columns), .run = ops_kernel_list},
    {"kernel", "show", NULL, VERB_READS, "Show one kernel",
        "Shows everything that is recorded of a kernel. A unique beginning of the name is enough.",
        "banger-tui --batch kernel show debian-cloud --format json",
        ROWS(kernel_show_arguments), .run = ops_kernel_show},
    {"kernel", "import", NULL, 0, "Add a kernel from this machine",
        "Copies a kernel, its initial RAM disk and its modules from a directory, from a Debian\n"
        "package, or from the running host. In a directory metadata.json says what is what, else\n"
        "the layout of the store, else boot/vmlinux-* and boot/vmlinuz-* are looked for.",
        "banger-tui --batch kernel import lab --from ./linux-image.deb",
        ROWS(kernel_import_arguments), STEPS(copy_steps), .run = ops_kernel_import},
    {"kernel", "pull", NULL, VERB_TRANSFERS, "Fetch a kernel of a catalog",
        "Downloads a kernel, compares its SHA-256 digest with the catalog's, unpacks it and puts\n"
        "it into the store in one step. An interrupted download goes on where it stopped.",
        "banger-tui --batch kernel pull debian-cloud",
        ROWS(kernel_pull_arguments), STEPS(fetch_steps), .check = check_pull,
        .run = ops_kernel_pull},
    {"kernel", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Remove kernels",
        "Removes kernels from the store. One that an image or a VM refers to is kept unless\n"
        "--force is given.",
        "banger-tui --batch kernel rm lab", ROWS(kernel_rm_arguments), .run = ops_kernel_rm},

    {"image", "list", "ls", VERB_READS, "List images",
        "Lists the images of this host; with --available what the catalogs offer.",
        "banger-tui --batch image list", ROWS(list_arguments), COLUMNS(image_columns),
        .variant_flag = "available", .variant_columns = offer_columns,
        .variant_column_count = array_length(offer_columns), .run = ops_image_list},
    {"image", "show", NULL, VERB_READS, "Show one image",
        "Shows everything that is recorded of an image and the VMs that use it. A unique\n"
        "beginning of the name is enough.",
        "banger-tui --batch image show debian --format json",
        ROWS(image_show_arguments), .run = ops_image_show},
    {"image", "register", NULL, VERB_TRANSFERS, "Use a root file system of yours as an image",
        "Records where a root file system and its kernel are; nothing is copied. A kernel given\n"
        "with --kernel-ref that is absent is pulled on the way.",
        "banger-tui --batch image register lab --rootfs ./rootfs.ext4 --kernel-ref debian-cloud",
        ROWS(image_register_arguments), STEPS(copy_steps), .check = check_register,
        .run = ops_image_register},
    {"image", "pull", NULL, VERB_TRANSFERS, "Fetch an image",
        "Downloads an image of a catalog, compares its SHA-256 digest, unpacks it with its holes\n"
        "kept, and pulls the kernel it needs when that is absent.",
        "banger-tui --batch image pull debian",
        ROWS(image_pull_arguments), STEPS(fetch_steps), .check = check_pull,
        .object = object_image_pull, .run = ops_image_pull},
    {"image", "rm", "delete", VERB_DESTROYS | VERB_EACH, "Remove images",
        "Removes images from the store. One that a VM uses is kept. Files of registered images\n"
        "stay where they are.",
        "banger-tui --batch image rm lab", ROWS(image_rm_arguments), .run = ops_image_rm},

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
        ROWS(vm_create_arguments), STEPS(copy_steps), .run = ops_vm_create},
    {"vm", "start", NULL, VERB_STREAMS | VERB_EACH, "Start VMs",
        "Boots VMs that do not run and returns when their guests are ready.",
        "banger-tui --batch vm start db",
        ROWS(vm_start_arguments), STEPS(boot_steps), .run = ops_vm_start},
    {"vm", "stop", NULL, VERB_STREAMS | VERB_EACH, "Stop VMs",
        "Asks the guests to power off and, when that takes too long (--timeout), ends them.",
        "banger-tui --batch vm stop db web", ROWS(vm_stop_arguments), .run = ops_vm_stop},
    {"vm", "kill", NULL, VERB_DESTROYS | VERB_EACH, "Kill VMs",
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

    {"host", "doctor", NULL, VERB_READS, "Check what this host can do",
        "Looks at virtualization, programs, space and places, and says for each what is missing\n"
        "and how to mend it. Needs no rights and no network.",
        "banger-tui --batch host doctor", COLUMNS(doctor_columns), .run = ops_host_doctor},

    {"job", "list", "ls", VERB_READS, "List what is under way",
        "Lists the changes that are under way on this host, of all processes.",
        "banger-tui --batch job list", COLUMNS(job_columns), .run = ops_job_list},
    {"job", "cancel", NULL, 0, "Stop a job",
        "Asks the process that runs a job to stop it. What was downloaded is kept for the next\n"
        "attempt.",
        "banger-tui --batch job cancel 4711001", ROWS(job_cancel_arguments),
        .object = object_none, .run = ops_job_cancel},

    {"", "version", NULL, VERB_READS | VERB_LOCAL, "Show the version", NULL,
        "banger-tui --batch version", .object = object_none},
    {"", "help", NULL, VERB_READS | VERB_LOCAL, "Show help", NULL,
        "banger-tui --batch help kernel pull", ROWS(help_arguments), .object = object_none},
    {"", "completion", NULL, VERB_READS | VERB_LOCAL, "Write a completion script for a shell",
        NULL, "banger-tui --batch completion bash > ~/.bash_completion",
        ROWS(completion_arguments), .object = object_none},
};
const size_t verb_count = array_length(verbs);
