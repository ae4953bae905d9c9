#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws screens of the console as PNG, from the cells that tests/tui/test_screens writes.

usage: draw-screens.py CELLS_DIR OUT_DIR NAME...

NAME.cells: a line "ROWS COLUMNS", then one "ROW COLUMN FG BG BOLD REVERSE TEXT" for each cell that is
not blank; colours are numbers of the terminal's palette, -1 its own. Needs python3-pil and
fonts-dejavu-core."""
import os
import sys

from PIL import Image, ImageDraw, ImageFont

FONTS = "/usr/share/fonts/truetype/dejavu/"
SIZE, WIDTH, HEIGHT, MARGIN = 15, 9, 19, 12
GROUND, INK = (24, 27, 33), (208, 212, 220)
PALETTE = [
    (40, 44, 52), (224, 108, 117), (140, 194, 110), (221, 182, 103),
    (98, 166, 232), (192, 128, 214), (92, 184, 192), (190, 195, 204),
    (110, 117, 130), (240, 130, 138), (160, 214, 130), (240, 200, 120),
    (125, 186, 248), (210, 150, 232), (115, 204, 212), (235, 238, 244),
]


def color_of(index, own):
    """Of the sixteen, of xterm's cube of 6x6x6, or of its greys."""
    if index < 0:
        return own
    if index < len(PALETTE):
        return PALETTE[index]
    if index >= 232:
        return (8 + 10 * (index - 232),) * 3
    steps = (0, 95, 135, 175, 215, 255)
    cube = index - len(PALETTE)
    return (steps[cube // 36], steps[cube // 6 % 6], steps[cube % 6])


# Lines and bars are drawn, not written, so that they meet whatever the font does.
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
LINES = {
    "─": (LEFT | RIGHT, 1), "│": (UP | DOWN, 1), "┌": (RIGHT | DOWN, 1), "┐": (LEFT | DOWN, 1),
    "└": (RIGHT | UP, 1), "┘": (LEFT | UP, 1), "━": (LEFT | RIGHT, 3), "┃": (UP | DOWN, 3),
    "┏": (RIGHT | DOWN, 3), "┓": (LEFT | DOWN, 3), "┗": (RIGHT | UP, 3), "┛": (LEFT | UP, 3),
    "╸": (LEFT, 3),
}
LEVELS = "▁▂▃▄▅▆▇█"


def draw_line(draw, x, y, sides, thick, ink):
    middle_x, middle_y, half = x + WIDTH // 2, y + HEIGHT // 2, thick // 2
    if sides & (LEFT | RIGHT):
        start = x if sides & LEFT else middle_x - half
        end = x + WIDTH - 1 if sides & RIGHT else middle_x + half
        draw.rectangle((start, middle_y - half, end, middle_y + half), fill=ink)
    if sides & (UP | DOWN):
        start = y if sides & UP else middle_y - half
        end = y + HEIGHT - 1 if sides & DOWN else middle_y + half
        draw.rectangle((middle_x - half, start, middle_x + half, end), fill=ink)


def draw_cell(draw, fonts, row, column, look, text):
    foreground, ground, is_bold, is_reverse = look
    ink, paper = color_of(foreground, INK), color_of(ground, GROUND)
    if is_reverse:
        ink, paper = paper, ink
    x, y = MARGIN + column * WIDTH, MARGIN + row * HEIGHT
    if paper != GROUND:
        draw.rectangle((x, y, x + WIDTH - 1, y + HEIGHT - 1), fill=paper)
    if text in LINES:
        draw_line(draw, x, y, *LINES[text], ink)
    elif text in LEVELS:
        high = (HEIGHT - 3) * (LEVELS.index(text) + 1) // len(LEVELS)
        draw.rectangle((x, y + HEIGHT - 2 - high, x + WIDTH - 2, y + HEIGHT - 2), fill=ink)
    else:
        draw.text((x, y), text, font=fonts[is_bold], fill=ink)


def draw_screen(source, target):
    with open(source, encoding="utf-8") as file:
        lines = file.read().split("\n")
    rows, columns = map(int, lines[0].split())
    fonts = [ImageFont.truetype(FONTS + name, SIZE)
             for name in ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")]
    size = (columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN)
    image = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(image)
    for line in lines[1:]:
        if line:
            row, column, *look, text = line.split(" ", 6)
            draw_cell(draw, fonts, int(row), int(column), [int(word) for word in look], text)
    image.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)


def main():
    cells, out, *names = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    for name in names:
        draw_screen(os.path.join(cells, name + ".cells"), os.path.join(out, name + ".png"))
        print(os.path.join(out, name + ".png"))


main()
