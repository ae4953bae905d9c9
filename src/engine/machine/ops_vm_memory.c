/* SPDX-License-Identifier: MIT */
/* What a machine holds in memory as part of a snapshot: whether it can be kept, and whether this host
 * can go on from it. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/machine/ops_vm_snapshot.h"
#include "engine/ops.h"
#include "store/image_store.h"
#include "vm/machine_control.h"
#include "vm/vmm.h"
#include "vm/vmm_host.h"

#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

/* ---- keeping -------------------------------------------------------------------------------- */

/* What the guest has open and what is not part of the snapshot would not be what it remembers. */
static bool check_parts(const struct machine_spec *spec, struct error *err)
{
    if (spec->volume_count > 0) {
        return error_set(err, ERROR_UNSUPPORTED,
            "VM %s shows directories of this host (--volume), which cannot be kept with its "
            "memory: leave --memory out",
            spec->name);
    }
    for (size_t i = 0; i < spec->disk_count; i++) {
        if (spec->disks[i].file != NULL && !spec->disks[i].is_readonly) {
            return error_set(err, ERROR_UNSUPPORTED,
                "VM %s writes to %s, which is no part of its snapshots: leave --memory out",
                spec->name, spec->disks[i].file);
        }
    }
    return true;
}

bool ops_vm_memory_check(struct ops *ops, const struct vm_hand *hand,
    char version[MACHINE_VERSION_MAX], struct error *err)
{
    if (!ops_vm_is_up(hand->facts.state)) {
        return error_set(err, ERROR_INVALID,
            "VM %s is %s and holds nothing in memory: leave --memory out", hand->name,
            machine_state_name(hand->facts.state));
    }
    return check_parts(&hand->spec, err) &&
           (machine_can_save(hand->dir, &hand->facts.handle, ops->cancel, version, err) ||
               error_wrap(err, "VM %s", hand->name));
}

/* The kernel that it boots, by what tells it from another; NULL when it is not here. */
static char *kernel_identity(struct ops *ops, const struct machine_spec *spec)
{
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(boot_kernel) struct boot_kernel kernel = BOOT_KERNEL_INIT;
    struct error ignored = {0};
    return image_store_read(ops->store, spec->image, &image, &ignored) &&
                   ops_boot_kernel_find(ops, spec->kernel_ref, &image, &kernel, &ignored)
               ? memory_strdup(kernel.identity)
               : NULL;
}

void ops_vm_memory_describe(
    struct ops *ops, const struct vm_hand *hand, const char *version, struct json *manifest)
{
    auto_free char *kernel = kernel_identity(ops, &hand->spec);
    json_put_string(manifest, "vmm", hand->facts.handle.kind);
    json_put_string(manifest, "vmm_version", version);
    json_put_string(manifest, "accel", hand->facts.handle.accel);
    json_put_string(manifest, "kernel_identity", kernel);
}

/* ---- going on ------------------------------------------------------------------------------- */

#define DISKS_ALONE "add --no-memory to take its disks alone"

static bool check_version(struct ops *ops, const struct vmm_backend *backend,
    const struct json *manifest, struct error *err)
{
    struct machine_boot boot = {0};
    auto_done(vmm_probe) struct vmm_probe found = {0};
    const char *was = json_string(manifest, "vmm_version", "");
    ops_vm_fill_programs(ops, &boot);
    vmm_host_probe(ops->host, &backend->program, backend->chosen_program(&boot), &found);
    if (!found.is_usable) {
        return error_set(err, ERROR_UNSUPPORTED, "%s", found.why);
    }
    return strcmp(found.version, was) == 0 ||
           error_set(err, ERROR_UNSUPPORTED,
               "its memory was kept by %s %s, and %s is here: " DISKS_ALONE, backend->program.title,
               was, found.version);
}

static bool check_kernel(struct ops *ops, const struct machine_spec *spec,
    const struct json *manifest, struct error *err)
{
    auto_free char *is = kernel_identity(ops, spec);
    const char *was = json_string(manifest, "kernel_identity", NULL);
    return was == NULL || (is != NULL && strcmp(is, was) == 0) ||
           error_set(err, ERROR_UNSUPPORTED,
               "its kernel%s%s is not the one that its memory was kept of: " DISKS_ALONE,
               spec->kernel_ref != NULL ? " " : "",
               spec->kernel_ref != NULL ? spec->kernel_ref : "");
}

bool ops_vm_memory_suit(
    struct ops *ops, struct machine_spec *spec, const struct json *manifest, struct error *err)
{
    struct vmm_choice choice;
    const struct vmm_backend *backend = vmm_find(json_string(manifest, "vmm", ""));
    const char *accel = json_string(manifest, "accel", "");
    if (backend == NULL || backend->save == NULL) {
        return error_set(err, ERROR_FORMAT, "nobody here knows who kept its memory: " DISKS_ALONE);
    }
    free(spec->vmm);
    spec->vmm = memory_strdup(backend->name);
    if (!ops_vm_choose_vmm(ops, spec, &choice, err)) {
        return false;
    }
    if (strcmp(accel_name(choice.accel.kind), accel) != 0) {
        return error_set(err, ERROR_UNSUPPORTED,
            "its memory was kept with %s, and here it would go on with %s: " DISKS_ALONE, accel,
            accel_name(choice.accel.kind));
    }
    return check_version(ops, backend, manifest, err) && check_kernel(ops, spec, manifest, err);
}

uint64_t ops_vm_memory_bytes(const struct machine_spec *spec)
{
    return spec->memory_mib * MIB;
}
