/* SPDX-License-Identifier: MIT */
#include "base/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

/* ---- writing ---- */

static void put_key(struct text *out, const char *key)
{
    const char *last = text_cstr(out) + out->len;
    text_append(out, out->len > 0 && last[-1] != '{' ? ",\"" : "\"");
    text_append(out, key);
    text_append_bytes(out, "\":", 2);
}

static bool is_plain(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] == '"' || value[i] == '\\' || value[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

void json_text_put_string(struct text *out, const char *key, const char *value)
{
    if (value == NULL) {
        return;
    }
    size_t len = strlen(value);
    put_key(out, key);
    if (is_plain(value, len)) {
        text_append_char(out, '"');
        text_append_bytes(out, value, len);
        text_append_char(out, '"');
    } else {
        auto_json struct json *string = json_new_string(value);
        json_write(string, false, out);
    }
}

void json_text_put_integer(struct text *out, const char *key, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRId64, number);
    put_key(out, key);
    text_append(out, digits);
}

/* ---- walking ---- */

/* Behind the closing quote: the first one with an even number of backslashes before it. */
static const char *skip_string(const char *at)
{
    size_t slashes;
    do {
        at = strchr(at + 1, '"');
        for (slashes = 0; at[-1 - (ptrdiff_t)slashes] == '\\';) {
            slashes++;
        }
    } while (slashes % 2 != 0);
    return at + 1;
}

static const char *skip_value(const char *at)
{
    unsigned depth = 0;
    do {
        switch (*at) {
        case '"':
            at = skip_string(at);
            break;
        case '{':
        case '[':
            depth++;
            at++;
            break;
        case '}':
        case ']':
            depth--;
            at++;
            break;
        default:
            at += depth > 0 ? 1 : strcspn(at, ",]}");
            break;
        }
    } while (depth > 0);
    return at;
}

/* From an opening bracket or a comma to what is behind it; NULL when that is the end. */
static const char *step(const char *at)
{
    bool is_first = *at == '[' || *at == '{';
    at += is_first || *at == ',';
    return *at == ']' || *at == '}' || *at == '\0' ? NULL : at;
}

bool json_text_next(const char **at, struct json_span *element)
{
    *at = *at != NULL ? step(*at) : NULL;
    if (*at == NULL) {
        return false;
    }
    element->at = *at;
    *at = skip_value(*at);
    element->len = (size_t)(*at - element->at);
    return true;
}

bool json_text_member(const char **at, struct json_span *key, struct json_span *value)
{
    *at = *at != NULL ? step(*at) : NULL;
    if (*at == NULL) {
        return false;
    }
    const char *behind = skip_string(*at);
    *key = (struct json_span){.at = *at + 1, .len = (size_t)(behind - *at) - 2};
    value->at = behind + 1;
    *at = skip_value(value->at);
    value->len = (size_t)(*at - value->at);
    return true;
}

struct json_span json_text_find(struct json_span object, const char *path)
{
    const char *at = object.len > 0 && *object.at == '{' ? object.at : NULL;
    size_t len = strcspn(path, ".");
    struct json_span key, value;
    while (json_text_member(&at, &key, &value)) {
        if (key.len == len && memcmp(key.at, path, len) == 0) {
            return path[len] == '.' ? json_text_find(value, path + len + 1) : value;
        }
    }
    return (struct json_span){0};
}

struct json *json_text_parse(struct json_span value)
{
    struct error never = {0};
    return value.len > 0 ? json_parse(value.at, value.len, value.len, 1000, "a result", &never)
                         : NULL;
}

bool json_text_plain(struct json_span value, struct json_span *characters)
{
    if (value.len < 2 || *value.at != '"' || memchr(value.at, '\\', value.len) != NULL) {
        return false;
    }
    *characters = (struct json_span){.at = value.at + 1, .len = value.len - 2};
    return true;
}

/* ---- indenting ---- */

static void append_line(struct text *out, unsigned depth)
{
    text_append_char(out, '\n');
    for (; depth > 0; depth--) {
        text_append_bytes(out, "  ", 2);
    }
}

/* An opening bracket, or a pair with nothing in it; behind it. */
static const char *open_bracket(const char *at, unsigned *depth, struct text *out)
{
    bool is_empty = at[1] == ']' || at[1] == '}';
    text_append_bytes(out, at, is_empty ? 2 : 1);
    if (!is_empty) {
        append_line(out, ++*depth);
    }
    return at + (is_empty ? 2 : 1);
}

void json_text_indent(const char *compact, struct text *out)
{
    unsigned depth = 0;
    const char *behind;
    for (const char *at = compact; *at != '\0'; at = behind) {
        behind = at + 1;
        switch (*at) {
        case '"':
            behind = skip_string(at);
            text_append_bytes(out, at, (size_t)(behind - at));
            break;
        case '{':
        case '[':
            behind = open_bracket(at, &depth, out);
            break;
        case '}':
        case ']':
            append_line(out, --depth);
            text_append_char(out, *at);
            break;
        case ',':
            text_append_char(out, ',');
            append_line(out, depth);
            break;
        case ':':
            text_append_bytes(out, ": ", 2);
            break;
        default:
            behind = at + strcspn(at, ",:]}\"");
            text_append_bytes(out, at, (size_t)(behind - at));
            break;
        }
    }
    text_append_char(out, '\n');
}
