/* SPDX-License-Identifier: MIT */
/* Firecracker. Its command line says almost nothing: what the machine is made of is said in calls
 * over its socket, in the order below, and the last one starts it. A field that its version does not
 * know is an error, so only those are sent that all versions in use know. */
#include "vm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/api_client.h"
#include "vm/disk.h"
#include "vm/machine_control.h"
#include "vm/vmm_host.h"

#define VCPU_MAX 32
#define CARD "eth0"
#define ENTROPY_SINCE_MINOR 4
#define LOOK_MS 2
#define SAVE_TIMEOUT_MS (30u * 60 * 1000)
#define GUEST_CID 3 /* each machine has a vsock of its own, so all may have the same */

static bool has_entropy(const char *version)
{
    unsigned major = 0;
    unsigned minor = 0;
    return sscanf(version, "%u.%u", &major, &minor) == 2 &&
           (major > 1 || (major == 1 && minor >= ENTROPY_SINCE_MINOR));
}

/* ---- the plan ------------------------------------------------------------------------------- */

/* Released versions start nothing else, and say so only in the middle of a start. */
static bool check_kernel(const struct machine_boot *boot, struct error *err)
{
    char magic[4] = "";
    auto_close int fd = openat(boot->vm_dir, boot->kernel_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot read the kernel %s", boot->kernel_path);
    }
    if (read(fd, magic, sizeof(magic)) != sizeof(magic) || memcmp(magic, "\177ELF", 4) != 0) {
        return error_set(err, ERROR_UNSUPPORTED,
            "Firecracker starts uncompressed kernels (vmlinux) alone and %s is none: choose "
            "another one with --kernel-ref, or use --vmm qemu",
            boot->kernel_path);
    }
    return true;
}

static bool check(const struct machine_spec *spec, enum accel_kind accel, struct error *err)
{
    if (accel != ACCEL_KVM) {
        return error_set(err, ERROR_UNSUPPORTED,
            "Firecracker needs KVM and has no software emulation: use --vmm qemu");
    }
    if (spec->vcpu > VCPU_MAX) {
        return error_set(err, ERROR_UNSUPPORTED,
            "Firecracker gives a machine at most %d CPUs: use fewer, or --vmm qemu", VCPU_MAX);
    }
    if (spec->volume_count > 0) {
        return error_set(err, ERROR_UNSUPPORTED,
            "Firecracker shares no directories, so --volume cannot work there: use --vmm qemu, or "
            "give the machine a disk (--disk) and copy (`vm cp`)");
    }
    for (size_t i = 0; i < spec->port_count; i++) {
        if (spec->ports[i].is_udp && spec->net != NET_NAT) {
            return error_set(err, ERROR_UNSUPPORTED,
                "port %u/udp cannot be published on Firecracker, which has no network of its own: "
                "use --net nat, or --vmm qemu",
                spec->ports[i].guest_port);
        }
    }
    return true;
}

/* Takes body over. */
static void add_call(struct vmm_plan *plan, const char *path, struct json *body)
{
    auto_done(text) struct text text = {0};
    json_write(body, false, &text);
    strings_add(&plan->calls, path);
    strings_add(&plan->calls, text_cstr(&text));
    json_free(body);
}

/* Its disks tell the guest no serial of ours, but they come in the order of the calls. */
static void add_disk_order(const struct disk_list *disks, struct text *arguments)
{
    for (size_t i = 0; i < disks->count; i++) {
        text_printf(arguments, "%s%s", i == 0 ? " banger.disks=" : ",", disks->items[i].serial);
    }
}

static void add_boot_source(struct vmm_plan *plan, const struct machine_spec *spec,
    const struct machine_boot *boot, const struct disk_list *disks)
{
    auto_done(text) struct text arguments = {0};
    /* Without words of our own it would add nomodule, and with it no module of an initrd loads. The
     * keyboard's controller is all that is asked for: ctrl-alt-del, and an end by reboot=k. */
    text_append(&arguments, "console=ttyS0 reboot=k panic=1 loglevel=6 i8042.noaux i8042.nomux "
                            "i8042.dumbkbd");
    add_disk_order(disks, &arguments);
    if (boot->guest_args != NULL) {
        text_printf(&arguments, " %s", boot->guest_args);
    }
    if (spec->append != NULL) {
        text_printf(&arguments, " %s", spec->append);
    }
    struct json *body = json_new_object();
    json_put_string(body, "kernel_image_path", boot->kernel_path);
    if (boot->initrd_path != NULL) {
        json_put_string(body, "initrd_path", boot->initrd_path);
    }
    json_put_string(body, "boot_args", text_cstr(&arguments));
    add_call(plan, "/boot-source", body);
}

/* None is the root device: the initrd finds them, by their order here. */
static void add_drive(struct vmm_plan *plan, const struct disk *disk)
{
    auto_free char *path = memory_printf("/drives/%s", disk->serial);
    struct json *body = json_new_object();
    json_put_string(body, "drive_id", disk->serial);
    json_put_string(body, "path_on_host", disk->path);
    json_put_bool(body, "is_root_device", false);
    json_put_bool(body, "is_read_only", disk->is_readonly);
    if (!disk->is_readonly) {
        json_put_string(body, "cache_type", "Writeback"); /* else a guest's flush does nothing */
    }
    add_call(plan, path, body);
}

static void add_network(
    struct vmm_plan *plan, const struct machine_spec *spec, const struct net_link *net)
{
    if (net->tap[0] == '\0') {
        return;
    }
    struct json *card = json_new_object();
    json_put_string(card, "iface_id", CARD);
    json_put_string(card, "host_dev_name", net->tap);
    json_put_string(card, "guest_mac", spec->mac);
    add_call(plan, "/network-interfaces/" CARD, card);
}

static void add_devices(struct vmm_plan *plan, const char *version)
{
    struct json *vsock = json_new_object();
    json_put_integer(vsock, "guest_cid", GUEST_CID);
    json_put_string(vsock, "uds_path", VMM_VSOCK_SOCKET);
    add_call(plan, "/vsock", vsock);
    if (has_entropy(version)) {
        add_call(plan, "/entropy", json_new_object());
    }
    struct json *balloon = json_new_object();
    json_put_integer(balloon, "amount_mib", 0);
    json_put_bool(balloon, "deflate_on_oom", true);
    add_call(plan, "/balloon", balloon);
}

static void add_calls(struct vmm_plan *plan, const struct machine_spec *spec,
    const struct machine_boot *boot, const struct disk_list *disks, const char *version)
{
    struct json *machine = json_new_object();
    json_put_integer(machine, "vcpu_count", (int64_t)spec->vcpu);
    json_put_integer(machine, "mem_size_mib", (int64_t)spec->memory_mib);
    add_call(plan, "/machine-config", machine);
    add_boot_source(plan, spec, boot, disks);
    for (size_t i = 0; i < disks->count; i++) {
        add_drive(plan, &disks->items[i]);
    }
    add_network(plan, spec, &boot->net);
    add_devices(plan, version);
    struct json *start = json_new_object();
    json_put_string(start, "action_type", "InstanceStart");
    add_call(plan, "/actions", start);
}

static bool plan(const struct machine_spec *spec, const struct machine_boot *boot,
    const struct accel_choice *accel, struct vmm_plan *out, struct error *err)
{
    struct disk_list disks;
    auto_done(vmm_probe) struct vmm_probe found = {0};
    if (!check(spec, accel->kind, err) || !check_kernel(boot, err) ||
        !disk_list_for(spec, boot, &disks, err)) {
        return false;
    }
    vmm_host_probe(boot->host, &vmm_firecracker.program, boot->firecracker, &found);
    if (!found.is_usable) {
        return error_set(err, ERROR_UNSUPPORTED, "%s", found.why);
    }
    /* It reads its stdin only from a terminal, and drops what does not fit its stdout. */
    struct vmm_plan made = {.accel = accel->kind, .has_terminal = true};
    snprintf(made.kind, sizeof(made.kind), "%s", vmm_firecracker.name);
    snprintf(made.accel_why, sizeof(made.accel_why), "%s", accel->why);
    strings_add(&made.argv, found.path);
    strings_add(&made.argv, "--api-sock");
    strings_add(&made.argv, VMM_API_SOCKET);
    /* It would log into the serial port. A file of that name would have to be there already. */
    strings_add(&made.argv, "--log-path");
    strings_add(&made.argv, "/dev/stderr");
    strings_add(&made.argv, "--level");
    strings_add(&made.argv, "Warning");
    strings_add(&made.argv, "--id"); /* part of the machine's identity: see machine_control.h */
    strings_add(&made.argv, spec->uuid);
    add_calls(&made, spec, boot, &disks, found.version);
    made.memory = memory_strdup(boot->memory);
    *out = made;
    return true;
}

/* ---- its socket ----------------------------------------------------------------------------- */

static struct api_target target_in(int vm_dir)
{
    return (struct api_target){.dir = vm_dir, .socket = VMM_API_SOCKET, .who = "Firecracker"};
}

/* Until its socket answers: it binds it some time after its exec. */
static bool await_socket(const struct api_target *target, const struct vmm_start *start,
    uint64_t deadline, struct error *err)
{
    struct pollfd gone = {.fd = start->pidfd, .events = POLLIN};
    for (;;) {
        struct error failure = {0};
        int left_ms = clock_left_ms(deadline);
        if (api_call(target, "GET", "/version", NULL, (uint64_t)left_ms, NULL, NULL, &failure)) {
            return true;
        }
        if (failure.code != ERROR_NOT_FOUND || left_ms == 0) {
            *err = failure;
            return false;
        }
        if (poll(&gone, 1, LOOK_MS) > 0) {
            return error_set(err, ERROR_VMM, "Firecracker ended before it answered");
        }
    }
}

/* In place of all other calls: what the machine is made of is in its state. */
static bool load_machine(
    const struct api_target *target, const char *where, uint64_t timeout_ms, struct error *err)
{
    auto_free char *state = memory_printf("%s/" VMM_STATE_FILE, where);
    auto_free char *memory = memory_printf("%s/" VMM_MEMORY_FILE, where);
    auto_json struct json *body = json_new_object();
    struct json *source = json_new_object();
    json_put_string(source, "backend_type", "File");
    json_put_string(source, "backend_path", memory);
    json_put_string(body, "snapshot_path", state);
    json_put(body, "mem_backend", source);
    json_put_bool(body, "resume_vm", true);
    return api_call(target, "PUT", "/snapshot/load", body, timeout_ms, NULL, NULL, err);
}

static bool boot_machine(const struct vmm_start *start, struct text *rest, struct error *err)
{
    (void)rest;
    struct api_target target = target_in(start->vm_dir);
    const struct strings *calls = &start->plan->calls;
    uint64_t deadline = clock_deadline(start->timeout_ms);
    if (!await_socket(&target, start, deadline, err)) {
        return false;
    }
    if (start->plan->memory != NULL) {
        return load_machine(&target, start->plan->memory, (uint64_t)clock_left_ms(deadline), err);
    }
    for (size_t i = 0; i + 1 < calls->count; i += 2) {
        const char *words = calls->items[i + 1];
        auto_json struct json *body = json_parse(words, strlen(words), API_ANSWER_MAX,
            limits_default.json_depth, "the plan of a machine", err);
        if (body == NULL || !api_call(&target, "PUT", calls->items[i], body,
                                (uint64_t)clock_left_ms(deadline), NULL, NULL, err)) {
            return false;
        }
    }
    return true;
}

static bool call_with(int vm_dir, const char *method, const char *path, const char *key,
    const char *value, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct api_target target = target_in(vm_dir);
    auto_json struct json *body = json_new_object();
    json_put_string(body, key, value);
    return api_call(&target, method, path, body, timeout_ms, cancel, NULL, err);
}

static bool press_ctrl_alt_del(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    return call_with(
        vm_dir, "PUT", "/actions", "action_type", "SendCtrlAltDel", timeout_ms, cancel, err);
}

/* After a pause and a resume, 1.16 delivers nothing to the guest's vsock any more, and so nothing to
 * its agent: there the process is stopped instead, which is the same for all who look at it. */
static bool loses_vsock(const char *version)
{
    unsigned major = 0;
    unsigned minor = 0;
    return sscanf(version, "%u.%u", &major, &minor) == 2 && major == 1 && minor == 16;
}

static bool signal_process(int vm_dir, int number, struct error *err)
{
    struct machine_handle handle;
    return machine_handle_read(vm_dir, &handle, err) && process_signal(&handle.vmm, number, err);
}

static bool pause_machine(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct api_target target = target_in(vm_dir);
    struct json *said = NULL;
    if (!api_call(&target, "GET", "/version", NULL, timeout_ms, cancel, &said, err)) {
        return false;
    }
    bool is_lossy = loses_vsock(json_string(said, "firecracker_version", ""));
    json_free(said);
    return is_lossy ? signal_process(vm_dir, SIGSTOP, err)
                    : call_with(vm_dir, "PATCH", "/vm", "state", "Paused", timeout_ms, cancel, err);
}

static bool resume_machine(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct api_target target = target_in(vm_dir);
    struct json *said = NULL;
    if (!signal_process(vm_dir, SIGCONT, err) ||
        !api_call(&target, "GET", "/", NULL, timeout_ms, cancel, &said, err)) {
        return false;
    }
    bool is_paused = strcmp(json_string(said, "state", ""), "Paused") == 0;
    json_free(said);
    return !is_paused ||
           call_with(vm_dir, "PATCH", "/vm", "state", "Resumed", timeout_ms, cancel, err);
}

/* The process that is to be asked must not have been stopped, and must go on afterwards with what it
 * had: see loses_vsock. */
static bool can_save(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, char *version,
    size_t size, struct error *err)
{
    struct api_target target = target_in(vm_dir);
    struct json *said = NULL;
    if (!api_call(&target, "GET", "/version", NULL, timeout_ms, cancel, &said, err)) {
        return false;
    }
    snprintf(version, size, "%s", json_string(said, "firecracker_version", ""));
    json_free(said);
    return !loses_vsock(version) ||
           error_set(err, ERROR_UNSUPPORTED,
               "Firecracker %s reaches no agent any more after its memory was kept: leave --memory "
               "out, or use another version or --vmm qemu",
               version);
}

static bool save_machine(
    int vm_dir, const char *where, const struct cancel *cancel, struct error *err)
{
    struct api_target target = target_in(vm_dir);
    auto_free char *state = memory_printf("%s/" VMM_STATE_FILE, where);
    auto_free char *memory = memory_printf("%s/" VMM_MEMORY_FILE, where);
    auto_json struct json *body = json_new_object();
    json_put_string(body, "snapshot_type", "Full");
    json_put_string(body, "snapshot_path", state);
    json_put_string(body, "mem_file_path", memory);
    return api_call(&target, "PUT", "/snapshot/create", body, SAVE_TIMEOUT_MS, cancel, NULL, err);
}

static const char *explain_status(int status)
{
    static const char *const sentences[] = {
        "Firecracker made a system call that its own filter forbids",
        "Firecracker met a bus error: a file of its was cut short, or the host is out of memory",
        "Firecracker met a memory fault of its own",
        "Firecracker met the limit on the size of a file",
        "Firecracker was given a configuration file it does not accept",
        "Firecracker was given a command line it does not accept: its version may be too old",
        "Firecracker met the limit on CPU time",
        "Firecracker wrote to a pipe that nobody reads",
        "Firecracker was hung up on",
        "Firecracker met an instruction that this CPU does not have",
    };
    const int first = 148;
    return status >= first && status < first + (int)array_length(sentences)
               ? sentences[status - first]
               : NULL;
}

static const char *chosen_program(const struct machine_boot *boot)
{
    return boot->firecracker;
}

const struct vmm_backend vmm_firecracker = {
    .name = "firecracker",
    .program = {.name = "firecracker",
        .title = "Firecracker",
        .missing = "put its release in PATH or set FIRECRACKER_BIN, or use --vmm qemu",
        .prefix = "Firecracker v"},
    .chosen_program = chosen_program,
    .check = check,
    .has_vsock = true,
    .ends_by_reboot = true,
    .wants_elf = true,
    .plan = plan,
    .boot = boot_machine,
    .press_ctrl_alt_del = press_ctrl_alt_del,
    .pause = pause_machine,
    .resume = resume_machine,
    .can_save = can_save,
    .save = save_machine,
    .explain_status = explain_status,
};
