/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/details.h"
#include "ui/refusals.h"
#include "ui/result.h"
#include "ui/seat.h"
#include "ui/table.h"
#include "ui/viewer.h"

/* ---- details of one object ---- */

struct details_state {
    struct seat *seat;
    enum pane pane;
    char key[TABLE_KEY_MAX];
    uint64_t job; /* asks what only a look at its files can say; 0: nothing */
};

/* As soon as it is there. */
static void add_answer(
    struct seat *seat, const struct details_state *state, struct page *page, int width)
{
    const struct job_item *job =
        state->job != 0 ? snapshot_find_job(seat->snapshot, state->job) : NULL;
    if (job != NULL && job->result != NULL) {
        details_add_answer(page, state->pane, job->result, width);
    }
}

static void details_fill_page(
    struct viewer *viewer, struct seat *seat, struct page *page, int width)
{
    const struct details_state *state = viewer->state;
    size_t index = 0;
    if (details_find(seat->snapshot, state->pane, state->key, &index)) {
        details_fill(page, seat->snapshot, state->pane, index, clock_wall(), width, false);
        add_answer(seat, state, page, width);
    } else {
        page_add(page, ROLE_ATTENTION, NULL, "It is gone.");
    }
}

static void free_details(struct viewer *viewer)
{
    struct details_state *state = viewer->state;
    if (state->job != 0) {
        seat_abandon(state->seat, state->job);
    }
    free(state);
}

static void free_state(struct viewer *viewer)
{
    free(viewer->state);
}

/* What the key does to the object that is shown; NULL for nothing, also where the key is for the
 * pane rather than for a row of it. */
static const struct action *action_of(
    const struct details_state *state, enum request request, size_t *index)
{
    const struct seat *seat = state->seat;
    if (!details_find(seat->snapshot, state->pane, state->key, index)) {
        return NULL;
    }
    const struct action *action = action_find(seat, request, state->pane, true, *index);
    return action != NULL && action->needs_row ? action : NULL;
}

static unsigned details_contexts(const struct viewer *viewer)
{
    const struct details_state *state = viewer->state;
    return pane_infos[state->pane].context & ~(unsigned)CONTEXT_JOBS;
}

static bool details_is_offered(const struct viewer *viewer, enum request request)
{
    size_t index = 0;
    return action_of(viewer->state, request, &index) != NULL;
}

static void details_refuse(const struct viewer *viewer, enum request request, struct text *sentence)
{
    const struct details_state *state = viewer->state;
    size_t index = 0;
    if (seat_may_change(state->seat) &&
        details_find(state->seat->snapshot, state->pane, state->key, &index)) {
        refusal_words(state->seat, request, state->pane, index, sentence);
    }
}

static void details_request(struct viewer *viewer, struct seat *seat, enum request request)
{
    const struct details_state *state = viewer->state;
    size_t index = 0;
    const struct action *action = action_of(state, request, &index);
    if (action != NULL) {
        action_begin(seat, action,
            &(struct action_rows){.pane = state->pane, .indices = &index, .count = 1});
    }
}

static const struct viewer_source details_source = {.title = "Details",
    .fill = details_fill_page,
    .contexts = details_contexts,
    .is_offered = details_is_offered,
    .request = details_request,
    .refuse = details_refuse,
    .free = free_details};

/* Nobody has asked for it: when it cannot be answered, it is left out. */
static uint64_t ask_more(struct seat *seat, enum pane pane, const char *name)
{
    struct error err = {0};
    uint64_t id = 0;
    const char *subject = pane == PANE_KERNELS ? "kernel" : pane == PANE_VMS ? "vm" : NULL;
    if (subject == NULL) {
        return 0;
    }
    struct command *command = command_new(verb_find(subject, "show"));
    if (!command_set(command, "name", name, &err)) {
        command_free(command);
        return 0;
    }
    return engine_submit(seat->engine, command, &id, &err) ? id : 0;
}

struct screen *details_screen_new(struct seat *seat, enum pane pane, const char *key)
{
    struct details_state *state = memory_zero(1, sizeof(*state));
    state->seat = seat;
    state->pane = pane;
    snprintf(state->key, sizeof(state->key), "%s", key);
    state->job = ask_more(seat, pane, key);
    auto_free char *title = memory_printf("%s: details", pane_infos[pane].title);
    return &viewer_new(&details_source, title, state)->screen;
}

/* ---- help ---- */

#define HELP_KEYS 2 /* of one request; more of them would not fit in front of the sentence */

struct help_state {
    unsigned contexts;
    char title[64];
};

static void help_row(struct seat *seat, struct page *page, const struct request_row *row)
{
    if (row->help == NULL) {
        return;
    }
    auto_done(text) struct text keys = {0};
    for (size_t i = 0; i < HELP_KEYS; i++) {
        int key = seat->keymap.keys[row - request_rows][i];
        if (key != KEY_NONE) {
            text_append(&keys, keys.len > 0 ? " " : "");
            keys_name(key, &keys);
        }
    }
    page_add(page, ROLE_TEXT, text_cstr(&keys), row->help);
}

/* What keys are called in the settings. */
static void add_key_names(struct page *page, int width)
{
    auto_done(text) struct text names = {0};
    for (size_t i = 0; i < request_row_count; i++) {
        text_printf(&names, "%s%s", i > 0 ? " " : "", request_rows[i].name);
    }
    page_heading(page, "Names of keys, for key_NAME = KEYS under [ui] in config.ini");
    page_wrap(page, ROLE_DIM, NULL, text_cstr(&names), width);
}

/* The screen's own keys first, then those that work everywhere on it. */
static void help_fill(struct viewer *viewer, struct seat *seat, struct page *page, int width)
{
    const struct help_state *state = viewer->state;
    unsigned own = state->contexts & ~(unsigned)CONTEXT_LIST;
    page_print(page, ROLE_STRONG, NULL, "Keys for %s", state->title);
    for (size_t i = 0; i < request_row_count; i++) {
        const struct request_row *row = &request_rows[i];
        if (row->contexts != CONTEXT_ANY && (row->contexts & own) != 0 &&
            action_exists(row->request, own)) {
            help_row(seat, page, row);
        }
    }
    page_heading(page, "Keys everywhere");
    for (size_t i = 0; i < request_row_count; i++) {
        const struct request_row *row = &request_rows[i];
        bool is_general =
            (row->contexts & state->contexts & CONTEXT_LIST) != 0 && (row->contexts & own) == 0;
        if (is_general || row->contexts == CONTEXT_ANY) {
            help_row(seat, page, row);
        }
    }
    page_heading(page, "Words");
    page_add(page, ROLE_TEXT, "verified", "pulled, and its SHA-256 is the one that was promised");
    page_add(page, ROLE_TEXT, "recorded", "imported; its SHA-256 was taken then");
    page_add(page, ROLE_TEXT, "unverified", "made by hand; nothing was promised");
    page_add(page, ROLE_TEXT, "MISMATCH", "not what was promised or recorded: do not use it");
    page_add(page, ROLE_TEXT, "cpu 100%", "one core of this host");
    page_add(page, ROLE_TEXT, "no kvm", "machines are emulated (tcg), several times slower");
    add_key_names(page, width);
}

static const struct viewer_source help_source = {
    .title = "Help", .fill = help_fill, .free = free_state};

struct screen *help_screen_new(struct seat *seat, const struct screen *about)
{
    (void)seat;
    struct help_state *state = memory_zero(1, sizeof(*state));
    state->contexts = about->ops->contexts(about);
    snprintf(state->title, sizeof(state->title), "%s", about->ops->title(about));
    return &viewer_new(&help_source, "Help", state)->screen;
}

/* ---- messages ---- */

static void messages_fill(struct viewer *viewer, struct seat *seat, struct page *page, int width)
{
    (void)viewer;
    const struct snapshot *snapshot = seat->snapshot;
    for (size_t i = 0; i < snapshot->log_count; i++) {
        const struct log_item *item = &snapshot->log[i];
        char moment[CLOCK_TEXT_LEN];
        clock_format(item->at, moment);
        enum role role = item->level == LOG_ERROR     ? ROLE_BAD
                         : item->level == LOG_WARNING ? ROLE_ATTENTION
                                                      : ROLE_TEXT;
        auto_free char *time = memory_strndup(moment + 11, 8);
        page_wrap(page, role, time, item->text, width);
    }
    if (page->count == 0) {
        page_add(page, ROLE_DIM, NULL, "Nothing happened yet.");
    }
}

static const struct viewer_source messages_source = {.title = "Messages", .fill = messages_fill};

struct screen *messages_screen_new(struct seat *seat)
{
    (void)seat;
    struct viewer *viewer = viewer_new(&messages_source, "Messages of this session, UTC", NULL);
    viewer->pager.is_following = true;
    return &viewer->screen;
}

/* ---- result of a reading verb ---- */

struct result_state {
    struct seat *seat;
    uint64_t job;
    const struct verb *verb;
};

static void result_fill_page(struct viewer *viewer, struct seat *seat, struct page *page, int width)
{
    struct result_state *state = viewer->state;
    const struct job_item *job = snapshot_find_job(seat->snapshot, state->job);
    if (job == NULL) {
        page_add(page, ROLE_DIM, NULL, "The result is gone.");
    } else if (!job_state_is_final(job->state)) {
        page_add(page, ROLE_ATTENTION, NULL, job->note[0] != '\0' ? job->note : "Looking");
    } else if (job->state != JOB_OK) {
        page_wrap(page, ROLE_BAD, NULL, job->error.text, width);
    }
    if (job != NULL && job->result != NULL) {
        result_fill(page, state->verb, job->result, clock_wall(), width);
    }
}

/* The job is kept until the viewer goes: its result lives in it. */
static void result_free(struct viewer *viewer)
{
    struct result_state *state = viewer->state;
    if (state->job != 0) {
        seat_abandon(state->seat, state->job);
    }
    free(state);
}

static const struct viewer_source result_source = {
    .title = "Result", .fill = result_fill_page, .free = result_free};

struct screen *result_screen_new(struct seat *seat, struct command *command)
{
    struct result_state *state = memory_zero(1, sizeof(*state));
    state->seat = seat;
    state->verb = command_verb(command);
    struct viewer *viewer = viewer_new(&result_source, state->verb->summary, state);
    command_line(command, &viewer->line);
    state->job = seat_submit(seat, command);
    viewer->screen.is_closed = state->job == 0;
    return &viewer->screen;
}
