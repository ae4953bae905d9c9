/* SPDX-License-Identifier: MIT */
#pragma once

/* Every screen there is, each a constructor for seat_open. Main thread. */

#include "ui/panes.h"

#include <stdbool.h>

struct command;
struct error;
struct screen;
struct seat;
struct snapshot;
struct table;

/* The panes. */
struct screen *main_screen_new(struct seat *seat);

/* Viewers: everything about the object of that key in a pane, live; the keys of a screen; the
 * messages so far. */
struct screen *details_screen_new(struct seat *seat, enum pane pane, const char *key);
struct screen *help_screen_new(struct seat *seat, const struct screen *about);
struct screen *messages_screen_new(struct seat *seat);
/* Submits a reading verb and shows its result when it is there. Owns the command. */
struct screen *result_screen_new(struct seat *seat, struct command *command);
/* Submits a verb that writes a stream and shows it as it comes. Owns the command. */
struct screen *stream_screen_new(struct seat *seat, struct command *command);

/* Dialogs. All own their command. */
struct screen *confirm_screen_new(struct seat *seat, struct command *command);
struct screen *form_screen_new(struct seat *seat, struct command *command);
/* The same for one that failed before; says why. */
struct screen *form_screen_again(
    struct seat *seat, struct command *command, const struct error *why);
/* Whether a command wants to be connected to a machine that is not there yet, but on its way. */
bool wait_is_needed(const struct snapshot *snapshot, const struct command *command);
/* Waits for that machine, then connects. */
struct screen *wait_screen_new(struct seat *seat, struct command *command);
/* What can be typed; a verb that lacks its object is given the row. */
struct screen *palette_screen_new(struct seat *seat, struct row row);
/* What the trash got last, taken back after a question. */
struct screen *undo_screen_new(struct seat *seat);
/* All of the trash, to take one back; for a seat that may change something. */
struct screen *trash_screen_new(struct seat *seat);
struct screen *quit_screen_new(struct seat *seat);
/* Everything that can be done to a row as it is now, and in its pane. */
struct screen *menu_screen_new(struct seat *seat, struct row row);
/* The columns of a list of the screen below. */
struct screen *columns_screen_new(const char *list, struct table *table);
