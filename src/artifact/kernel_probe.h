/* SPDX-License-Identifier: MIT */
#pragma once

/* What a kernel file says about itself, read from its first bytes or, for an ELF file, from the
 * banner inside. What is not understood is not known; only what cannot be
 * read is a failure. Private to kernel_dir. Sources:
 * linux Documentation/arch/x86/boot.rst (setup header), System V ABI (ELF header). */

#include <stdbool.h>

struct kernel_probe {
    char format[8];    /* "elf", "bzimage" or "" */
    char arch[16];     /* "x86_64", "aarch64" or "" */
    char version[128]; /* "6.1.0-13-cloud-amd64" or "" */
};

struct error;

bool kernel_probe_file(int fd, const char *shown, struct kernel_probe *probe, struct error *err);
