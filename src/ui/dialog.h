/* SPDX-License-Identifier: MIT */
#pragma once

/* The box that dialogs are drawn in: centred, as high as its content, over what is below. */

#include "ui/draw.h"

/* Draws the empty box with its title and returns the area inside, one cell away from the border. */
struct area dialog_box(struct frame *frame, struct area screen, int width, int height,
    enum role role, const char *title);
