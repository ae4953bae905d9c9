/* SPDX-License-Identifier: MIT */
/* What this host can give a machine and whether its kernel can boot, asked before anything is
 * promised. */
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "engine/host/ops_host.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/kernel/ops_preflight.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/state.h"

#define MIB (UINT64_C(1) << 20)

bool ops_vm_check_host(struct ops *ops, const struct machine_spec *spec, enum error_code code,
    char **warning, struct error *err)
{
    uint64_t total, available;
    uint64_t wanted = spec->memory_mib * MIB;
    char wanted_text[UNITS_MAX], host_text[UNITS_MAX];
    ops_host_memory(&total, &available);
    if (total > 0 && wanted > total) {
        return error_set(err, code, "--memory %s is more than the %s this host has: give less",
            units_format_size(wanted, wanted_text), units_format_size(total, host_text));
    }
    if (total > 0 && wanted > available) {
        char *sentence = memory_printf(
            "VM %s may use %s of memory and %s is available now: it, or something else, may be "
            "ended by the kernel when that runs out",
            spec->name, units_format_size(wanted, wanted_text),
            units_format_size(available, host_text));
        state_log(ops->state, LOG_WARNING, "%s", sentence);
        if (warning != NULL) {
            free(*warning);
            *warning = sentence;
        } else {
            free(sentence);
        }
    }
    return true;
}

bool ops_vm_check_kernel(struct ops *ops, const struct machine_spec *spec,
    const struct image_entry *image, const char *next, struct boot_kernel *kernel,
    struct json **verdict, struct error *err)
{
    return (spec->kernel_ref == NULL || ops_kernel_ensure(ops, spec->kernel_ref, err)) &&
           ops_boot_kernel_find(ops, spec->kernel_ref, image, kernel, err) &&
           ops_preflight_require(ops, spec, kernel, next, verdict, err) &&
           ops_vm_check_sharing(ops, spec, kernel, next, err);
}
