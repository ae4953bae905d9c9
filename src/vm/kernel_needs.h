/* SPDX-License-Identifier: MIT */
#pragma once

/* What each VMM, as this program drives it, and the guest of this program need of a kernel: tables,
 * and the judgement of one kernel by them. Pure: what is known of the kernel is handed in, and what
 * is not known never refuses. Any thread; one owner at a time. */

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* How far a kernel has an option. */
enum kernel_has {
    KERNEL_HAS_UNKNOWN,
    KERNEL_HAS_OFF,    /* not built at all */
    KERNEL_HAS_ABSENT, /* built as a module that is not among those its initrd is made of */
    KERNEL_HAS,        /* built in, or a module that the initrd carries */
};

/* All borrowed for the time of the call. NULL: not known. */
struct kernel_traits {
    const char *format;  /* "elf", "bzimage", "" for neither */
    const char *arch;    /* "x86_64" */
    const char *version; /* "6.1.0-13-cloud-amd64" */
    enum kernel_has pvh; /* an ELF kernel's entry for VMMs */
    /* option without CONFIG_; module is its name with '_', NULL when it cannot be one. */
    enum kernel_has (*look)(const void *context, const char *option, const char *module);
    const void *context;
};

/* How it would be booted. */
struct kernel_setting {
    const char *vmm;  /* "qemu", "firecracker" */
    bool is_overlay;  /* the root disk is one over the image */
    bool is_emulated; /* in software, without KVM */
};

enum kernel_verdict { KERNEL_OK, KERNEL_REFUSED, KERNEL_UNKNOWN };

/* Zero-initialise. */
struct kernel_judgement {
    enum kernel_verdict verdict; /* unknown: nothing vital is known to be missing, but not all is
                                  * known to be there */
    struct strings missing;      /* "CONFIG_VIRTIO_BLK", "format", "arch", "version", "PVH" */
    struct strings unknown;      /* the same words */
    struct strings notes;        /* sentences: what works less, what is not known */
    char *why; /* the first fact that refuses: "it is built without CONFIG_ACPI, so…" */
};

void kernel_judgement_done(struct kernel_judgement *judgement);
void kernel_judge(const struct kernel_traits *traits, const struct kernel_setting *setting,
    struct kernel_judgement *judgement);

/* "ok", "refused", "unknown". */
const char *kernel_verdict_name(enum kernel_verdict verdict);

/* The VMMs that have a table, NULL-ended. */
extern const char *const kernel_vmms[];
