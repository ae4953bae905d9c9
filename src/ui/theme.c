/* SPDX-License-Identifier: MIT */
#include "ui/theme.h"

#include <langinfo.h>
#include <string.h>
#include <strings.h>

#include <curses.h>

/* clang-format off */
static const char *const glyphs[GLYPH_COUNT][3] = {
    /*                              ASCII  console   Unicode */
    [GLYPH_HORIZONTAL]          = { "-",   "─",      "─" },
    [GLYPH_VERTICAL]            = { "|",   "│",      "│" },
    [GLYPH_TOP_LEFT]            = { "+",   "┌",      "┌" },
    [GLYPH_TOP_RIGHT]           = { "+",   "┐",      "┐" },
    [GLYPH_BOTTOM_LEFT]         = { "+",   "└",      "└" },
    [GLYPH_BOTTOM_RIGHT]        = { "+",   "┘",      "┘" },
    [GLYPH_HEAVY_HORIZONTAL]    = { "=",   "═",      "━" },
    [GLYPH_HEAVY_VERTICAL]      = { "#",   "║",      "┃" },
    [GLYPH_HEAVY_TOP_LEFT]      = { "#",   "╔",      "┏" },
    [GLYPH_HEAVY_TOP_RIGHT]     = { "#",   "╗",      "┓" },
    [GLYPH_HEAVY_BOTTOM_LEFT]   = { "#",   "╚",      "┗" },
    [GLYPH_HEAVY_BOTTOM_RIGHT]  = { "#",   "╝",      "┛" },
    [GLYPH_MARK]                = { ">",   "►",      "▸" },
    [GLYPH_ELLIPSIS]            = { "~",   "~",      "…" },
    [GLYPH_DONE]                = { "+",   "√",      "✓" },
    [GLYPH_FAILED]              = { "x",   "x",      "✗" },
    [GLYPH_BAR_FULL]            = { "#",   "█",      "━" },
    [GLYPH_BAR_HALF]            = { "#",   "▌",      "╸" },
    [GLYPH_BAR_EMPTY]           = { ".",   "░",      "─" },
    [GLYPH_ASCENDING]           = { "^",   "↑",      "↑" },
    [GLYPH_DESCENDING]          = { "v",   "↓",      "↓" },
    [GLYPH_DOT]                 = { "*",   "·",      "·" },
    [GLYPH_CURSOR]              = { "_",   "_",      "▏" },
    [GLYPH_MORE_ABOVE]          = { "^",   "↑",      "↑" },
    [GLYPH_MORE_BELOW]          = { "v",   "↓",      "↓" },
    [GLYPH_LEVEL_1]             = { "_",   "_",      "▁" },
    [GLYPH_LEVEL_1 + 1]         = { ".",   ".",      "▂" },
    [GLYPH_LEVEL_1 + 2]         = { ":",   ":",      "▃" },
    [GLYPH_LEVEL_1 + 3]         = { "-",   "-",      "▄" },
    [GLYPH_LEVEL_1 + 4]         = { "=",   "=",      "▅" },
    [GLYPH_LEVEL_1 + 5]         = { "+",   "+",      "▆" },
    [GLYPH_LEVEL_1 + 6]         = { "*",   "*",      "▇" },
    [GLYPH_LEVEL_8]             = { "#",   "█",      "█" },
};

/* What each role is with colours and without. On the selected row everything is reversed, so that
 * no colour ends up as a background. */
static const struct look {
    short color; /* -1: the terminal's own */
    attr_t with_color;
    attr_t without;
} looks[ROLE_COUNT] = {
    [ROLE_TEXT]      = { -1,           A_NORMAL,           A_NORMAL },
    [ROLE_DIM]       = { -1,           A_DIM,              A_DIM },
    [ROLE_STRONG]    = { -1,           A_BOLD,             A_BOLD },
    [ROLE_FRAME]     = { -1,           A_DIM,              A_DIM },
    [ROLE_FOCUS]     = { COLOR_CYAN,   A_BOLD,             A_BOLD },
    [ROLE_SELECTED]  = { -1,           A_REVERSE,          A_REVERSE },
    [ROLE_GOOD]      = { COLOR_GREEN,  A_NORMAL,           A_NORMAL },
    [ROLE_ATTENTION] = { COLOR_YELLOW, A_NORMAL,           A_NORMAL },
    [ROLE_BAD]       = { COLOR_RED,    A_BOLD,             A_BOLD },
    [ROLE_KEY]       = { COLOR_CYAN,   A_BOLD,             A_BOLD },
    [ROLE_MATCH]     = { COLOR_YELLOW, A_BOLD | A_REVERSE, A_BOLD | A_REVERSE },
};
/* clang-format on */

static bool locale_is_utf8(void)
{
    const char *codeset = nl_langinfo(CODESET);
    return strcasecmp(codeset, "UTF-8") == 0 || strcasecmp(codeset, "utf8") == 0;
}

static enum glyph_set choose_set(const char *term, bool is_ascii)
{
    if (is_ascii || !locale_is_utf8()) {
        return GLYPHS_ASCII;
    }
    bool is_console = strcmp(term, "linux") == 0 || strncmp(term, "linux-", 6) == 0;
    return is_console ? GLYPHS_CONSOLE : GLYPHS_UNICODE;
}

static bool start_colors(bool is_colorless)
{
    if (is_colorless || !has_colors() || start_color() == ERR) {
        return false;
    }
    /* Where a terminal has no "default colour", white on black is what it has anyway. */
    short background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    for (int role = 0; role < ROLE_COUNT; role++) {
        short color = looks[role].color;
        if (color >= 0) {
            init_pair((short)(role + 1), color, background);
        }
    }
    return true;
}

void theme_init(struct theme *theme, const char *term, bool is_ascii, bool is_colorless)
{
    theme->set = choose_set(term, is_ascii);
    theme->is_utf8 = theme->set != GLYPHS_ASCII;
    bool is_colored = start_colors(is_colorless);
    for (int role = 0; role < ROLE_COUNT; role++) {
        attr_t look = is_colored ? looks[role].with_color : looks[role].without;
        if (is_colored && looks[role].color >= 0) {
            look |= (attr_t)COLOR_PAIR(role + 1);
        }
        theme->attributes[role] = look;
    }
}

const char *theme_set_glyph(enum glyph_set set, enum glyph glyph)
{
    return glyphs[glyph][set];
}

const char *theme_glyph(const struct theme *theme, enum glyph glyph)
{
    return theme_set_glyph(theme->set, glyph);
}
