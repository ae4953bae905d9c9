/* SPDX-License-Identifier: MIT */
#pragma once

/* What a kernel file says about itself, read from its first bytes or, for an ELF file, from the
 * banner inside. What is not understood is not known; only what cannot be
 * read is a failure. Workers. Sources: linux Documentation/arch/x86/boot.rst (setup header), System
 * V ABI (ELF header and notes), xen include/public/elfnote.h. */

#include <stdbool.h>

/* Whether an ELF kernel says where a VMM may enter it (PVH). */
enum kernel_entry_note { ENTRY_NOTE_UNKNOWN, ENTRY_NOTE_MISSING, ENTRY_NOTE_THERE };

struct kernel_probe {
    char format[8];    /* "elf", "bzimage" or "" */
    char arch[16];     /* "x86_64", "aarch64" or "" */
    char version[128]; /* "6.1.0-13-cloud-amd64" or "" */
    enum kernel_entry_note entry_note;
    bool is_bootable; /* a bzImage, or an ELF executable, which shared objects and ordinary programs
                       * of today are not */
};

struct error;

/* The same without the banner: of an ELF file the version stays unknown, and little is read. */
bool kernel_probe_head(int fd, const char *shown, struct kernel_probe *probe, struct error *err);
bool kernel_probe_file(int fd, const char *shown, struct kernel_probe *probe, struct error *err);
