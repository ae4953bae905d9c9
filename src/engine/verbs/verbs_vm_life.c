/* SPDX-License-Identifier: MIT */
/* The verbs of machines that are there: their life, and what they are made of. */
#include "engine/verbs/verbs.h"

#include "engine/ops.h"

/* clang-format off */

static const struct argument restart_arguments[] = {
    NAMES_OF("VMs to start again"),
    {"detach", 'd', ARGUMENT_FLAG, .help = "Return when the machine runs, not when it is ready"},
};
static const struct argument pause_arguments[] = {NAMES_OF("VMs to pause")};
static const struct argument resume_arguments[] = {NAMES_OF("VMs to let go on")};
static const struct argument set_arguments[] = {
    NAME_OF("VM to change"),
    {"vcpu", 0, ARGUMENT_NUMBER, .value_name = "N", .max = 32, .help = "Virtual processors"},
    {"memory", 'm', ARGUMENT_SIZE, .value_name = "SIZE", .help = "Memory"},
    {"disk-size", 0, ARGUMENT_SIZE, .value_name = "SIZE",
        .help = "Space for what the machine writes; it can only grow"},
    {"kernel-ref", 'k', ARGUMENT_KERNEL, .value_name = "KERNEL", .help = "Kernel to boot"},
    {"append", 0, ARGUMENT_TEXT, .value_name = "ARGS",
        .help = "More kernel arguments, in place of those before; empty for none"},
    {"restart", 0, ARGUMENT_CHOICE, .value_name = "WHEN", .choices = "no|on-failure|always",
        .help = "Start it again when it ends"},
    {"autostart", 0, ARGUMENT_CHOICE, .value_name = "WHETHER", .choices = "yes|no",
        .help = "Start it with the host, by a unit of the user's systemd"},
    {"publish", 'p', ARGUMENT_WORD, .is_many = true, .value_name = "HOST:GUEST",
        .help = "Published ports, in place of all before; none for none"},
    {"net", 0, ARGUMENT_CHOICE, .value_name = "MODE", .choices = "user|bridge|nat|namespace|none",
        .help = "Network"},
    {"address", 0, ARGUMENT_WORD, .value_name = "ADDRESS",
        .help = "IPv4 address on the bridge; auto for a free one"},
    {"volume", 'v', ARGUMENT_WORD, .is_many = true, .value_name = "HOSTDIR:GUESTDIR[:ro]",
        .help = "Directories of this host, in place of all before; none for none"},
    {"vmm", 0, ARGUMENT_CHOICE, .value_name = "KIND", .choices = "auto|firecracker|qemu",
        .help = "Program that runs the machine"},
    {"disk", 0, ARGUMENT_WORD, .is_many = true, .value_name = "SIZE|FILE[:GUESTDIR][:ro]",
        .help = "One more disk, beside those it has"},
    {"no-disk", 0, ARGUMENT_WORD, .is_many = true, .value_name = "GUESTDIR|FILE|diskN",
        .help = "Take that disk away; with --force also one of its own, and what is on it"},
    {"ssh-key", 0, ARGUMENT_FILE, .value_name = "FILE",
        .help = "Public key for root of the guest; none for one of ours"},
    {"env-file", 0, ARGUMENT_FILE, .value_name = "FILE",
        .help = "Lines NAME=VALUE for the environment of its commands, over what it has"},
    FORCE("Take a disk of its own away with what is on it"),
};
static const struct argument rename_arguments[] = {
    NAME_OF("VM to rename"),
    {"new", 0, ARGUMENT_WORD, .is_positional = true, .is_required = true, .value_name = "NEW",
        .help = "Its new name"},
};
static const struct argument clone_arguments[] = {
    NAME_OF("VM to copy"),
    {"new", 0, ARGUMENT_WORD, .is_positional = true, .is_required = true, .value_name = "NEW",
        .help = "Name of the copy"},
};
static const struct argument stats_arguments[] = {
    {"vm", 0, ARGUMENT_WORD, .is_positional = true, .is_many = true, .value_name = "NAME",
        .help = "VMs to look at (default: all that run)"},
    {"watch", 'w', ARGUMENT_FLAG, .help = "Go on until interrupted, every two seconds"},
};
static const struct column stats_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"STATE", "state", COLUMN_TEXT},
    {"CPU%", "cpu_percent", COLUMN_NUMBER}, {"RSS", "rss_bytes", COLUMN_SIZE},
    {"MEMORY", "memory_bytes", COLUMN_SIZE}, {"DISK", "disk_bytes", COLUMN_SIZE},
    {"READ", "read_bytes", COLUMN_SIZE}, {"WRITE", "written_bytes", COLUMN_SIZE},
    {"RECV", "net_received_bytes", COLUMN_SIZE}, {"SENT", "net_sent_bytes", COLUMN_SIZE},
    {"LOAD", "load", COLUMN_NUMBER}, {"USED", "guest_used_bytes", COLUMN_SIZE},
    {"PID", "pid", COLUMN_NUMBER},
};
static const struct step boot_steps[] = {
    {"resolve", 2}, {"publish", 8}, {"boot", 60}, {"wait", 30},
};

static const struct verb rows[] = {
    {"vm", "restart", NULL, VERB_STREAMS | VERB_EACH, "Stop and start VMs",
        "Stops VMs as vm stop does and boots them again; one that does not run is started.",
        "banger-tui --batch vm restart web db",
        ROWS(restart_arguments), STEPS(boot_steps), .run = ops_vm_restart},
    {"vm", "pause", NULL, VERB_EACH, "Pause VMs",
        "Stops the processors of VMs; their memory stays where it is.",
        "banger-tui --batch vm pause web", ROWS(pause_arguments), .run = ops_vm_pause},
    {"vm", "resume", NULL, VERB_EACH, "Let paused VMs go on",
        "Lets VMs go on where vm pause stopped them.",
        "banger-tui --batch vm resume web", ROWS(resume_arguments), .run = ops_vm_resume},
    {"vm", "set", NULL, VERB_TRANSFERS, "Change what a VM is made of",
        "Changes a VM, in the words of vm run; what is changed holds from its next start on. A disk\n"
        "grows, file system and all, and never shrinks. For that, and for taking one of its own\n"
        "disks away, the VM must not run.",
        "banger-tui --batch vm set web --memory 2G --disk-size 20G",
        ROWS(set_arguments), .run = ops_vm_set},
    {"vm", "rename", NULL, 0, "Rename a VM",
        "Gives a VM that does not run another name.",
        "banger-tui --batch vm rename web www", ROWS(rename_arguments), .run = ops_vm_rename},
    {"vm", "clone", NULL, 0, "Copy a VM",
        "Makes another VM with a copy of the disks of one that does not run, shared where the file\n"
        "system can, and with an identity of its own. Published host ports are chosen anew.",
        "banger-tui --batch vm clone web web2",
        ROWS(clone_arguments), STEPS(verb_copy_steps), .run = ops_vm_clone},
    {"vm", "stats", NULL, VERB_READS | VERB_STREAMS, "Show what VMs use",
        "Shows processor use over half a second (100 is one processor), resident memory, allocated\n"
        "disk, and what was read from and written to storage since the start. Load and used\n"
        "memory are what the guest's agent says, and so is its network where this host does not\n"
        "see it (--net user). Where a VM has a control group of its own, its processor use is that\n"
        "of the group: VMM, monitor and network together; --format json says whose each figure is.",
        "banger-tui --batch vm stats --watch --format jsonl",
        ROWS(stats_arguments), COLUMNS(stats_columns), .object = verb_object_none,
        .run = ops_vm_stats},
    {"vm", "prune", NULL, VERB_DESTROYS, "Remove VMs that have ended",
        "Removes all VMs that ran and have ended, with their disks. Those that never ran stay. With\n"
        "--dry-run it only tells which.",
        "banger-tui --batch vm prune --dry-run", .object = verb_object_none, .run = ops_vm_prune},
};
const struct verb_group vm_life_verbs = VERB_GROUP(rows);

/* clang-format on */
