/* SPDX-License-Identifier: MIT */
#include "ui/cells.h"

#include <string.h>
#include <wchar.h>

#include "base/memory.h"
#include "base/text.h"

#define COMBINING_MAX 2

/* One character of safe text: its bytes, its cells, and whether it is shown at all. */
struct glyph_step {
    int len;
    int cells;
    bool is_combining;
};

static struct glyph_step step_at(const char *text, size_t len, bool is_utf8)
{
    unsigned code_point = 0;
    int taken = is_utf8 ? text_decode_utf8(text, len, &code_point) : 1;
    if (taken <= 0) {
        return (struct glyph_step){.len = 1, .cells = 1};
    }
    if (!is_utf8 || code_point < 0x7f) {
        return (struct glyph_step){.len = taken, .cells = 1};
    }
    int cells = wcwidth((wchar_t)code_point);
    return (struct glyph_step){.len = taken, .cells = cells, .is_combining = cells == 0};
}

/* Walks safe text and appends what lies between skip and skip + width; out NULL only measures. */
static int walk(struct text *out, const struct text *safe, int skip, int width, bool is_utf8)
{
    const char *text = text_cstr(safe);
    int position = 0;
    int used = 0;
    int combining = 0;
    for (size_t at = 0; at < safe->len;) {
        struct glyph_step step = step_at(text + at, safe->len - at, is_utf8);
        const char *shown = text + at;
        int shown_len = step.len;
        at += (size_t)step.len;
        if (step.is_combining) {
            if (position <= skip || ++combining > COMBINING_MAX) {
                continue;
            }
        } else {
            combining = 0;
            if (step.cells < 0) { /* unassigned: nobody knows its width */
                shown = "?";
                shown_len = 1;
                step.cells = 1;
            }
            position += step.cells;
            if (position - step.cells < skip) {
                continue;
            }
            if (used + step.cells > width) {
                break;
            }
            used += step.cells;
        }
        if (out != NULL) {
            text_append_bytes(out, shown, (size_t)shown_len);
        }
    }
    return used;
}

static void make_safe(struct text *safe, const char *foreign, bool is_utf8)
{
    text_append_safe(safe, foreign, strnlen(foreign, CELLS_INPUT_MAX), is_utf8);
}

int cells_fit_from(
    struct text *out, const char *foreign, int skip, int width, const char *ellipsis, bool is_utf8)
{
    if (width <= 0) {
        return 0;
    }
    auto_done(text) struct text safe = {0};
    make_safe(&safe, foreign, is_utf8);
    int whole = walk(NULL, &safe, skip, width + 2, is_utf8); /* a wide one may follow */
    if (whole <= width || ellipsis[0] == '\0') {
        return walk(out, &safe, skip, width, is_utf8);
    }
    int used = walk(out, &safe, skip, width - 1, is_utf8);
    text_append(out, ellipsis);
    return used + 1;
}

int cells_fit(struct text *out, const char *foreign, int width, const char *ellipsis, bool is_utf8)
{
    return cells_fit_from(out, foreign, 0, width, ellipsis, is_utf8);
}

int cells_width(const char *foreign, bool is_utf8)
{
    auto_done(text) struct text safe = {0};
    make_safe(&safe, foreign, is_utf8);
    return walk(NULL, &safe, 0, CELLS_INPUT_MAX * 8, is_utf8);
}

/* Length in bytes of the longest beginning that fits, ending at a blank if there is one. */
static size_t wrap_point(const char *line, size_t len, int width, bool is_utf8)
{
    size_t at = 0;
    size_t blank = 0;
    int used = 0;
    while (at < len) {
        struct glyph_step step = step_at(line + at, len - at, is_utf8);
        int cells = step.cells < 0 ? 1 : step.cells;
        if (used + cells > width) {
            return blank > 0 ? blank : (at > 0 ? at : (size_t)step.len);
        }
        if (line[at] == ' ' && at > 0) {
            blank = at;
        }
        used += cells;
        at += (size_t)step.len;
    }
    return len;
}

static void wrap_line(
    struct strings *lines, const char *line, size_t len, int width, int indent, bool is_utf8)
{
    auto_done(text) struct text safe = {0};
    text_append_safe(&safe, line, len, is_utf8);
    const char *rest = text_cstr(&safe);
    size_t left = safe.len;
    int margin = 0;
    do {
        size_t taken = wrap_point(rest, left, width - margin, is_utf8);
        strings_printf(lines, "%*s%.*s", margin, "", (int)taken, rest);
        rest += taken;
        left -= taken;
        while (left > 0 && *rest == ' ') {
            rest++;
            left--;
        }
        margin = indent;
    } while (left > 0);
}

void cells_wrap(struct strings *lines, const char *foreign, int width, int indent, bool is_utf8)
{
    if (width < indent + 8) {
        width = indent + 8;
    }
    size_t left = strnlen(foreign, (size_t)CELLS_INPUT_MAX * 16);
    while (true) {
        const char *end = memchr(foreign, '\n', left);
        size_t len = end != NULL ? (size_t)(end - foreign) : left;
        wrap_line(lines, foreign, len, width, indent, is_utf8);
        if (end == NULL) {
            return;
        }
        foreign = end + 1;
        left -= len + 1;
    }
}
