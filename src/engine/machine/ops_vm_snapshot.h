/* SPDX-License-Identifier: MIT */
#pragma once

/* What making, showing and restoring snapshots of machines share. Workers only. */

#include "base/text.h"
#include "vm/machine_control.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json;
struct ops;
struct vm_hand;

/* [{"name","created_at","state","memory","size_bytes","disk_bytes"}], the oldest first; caller frees.
 * NULL when it has none. Without a look at their files: no "disk_bytes". */
struct json *ops_vm_snapshots_json(int vm_dir, bool is_brief);
/* ERROR_NOT_FOUND when the machine has none of that name. */
bool ops_vm_snapshot_has(const struct vm_hand *hand, const char *name, struct error *err);
/* What a machine over an image stands on, as far as it can be told from another: its content, else
 * the look of its file. Caller frees; NULL when the image is not here. */
char *ops_vm_image_identity(struct ops *ops, const struct vm_hand *hand);
/* ops_vm_memory.c: that what the machine holds in memory can be kept; version is its VMM's.
 * ERROR_INVALID for one that does not run, ERROR_UNSUPPORTED. */
bool ops_vm_memory_check(struct ops *ops, const struct vm_hand *hand,
    char version[MACHINE_VERSION_MAX], struct error *err);
/* Puts what has to be the same again: vmm, vmm_version, accel, kernel_identity. */
void ops_vm_memory_describe(
    struct ops *ops, const struct vm_hand *hand, const char *version, struct json *manifest);
/* That all of it is the same here and now. spec, for the start alone, names that VMM afterwards. */
bool ops_vm_memory_suit(
    struct ops *ops, struct machine_spec *spec, const struct json *manifest, struct error *err);
/* What it takes at most. */
uint64_t ops_vm_memory_bytes(const struct machine_spec *spec);
/* Names of all disks that a machine may have of its own. */
void ops_vm_disk_names(struct strings *names);
