/* SPDX-License-Identifier: MIT */
#pragma once

/* The initrd of one boot: what this kernel needs, built once and cached, and behind it the facts of
 * this machine. Workers only. */

#include <stdbool.h>

struct boot_kernel;
struct error;
struct machine_spec;
struct ops;

#define OPS_INITRD_FILE "initrd.img"

/* Writes OPS_INITRD_FILE anew into the machine's directory. */
bool ops_initrd_make(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, int vm_dir, struct error *err);
