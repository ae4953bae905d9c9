/* SPDX-License-Identifier: MIT */
#include "vm/vmm_host.h"

#include "base/memory.h"
#include "vm/net_space.h"

void vmm_host_done(struct vmm_host *host)
{
    for (size_t i = 0; i < VMM_HOST_PROGRAMS; i++) {
        vmm_probe_done(&host->probes[i]);
    }
    *host = (struct vmm_host){0};
}

bool vmm_host_accel(
    struct vmm_host *host, const char *mode, struct accel_choice *choice, struct error *err)
{
    if (host == NULL) {
        return accel_choose(mode, choice, err);
    }
    if (!host->has_accel) {
        accel_tsc_begin(&host->tsc);
        accel_probe_host(&host->accel);
        host->has_accel = true;
    }
    return accel_decide(mode, &host->accel, choice, err);
}

uint64_t vmm_host_tsc_khz(const struct vmm_host *host)
{
    return host != NULL && host->has_accel ? accel_tsc_since(&host->tsc) : accel_tsc_khz();
}

void vmm_host_probe(struct vmm_host *host, const struct vmm_program *program, const char *path,
    struct vmm_probe *found)
{
    size_t at = 0;
    while (host != NULL && at < VMM_HOST_PROGRAMS && host->programs[at] != NULL &&
           host->programs[at] != program) {
        at++;
    }
    if (host == NULL || at == VMM_HOST_PROGRAMS) {
        vmm_probe_program(program, path, found);
        return;
    }
    if (host->programs[at] == NULL) {
        vmm_probe_program(program, path, &host->probes[at]);
        host->programs[at] = program;
    }
    *found = host->probes[at];
    found->path = memory_strdup(found->path);
}

bool vmm_host_check_namespace(struct vmm_host *host, struct error *err)
{
    if (host == NULL) {
        return net_space_check(err);
    }
    if (!host->is_namespace_tried) {
        host->has_namespace = net_space_check(&host->no_namespace);
        host->is_namespace_tried = true;
    }
    if (!host->has_namespace) {
        *err = host->no_namespace;
    }
    return host->has_namespace;
}
