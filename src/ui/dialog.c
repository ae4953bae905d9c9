/* SPDX-License-Identifier: MIT */
#include "ui/dialog.h"

#include "base/text.h"
#include "ui/edit.h"

#define MARGIN 2

struct area dialog_box(struct frame *frame, struct area screen, int width, int height,
    enum role role, const char *title)
{
    struct area box = {.width = width + 2 * MARGIN, .height = height + 2};
    box.width = box.width > screen.width ? screen.width : box.width;
    box.height = box.height > screen.height ? screen.height : box.height;
    box.x = screen.x + (screen.width - box.width) / 2;
    box.y = screen.y + (screen.height - box.height) / 2;
    draw_clear(frame, box);
    draw_border(frame, box, true);
    struct pen pen = {.y = box.y, .x = box.x + 1, .limit = box.x + box.width - 1};
    pen_print(frame, &pen, role, " %s ", title);
    return (struct area){.y = box.y + 1,
        .x = box.x + MARGIN,
        .height = box.height - 2,
        .width = box.width - 2 * MARGIN};
}

void dialog_cut(struct strings *lines, int room)
{
    size_t most = room > 1 ? (size_t)room : 1;
    if (lines->count <= most) {
        return;
    }
    size_t left_out = lines->count - most + 1;
    while (lines->count >= most) {
        strings_remove(lines, lines->count - 1);
    }
    strings_printf(lines, "(%zu lines more have no room)", left_out);
}

void dialog_typing(struct frame *frame, struct area line, const char *sign, const struct edit *edit,
    const char *hint)
{
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width - 1};
    pen_text(frame, &pen, ROLE_KEY, sign);
    int x = pen.x + edit_cursor_cells(edit, frame->theme->is_utf8);
    pen_text(frame, &pen, ROLE_STRONG, edit->text);
    draw_cursor(frame, line.y, x);
    pen_skip(&pen, 3);
    pen_text(frame, &pen, ROLE_DIM, hint);
}
