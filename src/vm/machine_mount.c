/* SPDX-License-Identifier: MIT */
#include "vm/machine_mount.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "vm/machine.h"

#define GUEST_PATH_MAX 255

static const char *const serials[MACHINE_DISKS_MAX] = {
    "disk1", "disk2", "disk3", "disk4", "disk5", "disk6", "disk7", "disk8"};
static const char *const files[MACHINE_DISKS_MAX] = {"disk1.ext4", "disk2.ext4", "disk3.ext4",
    "disk4.ext4", "disk5.ext4", "disk6.ext4", "disk7.ext4", "disk8.ext4"};

const char *machine_disk_file(size_t slot)
{
    return files[slot];
}

const char *machine_disk_serial(size_t slot)
{
    return serials[slot];
}

/* ---- words ---------------------------------------------------------------------------------- */

/* Cuts ":ro" or ":rw" off. */
static bool take_mode(char *word)
{
    char *last = strrchr(word, ':');
    bool is_readonly = last != NULL && strcmp(last, ":ro") == 0;
    if (is_readonly || (last != NULL && strcmp(last, ":rw") == 0)) {
        *last = '\0';
    }
    return is_readonly;
}

/* Cuts the guest's place off, which is absolute; NULL when there is none. */
static char *take_guest(char *word)
{
    char *last = strrchr(word, ':');
    if (last == NULL || last[1] != '/') {
        return NULL;
    }
    *last = '\0';
    return memory_strdup(last + 1);
}

bool machine_volume_parse(const char *word, struct machine_volume *volume, struct error *err)
{
    auto_free char *copy = memory_strdup(word);
    bool is_readonly = take_mode(copy);
    auto_free char *guest = take_guest(copy);
    if (guest == NULL || copy[0] == '\0') {
        return error_set(err, ERROR_INVALID,
            "--volume %s is not HOSTDIR:GUESTDIR[:ro], such as ./site:/srv/site", word);
    }
    *volume = (struct machine_volume){
        .host = take_ptr(copy), .guest = take_ptr(guest), .is_readonly = is_readonly};
    return true;
}

bool machine_disk_parse(const char *word, struct machine_disk *disk, struct error *err)
{
    auto_free char *copy = memory_strdup(word);
    bool is_readonly = take_mode(copy);
    auto_free char *guest = take_guest(copy);
    struct machine_disk read = {.is_readonly = is_readonly};
    struct error ignored = {0};
    if (strchr(copy, '/') != NULL) {
        read.file = take_ptr(copy);
    } else if (is_readonly || !units_parse_size(copy, "--disk", &read.size_bytes, &ignored)) {
        return error_set(err, ERROR_INVALID,
            "--disk %s is neither SIZE[:GUESTDIR] nor FILE[:GUESTDIR][:ro], such as 20G:/data or "
            "./data.ext4:/data",
            word);
    }
    read.guest = take_ptr(guest);
    *disk = read;
    return true;
}

/* The words that are parsed above; caller frees. */
static char *format_volume(const struct machine_volume *volume)
{
    return memory_printf("%s:%s%s", volume->host, volume->guest, volume->is_readonly ? ":ro" : "");
}

/* The largest unit that says it exactly, as --disk takes it. */
static char *size_word(uint64_t size_bytes)
{
    static const char units[] = "KMGT";
    size_t unit = 0;
    uint64_t count = size_bytes / 1024;
    while (units[unit + 1] != '\0' && count % 1024 == 0) {
        count /= 1024;
        unit++;
    }
    return memory_printf("%llu%c", (unsigned long long)count, units[unit]);
}

static char *format_disk(const struct machine_disk *disk)
{
    auto_free char *size = disk->file != NULL ? NULL : size_word(disk->size_bytes);
    return memory_printf("%s%s%s%s", disk->file != NULL ? disk->file : size,
        disk->guest != NULL ? ":" : "", disk->guest != NULL ? disk->guest : "",
        disk->is_readonly ? ":ro" : "");
}

/* ---- in a spec ------------------------------------------------------------------------------ */

void machine_spec_add_volume(struct machine_spec *spec, const struct machine_volume *volume)
{
    spec->volumes = memory_grow(spec->volumes, spec->volume_count + 1, sizeof(*spec->volumes));
    spec->volumes[spec->volume_count++] = *volume;
}

static bool is_taken(const struct machine_spec *spec, size_t slot)
{
    for (size_t i = 0; i < spec->disk_count; i++) {
        if (spec->disks[i].slot == slot) {
            return true;
        }
    }
    return false;
}

void machine_spec_add_disk(struct machine_spec *spec, const struct machine_disk *disk)
{
    size_t slot = 0;
    while (is_taken(spec, slot)) {
        slot++;
    }
    spec->disks = memory_grow(spec->disks, spec->disk_count + 1, sizeof(*spec->disks));
    spec->disks[spec->disk_count] = *disk;
    spec->disks[spec->disk_count++].slot = slot;
}

void machine_spec_remove_disk(struct machine_spec *spec, size_t index)
{
    free(spec->disks[index].file);
    free(spec->disks[index].guest);
    spec->disk_count--;
    memmove(&spec->disks[index], &spec->disks[index + 1],
        (spec->disk_count - index) * sizeof(*spec->disks));
}

size_t machine_spec_find_disk(const struct machine_spec *spec, const char *word)
{
    for (size_t i = 0; i < spec->disk_count; i++) {
        const struct machine_disk *disk = &spec->disks[i];
        /* More than there may be are refused later, by machine_mounts_check. */
        bool has_serial = disk->slot < MACHINE_DISKS_MAX;
        if ((has_serial && strcmp(word, serials[disk->slot]) == 0) ||
            (disk->guest != NULL && strcmp(word, disk->guest) == 0) ||
            (disk->file != NULL && strcmp(word, disk->file) == 0)) {
            return i;
        }
    }
    return SIZE_MAX;
}

size_t machine_spec_disk_slots(const struct machine_spec *spec)
{
    size_t slots = 0;
    for (size_t i = 0; i < spec->disk_count; i++) {
        slots = spec->disks[i].slot >= slots ? spec->disks[i].slot + 1 : slots;
    }
    return slots;
}

void machine_spec_clear_volumes(struct machine_spec *spec)
{
    for (size_t i = 0; i < spec->volume_count; i++) {
        free(spec->volumes[i].host);
        free(spec->volumes[i].guest);
    }
    free(spec->volumes);
    spec->volumes = NULL;
    spec->volume_count = 0;
}

void machine_mounts_done(struct machine_spec *spec)
{
    machine_spec_clear_volumes(spec);
    for (size_t i = 0; i < spec->disk_count; i++) {
        free(spec->disks[i].file);
        free(spec->disks[i].guest);
    }
    free(spec->disks);
    spec->disks = NULL;
    spec->disk_count = 0;
}

void machine_mounts_copy(const struct machine_spec *from, struct machine_spec *to)
{
    to->volumes = NULL;
    to->disks = NULL;
    to->volume_count = to->disk_count = 0;
    for (size_t i = 0; i < from->volume_count; i++) {
        struct machine_volume volume = from->volumes[i];
        volume.host = memory_strdup(volume.host);
        volume.guest = memory_strdup(volume.guest);
        machine_spec_add_volume(to, &volume);
    }
    for (size_t i = 0; i < from->disk_count; i++) {
        struct machine_disk disk = from->disks[i];
        disk.file = memory_strdup(disk.file);
        disk.guest = memory_strdup(disk.guest);
        machine_spec_add_disk(to, &disk);
        to->disks[i].slot = from->disks[i].slot;
    }
}

/* Only where a disk was removed: else they are in their order. */
static void put_slots(const struct machine_spec *spec, struct json *json)
{
    bool is_plain = true;
    auto_json struct json *slots = json_new_array();
    for (size_t i = 0; i < spec->disk_count; i++) {
        is_plain = is_plain && spec->disks[i].slot == i;
        json_append(slots, json_new_string(serials[spec->disks[i].slot]));
    }
    if (!is_plain) {
        json_put(json, "disk_serials", take_ptr(slots));
    }
}

static bool read_slots(const struct json *json, struct machine_spec *spec, struct error *err)
{
    const struct json *slots = json_get(json, "disk_serials");
    if (slots == NULL) {
        return true;
    }
    bool is_used[MACHINE_DISKS_MAX] = {0};
    bool is_sound = json_count(slots) == spec->disk_count;
    for (size_t i = 0; is_sound && i < spec->disk_count; i++) {
        const char *word = json_string_value(json_at(slots, i));
        size_t slot = 0;
        while (word != NULL && slot < MACHINE_DISKS_MAX && strcmp(word, serials[slot]) != 0) {
            slot++;
        }
        is_sound = word != NULL && slot < MACHINE_DISKS_MAX && !is_used[slot];
        if (is_sound) {
            is_used[slot] = true;
            spec->disks[i].slot = slot;
        }
    }
    return is_sound || error_set(err, ERROR_INVALID, "\"disk_serials\" does not fit its disks");
}

void machine_mounts_to_json(const struct machine_spec *spec, struct json *json)
{
    struct json *volumes = json_new_array();
    struct json *disks = json_new_array();
    for (size_t i = 0; i < spec->volume_count; i++) {
        auto_free char *word = format_volume(&spec->volumes[i]);
        json_append(volumes, json_new_string(word));
    }
    for (size_t i = 0; i < spec->disk_count; i++) {
        auto_free char *word = format_disk(&spec->disks[i]);
        json_append(disks, json_new_string(word));
    }
    if (spec->volume_count > 0) {
        json_put(json, "volumes", take_ptr(volumes));
    }
    if (spec->disk_count > 0) {
        json_put(json, "disks", take_ptr(disks));
        put_slots(spec, json);
    }
    json_free(volumes);
    json_free(disks);
}

bool machine_mounts_from_json(const struct json *json, struct machine_spec *spec, struct error *err)
{
    const struct json *volumes = json_get(json, "volumes");
    const struct json *disks = json_get(json, "disks");
    for (size_t i = 0; volumes != NULL && i < json_count(volumes); i++) {
        struct machine_volume volume;
        const char *word = json_string_value(json_at(volumes, i));
        if (!machine_volume_parse(word != NULL ? word : "", &volume, err)) {
            return false;
        }
        machine_spec_add_volume(spec, &volume);
    }
    for (size_t i = 0; disks != NULL && i < json_count(disks); i++) {
        struct machine_disk disk;
        const char *word = json_string_value(json_at(disks, i));
        if (!machine_disk_parse(word != NULL ? word : "", &disk, err)) {
            return false;
        }
        machine_spec_add_disk(spec, &disk);
    }
    return read_slots(json, spec, err);
}

/* ---- checking ------------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* A place that is what it says: no component leads elsewhere, none belongs to the kernel. */
static bool check_guest(const char *option, const char *path, struct error *err)
{
    static const char *const taken[] = {"/proc", "/sys", "/dev"};
    bool is_plain = path[0] == '/' && path[1] != '\0' && strlen(path) <= GUEST_PATH_MAX;
    for (const char *c = path; is_plain && *c != '\0'; c++) {
        is_plain = (unsigned char)*c > 0x20 && *c != 0x7f && *c != ':';
    }
    for (const char *at = path; is_plain && at != NULL; at = strchr(at + 1, '/')) {
        size_t len = strcspn(at + 1, "/");
        bool is_dots = (len == 1 && at[1] == '.') || (len == 2 && at[1] == '.' && at[2] == '.');
        is_plain = len > 0 && !is_dots;
    }
    if (!is_plain) {
        return error_set(err, ERROR_INVALID,
            "--%s: \"%s\" is no place for it in the guest: give an absolute path without ., .., "
            "blanks or colons",
            option, path);
    }
    for (size_t i = 0; i < array_length(taken); i++) {
        if (is_below(path, taken[i])) {
            return error_set(
                err, ERROR_INVALID, "--%s: %s belongs to the guest's kernel", option, taken[i]);
        }
    }
    return true;
}

static bool check_unique(
    const struct machine_spec *spec, const char *guest, size_t *seen, struct error *err)
{
    for (size_t i = 0; i < spec->volume_count + spec->disk_count; i++) {
        const char *other = i < spec->volume_count ? spec->volumes[i].guest
                                                   : spec->disks[i - spec->volume_count].guest;
        if (i < *seen && other != NULL && strcmp(other, guest) == 0) {
            return error_set(err, ERROR_INVALID,
                "%s of the guest is named twice: give each volume and disk a place of its own",
                guest);
        }
    }
    return true;
}

static bool check_volume(
    const struct machine_spec *spec, const struct machine_volume *volume, struct error *err)
{
    if (strcmp(spec->vmm == NULL ? "" : spec->vmm, "firecracker") == 0) {
        return error_set(err, ERROR_UNSUPPORTED,
            "Firecracker shares no directories, so --volume %s cannot work there: use --vmm qemu, "
            "or give it a disk (--disk) and copy (`vm cp`)",
            volume->host);
    }
    return volume->host[0] == '/' ||
           error_set(err, ERROR_INVALID, "--volume: %s is no absolute path", volume->host);
}

static bool check_disk(const struct machine_disk *disk, struct error *err)
{
    if (disk->file != NULL) {
        return disk->file[0] == '/' ||
               error_set(err, ERROR_INVALID, "--disk: %s is no absolute path", disk->file);
    }
    return disk->size_bytes >= MACHINE_DISK_BYTES_MIN ||
           error_set(
               err, ERROR_INVALID, "--disk: it is too small for a file system: give at least 16M");
}

bool machine_mounts_check(const struct machine_spec *spec, struct error *err)
{
    size_t seen = 0;
    if (spec->volume_count > MACHINE_VOLUMES_MAX ||
        machine_spec_disk_slots(spec) > MACHINE_DISKS_MAX) {
        return error_set(err, ERROR_INVALID, "at most %d volumes and %d disks are possible",
            MACHINE_VOLUMES_MAX, MACHINE_DISKS_MAX);
    }
    for (size_t i = 0; i < spec->volume_count; i++, seen++) {
        const struct machine_volume *volume = &spec->volumes[i];
        if (!check_guest("volume", volume->guest, err) || !check_volume(spec, volume, err) ||
            !check_unique(spec, volume->guest, &seen, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < spec->disk_count; i++, seen++) {
        const struct machine_disk *disk = &spec->disks[i];
        if (!check_disk(disk, err) ||
            (disk->guest != NULL && (!check_guest("disk", disk->guest, err) ||
                                        !check_unique(spec, disk->guest, &seen, err)))) {
            return false;
        }
    }
    return true;
}
