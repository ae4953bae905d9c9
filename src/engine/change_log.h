/* SPDX-License-Identifier: MIT */
#pragma once

/* log/changes.jsonl: a line for each change that was made on this state directory, by whom, from
 * which terminal and with which command. Every process adds its own, one write each, and all read
 * them. Bounded: what is too long becomes changes.1.jsonl, which the next such one replaces. `log`
 * is a descriptor of the directory. Workers. */

#include "base/process.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct json;

#define CHANGE_LOG_NAME "changes.jsonl"

/* Strings are borrowed. "" for what is not known. */
struct change {
    int64_t at;           /* wall */
    const char *login;    /* who logged in, even if he became another user since */
    const char *terminal; /* "pts/3"; "" for none */
    struct process_identity process;
    bool is_before_boot; /* read only: its process is none of now */
    const char *subject; /* of the verb */
    const char *verb;
    const char *object; /* "vm/web"; "" for none */
    const char *line;   /* the command */
    bool is_forced;
    const struct json *names; /* array of strings, what was hit when the command named none; NULL */
};

/* Where a reader stands. */
struct change_mark {
    ino_t file;
    uint64_t offset;
    uint64_t passed; /* lines so far that were none: damaged, cut off, or of a newer program */
};

/* Fills in login, terminal and process of this one. The strings last as long as the program. */
void change_set_self(struct change *change);
bool change_log_add(int log, const struct change *change, struct error *err);
/* At its present end. A log that is not there yet counts as an empty one. */
struct change_mark change_log_end(int log);
/* Calls `see` for each whole line since the mark and moves it on, also over the end of a log that
 * was moved away meanwhile. Lines that are none are passed over, and counted. */
bool change_log_read(int log, struct change_mark *mark,
    void (*see)(void *context, const struct change *change), void *context, struct error *err);
/* The same from the first line that is still kept; the mark is filled in. */
bool change_log_read_all(int log, struct change_mark *mark,
    void (*see)(void *context, const struct change *change), void *context, struct error *err);
