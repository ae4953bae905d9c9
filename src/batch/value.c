/* SPDX-License-Identifier: MIT */
#include "batch/value.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

#define DIGEST_SHOWN 12

static void append_foreign(struct text *out, const char *bytes, bool is_utf8)
{
    text_append_safe(out, bytes, strlen(bytes), is_utf8);
}

void value_append(const struct json *value, bool is_utf8, struct text *out)
{
    if (json_is_string(value)) {
        append_foreign(out, json_string_value(value), is_utf8);
    } else if (json_is_array(value) || json_is_object(value)) {
        for (size_t i = 0; i < json_count(value); ++i) {
            text_append(out, i == 0 ? "" : value_is_block(value) ? "; " : ", ");
            if (json_is_object(value)) {
                append_foreign(out, json_key_at(value, i), is_utf8);
                text_append_char(out, ' ');
            }
            value_append(json_at(value, i), is_utf8, out);
        }
    } else {
        json_write(value, false, out);
    }
}

static bool append_age(const char *time, struct text *out)
{
    int64_t at = 0;
    if (!clock_parse(time, &at)) {
        return false;
    }
    char buffer[UNITS_MAX];
    int64_t now = clock_wall();
    text_append(out, units_format_age(now > at ? (uint64_t)(now - at) : 0, buffer));
    return true;
}

void value_append_string(const char *string, enum column_form form, bool is_utf8, struct text *out)
{
    if (form == COLUMN_AGE && append_age(string, out)) {
        return;
    }
    if (form == COLUMN_DIGEST) {
        string += text_has_prefix(string, "sha256:") ? strlen("sha256:") : 0;
        text_append_safe(out, string, strnlen(string, DIGEST_SHOWN), is_utf8);
        return;
    }
    append_foreign(out, string, is_utf8);
}

void value_append_cell(
    const struct json *value, enum column_form form, bool is_utf8, struct text *out)
{
    char buffer[UNITS_MAX];
    auto_done(text) struct text word = {0};
    switch (form) {
    case COLUMN_SIZE:
        text_append(out, units_format_size((uint64_t)json_integer_value(value, 0), buffer));
        return;
    case COLUMN_BOOL:
        json_write(value, false, &word);
        text_append(out, strcmp(text_cstr(&word), "true") == 0 ? "yes" : "no");
        return;
    case COLUMN_AGE:
    case COLUMN_DIGEST:
    case COLUMN_TEXT:
    case COLUMN_STATE:
    case COLUMN_NUMBER:
        break;
    }
    if (json_is_string(value)) {
        value_append_string(json_string_value(value), form, is_utf8, out);
    } else {
        value_append(value, is_utf8, out);
    }
}

void value_append_details(const char *key, const struct json *value, bool is_utf8, struct text *out)
{
    char buffer[UNITS_MAX];
    int64_t bytes = text_has_suffix(key, "_bytes") ? json_integer_value(value, -1) : -1;
    auto_done(text) struct text age = {0};
    if (bytes >= 0) {
        text_printf(out, "%lld (%s)", (long long)bytes, units_format_size((uint64_t)bytes, buffer));
        return;
    }
    value_append(value, is_utf8, out);
    if (text_has_suffix(key, "_at") && json_is_string(value) &&
        append_age(json_string_value(value), &age)) {
        text_printf(out, " (%s ago)", text_cstr(&age));
    }
}

bool value_is_block(const struct json *value)
{
    return json_is_array(value) && json_is_object(json_at(value, 0));
}
