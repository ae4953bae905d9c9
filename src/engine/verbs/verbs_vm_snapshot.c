/* SPDX-License-Identifier: MIT */
/* The verbs of snapshots of machines. */
#include "engine/verbs/verbs.h"

#include "base/memory.h"
#include "engine/ops.h"

/* clang-format off */

#define SNAPSHOT_OF(what_help)                                                                     \
    {                                                                                              \
        "snapshot", 0, ARGUMENT_WORD, .is_positional = true, .is_required = true,                  \
                                      .value_name = "SNAPSHOT", .help = (what_help)                \
    }

static const struct column snapshot_columns[] = {
    {"NAME", "name", COLUMN_TEXT}, {"AGE", "created_at", COLUMN_AGE},
    {"VM WAS", "state", COLUMN_TEXT}, {"MEMORY", "memory", COLUMN_BOOL},
    {"SIZE", "size_bytes", COLUMN_SIZE}, {"DISK", "disk_bytes", COLUMN_SIZE},
};
static const struct argument create_arguments[] = {
    NAME_OF("VM to keep as it is now"),
    {"snapshot", 0, ARGUMENT_WORD, .is_positional = true, .value_name = "SNAPSHOT",
        .help = "Name of the snapshot (default: the time, as in 20261127-115301)"},
    {"memory", 0, ARGUMENT_FLAG,
        .help = "Keep what it holds in memory too: it goes on from there when it is restored"},
};
static const struct argument list_arguments[] = {NAME_OF("VM whose snapshots are listed")};
static const struct argument show_arguments[] = {
    NAME_OF("VM that has the snapshot"), SNAPSHOT_OF("Snapshot to show"),
};
static const struct argument restore_arguments[] = {
    NAME_OF("VM to take back"), SNAPSHOT_OF("Snapshot that it becomes"),
    FORCE("Kill it first when it runs"),
    {"no-memory", 0, ARGUMENT_FLAG, .help = "Take the disks alone, as after a power cut"},
};
static const struct argument rm_arguments[] = {
    NAME_OF("VM that has the snapshots"),
    {"snapshot", 0, ARGUMENT_WORD, .is_positional = true, .is_required = true, .is_many = true,
        .value_name = "SNAPSHOT", .help = "Snapshots to remove"},
};

static const struct step restore_steps[] = {
    {"resolve", 2}, {"publish", 48}, {"boot", 30}, {"wait", 20},
};

/* Several of one machine are removed side by side. */
static char *snapshot_object(const struct command *command)
{
    return memory_printf("vm/%s/%s", command_get(command, "name"), command_get(command, "snapshot"));
}

static const struct verb rows[] = {
    {"vm", "snapshot create", NULL, VERB_STREAMS, "Keep a VM as it is now",
        "Copies the disks of a VM, shared where the file system can, to be taken back to with\n"
        "vm snapshot restore. One that runs writes back what it holds and stands still for the time\n"
        "of the copy. Disks that are files of others are not part of it.",
        "banger-tui --batch vm snapshot create web before-upgrade",
        ROWS(create_arguments), STEPS(verb_copy_steps), .run = ops_vm_snapshot_create},
    {"vm", "snapshot list", "snapshot ls", VERB_READS, "List the snapshots of a VM",
        "Lists what a VM can be taken back to, the oldest first.",
        "banger-tui --batch vm snapshot list web",
        ROWS(list_arguments), COLUMNS(snapshot_columns), .run = ops_vm_snapshot_list},
    {"vm", "snapshot show", NULL, VERB_READS, "Show a snapshot of a VM",
        "Shows what is in a snapshot and what it stands on.",
        "banger-tui --batch vm snapshot show web before-upgrade",
        ROWS(show_arguments), .run = ops_vm_snapshot_show},
    {"vm", "snapshot restore", NULL, VERB_DESTROYS | VERB_STREAMS, "Take a VM back to a snapshot",
        "Gives a VM the disks and the settings that it had; what it wrote since is gone. Its name,\n"
        "and whether it starts with the host, stay. From a snapshot with memory it goes on where it\n"
        "was, which takes the same version of its VMM and the same kernel; else it does not run\n"
        "afterwards.",
        "banger-tui --batch vm snapshot restore web before-upgrade",
        ROWS(restore_arguments), STEPS(restore_steps), .run = ops_vm_snapshot_restore},
    {"vm", "snapshot rm", "snapshot delete", VERB_DESTROYS | VERB_EACH, "Remove snapshots of a VM",
        "Removes snapshots for good. The VM stays as it is.",
        "banger-tui --batch vm snapshot rm web before-upgrade",
        ROWS(rm_arguments), .object = snapshot_object, .run = ops_vm_snapshot_rm},
};
const struct verb_group vm_snapshot_verbs = VERB_GROUP(rows);

/* clang-format on */
