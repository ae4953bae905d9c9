/* SPDX-License-Identifier: MIT */
#pragma once

/* Choosing a value for a field instead of typing it: a file by walking the directories, a name from
 * a list. Typing narrows the list, Enter takes the marked one. The field's owner is the screen
 * below, which outlives the picker. Main thread. */

#include <stdbool.h>

struct screen;
struct seat;
struct strings;

typedef void picker_take(void *context, struct seat *seat, const char *value);

/* Walks from `begun`, which may be empty: its directory, narrowed to what its last part begins. With
 * exactly one such entry that one is taken without asking. wants_directory: a directory may be the
 * value, too. */
struct screen *picker_file_new(struct seat *seat, const char *title, const char *begun,
    bool wants_directory, picker_take *take, void *context);
/* One of `names`; takes them over. */
struct screen *picker_name_new(
    struct seat *seat, const char *title, struct strings *names, picker_take *take, void *context);
