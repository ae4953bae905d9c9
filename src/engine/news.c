/* SPDX-License-Identifier: MIT */
#include "engine/news.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/change_log.h"
#include "engine/engine_internal.h"
#include "engine/ops.h"
#include "engine/state.h"
#include "store/layout.h"

#define NAMED_MAX 3 /* of many objects of one sentence */

/* Several of one kind by the same hand are one sentence. */
struct sentence {
    struct ops *ops;
    struct text who;     /* "by root on pts/3, 12:04 UTC" */
    struct text head;    /* "Removed: VM" */
    struct text objects; /* "web, db" */
    size_t count;
};

struct deed {
    const char *subject; /* NULL: any */
    const char *verb;
    bool is_forced_only;
    const char *past;
    const char *what; /* NULL: the object is named */
};

/* What is not here is no loss for anybody. */
static const struct deed deeds[] = {
    {NULL, "rm", false, "Removed", NULL},
    {NULL, "pull", true, "Replaced", NULL},
    {"kernel", "import", true, "Replaced", NULL},
    {"image", "register", true, "Replaced", NULL},
    {"vm", "prune", false, "Removed", NULL},
    {"vm", "stop", false, "Stopped", NULL},
    {"vm", "kill", false, "Killed", NULL},
    {"vm", "restart", false, "Restarted", NULL},
    {"vm", "pause", false, "Paused", NULL},
    {"vm", "snapshot restore", false, "Taken back to a snapshot", NULL},
    {"vm", "snapshot rm", false, "Removed a snapshot of", NULL},
    {"host", "trash empty", false, "Emptied", "the trash"},
    {"job", "cancel", false, "Cancelled", NULL},
    {"image", "cache prune", false, "Emptied", "the cache of layers"},
};

static const struct deed *find_deed(const struct change *change)
{
    for (size_t i = 0; i < array_length(deeds); i++) {
        const struct deed *deed = &deeds[i];
        if ((deed->subject == NULL || strcmp(deed->subject, change->subject) == 0) &&
            strcmp(deed->verb, change->verb) == 0 && (!deed->is_forced_only || change->is_forced)) {
            return deed;
        }
    }
    return NULL;
}

static void tell(struct sentence *sentence)
{
    if (sentence->head.len > 0) {
        auto_done(text) struct text more = {0};
        if (sentence->count > NAMED_MAX) {
            text_printf(&more, " and %zu more", sentence->count - NAMED_MAX);
        }
        state_log_news(sentence->ops->state, LOG_INFO, "%s%s%s%s (%s)", text_cstr(&sentence->head),
            sentence->count > 1 ? "s" : "", text_cstr(&sentence->objects), text_cstr(&more),
            text_cstr(&sentence->who));
    }
    text_clear(&sentence->head);
    text_clear(&sentence->objects);
    text_clear(&sentence->who);
    sentence->count = 0;
}

static void add_object(struct sentence *sentence, const char *name)
{
    if (sentence->count++ < NAMED_MAX) {
        text_append(&sentence->objects, sentence->objects.len > 0 ? ", " : " ");
        text_append_safe(&sentence->objects, name, strlen(name), true);
    }
}

static void put_who(struct text *who, const struct change *change)
{
    char moment[CLOCK_TEXT_LEN];
    clock_format(change->at, moment);
    text_append(who, "by ");
    text_append_safe(who, change->login, strlen(change->login), true);
    if (change->terminal[0] != '\0') {
        text_append(who, " on ");
        text_append_safe(who, change->terminal, strlen(change->terminal), true);
    }
    text_printf(who, ", %.5s UTC", moment + strlen("2026-11-27T"));
}

static void add_objects(struct sentence *sentence, const struct change *change)
{
    const char *slash = strchr(change->object, '/');
    for (size_t i = 0; i < json_count(change->names); i++) {
        add_object(sentence, json_string_value(json_at(change->names, i)));
    }
    if (slash != NULL) {
        add_object(sentence, slash + 1);
    }
}

static void see(void *context, const struct change *change)
{
    struct sentence *sentence = context;
    struct process_identity own = process_self();
    bool is_ours = !change->is_before_boot && change->process.pid == own.pid &&
                   change->process.start_time == own.start_time;
    const struct deed *deed = find_deed(change);
    if (is_ours || deed == NULL) {
        return;
    }
    bool is_vm = strcmp(change->subject, "vm") == 0;
    auto_free char *head = memory_printf("%s: %s", deed->past,
        deed->what != NULL ? deed->what
        : is_vm            ? "VM"
                           : change->subject);
    auto_done(text) struct text who = {0};
    put_who(&who, change);
    if (strcmp(text_cstr(&sentence->head), head) != 0 ||
        strcmp(text_cstr(&sentence->who), text_cstr(&who)) != 0) {
        tell(sentence);
    }
    text_clear(&sentence->head);
    text_append_safe(&sentence->head, head, strlen(head), true);
    text_clear(&sentence->who);
    text_append(&sentence->who, text_cstr(&who));
    if (deed->what == NULL) {
        add_objects(sentence, change);
    }
}

bool news_refresh(struct ops *ops, struct error *err)
{
    struct engine *engine = ops->engine;
    int log = store_area_dir(ops->store, STORE_LOG);
    if (!engine->has_news_mark) {
        engine->news_mark = change_log_end(log);
        engine->has_news_mark = true;
        return true;
    }
    struct sentence sentence = {.ops = ops};
    bool is_read = change_log_read(log, &engine->news_mark, see, &sentence, err);
    tell(&sentence);
    text_done(&sentence.head);
    text_done(&sentence.objects);
    text_done(&sentence.who);
    return is_read;
}
