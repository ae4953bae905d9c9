/* SPDX-License-Identifier: MIT */
#pragma once

/* Whether a kernel can boot on a VMM, said before it is tried: what is known of the kernel (the first
 * bytes of its file, its version, its configuration, its modules) under the tables of
 * vm/kernel_needs.h. What is not known never refuses. Workers only. */

#include <stdbool.h>

struct boot_kernel;
struct error;
struct json;
struct machine_spec;
struct ops;

/* [{"vmm","verdict","missing","unknown","why","notes"}] for every VMM, on this host, for a machine
 * as `vm run` makes it when nothing is said. Caller frees. */
struct json *ops_preflight_json(struct ops *ops, const struct boot_kernel *kernel);
/* Refuses a kernel that the machine cannot boot: ERROR_FORMAT when it is no kernel at all, else
 * ERROR_UNSUPPORTED; the sentence ends with `next`. verdict NULL: not wanted; else the object of its
 * VMM, the caller's. What works less is told in the log. */
bool ops_preflight_require(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, const char *next, struct json **verdict, struct error *err);
