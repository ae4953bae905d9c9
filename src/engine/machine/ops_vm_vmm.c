/* SPDX-License-Identifier: MIT */
/* Which VMM carries a machine on this host, and what it then needs beside the machine itself. */
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/host/ops_host.h"
#include "engine/kernel/ops_kernel_elf.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/state.h"
#include "store/config.h"
#include "vm/accel.h"
#include "vm/machine_control.h"
#include "vm/vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ops_vm_fill_programs(const struct ops *ops, struct machine_boot *boot)
{
    boot->host = ops->host;
    boot->accel = ops->config->accel;
    boot->qemu = ops->settings->qemu;
    boot->firecracker =
        ops->config->firecracker != NULL ? ops->config->firecracker : ops->settings->firecracker;
}

bool ops_vm_choose_vmm(
    struct ops *ops, const struct machine_spec *spec, struct vmm_choice *choice, struct error *err)
{
    struct machine_boot boot = {0};
    ops_vm_fill_programs(ops, &boot);
    return vmm_choose(spec, &boot, choice, err);
}

bool ops_vm_check_vmm(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    struct vmm_choice choice;
    return ops_vm_choose_vmm(ops, spec, &choice, err) &&
           (choice.backend->check == NULL || choice.backend->check(spec, choice.accel.kind, err));
}

static char *why_sentence(const struct vmm_choice *choice)
{
    return memory_printf("%s; %s", choice->why, choice->accel.why);
}

char *ops_vm_why(struct ops *ops, const struct machine_spec *spec)
{
    struct vmm_choice choice;
    struct error ignored = {0};
    return ops_vm_choose_vmm(ops, spec, &choice, &ignored) ? why_sentence(&choice) : NULL;
}

static void warn_no_network(struct ops *ops, struct vm_hand *hand, const char *why)
{
    char *sentence = memory_printf(
        "VM %s has no network on Firecracker (%s); exec, cp, ssh, forward and published TCP ports "
        "work without%s%s",
        hand->name, why, hand->warning != NULL ? "; " : "",
        hand->warning != NULL ? hand->warning : "");
    state_log(ops->state, LOG_WARNING, "VM %s has no network on Firecracker: %s", hand->name, why);
    free(hand->warning);
    hand->warning = sentence;
}

bool ops_vm_suit_vmm(struct ops *ops, struct vm_hand *hand, char **kernel_path,
    struct vmm_choice *choice, struct error *err)
{
    if (!ops_vm_choose_vmm(ops, &hand->spec, choice, err)) {
        return false;
    }
    free(hand->why);
    hand->why = why_sentence(choice);
    struct error why = {0};
    if (hand->spec.net == NET_USER &&
        !vmm_check_network(choice->backend, &hand->spec, ops->host, &why)) {
        warn_no_network(ops, hand, why.text);
    }
    if (choice->backend->wants_elf) {
        char *elf = NULL;
        if (!ops_kernel_elf(ops, *kernel_path, &elf, err)) {
            return error_wrap(err, "the kernel for %s", choice->backend->program.title);
        }
        free(*kernel_path);
        *kernel_path = elf;
    }
    return true;
}
