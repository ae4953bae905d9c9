/* SPDX-License-Identifier: MIT */
/* QEMU's microvm machine. Every option below has its reason beside it; the whole line was measured
 * with and without KVM. The process runs in the foreground under our monitor (-daemonize and the
 * sandbox kill each other), with the machine's directory as its working directory. */
#include "vm/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/disk.h"
#include "vm/machine_control.h"
#include "vm/net.h"
#include "vm/qemu_memory.h"
#include "vm/qmp.h"
#include "vm/vmm_host.h"

#define PROGRAM "qemu-system-x86_64"
#define PACKAGE "qemu-system-x86"
/* The translation cache is a quarter of the guest's memory, up to 1 GiB, unless it is capped. */
#define TCG_CACHE "tb-size=64"

static void add(struct strings *argv, const char *option, const char *value)
{
    strings_add(argv, option);
    if (value != NULL) {
        strings_add(argv, value);
    }
}

/* Kernel arguments that serve every distribution's kernel. Ours come first, so that the operator's
 * win where a later word counts. */
static bool kernel_arguments(const struct machine_spec *spec, const struct machine_boot *boot,
    enum accel_kind accel, struct text *out, struct error *err)
{
    /* reboot=k ends the machine at once with -no-reboot and i8042; panic=-1: without a second's
     * wait; loglevel=6: what happens, without the thousand lines of the boot. */
    text_append(out, "console=ttyS0 reboot=k panic=-1 loglevel=6");
    if (accel == ACCEL_TCG) {
        /* The microvm has no clock to calibrate the TSC against: under TCG it is the host's. */
        uint64_t khz = vmm_host_tsc_khz(boot->host);
        if (khz == 0) {
            return error_set(err, ERROR_UNSUPPORTED,
                "this host has no time stamp counter that a software-emulated machine could use");
        }
        text_printf(out, " tsc_early_khz=%llu tsc=reliable", (unsigned long long)khz);
        /* The kernel's tests of its ciphers are a fifth of an emulated boot. */
        text_append(out, " cryptomgr.notests");
    }
    if (boot->guest_args != NULL) {
        text_printf(out, " %s", boot->guest_args);
    }
    if (spec->append != NULL) {
        text_printf(out, " %s", spec->append);
    }
    return true;
}

static void add_machine(
    struct strings *argv, const struct machine_spec *spec, enum accel_kind accel)
{
    add(argv, "-name", spec->name);
    add(argv, "-uuid", spec->uuid);     /* part of the machine's identity: see machine_control.h */
    add(argv, "-M", "microvm,acpi=on"); /* Debian's kernels find virtio-mmio only through ACPI */
    if (accel == ACCEL_KVM) {
        add(argv, "-accel", "kvm");
        add(argv, "-cpu", "host");
    } else {
        add(argv, "-accel", "tcg," TCG_CACHE);
        add(argv, "-cpu", "max"); /* RDRAND: no wait for entropy */
    }
    add(argv, "-smp", NULL);
    strings_printf(argv, "%llu", (unsigned long long)spec->vcpu);
    add(argv, "-m", NULL);
    strings_printf(argv, "%llu", (unsigned long long)spec->memory_mib);
    add(argv, "-nodefaults", NULL);
    add(argv, "-no-user-config", NULL);
    add(argv, "-display", "none");
    add(argv, "-no-reboot", NULL);
    add(argv, "-S", NULL); /* until the monitor listens, so that no event is missed */
    add(argv, "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    add(argv, "-global", "virtio-mmio.force-legacy=false");
}

/* JSON: no character of a path has a meaning there, and the format is never guessed. */
static void add_disk(struct strings *argv, const struct disk *disk)
{
    auto_json struct json *node = json_new_object();
    json_put_string(node, "driver", "raw");
    json_put_string(node, "node-name", disk->serial);
    json_put_bool(node, "read-only", disk->is_readonly);
    struct json *file = json_new_object();
    json_put_string(file, "driver", "file");
    json_put_string(file, "filename", disk->path);
    if (!disk->is_readonly) {
        json_put_string(node, "discard", "unmap"); /* what the guest frees becomes a hole again */
    }
    json_put(node, "file", file);
    auto_done(text) struct text text = {0};
    json_write(node, false, &text);
    add(argv, "-blockdev", text_cstr(&text));
    add(argv, "-device", NULL);
    strings_printf(argv, "virtio-blk-device,drive=%s,serial=%s", disk->serial, disk->serial);
}

/* Options have no JSON here: a comma in a path is doubled. What the guest's root makes belongs to
 * whoever runs the machine, and links in it are followed by the guest alone. */
static void add_volume(struct strings *argv, size_t number, const struct machine_volume *volume)
{
    auto_done(text) struct text option = {0};
    text_printf(&option, "local,id=volume%zu,security_model=none,multidevs=remap%s,path=", number,
        volume->is_readonly ? ",readonly=on" : "");
    for (const char *c = volume->host; *c != '\0'; c++) {
        text_append_char(&option, *c);
        if (*c == ',') {
            text_append_char(&option, ',');
        }
    }
    add(argv, "-fsdev", text_cstr(&option));
    add(argv, "-device", NULL);
    strings_printf(argv, "virtio-9p-device,fsdev=volume%zu,mount_tag=volume%zu", number, number);
}

static void add_chardev(struct strings *argv, const char *id, enum vmm_line line)
{
    add(argv, "-chardev", NULL);
    strings_printf(argv, "socket,id=%s,fd=%d,server=on,wait=off", id, VMM_LINE_FD + (int)line);
}

static void add_lines(struct strings *argv)
{
    add_chardev(argv, "serial", VMM_LINE_SERIAL);
    add(argv, "-serial", "chardev:serial");
    add_chardev(argv, "events", VMM_LINE_EVENTS);
    add(argv, "-mon", "chardev=events,mode=control");
    add_chardev(argv, "control", VMM_LINE_CONTROL);
    add(argv, "-mon", "chardev=control,mode=control");
    add_chardev(argv, "agent", VMM_LINE_AGENT);
    add(argv, "-device", "virtio-serial-device");
    add(argv, "-device", "virtserialport,chardev=agent,name=org.banger.agent");
}

/* Published TCP ports are the monitor's; what goes by UDP has no stream of the agent's. */
static void add_network(
    struct strings *argv, const struct machine_spec *spec, const struct net_link *net)
{
    auto_done(text) struct text netdev = {0};
    if (net->mode == NET_NONE) {
        return;
    }
    if (net->tap[0] != '\0') {
        text_printf(&netdev, "tap,id=net,ifname=%s,script=no,downscript=no", net->tap);
        add(argv, "-netdev", text_cstr(&netdev));
        add(argv, "-device", NULL);
        strings_printf(argv, "virtio-net-device,netdev=net,mac=%s", spec->mac);
        return;
    }
    text_append(&netdev, "user,id=net");
    for (size_t i = 0; i < spec->port_count; i++) {
        const struct machine_port *port = &spec->ports[i];
        if (port->is_udp) {
            text_printf(&netdev, ",hostfwd=udp:%s:%u-:%u", port->host_address, port->host_port,
                port->guest_port);
        }
    }
    add(argv, "-netdev", text_cstr(&netdev));
    add(argv, "-device", NULL);
    strings_printf(argv, "virtio-net-device,netdev=net,mac=%s", spec->mac);
}

static void add_small_devices(struct strings *argv)
{
    add(argv, "-object", "rng-builtin,id=rng");
    add(argv, "-device", "virtio-rng-device,rng=rng");
    add(argv, "-device", "virtio-balloon-device,id=balloon");
    add(argv, "-device", "i8042"); /* ctrl-alt-del, and an end at once by reboot=k */
}

static bool plan(const struct machine_spec *spec, const struct machine_boot *boot,
    const struct accel_choice *accel, struct vmm_plan *out, struct error *err)
{
    struct disk_list disks;
    auto_free char *program = process_find(boot->qemu != NULL ? boot->qemu : PROGRAM);
    if (program == NULL) {
        return error_set(err, ERROR_UNSUPPORTED, "%s is not installed: apt install " PACKAGE,
            boot->qemu != NULL ? boot->qemu : PROGRAM);
    }
    auto_done(text) struct text arguments = {0};
    if (!disk_list_for(spec, boot, &disks, err) ||
        !kernel_arguments(spec, boot, accel->kind, &arguments, err)) {
        return false;
    }
    struct vmm_plan made = {.accel = accel->kind};
    snprintf(made.kind, sizeof(made.kind), "%s", vmm_qemu.name);
    snprintf(made.accel_why, sizeof(made.accel_why), "%s", accel->why);
    struct strings *argv = &made.argv;
    strings_add(argv, program);
    add_machine(argv, spec, accel->kind);
    add(argv, "-kernel", boot->kernel_path);
    if (boot->initrd_path != NULL) {
        add(argv, "-initrd", boot->initrd_path);
    }
    add(argv, "-append", text_cstr(&arguments));
    for (size_t i = 0; i < disks.count; i++) {
        add_disk(argv, &disks.items[i]);
    }
    for (size_t i = 0; i < spec->volume_count; i++) {
        add_volume(argv, i + 1, &spec->volumes[i]);
    }
    add_lines(argv);
    add_network(argv, spec, &boot->net);
    add_small_devices(argv);
    for (size_t line = 0; line < VMM_LINE_COUNT; line++) {
        made.has_line[line] = true;
    }
    if (boot->memory != NULL) {
        made.memory = memory_strdup(boot->memory);
        add(argv, "-incoming", "defer");
        made.memory_words = 2;
    }
    *out = made;
    return true;
}

/* Negotiates and, if there is a start, makes the guest run. */
static bool open_events(int events_fd, const struct vmm_start *start, uint64_t timeout_ms,
    struct text *rest, struct error *err)
{
    struct qmp qmp;
    int fd = fcntl(events_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return error_set_errno(err, errno, "no descriptor for QEMU's control line");
    }
    if (!qmp_adopt(&qmp, fd, timeout_ms, NULL, err)) {
        return false;
    }
    const char *memory = start != NULL ? start->plan->memory : NULL;
    bool is_open =
        (memory == NULL || qemu_memory_load(&qmp, start->vm_dir, memory, timeout_ms, err)) &&
        (start == NULL || qmp_call(&qmp, "cont", NULL, timeout_ms, NULL, NULL, err));
    if (is_open && qmp.input.len > 0) {
        text_append_bytes(rest, qmp.input.data, qmp.input.len);
    }
    qmp_done(&qmp);
    return is_open;
}

static bool boot_machine(const struct vmm_start *start, struct text *rest, struct error *err)
{
    return open_events(start->events_fd, start, start->timeout_ms, rest, err);
}

static bool attach_machine(int events_fd, uint64_t timeout_ms, struct text *rest, struct error *err)
{
    return open_events(events_fd, NULL, timeout_ms, rest, err);
}

static enum vmm_event shutdown_event(const struct json *data)
{
    static const struct {
        const char *reason;
        enum vmm_event event;
    } rows[] = {
        {"guest-shutdown", VMM_EVENT_GUEST_POWEROFF},
        {"guest-reset", VMM_EVENT_GUEST_REBOOT},
        {"guest-panic", VMM_EVENT_GUEST_PANIC},
        {"host-qmp-quit", VMM_EVENT_HOST_QUIT},
        {"host-qmp-system-reset", VMM_EVENT_HOST_QUIT},
        {"host-signal", VMM_EVENT_HOST_QUIT},
        {"host-ui", VMM_EVENT_HOST_QUIT},
        {"host-error", VMM_EVENT_NONE},
    };
    const char *reason = json_string(data, "reason", "");
    for (size_t i = 0; i < array_length(rows); i++) {
        if (strcmp(reason, rows[i].reason) == 0) {
            return rows[i].event;
        }
    }
    return json_bool(data, "guest", false) ? VMM_EVENT_GUEST_POWEROFF : VMM_EVENT_NONE;
}

static enum vmm_event read_event(const char *line, size_t len)
{
    struct error ignored = {0};
    auto_json struct json *message =
        json_parse(line, len, QMP_LINE_MAX, limits_default.json_depth, "QEMU's event", &ignored);
    if (message == NULL || qmp_classify(message) != QMP_EVENT) {
        return VMM_EVENT_NONE;
    }
    const char *name = json_string(message, "event", "");
    if (strcmp(name, "SHUTDOWN") == 0) {
        return shutdown_event(json_get(message, "data"));
    }
    if (strcmp(name, "GUEST_PANICKED") == 0) {
        return VMM_EVENT_GUEST_PANIC;
    }
    if (strcmp(name, "BLOCK_IO_ERROR") == 0) {
        const struct json *data = json_get(message, "data");
        bool is_stop = strcmp(json_string(data, "action", ""), "stop") == 0;
        return is_stop && json_bool(data, "nospace", false) ? VMM_EVENT_NO_SPACE : VMM_EVENT_NONE;
    }
    if (strcmp(name, "STOP") == 0) {
        return VMM_EVENT_PAUSED;
    }
    return strcmp(name, "RESUME") == 0 ? VMM_EVENT_RESUMED : VMM_EVENT_NONE;
}

static bool control(int vm_dir, const char *command, struct json *arguments, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    struct qmp qmp;
    if (!qmp_open(&qmp, vm_dir, vmm_line_socket(VMM_LINE_CONTROL), timeout_ms, cancel, err)) {
        json_free(arguments);
        return false;
    }
    bool is_done = qmp_call(&qmp, command, arguments, timeout_ms, cancel, NULL, err);
    qmp_done(&qmp);
    return is_done;
}

static bool press_ctrl_alt_del(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    static const char *const names[] = {"ctrl", "alt", "delete"};
    struct json *keys = json_new_array();
    for (size_t i = 0; i < array_length(names); i++) {
        struct json *key = json_new_object();
        json_put_string(key, "type", "qcode");
        json_put_string(key, "data", names[i]);
        json_append(keys, key);
    }
    struct json *arguments = json_new_object();
    json_put(arguments, "keys", keys);
    return control(vm_dir, "send-key", arguments, timeout_ms, cancel, err);
}

static bool pause_machine(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    return control(vm_dir, "stop", NULL, timeout_ms, cancel, err);
}

static bool resume_machine(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    return control(vm_dir, "cont", NULL, timeout_ms, cancel, err);
}

static const char *chosen_program(const struct machine_boot *boot)
{
    return boot->qemu;
}

const struct vmm_backend vmm_qemu = {
    .name = "qemu",
    .program = {.name = PROGRAM,
        .title = "QEMU",
        .missing = "apt install " PACKAGE,
        .prefix = "QEMU emulator version "},
    .has_user_network = true,
    .chosen_program = chosen_program,
    .plan = plan,
    .boot = boot_machine,
    .attach = attach_machine,
    .read_event = read_event,
    .press_ctrl_alt_del = press_ctrl_alt_del,
    .pause = pause_machine,
    .resume = resume_machine,
    .can_save = qemu_memory_version,
    .save = qemu_memory_save,
};
