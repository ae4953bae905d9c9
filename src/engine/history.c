/* SPDX-License-Identifier: MIT */
#include "engine/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "engine/state.h"
#include "engine/state_history.h"
#include "store/kept.h"

#define KEY "history" /* of what is kept */
#define LINE_DEPTH_MAX 4

static void set_known(struct history *history, const char *lines)
{
    free(history->known);
    history->known = memory_strdup(lines);
}

static const char *known_of(const struct history *history)
{
    return history->known != NULL ? history->known : "";
}

void history_start(struct engine *engine)
{
    const char *lines = json_string(engine->kept, KEY, "");
    engine->history.version = kept_version(engine->store);
    set_known(&engine->history, lines);
    state_history_read(engine->state, lines);
}

/* ---- of a process that went on ---- */

static bool tell(struct engine *engine, struct error *err)
{
    auto_done(text) struct text own = {0};
    auto_done(text) struct text whole = {0};
    state_history_write(engine->state, true, &own);
    if (strcmp(text_cstr(&own), known_of(&engine->history)) == 0) {
        return true;
    }
    auto_json struct json *kept = NULL;
    if (!kept_read(engine->store, &kept, err)) {
        return false; /* somebody's, and no loss but of looks: left alone */
    }
    text_append(&whole, json_string(kept, KEY, ""));
    state_history_add(known_of(&engine->history), text_cstr(&own), &whole);
    json_put_string(kept, KEY, text_cstr(&whole));
    if (!kept_write(engine->store, kept, err)) {
        return false;
    }
    set_known(&engine->history, text_cstr(&own));
    return true;
}

void history_tell(struct engine *engine)
{
    struct error failure = {0};
    if (!engine->config.is_left) {
        return;
    }
    pthread_mutex_lock(&engine->history.mutex);
    if (!tell(engine, &failure)) {
        state_log(engine->state, LOG_WARNING, "%s", failure.text);
    }
    pthread_mutex_unlock(&engine->history.mutex);
}

/* ---- of a front end ---- */

/* Those of `lines` that such a process has told. */
static void pick(struct state *state, const char *lines, struct text *picked)
{
    auto_done(strings) struct strings each = {0};
    strings_split(&each, lines, "\n");
    for (size_t i = 0; i < each.count; i++) {
        size_t len = strlen(each.items[i]);
        struct error ignored = {0};
        auto_json struct json *line =
            json_parse(each.items[i], len, len, LINE_DEPTH_MAX, "history", &ignored);
        if (line == NULL || !json_bool(line, HISTORY_LEFT, false)) {
            continue;
        }
        text_printf(picked, "%s\n", each.items[i]);
        if (strcmp(json_string(line, "state", ""), "failed") == 0) {
            state_log_news(state, LOG_ERROR, "%s: failed: %s", json_string(line, "line", ""),
                json_string(line, "error", ""));
        }
    }
}

static void refresh(struct engine *engine)
{
    struct history *history = &engine->history;
    auto_json struct json *kept = NULL;
    auto_done(text) struct text more = {0};
    auto_done(text) struct text picked = {0};
    struct error ignored = {0};
    if (!kept_read(engine->store, &kept, &ignored)) {
        return;
    }
    state_history_add(known_of(history), json_string(kept, KEY, ""), &more);
    pick(engine->state, text_cstr(&more), &picked);
    state_history_read(engine->state, text_cstr(&picked));
    auto_free char *known = memory_printf("%s%s", known_of(history), text_cstr(&picked));
    set_known(history, known);
}

void history_refresh(struct engine *engine)
{
    pthread_mutex_lock(&engine->history.mutex);
    uint64_t version = kept_version(engine->store);
    if (engine->config.is_watching && version != engine->history.version) {
        engine->history.version = version;
        refresh(engine);
    }
    pthread_mutex_unlock(&engine->history.mutex);
}

/* What others have written there meanwhile stays. */
static void keep(struct engine *engine)
{
    auto_done(text) struct text whole = {0};
    auto_done(text) struct text own = {0};
    auto_json struct json *now = NULL;
    struct error failure = {0};
    kept_read(engine->store, &now, &failure);
    state_history_write(engine->state, false, &own);
    state_history_add(known_of(&engine->history), json_string(now, KEY, ""), &whole);
    state_history_add("", text_cstr(&own), &whole);
    engine_keep(engine, KEY, text_cstr(&whole));
    error_clear(&failure);
    if (engine->has_kept && !kept_write(engine->store, engine->kept, &failure)) {
        state_log(engine->state, LOG_WARNING, "%s", failure.text);
    }
}

void history_keep(struct engine *engine)
{
    history_tell(engine);
    if (engine->config.is_watching) {
        keep(engine);
    }
}

void history_done(struct engine *engine)
{
    free(engine->history.known);
    pthread_mutex_destroy(&engine->history.mutex);
}
