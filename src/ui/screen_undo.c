/* SPDX-License-Identifier: MIT */
/* Taking back what an earlier console, or another seat, removed last: the trash is asked, and what
 * would come back is said before it does. */
#include "ui/screens.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/choice.h"
#include "ui/format.h"
#include "ui/result.h"
#include "ui/seat.h"
#include "ui/undo.h"

static void take_back(struct screen *screen, struct seat *seat)
{
    struct choice_screen *choice = (struct choice_screen *)screen;
    action_go(seat, take_ptr(choice->command), true);
}

static void put_question(
    const struct json *row, size_t others, const char *list_key, struct text *out)
{
    int64_t removed_at = 0;
    char size[UNITS_MAX];
    auto_done(text) struct text age = {0};
    const char *removed = json_string(row, "trashed_at", "");
    clock_parse(removed, &removed_at);
    format_age(&age, clock_wall(), removed_at, NULL);
    text_append(out, "Removed last: ");
    result_put_thing(row, out);
    text_printf(out, ", at %.10s %.5s UTC, %s ago, with %s on disk.", removed,
        strlen(removed) > 11 ? removed + 11 : "", text_cstr(&age),
        units_format_size((uint64_t)json_integer(row, "disk_bytes", 0), size));
    if (others > 0) {
        text_printf(out, " The trash has %zu more: %s lists %s.", others, list_key,
            others == 1 ? "it" : "them");
    }
}

static void offer(struct choice_screen *choice, struct seat *seat, const struct json *row)
{
    struct error err = {0};
    auto_done(text) struct text title = {0};
    result_put_thing(row, &title);
    choice_set_title(choice, "Take %s back?", text_cstr(&title));
    choice->command = undo_command(json_string(row, "id", ""), &err);
    if (choice->command == NULL) {
        text_append(&choice->question, err.text);
        return;
    }
    choice_add(choice, 'y', "Yes, take back", take_back);
    plan_ask(&choice->plan, seat, choice->command);
}

/* The newest one is the last of the list. */
static void answer(struct choice_screen *choice, struct seat *seat, const struct job_item *job)
{
    auto_json struct json *rows = job->result != NULL ? result_parse(job) : NULL;
    size_t count = rows != NULL ? json_count(rows) : 0;
    text_clear(&choice->question);
    if (job->state != JOB_OK) {
        text_append(&choice->question, job->error.text);
    } else if (count == 0) {
        text_append(&choice->question, "The trash is empty: there is nothing to take back.");
    } else {
        auto_done(text) struct text key = {0};
        keymap_name(&seat->keymap, keys_row(REQUEST_TRASH, CONTEXT_LIST), &key);
        put_question(json_at(rows, count - 1), count - 1, text_cstr(&key), &choice->question);
        offer(choice, seat, json_at(rows, count - 1));
    }
}

struct screen *undo_screen_new(struct seat *seat)
{
    struct error err = {0};
    struct choice_screen *choice = choice_new(seat, "Take back", ROLE_ATTENTION);
    choice_add(choice, 'n', "No", NULL);
    text_append(&choice->question, "Looking into the trash");
    choice_ask(choice, command_new(verb_find("host", "trash list")), answer, &err);
    if (err.code != ERROR_NONE) {
        text_clear(&choice->question);
        text_append(&choice->question, err.text);
    }
    return &choice->screen;
}
