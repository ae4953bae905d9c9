/* SPDX-License-Identifier: MIT */
#include "ui/undo.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/keys.h"
#include "ui/result.h"
#include "ui/screens.h"
#include "ui/seat.h"

#define DAY_CELLS 10 /* of "2026-11-27T…" */

struct undo_item {
    char *trash_id;
    char *title; /* "kernel lab" */
    uint64_t act;
};

static void item_done(struct undo_item *item)
{
    free(item->trash_id);
    free(item->title);
}

void undo_done(struct undo *undo)
{
    for (size_t i = 0; i < undo->count; i++) {
        item_done(&undo->items[i]);
    }
    free(undo->items);
    *undo = (struct undo){0};
}

/* "VM web" */
static char *title_of(const char *kind, const struct json *result)
{
    bool is_vm = strcmp(kind, "vm") == 0;
    return memory_printf("%s %s", is_vm ? "VM" : kind, json_string(result, "name", ""));
}

static void tell_return(struct seat *seat, const struct job_item *job)
{
    auto_json struct json *result = result_parse(job);
    auto_free char *title = title_of(json_string(result, "kind", ""), result);
    seat_say(seat, ROLE_GOOD, "%s is back", title);
}

static size_t count_of(const struct undo *undo, uint64_t act)
{
    size_t count = 0;
    for (size_t i = 0; i < undo->count; i++) {
        count += undo->items[i].act == act;
    }
    return count;
}

static void tell_way_back(struct seat *seat, uint64_t act, const char *until)
{
    auto_done(text) struct text key = {0};
    auto_done(text) struct text more = {0};
    size_t count = count_of(&seat->undo, act);
    keymap_name(&seat->keymap, keys_row(REQUEST_UNDO, CONTEXT_LIST), &key);
    if (count > 1) {
        text_printf(&more, " and %zu more", count - 1);
    }
    seat_say(seat, ROLE_GOOD, "Removed %s%s: %s takes %s back%s%.*s",
        seat->undo.items[seat->undo.count - 1].title, text_cstr(&more), text_cstr(&key),
        count > 1 ? "them" : "it", until[0] != '\0' ? ", until " : "", DAY_CELLS, until);
}

void undo_remember(struct seat *seat, const struct job_item *job, uint64_t act)
{
    if (job->result != NULL && strcmp(job->verb->name, "trash restore") == 0) {
        tell_return(seat, job);
        return;
    }
    if (job->result == NULL || (job->verb->flags & VERB_DESTROYS) == 0) {
        return;
    }
    auto_json struct json *result = result_parse(job);
    const char *id = json_string(result, "trash_id", NULL);
    if (id == NULL) {
        return;
    }
    struct undo *undo = &seat->undo;
    undo->items = memory_grow(undo->items, undo->count + 1, sizeof(*undo->items));
    undo->items[undo->count++] = (struct undo_item){
        .trash_id = memory_strdup(id), .title = title_of(job->verb->subject, result), .act = act};
    tell_way_back(seat, act, json_string(result, "restorable_until", ""));
}

struct command *undo_command(const char *trash_id, struct error *err)
{
    struct command *command = command_new(verb_find("host", "trash restore"));
    if (!command_set(command, "what", trash_id, err)) {
        command_free(command);
        return NULL;
    }
    return command;
}

static bool take_one_back(struct seat *seat, const struct undo_item *item)
{
    struct error err = {0};
    struct command *command = undo_command(item->trash_id, &err);
    if (command == NULL) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return false;
    }
    return seat_submit(seat, command) != 0;
}

void undo_take_back(struct seat *seat)
{
    struct undo *undo = &seat->undo;
    if (undo->count == 0) {
        seat_open(seat, undo_screen_new(seat));
        return;
    }
    uint64_t act = undo->items[undo->count - 1].act;
    auto_free char *title = memory_strdup(undo->items[undo->count - 1].title);
    size_t kept = 0, submitted = 0;
    for (size_t i = 0; i < undo->count; i++) {
        if (undo->items[i].act != act) {
            undo->items[kept++] = undo->items[i];
            continue;
        }
        submitted += take_one_back(seat, &undo->items[i]);
        item_done(&undo->items[i]);
    }
    undo->count = kept;
    if (submitted > 1) {
        seat_say(
            seat, ROLE_GOOD, "Taking %s and %zu more back from the trash", title, submitted - 1);
    } else if (submitted == 1) {
        seat_say(seat, ROLE_GOOD, "Taking %s back from the trash", title);
    }
}
