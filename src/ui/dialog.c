/* SPDX-License-Identifier: MIT */
#include "ui/dialog.h"

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
