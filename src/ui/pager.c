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
    page->version++;
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
    page->version++;
}

void page_drop_last(struct page *page)
{
    if (page->count > 0) {
        page->count--;
        page->version++;
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

static bool line_matches(const struct page_line *line, const char *wanted)
{
    return strcasestr(line->text, wanted) != NULL ||
           (line->label != NULL && strcasestr(line->label, wanted) != NULL);
}

/* A leading '!' keeps what does not match. */
static bool line_is_kept(const struct pager *pager, const struct page_line *line)
{
    const char *wanted = pager->filter.text;
    bool is_inverted = wanted[0] == '!';
    wanted += is_inverted;
    return wanted[0] == '\0' || line_matches(line, wanted) != is_inverted;
}

/* ---- rows ---- */

static size_t row_total(const struct pager *pager, const struct page *page)
{
    return pager->rows != NULL ? pager->row_count : page->count;
}

static struct pager_row row_at(const struct pager *pager, size_t row)
{
    return pager->rows != NULL ? pager->rows[row] : (struct pager_row){.line = row};
}

static void add_rows(
    struct pager *pager, size_t *capacity, size_t index, const struct page_line *line, int width)
{
    int room = line->label != NULL ? width - PAGE_LABEL_CELLS : width;
    int cells = pager->is_folded && room > 0 ? cells_width(line->text, true) : 0;
    int skip = 0;
    do {
        if (pager->row_count == *capacity) {
            *capacity = *capacity > 0 ? *capacity * 2 : 256;
            pager->rows = memory_grow(pager->rows, *capacity, sizeof(*pager->rows));
        }
        pager->rows[pager->row_count++] = (struct pager_row){.line = index, .skip = skip};
        skip += room;
    } while (skip < cells);
}

/* The row that shows `line`, or what is left behind it. */
static size_t row_of_line(const struct pager *pager, const struct page *page, size_t line)
{
    size_t total = row_total(pager, page);
    size_t low = 0;
    size_t high = total;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (row_at(pager, middle).line < line) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < total ? low : total > 0 ? total - 1 : 0;
}

static size_t last_top(const struct pager *pager, const struct page *page)
{
    size_t total = row_total(pager, page);
    return total > pager->height ? total - pager->height : 0;
}

/* Makes the rows anew for what is on the page now; the line at the top stays there. */
static void arrange(struct pager *pager, const struct page *page, int width)
{
    bool is_plain = pager->filter.len == 0 && !pager->is_folded;
    if ((is_plain && pager->rows == NULL) ||
        (!is_plain && pager->rows != NULL && pager->rows_version == page->version &&
            pager->rows_width == width)) {
        return;
    }
    size_t line = pager->top < row_total(pager, page) ? row_at(pager, pager->top).line : 0;
    free(pager->rows);
    pager->rows = NULL;
    pager->row_count = 0;
    if (!is_plain) {
        size_t capacity = 1;
        pager->rows = memory_alloc(sizeof(*pager->rows)); /* there, even for no rows */
        for (size_t i = 0; i < page->count; i++) {
            if (line_is_kept(pager, &page->lines[i])) {
                add_rows(pager, &capacity, i, &page->lines[i], width);
            }
        }
        pager->rows_version = page->version;
        pager->rows_width = width;
    }
    size_t last = last_top(pager, page);
    size_t row = row_of_line(pager, page, line);
    pager->top = row < last ? row : last;
}

/* Something else than the page decides about the rows now. */
static void rearrange(struct pager *pager)
{
    pager->rows_width = -1;
    pager->found = 0;
}

void pager_done(struct pager *pager)
{
    free(pager->rows);
    pager->rows = NULL;
}

/* Goes to the next row of a line with a match: from `from` on, in the given direction, round the
 * end. */
static void search(struct pager *pager, const struct page *page, size_t from, bool is_backwards)
{
    size_t total = row_total(pager, page);
    pager->has_failed = false;
    pager->is_early = page->count == 0;
    if (pager->search.len == 0 || total == 0) {
        return;
    }
    for (size_t step = 0; step < total; step++) {
        size_t row = is_backwards ? (from + total - step) % total : (from + step) % total;
        struct pager_row found = row_at(pager, row);
        if (found.skip == 0 && line_matches(&page->lines[found.line], pager->search.text)) {
            pager->found = row + 1;
            size_t last = last_top(pager, page);
            pager->top = row < last ? row : last; /* the page stays full */
            pager->is_following = false;
            return;
        }
    }
    pager->has_failed = true;
}

static bool type_filter(struct pager *pager, int key)
{
    if (key == '\r') {
        pager->is_filtering = false;
    } else if (key == 27) {
        pager->is_filtering = false;
        edit_set(&pager->filter, "");
    } else if (!edit_key(&pager->filter, key)) {
        return false;
    }
    rearrange(pager);
    return true;
}

bool pager_type(struct pager *pager, const struct page *page, int key)
{
    if (pager->is_filtering) {
        return type_filter(pager, key);
    }
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
    pager->found = 0;
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
    size_t before = 0;
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
        pager->found = 0;
        pager->is_following = false;
        pager->top = 0;
        return true;
    case REQUEST_LAST:
        pager->found = 0;
        pager->top = last_top(pager, page);
        pager->is_following = pager->can_follow;
        return true;
    case REQUEST_LEFT:
        pager->left = pager->left > half ? pager->left - half : 0;
        return true;
    case REQUEST_RIGHT:
        pager->left += pager->is_folded ? 0 : half;
        return true;
    case REQUEST_FOLLOW:
        pager->found = 0;
        pager->is_following = true;
        return true;
    case REQUEST_SEARCH:
        pager->is_searching = true;
        edit_set(&pager->search, "");
        return true;
    case REQUEST_SEARCH_NEXT:
        search(pager, page, pager->found > 0 ? pager->found : pager->top, false);
        return true;
    case REQUEST_SEARCH_PREVIOUS:
        before = (pager->found > 0 ? pager->found - 1 : pager->top) + row_total(pager, page) - 1;
        search(pager, page, before, true);
        return true;
    case REQUEST_FILTER_LINES:
        pager->is_filtering = true;
        return true;
    case REQUEST_FOLD:
        pager->is_folded = !pager->is_folded;
        pager->left = 0;
        rearrange(pager);
        return true;
    case REQUEST_BACK:
        if (pager->filter.len == 0) {
            return false;
        }
        edit_set(&pager->filter, "");
        rearrange(pager);
        return true;
    default:
        return false;
    }
}

/* Every match of the search once more, over the line that was drawn. */
static void draw_matches(
    const struct pager *pager, const char *text, int skip, struct frame *frame, struct area at)
{
    const char *wanted = pager->search.text;
    size_t len = strlen(wanted);
    for (const char *hit = strcasestr(text, wanted); hit != NULL && len > 0;
         hit = strcasestr(hit + len, wanted)) {
        auto_done(text) struct text before = {0};
        auto_done(text) struct text match = {0};
        text_append_bytes(&before, text, (size_t)(hit - text));
        text_append_bytes(&match, hit, len);
        int x = cells_width(text_cstr(&before), frame->theme->is_utf8) - skip;
        if (x >= at.width) {
            return;
        }
        if (x >= 0) {
            draw_text(frame, at.y, at.x + x, at.width - x, ROLE_MATCH, text_cstr(&match));
        }
    }
}

static void draw_line(const struct pager *pager, const struct page_line *line, int skip,
    struct frame *frame, struct area at)
{
    if (line->label != NULL) {
        draw_text(frame, at.y, at.x, PAGE_LABEL_CELLS - 1, ROLE_DIM, skip == 0 ? line->label : "");
        at.x += PAGE_LABEL_CELLS;
        at.width -= PAGE_LABEL_CELLS;
    }
    skip += pager->left;
    if (pager->is_folded) { /* the rest stands below: nothing is cut, so no mark of it */
        draw_part(frame, at.y, at.x, skip, at.width, line->role, line->text);
    } else {
        draw_from(frame, at.y, at.x, skip, at.width, line->role, line->text);
    }
    if (pager->search.len > 0) {
        draw_matches(pager, line->text, skip, frame, at);
    }
}

void pager_draw(struct pager *pager, const struct page *page, struct frame *frame, struct area area)
{
    pager->height = area.height > 0 ? (size_t)area.height : 0;
    arrange(pager, page, area.width);
    if (pager->is_early && page->count > 0) {
        search(pager, page, 0, false);
    }
    size_t total = row_total(pager, page);
    if (pager->is_following || pager->top >= total) {
        pager->top = last_top(pager, page);
    }
    for (int y = 0; y < area.height && pager->top + (size_t)y < total; y++) {
        struct pager_row row = row_at(pager, pager->top + (size_t)y);
        struct area at = {.y = area.y + y, .x = area.x, .height = 1, .width = area.width};
        draw_line(pager, &page->lines[row.line], row.skip, frame, at);
        if (pager->found == pager->top + (size_t)y + 1 && pager->search.len > 0 && at.x > 0) {
            draw_text(frame, at.y, at.x - 1, 1, ROLE_KEY, theme_glyph(frame->theme, GLYPH_MARK));
        }
    }
    if (total == 0 && pager->filter.len > 0) {
        draw_text(frame, area.y, area.x, area.width, ROLE_TEXT, "Nothing matches. Esc shows all.");
    }
}

size_t pager_kept(const struct pager *pager, const struct page *page)
{
    size_t kept = 0;
    for (size_t row = 0; row < row_total(pager, page); row++) {
        kept += row_at(pager, row).skip == 0;
    }
    return kept;
}

void pager_words(const struct pager *pager, const struct page *page, char *words, size_t size)
{
    size_t total = row_total(pager, page);
    size_t last = pager->top + pager->height;
    last = last > total ? total : last;
    const char *unit = pager->is_folded ? "rows" : "lines";
    const char *following = pager->is_following ? ", following" : "";
    if (total <= pager->height && !pager->is_following) {
        snprintf(words, size, "all %zu %s", total, unit);
    } else {
        snprintf(words, size, "%zu-%zu of %zu%s", total > 0 ? pager->top + 1 : 0, last, total,
            following);
    }
}
