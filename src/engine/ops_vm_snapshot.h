/* SPDX-License-Identifier: MIT */
#pragma once

/* What making, showing and restoring snapshots of machines share. Workers only. */

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json;
struct ops;
struct vm_hand;

/* [{"name","created_at","state","memory","size_bytes","disk_bytes"}], the oldest first; caller frees.
 * NULL when it has none. */
struct json *ops_vm_snapshots_json(int vm_dir);
/* Its row of that list with everything else that its manifest tells; caller frees. */
struct json *ops_vm_snapshot_json(int vm_dir, const char *name, struct error *err);
/* What a machine over an image stands on, as far as it can be told from another: its content, else
 * the look of its file. Caller frees; NULL when the image is not here. */
char *ops_vm_image_identity(struct ops *ops, const struct vm_hand *hand);
/* Names of all disks that a machine may have of its own. */
void ops_vm_disk_names(struct strings *names);
