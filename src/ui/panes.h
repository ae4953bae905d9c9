/* SPDX-License-Identifier: MIT */
#pragma once

/* The five panes as data: what each is called, which section it lists and how a row of it reads.
 * Pure; main thread. */

#include "ui/theme.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keymap;
struct snapshot;
struct table_source;
struct text;

enum pane { PANE_CATALOG, PANE_KERNELS, PANE_IMAGES, PANE_VMS, PANE_JOBS };
#define PANE_COUNT 5

struct pane_info {
    const char *title;
    unsigned context; /* keys.h */
    const struct table_source *source;
};

/* The row that is meant when a verb is chosen without naming anything. */
struct row {
    enum pane pane;
    bool is_there; /* false: the pane is empty */
    size_t index;  /* in its section */
    const char *name;
};

extern const struct pane_info pane_infos[PANE_COUNT];
/* In pane_catalog.c and its sisters. */
extern const struct table_source pane_catalog_source;
extern const struct table_source pane_kernels_source;
extern const struct table_source pane_images_source;
extern const struct table_source pane_vms_source;
extern const struct table_source pane_jobs_source;

/* "6", "3 running, 1 stopped", "2 running, 1 failed": what stands behind the title. is_brief: the
 * same where there is little room. */
void pane_count_words(
    enum pane pane, const struct snapshot *snapshot, bool is_brief, struct text *out);
/* What to do about an empty one, with the keys as they are set. */
void pane_empty_words(enum pane pane, const struct keymap *keymap, struct text *out);
/* The name that verbs take for row `index`; "" when the section is shorter. Valid with the
 * snapshot. */
const char *pane_name(enum pane pane, const struct snapshot *snapshot, size_t index);
/* What is worth copying besides the name: a digest, an address, a directory. Returns what it is. */
const char *pane_copy_words(
    enum pane pane, const struct snapshot *snapshot, size_t index, struct text *out);
/* Whether a job row is for people to see. */
bool pane_job_is_listed(const struct snapshot *snapshot, size_t index);
