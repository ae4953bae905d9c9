/* SPDX-License-Identifier: MIT */
#pragma once

/* The screen that shows a page of lines, for everything there is to read. What is on the page comes
 * from a filler: it is called for a new snapshot or width, and fills the page anew; a stream
 * appends instead. Main thread. */

#include "base/text.h"
#include "ui/pager.h"
#include "ui/screen.h"

#include <stdbool.h>
#include <stddef.h>

struct seat;

struct viewer;

struct viewer_source {
    const char *title; /* of its help page */
    /* A page that is appended to elsewhere: following is offered. NULL for one that is filled. */
    struct page *(*page)(struct viewer *viewer);
    /* Fills an empty page; NULL for one that grows. */
    void (*fill)(struct viewer *viewer, struct seat *seat, struct page *page, int width);
    /* Requests of its own: whether they would do something now, and what. May be NULL. */
    bool (*is_offered)(const struct viewer *viewer, enum request request);
    void (*request)(struct viewer *viewer, struct seat *seat, enum request request);
    /* Contexts besides a viewer's, whose requests are its own; why one would do nothing. May be
     * NULL. */
    unsigned (*contexts)(const struct viewer *viewer);
    void (*refuse)(const struct viewer *viewer, enum request request, struct text *sentence);
    /* Called when a new snapshot is there; may close the screen. May be NULL. */
    void (*update)(struct viewer *viewer, struct seat *seat);
    /* See screen.h; may be NULL. */
    int (*wait_fd)(const struct viewer *viewer);
    void (*ready)(struct viewer *viewer, struct seat *seat);
    /* Frees what `state` holds. May be NULL. */
    void (*free)(struct viewer *viewer);
};

struct viewer {
    struct screen screen;
    const struct viewer_source *source;
    char title[256];  /* on the border */
    struct text line; /* the same as a batch line, beside the title where there is room */
    struct page filled;
    struct pager pager;
    int width;   /* the page was filled for this one; 0: not yet */
    void *state; /* of the source */
};

/* state is handed over to source->free. */
struct viewer *viewer_new(const struct viewer_source *source, const char *title, void *state);
