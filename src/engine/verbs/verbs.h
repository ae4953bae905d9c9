/* SPDX-License-Identifier: MIT */
#pragma once

/* How the rows of the command table are written down: one file per subject (verbs_kernel.c …),
 * each with one group that command_table.c puts together. Constant data; engine only. */

#include "base/memory.h"
#include "engine/command.h"

struct error;

struct verb_group {
    const struct verb *rows;
    size_t count;
};
#define VERB_GROUP(array)                                                                          \
    {                                                                                              \
        (array), array_length(array)                                                               \
    }
extern const struct verb_group kernel_verbs, image_verbs, vm_verbs, vm_guest_verbs, vm_life_verbs,
    vm_snapshot_verbs, catalog_verbs, host_verbs;

#define ROWS(array) .arguments = (array), .argument_count = array_length(array)
#define COLUMNS(array) .columns = (array), .column_count = array_length(array)
#define STEPS(array) .steps = (array), .step_count = array_length(array)

#define NAME_OF(what_help)                                                                         \
    {                                                                                              \
        "name", 0, ARGUMENT_NAME, .is_positional = true, .is_required = true,                      \
                                  .value_name = "NAME", .help = (what_help)                        \
    }
#define NAMES_OF(what_help)                                                                        \
    {                                                                                              \
        "name", 0, ARGUMENT_NAME, .is_positional = true, .is_required = true, .is_many = true,     \
                                  .value_name = "NAME", .help = (what_help)                        \
    }
#define SOME_OF(what_help)                                                                         \
    {                                                                                              \
        "name", 0, ARGUMENT_NAME, .is_positional = true, .is_many = true, .value_name = "NAME",    \
                                  .help = (what_help)                                              \
    }
#define SIZE_OF(what_help)                                                                         \
    {                                                                                              \
        "size", 0, ARGUMENT_SIZE, .value_name = "SIZE", .help = (what_help)                        \
    }
#define FORCE(what_help)                                                                           \
    {                                                                                              \
        "force", 'f', ARGUMENT_FLAG, .help = (what_help)                                           \
    }

/* `list [--available]` of kernels and images. */
enum { VERB_OFFER_COLUMNS = 8, VERB_FETCH_STEPS = 5, VERB_COPY_STEPS = 3 };
extern const struct argument verb_list_arguments[1];
extern const struct column verb_offer_columns[VERB_OFFER_COLUMNS];
extern const struct step verb_fetch_steps[VERB_FETCH_STEPS];
extern const struct step verb_copy_steps[VERB_COPY_STEPS];

/* For verbs that change nothing in particular. */
char *verb_object_none(const struct command *command);
/* --force and --if-absent exclude each other. */
bool verb_check_pull(const struct command *command, struct error *err);
