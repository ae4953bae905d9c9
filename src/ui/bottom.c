/* SPDX-License-Identifier: MIT */
#include "ui/bottom.h"

#include "base/memory.h"
#include "base/text.h"
#include "ui/cells.h"
#include "ui/draw.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define SHOWN_MAX 64

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

static void draw_toast(const struct seat *seat, struct frame *frame, struct area line)
{
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width - 1};
    pen_glyph(
        frame, &pen, seat->toast_role, seat->toast_role == ROLE_BAD ? GLYPH_FAILED : GLYPH_MARK);
    pen_skip(&pen, 1);
    pen_text(frame, &pen, seat->toast_role, seat->toast);
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
