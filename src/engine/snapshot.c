/* SPDX-License-Identifier: MIT */
#include "engine/snapshot.h"

const struct job_item *snapshot_find_job(const struct snapshot *snapshot, uint64_t id)
{
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        if (snapshot->jobs[i].id == id) {
            return &snapshot->jobs[i];
        }
    }
    return NULL;
}

const char *entry_state_name(enum entry_state state)
{
    static const char *const names[] = {
        [ENTRY_OK] = "ok", [ENTRY_DAMAGED] = "damaged", [ENTRY_UNREADABLE] = "unreadable"};
    return names[state];
}

const char *verified_state_name(enum verified_state state)
{
    static const char *const names[] = {
        [VERIFIED_NONE] = "none",
        [VERIFIED_RECORDED] = "recorded",
        [VERIFIED_PULL] = "pull",
        [VERIFIED_MISMATCH] = "mismatch",
    };
    return names[state];
}

const char *offer_state_name(enum offer_state state)
{
    static const char *const names[] = {
        [OFFER_AVAILABLE] = "available",
        [OFFER_PULLED] = "pulled",
        [OFFER_UNUSABLE] = "unusable",
    };
    return names[state];
}

const char *offer_kind_name(enum offer_kind kind)
{
    static const char *const names[] = {[OFFER_KERNEL] = "kernel", [OFFER_IMAGE] = "image"};
    return names[kind];
}

const char *vm_state_name(enum vm_state state)
{
    static const char *const names[] = {
        [VM_STATE_UNKNOWN] = "unknown",
        [VM_STATE_CREATED] = "created",
        [VM_STATE_STARTING] = "starting",
        [VM_STATE_RUNNING] = "running",
        [VM_STATE_PAUSED] = "paused",
        [VM_STATE_STOPPING] = "stopping",
        [VM_STATE_STOPPED] = "stopped",
        [VM_STATE_CRASHED] = "crashed",
        [VM_STATE_ERROR] = "error",
    };
    return names[state];
}

const char *job_state_name(enum job_state state)
{
    static const char *const names[] = {
        [JOB_QUEUED] = "queued",
        [JOB_RUNNING] = "running",
        [JOB_OK] = "ok",
        [JOB_FAILED] = "failed",
        [JOB_CANCELLED] = "cancelled",
    };
    return names[state];
}

bool job_state_is_final(enum job_state state)
{
    switch (state) {
    case JOB_QUEUED:
    case JOB_RUNNING:
        return false;
    case JOB_OK:
    case JOB_FAILED:
    case JOB_CANCELLED:
        return true;
    }
    return true;
}
