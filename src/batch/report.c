/* SPDX-License-Identifier: MIT */
#include "batch/report.h"

#include <stdlib.h>

#include "base/json.h"
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
    json_put_string(object, "hint", error_hint(error->code));
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

/* What one outcome looks like in JSON; the caller frees. */
static struct json *outcome_json(const struct report *report, const struct outcome *outcome)
{
    if (outcome->is_ok) {
        return outcome->value != NULL ? json_copy(outcome->value) : json_new_object();
    }
    /* A verb that found something bad has both: `host doctor`, `verify`. */
    if (outcome->value != NULL && json_is_array(outcome->value)) {
        return json_copy(outcome->value);
    }
    struct json *object = outcome->value != NULL ? json_copy(outcome->value) : json_new_object();
    if (report->is_many && json_get(object, "name") == NULL) {
        json_put_string(object, "name", outcome->name);
        json_put_bool(object, "changed", false);
    }
    json_put(object, "error", error_object(report, outcome));
    return object;
}

static void append_json(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    auto_json struct json *whole = NULL;
    if (report->is_many) {
        whole = json_new_array();
        for (size_t i = 0; i < count; ++i) {
            json_append(whole, outcome_json(report, &outcomes[i]));
        }
    } else {
        whole = outcome_json(report, &outcomes[0]);
    }
    if (report->options->format == OUTPUT_JSON) {
        json_write(whole, true, out);
        return;
    }
    const struct json *line = json_is_array(whole) ? json_first(whole) : whole;
    while (line != NULL) {
        json_write(line, false, out);
        text_append_char(out, '\n');
        line = line != whole ? json_next(line) : NULL;
    }
}

static void append_table(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; ++i) {
        const struct json *value = outcomes[i].value;
        if (value == NULL) {
            continue;
        }
        if (json_is_array(value) && report->column_count > 0) {
            listing_append_table(
                report->columns, report->column_count, value, report->is_utf8, out);
        } else if (json_is_array(value)) {
            for (size_t row = 0; row < json_count(value); ++row) {
                text_append(out, row > 0 ? "\n" : "");
                listing_append_object(json_at(value, row), report->is_utf8, out);
            }
        } else {
            text_append(out, out->len > 0 ? "\n" : "");
            listing_append_object(value, report->is_utf8, out);
        }
    }
}

static void append_names(
    const struct report *report, const struct outcome *outcomes, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; ++i) {
        if (outcomes[i].value != NULL) {
            listing_append_names(outcomes[i].value, report->is_utf8, out);
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
            output_complain(report->program, placed, report->is_utf8);
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
