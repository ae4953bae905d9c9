/* SPDX-License-Identifier: MIT */
#pragma once

/* The main screen's own state, between what it does (screen_main.c) and how it looks
 * (main_draw.c). Main thread. */

#include "ui/edit.h"
#include "ui/layout.h"
#include "ui/panes.h"
#include "ui/screen.h"
#include "ui/table.h"
#include "ui/tail.h"

#include <stdbool.h>

struct frame;
struct job_item;
struct seat;

struct main_screen {
    struct screen screen;
    struct table tables[PANE_COUNT];
    enum pane focus;
    enum pane strip; /* the pane whose row the details strip shows */
    bool is_settled; /* the first focus was chosen, or a key was pressed */
    bool is_zoomed;
    bool is_filtering; /* the filter of the focused pane is being typed */
    struct edit filter;
    struct layout layout; /* of the last drawing */
    struct tail tail;
    bool was_clicked; /* the row under the cursor, last */
};

struct term_click;

/* main_act.c. The row under the cursor; its name is the snapshot's. */
struct row main_row(const struct main_screen *main, const struct seat *seat);
/* Whether a request can be done to one of the marked rows, else to the one under the cursor. */
bool main_can_act(const struct main_screen *main, const struct seat *seat, enum request request);
/* The first of those rows; false when there is none. */
bool main_acted_on(const struct main_screen *main, const struct seat *seat, size_t *index);
/* To all of them for which it is possible. */
void main_act(struct main_screen *main, struct seat *seat, enum request request);

/* Gives a pane the focus; counts on round the ends. */
void main_focus(struct main_screen *main, int pane);
/* main_jobs.c: what is asked for is done to the job; false when it is nothing of a job's. */
bool main_job_request(struct seat *seat, const struct job_item *job, enum request request);
/* main_click.c */
void main_click(struct screen *screen, struct seat *seat, const struct term_click *click);

/* Draws everything but the last line. */
void main_draw(struct screen *screen, struct seat *seat, struct frame *frame, struct area area);
