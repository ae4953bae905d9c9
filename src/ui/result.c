/* SPDX-License-Identifier: MIT */
#include "ui/result.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/cells.h"
#include "ui/format.h"
#include "ui/pager.h"

#define GAP 2
#define RESULT_BYTES_MAX (limits_default.json_bytes * 16) /* of our own making */
#define COLUMNS_MAX 16

/* Any value as a person reads it; what has parts as one line of JSON. */
static void value_text(const struct json *value, struct text *out)
{
    if (value == NULL) {
        return;
    }
    if (json_is_string(value)) {
        text_append(out, json_string_value(value));
    } else {
        json_write(value, false, out);
    }
}

static void column_value(
    const struct column *column, const struct json *row, int64_t now, struct text *out)
{
    const struct json *value = json_get(row, column->field);
    char buffer[UNITS_MAX];
    int64_t at = 0;
    if (value == NULL) {
        text_append_char(out, '-');
        return;
    }
    switch (column->form) {
    case COLUMN_SIZE:
        text_append(out, units_format_size((uint64_t)json_integer_value(value, 0), buffer));
        return;
    case COLUMN_AGE:
        if (json_is_string(value) && clock_parse(json_string_value(value), &at)) {
            format_age(out, now, at, NULL);
        }
        return;
    case COLUMN_DIGEST:
        if (json_is_string(value)) {
            const char *hex = json_string_value(value);
            text_printf(out, "%.12s", text_has_prefix(hex, "sha256:") ? hex + 7 : hex);
        }
        return;
    case COLUMN_BOOL:
        text_append(out, json_bool(row, column->field, false) ? "yes" : "no");
        return;
    case COLUMN_NUMBER:
    case COLUMN_TEXT:
    case COLUMN_STATE:
        break;
    }
    value_text(value, out);
}

static void column_text(
    const struct column *column, const struct json *row, int64_t now, struct text *out)
{
    column_value(column, row, now, out);
    for (size_t i = 0; column_remark(column, i) != NULL; i++) {
        if (json_bool(row, column_remark(column, i), false)) {
            column_append_remark(column_remark(column, i), out);
        }
    }
}

/* How a status word of a check looks; any other word is plain. */
static enum role row_role(const struct json *row)
{
    const char *status = json_string(row, "status", json_string(row, "state", ""));
    static const char *const bad[] = {
        "fail", "failed", "missing", "bad", "error", "mismatch", "damaged"};
    static const char *const attention[] = {"warning", "warn", "unknown", "unreadable"};
    for (size_t i = 0; i < array_length(bad); i++) {
        if (strcmp(status, bad[i]) == 0) {
            return ROLE_BAD;
        }
    }
    for (size_t i = 0; i < array_length(attention); i++) {
        if (strcmp(status, attention[i]) == 0) {
            return ROLE_ATTENTION;
        }
    }
    return ROLE_TEXT;
}

/* Figures and ages end under each other. */
static bool is_right(const struct column *column)
{
    return column->form == COLUMN_SIZE || column->form == COLUMN_NUMBER ||
           column->form == COLUMN_AGE;
}

/* How many columns stand beside each other: as many as fit, and one more that is wrapped where a
 * third of the line is left for it. What is behind them follows below each row, with its header in
 * front. */
static size_t measure_rows(
    const struct verb *verb, const struct json *rows, int64_t now, int width, int *widths)
{
    for (size_t i = 0; i < verb->column_count; i++) {
        widths[i] = cells_width(verb->columns[i].header, true);
    }
    for (const struct json *row = json_first(rows); row != NULL; row = json_next(row)) {
        for (size_t i = 0; i < verb->column_count; i++) {
            auto_done(text) struct text cell = {0};
            column_text(&verb->columns[i], row, now, &cell);
            int cells = cells_width(text_cstr(&cell), true);
            widths[i] = cells > widths[i] ? cells : widths[i];
        }
    }
    size_t count = 0;
    int used = 0;
    while (count < verb->column_count && used + widths[count] <= width) {
        used += widths[count++] + GAP;
    }
    bool has_room = count < verb->column_count && width - used >= width / 3;
    return count + has_room;
}

static void add_row(struct page *page, const struct verb *verb, const struct json *row, int64_t now,
    const int *widths, size_t beside, int width)
{
    auto_done(text) struct text line = {0};
    int indent = 4; /* of what goes on below */
    for (size_t i = 0; i < beside; i++) {
        auto_done(text) struct text cell = {0};
        column_text(&verb->columns[i], row, now, &cell);
        if (is_right(&verb->columns[i])) {
            int blanks = widths[i] - cells_width(text_cstr(&cell), true);
            text_printf(&line, "%*s%s%*s", blanks > 0 ? blanks : 0, "", text_cstr(&cell),
                i + 1 < beside ? GAP : 0, "");
        } else if (i + 1 == beside) {
            indent = cells_width(text_cstr(&line), true);
            text_append(&line, text_cstr(&cell));
        } else {
            int used = cells_fit(&line, text_cstr(&cell), widths[i], "", true);
            text_printf(&line, "%*s", widths[i] - used + GAP, "");
        }
    }
    auto_done(strings) struct strings lines = {0};
    indent = indent < width * 2 / 3 ? indent : 4;
    cells_wrap(&lines, text_cstr(&line), width, indent, true);
    for (size_t i = beside; i < verb->column_count; i++) {
        auto_done(text) struct text cell = {0};
        column_text(&verb->columns[i], row, now, &cell);
        if (strcmp(text_cstr(&cell), "-") != 0 && cell.len > 0) {
            auto_free char *more =
                memory_printf("%*s%s: %s", indent, "", verb->columns[i].header, text_cstr(&cell));
            cells_wrap(&lines, more, width, indent, true);
        }
    }
    for (size_t i = 0; i < lines.count; i++) {
        page_add(page, row_role(row), NULL, lines.items[i]);
    }
}

/* What it means that there is nothing, and what would bring something. */
static const char *empty_words(const struct verb *verb)
{
    static const struct {
        const char *subject, *verb, *words;
    } lists[] = {
        {"host", "trash list",
            "Nothing was removed: what x removes waits here, and u takes it back."},
        {"vm", "snapshot list", "No snapshot yet: `vm snapshot create` makes one."},
        {"vm", "ports", "Nothing in the guest listens on a port."},
        {"job", "list", "Nothing is under way."},
        {"catalog", "list", "No catalog is set: `catalog add` adds one."},
    };
    for (size_t i = 0; i < array_length(lists); i++) {
        if (strcmp(lists[i].subject, verb->subject) == 0 &&
            strcmp(lists[i].verb, verb->name) == 0) {
            return lists[i].words;
        }
    }
    return "The list is empty.";
}

static void fill_rows(
    struct page *page, const struct verb *verb, const struct json *rows, int64_t now, int width)
{
    int widths[COLUMNS_MAX] = {0};
    if (json_count(rows) == 0) {
        page_add(page, ROLE_DIM, NULL, empty_words(verb));
        return;
    }
    size_t beside = measure_rows(verb, rows, now, width, widths);
    auto_done(text) struct text header = {0};
    for (size_t i = 0; i < beside; i++) {
        bool is_last = i + 1 == beside;
        const char *title = verb->columns[i].header;
        if (is_right(&verb->columns[i])) {
            text_printf(&header, "%*s%*s", widths[i], title, is_last ? 0 : GAP, "");
        } else {
            text_printf(&header, "%-*s", is_last ? 0 : widths[i] + GAP, title);
        }
    }
    page_add(page, ROLE_DIM, NULL, text_cstr(&header));
    for (const struct json *row = json_first(rows); row != NULL; row = json_next(row)) {
        add_row(page, verb, row, now, widths, beside, width);
    }
}

struct json *result_parse(const struct job_item *job)
{
    struct error ignored = {0};
    return job->result != NULL ? json_parse(job->result, strlen(job->result), RESULT_BYTES_MAX,
                                     limits_default.json_depth, "result", &ignored)
                               : NULL;
}

void result_step(const struct json *step, struct text *out)
{
    char size[UNITS_MAX];
    int64_t bytes = json_integer(step, "bytes", 0);
    text_printf(
        out, "%s %s", json_string(step, "action", "change"), json_string(step, "object", ""));
    if (bytes > 0) {
        text_printf(out, ", %s", units_format_size((uint64_t)bytes, size));
    }
}

/* What a verb would do, one step a line. */
static void fill_plan(struct page *page, const struct json *plan, int width)
{
    const char *label = "plan";
    for (const struct json *row = json_first(plan); row != NULL; row = json_next(row)) {
        auto_done(text) struct text step = {0};
        result_step(row, &step);
        page_wrap(page, ROLE_TEXT, label, text_cstr(&step), width);
        label = "";
    }
    if (json_count(plan) == 0) {
        page_add(page, ROLE_TEXT, label, "nothing would change");
    }
}

/* "free_bytes" is "free" with a unit. */
static void fill_size(struct page *page, const char *key, int64_t bytes)
{
    char size[UNITS_MAX];
    size_t len = strlen(key) - strlen("_bytes");
    auto_free char *label = memory_strndup(key, len);
    page_add(page, ROLE_TEXT, label, units_format_size((uint64_t)(bytes > 0 ? bytes : 0), size));
}

static void fill_object(struct page *page, const struct json *object, int width)
{
    for (const struct json *member = json_first(object); member != NULL;
         member = json_next(member)) {
        const char *key = json_key(member);
        int64_t number = json_integer_value(member, -1);
        if (strcmp(key, "plan") == 0 && json_is_array(member)) {
            fill_plan(page, member, width);
        } else if (text_has_suffix(key, "_bytes") && number >= 0) {
            fill_size(page, key, number);
        } else {
            auto_done(text) struct text value = {0};
            value_text(member, &value);
            page_wrap(page, ROLE_TEXT, key, text_cstr(&value), width);
        }
    }
}

void result_fill(
    struct page *page, const struct verb *verb, const char *json, int64_t now, int width)
{
    struct error err = {0};
    auto_json struct json *root =
        json_parse(json, strlen(json), RESULT_BYTES_MAX, limits_default.json_depth, "result", &err);
    if (root == NULL) {
        page_wrap(page, ROLE_BAD, NULL, err.text, width);
    } else if (json_is_array(root) && verb->column_count > 0 && verb->column_count <= COLUMNS_MAX) {
        fill_rows(page, verb, root, now, width);
    } else if (json_is_object(root)) {
        fill_object(page, root, width);
    } else {
        auto_done(text) struct text whole = {0};
        json_write(root, true, &whole);
        page_wrap(page, ROLE_TEXT, NULL, text_cstr(&whole), width);
    }
}

void result_put_thing(const struct json *row, struct text *out)
{
    const char *kind = json_string(row, "kind", "");
    text_printf(out, "%s %s", strcmp(kind, "vm") == 0 ? "VM" : kind, json_string(row, "name", ""));
}
