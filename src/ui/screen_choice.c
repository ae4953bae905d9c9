/* SPDX-License-Identifier: MIT */
#include "ui/choice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/cells.h"
#include "ui/dialog.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define WIDTH 64
#define BORDER_LINES 2

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

/* The answer is typed: Enter takes it when it is the one, and is No otherwise. */
static bool type_answer(struct choice_screen *choice, struct seat *seat, int key)
{
    if (key == '\r') {
        bool is_it = strcmp(choice->typed.text, choice->wanted) == 0;
        choose(&choice->screen, seat, is_it ? choice->option_count - 1 : 0);
        return true;
    }
    return edit_key(&choice->typed, key);
}

static bool choice_type(struct screen *screen, struct seat *seat, int key)
{
    struct choice_screen *choice = choice_of(screen);
    if (choice->wanted != NULL) {
        return type_answer(choice, seat, key);
    }
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
        const struct choice_option *option = &choice->options[i];
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

/* What the engine says would be done, below the question. */
static void plan_words(const struct choice_screen *choice, struct strings *lines, int width)
{
    const struct plan *plan = &choice->plan;
    if (plan->lines.count == 0) {
        if (plan_is_pending(plan)) {
            strings_add(lines, "");
            strings_add(lines, "plan: asking");
        }
        return;
    }
    strings_add(lines, "");
    for (size_t i = 0; i < plan->lines.count; i++) {
        auto_free char *line =
            memory_printf("%s%s", i == 0 ? "plan: " : "      ", plan->lines.items[i]);
        cells_wrap(lines, line, width, 6, true);
    }
    if (plan->left_out > 0) {
        strings_printf(lines, "      and %zu more", plan->left_out);
    }
}

static void draw_answer(struct choice_screen *choice, struct frame *frame, struct area line)
{
    if (choice->wanted == NULL) {
        draw_options(choice, frame, line);
        return;
    }
    struct pen pen = {.y = line.y, .x = line.x, .limit = line.x + line.width};
    pen_text(frame, &pen, ROLE_TEXT, "Type ");
    pen_text(frame, &pen, ROLE_STRONG, choice->wanted);
    pen_text(frame, &pen, ROLE_TEXT, " to go on: ");
    int x = pen.x + edit_cursor_cells(&choice->typed, frame->theme->is_utf8);
    pen_text(frame, &pen, ROLE_STRONG, choice->typed.text);
    draw_cursor(frame, line.y, x);
}

static void choice_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct choice_screen *choice = choice_of(screen);
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, text_cstr(&choice->question), width, 0, seat->theme.is_utf8);
    size_t asked = lines.count;
    plan_words(choice, &lines, width);
    auto_done(text) struct text batch = {0};
    if (choice->command != NULL) {
        command_line(choice->command, &batch);
    }
    int room = area.height - BORDER_LINES - 1 - (batch.len > 0 ? 2 : 0);
    int air = (int)lines.count + 2 <= room ? 1 : 0; /* a blank line above and below the words */
    dialog_cut(&lines, room);
    int height = (int)lines.count + 2 * air + 1 + (batch.len > 0 ? 2 : 0);
    struct area inner = dialog_box(frame, area, width, height, choice->role, choice->title);
    int y = inner.y + air;
    enum role plan_role = choice->plan.is_refused ? ROLE_BAD : ROLE_TEXT;
    for (size_t i = 0; i < lines.count; i++) {
        draw_text(
            frame, y++, inner.x, inner.width, i < asked ? ROLE_TEXT : plan_role, lines.items[i]);
    }
    if (batch.len > 0) {
        struct pen pen = {.y = ++y, .x = inner.x, .limit = inner.x + inner.width};
        pen_text(frame, &pen, ROLE_DIM, "as a line: ");
        pen_text(frame, &pen, ROLE_DIM, text_cstr(&batch));
        y++;
    }
    draw_answer(choice, frame,
        (struct area){.y = inner.y + inner.height - 1, .x = inner.x, .width = inner.width});
}

static bool choice_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    if (choice_of(screen)->wanted != NULL) {
        pen_key(frame, &pen, "Enter", "Go on when it is what was asked for, else No");
    } else {
        pen_key(frame, &pen, "Left Right", "Choose");
        pen_key(frame, &pen, "Enter", "Take the marked one");
    }
    pen_key(frame, &pen, "Esc", "Back");
    return true;
}

/* What was not seen when it was typed is no answer to what stands there now. */
static void meet_answer(struct choice_screen *choice, struct seat *seat)
{
    const struct job_item *job =
        choice->asked != 0 ? snapshot_find_job(seat->snapshot, choice->asked) : NULL;
    if (job != NULL && job_state_is_final(job->state)) {
        choice->asked = 0;
        choice->answer(choice, seat, job);
        choice->screen.was_drawn = false;
        seat_abandon(seat, job->id);
    }
}

static void choice_update(struct screen *screen, struct seat *seat)
{
    struct choice_screen *choice = choice_of(screen);
    meet_answer(choice, seat);
    if (plan_update(&choice->plan, seat) && choice->plan.is_refused && choice->refused != NULL) {
        choice->refused(choice);
        screen->was_drawn = false;
    }
}

static void choice_free(struct screen *screen)
{
    struct choice_screen *choice = choice_of(screen);
    if (choice->asked != 0) {
        seat_abandon(choice->seat, choice->asked);
    }
    text_done(&choice->question);
    plan_done(&choice->plan, choice->seat);
    command_free(choice->command);
    free(choice->wanted);
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
    .update = choice_update,
    .draw = choice_draw,
    .draw_bottom = choice_draw_bottom,
    .free = choice_free,
};

struct choice_screen *choice_new(struct seat *seat, const char *title, enum role role)
{
    struct choice_screen *choice = memory_zero(1, sizeof(*choice));
    choice->screen.ops = &choice_ops;
    choice->seat = seat;
    choice->role = role;
    snprintf(choice->title, sizeof(choice->title), "%s", title);
    return choice;
}

void choice_set_title(struct choice_screen *choice, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(choice->title, sizeof(choice->title), format, args);
    va_end(args);
}

void choice_ask(struct choice_screen *choice, struct command *command,
    void (*answer)(struct choice_screen *choice, struct seat *seat, const struct job_item *job),
    struct error *err)
{
    choice->answer = answer;
    if (!engine_submit(choice->seat->engine, command, &choice->asked, err)) {
        choice->asked = 0;
    }
}

void choice_add(struct choice_screen *choice, char key, const char *label,
    void (*choose_it)(struct screen *screen, struct seat *seat))
{
    struct choice_option *option = &choice->options[choice->option_count++];
    option->key = key;
    option->choose = choose_it;
    snprintf(option->label, sizeof(option->label), "%s", label);
}
