/* SPDX-License-Identifier: MIT */
#include "ui/app.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curses.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/bottom.h"
#include "ui/draw.h"
#include "ui/format.h"
#include "ui/layout.h"
#include "ui/screen.h"
#include "ui/screens.h"
#include "ui/seat.h"
#include "ui/term.h"
#include "ui/term_key.h"

/* At most 30 frames a second. */
#define FRAME_MS 33
/* Keys handled between two frames: a pasted page must not stop the drawing. */
#define KEYS_PER_ROUND 64
/* So often in a row a readable terminal may give no key before it counts as gone: the beginning of
 * a sequence is one such case, an end of file that no hang-up announced is for ever. */
#define EMPTY_READS_MAX 100

struct app {
    struct seat seat;
    bool is_dirty;
    uint64_t drawn_ms;
    unsigned empty_reads;
    uint64_t due_ms; /* when the screen changes by itself; 0: never */
};

static void update_screens(struct seat *seat)
{
    for (struct screen *screen = seat->top; screen != NULL; screen = screen->below) {
        if (screen->ops->update != NULL) {
            screen->ops->update(screen, seat);
        }
    }
}

/* The old snapshot is released after the screens looked at the new one: sections are told apart by
 * address, and a released block's address may come again. */
static void take_snapshot(struct seat *seat)
{
    const struct snapshot *old = seat->snapshot;
    seat->snapshot = engine_snapshot(seat->engine);
    if (seat->snapshot != old) {
        seat->snapshot_ms = clock_monotonic_ms();
    }
    seat_meet_ends(seat);
    seat_meet_news(seat);
    update_screens(seat);
    if (old != NULL) {
        engine_release(old);
    }
}

static void draw_screen(struct seat *seat, struct screen *screen, struct frame *frame)
{
    struct area whole = {.height = frame->height - 1, .width = frame->width};
    if (screen->ops->is_overlay && screen->below != NULL) {
        draw_screen(seat, screen->below, frame);
        frame->cursor_y = -1;
    }
    screen->ops->draw(screen, seat, frame, whole);
}

static void draw_too_small(struct frame *frame)
{
    char notice[64];
    snprintf(notice, sizeof(notice), "needs %dx%d, has %dx%d", LAYOUT_MIN_WIDTH, LAYOUT_MIN_HEIGHT,
        frame->width, frame->height);
    draw_text(frame, 0, 0, frame->width, ROLE_ATTENTION, notice);
}

static void draw(struct app *app)
{
    struct seat *seat = &app->seat;
    struct frame frame;
    draw_begin(&frame, &seat->theme);
    frame.snapshot_age_ms = frame.now_ms - seat->snapshot_ms;
    if (frame.width < LAYOUT_MIN_WIDTH || frame.height < LAYOUT_MIN_HEIGHT) {
        draw_too_small(&frame);
    } else {
        struct screen *top = seat->top;
        struct area line = {.y = frame.height - 1, .height = 1, .width = frame.width};
        draw_screen(seat, top, &frame);
        if (top->ops->draw_bottom == NULL || seat->toast[0] != '\0' ||
            !top->ops->draw_bottom(top, seat, &frame, line)) {
            bottom_draw(seat, top, &frame, line);
        }
    }
    if (!seat->top->was_drawn && seat->top->ops->is_guarded) {
        term_drop_keys();
    }
    seat->top->was_drawn = true;
    draw_end(&frame);
    app->is_dirty = false;
    app->drawn_ms = frame.now_ms;
    app->due_ms = frame.next_ms;
}

static void sweep_closed(struct seat *seat)
{
    struct screen **link = &seat->top;
    while (*link != NULL) {
        struct screen *screen = *link;
        if (screen->is_closed) {
            *link = screen->below;
            screen->ops->free(screen);
        } else {
            link = &screen->below;
        }
    }
}

/* Requests that mean the same on every screen. */
static bool global_request(struct app *app, enum request request)
{
    struct seat *seat = &app->seat;
    switch ((int)request) {
    case REQUEST_SUSPEND:
        term_suspend();
        return true;
    case REQUEST_REPAINT:
        term_repaint();
        return true;
    case REQUEST_HELP:
        seat_open(seat, help_screen_new(seat, seat->top));
        return true;
    case REQUEST_INTERRUPT:
        if (seat->top->below != NULL) {
            seat_close(seat, seat->top);
        } else {
            seat_say(seat, ROLE_ATTENTION, "Nothing to interrupt here. Press q to quit.");
        }
        return true;
    case REQUEST_MOUSE:
        seat->has_mouse = !seat->has_mouse;
        term_mouse(seat->has_mouse);
        seat_say(seat, ROLE_ATTENTION,
            seat->has_mouse
                ? "The mouse works here now: click, click again to open, turn the wheel."
                : "The mouse is the terminal's again.");
        return true;
    default:
        return false;
    }
}

static void handle_click(struct seat *seat)
{
    struct term_click click;
    struct screen *top = seat->top;
    if (term_click(&click) && top->ops->click != NULL) {
        top->ops->click(top, seat, &click);
    }
}

/* The key has a meaning here, but not now. */
static void refuse(struct seat *seat, const struct request_row *row)
{
    const struct screen *top = seat->top;
    auto_done(text) struct text sentence = {0};
    if (top->ops->refuse != NULL) {
        top->ops->refuse(top, seat, row->request, &sentence);
    }
    if (sentence.len > 0) {
        const char *end = text_has_suffix(text_cstr(&sentence), ".") ? "" : ".";
        seat_say(seat, ROLE_ATTENTION, "%s%s", text_cstr(&sentence), end);
    } else {
        seat_say(seat, ROLE_ATTENTION, "\"%s\" is not possible here now.", row->label);
    }
}

static void handle_key(struct app *app, int key)
{
    struct seat *seat = &app->seat;
    struct screen *top = seat->top;
    if (key == KEY_FUNCTION + KEY_MOUSE) {
        handle_click(seat);
        return;
    }
    seat->toast[0] = '\0';
    if (top->ops->type != NULL && top->ops->type(top, seat, key)) {
        return;
    }
    unsigned contexts = top->ops->contexts(top);
    const struct request_row *row = keymap_find(&seat->keymap, key, contexts, NULL);
    const struct request_row *first = row;
    while (row != NULL) {
        bool is_global = row->contexts == CONTEXT_ANY || row->request == REQUEST_HELP;
        if (is_global && global_request(app, row->request)) {
            return;
        }
        if (top->ops->is_offered(top, seat, row->request)) {
            top->ops->request(top, seat, row->request);
            return;
        }
        row = keymap_find(&seat->keymap, key, contexts, row);
    }
    if (first != NULL && first->rank != RANK_HIDDEN) {
        refuse(seat, first);
    }
}

/* Nobody is there to be asked: what can run on without us does. */
static void leave_transfers_running(struct seat *seat)
{
    struct error ignored = {0};
    seat_leave_transfers(seat, &ignored);
}

/* Below what the terminal had before: what goes on, and how to look at it. */
static void tell_what_goes_on(const struct seat *seat)
{
    auto_free char *words = text_safe(text_cstr(&seat->left_running), true);
    if (words[0] != '\0') {
        printf("%s on without this screen; banger-tui --batch job list shows how far, and so does "
               "the next console\n",
            words);
        fflush(stdout);
    }
}

/* What the key before began is known to the next one, however fast it came. */
static void take_news(struct app *app)
{
    struct pollfd bell = {.fd = engine_wake_fd(app->seat.engine), .events = POLLIN};
    if (poll(&bell, 1, 0) > 0) {
        take_snapshot(&app->seat);
    } else {
        seat_meet_news(&app->seat);
    }
}

static void handle_keys(struct app *app)
{
    bool is_lost = false;
    for (int round = 0; round < KEYS_PER_ROUND && !app->seat.is_leaving; round++) {
        int key = term_key(&is_lost);
        if (key == KEY_NONE) {
            app->empty_reads += round == 0;
            break;
        }
        app->empty_reads = 0;
        handle_key(app, key);
        take_news(app);
        sweep_closed(&app->seat);
        app->is_dirty = true;
        const struct screen *top = app->seat.top;
        if (top->ops->is_guarded && !top->was_drawn) {
            return; /* first it is drawn */
        }
    }
    if (is_lost || app->empty_reads > EMPTY_READS_MAX) {
        leave_transfers_running(&app->seat);
        seat_leave(&app->seat, 128 + SIGHUP);
    }
}

static void handle_signals(struct app *app)
{
    int number = 0;
    while ((number = term_next_signal()) != 0) {
        switch (number) {
        case SIGWINCH:
            term_resize();
            app->is_dirty = true;
            break;
        case SIGTSTP:
            term_suspend();
            app->is_dirty = true;
            break;
        case SIGCONT:
            app->is_dirty = true;
            break;
        default: /* SIGHUP, SIGTERM, SIGINT, SIGQUIT: nobody is there to be asked */
            leave_transfers_running(&app->seat);
            seat_leave(&app->seat, 128 + number);
            break;
        }
    }
}

static int wait_ms(const struct app *app)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t at = app->due_ms;
    if (app->is_dirty) {
        at = app->drawn_ms + FRAME_MS;
    }
    if (at == 0) {
        return -1;
    }
    uint64_t left = at > now ? at - now : 0;
    return left > 3600 * 1000 ? 3600 * 1000 : (int)left;
}

static void wait_for_something(struct app *app)
{
    struct seat *seat = &app->seat;
    const struct screen_ops *ops = seat->top->ops;
    struct pollfd fds[] = {
        {.fd = 0, .events = POLLIN},
        {.fd = engine_wake_fd(seat->engine), .events = POLLIN},
        {.fd = term_signal_fd(), .events = POLLIN},
        {.fd = ops->wait_fd != NULL ? ops->wait_fd(seat->top) : -1, .events = POLLIN},
    };
    if (poll(fds, array_length(fds), wait_ms(app)) < 0) {
        return;
    }
    if (fds[2].revents != 0) {
        handle_signals(app);
    }
    if (fds[1].revents != 0) {
        take_snapshot(seat);
        app->is_dirty = true;
    }
    if (fds[3].revents != 0) {
        ops->ready(seat->top, seat);
        app->is_dirty = true;
    }
    if (fds[0].revents != 0) {
        handle_keys(app);
    }
}

static void loop(struct app *app)
{
    struct seat *seat = &app->seat;
    while (!seat->is_leaving) {
        uint64_t now = clock_monotonic_ms();
        if (app->due_ms != 0 && now >= app->due_ms) {
            app->due_ms = 0;
            app->is_dirty = true;
        }
        /* A question is drawn before anything can be typed at it, whenever the last frame was. */
        bool is_urgent = seat->top->ops->is_guarded && !seat->top->was_drawn;
        if (is_urgent || (app->is_dirty && now - app->drawn_ms >= FRAME_MS)) {
            update_screens(seat);
            sweep_closed(seat);
            draw(app);
        }
        wait_for_something(app);
        sweep_closed(seat);
    }
}

bool ui_check(const struct ui_options *options, struct error *err)
{
    return term_check(options->term, err);
}

/* "yes" of a setting. */
static bool is_on(struct engine *engine, const char *key)
{
    const char *value = engine_setting(engine, key);
    return value != NULL &&
           (strcmp(value, "yes") == 0 || strcmp(value, "on") == 0 || strcmp(value, "true") == 0);
}

static void set_up(struct seat *seat)
{
    const struct ui_options *options = seat->options;
    const char *theme = engine_setting(seat->engine, "theme");
    theme_init(&seat->theme, theme, options->term,
        options->is_ascii || is_on(seat->engine, "ascii"), options->is_colorless);
    keymap_init(&seat->keymap, seat->engine);
    seat->has_mouse = is_on(seat->engine, "mouse");
    if (seat->has_mouse) {
        term_mouse(true);
    }
    if (theme != NULL && !theme_exists(theme)) {
        seat_say(seat, ROLE_ATTENTION,
            "config.ini: there is no theme \"%s\": default, dark, light and mono", theme);
    }
}

int ui_run(struct engine *engine, const struct ui_options *options)
{
    struct error err = {0};
    if (!term_open(options->term, options->stderr_fd, &err)) {
        fprintf(stderr, "banger-tui: %s\n", err.text);
        return error_exit_status(err.code);
    }
    struct app app = {.seat = {.engine = engine, .options = options}, .is_dirty = true};
    struct seat *seat = &app.seat;
    set_up(seat);
    take_snapshot(seat);
    seat_open(seat, main_screen_new(seat));
    loop(&app);
    for (struct screen *screen = seat->top; screen != NULL; screen = screen->below) {
        screen->is_closed = true;
    }
    sweep_closed(seat);
    engine_release(seat->snapshot);
    free(seat->jobs);
    undo_done(&seat->undo);
    free(seat->failed_line);
    term_close();
    tell_what_goes_on(seat);
    text_done(&seat->left_running);
    return seat->exit_status;
}
