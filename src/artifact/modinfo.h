/* SPDX-License-Identifier: MIT */
#pragma once

/* What a kernel module says about itself: the "key=value" strings of the ELF section .modinfo, as
 * depmod reads them (System V ABI, ELF-64, little-endian: x86-64, arm64, riscv64; linux
 * include/linux/module.h). Pure function over a buffer that may hold anything. Workers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct strings;

/* Adds the value of each "key=" of the module, in order, to *values; none is success. `what` opens
 * the sentence. ERROR_FORMAT when the buffer is no such relocatable file or its tables lie. */
bool modinfo_values(const void *module, size_t len, const char *key, const char *what,
    struct strings *values, struct error *err);

/* Names of the modules that must be loaded before this one: `depends=` and the `pre:` part of
 * `softdep=`, with '-' as '_'. The second are wishes: they may name an alias or something built in.
 */
bool modinfo_depends(const void *module, size_t len, const char *what, struct strings *depends,
    struct strings *wishes, struct error *err);
