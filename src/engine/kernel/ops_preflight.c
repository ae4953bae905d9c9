/* SPDX-License-Identifier: MIT */
#include "engine/kernel/ops_preflight.h"

#include "artifact/initrd.h"
#include "artifact/kernel_config.h"
#include "artifact/kernel_probe.h"
#include "artifact/module_set.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/config.h"
#include "vm/accel.h"
#include "vm/kernel_needs.h"
#include "vm/machine.h"
#include "vm/vmm.h"
#include "vm/vmm_host.h"

#include <fcntl.h>
#include <string.h>

#define CONFIG_BYTES_MAX ((size_t)4 << 20)

/* What could be found out about one kernel. */
struct findings {
    const struct boot_kernel *kernel;
    struct kernel_probe probe;
    bool has_probe;
    struct text config; /* empty: not known */
    struct module_set *modules;
};

static void findings_done(struct findings *findings)
{
    text_done(&findings->config);
    module_set_close(findings->modules);
}

/* What cannot be read stays unknown. */
static void find_out(struct ops *ops, const struct boot_kernel *kernel, struct findings *findings)
{
    struct error ignored = {0};
    findings->kernel = kernel;
    auto_close int fd = file_open_read(AT_FDCWD, kernel->path, &ignored);
    findings->has_probe =
        fd >= 0 && kernel_probe_head(fd, kernel->path, &findings->probe, &ignored);
    if (kernel->config_path != NULL && !file_read_all(AT_FDCWD, kernel->config_path,
                                           CONFIG_BYTES_MAX, &findings->config, &ignored)) {
        text_done(&findings->config);
    }
    if (kernel->modules_dir >= 0) {
        findings->modules = module_set_open(kernel->modules_dir, ops->limits, &ignored);
    }
}

static bool is_loaded(const struct findings *findings, const char *module)
{
    return findings->modules != NULL &&
           (module_set_is_builtin(findings->modules, module) ||
               (module_set_has(findings->modules, module) && initrd_carries(module)));
}

static enum kernel_has look(const void *context, const char *option, const char *module)
{
    const struct findings *findings = context;
    switch (findings->config.len > 0 ? kernel_config_look(text_cstr(&findings->config), option)
                                     : KERNEL_OPTION_UNKNOWN) {
    case KERNEL_OPTION_BUILTIN:
        return KERNEL_HAS;
    case KERNEL_OPTION_OFF:
        return KERNEL_HAS_OFF;
    case KERNEL_OPTION_MODULE:
        if (module != NULL && findings->modules == NULL && findings->kernel->modules_dir >= 0) {
            return KERNEL_HAS_UNKNOWN; /* they are there and could not be read */
        }
        return module != NULL && is_loaded(findings, module) ? KERNEL_HAS : KERNEL_HAS_ABSENT;
    case KERNEL_OPTION_UNKNOWN:
        break;
    }
    return module != NULL && is_loaded(findings, module) ? KERNEL_HAS : KERNEL_HAS_UNKNOWN;
}

static void judge(const struct findings *findings, const struct kernel_setting *setting,
    struct kernel_judgement *judgement)
{
    static const enum kernel_has pvh[] = {[ENTRY_NOTE_UNKNOWN] = KERNEL_HAS_UNKNOWN,
        [ENTRY_NOTE_MISSING] = KERNEL_HAS_OFF,
        [ENTRY_NOTE_THERE] = KERNEL_HAS};
    const struct kernel_probe *probe = &findings->probe;
    const char *version = findings->kernel->version;
    struct kernel_traits traits = {
        .format = !findings->has_probe ? NULL
                  : probe->is_bootable ? probe->format
                                       : "",
        .arch = probe->arch[0] != '\0' ? probe->arch : NULL,
        .version = version != NULL || probe->version[0] == '\0' ? version : probe->version,
        .pvh = pvh[probe->entry_note],
        .look = look,
        .context = findings,
    };
    kernel_judge(&traits, setting, judgement);
}

static struct json *judgement_json(
    const char *vmm, const char *kernel, const struct kernel_judgement *judgement)
{
    struct json *json = json_new_object();
    json_put_string(json, "vmm", vmm);
    json_put_string(json, "verdict", kernel_verdict_name(judgement->verdict));
    if (judgement->why != NULL) {
        auto_free char *why =
            memory_printf("kernel %s cannot boot on %s: %s", kernel, vmm, judgement->why);
        json_put_string(json, "why", why);
    }
    ops_put_strings(json, "missing", &judgement->missing);
    ops_put_strings(json, "unknown", &judgement->unknown);
    ops_put_strings(json, "notes", &judgement->notes);
    return json;
}

/* As the start will decide it; what it then refuses is said there. */
static bool is_emulated(struct ops *ops, const char *accel)
{
    struct accel_choice choice = {.kind = ACCEL_TCG};
    struct error ignored = {0};
    return vmm_host_accel(ops->host, ops->config->accel != NULL ? ops->config->accel : accel,
               &choice, &ignored) &&
           choice.kind == ACCEL_TCG;
}

struct json *ops_preflight_json(struct ops *ops, const struct boot_kernel *kernel)
{
    auto_done(findings) struct findings findings = {0};
    find_out(ops, kernel, &findings);
    struct json *array = json_new_array();
    for (size_t i = 0; kernel_vmms[i] != NULL; i++) {
        auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
        bool has_software = strcmp(kernel_vmms[i], vmm_qemu.name) == 0;
        struct kernel_setting setting = {.vmm = kernel_vmms[i],
            .is_overlay = true,
            .is_emulated = has_software && is_emulated(ops, ops->settings->default_accel)};
        judge(&findings, &setting, &judgement);
        json_append(array, judgement_json(kernel_vmms[i], kernel->name, &judgement));
    }
    return array;
}

bool ops_preflight_require(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, const char *next, struct json **verdict, struct error *err)
{
    auto_done(findings) struct findings findings = {0};
    auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
    struct vmm_choice choice;
    if (!ops_vm_choose_vmm(ops, spec, &choice, err)) {
        return false;
    }
    const char *vmm = choice.backend->name;
    struct kernel_setting setting = {.vmm = vmm,
        .is_overlay = spec->root == MACHINE_ROOT_OVERLAY,
        .is_emulated = choice.accel.kind == ACCEL_TCG};
    find_out(ops, kernel, &findings);
    judge(&findings, &setting, &judgement);
    if (judgement.verdict == KERNEL_REFUSED) {
        bool is_kernel = !findings.has_probe || findings.probe.is_bootable;
        return error_set(err, is_kernel ? ERROR_UNSUPPORTED : ERROR_FORMAT,
            "kernel %s cannot boot on %s: %s; %s", kernel->name, vmm, judgement.why, next);
    }
    for (size_t i = 0; i < judgement.notes.count; i++) {
        state_log(ops->state, LOG_INFO, "kernel %s on %s: %s", kernel->name, vmm,
            judgement.notes.items[i]);
    }
    if (verdict != NULL) {
        *verdict = judgement_json(vmm, kernel->name, &judgement);
    }
    return true;
}
