/* SPDX-License-Identifier: MIT */
#include "vm/vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/machine_control.h"
#include "vm/vmm_host.h"

#define PROBE_TIMEOUT_MS 10000
#define PROBE_OUTPUT_MAX 4096

/* NULL-ended, best first. */
static const struct vmm_backend *const backends[] = {&vmm_firecracker, &vmm_qemu, NULL};

static const char *const line_sockets[] = {
    [VMM_LINE_SERIAL] = "serial.sock",
    [VMM_LINE_EVENTS] = "events.sock",
    [VMM_LINE_AGENT] = "agent.sock",
    [VMM_LINE_CONTROL] = "control.sock",
};

void vmm_plan_done(struct vmm_plan *plan)
{
    strings_done(&plan->argv);
    strings_done(&plan->calls);
    free(plan->memory);
    plan->memory = NULL;
}

void vmm_plan_forget_memory(struct vmm_plan *plan)
{
    free(plan->memory);
    plan->memory = NULL;
    for (; plan->memory_words > 0; plan->memory_words--) {
        strings_remove(&plan->argv, plan->argv.count - 1);
    }
}

void vmm_probe_done(struct vmm_probe *probe)
{
    free(probe->path);
    probe->path = NULL;
}

void vmm_probe_program(const struct vmm_program *program, const char *path, struct vmm_probe *found)
{
    const char *wanted = path != NULL ? path : program->name;
    *found = (struct vmm_probe){.path = process_find(wanted)};
    if (found->path == NULL) {
        snprintf(
            found->why, sizeof(found->why), "%s is not installed: %s", wanted, program->missing);
        return;
    }
    auto_done(text) struct text output = {0};
    const char *const argv[] = {found->path, "--version", NULL};
    struct error ignored = {0};
    int status = -1;
    if (!process_run(
            argv, PROBE_TIMEOUT_MS, PROBE_OUTPUT_MAX, NULL, &output, NULL, &status, &ignored) ||
        status != 0 || !text_has_prefix(text_cstr(&output), program->prefix)) {
        snprintf(found->why, sizeof(found->why), "%s does not answer as %s does", found->path,
            program->title);
        return;
    }
    const char *version = text_cstr(&output) + strlen(program->prefix);
    snprintf(found->version, sizeof(found->version), "%.*s", (int)strcspn(version, " \n"), version);
    found->is_usable = true;
}

const struct vmm_backend *vmm_find(const char *name)
{
    for (size_t i = 0; backends[i] != NULL; i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            return backends[i];
        }
    }
    return NULL;
}

static bool choose_named(const char *name, struct vmm_choice *choice, struct error *err)
{
    *choice = (struct vmm_choice){.backend = vmm_find(name)};
    if (choice->backend == NULL) {
        return error_set(err, ERROR_UNSUPPORTED, "the VMM %s is not known to this program", name);
    }
    snprintf(choice->why, sizeof(choice->why), "%s because it was asked for",
        choice->backend->program.title);
    return true;
}

static bool is_here(const struct vmm_backend *backend, const struct machine_boot *boot)
{
    const char *chosen = backend->chosen_program(boot);
    auto_free char *path = process_find(chosen != NULL ? chosen : backend->program.name);
    return path != NULL;
}

/* Why not, in the words that follow "because"; false: nothing is against it. */
static bool is_unfit(const struct vmm_backend *backend, const struct machine_spec *spec,
    const struct machine_boot *boot, enum accel_kind accel, char *why, size_t size)
{
    auto_done(vmm_probe) struct vmm_probe found = {0};
    struct error failure = {0};
    if (!is_here(backend, boot)) {
        snprintf(why, size, "%s is not here", backend->program.title);
        return true;
    }
    if (backend->check != NULL && !backend->check(spec, accel, &failure)) {
        snprintf(why, size, "%s cannot carry this machine", backend->program.title);
        return true;
    }
    vmm_host_probe(boot->host, &backend->program, backend->chosen_program(boot), &found);
    snprintf(why, size, "%s cannot be used", backend->program.title);
    return !found.is_usable;
}

/* A network counts for more than the order of the table, but not for more than to run at all. The
 * last one is taken when nothing else can be: its own sentence says then what is missing. */
static void choose_best(const struct machine_spec *spec, const struct machine_boot *boot,
    enum accel_kind accel, struct vmm_choice *choice)
{
    char why[100] = "it is here and so is KVM";
    size_t last = 0;
    while (backends[last + 1] != NULL) {
        last++;
    }
    bool has_last = is_here(backends[last], boot);
    *choice = (struct vmm_choice){.backend = backends[last]};
    for (size_t i = 0; i < last; i++) {
        struct error ignored = {0};
        if (is_unfit(backends[i], spec, boot, accel, why, sizeof(why))) {
            continue;
        }
        if (has_last && !vmm_check_network(backends[i], spec, boot->host, &ignored)) {
            snprintf(why, sizeof(why), "%s has no network for it here", backends[i]->program.title);
        } else {
            choice->backend = backends[i];
            snprintf(why, sizeof(why), "%s",
                has_last ? "it is here and so is KVM" : "nothing else is here");
            break;
        }
    }
    snprintf(
        choice->why, sizeof(choice->why), "%s because %s", choice->backend->program.title, why);
}

bool vmm_choose(const struct machine_spec *spec, const struct machine_boot *boot,
    struct vmm_choice *choice, struct error *err)
{
    struct accel_choice accel;
    const char *mode = boot->accel != NULL ? boot->accel : spec->accel;
    if (!vmm_host_accel(boot->host, mode, &accel, err)) {
        return false;
    }
    if (strcmp(spec->vmm, "auto") == 0) {
        choose_best(spec, boot, accel.kind, choice);
    } else if (!choose_named(spec->vmm, choice, err)) {
        return false;
    }
    choice->accel = accel;
    return true;
}

bool vmm_check_network(const struct vmm_backend *backend, const struct machine_spec *spec,
    struct vmm_host *host, struct error *err)
{
    bool needs_namespace =
        spec->net == NET_NAMESPACE || (spec->net == NET_USER && !backend->has_user_network);
    return !needs_namespace || vmm_host_check_namespace(host, err);
}

const char *vmm_line_socket(enum vmm_line line)
{
    return line_sockets[line];
}
