/* SPDX-License-Identifier: MIT */
/* vm start: what a boot needs is put together anew each time, then the monitor takes over. */
#include "artifact/kernel_dir.h"
#include "artifact/work_seed.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/ops_host.h"
#include "engine/ops_image.h"
#include "engine/ops_initrd.h"
#include "engine/ops_kernel.h"
#include "engine/ops_vm.h"
#include "engine/state.h"
#include "store/image_store.h"
#include "store/kernel_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 60000
#define READY_TIMEOUT_TCG_MS 180000

static bool kernel_from_store(
    struct ops *ops, const char *name, struct boot_kernel *kernel, struct error *err)
{
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    if (!ops_kernel_ensure(ops, name, err) || !kernel_store_read(ops->store, name, &entry, err)) {
        return false;
    }
    kernel->path = store_entry_path(ops->store, STORE_KERNEL, name, KERNEL_FILE);
    kernel->identity = memory_printf("%s %s %" PRId64, name,
        entry.sha256 != NULL ? entry.sha256 : "unverified", entry.imported_at);
    if (entry.has_modules) {
        auto_close int dir = kernel_store_open(ops->store, name, err);
        kernel->modules_dir = dir >= 0 ? kernel_modules_open(dir, KERNEL_MODULES, NULL, err) : -1;
        return kernel->modules_dir >= 0;
    }
    return true;
}

/* An image that brings its own kernel, by path; modules_path NULL: none. */
static bool kernel_from_paths(const char *image, const char *path, const char *modules_path,
    struct boot_kernel *kernel, struct error *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return error_set_errno(err, errno, "image %s: its kernel %s", image, path);
    }
    kernel->path = memory_strdup(path);
    kernel->identity = memory_printf("%s %jd %jd.%09ld", path, (intmax_t)status.st_size,
        (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    if (modules_path != NULL) {
        kernel->modules_dir = kernel_modules_open(AT_FDCWD, modules_path, NULL, err);
        return kernel->modules_dir >= 0;
    }
    return true;
}

/* The one in a managed image's own kernel/. */
static bool kernel_from_image(
    struct ops *ops, const char *image, struct boot_kernel *kernel, struct error *err)
{
    auto_free char *path =
        store_entry_path(ops->store, STORE_IMAGE, image, IMAGE_KERNEL "/" KERNEL_FILE);
    auto_free char *modules =
        store_entry_path(ops->store, STORE_IMAGE, image, IMAGE_KERNEL "/" KERNEL_MODULES);
    return kernel_from_paths(
        image, path, file_exists(AT_FDCWD, modules) ? modules : NULL, kernel, err);
}

static bool find_kernel(struct ops *ops, const struct vm_hand *hand,
    const struct image_entry *image, struct boot_kernel *kernel, struct error *err)
{
    if (hand->spec.kernel_ref != NULL) {
        return kernel_from_store(ops, hand->spec.kernel_ref, kernel, err);
    }
    if (image->kernel_path != NULL) {
        return kernel_from_paths(image->name, image->kernel_path, image->modules_path, kernel, err);
    }
    if (image->has_kernel) {
        return kernel_from_image(ops, image->name, kernel, err);
    }
    return error_set(
        err, ERROR_INVALID, "VM %s has no kernel: make it again with --kernel-ref", hand->name);
}

/* What no VMM could boot is refused here, in words about the kernel and not about the VMM. */
static bool check_kernel(const char *path, struct error *err)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot read the kernel %s", path);
    }
    if (ops_kernel_is_bootable(fd)) {
        return true;
    }
    return error_set(err, ERROR_FORMAT,
        "%s is no kernel: neither an uncompressed vmlinux nor a bzImage; choose another one with "
        "--kernel-ref",
        path);
}

static void warn_missing(struct ops *ops, const char *kernel, const struct strings *missing)
{
    if (missing->count > 0) {
        auto_free char *names = strings_join(missing, ", ");
        state_log(ops->state, LOG_INFO, "%s has no module %s: fine if the kernel has it built in",
            kernel, names);
    }
}

/* A work disk whose home is nested is put right before each start. One that was not unmounted in
 * order is mounted first, by the guest, and put right at the start after. */
static void put_work_right(struct ops *ops, const struct vm_hand *hand)
{
    bool has_changed = false;
    struct error failure = {0};
    auto_close int fd = openat(hand->dir, MACHINE_WORK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return;
    }
    if (!work_seed_unnest(fd, &has_changed, &failure)) {
        state_log(ops->state, LOG_WARNING, "the work disk of VM %s stays as it is: %s", hand->name,
            failure.text);
    } else if (has_changed) {
        state_log(
            ops->state, LOG_INFO, "the home on the work disk of VM %s was put right", hand->name);
    }
}

bool ops_vm_boot(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(boot_kernel) struct boot_kernel kernel = BOOT_KERNEL_INIT;
    auto_done(strings) struct strings missing = {0};
    progress_report(ops->progress, PROGRESS_RESOLVE, PROGRESS_STEPS, 0, 1);
    if (!ops_vm_check_host(ops, &hand->spec, ERROR_UNSUPPORTED, &hand->warning, err) ||
        !ops_vm_check_ports(ops, &hand->spec, err)) {
        return error_wrap(err, "VM %s", hand->name);
    }
    if (!image_store_read(ops->store, hand->spec.image, &image, err)) {
        return error_wrap(err, "VM %s cannot start without its image", hand->name);
    }
    if (!find_kernel(ops, hand, &image, &kernel, err) || !check_kernel(kernel.path, err) ||
        !ops_initrd_make(ops, &hand->spec, &kernel, hand->dir, &missing, err)) {
        return false;
    }
    warn_missing(ops, kernel.path, &missing);
    put_work_right(ops, hand);
    auto_free char *rootfs = image_store_rootfs(ops->store, &image);
    auto_free char *qemu = ops_find_qemu(ops);
    auto_free char *firecracker = ops_find_firecracker(ops);
    struct machine_boot boot = {.vm_dir = hand->dir,
        .kernel_path = kernel.path,
        .initrd_path = OPS_INITRD_FILE,
        .work_path = file_exists(hand->dir, MACHINE_WORK_FILE) ? MACHINE_WORK_FILE : NULL,
        .image_path = hand->spec.root == MACHINE_ROOT_OVERLAY ? rootfs : NULL,
        .accel = ops->config->accel,
        .qemu = qemu,
        .firecracker = firecracker,
        .console_log_bytes = ops->limits->console_log_bytes};
    if (!machine_start(&hand->spec, &boot, ops_self_path(ops), ops->progress, ops->cancel,
            &hand->facts.handle, err)) {
        return error_wrap(err, "VM %s", hand->name);
    }
    hand->facts.has_handle = true;
    hand->facts.state = MACHINE_RUNNING;
    ops_vms_changed(ops);
    return true;
}

bool ops_vm_await_ready(struct ops *ops, const char *name, int dir,
    const struct machine_handle *handle, struct machine_timeline *timeline, struct error *err)
{
    uint64_t timeout_ms = command_timeout_ms(ops->command);
    if (timeout_ms == 0) {
        timeout_ms = strcmp(handle->accel, "tcg") == 0 ? READY_TIMEOUT_TCG_MS : READY_TIMEOUT_MS;
    }
    if (machine_wait_ready(dir, handle, timeout_ms, ops->progress, ops->cancel, timeline, err)) {
        ops_vms_changed(ops);
        return true;
    }
    ops_vms_changed(ops);
    if (err->code == ERROR_TIMEOUT) {
        return error_wrap(err, "VM %s is kept and still running (see `vm logs %s`)", name, name);
    }
    return error_wrap(err, "VM %s (its log: `vm logs %s`)", name, name);
}

bool ops_vm_start_taken(
    struct ops *ops, struct vm_hand *hand, struct json **result, struct error *err)
{
    if (!ops_vm_boot(ops, hand, err)) {
        return false;
    }
    auto_free char *object = memory_printf("vm/%s", hand->name);
    ops_vm_unlock(hand);
    ops_release(ops, object);
    auto_done(machine_timeline) struct machine_timeline timeline = {0};
    if (!command_has(ops->command, "detach") &&
        !ops_vm_await_ready(ops, hand->name, hand->dir, &hand->facts.handle, &timeline, err)) {
        return false;
    }
    *result = ops_vm_result(ops, hand->name, true);
    json_put_string(*result, "warning", hand->warning);
    return true;
}

bool ops_vm_start(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_take(ops, name, "start", &hand, err)) {
        return false;
    }
    if (hand.facts.state == MACHINE_RUNNING || hand.facts.state == MACHINE_STARTING) {
        *result = ops_vm_result(ops, name, false);
        return true;
    }
    if (hand.facts.state == MACHINE_PAUSED) {
        return error_set(err, ERROR_UNSUPPORTED,
            "VM %s is paused: let it go on with `vm resume %s`", name, name);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "start", name, 0);
        return true;
    }
    return ops_vm_start_taken(ops, &hand, result, err);
}
