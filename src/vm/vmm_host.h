/* SPDX-License-Identifier: MIT */
#pragma once

/* What one operation found out about this host for its machines: whether KVM can be used, what each
 * VMM's program answers, whether a namespace can be had. Each is found out at most once and only
 * when somebody asks, so that all decisions of the operation are made from the same facts. Owned by
 * the operation; one thread. Zero-initialise; free with vmm_host_done. A NULL host keeps nothing:
 * every question is asked anew. */

#include "base/error.h"
#include "vm/accel.h"
#include "vm/vmm.h"

#include <stdbool.h>

#define VMM_HOST_PROGRAMS 2

struct vmm_host {
    bool has_accel;
    struct accel_host accel;
    struct accel_tsc tsc; /* where the counter stood when the host was first asked */
    /* Of each program that was asked: its table, and what it said. */
    const struct vmm_program *programs[VMM_HOST_PROGRAMS];
    struct vmm_probe probes[VMM_HOST_PROGRAMS];
    bool is_namespace_tried, has_namespace;
    struct error no_namespace;
};
void vmm_host_done(struct vmm_host *host);

/* As accel_choose. */
bool vmm_host_accel(
    struct vmm_host *host, const char *mode, struct accel_choice *choice, struct error *err);
/* As accel_tsc_khz; without its pause when some time has passed since the first question. */
uint64_t vmm_host_tsc_khz(const struct vmm_host *host);
/* As vmm_probe_program; *found is a copy, the caller's to free. path is the same in every call for a
 * program. */
void vmm_host_probe(struct vmm_host *host, const struct vmm_program *program, const char *path,
    struct vmm_probe *found);
/* As net_space_check. */
bool vmm_host_check_namespace(struct vmm_host *host, struct error *err);
