/* SPDX-License-Identifier: MIT */
#pragma once

/* Monitors and VMMs of ours that no record owns: what is left when a record, or its whole directory,
 * was taken away by hand. Found by /proc: a process of this user, whose working directory is or was
 * a machine's below the given state directory, and whose command line is a monitor's or names a
 * machine's uuid. One whose record the host keeps us from reading may be owned, and is none; so is a
 * person's shell that stands in such a directory. Workers only. */

#include "base/process.h"

#include <stdbool.h>
#include <stddef.h>

struct error;

struct machine_orphan {
    struct process_identity process;
    char *directory; /* as /proc says it, also "… (deleted)" */
    char *name;      /* of the machine whose directory it is now; NULL: none any more */
    bool is_monitor;
    bool is_hidden; /* whether a machine owns it could not be seen: not listed */
};

struct machine_orphan_list {
    struct machine_orphan *items;
    size_t count;
};

void machine_orphan_list_done(struct machine_orphan_list *list);
/* state_path: absolute and resolved. A start that is under way looks like one: whoever ends an
 * orphan with a name takes the machine's lock and asks machine_is_orphan again. */
bool machine_orphan_find(
    const char *state_path, struct machine_orphan_list *list, struct error *err);
/* Still there, and still nobody's. */
bool machine_is_orphan(const char *state_path, const struct machine_orphan *orphan);
