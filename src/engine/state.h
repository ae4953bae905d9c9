/* SPDX-License-Identifier: MIT */
#pragma once

/* What the engine knows, behind one mutex. Writers (workers, the watcher) call functions here that
 * are O(1), or O(jobs) where a job list is searched, and never block; each bumps the revision and
 * rings the bell unless it is still ringing. state_snapshot answers the bell inside the lock
 * (outside, wake-ups get lost) and builds a new immutable block only when something changed since
 * the last one; sections that did not change are shared. The mutex is never held across a call
 * that can block, and no other lock is taken under it. The job records are in state_jobs.h, behind
 * the same mutex. */

#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct host_facts;
struct section;
struct snapshot;
struct state;
struct vm_item;

struct state *state_new(void);
/* Nobody else may use it any more; snapshots that are still held stay valid. */
void state_free(struct state *state);

/* Each takes the section over: items are struct offer_item, kernel_item, image_item, vm_item. */
void state_put_offers(struct state *state, struct section *offers);
void state_put_kernels(struct state *state, struct section *kernels);
void state_put_images(struct state *state, struct section *images);
void state_put_vms(struct state *state, struct section *vms);
/* The VMs as last put, for rates between two looks; NULL before the first. section_release it. */
struct section *state_hold_vms(struct state *state);
/* As state_put_vms, but only while what was held before is still what was last put. */
void state_replace_vms(struct state *state, const struct section *before, struct section *vms);
/* A copy of one VM in another section. */
struct vm_item *state_copy_vm(struct section *section, const struct vm_item *from);
/* Copies. */
void state_put_host(struct state *state, const struct host_facts *facts);
/* The store was read once. */
void state_set_reconciled(struct state *state);
/* A line for people; goes to the program's log as well. */
void state_log(struct state *state, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One about what another seat or a machine by itself did, that front ends show at once. */
void state_log_news(struct state *state, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* When a snapshot was asked for last, on the monotonic clock; 0 for never. */
uint64_t state_looked_ms(struct state *state);

/* For the front end, through engine.h. */
int state_wake_fd(const struct state *state);
const struct snapshot *state_snapshot(struct state *state);
void state_release(const struct snapshot *snapshot);
