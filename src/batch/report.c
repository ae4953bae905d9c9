/* SPDX-License-Identifier: MIT */
#include "batch/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/listing.h"
#include "batch/output.h"
#include "engine/command.h"

#define EXIT_PARTLY 2

void outcome_done(struct outcome *outcome)
{
    free(outcome->name);
    json_free(outcome->value);
    free(outcome->rows);
    *outcome = (struct outcome){0};
}

int report_exit_status(const struct outcome *outcomes, size_t count)
{
    int first = 0;
    bool is_any_ok = false;
    for (size_t i = 0; i < count; ++i) {
        is_any_ok = is_any_ok || outcomes[i].is_ok;
        if (!outcomes[i].is_ok && first == 0) {
            first = error_exit_status(outcomes[i].error.code);
        }
    }
    return first != 0 && is_any_ok ? EXIT_PARTLY : first;
}

static struct json *error_object(const struct report *report, const struct outcome *outcome)
{
    const struct error *error = &outcome->error;
    struct json *object = json_new_object();
    json_put_string(object, "code", error_code_name(error->code));
    json_put_string(object, "message", error->text);
    json_put_string(object, "hint", error_hint(error));
    json_put_integer(object, "exit_status", error_exit_status(error->code));
    char hex[DIGEST_HEX_LEN + 1];
    if (error->code == ERROR_DIGEST && outcome->has_expected) {
        json_put_string(object, "expected", digest_format(&outcome->expected, hex));
    }
    if (error->code == ERROR_DIGEST && outcome->has_found) {
        json_put_string(object, "found", digest_format(&outcome->found, hex));
    }
    json_put_string(object, "at", report->place);
    return object;
}

/* What one outcome looks like in JSON. */
static void append_outcome(
    const struct report *report, const struct outcome *outcome, struct text *out)
{
    /* A verb that found something bad has rows as well: `host doctor`, `verify`. */
    if (outcome->rows != NULL) {
        text_append(out, outcome->rows);
        return;
    }
    auto_json struct json *object =
        outcome->value != NULL ? json_copy(outcome->value) : json_new_object();
    if (!outcome->is_ok && report->is_many && json_get(object, "name") == NULL) {
        json_put_string(object, "name", outcome->name);
        json_put_bool(object, "changed", false);
    }
    if (!outcome->is_ok) {
        json_put(object, "error", error_object(report, outcome));
    }
    json_write(object, false, out);
}

/* The whole result as one compact document. */
static void append_document(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    if (!report->is_many) {
        append_outcome(report, &outcomes[0], out);
        return;
    }
    text_append_char(out, '[');
    for (size_t i = 0; i < count; ++i) {
        text_append(out, i > 0 ? "," : "");
        append_outcome(report, &outcomes[i], out);
    }
    text_append_char(out, ']');
}

static void append_lines(const char *document, struct text *out)
{
    struct json_span line = {.at = document, .len = strlen(document)};
    if (*document != '[') {
        text_append_bytes(out, line.at, line.len);
        text_append_char(out, '\n');
        return;
    }
    for (const char *at = document; json_text_next(&at, &line);) {
        text_append_bytes(out, line.at, line.len);
        text_append_char(out, '\n');
    }
}

static void append_json(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    auto_done(text) struct text document = {0};
    append_document(report, outcomes, count, &document);
    if (document.is_full) {
        out->is_full = true;
    } else if (report->options->format == OUTPUT_JSON) {
        json_text_indent(text_cstr(&document), out);
    } else {
        append_lines(text_cstr(&document), out);
    }
}

static void append_objects(const struct report *report, const char *rows, struct text *out)
{
    struct json_span row;
    for (const char *at = rows; json_text_next(&at, &row);) {
        auto_json struct json *object = json_text_parse(row);
        text_append(out, row.at > rows + 1 ? "\n" : "");
        listing_append_object(object, &report->style, out);
    }
}

static void append_table(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; ++i) {
        const struct outcome *outcome = &outcomes[i];
        if (outcome->rows != NULL && report->column_count > 0) {
            listing_append_table(
                report->columns, report->column_count, outcome->rows, &report->style, out);
        } else if (outcome->rows != NULL) {
            append_objects(report, outcome->rows, out);
        } else if (outcome->value != NULL) {
            text_append(out, out->len > 0 ? "\n" : "");
            listing_append_object(outcome->value, &report->style, out);
        }
    }
}

static void append_names(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; ++i) {
        if (outcomes[i].rows != NULL) {
            listing_append_names(outcomes[i].rows, report->style.is_utf8, out);
        } else if (outcomes[i].value != NULL) {
            listing_append_name(outcomes[i].value, report->style.is_utf8, out);
        }
    }
}

bool report_print(
    const struct report *report, const struct outcome *outcomes, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; ++i) {
        if (!outcomes[i].is_ok) {
            auto_free char *placed = report->place == NULL ? memory_strdup(outcomes[i].error.text)
                                                           : memory_printf("%s: %s", report->place,
                                                                 outcomes[i].error.text);
            output_complain(report->program, placed, report->style.is_utf8);
        }
    }
    if (report->is_stream || count == 0) {
        return true;
    }
    auto_done(text) struct text out = {0};
    bool is_failed = report_exit_status(outcomes, count) != 0;
    if (report->options->is_quiet && !(is_failed && report->options->format != OUTPUT_TABLE)) {
        append_names(report, outcomes, count, &out);
    } else if (report->options->format == OUTPUT_TABLE) {
        append_table(report, outcomes, count, &out);
    } else {
        append_json(report, outcomes, count, &out);
    }
    return out.len == 0 || output_result(&out, err);
}
