/* SPDX-License-Identifier: MIT */
#pragma once

/* Lines to read: details, help, logs. A page holds them, a pager is the window on it: where it
 * stands, what is searched for, which lines are left out, whether long ones are folded, whether it
 * stays at the end. Main thread. */

#include "ui/edit.h"
#include "ui/keys.h"
#include "ui/theme.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct area;
struct frame;

struct page_line {
    char *label; /* in a column of its own; NULL for text over the whole width */
    char *text;
    enum role role;
};

struct page {
    struct page_line *lines;
    size_t count;
    size_t capacity;
    size_t max_lines; /* 0: no bound; else the oldest lines go */
    size_t dropped;   /* lines that went */
    uint64_t version; /* another one whenever the lines are */
};

void page_done(struct page *page);
void page_clear(struct page *page);
/* Copies. label may be NULL. */
void page_add(struct page *page, enum role role, const char *label, const char *text);
void page_print(struct page *page, enum role role, const char *label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Nothing for an empty text. */
void page_add_known(struct page *page, enum role role, const char *label, const char *text);
/* A sentence broken into lines of at most `width` cells. */
void page_wrap(struct page *page, enum role role, const char *label, const char *text, int width);
/* Takes the newest line away again. */
void page_drop_last(struct page *page);
/* A heading with an empty line above it. */
void page_heading(struct page *page, const char *text);

#define PAGE_LABEL_CELLS 12 /* so that a digest fits behind it on 80 columns */

/* One row of the window: which line, and from which of its cells on. */
struct pager_row {
    size_t line;
    int skip;
};

struct pager {
    size_t top; /* row */
    int left;
    size_t height;   /* of the last drawing */
    bool can_follow; /* the page grows at its end */
    bool is_following;
    bool is_searching; /* the search is being typed */
    struct edit search;
    bool has_failed;   /* the last search found nothing */
    size_t found;      /* the row behind the one it found; 0: none, or left by moving on */
    bool is_early;     /* it was typed before there was anything to search */
    bool is_filtering; /* the filter is being typed */
    struct edit filter;
    bool is_folded; /* long lines go on below instead of being cut */
    /* Rows of the lines that are left, made for that version of the page, width and filter; NULL
     * while every line is one row. */
    struct pager_row *rows;
    size_t row_count;
    uint64_t rows_version;
    int rows_width;
};

void pager_done(struct pager *pager);

/* True: it was one of the pager's requests. */
bool pager_request(struct pager *pager, const struct page *page, enum request request, int width);
/* While the search or the filter is typed: true when the key was taken. */
bool pager_type(struct pager *pager, const struct page *page, int key);
void pager_draw(
    struct pager *pager, const struct page *page, struct frame *frame, struct area area);
/* Lines that the filter leaves. */
size_t pager_kept(const struct pager *pager, const struct page *page);
/* "3 of 40" or "end, following". */
void pager_words(const struct pager *pager, const struct page *page, char *words, size_t size);
