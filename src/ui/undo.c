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
};

void undo_done(struct undo *undo)
{
    for (size_t i = 0; i < undo->count; i++) {
        free(undo->items[i].trash_id);
        free(undo->items[i].title);
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

void undo_remember(struct seat *seat, const struct job_item *job)
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
        .trash_id = memory_strdup(id), .title = title_of(job->verb->subject, result)};
    auto_done(text) struct text key = {0};
    keymap_name(&seat->keymap, keys_row(REQUEST_UNDO, CONTEXT_LIST), &key);
    const char *until = json_string(result, "restorable_until", "");
    seat_say(seat, ROLE_GOOD, "Removed %s: %s takes it back%s%.*s",
        undo->items[undo->count - 1].title, text_cstr(&key), until[0] != '\0' ? ", until " : "",
        DAY_CELLS, until);
}

void undo_take_back(struct seat *seat)
{
    struct undo *undo = &seat->undo;
    struct error err = {0};
    if (undo->count == 0) {
        seat_open(seat, undo_screen_new(seat));
        return;
    }
    struct undo_item item = undo->items[--undo->count];
    struct command *command = command_new(verb_find("host", "trash restore"));
    if (!command_set(command, "what", item.trash_id, &err)) {
        command_free(command);
        seat_say(seat, ROLE_BAD, "%s", err.text);
    } else if (seat_submit(seat, command) != 0) {
        seat_say(seat, ROLE_GOOD, "Taking %s back from the trash", item.title);
    }
    free(item.trash_id);
    free(item.title);
}
