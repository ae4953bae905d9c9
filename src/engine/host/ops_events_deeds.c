/* SPDX-License-Identifier: MIT */
#include "engine/host/ops_events.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/change_log.h"
#include "engine/command.h"
#include "engine/ops_common.h"

#define DAY_S ((int64_t)24 * 60 * 60)
#define DATE_LEN 10 /* "2026-07-01" */
#define WHO_CELLS 18
#define SENTENCE_MAX 1000 /* of foreign text in one line for people */

/* ---- since when ---- */

/* "2d", "3w": what units_parse_duration does not know. */
static bool read_days(const char *word, int64_t *ago_s)
{
    char *end = NULL;
    unsigned long count = isdigit((unsigned char)word[0]) ? strtoul(word, &end, 10) : 0;
    if (end == NULL || count > 100000 || (strcmp(end, "d") != 0 && strcmp(end, "w") != 0)) {
        return false;
    }
    *ago_s = (int64_t)count * DAY_S * (*end == 'w' ? 7 : 1);
    return true;
}

static bool read_moment(const char *word, int64_t *since)
{
    if (strlen(word) != DATE_LEN) {
        return clock_parse(word, since);
    }
    auto_free char *midnight = memory_printf("%sT00:00:00Z", word);
    return clock_parse(midnight, since);
}

bool events_read_since(const char *word, int64_t now, int64_t *since, struct error *err)
{
    int64_t ago_s = 0;
    uint64_t ago_ms = 0;
    int64_t today = now - now % DAY_S;
    struct error ignored = {0};
    if (strcmp(word, "all") == 0) {
        *since = 0;
    } else if (strcmp(word, "today") == 0) {
        *since = today;
    } else if (strcmp(word, "yesterday") == 0) {
        *since = today - DAY_S;
    } else if (read_days(word, &ago_s)) {
        *since = now - ago_s;
    } else if (units_parse_duration(word, "since", &ago_ms, &ignored)) {
        *since = now - (int64_t)(ago_ms / 1000);
    } else if (!read_moment(word, since)) {
        return error_set(err, ERROR_INVALID,
            "--since takes how long ago (90m, 2d), a day (2026-07-01, today, yesterday), a time "
            "(2026-07-01T12:00:00Z) or all, not '%.100s'",
            word);
    }
    return true;
}

/* ---- what is wanted ---- */

/* "image" or "image/debian" or "debian". */
static bool is_meant(const char *word, const char *kind, const char *name)
{
    size_t kind_len = strlen(kind);
    bool is_of_kind = strncmp(word, kind, kind_len) == 0 && kind_len > 0;
    return (is_of_kind && word[kind_len] == '\0') || (name[0] != '\0' && strcmp(word, name) == 0) ||
           (is_of_kind && word[kind_len] == '/' && strcmp(word + kind_len + 1, name) == 0);
}

bool events_wants(const struct command *command, const char *kind, const char *name)
{
    const struct strings *words = command_all(command, "what");
    bool is_wanted = words->count == 0;
    for (size_t i = 0; i < words->count && !is_wanted; i++) {
        is_wanted = is_meant(words->items[i], kind, name);
    }
    return is_wanted && !command_has(command, "by");
}

static bool is_about(const struct change *change, const char *word)
{
    const char *slash = strchr(change->object, '/');
    auto_free char *kind =
        slash != NULL ? memory_strndup(change->object, (size_t)(slash - change->object)) : NULL;
    if (is_meant(word, change->subject, "") || (kind != NULL && is_meant(word, kind, slash + 1))) {
        return true;
    }
    for (size_t i = 0; i < json_count(change->names); i++) {
        if (is_meant(word, change->subject, json_string_value(json_at(change->names, i)))) {
            return true;
        }
    }
    auto_done(strings) struct strings words = {0};
    strings_split(&words, change->line, " ");
    bool is_named = false;
    for (size_t i = 0; i < words.count; i++) {
        is_named |= is_meant(word, change->subject, words.items[i]);
    }
    return is_named;
}

bool events_wants_deed(const struct command *command, const struct change *change)
{
    const struct strings *words = command_all(command, "what");
    const char *by = command_get(command, "by");
    bool is_wanted = words->count == 0;
    for (size_t i = 0; i < words->count && !is_wanted; i++) {
        is_wanted = is_about(change, words->items[i]);
    }
    return is_wanted && (by == NULL || strcmp(by, change->login) == 0);
}

/* ---- telling ---- */

struct json *events_deed(const struct change *change)
{
    const char *slash = strchr(change->object, '/');
    struct json *json = json_new_object();
    ops_put_time(json, "time", change->at);
    if (slash != NULL) {
        auto_free char *kind = memory_strndup(change->object, (size_t)(slash - change->object));
        json_put_string(json, "kind", kind);
        json_put_string(json, "name", slash + 1);
    }
    json_put_string(json, "event", "change");
    json_put_string(json, "login", change->login);
    json_put_known(json, "terminal", change->terminal);
    json_put_integer(json, "pid", change->process.pid);
    json_put_string(json, "command", change->line);
    if (change->is_forced) {
        json_put_bool(json, "forced", true);
    }
    if (change->names != NULL) {
        json_put(json, "names", json_copy(change->names));
    }
    return json;
}

static void append_safe(struct text *out, const char *text)
{
    size_t len = strlen(text);
    text_append_safe(out, text, len < SENTENCE_MAX ? len : SENTENCE_MAX, true);
}

static void write_deed(const struct json *event, struct text *who, struct text *what)
{
    const struct json *names = json_get(event, "names");
    const char *terminal = json_string(event, "terminal", "");
    append_safe(who, json_string(event, "login", ""));
    if (terminal[0] != '\0') {
        text_append(who, " on ");
        append_safe(who, terminal);
    }
    append_safe(what, json_string(event, "command", ""));
    for (size_t i = 0; i < json_count(names); i++) {
        text_append(what, i == 0 ? ": " : ", ");
        append_safe(what, json_string_value(json_at(names, i)));
    }
}

/* "running, was starting"; "ready after 1.40 s"; "added". */
static void write_happening(const struct json *event, struct text *what)
{
    char buffer[UNITS_MAX];
    const char *word = json_string(event, "event", "");
    int64_t ready_ms = json_integer(event, "ready_ms", 0);
    int64_t lines = json_integer(event, "lines", 0);
    if (strcmp(word, "state") == 0) {
        text_printf(
            what, "%s, was %s", json_string(event, "state", ""), json_string(event, "before", ""));
    } else if (ready_ms > 0) {
        text_printf(what, "ready after %s", units_format_duration((uint64_t)ready_ms, buffer));
    } else if (lines > 0) {
        text_printf(what, "%" PRId64 " line%s of log/%s cannot be read and %s left out", lines,
            lines > 1 ? "s" : "", CHANGE_LOG_NAME, lines > 1 ? "are" : "is");
    } else {
        append_safe(what, word);
    }
}

void events_write_plain(const struct json *event, struct text *out)
{
    auto_done(text) struct text who = {0};
    auto_done(text) struct text what = {0};
    if (strcmp(json_string(event, "event", ""), "change") == 0) {
        write_deed(event, &who, &what);
    } else {
        append_safe(&who, json_string(event, "kind", ""));
        text_append(&who, who.len > 0 ? " " : "");
        append_safe(&who, json_string(event, "name", ""));
        write_happening(event, &what);
    }
    text_printf(out, "%s  %-*s  %s\n", json_string(event, "time", ""), WHO_CELLS, text_cstr(&who),
        text_cstr(&what));
}
