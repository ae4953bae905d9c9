/* SPDX-License-Identifier: MIT */
#pragma once

/* Commands as data. A table (verbs_*.c) has one row per verb: what it is called, what it takes,
 * what it changes, how its result is shown. Console forms, key hints, the palette, the batch
 * parser, --help, the man page and completions all come from it; adding a verb is one row, one
 * function and one test.
 *
 * A struct command is one call of a verb: a value that owns its words. Built by the front end,
 * handed over to engine_submit. Any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct error;
struct json;
struct ops;
struct strings;
struct text;

enum argument_kind {
    ARGUMENT_NAME,     /* of an existing or new object of the verb's subject */
    ARGUMENT_KERNEL,   /* name of a kernel */
    ARGUMENT_IMAGE,    /* name or reference of an image */
    ARGUMENT_WORD,     /* anything, never empty */
    ARGUMENT_TEXT,     /* anything */
    ARGUMENT_FILE,     /* path of a file */
    ARGUMENT_PLACE,    /* path of a file or directory, or a word the help names */
    ARGUMENT_SIZE,     /* units_parse_size */
    ARGUMENT_NUMBER,   /* 1..max */
    ARGUMENT_DURATION, /* units_parse_duration */
    ARGUMENT_CHOICE,   /* one of `choices`, separated by '|' */
    ARGUMENT_FLAG,     /* present or not */
    ARGUMENT_REST,     /* everything behind "--" */
};

struct argument {
    const char *name; /* "from": `--from`; positional ones are also accepted as `--name N` */
    char letter;      /* 'f' for -f, 0 for none */
    enum argument_kind kind;
    bool is_positional;
    bool is_required;
    bool is_many;           /* may be given more than once */
    const char *value_name; /* "DIR"; NULL for flags */
    const char *choices;    /* "auto|kvm|tcg"; NULL unless a choice */
    uint64_t max;           /* of a number */
    const char *fallback;   /* what holds when it is not given, as text; NULL for nothing */
    const char *help;       /* one sentence without a full stop */
};

enum verb_flag {
    VERB_READS = 1 << 0,     /* changes nothing: allowed for a read-only seat, accepts prefixes */
    VERB_DESTROYS = 1 << 1,  /* the console asks before, never on the opening key */
    VERB_TRANSFERS = 1 << 2, /* runs in the transfer lane */
    VERB_STREAMS = 1 << 3,   /* a thread of its own; may carry descriptors */
    VERB_EACH = 1 << 4,      /* takes many names: one command per name, results in order */
    VERB_LOCAL = 1 << 5,     /* answered by the front end (help, version, completion) */
    VERB_HIDDEN = 1 << 6,    /* not offered to people */
    VERB_CARRIES = 1 << 7,   /* its stdout is a guest's stream (exec, ssh, logs, console): handed
                                over with command_set_fd, never mixed with a result. What runs a
                                command leaves {"exit_status": 0..255} in the job */
    VERB_TERMINAL = 1 << 8,  /* without a command behind "--" it needs a terminal in raw mode */
    VERB_PIPES = 1 << 9,     /* a positional "-" is the caller's stdin or stdout: it then carries a
                                stream. With VERB_CARRIES: it always reads stdin */
    VERB_ENDS = 1 << 10, /* at its end its object is at rest: another change that comes meanwhile
                            waits for that end, unless it is such a one itself */
    VERB_CONTROLS = 1 << 11, /* acts on a job, not on what is stored: a thread of its own, so that
                                what fills a lane cannot keep it from being stopped, and no job to
                                be seen */
};

/* How tables show a result: one per column. */
struct column {
    const char *header; /* "SIZE" */
    const char *field;  /* "size_bytes" */
    enum column_form {
        COLUMN_TEXT,
        COLUMN_SIZE,   /* bytes as "14.2 MiB" */
        COLUMN_AGE,    /* RFC 3339 as an age */
        COLUMN_DIGEST, /* first 12 digits */
        COLUMN_NUMBER, /* right-aligned */
        COLUMN_BOOL,   /* yes / no */
        COLUMN_STATE,  /* of a machine, with what is amiss: column_remark */
    } form;
};

/* Fields that are told behind the value where they are true; NULL: no more of them. */
#define COLUMN_REMARKS 3
const char *column_remark(const struct column *column, size_t index);
/* " (network lost)" of "network_lost". */
void column_append_remark(const char *field, struct text *out);

struct step {
    const char *phase; /* a progress phase name */
    unsigned weight;
};

struct verb {
    const char *subject; /* "kernel"; "" for verbs without one */
    const char *name;    /* "list" */
    const char *alias;   /* "ls", or several: "ls|ps"; NULL for none */
    unsigned flags;      /* enum verb_flag */
    const char *summary; /* one line, imperative, no full stop */
    const char *details; /* paragraphs for the man page and --help; NULL for none */
    const char *example; /* one or more whole lines; NULL for none */
    const struct argument *arguments;
    size_t argument_count;
    const struct column *columns; /* NULL: the result is one object, shown as "field: value" */
    size_t column_count;
    const struct step *steps; /* weights of the phases, in order; NULL: one step */
    size_t step_count;
    /* Columns that hold instead when this flag is given (`list --available`); NULL for none. */
    const char *variant_flag;
    const struct column *variant_columns;
    size_t variant_column_count;
    /* Arguments that need or exclude each other; NULL: any combination. ERROR_INVALID. */
    bool (*check)(const struct command *command, struct error *err);
    /* What it changes, as "kernel/debian"; caller frees, NULL for nothing. NULL here: the subject
     * and the first ARGUMENT_NAME. */
    char *(*object)(const struct command *command);
    /* What carries it out, in a worker (ops.h). NULL for VERB_LOCAL. Engine only. */
    bool (*run)(struct ops *ops, struct json **result, struct error *err);
};

/* The table, by index; rows of one subject stand together. */
const struct verb *verb_at(size_t index);
size_t verb_count(void);

/* By subject ("" allowed) and name or alias; NULL when there is none. */
const struct verb *verb_find(const char *subject, const char *name);
const struct argument *verb_argument(const struct verb *verb, const char *name);
/* Its words, as typed: "vm start", "events". Caller frees. */
char *verb_words(const struct verb *verb) __attribute__((returns_nonnull));
/* Options every verb takes (--format, --timeout, --state-dir …). */
extern const struct argument common_arguments[];
extern const size_t common_argument_count;

struct command *command_new(const struct verb *verb);
void command_free(struct command *command);
void command_auto_free(struct command **command);
const struct verb *command_verb(const struct command *command);
/* Sets, or adds to, an argument; checks its kind. value NULL for a flag. ERROR_INVALID. */
bool command_set(
    struct command *command, const char *argument, const char *value, struct error *err);
/* First value ("true" for a flag), or the argument's fallback, or NULL. */
const char *command_get(const struct command *command, const char *argument);
bool command_has(const struct command *command, const char *argument);
/* All values; never NULL. */
const struct strings *command_all(const struct command *command, const char *argument);
/* 0 when not given and without a fallback. */
uint64_t command_size(const struct command *command, const char *argument);
uint64_t command_number(const struct command *command, const char *argument);
uint64_t command_duration_ms(const struct command *command, const char *argument);
/* Everything required is there and nothing contradicts itself. ERROR_INVALID. */
bool command_check(const struct command *command, struct error *err);
/* How many names a VERB_EACH command carries; 1 for every other command. */
size_t command_each_count(const struct command *command);
/* A new command with only the index-th of the names; everything else copied, descriptors not. */
struct command *command_each(const struct command *command, size_t index);
/* The columns its result is shown with; *count is 0 (and NULL returned) for one object. */
const struct column *command_columns(const struct command *command, size_t *count);
/* What it changes or shows, as "kernel/debian", caller frees; NULL for nothing in particular. */
char *command_object(const struct command *command);
/* The local name an image reference gets by default: "debian:bookworm" is "debian-bookworm",
 * "ghcr.io/a/b:1" is "b-1", "b@sha256:<hex>" is "b-" and 12 digits. Caller frees. */
char *command_image_name(const char *reference);
/* As one batch line, quoted so that the batch parser reads the same command again. */
void command_line(const struct command *command, struct text *out);
/* The same as words, not quoted: what stands behind --batch. */
void command_words(const struct command *command, struct strings *words);

/* Descriptors for verbs that stream; each -1 at first; the command owns them. Without
 * COMMAND_STDIN the guest reads an empty file. COMMAND_WINDOW is there when the caller's terminal
 * is in raw mode: a pipe of struct command_window records, the first one waiting in it, one more
 * for every change of size. */
struct command_window {
    uint16_t rows;
    uint16_t columns;
};
enum command_fd { COMMAND_STDIN, COMMAND_STDOUT, COMMAND_STDERR, COMMAND_WINDOW, COMMAND_FD_COUNT };
void command_set_fd(struct command *command, enum command_fd which, int fd);
/* Hands it over. */
int command_take_fd(struct command *command, enum command_fd which);
/* True: make and return the plan, change nothing. */
void command_set_dry_run(struct command *command, bool is_dry_run);
bool command_is_dry_run(const struct command *command);
/* 0: the verb's own default. */
void command_set_timeout(struct command *command, uint64_t timeout_ms);
uint64_t command_timeout_ms(const struct command *command);
