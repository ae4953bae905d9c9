/* SPDX-License-Identifier: MIT */
#pragma once

/* Between the engine's machinery and its operations. An operation is one function that carries out
 * one verb: it runs in a worker from top to bottom, blocks as it likes, polls ops->cancel, reports
 * to ops->progress, and returns its result as JSON (FORMATS, "Batch mode") or sets err. It is named
 * in the verb's row of the table and called from nowhere else but a job or ops_call. */

#include "base/log.h"
#include "engine/move.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct command;
struct config;
struct engine;
struct engine_config;
struct error;
struct job;
struct json;
struct limits;
struct process_identity;
struct progress;
struct state;
struct store;
struct vmm_host;

/* What one running operation is given; all borrowed for the time of the call. */
struct ops {
    struct engine *engine;
    struct job *job;
    struct command *command; /* not const: command_take_fd */
    struct store *store;
    const struct engine_config *config;
    const struct limits *limits;
    struct config *settings;
    struct state *state;
    struct vmm_host
        *host; /* what the operation found out for its machines; NULL: nothing is kept */
    const struct progress *progress;
    const struct cancel *cancel;
};

/* Runs another verb inside the same job: reserves its object as a submitted command would, follows
 * its progress, and gives its result (NULL result pointer: dropped). When another job is doing the
 * same to the same object, waits for that one and takes its result; when something else is being
 * done to it, waits until that is over. Both waits end on cancel. While a worker of a lane waits or
 * transfers in here, its lane is lent another thread, so that nothing ever waits for a lane that
 * waits for itself. Takes the command over. */
bool ops_call(struct ops *ops, struct command *command, struct json **result, struct error *err);
/* Reserves one more object ("vm/quiet-otter") for this job until it ends; it becomes the object the
 * job is shown with when it had none. ERROR_BUSY names the holder. */
bool ops_claim(struct ops *ops, const char *object, struct error *err);
/* Reserves the object of a job that was let into the list without (job.h, is_late), once those who end
 * it (VERB_ENDS) are over; the lock timeout bounds the wait. ERROR_BUSY names the holder. */
bool ops_claim_first(struct ops *ops, struct error *err);
/* Gives a reservation of this job back early: `vm run` once the machine is up, so that a stop need
 * not wait for the command inside. */
void ops_release(struct ops *ops, const char *object);
/* The processes whose end the watcher reports by asking for ops_refresh_vms: replaces the set. Does
 * nothing in an engine that does not watch. */
void ops_watch_processes(struct ops *ops, const struct process_identity *processes, size_t count);
/* Asks a job of this process to stop; false when there is no such job or it has ended. */
bool ops_cancel_job(struct ops *ops, uint64_t id);
/* Moves a job of this process that waits for its turn (engine_internal.h, engine_move). */
bool ops_move_job(struct ops *ops, uint64_t id, enum engine_move move, uint64_t before,
    bool *is_moved, struct error *err);

/* Housekeeping. Each reads one part of the store and puts it into the state as a whole. They run in
 * quiet jobs: at start, when the watcher saw a change, and at the end of operations. */
bool ops_refresh_offers(struct ops *ops, struct error *err);
/* Asks apt what of these is not known yet, which takes seconds, and puts them again. */
bool ops_complete_offers(struct ops *ops, struct error *err);
bool ops_refresh_kernels(struct ops *ops, struct error *err);
bool ops_refresh_images(struct ops *ops, struct error *err);
bool ops_refresh_vms(struct ops *ops, struct error *err);
/* What running VMs use, without a look at their records. */
bool ops_refresh_figures(struct ops *ops, struct error *err);
bool ops_refresh_host(struct ops *ops, struct error *err);
/* Removes what a killed process left behind. Not for a read-only seat. */
bool ops_sweep(struct ops *ops, struct error *err);

bool ops_kernel_list(struct ops *ops, struct json **result, struct error *err);
bool ops_kernel_show(struct ops *ops, struct json **result, struct error *err);
bool ops_kernel_import(struct ops *ops, struct json **result, struct error *err);
bool ops_kernel_pull(struct ops *ops, struct json **result, struct error *err);
bool ops_kernel_verify(struct ops *ops, struct json **result, struct error *err);
bool ops_kernel_export(struct ops *ops, struct json **result, struct error *err);
bool ops_kernel_rm(struct ops *ops, struct json **result, struct error *err);

bool ops_image_list(struct ops *ops, struct json **result, struct error *err);
bool ops_image_show(struct ops *ops, struct json **result, struct error *err);
bool ops_image_register(struct ops *ops, struct json **result, struct error *err);
bool ops_image_pull(struct ops *ops, struct json **result, struct error *err);
bool ops_image_promote(struct ops *ops, struct json **result, struct error *err);
bool ops_image_verify(struct ops *ops, struct json **result, struct error *err);
bool ops_image_history(struct ops *ops, struct json **result, struct error *err);
bool ops_image_refresh(struct ops *ops, struct json **result, struct error *err);
bool ops_image_export(struct ops *ops, struct json **result, struct error *err);
bool ops_image_cache(struct ops *ops, struct json **result, struct error *err);
bool ops_image_rm(struct ops *ops, struct json **result, struct error *err);

bool ops_vm_run(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_create(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_start(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_stop(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_kill(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_rm(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_restart(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_pause(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_resume(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_set(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_rename(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_snapshot_create(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_snapshot_list(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_snapshot_show(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_snapshot_restore(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_snapshot_rm(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_clone(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_prune(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_stats(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_list(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_show(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_exec(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_logs(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_console(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_wait(struct ops *ops, struct json **result, struct error *err);

bool ops_catalog_list(struct ops *ops, struct json **result, struct error *err);
bool ops_catalog_add(struct ops *ops, struct json **result, struct error *err);
bool ops_catalog_rm(struct ops *ops, struct json **result, struct error *err);
bool ops_catalog_refresh(struct ops *ops, struct json **result, struct error *err);
bool ops_catalog_verify(struct ops *ops, struct json **result, struct error *err);
bool ops_catalog_publish(struct ops *ops, struct json **result, struct error *err);
bool ops_catalog_keygen(struct ops *ops, struct json **result, struct error *err);

bool ops_host_gc(struct ops *ops, struct json **result, struct error *err);
bool ops_host_files(struct ops *ops, struct json **result, struct error *err);
bool ops_host_df(struct ops *ops, struct json **result, struct error *err);
bool ops_host_doctor(struct ops *ops, struct json **result, struct error *err);
bool ops_host_trash_list(struct ops *ops, struct json **result, struct error *err);
bool ops_host_trash_restore(struct ops *ops, struct json **result, struct error *err);
bool ops_host_trash_empty(struct ops *ops, struct json **result, struct error *err);

bool ops_job_list(struct ops *ops, struct json **result, struct error *err);
bool ops_events(struct ops *ops, struct json **result, struct error *err);
bool ops_job_cancel(struct ops *ops, struct json **result, struct error *err);
bool ops_job_move(struct ops *ops, struct json **result, struct error *err);
