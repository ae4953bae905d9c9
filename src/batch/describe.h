/* SPDX-License-Identifier: MIT */
#pragma once

/* The command table as JSON, for programs that want to know what this one can do: `help --format
 * json`. Any thread. */

struct json;

/* {"verbs": [...], "options": [...], "topics": [...], "exit_statuses": [...]}; the caller frees. */
struct json *describe_json(void);
