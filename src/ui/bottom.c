/* SPDX-License-Identifier: MIT */
#include "ui/bottom.h"

#include "base/memory.h"
#include "base/text.h"
#include "ui/cells.h"
#include "ui/draw.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define SHOWN_MAX 64
#define TOAST_LINES 3
#define TOAST_INDENT 3

struct shown_key {
    const struct request_row *row;
    int cells;
};

static size_t collect(const struct seat *seat, const struct screen *screen, struct shown_key *keys)
{
    unsigned contexts = screen->ops->contexts(screen);
    size_t count = 0;
    for (size_t i = 0; i < request_row_count && count < SHOWN_MAX; i++) {
        const struct request_row *row = &request_rows[i];
        if (row->rank == RANK_HIDDEN || (row->contexts & contexts) == 0 ||
            !screen->ops->is_offered(screen, seat, row->request)) {
            continue;
        }
        auto_done(text) struct text name = {0};
        keymap_name(&seat->keymap, row, &name);
        keys[count].row = row;
        keys[count].cells = cells_width(text_cstr(&name), seat->theme.is_utf8) + 1 +
                            cells_width(row->label, seat->theme.is_utf8) + 2;
        count++;
    }
    return count;
}

/* Drops the least important keys, the last of equals first, until the rest fits. */
static size_t shorten(struct shown_key *keys, size_t count, int width)
{
    while (true) {
        int need = 0;
        size_t worst = 0;
        for (size_t i = 0; i < count; i++) {
            need += keys[i].cells;
            worst = keys[i].row->rank >= keys[worst].row->rank ? i : worst;
        }
        if (need - 2 <= width || count == 0) {
            return count;
        }
        for (size_t i = worst; i + 1 < count; i++) {
            keys[i] = keys[i + 1];
        }
        count--;
    }
}

/* A long sentence takes a few of the lines above, until a key is pressed: its end is often what
 * helps. */
static void draw_toast(const struct seat *seat, struct frame *frame, struct area line)
{
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, seat->toast, line.width - TOAST_INDENT - 1, 0, seat->theme.is_utf8);
    int height = lines.count < TOAST_LINES ? (int)lines.count : TOAST_LINES;
    height = height < line.y ? height : 1;
    struct area area = {
        .y = line.y - height + 1, .x = line.x, .height = height, .width = line.width};
    draw_clear(frame, area);
    struct pen pen = {.y = area.y, .x = line.x + 1, .limit = line.x + line.width - 1};
    pen_glyph(
        frame, &pen, seat->toast_role, seat->toast_role == ROLE_BAD ? GLYPH_FAILED : GLYPH_MARK);
    for (int i = 0; i < height; i++) {
        draw_text(frame, area.y + i, line.x + TOAST_INDENT, line.width - TOAST_INDENT - 1,
            seat->toast_role, lines.items[i]);
    }
}

void bottom_draw(
    const struct seat *seat, const struct screen *screen, struct frame *frame, struct area line)
{
    if (seat->toast[0] != '\0') {
        draw_toast(seat, frame, line);
        return;
    }
    struct shown_key keys[SHOWN_MAX];
    size_t count = shorten(keys, collect(seat, screen, keys), line.width - 2);
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    for (size_t i = 0; i < count; i++) {
        auto_done(text) struct text name = {0};
        keymap_name(&seat->keymap, keys[i].row, &name);
        pen_key(frame, &pen, text_cstr(&name), keys[i].row->label);
    }
}
