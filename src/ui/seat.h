/* SPDX-License-Identifier: MIT */
#pragma once

/* One operator at one terminal: the engine behind it, the newest snapshot, the looks, the keys, and
 * the stack of screens. Every screen function gets the seat; nothing about it is global. Only app.c
 * makes one. Main thread. */

#include "base/error.h"
#include "base/text.h"
#include "ui/keys.h"
#include "ui/theme.h"
#include "ui/undo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct engine;
struct screen;
struct snapshot;
struct ui_options;

#define TOAST_MAX 512

struct seat_job {
    uint64_t id;
    uint64_t act;      /* of the operator's: jobs on rows that were marked together share one */
    bool is_abandoned; /* nobody looks at its result: forgotten at its end */
};

struct seat {
    struct engine *engine;
    const struct ui_options *options;
    const struct snapshot *snapshot; /* never NULL while screens exist; one event long */
    uint64_t snapshot_ms;            /* monotonic: since when it is the newest */
    struct theme theme;
    struct keymap keymap;
    struct screen *top;
    char toast[TOAST_MAX]; /* shown in the last line until a key is pressed */
    enum role toast_role;
    uint64_t news_seen;    /* number of the last line of the log that was looked at for news */
    struct seat_job *jobs; /* that this seat has submitted and whose end was not met yet */
    size_t job_count;
    uint64_t act; /* the latest */
    struct undo undo;
    char *failed_line;    /* the last command of this seat that failed, to be mended; NULL: none */
    struct error failure; /* why */
    struct text left_running; /* "pull debian goes": told once the terminal is given back */
    bool has_mouse;
    bool is_leaving;
    int exit_status;
};

/* Takes the screen over. */
void seat_open(struct seat *seat, struct screen *screen);
/* It is freed after the event, and what was below gets the keys. */
void seat_close(struct seat *seat, struct screen *screen);
/* A sentence in the last line, until a key is pressed; also in the log of messages. */
void seat_say(struct seat *seat, enum role role, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Hands the command to the engine, which owns it from here on; says what went wrong. 0: refused. */
uint64_t seat_submit(struct seat *seat, struct command *command);
/* Asks a job to stop whose result nobody is going to look at; it is forgotten at its end. */
void seat_abandon(struct seat *seat, uint64_t id);
/* After a new snapshot: tells of those that failed, forgets those that were abandoned. */
void seat_meet_ends(struct seat *seat);
/* What other seats did is told in the last line, one after the other, when nothing else is. */
void seat_meet_news(struct seat *seat);
/* What there is so far is seen. */
void seat_skip_news(struct seat *seat);
/* The seat may change things. */
bool seat_may_change(const struct seat *seat);
/* A job of this process that people see and that has not ended. */
bool seat_is_own_work(const struct job_item *job);
/* "pull debian, pull web and 3 more": those of verbs with all these flags. How many there are. */
size_t seat_name_work(const struct seat *seat, unsigned flags, struct text *out);
/* Hands transfers that are under way, or wait, to a process of their own; the engine cancels the rest
 * when it is freed. False when they could not be handed over. */
bool seat_leave_transfers(struct seat *seat, struct error *err);
/* Ends the loop. */
void seat_leave(struct seat *seat, int exit_status);
