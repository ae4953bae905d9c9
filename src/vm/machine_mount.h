/* SPDX-License-Identifier: MIT */
#pragma once

/* What a machine gets beside its own root: directories of this host (QEMU only) and further disks,
 * each with a place in the guest where our init mounts it. As words of the command line, which is
 * also how vm.json keeps them. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;
struct machine_spec;

#define MACHINE_VOLUMES_MAX 8
#define MACHINE_DISKS_MAX 8

struct machine_volume {
    char *host;  /* directory; absolute once it is in a spec */
    char *guest; /* absolute */
    bool is_readonly;
};

struct machine_disk {
    char *file;          /* somebody's raw file; NULL: one of the machine's own */
    uint64_t size_bytes; /* of one of its own */
    char *guest;         /* NULL: attached and not mounted */
    bool is_readonly;
    size_t slot; /* of its file and serial; its own for good, also when others are removed */
};

/* HOSTDIR:GUESTDIR[:ro]. ERROR_INVALID. The host's directory is taken as it is written. */
bool machine_volume_parse(const char *word, struct machine_volume *volume, struct error *err);
/* SIZE[:GUESTDIR] or FILE[:GUESTDIR][:ro], where FILE holds a slash. */
bool machine_disk_parse(const char *word, struct machine_disk *disk, struct error *err);

/* Adds it; the strings are taken over. A disk gets the lowest slot that no other has. */
void machine_spec_add_volume(struct machine_spec *spec, const struct machine_volume *volume);
void machine_spec_add_disk(struct machine_spec *spec, const struct machine_disk *disk);
/* Takes the disk at that index out of the spec; its file is the caller's affair. */
void machine_spec_remove_disk(struct machine_spec *spec, size_t index);
/* Index of the disk that is called so: by its serial ("disk2"), its place in the guest, or its file;
 * SIZE_MAX when there is none. */
size_t machine_spec_find_disk(const struct machine_spec *spec, const char *word);
/* One more than the highest slot in use. */
size_t machine_spec_disk_slots(const struct machine_spec *spec);
void machine_spec_clear_volumes(struct machine_spec *spec);
/* For machine.c: freeing, copying (to has pointers of from before), checking. */
void machine_mounts_done(struct machine_spec *spec);
void machine_mounts_copy(const struct machine_spec *from, struct machine_spec *to);
bool machine_mounts_check(const struct machine_spec *spec, struct error *err);
void machine_mounts_to_json(const struct machine_spec *spec, struct json *json);
/* ERROR_INVALID for a word that is none. */
bool machine_mounts_from_json(
    const struct json *json, struct machine_spec *spec, struct error *err);

/* File and serial of the machine's disk of that slot: "disk1.ext4", "disk1". */
const char *machine_disk_file(size_t slot);
const char *machine_disk_serial(size_t slot);
