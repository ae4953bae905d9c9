/* SPDX-License-Identifier: MIT */
/* vm set: what a machine is made of, changed after it was made, in the words of vm run. */
#include "artifact/ext4.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/host/ops_net.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "store/image_store.h"
#include "store/layout.h"
#include "store/lock.h"
#include "vm/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

/* ---- words ---------------------------------------------------------------------------------- */

/* "none" takes them all away. */
static bool set_ports(const struct strings *words, struct machine_spec *spec, struct error *err)
{
    if (words->count == 0) {
        return true;
    }
    spec->port_count = 0;
    if (words->count == 1 && strcmp(words->items[0], "none") == 0) {
        return true;
    }
    return ops_vm_take_ports(words, spec, err);
}

static void set_word(char **field, const char *word)
{
    if (word != NULL) {
        free(*field);
        *field = memory_strdup(word[0] != '\0' ? word : NULL);
    }
}

/* The kernel still boots it, as far as that is known here. A kernel that is only named by what the
 * machine is already is not pulled for that, nor in a plan. */
static bool check_kernel(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    bool is_named = command_has(ops->command, "kernel-ref");
    bool is_here = spec->kernel_ref != NULL &&
                   !file_is_absent(store_kind_dir(ops->store, STORE_KERNEL), spec->kernel_ref);
    auto_done(boot_kernel) struct boot_kernel found = BOOT_KERNEL_INIT;
    auto_done(image_entry) struct image_entry image = {0};
    struct error ignored = {0};
    bool has_image = image_store_read(ops->store, spec->image, &image, &ignored);
    if (spec->kernel_ref == NULL ? !has_image
                                 : !is_here && (!is_named || command_is_dry_run(ops->command))) {
        return true;
    }
    return ops_vm_check_kernel(
        ops, spec, has_image ? &image : NULL, "choose another one", &found, NULL, err);
}

static bool set_kernel(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    static const char *const matters[] = {"kernel-ref", "vmm", "volume", "memory", "append"};
    const char *kernel = command_get(ops->command, "kernel-ref");
    if (kernel != NULL && !name_check_entry(kernel, "kernel name", err)) {
        return false;
    }
    set_word(&spec->kernel_ref, kernel);
    for (size_t i = 0; i < array_length(matters); i++) {
        if (command_has(ops->command, matters[i])) {
            return check_kernel(ops, spec, err);
        }
    }
    return true;
}

/* ---- directories and further disks ---------------------------------------------------------- */

static bool is_own_in_use(const struct vm_hand *hand, const struct machine_disk *disk)
{
    return disk->file == NULL && ops_vm_is_up(hand->facts.state);
}

/* One of the machine's own goes with what is on it, so that has to be said. */
static bool remove_disk(struct ops *ops, struct vm_hand *hand, const char *word, struct error *err)
{
    size_t index = machine_spec_find_disk(&hand->spec, word);
    if (index == SIZE_MAX) {
        return error_set(err, ERROR_INVALID,
            "--no-disk %s: VM %s has no such disk: give its place in the guest, its file, or disk1 "
            "and so on (`vm show %s`)",
            word, hand->name, hand->name);
    }
    const struct machine_disk *disk = &hand->spec.disks[index];
    if (is_own_in_use(hand, disk)) {
        return error_set(err, ERROR_IN_USE,
            "VM %s is %s and its disk is in use: stop it first (`vm stop %s`)", hand->name,
            machine_state_name(hand->facts.state), hand->name);
    }
    if (disk->file == NULL && !command_has(ops->command, "force")) {
        return error_set(err, ERROR_INVALID,
            "--no-disk %s: what is on that disk of VM %s would be gone for good: add --force", word,
            hand->name);
    }
    machine_spec_remove_disk(&hand->spec, index);
    return true;
}

/* Volumes come in place of those there were, disks beside them. */
static bool set_mounts(struct ops *ops, struct vm_hand *hand, size_t *added, struct error *err)
{
    const struct strings *gone = command_all(ops->command, "no-disk");
    struct machine_spec *spec = &hand->spec;
    if (command_has(ops->command, "volume")) {
        machine_spec_clear_volumes(spec);
    }
    /* New ones are counted after those that go: none gets the file of one that is still there. */
    *added = command_all(ops->command, "disk")->count;
    if (!ops_vm_take_mounts(ops, spec, err)) {
        return false;
    }
    for (size_t i = 0; i < gone->count; i++) {
        if (!remove_disk(ops, hand, gone->items[i], err)) {
            return false;
        }
    }
    bool is_changed = command_has(ops->command, "volume") || *added > 0 || gone->count > 0;
    return !is_changed || ops_vm_check_mounts(ops, spec, err);
}

/* Files first, then the record, which nobody reads before it is whole. A file that no record names is
 * left by one that was killed here. */
static bool make_disks(const struct vm_hand *hand, size_t added, struct error *err)
{
    size_t first = hand->spec.disk_count - added;
    for (size_t i = first; i < hand->spec.disk_count; i++) {
        unlinkat(hand->dir, machine_disk_file(hand->spec.disks[i].slot), 0);
    }
    return added == 0 || (ops_vm_make_disks(hand->dir, &hand->spec, first, err) &&
                             file_sync_dir(hand->dir, ".", err));
}

/* After the record: what it does not name any more. */
static void drop_disks(const struct vm_hand *hand, const struct machine_spec *before)
{
    for (size_t i = 0; i < before->disk_count; i++) {
        const struct machine_disk *disk = &before->disks[i];
        const char *serial = machine_disk_serial(disk->slot);
        if (disk->file == NULL && machine_spec_find_disk(&hand->spec, serial) == SIZE_MAX) {
            unlinkat(hand->dir, machine_disk_file(disk->slot), 0);
        }
    }
}

static const char *disk_file(const struct machine_spec *spec)
{
    return spec->root == MACHINE_ROOT_COPY ? MACHINE_ROOT_FILE : MACHINE_UPPER_FILE;
}

/* The file first, then the record: the guest grows its file system to the file at the next start,
 * and a file that is larger than recorded harms nobody. */
static bool grow_disk(const struct vm_hand *hand, uint64_t before_bytes, struct error *err)
{
    const char *name = disk_file(&hand->spec);
    uint64_t wanted = hand->spec.disk_bytes;
    if (wanted == before_bytes) {
        return true;
    }
    if (wanted < before_bytes) {
        return error_set(err, ERROR_INVALID,
            "--disk-size: the disk of VM %s has %llu MiB already and can only grow", hand->name,
            (unsigned long long)(before_bytes / MIB));
    }
    if (ops_vm_is_up(hand->facts.state)) {
        return error_set(err, ERROR_IN_USE,
            "VM %s is %s and its disk is in use: stop it first (`vm stop %s`)", hand->name,
            machine_state_name(hand->facts.state), hand->name);
    }
    if (wanted > EXT4_SIZE_MAX) {
        return error_set(err, ERROR_INVALID, "--disk-size: 16T is the most");
    }
    auto_close int fd = openat(hand->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 ||
        (status.st_size < (off_t)wanted && ftruncate(fd, (off_t)wanted) != 0) || fsync(fd) != 0) {
        return error_set_errno(err, errno, "cannot make the disk of VM %s larger", hand->name);
    }
    return true;
}

/* ---- the verb ------------------------------------------------------------------------------- */

/* Sizes and choices. */
static bool set_words(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    const struct command *command = ops->command;
    const char *key = command_get(command, "ssh-key");
    if (command_has(command, "vcpu")) {
        spec->vcpu = command_number(command, "vcpu");
    }
    if (command_has(command, "memory")) {
        spec->memory_mib = command_size(command, "memory") / MIB;
    }
    if (command_has(command, "disk-size")) {
        spec->disk_bytes = command_size(command, "disk-size");
    }
    if (command_has(command, "restart") &&
        !machine_restart_parse(command_get(command, "restart"), &spec->restart, err)) {
        return false;
    }
    if (command_has(command, "autostart")) {
        spec->is_autostart = strcmp(command_get(command, "autostart"), "yes") == 0;
    }
    set_word(&spec->append, command_get(command, "append"));
    set_word(&spec->vmm, command_get(command, "vmm"));
    return (key == NULL || ops_vm_take_key(strcmp(key, "none") == 0 ? NULL : key, spec, err)) &&
           ops_vm_take_env(ops, &spec->program, err);
}

/* The words of the command over what there was; nothing is written. */
static bool apply(struct ops *ops, struct vm_hand *hand, size_t *added, struct error *err)
{
    struct machine_spec *spec = &hand->spec;
    return set_words(ops, spec, err) &&
           set_ports(command_all(ops->command, "publish"), spec, err) &&
           ops_net_choose(ops, spec, false, err) && set_mounts(ops, hand, added, err) &&
           machine_spec_validate(spec, err) && ops_vm_check_vmm(ops, spec, err) &&
           set_kernel(ops, spec, err) && ops_vm_check_host(ops, spec, ERROR_INVALID, NULL, err);
}

/* Something to change was named. */
static bool check_changes(const struct command *command, struct error *err)
{
    const struct verb *verb = command_verb(command);
    for (size_t i = 0; i < verb->argument_count; i++) {
        const char *word = verb->arguments[i].name;
        if (!verb->arguments[i].is_positional && strcmp(word, "force") != 0 &&
            command_has(command, word)) {
            return true;
        }
    }
    return error_set(
        err, ERROR_INVALID, "nothing to change was named: see `help vm set` for what can be set");
}

static bool is_same(const struct machine_spec *a, const struct machine_spec *b)
{
    auto_json struct json *one = machine_spec_to_json(a);
    auto_json struct json *other = machine_spec_to_json(b);
    auto_done(text) struct text old = {0}, new = {0};
    json_write(one, false, &old);
    json_write(other, false, &new);
    return strcmp(text_cstr(&old), text_cstr(&new)) == 0;
}

/* Disks and record; the disks that go are the last. */
static bool write_changes(struct ops *ops, const struct vm_hand *hand,
    const struct machine_spec *before, size_t added, struct error *err)
{
    if (!grow_disk(hand, before->disk_bytes, err) || !make_disks(hand, added, err)) {
        return error_wrap(err, "VM %s was left as it is", hand->name);
    }
    if (is_same(before, &hand->spec)) {
        return true;
    }
    if (!ops_vm_write_spec(hand, NULL, err)) {
        return false;
    }
    drop_disks(hand, before);
    return ops_vm_autostart(ops, &hand->spec, err);
}

bool ops_vm_set(struct ops *ops, struct json **result, struct error *err)
{
    size_t added = 0;
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(machine_spec) struct machine_spec before = {0};
    if (!check_changes(ops->command, err) || !ops_vm_take(ops, name, "set", &hand, err)) {
        return false;
    }
    machine_spec_copy(&hand.spec, &before);
    auto_lock struct lock *network = NULL;
    if (!apply(ops, &hand, &added, err)) {
        return error_wrap(err, "VM %s was left as it is", name);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "set", name, 0);
        return true;
    }
    if (!ops_net_assign(ops, &hand.spec, &network, err) ||
        !write_changes(ops, &hand, &before, added, err)) {
        return false;
    }
    bool is_changed = !is_same(&before, &hand.spec);
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, name, is_changed);
    if (is_changed && ops_vm_is_up(hand.facts.state)) {
        json_put_string(*result, "note", "what was changed holds from the next start on");
    }
    if (is_changed && hand.spec.is_autostart && command_has(ops->command, "autostart")) {
        json_put_string(
            *result, "next", "so that it starts before anybody logs in: loginctl enable-linger");
    }
    return true;
}
