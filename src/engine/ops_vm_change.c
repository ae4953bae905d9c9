/* SPDX-License-Identifier: MIT */
/* vm set, rename: what a machine is made of, changed after it was made. */
#include "artifact/ext4.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/ops.h"
#include "engine/ops_boot_kernel.h"
#include "engine/ops_common.h"
#include "engine/ops_net.h"
#include "engine/ops_vm.h"
#include "store/lock.h"
#include "store/publish.h"
#include "store/vm_store.h"
#include "vm/net.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static bool write_spec(const struct vm_hand *hand, const char *was, struct error *err)
{
    auto_json struct json *record = machine_spec_to_json(&hand->spec);
    json_put_string(record, "was", was);
    return vm_store_write_document(hand->dir, VM_DOCUMENT_SPEC, record, err);
}

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
    for (size_t i = 0; i < words->count; i++) {
        struct machine_port port;
        if (!net_parse_publish(words->items[i], &port, err)) {
            return false;
        }
        machine_spec_publish(spec, &port);
    }
    return true;
}

/* All of them in place of those there were; "none" takes them away. */
static bool set_volumes(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    if (!command_has(ops->command, "volume")) {
        return true;
    }
    machine_spec_clear_volumes(spec);
    return ops_vm_take_mounts(ops, spec, err) && ops_vm_check_mounts(ops, spec, err);
}

static void set_word(char **field, const char *word)
{
    if (word != NULL) {
        free(*field);
        *field = memory_strdup(word[0] != '\0' ? word : NULL);
    }
}

static bool set_kernel(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    const char *kernel = command_get(ops->command, "kernel-ref");
    if (kernel == NULL) {
        return true;
    }
    if (!name_check_entry(kernel, "kernel name", err)) {
        return false;
    }
    set_word(&spec->kernel_ref, kernel);
    auto_done(boot_kernel) struct boot_kernel found = BOOT_KERNEL_INIT;
    return ops_vm_check_kernel(ops, spec, NULL, "choose another one", &found, NULL, err);
}

/* The words of the command over what there was; nothing is written. */
static bool apply(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    const struct command *command = ops->command;
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
    return set_ports(command_all(command, "publish"), spec, err) &&
           ops_net_choose(ops, spec, false, err) && set_volumes(ops, spec, err) &&
           set_kernel(ops, spec, err) && machine_spec_validate(spec, err) &&
           ops_vm_check_vmm(ops, spec, err) &&
           ops_vm_check_host(ops, spec, ERROR_INVALID, NULL, err);
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

static bool has_changes(const struct command *command)
{
    const struct verb *verb = command_verb(command);
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (!verb->arguments[i].is_positional && command_has(command, verb->arguments[i].name)) {
            return true;
        }
    }
    return false;
}

bool ops_vm_set(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!has_changes(ops->command)) {
        return error_set(err, ERROR_INVALID,
            "nothing to change was named: see `help vm set` for what can be set");
    }
    if (!ops_vm_take(ops, name, "set", &hand, err)) {
        return false;
    }
    uint64_t before_bytes = hand.spec.disk_bytes;
    auto_json struct json *before = machine_spec_to_json(&hand.spec);
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "set", name, 0);
        return true;
    }
    auto_lock struct lock *network = NULL;
    if (!apply(ops, &hand.spec, err) || !ops_net_assign(ops, &hand.spec, &network, err) ||
        !grow_disk(&hand, before_bytes, err)) {
        return error_wrap(err, "VM %s was left as it is", name);
    }
    auto_json struct json *after = machine_spec_to_json(&hand.spec);
    auto_done(text) struct text old = {0}, new = {0};
    json_write(before, false, &old);
    json_write(after, false, &new);
    bool is_changed = strcmp(text_cstr(&old), text_cstr(&new)) != 0;
    if (is_changed && (!write_spec(&hand, NULL, err) || !ops_vm_autostart(ops, &hand.spec, err))) {
        return false;
    }
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

bool ops_vm_rename(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    const char *new_name = command_get(ops->command, "new");
    auto_free char *object = memory_printf("vm/%s", new_name);
    auto_lock struct lock *lock = NULL;
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!name_check_label(new_name, "VM name", err)) {
        return false;
    }
    if (strcmp(name, new_name) == 0) {
        return error_set(err, ERROR_EXISTS, "VM %s has that name already", name);
    }
    if (!ops_claim(ops, object, err) ||
        !ops_vm_take_both(ops, name, new_name, "rename", &lock, &hand, err)) {
        return false;
    }
    if (ops_vm_is_up(hand.facts.state)) {
        return error_set(err, ERROR_IN_USE, "VM %s is %s: stop it first (`vm stop %s`)", name,
            machine_state_name(hand.facts.state), name);
    }
    if (vm_store_exists(ops->store, new_name)) {
        return error_set(
            err, ERROR_EXISTS, "there is already a VM %s: choose another name", new_name);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "rename", name, 0);
        return true;
    }
    free(hand.spec.name);
    hand.spec.name = memory_strdup(new_name);
    /* Until the directory has its new name, the record belongs to the old one: vm_store.h. */
    if (!write_spec(&hand, name, err) ||
        !store_rename_entry(ops->store, STORE_VM, name, new_name, err)) {
        return false;
    }
    struct error ignored = {0};
    write_spec(&hand, NULL, &ignored);
    if (hand.spec.is_autostart && !ops_vm_autostart(ops, &hand.spec, err)) {
        return false;
    }
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, new_name, true);
    json_put_string(*result, "was", name);
    return true;
}
