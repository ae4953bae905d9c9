/* SPDX-License-Identifier: MIT */
#pragma once

/* A verb's arguments as fields to fill in: the model behind the form screen. Built from the command
 * table alone, so a new argument is a new field by itself. Main thread, no terminal. */

#include "ui/edit.h"

#include <stdbool.h>
#include <stddef.h>

struct argument;
struct command;
struct error;
struct snapshot;
struct strings;
struct verb;

struct field {
    const struct argument *argument;
    struct edit edit; /* of what is typed; choices hold the chosen word */
    bool is_on;       /* of a flag */
};

struct form {
    const struct verb *verb;
    const char *home; /* what "~/" stands for; NULL: nothing */
    struct field *fields;
    size_t field_count;
    size_t focus;
};

/* Fields hold what the command says already. home is borrowed. */
/* Whether there is anything to fill in. */
bool form_has_fields(const struct verb *verb);
void form_init(struct form *form, const struct command *command, const char *home);
void form_done(struct form *form);
/* A key for the focused field: typing, Space for flags, Left, Right and Space for choices. */
bool form_key(struct form *form, int key);
void form_move(struct form *form, int by);
/* The focused field holds a path: there is nothing to complete it from here. */
bool form_wants_path(const struct form *form);
/* Completes the focused field as far as it is certain; true when that changed it. `found` gets the
 * candidates. */
bool form_complete(struct form *form, const struct snapshot *snapshot, struct strings *found);
/* A new command of what the fields say. NULL: err says why and *at is the field; is_whole also
 * asks for everything that is required. */
struct command *form_command(const struct form *form, bool is_whole, size_t *at, struct error *err);
