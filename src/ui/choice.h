/* SPDX-License-Identifier: MIT */
#pragma once

/* The box that asks: a question, what would be done, and a few answers of which the harmless one is
 * marked. Where much hangs on it, the answer has to be typed. Behind screen_confirm.c and
 * screen_quit.c. Main thread. */

#include "base/text.h"
#include "ui/edit.h"
#include "ui/plan.h"
#include "ui/screen.h"
#include "ui/theme.h"

#include <stddef.h>
#include <stdint.h>

struct command;
struct error;
struct job_item;
struct seat;

#define CHOICE_OPTIONS_MAX 3

/* What is under the mark when the box opens changes nothing, so Enter alone never does. */
struct choice_option {
    char key;
    char label[48];
    void (*choose)(struct screen *screen, struct seat *seat); /* NULL: only closes */
};

struct choice_screen {
    struct screen screen;
    struct seat *seat;
    char title[128];
    struct text question;
    enum role role;
    struct choice_option options[CHOICE_OPTIONS_MAX]; /* the harmless one first */
    size_t option_count;
    size_t marked;
    struct command *command; /* of a confirmation; handed on when it is given */
    struct plan plan;        /* of it */
    char *wanted;            /* what has to be typed instead of choosing the last option; or NULL */
    struct edit typed;
    uint64_t asked; /* a job whose answer completes the question; 0: none, or it has come */
    void (*answer)(struct choice_screen *choice, struct seat *seat, const struct job_item *job);
    void (*refused)(struct choice_screen *choice); /* the plan says it would be; or NULL */
};

struct choice_screen *choice_new(struct seat *seat, const char *title, enum role role);
void choice_set_title(struct choice_screen *choice, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Asks the engine; `answer` completes the question when the job has ended. Owns the command. */
void choice_ask(struct choice_screen *choice, struct command *command,
    void (*answer)(struct choice_screen *choice, struct seat *seat, const struct job_item *job),
    struct error *err);
void choice_add(struct choice_screen *choice, char key, const char *label,
    void (*choose)(struct screen *screen, struct seat *seat));
