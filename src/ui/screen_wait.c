/* SPDX-License-Identifier: MIT */
/* Asked for a shell or the serial line of a machine that still boots: waits here and goes there by
 * itself. What is typed meanwhile is neither for the machine nor for the list below. */
#include "ui/screens.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/attach.h"
#include "ui/cells.h"
#include "ui/dialog.h"
#include "ui/machines.h"
#include "ui/screen.h"
#include "ui/seat.h"
#include "ui/term.h"

#define WIDTH 60
#define BESIDE_LINES 4 /* of the dialog: what is not the sentence itself */
#define BORDER_LINES 2
#define KEY_INTERRUPT 3

struct wait_screen {
    struct screen screen;
    struct command *command; /* NULL once it was handed on */
    const char *name;        /* of the machine, in the command */
    uint64_t since_ms;
    int due_fd; /* readable: it can be done now */
};

static struct wait_screen *wait_of(struct screen *screen)
{
    return (struct wait_screen *)screen;
}

static const char *wait_title(const struct screen *screen)
{
    (void)screen;
    return "Waiting";
}

static unsigned wait_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_CHOICE;
}

static bool wait_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    return request == REQUEST_BACK;
}

static void wait_request(struct screen *screen, struct seat *seat, enum request request)
{
    if (request == REQUEST_BACK) {
        seat_close(seat, screen);
    }
}

static bool wait_type(struct screen *screen, struct seat *seat, int key)
{
    (void)screen;
    (void)seat;
    static const int looked_up[] = {27, KEY_INTERRUPT, 'Z' - '@', 'L' - '@'};
    for (size_t i = 0; i < array_length(looked_up); i++) {
        if (key == looked_up[i]) {
            return false;
        }
    }
    return true;
}

static bool is_console(const struct command *command)
{
    return strcmp(command_verb(command)->name, "console") == 0;
}

static bool is_there(const struct vm_item *vm, const struct command *command)
{
    return is_console(command) ? machine_is_up(vm) : vm->state == VM_STATE_RUNNING && vm->is_ready;
}

static void wait_update(struct screen *screen, struct seat *seat)
{
    struct wait_screen *wait = wait_of(screen);
    const struct vm_item *vm = machine_find(seat->snapshot, wait->name);
    if (wait->screen.is_closed || wait->command == NULL) {
        return;
    }
    if (vm != NULL && is_there(vm, wait->command)) {
        eventfd_write(wait->due_fd, 1);
    } else if (vm == NULL) {
        seat_say(seat, ROLE_BAD, "%s is gone.", wait->name);
        seat_close(seat, screen);
    } else if (!machine_is_booting(seat->snapshot, vm) && vm->state != VM_STATE_PAUSED &&
               vm->state != VM_STATE_UNKNOWN) {
        seat_say(seat, ROLE_BAD, "%s ended before it could be reached%s%s", wait->name,
            vm->exit_text[0] != '\0' ? ": " : ".", vm->exit_text);
        seat_close(seat, screen);
    }
}

static int wait_fd(const struct screen *screen)
{
    return ((const struct wait_screen *)screen)->due_fd;
}

static void wait_ready(struct screen *screen, struct seat *seat)
{
    struct wait_screen *wait = wait_of(screen);
    struct command *command = take_ptr(wait->command);
    seat_close(seat, screen);
    term_drop_keys();
    if (command != NULL) {
        attach_run(seat, command);
    }
}

static void wait_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct wait_screen *wait = wait_of(screen);
    const struct vm_item *vm = machine_find(seat->snapshot, wait->name);
    if (wait->command == NULL || vm == NULL) {
        return;
    }
    auto_done(text) struct text words = {0};
    bool is_line = is_console(wait->command);
    bool has_stage = vm->stage_count > 0;
    uint64_t waited_ms = frame->now_ms - wait->since_ms;
    text_printf(&words, "Waiting for %s's %s: %s%s, %" PRIu64 ":%02u so far", wait->name,
        is_line ? "serial line" : "agent",
        has_stage ? vm->stages[vm->stage_count - 1].name : vm_state_name(vm->state),
        has_stage ? " reached" : "", waited_ms / 60000, (unsigned)(waited_ms / 1000 % 60));
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, text_cstr(&words), width, 0, seat->theme.is_utf8);
    dialog_cut(&lines, area.height - BORDER_LINES - BESIDE_LINES);
    auto_free char *title = memory_printf("%s %s", is_line ? "Console of" : "Shell in", wait->name);
    struct area inner =
        dialog_box(frame, area, width, (int)lines.count + BESIDE_LINES, ROLE_ATTENTION, title);
    for (size_t i = 0; i < lines.count; i++) {
        draw_text(frame, inner.y + 1 + (int)i, inner.x, inner.width, ROLE_TEXT, lines.items[i]);
    }
    draw_text(frame, inner.y + inner.height - 1, inner.x, inner.width, ROLE_DIM,
        is_line ? "It opens by itself; until then keys go nowhere."
                : "The shell opens by itself; until then keys go nowhere.");
    draw_again_in(frame, 1000 - waited_ms % 1000);
}

static bool wait_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)screen;
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Esc", "Stop waiting");
    return true;
}

static void wait_free(struct screen *screen)
{
    struct wait_screen *wait = wait_of(screen);
    command_free(wait->command);
    memory_auto_close(&wait->due_fd);
    free(wait);
}

static const struct screen_ops wait_ops = {
    .is_overlay = true,
    .is_guarded = true,
    .title = wait_title,
    .contexts = wait_contexts,
    .is_offered = wait_is_offered,
    .request = wait_request,
    .type = wait_type,
    .update = wait_update,
    .draw = wait_draw,
    .draw_bottom = wait_draw_bottom,
    .wait_fd = wait_fd,
    .ready = wait_ready,
    .free = wait_free,
};

/* The machine that a command wants to be connected to; NULL when it is another kind of command. */
static const struct vm_item *machine_of(
    const struct snapshot *snapshot, const struct command *command)
{
    const struct verb *verb = command_verb(command);
    const struct argument *operand = action_operand(verb);
    bool is_it = strcmp(verb->subject, "vm") == 0 && operand != NULL &&
                 (strcmp(verb->name, "exec") == 0 || is_console(command));
    return is_it ? machine_find(snapshot, command_get(command, operand->name)) : NULL;
}

bool wait_is_needed(const struct snapshot *snapshot, const struct command *command)
{
    const struct vm_item *vm = machine_of(snapshot, command);
    return vm != NULL && !is_there(vm, command) && machine_is_booting(snapshot, vm);
}

struct screen *wait_screen_new(struct seat *seat, struct command *command)
{
    (void)seat;
    struct wait_screen *wait = memory_zero(1, sizeof(*wait));
    wait->screen.ops = &wait_ops;
    wait->command = command;
    wait->name = command_get(command, action_operand(command_verb(command))->name);
    wait->since_ms = clock_monotonic_ms();
    wait->due_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return &wait->screen;
}
