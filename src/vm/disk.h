/* SPDX-License-Identifier: MIT */
#pragma once

/* Which disks a machine gets, in which order and under which serial: our init in the guest finds
 * them by serial, never by letter. Always raw, spelled out: a raw disk can be written to look like
 * another format. Making the files is the engine's work. Any thread. */

#include <stdbool.h>
#include <stddef.h>

#include "vm/machine_mount.h"

struct error;
struct machine_boot;
struct machine_spec;

#define DISK_SERIAL_IMAGE "image"
#define DISK_SERIAL_UPPER "upper"
#define DISK_SERIAL_ROOT "root"
#define DISK_SERIAL_WORK "work"
#define DISK_MAX (3 + MACHINE_DISKS_MAX)

struct disk {
    const char *serial;
    const char *path; /* borrowed from the spec and boot */
    bool is_readonly;
};

struct disk_list {
    struct disk items[DISK_MAX];
    size_t count;
};

/* Overlay: image read-only, upper writable. Copy: root writable. Then work, if there is one, and the
 * further disks (machine_disk_serial).
 * Fails when a file is missing or not a regular file (ERROR_NOT_FOUND, ERROR_FORMAT), so that the
 * sentence is ours and not the VMM's. */
bool disk_list_for(const struct machine_spec *spec, const struct machine_boot *boot,
    struct disk_list *list, struct error *err);
