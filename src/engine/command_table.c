/* SPDX-License-Identifier: MIT */
/* What the program can do: one row per verb, in a file per subject (verbs_*.c). Help, the man page,
 * completions, the batch parser and the console's forms are made from these rows; here is what
 * several of them share, and the table put together. */
#include "engine/verbs/verbs.h"

#include "base/error.h"
#include "base/memory.h"
#include "engine/ops.h"

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

/* ---- what several verbs share ---- */

const struct argument verb_list_arguments[] = {
    {"available", 'a', ARGUMENT_FLAG, .help = "List what the catalogs offer instead"},
};
const struct column verb_offer_columns[VERB_OFFER_COLUMNS] = {
    {"NAME", "name", COLUMN_TEXT}, {"KIND", "kind", COLUMN_TEXT},
    {"DISTRO", "distro", COLUMN_TEXT}, {"ARCH", "arch", COLUMN_TEXT},
    {"VERSION", "kernel_version", COLUMN_TEXT}, {"SIZE", "size_bytes", COLUMN_SIZE},
    {"STATE", "state", COLUMN_TEXT}, {"DESCRIPTION", "description", COLUMN_TEXT},
};
const struct step verb_fetch_steps[VERB_FETCH_STEPS] = {
    {"resolve", 2}, {"download", 75}, {"verify", 3}, {"extract", 15}, {"publish", 5},
};
const struct step verb_copy_steps[VERB_COPY_STEPS] = {
    {"resolve", 5}, {"extract", 80}, {"publish", 15},
};

/* clang-format on */

char *verb_object_none(const struct command *command)
{
    (void)command;
    return NULL;
}

bool verb_check_pull(const struct command *command, struct error *err)
{
    return !(command_has(command, "force") && command_has(command, "if-absent")) ||
           error_set(err, ERROR_INVALID,
               "--force and --if-absent exclude each other: one replaces, the other leaves alone");
}

/* clang-format off */

static const struct argument help_arguments[] = {
    {"topic", 0, ARGUMENT_WORD, .is_positional = true, .is_many = true, .value_name = "TOPIC",
        .help = "Subject, or subject and verb, or one of the topics that help lists"},
};
static const struct argument events_arguments[] = {
    {"what", 0, ARGUMENT_WORD, .is_positional = true, .is_many = true, .value_name = "WHAT",
        .help = "Only what this happens to: image/debian, a name, or a subject such as image"},
    {"since", 0, ARGUMENT_WORD, .value_name = "TIME",
        .help = "What was done since then: 90m, 2d, 2026-07-01, today, yesterday, all"},
    {"follow", 'f', ARGUMENT_FLAG, .help = "With --since: go on with what comes"},
    {"by", 0, ARGUMENT_WORD, .value_name = "LOGIN", .help = "Only what this user did"},
    {"plain", 0, ARGUMENT_FLAG,
        .help = "Write lines for people, as on a terminal (unless --format says json or jsonl)"},
};
static const struct argument completion_arguments[] = {
    {"shell", 0, ARGUMENT_CHOICE, .is_positional = true, .is_required = true,
        .value_name = "SHELL", .choices = "bash|zsh|fish", .help = "Shell to complete for"},
};

static const struct verb rows[] = {
    {"", "version", NULL, VERB_READS | VERB_LOCAL, "Show the version", NULL,
        "banger-tui --batch version", .object = verb_object_none},
    {"", "help", NULL, VERB_READS | VERB_LOCAL, "Show help", NULL,
        "banger-tui --batch help kernel pull", ROWS(help_arguments), .object = verb_object_none},
    {"", "events", NULL, VERB_READS | VERB_STREAMS | VERB_CARRIES, "Show changes as they happen",
        "Writes a line of JSON for every change of a kernel, an image or a VM, whoever makes it,\n"
        "until it is interrupted: added, replaced, removed, and of VMs also each state, when\n"
        "the guest is ready, when slirp4netns died under its network (network-lost) and serves it\n"
        "again (network-back), and when it stands still because the disk is full (no-space) and\n"
        "goes on (space-back); and a line (change) for every command that changed something,\n"
        "with the login and the terminal it came from. A line says when it begins to watch.\n"
        "With --since it tells what was done since then, and ends there unless --follow is given.\n"
        "The last megabyte or two of commands is kept, in log/changes.jsonl. Days are those of UTC.",
        "banger-tui --batch events | jq -c 'select(.state==\"crashed\")'\n"
        "banger-tui --batch events --since yesterday image/debian",
        ROWS(events_arguments), .object = verb_object_none, .run = ops_events},
    {"", "completion", NULL, VERB_READS | VERB_LOCAL, "Write a completion script for a shell",
        NULL, "banger-tui --batch completion bash > ~/.bash_completion",
        ROWS(completion_arguments), .object = verb_object_none},
};
static const struct verb_group other_verbs = VERB_GROUP(rows);

/* clang-format on */

/* Rows of one subject stand together. */
static const struct verb_group *const groups[] = {
    &kernel_verbs,
    &image_verbs,
    &vm_verbs,
    &vm_life_verbs,
    &vm_snapshot_verbs,
    &vm_guest_verbs,
    &catalog_verbs,
    &host_verbs,
    &other_verbs,
};

const struct verb *verb_at(size_t index)
{
    for (size_t i = 0; i < array_length(groups); i++) {
        if (index < groups[i]->count) {
            return &groups[i]->rows[index];
        }
        index -= groups[i]->count;
    }
    return NULL;
}

size_t verb_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < array_length(groups); i++) {
        count += groups[i]->count;
    }
    return count;
}
