/* SPDX-License-Identifier: MIT */
#include "ui/draw.h"

#include <stdarg.h>
#include <string.h>
#include <wchar.h>

#include <curses.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "ui/cells.h"

static void set_role(const struct frame *frame, enum role role)
{
    enum role effective = frame->is_selected && role != ROLE_MATCH ? ROLE_SELECTED : role;
    attr_t look = (attr_t)frame->theme->attributes[effective];
    if (frame->is_selected && (role == ROLE_STRONG || role == ROLE_BAD)) {
        look |= A_BOLD;
    }
    attrset((int)look);
}

/* The one call that writes text to curses. `safe` came out of cells_fit or the glyph table. */
static void put_safe(
    const struct frame *frame, int y, int x, enum role role, const char *safe, size_t len)
{
    if (y < 0 || y >= frame->height || x < 0 || x >= frame->width || len == 0) {
        return;
    }
    set_role(frame, role);
    mvaddnstr(y, x, safe, (int)len);
}

static void put_glyph(const struct frame *frame, int y, int x, enum role role, enum glyph glyph)
{
    const char *shown = theme_glyph(frame->theme, glyph);
    put_safe(frame, y, x, role, shown, strlen(shown));
}

/* Whether the column lies on the screen at all: a frame may have shrunk under a dialog. */
static int width_on_screen(const struct frame *frame, int x, int width)
{
    return x + width > frame->width ? frame->width - x : width;
}

void draw_begin(struct frame *frame, const struct theme *theme)
{
    *frame = (struct frame){
        .theme = theme,
        .now_ms = clock_monotonic_ms(),
        .now = clock_wall(),
        .cursor_y = -1,
        .cursor_x = -1,
    };
    getmaxyx(stdscr, frame->height, frame->width);
    erase();
}

void draw_end(const struct frame *frame)
{
    attrset(A_NORMAL);
    bool is_shown = frame->cursor_y >= 0 && frame->cursor_y < frame->height &&
                    frame->cursor_x >= 0 && frame->cursor_x < frame->width;
    curs_set(is_shown ? 1 : 0);
    move(is_shown ? frame->cursor_y : frame->height - 1, is_shown ? frame->cursor_x : 0);
    wnoutrefresh(stdscr);
    doupdate();
}

void draw_again_in(struct frame *frame, uint64_t ms)
{
    uint64_t at = frame->now_ms + (ms > 0 ? ms : 1);
    if (frame->next_ms == 0 || at < frame->next_ms) {
        frame->next_ms = at;
    }
}

/* Cells of what stands at a place of the line: 2 for the first half of a wide character. */
static int cells_at(int y, int x)
{
    cchar_t cell;
    wchar_t characters[CCHARW_MAX + 1];
    attr_t attributes = 0;
    short pair = 0;
    if (mvin_wch(y, x, &cell) == ERR ||
        getcchar(&cell, characters, &attributes, &pair, NULL) == ERR) {
        return 1;
    }
    return wcwidth(characters[0]) > 1 ? 2 : 1;
}

/* Blanks a wide character that lies across the left side of column x: of one that is covered by
 * half, curses and the terminal have different opinions from then on. */
static void blank_across(const struct frame *frame, int y, int x)
{
    int at = 0;
    if (!frame->theme->is_utf8 || y < 0 || y >= frame->height || x <= 0 || x >= frame->width) {
        return;
    }
    while (at < x) {
        int cells = cells_at(y, at);
        if (at + cells > x) {
            put_safe(frame, y, at, ROLE_TEXT, "  ", 2);
        }
        at += cells;
    }
}

void draw_clear(struct frame *frame, struct area area)
{
    static const char blanks[] = "                                ";
    for (int y = area.y; y < area.y + area.height; y++) {
        int right = area.x + width_on_screen(frame, area.x, area.width);
        blank_across(frame, y, area.x);
        blank_across(frame, y, right);
        for (int x = area.x; x < right; x += (int)sizeof(blanks) - 1) {
            int left = right - x;
            size_t len = left < (int)sizeof(blanks) - 1 ? (size_t)left : sizeof(blanks) - 1;
            put_safe(frame, y, x, ROLE_TEXT, blanks, len);
        }
    }
}

void draw_border(struct frame *frame, struct area area, bool is_heavy)
{
    enum role role = is_heavy ? ROLE_FOCUS : ROLE_FRAME;
    int shift = is_heavy ? GLYPH_HEAVY_HORIZONTAL - GLYPH_HORIZONTAL : 0;
    int right = area.x + area.width - 1;
    int bottom = area.y + area.height - 1;
    for (int x = area.x + 1; x < right; x++) {
        put_glyph(frame, area.y, x, role, (enum glyph)(GLYPH_HORIZONTAL + shift));
        put_glyph(frame, bottom, x, role, (enum glyph)(GLYPH_HORIZONTAL + shift));
    }
    for (int y = area.y + 1; y < bottom; y++) {
        put_glyph(frame, y, area.x, role, (enum glyph)(GLYPH_VERTICAL + shift));
        put_glyph(frame, y, right, role, (enum glyph)(GLYPH_VERTICAL + shift));
    }
    put_glyph(frame, area.y, area.x, role, (enum glyph)(GLYPH_TOP_LEFT + shift));
    put_glyph(frame, area.y, right, role, (enum glyph)(GLYPH_TOP_RIGHT + shift));
    put_glyph(frame, bottom, area.x, role, (enum glyph)(GLYPH_BOTTOM_LEFT + shift));
    put_glyph(frame, bottom, right, role, (enum glyph)(GLYPH_BOTTOM_RIGHT + shift));
}

struct area draw_inside(struct area area)
{
    return (struct area){
        .y = area.y + 1, .x = area.x + 1, .height = area.height - 2, .width = area.width - 2};
}

static int draw_cut(struct frame *frame, struct area at, int skip, const char *ellipsis,
    enum role role, const char *foreign)
{
    auto_done(text) struct text cut = {0};
    int used = cells_fit_from(&cut, foreign, skip, width_on_screen(frame, at.x, at.width), ellipsis,
        frame->theme->is_utf8);
    put_safe(frame, at.y, at.x, role, text_cstr(&cut), cut.len);
    return used;
}

int draw_from(
    struct frame *frame, int y, int x, int skip, int width, enum role role, const char *foreign)
{
    struct area at = {.y = y, .x = x, .height = 1, .width = width};
    return draw_cut(frame, at, skip, theme_glyph(frame->theme, GLYPH_ELLIPSIS), role, foreign);
}

int draw_part(
    struct frame *frame, int y, int x, int skip, int width, enum role role, const char *foreign)
{
    struct area at = {.y = y, .x = x, .height = 1, .width = width};
    return draw_cut(frame, at, skip, "", role, foreign);
}

int draw_text(struct frame *frame, int y, int x, int width, enum role role, const char *foreign)
{
    return draw_from(frame, y, x, 0, width, role, foreign);
}

int draw_right(struct frame *frame, int y, int x, int width, enum role role, const char *foreign)
{
    auto_done(text) struct text cut = {0};
    int used = cells_fit(&cut, foreign, width_on_screen(frame, x, width),
        theme_glyph(frame->theme, GLYPH_ELLIPSIS), frame->theme->is_utf8);
    put_safe(frame, y, x + width - used, role, text_cstr(&cut), cut.len);
    return used;
}

void pen_text(struct frame *frame, struct pen *pen, enum role role, const char *foreign)
{
    pen->x += draw_text(frame, pen->y, pen->x, pen->limit - pen->x, role, foreign);
}

void pen_print(struct frame *frame, struct pen *pen, enum role role, const char *format, ...)
{
    auto_done(text) struct text line = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&line, format, args);
    va_end(args);
    pen_text(frame, pen, role, text_cstr(&line));
}

void pen_glyph(struct frame *frame, struct pen *pen, enum role role, enum glyph glyph)
{
    if (pen->x < pen->limit) {
        put_glyph(frame, pen->y, pen->x, role, glyph);
        pen->x++;
    }
}

void pen_skip(struct pen *pen, int cells)
{
    pen->x = pen->x + cells > pen->limit ? pen->limit : pen->x + cells;
}

bool pen_key(struct frame *frame, struct pen *pen, const char *key, const char *label)
{
    bool is_utf8 = frame->theme->is_utf8;
    int need = cells_width(key, is_utf8) + 1 + cells_width(label, is_utf8);
    if (pen->x + need > pen->limit) {
        return false;
    }
    pen_text(frame, pen, ROLE_KEY, key);
    pen_skip(pen, 1);
    pen_text(frame, pen, ROLE_TEXT, label);
    pen_skip(pen, 2);
    return true;
}

void draw_bar(struct frame *frame, int y, int x, int width, unsigned permille, enum role role)
{
    unsigned halves = (unsigned)width * 2 * (permille > 1000 ? 1000 : permille) / 1000;
    for (int cell = 0; cell < width; cell++) {
        bool is_full = halves >= (unsigned)cell * 2 + 2;
        bool is_half = halves == (unsigned)cell * 2 + 1;
        enum glyph glyph = is_full ? GLYPH_BAR_FULL : is_half ? GLYPH_BAR_HALF : GLYPH_BAR_EMPTY;
        put_glyph(frame, y, x + cell, is_full || is_half ? role : ROLE_DIM, glyph);
    }
}

void draw_cursor(struct frame *frame, int y, int x)
{
    frame->cursor_y = y;
    frame->cursor_x = x;
}
