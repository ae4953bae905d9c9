/* SPDX-License-Identifier: MIT */
#pragma once

/* The box that dialogs are drawn in: centred, as high as its content, over what is below; and the
 * line that one types in. */

#include "ui/draw.h"

struct edit;
struct strings;

/* What is being typed in the last line, with what it is for: a sign, the text, a hint. */
void dialog_typing(struct frame *frame, struct area line, const char *sign, const struct edit *edit,
    const char *hint);
/* Draws the empty box with its title and returns the area inside, one cell away from the border. */
struct area dialog_box(struct frame *frame, struct area screen, int width, int height,
    enum role role, const char *title);
/* Leaves as many lines as there is room for, the last of which then says how many are missing. */
void dialog_cut(struct strings *lines, int room);
