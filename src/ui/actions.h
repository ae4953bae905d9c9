/* SPDX-License-Identifier: MIT */
#pragma once

/* From a key on a row to a verb of the command table: which verb a request stands for in a pane,
 * whether it is possible for that object as it is now, and how it begins. One table; the key bar,
 * the help and the palette agree because they ask here. Main thread. */

#include "ui/keys.h"
#include "ui/panes.h"

#include <stdbool.h>
#include <stddef.h>

struct argument;
struct command;
struct seat;
struct snapshot;
struct text;
struct verb;

enum action_kind {
    ACTION_SUBMIT,   /* at once: changes nothing that cannot be undone by the key beside it */
    ACTION_ASK,      /* after a question */
    ACTION_FORM,     /* after a form, filled as far as the row tells */
    ACTION_TERMINAL, /* gives the terminal to the guest */
    ACTION_FOLLOW,   /* opens a viewer on what the verb writes */
    ACTION_SHOW,     /* opens a viewer on the result */
};

struct action {
    enum request request;
    unsigned contexts; /* panes it works in */
    const char *subject;
    const char *verb;
    enum action_kind kind;
    bool needs_row; /* acts on the selected row; else the row only fills the form */
    /* NULL: always. Only called with a row. */
    bool (*is_possible)(const struct snapshot *snapshot, size_t index);
};

/* What the request stands for on row `index` (has_row false: an empty pane); NULL when it cannot
 * be done there now, or the seat may only read and the verb changes something. */
const struct action *action_find(
    const struct seat *seat, enum request request, enum pane pane, bool has_row, size_t index);
/* False for a request that stands for verbs none of which this program has. */
bool action_exists(enum request request, unsigned contexts);
/* The request that stands for a verb in a pane; REQUEST_NONE when no key does. */
enum request action_request(enum pane pane, const struct verb *verb);
/* How a verb is used where the row is. */
enum action_use {
    ACTION_ON_ROW,  /* a key does it to the row, and it is possible now */
    ACTION_ASKED,   /* so it does, after a question */
    ACTION_IN_PANE, /* a key does it in the pane, whatever the row */
    ACTION_NOT_NOW, /* a key would do it to another row, or to this one at another time */
    ACTION_NO_KEY,
};
enum action_use action_use(const struct seat *seat, const struct row *row, const struct verb *verb);
/* Whether the row can be what the verb is done to: its operand names such a thing. */
bool action_is_about(
    const struct verb *verb, const struct snapshot *snapshot, const struct row *row);
/* Rows of a pane that something is done to: indices into its section. */
struct action_rows {
    enum pane pane;
    const size_t *indices;
    size_t count;
};

/* Begins it: submits, or opens the question, form or viewer. With several rows it is done to those
 * of them for which it is possible, and told why not to the others, if the verb takes more than one
 * name; else to the first. */
void action_begin(struct seat *seat, const struct action *action, const struct action_rows *rows);
/* A command from the palette or of a job that is tried again: as far as it goes by itself, else
 * with its form. Owns it. */
void action_begin_command(struct seat *seat, struct command *command);
/* The same; where nothing says what it is done to, it is done to the row. */
void action_begin_on(struct seat *seat, struct command *command, const struct row *row);

/* The command that the key for a shell gives. */
bool action_is_shell(const struct command *command);

/* The argument that names what the verb acts on: the first one given by its place; NULL for none. */
const struct argument *action_operand(const struct verb *verb);

/* The question before a command that destroys: what, and what becomes of it. */
void action_question(
    const struct snapshot *snapshot, const struct command *command, struct text *out);
/* Why a command that removes would be refused, as far as the snapshot tells: "image debian and
 * machine web boot with it". Nothing for one that may be asked about. */
void action_refusal(
    const struct snapshot *snapshot, const struct command *command, struct text *out);
/* How many images and machines boot with that kernel. */
size_t action_kernel_users(const struct snapshot *snapshot, const char *name);
/* Hands a finished command on: to the engine, or first to a question, a viewer, the terminal. */
void action_go(struct seat *seat, struct command *command, bool is_asked);
