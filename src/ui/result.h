/* SPDX-License-Identifier: MIT */
#pragma once

/* A job's result (JSON) as lines to read: a list of objects by the verb's columns, one object as
 * "field  value". Pure but for the page it fills. Main thread. */

#include <stdint.h>

struct page;
struct verb;

void result_fill(
    struct page *page, const struct verb *verb, const char *json, int64_t now, int width);
