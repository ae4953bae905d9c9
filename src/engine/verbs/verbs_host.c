/* SPDX-License-Identifier: MIT */
/* The verbs of the host and of jobs. */
#include "engine/verbs/verbs.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/ops.h"

/* clang-format off */

static const struct column doctor_columns[] = {
    {"CHECK", "check", COLUMN_TEXT}, {"STATUS", "status", COLUMN_TEXT},
    {"DETAIL", "detail", COLUMN_TEXT}, {"NEXT", "hint", COLUMN_TEXT},
};
static const struct column df_columns[] = {
    {"WHAT", "what", COLUMN_TEXT}, {"ENTRIES", "entries", COLUMN_NUMBER},
    {"SIZE", "size_bytes", COLUMN_SIZE}, {"DISK", "disk_bytes", COLUMN_SIZE},
    {"RECLAIMABLE", "reclaimable_bytes", COLUMN_SIZE},
};
static const struct column trash_columns[] = {
    {"ID", "id", COLUMN_TEXT}, {"KIND", "kind", COLUMN_TEXT}, {"NAME", "name", COLUMN_TEXT},
    {"DISK", "disk_bytes", COLUMN_SIZE}, {"REMOVED", "trashed_at", COLUMN_AGE},
    {"UNTIL", "restorable_until", COLUMN_TEXT},
};
static const struct argument trash_restore_arguments[] = {
    {"what", 0, ARGUMENT_WORD, .is_positional = true, .is_required = true, .is_many = true,
        .value_name = "ID", .help = "Id from host trash list, or the name it had"},
};
static const struct column job_columns[] = {
    {"ID", "id", COLUMN_NUMBER}, {"STATE", "state", COLUMN_TEXT},
    {"PLACE", "place", COLUMN_NUMBER}, {"COMMAND", "command", COLUMN_TEXT},
    {"PHASE", "phase", COLUMN_TEXT}, {"%", "percent", COLUMN_NUMBER},
    {"DONE", "done_bytes", COLUMN_SIZE}, {"TOTAL", "total_bytes", COLUMN_SIZE},
    {"PID", "pid", COLUMN_NUMBER}, {"BY", "by", COLUMN_TEXT},
    {"WAITS FOR", "waits_for", COLUMN_TEXT},
};
static const struct argument job_cancel_arguments[] = {
    {"id", 0, ARGUMENT_NUMBER, .is_positional = true, .is_required = true, .value_name = "ID",
        .max = UINT64_MAX, .help = "Number of the job, from job list"},
};
static const struct argument job_move_arguments[] = {
    {"id", 0, ARGUMENT_NUMBER, .is_positional = true, .is_required = true, .value_name = "ID",
        .max = UINT64_MAX, .help = "Number of a job that waits, from job list"},
    {"first", 0, ARGUMENT_FLAG, .help = "Do it next"},
    {"last", 0, ARGUMENT_FLAG, .help = "Do it after all others"},
    {"up", 0, ARGUMENT_FLAG, .help = "Do it before the one that is before it now"},
    {"down", 0, ARGUMENT_FLAG, .help = "Do it after the one that is behind it now"},
    {"before", 0, ARGUMENT_NUMBER, .value_name = "ID", .max = UINT64_MAX,
        .help = "Do it before this one, which waits too"},
};

/* clang-format on */

static bool check_move(const struct command *command, struct error *err)
{
    static const char *const places[] = {"first", "last", "up", "down", "before"};
    unsigned count = 0;
    for (size_t i = 0; i < array_length(places); i++) {
        count += command_has(command, places[i]);
    }
    return count == 1 || error_set(err, ERROR_INVALID,
                             "job move takes one of --first, --last, --up, --down and --before ID");
}

/* clang-format off */

static const struct argument files_arguments[] = {
    {"dir", 0, ARGUMENT_PLACE, .is_positional = true, .is_required = true, .value_name = "DIR",
        .help = "Directory to look into"},
    {"begins", 0, ARGUMENT_WORD, .value_name = "TEXT", .help = "Only names that begin so"},
};

static const struct verb rows[] = {
    {"host", "doctor", NULL, VERB_READS, "Check what this host can do",
        "Looks at virtualization, programs, space and places, and says for each what is missing\n"
        "and how to mend it. Needs no rights and no network.",
        "banger-tui --batch host doctor", COLUMNS(doctor_columns), .run = ops_host_doctor},
    {"host", "df", NULL, VERB_READS, "Show what kernels, images, VMs and the cache take",
        "Adds up files, holes included, and what they take on the disk. Reclaimable is what nothing\n"
        "refers to: unused kernels and images, all of the cache and of the trash.",
        "banger-tui --batch host df", COLUMNS(df_columns), .run = ops_host_df},
    /* A thread of its own: a file system that hangs must keep nobody else waiting. */
    {"host", "files", NULL, VERB_READS | VERB_STREAMS | VERB_HIDDEN, "List a directory", NULL,
        "banger-tui --batch host files /srv", ROWS(files_arguments), .object = verb_object_none,
        .run = ops_host_files},
    {"host", "gc", NULL, VERB_DESTROYS, "Clean up what no record owns",
        "Ends monitors and VMMs of ours that belong to no VM any more, writes down how VMs ended that\n"
        "nobody saw end, removes networks and control groups of VMs that are gone, what killed\n"
        "processes left half-made, and trash beyond its limits.\n"
        "Never touches what it did not make, nor a VM whose record cannot be read.",
        "banger-tui --batch host gc --dry-run", .object = verb_object_none, .run = ops_host_gc},
    {"host", "trash list", "trash ls", VERB_READS, "List what was removed and can be taken back",
        "Lists removed kernels, images and VMs. They stay for trash_days of [limits], and as long\n"
        "as all of them together are below trash_bytes; then the oldest go for good.",
        "banger-tui --batch host trash list", COLUMNS(trash_columns), .run = ops_host_trash_list},
    {"host", "trash restore", NULL, VERB_EACH, "Take removed things back",
        "Gives removed kernels, images and VMs back under their old names. A name means the one\n"
        "that was removed last; KIND/NAME says which kind.",
        "banger-tui --batch host trash restore lab", ROWS(trash_restore_arguments),
        .object = verb_object_none, .run = ops_host_trash_restore},
    {"host", "trash empty", NULL, VERB_DESTROYS, "Remove what is in the trash for good",
        "Frees the space of everything that was removed. There is no way back.",
        "banger-tui --batch host trash empty --dry-run",
        .object = verb_object_none, .run = ops_host_trash_empty},

    {"job", "list", "ls", VERB_READS, "List what is under way",
        "Lists the changes that are under way on this host, of all processes, and then those that\n"
        "wait for their turn, each with its place, what it waits for, and whose it is.",
        "banger-tui --batch job list", COLUMNS(job_columns), .run = ops_job_list},
    {"job", "cancel", NULL, VERB_CONTROLS, "Stop a job",
        "Asks the process that runs a job, or in which it waits, to stop it. What was downloaded is\n"
        "kept for the next attempt. Other jobs of the same command or console go on; to a script\n"
        "it is a line that failed.",
        "banger-tui --batch job cancel 4711001", ROWS(job_cancel_arguments),
        .object = verb_object_none, .run = ops_job_cancel},
    {"job", "move", NULL, VERB_CONTROLS, "Change when a job that waits is done",
        "Moves a job among those that wait with it in the same process: transfers wait for\n"
        "transfers, other jobs for other jobs. What runs already is not stopped for it.",
        "banger-tui --batch job move 4711002 --first", ROWS(job_move_arguments),
        .check = check_move, .object = verb_object_none, .run = ops_job_move},
};
const struct verb_group host_verbs = VERB_GROUP(rows);
