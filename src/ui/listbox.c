/* SPDX-License-Identifier: MIT */
#include "ui/listbox.h"

#include "base/memory.h"
#include "ui/draw.h"

#define MARK_CELLS 2

void listbox_set_count(struct listbox *box, size_t count)
{
    box->count = count;
    if (box->marked >= count) {
        box->marked = count > 0 ? count - 1 : 0;
    }
}

bool listbox_request(struct listbox *box, enum request request)
{
    size_t last = box->count > 0 ? box->count - 1 : 0;
    size_t page = box->page > 1 ? box->page - 1 : 1;
    switch ((int)request) {
    case REQUEST_UP:
        box->marked -= box->marked > 0;
        return true;
    case REQUEST_DOWN:
        box->marked += box->marked < last;
        return true;
    case REQUEST_PAGE_UP:
        box->marked -= box->marked < page ? box->marked : page;
        return true;
    case REQUEST_PAGE_DOWN:
        box->marked = last - box->marked < page ? last : box->marked + page;
        return true;
    case REQUEST_FIRST:
        box->marked = 0;
        return true;
    case REQUEST_LAST:
        box->marked = last;
        return true;
    default:
        return false;
    }
}

void listbox_scroll(struct listbox *box, size_t page)
{
    size_t last = box->count > page ? box->count - page : 0;
    box->page = page;
    if (box->marked < box->top) {
        box->top = box->marked;
    } else if (box->marked >= box->top + page) {
        box->top = box->marked - page + 1;
    }
    box->top = box->top > last ? last : box->top;
}

void listbox_draw(struct listbox *box, struct frame *frame, struct area area,
    void (*draw_row)(void *context, struct frame *frame, struct area line, size_t index),
    void *context)
{
    listbox_scroll(box, area.height > 0 ? (size_t)area.height : 1);
    for (size_t row = 0; row < box->page && box->top + row < box->count; row++) {
        struct area line = {.y = area.y + (int)row, .x = area.x, .height = 1, .width = area.width};
        frame->is_selected = box->top + row == box->marked;
        if (frame->is_selected) {
            draw_clear(frame, line);
            draw_text(frame, line.y, line.x, 1, ROLE_TEXT, theme_glyph(frame->theme, GLYPH_MARK));
        }
        line.x += MARK_CELLS;
        line.width -= MARK_CELLS;
        draw_row(context, frame, line, box->top + row);
        frame->is_selected = false;
    }
}

void listbox_draw_place(const struct listbox *box, struct frame *frame, struct area inside)
{
    if (box->count > box->page) {
        auto_free char *place =
            memory_printf(" %zu-%zu of %zu ", box->top + 1, box->top + box->page, box->count);
        draw_right(frame, inside.y + inside.height, inside.x, inside.width, ROLE_DIM, place);
    }
}
