/* SPDX-License-Identifier: MIT */
#include "ui/pager.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "ui/cells.h"
#include "ui/draw.h"

void page_clear(struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        free(page->lines[i].label);
        free(page->lines[i].text);
    }
    page->count = 0;
    page->dropped = 0;
}

void page_done(struct page *page)
{
    page_clear(page);
    free(page->lines);
    page->lines = NULL;
    page->capacity = 0;
}

/* A tenth of the oldest lines at once, so that a stream of lines moves memory seldom. */
static void drop_oldest(struct page *page)
{
    size_t gone = page->max_lines / 10 + 1;
    for (size_t i = 0; i < gone; i++) {
        free(page->lines[i].label);
        free(page->lines[i].text);
    }
    memmove(page->lines, page->lines + gone, (page->count - gone) * sizeof(*page->lines));
    page->count -= gone;
    page->dropped += gone;
}

void page_add(struct page *page, enum role role, const char *label, const char *text)
{
    if (page->max_lines > 0 && page->count >= page->max_lines) {
        drop_oldest(page);
    }
    if (page->count == page->capacity) {
        page->capacity = page->capacity > 0 ? page->capacity * 2 : 64;
        page->lines = memory_grow(page->lines, page->capacity, sizeof(*page->lines));
    }
    page->lines[page->count++] = (struct page_line){
        .label = memory_strdup(label), .text = memory_strdup(text), .role = role};
}

void page_drop_last(struct page *page)
{
    if (page->count > 0) {
        page->count--;
        free(page->lines[page->count].label);
        free(page->lines[page->count].text);
    }
}

void page_print(struct page *page, enum role role, const char *label, const char *format, ...)
{
    auto_done(text) struct text line = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&line, format, args);
    va_end(args);
    page_add(page, role, label, text_cstr(&line));
}

void page_add_known(struct page *page, enum role role, const char *label, const char *text)
{
    if (text[0] != '\0') {
        page_add(page, role, label, text);
    }
}

void page_wrap(struct page *page, enum role role, const char *label, const char *text, int width)
{
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, text, label != NULL ? width - PAGE_LABEL_CELLS : width, 0, true);
    for (size_t i = 0; i < lines.count; i++) {
        page_add(page, role, label != NULL ? (i == 0 ? label : "") : NULL, lines.items[i]);
    }
}

void page_heading(struct page *page, const char *text)
{
    if (page->count > 0) {
        page_add(page, ROLE_TEXT, NULL, "");
    }
    page_add(page, ROLE_STRONG, NULL, text);
}

static size_t last_top(const struct pager *pager, const struct page *page)
{
    return page->count > pager->height ? page->count - pager->height : 0;
}

static bool line_matches(const struct page_line *line, const char *wanted)
{
    return strcasestr(line->text, wanted) != NULL ||
           (line->label != NULL && strcasestr(line->label, wanted) != NULL);
}

/* Goes to the next line with a match: from `from` on, in the given direction, round the end. */
static void search(struct pager *pager, const struct page *page, size_t from, bool is_backwards)
{
    pager->has_failed = false;
    if (pager->search.len == 0 || page->count == 0) {
        return;
    }
    for (size_t step = 0; step < page->count; step++) {
        size_t index =
            is_backwards ? (from + page->count - step) % page->count : (from + step) % page->count;
        if (line_matches(&page->lines[index], pager->search.text)) {
            pager->top = index;
            pager->is_following = false;
            return;
        }
    }
    pager->has_failed = true;
}

bool pager_type(struct pager *pager, const struct page *page, int key)
{
    if (!pager->is_searching) {
        return false;
    }
    if (key == '\r') {
        pager->is_searching = false;
    } else if (key == 27) {
        pager->is_searching = false;
        edit_set(&pager->search, "");
        pager->has_failed = false;
    } else if (edit_key(&pager->search, key)) {
        search(pager, page, pager->top, false);
    } else {
        return false;
    }
    return true;
}

static void move(struct pager *pager, const struct page *page, long by)
{
    if (by < 0) {
        pager->is_following = false;
        size_t up = (size_t)-by;
        pager->top = up > pager->top ? 0 : pager->top - up;
    } else {
        size_t end = last_top(pager, page);
        pager->top = pager->top + (size_t)by > end ? end : pager->top + (size_t)by;
    }
}

bool pager_request(struct pager *pager, const struct page *page, enum request request, int width)
{
    long screenful = pager->height > 2 ? (long)pager->height - 1 : 1;
    int half = width > 2 ? width / 2 : 1;
    switch ((int)request) {
    case REQUEST_UP:
        move(pager, page, -1);
        return true;
    case REQUEST_DOWN:
        move(pager, page, 1);
        return true;
    case REQUEST_PAGE_UP:
        move(pager, page, -screenful);
        return true;
    case REQUEST_PAGE_DOWN:
        move(pager, page, screenful);
        return true;
    case REQUEST_FIRST:
        pager->is_following = false;
        pager->top = 0;
        return true;
    case REQUEST_LAST:
        pager->top = last_top(pager, page);
        return true;
    case REQUEST_LEFT:
        pager->left = pager->left > half ? pager->left - half : 0;
        return true;
    case REQUEST_RIGHT:
        pager->left += half;
        return true;
    case REQUEST_FOLLOW:
        pager->is_following = true;
        return true;
    case REQUEST_SEARCH:
        pager->is_searching = true;
        edit_set(&pager->search, "");
        return true;
    case REQUEST_SEARCH_NEXT:
        search(pager, page, pager->top + 1, false);
        return true;
    case REQUEST_SEARCH_PREVIOUS:
        search(pager, page, pager->top > 0 ? pager->top - 1 : page->count - 1, true);
        return true;
    default:
        return false;
    }
}

static void draw_line(
    const struct pager *pager, const struct page_line *line, struct frame *frame, struct area at)
{
    int x = at.x;
    int width = at.width;
    bool is_match = pager->search.len > 0 && line_matches(line, pager->search.text);
    if (line->label != NULL) {
        draw_text(frame, at.y, x, PAGE_LABEL_CELLS - 1, ROLE_DIM, line->label);
        x += PAGE_LABEL_CELLS;
        width -= PAGE_LABEL_CELLS;
    }
    draw_from(frame, at.y, x, pager->left, width, is_match ? ROLE_MATCH : line->role, line->text);
}

void pager_draw(struct pager *pager, const struct page *page, struct frame *frame, struct area area)
{
    pager->height = area.height > 0 ? (size_t)area.height : 0;
    if (pager->is_following) {
        pager->top = last_top(pager, page);
    }
    if (pager->top >= page->count) {
        pager->top = last_top(pager, page);
    }
    for (int line = 0; line < area.height; line++) {
        size_t index = pager->top + (size_t)line;
        if (index >= page->count) {
            break;
        }
        struct area at = {.y = area.y + line, .x = area.x, .height = 1, .width = area.width};
        draw_line(pager, &page->lines[index], frame, at);
    }
}

void pager_words(const struct pager *pager, const struct page *page, char *words, size_t size)
{
    size_t last = pager->top + pager->height;
    last = last > page->count ? page->count : last;
    if (page->count <= pager->height && !pager->is_following) {
        snprintf(words, size, "all %zu lines", page->count);
    } else {
        snprintf(words, size, "%zu-%zu of %zu%s", pager->top + 1, last, page->count,
            pager->is_following ? ", following" : "");
    }
}
