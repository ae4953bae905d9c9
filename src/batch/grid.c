/* SPDX-License-Identifier: MIT */
#include "batch/grid.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/memory.h"

#define GAP 2
/* What folding leaves a column of while all stand side by side, and when one stands below. */
#define BESIDE_MIN 20
#define ABOVE_MIN 8
#define BELOW_INDENT 4

void grid_init(struct grid *grid, size_t column_count)
{
    *grid = (struct grid){.column_count = column_count};
    grid->widths = memory_zero(column_count, sizeof(grid->widths[0]));
    grid->is_right = memory_zero(column_count, sizeof(grid->is_right[0]));
}

void grid_done(struct grid *grid)
{
    text_done(&grid->text);
    free(grid->widths);
    free(grid->is_right);
    *grid = (struct grid){0};
}

/* ---- cells of a terminal ---- */

/* Bytes of the first character of safe text and the cells it takes; 0 at the end. */
static size_t step_of(const char *safe, size_t *cells)
{
    unsigned code_point = 0;
    *cells = 1;
    if (safe[0] >= 0x20 && safe[0] <= 0x7e) {
        return 1;
    }
    int step = text_decode_utf8(safe, strnlen(safe, 4), &code_point);
    if (step <= 0) {
        return 0;
    }
    int found = wcwidth((wchar_t)code_point);
    *cells = found >= 0 ? (size_t)found : 1;
    return (size_t)step;
}

static size_t width_of(const char *safe)
{
    size_t width = 0;
    size_t cells = 0;
    for (size_t step; (step = step_of(safe, &cells)) > 0; safe += step) {
        width += cells;
    }
    return width;
}

void grid_end_cell(struct grid *grid, size_t start)
{
    if (grid->text.len == start) {
        text_append_char(&grid->text, '-');
    }
    size_t width = width_of(text_cstr(&grid->text) + start);
    size_t *widest = &grid->widths[grid->column];
    *widest = width > *widest ? width : *widest;
    text_append_char(&grid->text, '\0');
    grid->column = (grid->column + 1) % grid->column_count;
}

static void append_blanks(struct text *out, size_t count)
{
    static const char blanks[] = "                ";
    for (size_t some; count > 0; count -= some) {
        some = count < sizeof blanks - 1 ? count : sizeof blanks - 1;
        text_append_bytes(out, blanks, some);
    }
}

/* ---- as wide as it gets ---- */

static void append_plain(const struct grid *grid, size_t indent, struct text *out)
{
    const char *cell = text_cstr(&grid->text);
    const char *end = cell + grid->text.len;
    for (size_t c = 0; cell < end; c = (c + 1) % grid->column_count) {
        bool is_last = c + 1 == grid->column_count;
        size_t blanks = grid->widths[c] - width_of(cell);
        size_t len = strlen(cell);
        append_blanks(out, (c > 0 ? GAP : indent) + (grid->is_right[c] ? blanks : 0));
        text_append_bytes(out, cell, len);
        append_blanks(out, grid->is_right[c] || is_last ? 0 : blanks);
        text_append_bytes(out, "\n", is_last);
        cell += len + 1;
    }
}

/* ---- folded ---- */

/* How the columns of a grid share the width of a terminal. */
struct shares {
    size_t *widths;
    size_t gap;   /* between columns */
    size_t below; /* the column that stands on lines of its own under its row; 0: none */
    size_t indent;
    size_t width; /* of the terminal */
};

/* The widest column that may be folded; 0: none. */
static size_t widest_of(const struct grid *grid, const struct shares *shares)
{
    size_t widest = 0;
    for (size_t c = 1; c < grid->column_count; ++c) {
        bool is_foldable = !grid->is_right[c] && c != shares->below;
        bool is_wider = widest == 0 || shares->widths[c] > shares->widths[widest];
        widest = is_foldable && is_wider ? c : widest;
    }
    return widest;
}

/* Takes from the widest until all fit; false when that would leave one less than least. */
static bool share_out(const struct grid *grid, struct shares *shares, size_t least)
{
    size_t total = shares->indent;
    for (size_t c = 0; c < grid->column_count; ++c) {
        shares->widths[c] = grid->widths[c];
        total += c == shares->below && c > 0 ? 0 : shares->widths[c] + (c > 0 ? shares->gap : 0);
    }
    for (; total > shares->width; --total) {
        size_t widest = widest_of(grid, shares);
        if (widest == 0 || shares->widths[widest] <= least) {
            return false;
        }
        shares->widths[widest]--;
    }
    return true;
}

/* What of a cell stands on one line. */
struct piece {
    size_t len, cells;
    size_t skip; /* to the next piece */
};

/* Ends at the last blank that fits, else behind a slash or hyphen of the second half, else anywhere;
 * keeps_words: else behind the word, however long it is. */
static struct piece piece_of(const char *cell, size_t width, bool keeps_words)
{
    struct piece piece = {0};
    struct piece best = {0};
    size_t cells = 0;
    bool is_best_blank = false;
    for (size_t step; (step = step_of(cell + piece.len, &cells)) > 0;) {
        char byte = cell[piece.len];
        if (byte == ' ' && piece.cells <= width) {
            best = (struct piece){piece.len, piece.cells, piece.len + 1};
            is_best_blank = true;
        }
        if (piece.cells + cells > width && (best.len > 0 || byte == ' ' || !keeps_words)) {
            piece.skip = piece.len + (byte == ' ');
            return best.len > 0 || piece.len == 0 ? best : piece;
        }
        piece.len += step;
        piece.cells += cells;
        bool is_joint = (byte == '/' || byte == '-') && piece.cells > width / 2;
        if (is_joint && !keeps_words && !is_best_blank) {
            best = (struct piece){piece.len, piece.cells, piece.len};
        }
    }
    piece.skip = piece.len;
    return piece;
}

static void append_below(const char *cell, const struct shares *shares, struct text *out)
{
    size_t indent = shares->indent + BELOW_INDENT;
    size_t width = shares->width > indent ? shares->width - indent : 1;
    while (*cell != '\0') {
        struct piece piece = piece_of(cell, width, true);
        append_blanks(out, indent);
        text_append_bytes(out, cell, piece.len);
        text_append_char(out, '\n');
        cell += piece.skip;
    }
}

/* One row; rest is used up. */
static void append_folded_row(
    const struct grid *grid, const struct shares *shares, const char **rest, struct text *out)
{
    const char *below = shares->below > 0 ? rest[shares->below] : "";
    for (bool is_more = true; is_more;) {
        is_more = false;
        size_t owed = shares->indent;
        for (size_t c = 0; c < grid->column_count; ++c) {
            if (c == shares->below && c > 0) {
                continue;
            }
            size_t width = shares->widths[c];
            struct piece piece = piece_of(rest[c], width, c + 1 == grid->column_count);
            size_t blanks = width > piece.cells ? width - piece.cells : 0;
            bool is_behind = grid->is_right[c] || piece.len == 0;
            append_blanks(out, piece.len > 0 ? owed + (is_behind ? blanks : 0) : 0);
            text_append_bytes(out, rest[c], piece.len);
            owed = shares->gap + (piece.len > 0 ? 0 : owed) +
                   (is_behind && piece.len > 0 ? 0 : blanks);
            rest[c] += piece.skip;
            is_more = is_more || *rest[c] != '\0';
        }
        text_append_char(out, '\n');
    }
    append_below(below, shares, out);
}

static void append_folded(const struct grid *grid, const struct shares *shares, struct text *out)
{
    auto_free const char **rest = memory_zero(grid->column_count, sizeof(rest[0]));
    const char *cell = text_cstr(&grid->text);
    const char *end = cell + grid->text.len;
    while (cell < end) {
        for (size_t c = 0; c < grid->column_count; ++c) {
            rest[c] = cell;
            cell += strlen(cell) + 1;
        }
        append_folded_row(grid, shares, rest, out);
    }
}

/* Closer together if that is enough, else folded if that leaves enough of each, else with the widest
 * below the others. */
static bool fits(const struct grid *grid, struct shares *shares)
{
    for (shares->gap = GAP; shares->gap > 0; --shares->gap) {
        if (share_out(grid, shares, SIZE_MAX)) {
            return true;
        }
    }
    shares->gap = GAP;
    if (share_out(grid, shares, BESIDE_MIN)) {
        return true;
    }
    share_out(grid, shares, SIZE_MAX);
    shares->below = widest_of(grid, shares);
    return shares->below > 0 && share_out(grid, shares, ABOVE_MIN);
}

bool grid_fits(const struct grid *grid, size_t indent, size_t width)
{
    auto_free size_t *widths = memory_zero(grid->column_count, sizeof(widths[0]));
    struct shares shares = {.widths = widths, .indent = indent, .width = width};
    return width == 0 || fits(grid, &shares);
}

void grid_append(const struct grid *grid, size_t indent, size_t width, struct text *out)
{
    auto_free size_t *widths = memory_zero(grid->column_count, sizeof(widths[0]));
    struct shares shares = {.widths = widths, .indent = indent, .width = width};
    out->is_full |= grid->text.is_full;
    if (width > 0 && !grid->text.is_full && fits(grid, &shares)) {
        append_folded(grid, &shares, out);
    } else {
        append_plain(grid, indent, out);
    }
}
