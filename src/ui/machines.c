/* SPDX-License-Identifier: MIT */
#include "ui/machines.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"

const struct vm_item *machine_find(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->vms_count; i++) {
        if (strcmp(snapshot->vms[i].name, name) == 0) {
            return &snapshot->vms[i];
        }
    }
    return NULL;
}

bool machine_is_up(const struct vm_item *vm)
{
    switch (vm->state) {
    case VM_STATE_STARTING:
    case VM_STATE_RUNNING:
    case VM_STATE_PAUSED:
    case VM_STATE_STOPPING:
        return true;
    case VM_STATE_UNKNOWN:
    case VM_STATE_CREATED:
    case VM_STATE_STOPPED:
    case VM_STATE_CRASHED:
    case VM_STATE_ERROR:
        break;
    }
    return false;
}

static bool is_being_started(const struct snapshot *snapshot, const struct vm_item *vm)
{
    static const char *const verbs[] = {"run", "start", "restart"};
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        const struct job_item *job = &snapshot->jobs[i];
        if (job_state_is_final(job->state) || !text_has_prefix(job->object, "vm/") ||
            strcmp(job->object + strlen("vm/"), vm->name) != 0) {
            continue;
        }
        for (size_t k = 0; k < array_length(verbs); k++) {
            if (strcmp(job->verb->name, verbs[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool machine_is_booting(const struct snapshot *snapshot, const struct vm_item *vm)
{
    bool is_under_way =
        vm->state == VM_STATE_STARTING || (vm->state == VM_STATE_RUNNING && !vm->is_ready);
    return is_under_way || is_being_started(snapshot, vm);
}
