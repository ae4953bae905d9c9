/* SPDX-License-Identifier: MIT */
#pragma once

/* The last line: a message until a key is pressed, else the keys that work here and now. */

struct area;
struct frame;
struct screen;
struct seat;

void bottom_draw(
    const struct seat *seat, const struct screen *screen, struct frame *frame, struct area line);
