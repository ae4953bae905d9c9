/* SPDX-License-Identifier: MIT */
#pragma once

/* What there is to read beside the verbs: `help TOPIC` and the sections of the man page, from one
 * text. Bodies are lines: paragraphs end with an empty line and may be re-filled; lines that begin
 * with a blank stand as they are. Constant data. */

#include <stddef.h>

struct topic {
    const char *name;    /* "exit" */
    const char *heading; /* of the man page's section: "EXIT STATUS" */
    const char *summary;
    const char *body;
};

extern const struct topic topics[];
extern const size_t topic_count;

const struct topic *topic_find(const char *name);

struct exit_row {
    int status;
    const char *meaning;
};

/* Every status this program ends with, but for what a guest's own command gives. */
extern const struct exit_row exit_rows[];
extern const size_t exit_row_count;
