/* SPDX-License-Identifier: MIT */
#pragma once

/* Snapshots of a machine: vms/<name>/snapshots/<snapshot>/ with manifest.json, vm.json and copies of
 * the machine's own disks under their own names. None is half-made and no restore is half-done: a
 * snapshot is filled in a hidden directory and gets its name in one rename; what is put back is filled
 * in another one, and the rename that commits it comes before the first file of the machine is
 * replaced, so that whoever was killed then is finished by the next one who takes the machine
 * (vm_restore_finish). What files mean is the engine's business.
 *
 * vm_dir is the machine's open directory. The caller holds the machine's exclusive lock for everything
 * that changes something, so there is one of each at a time. Workers only. */

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json;
struct strings;

#define VM_SNAPSHOTS "snapshots"
#define VM_SNAPSHOT_MANIFEST "manifest.json"
#define VM_SNAPSHOT_SPEC "vm.json"
/* In a snapshot that is being made: its machine was stopped for that and has to go on. */
#define VM_SNAPSHOT_PAUSED "paused"

/* Their names, sorted. None: success. */
bool vm_snapshot_names(int vm_dir, struct strings *names, struct error *err);
bool vm_snapshot_exists(int vm_dir, const char *name);
/* Its directory; -1 with ERROR_NOT_FOUND. */
int vm_snapshot_open(int vm_dir, const char *name, struct error *err);
/* A document of it; caller frees. */
struct json *vm_snapshot_read(
    int vm_dir, const char *name, const char *document, struct error *err);
/* Its path, relative to the machine's directory; caller frees. */
char *vm_snapshot_path(const char *name) __attribute__((returns_nonnull));
/* Allocated bytes of one; name NULL: of all. */
uint64_t vm_snapshot_disk_use(int vm_dir, const char *name);

/* The directory below, relative to the machine's. */
#define VM_SNAPSHOT_STAGING VM_SNAPSHOTS "/.new"
/* An empty directory to fill, the caller's to close; what an earlier attempt left is removed. */
int vm_snapshot_begin(int vm_dir, struct error *err);
/* Gives it its name, durably. ERROR_EXISTS. */
bool vm_snapshot_publish(int vm_dir, const char *name, struct error *err);
/* ERROR_NOT_FOUND. */
bool vm_snapshot_remove(int vm_dir, const char *name, struct error *err);
/* Gone: what was begun and not published, and what was being removed. */
void vm_snapshot_abandon(int vm_dir);

/* The same for what is put back: the files that replace the machine's own, a vm.json, and a
 * manifest.json whose "disks" names all disks that it has afterwards. */
int vm_restore_begin(int vm_dir, struct error *err);
/* From here on it is done, whatever happens. */
bool vm_restore_commit(int vm_dir, struct error *err);
/* Puts what was committed in its place, and takes away those of own (names of disks) that the manifest
 * does not name. Success when there is nothing. May be repeated. */
bool vm_restore_finish(int vm_dir, const struct strings *own, struct error *err);

/* A process died in the middle of one of these. */
bool vm_snapshot_has_leftovers(int vm_dir);
/* It was in the middle of making one, and had stopped the machine for it. */
bool vm_snapshot_left_paused(int vm_dir);
