/* SPDX-License-Identifier: MIT */
#pragma once

/* What could be meant by the beginning of a word: names of objects, verbs, choices. Main
 * thread. */

#include <stdbool.h>
#include <stddef.h>

struct argument;
struct snapshot;
struct strings;
struct text;
struct verb;

/* Whole values for an argument that begin with `begun`, sorted. None for files: see picker.h. */
void complete_argument(const struct snapshot *snapshot, const struct verb *verb,
    const struct argument *argument, const char *begun, struct strings *found);
/* "kernel pull" for every verb that people are offered. */
void complete_verbs(const char *begun, struct strings *found);
/* The longest beginning that all have; empty for an empty list. */
void complete_common(const struct strings *found, struct text *common);
