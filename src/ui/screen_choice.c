/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/cells.h"
#include "ui/dialog.h"
#include "ui/format.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define WIDTH 64
#define OPTIONS_MAX 3

/* What is under the mark when the box opens changes nothing, so Enter alone never does. */
struct option {
    char key;
    char label[48];
    void (*choose)(struct screen *screen, struct seat *seat); /* NULL: only closes */
};

struct choice_screen {
    struct screen screen;
    char title[128];
    struct text question;
    enum role role;
    struct option options[OPTIONS_MAX]; /* the harmless one first */
    size_t option_count;
    size_t marked;
    struct command *command; /* of a confirmation; handed on when it is given */
};

static struct choice_screen *choice_of(struct screen *screen)
{
    return (struct choice_screen *)screen;
}

static const char *choice_title(const struct screen *screen)
{
    (void)screen;
    return "Question";
}

static unsigned choice_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_CHOICE;
}

static bool choice_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    return request != REQUEST_ACCEPT && request != REQUEST_HELP;
}

static void choose(struct screen *screen, struct seat *seat, size_t index)
{
    struct choice_screen *choice = choice_of(screen);
    seat_close(seat, screen);
    if (choice->options[index].choose != NULL) {
        choice->options[index].choose(screen, seat);
    }
}

static bool choice_type(struct screen *screen, struct seat *seat, int key)
{
    struct choice_screen *choice = choice_of(screen);
    for (size_t i = 0; i < choice->option_count; i++) {
        if (key == choice->options[i].key) {
            choose(screen, seat, i);
            return true;
        }
    }
    if (key == '\t') {
        choice->marked = (choice->marked + 1) % choice->option_count;
        return true;
    }
    if (key == '\r') {
        choose(screen, seat, choice->marked);
        return true;
    }
    return false;
}

static void choice_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct choice_screen *choice = choice_of(screen);
    switch ((int)request) {
    case REQUEST_LEFT:
    case REQUEST_UP:
        choice->marked = choice->marked > 0 ? choice->marked - 1 : 0;
        return;
    case REQUEST_RIGHT:
    case REQUEST_DOWN:
        choice->marked += choice->marked + 1 < choice->option_count;
        return;
    case REQUEST_BACK:
        seat_close(seat, screen);
        return;
    default:
        return;
    }
}

static void draw_options(struct choice_screen *choice, struct frame *frame, struct area line)
{
    struct pen pen = {.y = line.y, .x = line.x, .limit = line.x + line.width};
    for (size_t i = 0; i < choice->option_count; i++) {
        const struct option *option = &choice->options[i];
        char key[2] = {option->key, '\0'};
        frame->is_selected = i == choice->marked;
        pen_text(frame, &pen, ROLE_TEXT, i == choice->marked ? "[ " : "  ");
        pen_text(frame, &pen, ROLE_KEY, key);
        pen_print(frame, &pen, ROLE_TEXT, " %s", option->label);
        pen_text(frame, &pen, ROLE_TEXT, i == choice->marked ? " ]" : "  ");
        frame->is_selected = false;
        pen_skip(&pen, 2);
    }
}

static void choice_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct choice_screen *choice = choice_of(screen);
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, text_cstr(&choice->question), width, 0, seat->theme.is_utf8);
    auto_done(text) struct text batch = {0};
    if (choice->command != NULL) {
        command_line(choice->command, &batch);
    }
    int height = (int)lines.count + 3 + (batch.len > 0 ? 2 : 0);
    struct area inner = dialog_box(frame, area, width, height, choice->role, choice->title);
    int y = inner.y + 1;
    for (size_t i = 0; i < lines.count; i++) {
        draw_text(frame, y++, inner.x, inner.width, ROLE_TEXT, lines.items[i]);
    }
    if (batch.len > 0) {
        struct pen pen = {.y = ++y, .x = inner.x, .limit = inner.x + inner.width};
        pen_text(frame, &pen, ROLE_DIM, "as a line: ");
        pen_text(frame, &pen, ROLE_DIM, text_cstr(&batch));
        y++;
    }
    draw_options(choice, frame,
        (struct area){.y = inner.y + inner.height - 1, .x = inner.x, .width = inner.width});
}

static bool choice_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)screen;
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Left Right", "Choose");
    pen_key(frame, &pen, "Enter", "Take the marked one");
    pen_key(frame, &pen, "Esc", "Back");
    return true;
}

static void choice_free(struct screen *screen)
{
    struct choice_screen *choice = choice_of(screen);
    text_done(&choice->question);
    command_free(choice->command);
    free(choice);
}

static const struct screen_ops choice_ops = {
    .is_overlay = true,
    .is_guarded = true,
    .title = choice_title,
    .contexts = choice_contexts,
    .is_offered = choice_is_offered,
    .request = choice_request,
    .type = choice_type,
    .draw = choice_draw,
    .draw_bottom = choice_draw_bottom,
    .free = choice_free,
};

static struct choice_screen *choice_new(const char *title, enum role role)
{
    struct choice_screen *choice = memory_zero(1, sizeof(*choice));
    choice->screen.ops = &choice_ops;
    choice->role = role;
    snprintf(choice->title, sizeof(choice->title), "%s", title);
    return choice;
}

static void add_option(struct choice_screen *choice, char key, const char *label,
    void (*run)(struct screen *screen, struct seat *seat))
{
    struct option *option = &choice->options[choice->option_count++];
    option->key = key;
    option->choose = run;
    snprintf(option->label, sizeof(option->label), "%s", label);
}

/* ---- confirmation of a command ---- */

static void confirm(struct screen *screen, struct seat *seat)
{
    struct choice_screen *choice = choice_of(screen);
    action_go(seat, take_ptr(choice->command), true);
}

/* "kernel rm" is "Remove kernel" to people. */
static const char *verb_word(const struct verb *verb)
{
    static const struct {
        const char *name, *word;
    } words[] = {{"rm", "Remove"}, {"stop", "Stop"}, {"kill", "Kill"}, {"restart", "Restart"},
        {"prune", "Prune"}};
    for (size_t i = 0; i < array_length(words); i++) {
        if (strcmp(verb->name, words[i].name) == 0) {
            return words[i].word;
        }
    }
    return verb->name;
}

struct screen *confirm_screen_new(struct seat *seat, struct command *command)
{
    const struct verb *verb = command_verb(command);
    const char *name = NULL;
    for (size_t i = 0; i < verb->argument_count && name == NULL; i++) {
        if (verb->arguments[i].is_positional) {
            name = command_get(command, verb->arguments[i].name);
        }
    }
    const char *subject = strcmp(verb->subject, "vm") == 0 ? "machine" : verb->subject;
    size_t count = command_each_count(command);
    auto_free char *title = count > 1
                                ? memory_printf("%s %zu %ss?", verb_word(verb), count, subject)
                                : memory_printf("%s %s%s%s?", verb_word(verb), subject,
                                      name != NULL ? " " : "", name != NULL ? name : "");
    struct choice_screen *choice = choice_new(title, ROLE_BAD);
    choice->command = command;
    action_question(seat->snapshot, command, &choice->question);
    auto_free char *yes = memory_printf("Yes, %s", verb_word(verb));
    yes[5] = (char)(yes[5] | 0x20);
    add_option(choice, 'n', "No", NULL);
    add_option(choice, 'y', yes, confirm);
    return &choice->screen;
}

/* ---- quitting with work under way ---- */

static bool is_ours(const struct job_item *job)
{
    return format_job_is_active(job) && !job->is_quiet && !job->is_foreign;
}

static void leave_running(struct screen *screen, struct seat *seat)
{
    (void)screen;
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        struct error err = {0};
        if (is_ours(job) && (job->verb->flags & VERB_TRANSFERS) != 0 &&
            !engine_leave_running(seat->engine, job->id, &err)) {
            seat_say(seat, ROLE_BAD, "%s", err.text);
            return; /* rather stay than lose what should have gone on */
        }
    }
    seat_leave(seat, 0);
}

static void cancel_and_leave(struct screen *screen, struct seat *seat)
{
    (void)screen;
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (is_ours(job)) {
            engine_cancel(seat->engine, job->id);
        }
    }
    seat_leave(seat, 0);
}

struct screen *quit_screen_new(struct seat *seat)
{
    struct choice_screen *choice = choice_new("Quit?", ROLE_ATTENTION);
    size_t count = 0;
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (is_ours(job)) {
            text_printf(&choice->question, "%s%s", count > 0 ? ", " : "Under way: ", job->title);
            count++;
        }
    }
    text_append(&choice->question, ". Pulls can go on without this screen; other work is stopped "
                                   "and leaves nothing half-made. Machines keep running.");
    add_option(choice, 's', "Stay", NULL);
    add_option(choice, 'l', "Leave running", leave_running);
    add_option(choice, 'c', "Cancel and quit", cancel_and_leave);
    return &choice->screen;
}
