/* SPDX-License-Identifier: MIT */
#include "ui/theme.h"

#include <langinfo.h>
#include <string.h>
#include <strings.h>

#include <curses.h>

#include "base/memory.h"

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

/* Colours of the xterm palette that are read well on a dark and on a light background; -1: the
 * terminal's own. */
static const struct {
    const char *name;
    short colors[ROLE_COUNT];
} shades[] = {
    {"dark", {[ROLE_TEXT] = -1,
                 [ROLE_DIM] = 246,
                 [ROLE_STRONG] = -1,
                 [ROLE_FRAME] = 240,
                 [ROLE_FOCUS] = 80,
                 [ROLE_SELECTED] = -1,
                 [ROLE_GOOD] = 114,
                 [ROLE_ATTENTION] = 221,
                 [ROLE_BAD] = 210,
                 [ROLE_KEY] = 80,
                 [ROLE_MATCH] = 221}},
    {"light", {[ROLE_TEXT] = -1,
                  [ROLE_DIM] = 242,
                  [ROLE_STRONG] = -1,
                  [ROLE_FRAME] = 249,
                  [ROLE_FOCUS] = 25,
                  [ROLE_SELECTED] = -1,
                  [ROLE_GOOD] = 22,
                  [ROLE_ATTENTION] = 94,
                  [ROLE_BAD] = 124,
                  [ROLE_KEY] = 25,
                  [ROLE_MATCH] = 94}},
};
#define SHADES_FROM 256

bool theme_exists(const char *name)
{
    for (size_t i = 0; i < array_length(shades); i++) {
        if (strcmp(shades[i].name, name) == 0) {
            return true;
        }
    }
    return strcmp(name, "default") == 0 || strcmp(name, "mono") == 0;
}

static short color_of(const char *name, int role)
{
    for (size_t i = 0; i < array_length(shades) && COLORS >= SHADES_FROM; i++) {
        if (strcmp(shades[i].name, name) == 0) {
            return shades[i].colors[role];
        }
    }
    return looks[role].color;
}

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

static bool start_colors(const char *name, bool is_colorless)
{
    if (is_colorless || !has_colors() || start_color() == ERR) {
        return false;
    }
    /* Where a terminal has no "default colour", white on black is what it has anyway. */
    short background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    for (int role = 0; role < ROLE_COUNT; role++) {
        short color = color_of(name, role);
        if (color >= 0) {
            init_pair((short)(role + 1), color, background);
        }
    }
    return true;
}

void theme_init(
    struct theme *theme, const char *name, const char *term, bool is_ascii, bool is_colorless)
{
    name = name != NULL ? name : "default";
    theme->set = choose_set(term, is_ascii);
    theme->is_utf8 = theme->set != GLYPHS_ASCII;
    bool is_colored = start_colors(name, is_colorless || strcmp(name, "mono") == 0);
    for (int role = 0; role < ROLE_COUNT; role++) {
        attr_t look = is_colored ? looks[role].with_color : looks[role].without;
        if (is_colored && color_of(name, role) >= 0) {
            look |= (attr_t)COLOR_PAIR(role + 1);
            look &= (role == ROLE_DIM || role == ROLE_FRAME) ? ~(attr_t)A_DIM : ~(attr_t)0;
        }
        theme->attributes[role] = look;
    }
}

const char *theme_glyph(const struct theme *theme, enum glyph glyph)
{
    return glyphs[glyph][theme->set];
}
