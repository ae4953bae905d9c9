/* SPDX-License-Identifier: MIT */
#pragma once

/* A snapshot in which every text comes from somebody who means harm, drawn by a seed. What is inside
 * a sequence says 7777, so that it is told from the console's own. */

#include "base/memory.h"
#include "engine/command.h"
#include "engine/snapshot.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HOSTILE_ROWS 12

static const char *const hostile_pieces[] = {
    "\x1b[7777;7777H",
    "\x1b[2J\x1b[7777m",
    "\x1b]0;7777\x07",
    "\x1b]52;c;7777\x1b\\",
    "\x1bP7777\x1b\\",
    "\x1b[?7777h",
    "\x1b[7777n",
    "\x9b"
    "7777m",
    "\xc2\x9b"
    "7777m",
    "\xc2\x90"
    "7777\xc2\x9c",
    "\x1b"
    "c",
    "\x0e",
    "\x0f",
    "\x07",
    "\x08\x08\x08",
    "\r\r\n\n",
    "\t\t",
    "\x7f",
    "\xff\xfe\xc3",
    "\xe2\x80\xae",
    "\xe2\x81\xa6",
    "\xe2\x80\x8b",
    "\xe2\x80\x8d",
    "\xef\xbb\xbf",
    "\xee\x80\x80",
    "\xe2\x80\xa8",
    "a\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85",
    "\xcc\x81",
    "\xe6\xbc\xa2\xe5\xad\x97",
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xef\xbc\xa1",
    "plain",
    " ",
    "-",
    "%s%n",
    "\xd7\x90\xd7\x91",
    "\xe0\xb8\x99\xe0\xb9\x89",
};

static inline uint32_t hostile_next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* A few pieces, now and then very many. The memory is never given back: it is a snapshot's. */
static inline const char *hostile_text(uint32_t *seed)
{
    size_t count = hostile_next(seed) % 16 == 0 ? 300 : 1 + hostile_next(seed) % 6;
    struct text text = {0};
    for (size_t i = 0; i < count; i++) {
        text_append(&text, hostile_pieces[hostile_next(seed) % array_length(hostile_pieces)]);
    }
    return text_take(&text);
}

static inline void hostile_offers(struct snapshot *snapshot, uint32_t *seed)
{
    static struct offer_item rows[HOSTILE_ROWS];
    for (size_t i = 0; i < HOSTILE_ROWS; i++) {
        rows[i] = (struct offer_item){.name = hostile_text(seed),
            .kind = i % 2 ? OFFER_IMAGE : OFFER_KERNEL,
            .distro = hostile_text(seed),
            .arch = hostile_text(seed),
            .kernel_version = hostile_text(seed),
            .size_bytes = hostile_next(seed),
            .description = hostile_text(seed),
            .kernel_ref = hostile_text(seed),
            .catalog = hostile_text(seed),
            .origin = hostile_text(seed),
            .expected_sha256 = hostile_text(seed),
            .state = i % 3 ? OFFER_AVAILABLE : OFFER_UNUSABLE,
            .why_unusable = hostile_text(seed)};
    }
    snapshot->offers = rows;
    snapshot->offers_count = HOSTILE_ROWS;
}

static inline void hostile_store(struct snapshot *snapshot, uint32_t *seed)
{
    static struct kernel_item kernels[HOSTILE_ROWS];
    static struct image_item images[HOSTILE_ROWS];
    static const char *users[HOSTILE_ROWS];
    for (size_t i = 0; i < HOSTILE_ROWS; i++) {
        users[i] = hostile_text(seed);
        kernels[i] = (struct kernel_item){.name = hostile_text(seed),
            .distro = hostile_text(seed),
            .arch = hostile_text(seed),
            .kernel_version = hostile_text(seed),
            .sha256 = hostile_text(seed),
            .source = hostile_text(seed),
            .fetched_from = hostile_text(seed),
            .source_sha256 = hostile_text(seed),
            .imported_at = hostile_next(seed),
            .size_bytes = hostile_next(seed),
            .state = i % 2 ? ENTRY_OK : ENTRY_DAMAGED,
            .verified = (enum verified_state)(i % 4),
            .damage = hostile_text(seed)};
        images[i] = (struct image_item){.name = hostile_text(seed),
            .source = hostile_text(seed),
            .digest = hostile_text(seed),
            .kernel_ref = hostile_text(seed),
            .created_at = hostile_next(seed),
            .size_bytes = hostile_next(seed),
            .state = i % 2 ? ENTRY_OK : ENTRY_DAMAGED,
            .damage = hostile_text(seed),
            .used_by_count = i % 2 ? HOSTILE_ROWS : 0,
            .used_by = users};
    }
    kernels[0].name = "lab";
    snapshot->kernels = kernels;
    snapshot->kernels_count = HOSTILE_ROWS;
    snapshot->images = images;
    snapshot->images_count = HOSTILE_ROWS;
}

static inline void hostile_vms(struct snapshot *snapshot, uint32_t *seed)
{
    static struct vm_item rows[HOSTILE_ROWS];
    static struct stage_item stages[2];
    static struct vm_snapshot_item snapshots[2];
    for (size_t i = 0; i < array_length(snapshots); i++) {
        const char *text = hostile_text(seed);
        snapshots[i] = (struct vm_snapshot_item){.name = text,
            .created_at = hostile_next(seed),
            .has_memory = i == 1,
            .kernel_ref = text};
    }
    for (size_t i = 0; i < array_length(stages); i++) {
        stages[i] = (struct stage_item){.name = hostile_text(seed), .at_ms = hostile_next(seed)};
    }
    for (size_t i = 0; i < HOSTILE_ROWS; i++) {
        rows[i] = (struct vm_item){.name = hostile_text(seed),
            .state = (enum vm_state)(hostile_next(seed) % (VM_STATE_ERROR + 1)),
            .image = hostile_text(seed),
            .kernel_ref = hostile_text(seed),
            .vmm = hostile_text(seed),
            .accel = hostile_text(seed),
            .vcpu = hostile_next(seed),
            .memory_mib = hostile_next(seed),
            .is_ready = true,
            .exit_text = hostile_text(seed),
            .stage_count = array_length(stages),
            .stages = stages,
            .snapshot_count = array_length(snapshots),
            .snapshots = snapshots,
            .rss_bytes = hostile_next(seed),
            .cpu_permille = hostile_next(seed)};
    }
    rows[0].state = VM_STATE_RUNNING; /* of this one dialogs open, too */
    rows[0].name = "web";
    snapshot->vms = rows;
    snapshot->vms_count = HOSTILE_ROWS;
}

/* What jobs are called and why they failed, and the messages. */
static inline void hostile_words(
    struct snapshot *snapshot, struct job_item *jobs, size_t count, uint32_t *seed)
{
    static struct log_item log[HOSTILE_ROWS];
    static const char *told[2];
    told[0] = hostile_text(seed);
    told[1] = hostile_text(seed);
    for (size_t i = 0; i < count; i++) {
        jobs[i].title = hostile_text(seed);
        jobs[i].object = hostile_text(seed);
        jobs[i].line = hostile_text(seed);
        jobs[i].note = hostile_text(seed);
        jobs[i].told = told;
        jobs[i].told_count = array_length(told);
        if (jobs[i].error.code != ERROR_NONE) {
            snprintf(jobs[i].error.text, sizeof(jobs[i].error.text), "%s", hostile_text(seed));
        }
    }
    for (size_t i = 0; i < HOSTILE_ROWS; i++) {
        log[i] = (struct log_item){.at = hostile_next(seed), .text = hostile_text(seed)};
    }
    snapshot->log = log;
    snapshot->log_count = HOSTILE_ROWS;
    snapshot->host.host_name = hostile_text(seed);
    snapshot->host.accel = hostile_text(seed);
    snapshot->host.accel_why = hostile_text(seed);
    snapshot->host.qemu = hostile_text(seed);
    snapshot->host.state_dir = hostile_text(seed);
}
