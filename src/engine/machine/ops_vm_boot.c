/* SPDX-License-Identifier: MIT */
/* vm start: what a boot needs is put together anew each time, then the monitor takes over. */
#include "artifact/work_seed.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/host/ops_net.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/kernel/ops_initrd.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/image_store.h"
#include "vm/vmm.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 60000
#define READY_TIMEOUT_TCG_MS 180000

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

bool ops_vm_check_boot(struct ops *ops, const struct vm_hand *hand, struct image_entry *image,
    struct boot_kernel *kernel, struct json **verdict, struct error *err)
{
    if (!image_store_read(ops->store, hand->spec.image, image, err)) {
        return error_wrap(err, "VM %s cannot start without its image", hand->name);
    }
    auto_free char *next =
        memory_printf("choose another one with `vm set %s --kernel-ref KERNEL`", hand->name);
    return ops_vm_check_kernel(ops, &hand->spec, image, next, kernel, verdict, err) ||
           error_wrap(err, "VM %s", hand->name);
}

bool ops_vm_boot(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(boot_kernel) struct boot_kernel kernel = BOOT_KERNEL_INIT;
    progress_report(ops->progress, PROGRESS_RESOLVE, PROGRESS_STEPS, 0, 1);
    if (!ops_vm_check_host(ops, &hand->spec, ERROR_UNSUPPORTED, &hand->warning, err) ||
        !ops_vm_check_ports(ops, &hand->spec, err) || !ops_vm_check_mounts(ops, &hand->spec, err)) {
        return error_wrap(err, "VM %s", hand->name);
    }
    if (!ops_vm_check_boot(ops, hand, &image, &kernel, NULL, err)) {
        return false;
    }
    struct vmm_choice choice;
    if (!ops_initrd_make(ops, &hand->spec, &kernel, hand->dir, err) ||
        !ops_vm_suit_vmm(ops, hand, &kernel.path, &choice, err)) {
        return error_wrap(err, "VM %s", hand->name);
    }
    if (hand->memory == NULL) { /* else its guest has it mounted already */
        put_work_right(ops, hand);
    }
    auto_free char *rootfs = image_store_rootfs(ops->store, &image);
    struct machine_boot boot = {.vm_dir = hand->dir,
        .kernel_path = kernel.path,
        .initrd_path = OPS_INITRD_FILE,
        .work_path = file_exists(hand->dir, MACHINE_WORK_FILE) ? MACHINE_WORK_FILE : NULL,
        .image_path = hand->spec.root == MACHINE_ROOT_OVERLAY ? rootfs : NULL,
        .console_log_bytes = ops->limits->console_log_bytes,
        .runtime_dir = ops->config->runtime_dir,
        .memory = hand->memory,
        .choice = &choice};
    ops_vm_fill_programs(ops, &boot);
    if (!ops_net_up(ops, &hand->spec, &boot.net, err)) {
        return error_wrap(err, "VM %s", hand->name);
    }
    if (!machine_start(&hand->spec, &boot, ops_self_path(ops), ops->progress, ops->cancel,
            &hand->facts.handle, err)) {
        ops_net_down(ops, hand);
        return error_wrap(err, "VM %s", hand->name);
    }
    hand->facts.has_handle = true;
    hand->facts.state = MACHINE_RUNNING;
    ops_net_publish(ops, hand);
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

static bool plan_start(
    struct ops *ops, const struct vm_hand *hand, struct json **result, struct error *err)
{
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(boot_kernel) struct boot_kernel kernel = BOOT_KERNEL_INIT;
    struct json *verdict = NULL;
    bool is_here = hand->spec.kernel_ref == NULL ||
                   !file_is_absent(store_kind_dir(ops->store, STORE_KERNEL), hand->spec.kernel_ref);
    if (is_here && !ops_vm_check_boot(ops, hand, &image, &kernel, &verdict, err)) {
        return false;
    }
    *result = ops_vm_plan_one(ops, "start", hand->name, 0);
    if (verdict != NULL) {
        json_put(*result, "preflight", verdict);
    }
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
        return ops_vm_has_room(&hand, err) &&
               error_set(err, ERROR_UNSUPPORTED,
                   "VM %s is paused: let it go on with `vm resume %s`", name, name);
    }
    if (command_is_dry_run(ops->command)) {
        return plan_start(ops, &hand, result, err);
    }
    return ops_vm_start_taken(ops, &hand, result, err);
}
