/* SPDX-License-Identifier: MIT */
#pragma once

/* What a screen is to the loop: the main one, a viewer, a dialog. Screens lie in a stack; the top
 * one gets the keys, and is drawn over what is below when it is an overlay. A screen keeps names
 * of objects, never pointers into a snapshot: each event may bring a new one. Main thread. */

#include "ui/keys.h"

#include <stdbool.h>

struct area;
struct frame;
struct seat;
struct term_click;
struct text;

struct screen {
    const struct screen_ops *ops;
    struct screen *below;
    bool is_closed; /* the loop frees it after the event */
    bool was_drawn;
};

struct screen_ops {
    bool is_overlay;
    /* Keys typed before it could be seen are not for it: for questions, where a key held down a
     * moment too long must not be the answer. */
    bool is_guarded;
    /* Heading of its help page. */
    const char *(*title)(const struct screen *screen);
    /* enum context bits of the moment. */
    unsigned (*contexts)(const struct screen *screen);
    /* Would this request do something now? Decides about the key bar, too. */
    bool (*is_offered)(const struct screen *screen, const struct seat *seat, enum request request);
    /* Why it would not, as a sentence; nothing when there is none of its own. May be NULL. */
    void (*refuse)(const struct screen *screen, const struct seat *seat, enum request request,
        struct text *sentence);
    /* Carries a request out. */
    void (*request)(struct screen *screen, struct seat *seat, enum request request);
    /* Gets each key before it is looked up; true: taken as text. May be NULL. */
    bool (*type)(struct screen *screen, struct seat *seat, int key);
    /* A click or a turn of the wheel on it. May be NULL. */
    void (*click)(struct screen *screen, struct seat *seat, const struct term_click *click);
    /* A new snapshot is there. May be NULL. */
    void (*update)(struct screen *screen, struct seat *seat);
    /* area is the whole screen but the last line. */
    void (*draw)(struct screen *screen, struct seat *seat, struct frame *frame, struct area area);
    /* Draws the last line itself and returns true; NULL: always the key bar. */
    bool (*draw_bottom)(
        struct screen *screen, struct seat *seat, struct frame *frame, struct area area);
    /* A descriptor to wait for, -1 for none, and what to do when it is readable. May be NULL. */
    int (*wait_fd)(const struct screen *screen);
    void (*ready)(struct screen *screen, struct seat *seat);
    void (*free)(struct screen *screen);
};
