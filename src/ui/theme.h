/* SPDX-License-Identifier: MIT */
#pragma once

/* What things look like: a role says what a piece of text means, the theme which attributes that
 * is on this terminal, and which characters stand for lines, bars and marks. Colour repeats what a
 * word or a glyph says and is never needed. Colours are the terminal's own palette on its own
 * background, so light and dark both work. Main thread, between term_open and term_close. */

#include <stdbool.h>

enum role {
    ROLE_TEXT,
    ROLE_DIM,       /* history, units, hints */
    ROLE_STRONG,    /* titles, names of things asked about */
    ROLE_FRAME,     /* border of what has no focus */
    ROLE_FOCUS,     /* border and title of what has it */
    ROLE_SELECTED,  /* the row under the cursor, in the pane with the focus */
    ROLE_GOOD,      /* running, verified, done */
    ROLE_ATTENTION, /* under way, waiting, unverified */
    ROLE_BAD,       /* failed, mismatch, damaged */
    ROLE_KEY,       /* a key that works here and now */
    ROLE_MATCH,     /* found by a search */
    ROLE_COUNT,
};

enum glyph {
    GLYPH_HORIZONTAL,
    GLYPH_VERTICAL,
    GLYPH_TOP_LEFT,
    GLYPH_TOP_RIGHT,
    GLYPH_BOTTOM_LEFT,
    GLYPH_BOTTOM_RIGHT,
    GLYPH_HEAVY_HORIZONTAL,
    GLYPH_HEAVY_VERTICAL,
    GLYPH_HEAVY_TOP_LEFT,
    GLYPH_HEAVY_TOP_RIGHT,
    GLYPH_HEAVY_BOTTOM_LEFT,
    GLYPH_HEAVY_BOTTOM_RIGHT,
    GLYPH_MARK,
    GLYPH_ELLIPSIS,
    GLYPH_DONE,
    GLYPH_FAILED,
    GLYPH_BAR_FULL,
    GLYPH_BAR_HALF,
    GLYPH_BAR_EMPTY,
    GLYPH_ASCENDING,
    GLYPH_DESCENDING,
    GLYPH_DOT,
    GLYPH_CURSOR,
    GLYPH_MORE_ABOVE,
    GLYPH_MORE_BELOW,
    GLYPH_LEVEL_1, /* the lowest of a trend; the others follow */
    GLYPH_LEVEL_8 = GLYPH_LEVEL_1 + 7,
    GLYPH_COUNT,
};

/* Which characters the terminal can show. The Linux console speaks UTF-8 but its fonts hold the
 * old PC set only. */
enum glyph_set { GLYPHS_ASCII, GLYPHS_CONSOLE, GLYPHS_UNICODE };

struct theme {
    bool is_utf8; /* foreign text may hold characters beyond ASCII */
    enum glyph_set set;
    unsigned long attributes[ROLE_COUNT]; /* attr_t with the colour pair in it */
};

/* Decides by LC_CTYPE, the terminal's name and the flags; starts colours. After newterm. name:
 * "default" or NULL (the terminal's own palette), "dark", "light" (shades for such a background,
 * where there are 256 colours), "mono"; another one is as "default". */
void theme_init(
    struct theme *theme, const char *name, const char *term, bool is_ascii, bool is_colorless);
/* Whether there is a theme of that name. */
bool theme_exists(const char *name);
/* One cell each; never NULL. */
const char *theme_glyph(const struct theme *theme, enum glyph glyph);
