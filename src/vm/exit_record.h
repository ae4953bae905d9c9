/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes exit.json, however full the disk is: its room is taken when the machine starts. Called by a
 * machine's monitor, or by who has its lock when there is none. What is reserved and not used is
 * swept with what else a monitor leaves. */

#include <stdbool.h>

struct error;
struct json;

/* ERROR_NO_SPACE: the disk is full already. */
bool exit_record_reserve(int vm_dir, struct error *err);
/* Durable. */
bool exit_record_write(int vm_dir, const struct json *json, struct error *err);
