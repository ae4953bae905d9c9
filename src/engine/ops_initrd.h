/* SPDX-License-Identifier: MIT */
#pragma once

/* The initrd of one boot: what this kernel needs, built once and cached, and behind it the facts of
 * this machine. Workers only. */

#include <stdbool.h>

struct error;
struct machine_spec;
struct ops;
struct strings;

/* What boots: computed for every start from the record and the store. */
struct boot_kernel {
    char *path;      /* of the kernel */
    int modules_dir; /* -1: it has none */
    char *identity;  /* changes whenever kernel or modules do */
};
#define BOOT_KERNEL_INIT                                                                           \
    {                                                                                              \
        .modules_dir = -1                                                                          \
    }

void boot_kernel_done(struct boot_kernel *kernel);

#define OPS_INITRD_FILE "initrd.img"

/* Writes OPS_INITRD_FILE anew into the machine's directory. Modules this kernel seems to lack are
 * added to `missing` (NULL: not wanted). */
bool ops_initrd_make(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, int vm_dir, struct strings *missing, struct error *err);
