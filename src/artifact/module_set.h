/* SPDX-License-Identifier: MIT */
#pragma once

/* The modules of one kernel by name, and which of them must be loaded, in which order, to have
 * some. Works from the files alone: a .deb carries no modules.dep. Names have '_' for '-', as the
 * kernel compares them. Workers; one owner at a time. */

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct cancel;
struct error;
struct limits;
struct module_set;

/* What is done with each module in turn: its name without suffix and its bytes, decompressed. */
typedef bool module_visit(
    void *context, const char *name, const void *bytes, size_t len, struct error *err);

/* Reads the names below dir (contents of lib/modules/<version>) and modules.builtin. dir stays the
 * caller's and must outlive the set. NULL on failure. */
struct module_set *module_set_open(int dir, const struct limits *limits, struct error *err);
void module_set_close(struct module_set *set);

bool module_set_has(const struct module_set *set, const char *name);
/* Listed in modules.builtin. */
bool module_set_is_builtin(const struct module_set *set, const char *name);

/* Visits the module and, before it, what it depends on, each once in the life of the set. What is
 * neither a module nor built in is added to *missing. A damaged module is ERROR_FORMAT. */
bool module_set_visit(struct module_set *set, const char *name, module_visit *visit, void *context,
    struct strings *missing, const struct cancel *cancel, struct error *err);
