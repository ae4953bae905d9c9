/* SPDX-License-Identifier: MIT */
#pragma once

/* What a job left (JSON), and as lines to read: a list of objects by the verb's columns, one object
 * as "field  value". Pure but for the page it fills. Main thread. */

#include <stdint.h>

struct job_item;
struct json;
struct page;
struct text;
struct verb;

/* What a job left, NULL when it left nothing; the caller's. */
struct json *result_parse(const struct job_item *job);
/* One step of a plan: "remove kernel/lab, 19.0 MiB". */
void result_step(const struct json *step, struct text *out);
void result_fill(
    struct page *page, const struct verb *verb, const char *json, int64_t now, int width);
/* "VM web", "kernel lab": of an object with kind and name. */
void result_put_thing(const struct json *row, struct text *out);
