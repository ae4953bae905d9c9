/* SPDX-License-Identifier: MIT */
#pragma once

/* What the engine knows, as plain immutable data for the front ends. A snapshot and everything it
 * points to stays as it is until engine_release; sections that did not change are shared between
 * snapshots. Strings are never NULL unless the comment says so ("" means not known), may hold
 * foreign bytes, and are UTF-8 only by luck: show them through text_safe. Times are wall seconds,
 * 0 when not known. Only engine/state.c makes these. */

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verb;

/* The word of the same meaning for each value: see the *_name functions below. */
enum entry_state {
    ENTRY_OK,
    ENTRY_DAMAGED,    /* what is there is wrong */
    ENTRY_UNREADABLE, /* the host keeps us from looking: nobody knows, and nothing of it is wrong */
};
enum verified_state { VERIFIED_NONE, VERIFIED_RECORDED, VERIFIED_PULL, VERIFIED_MISMATCH };
enum offer_state { OFFER_AVAILABLE, OFFER_PULLED, OFFER_UNUSABLE };
enum offer_kind { OFFER_KERNEL, OFFER_IMAGE };
enum vm_state {
    VM_STATE_UNKNOWN,
    VM_STATE_CREATED,
    VM_STATE_STARTING,
    VM_STATE_RUNNING,
    VM_STATE_PAUSED,
    VM_STATE_STOPPING,
    VM_STATE_STOPPED,
    VM_STATE_CRASHED,
    VM_STATE_ERROR,
};
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_OK, JOB_FAILED, JOB_CANCELLED };

/* One thing that can be had from a catalog. */
struct offer_item {
    const char *name;
    enum offer_kind kind;
    const char *distro;
    const char *arch;
    const char *kernel_version;
    uint64_t size_bytes; /* 0: not known before it is resolved */
    const char *description;
    const char *kernel_ref;      /* images: the kernel that is pulled on the way */
    const char *catalog;         /* the source it came from */
    const char *origin;          /* URL, or "apt:PACKAGE" */
    const char *expected_sha256; /* "" for apt packages until resolved */
    enum offer_state state;
    const char *why_unusable;
};

struct kernel_item {
    const char *name;
    const char *distro;
    const char *arch;
    const char *kernel_version;
    const char *sha256; /* of vmlinux */
    const char *source;
    const char *fetched_from;
    const char *source_sha256;
    int64_t imported_at;
    uint64_t size_bytes;
    enum entry_state state;
    enum verified_state verified;
    const char *damage; /* what is wrong with a damaged entry */
    const char *reason; /* why an unreadable one could not be read */
    const char *hint;   /* and what to do about that */
};

struct image_item {
    const char *name;
    const char *source;
    const char *digest;
    const char *kernel_ref;
    uint64_t size_bytes;
    uint64_t disk_bytes;
    bool is_managed;
    int64_t created_at;
    enum entry_state state;
    const char *damage;
    const char *reason; /* as of a kernel */
    const char *hint;
    size_t used_by_count;
    const char *const *used_by; /* names of VMs */
};

struct stage_item {
    const char *name; /* "vmm", "kernel", "init", "network", "agent" */
    uint64_t at_ms;   /* since exec of the VMM */
};

/* What a machine can be taken back to. */
struct vm_snapshot_item {
    const char *name;
    int64_t created_at; /* 0: it cannot be read */
    bool has_memory;
    const char *kernel_ref; /* "": what the image brings */
};

/* Looks at a machine's processor use that are remembered: the last minute, at one every 2 s. */
#define VM_HISTORY 30

struct vm_item {
    const char *name;
    enum vm_state state;
    const char *image;
    const char *kernel_ref;
    const char *vmm;
    const char *accel;
    uint64_t vcpu;
    uint64_t memory_mib;
    int64_t pid;             /* of the VMM; 0 when not running */
    uint64_t pid_start_time; /* proc(5), stat: together they mean one process */
    int64_t created_at;
    int64_t started_at;
    int64_t ended_at;      /* 0: it runs, or nobody saw it end */
    const char *reason;    /* why its state is unknown; "" */
    const char *hint;      /* what to do about that; "" */
    const char *exit_text; /* "power-off by the guest", "kernel panic: …"; "" while it runs */
    bool is_ready;         /* the agent answered */
    bool is_network_lost;  /* what serves it died, and is about to be started again */
    bool is_no_space;      /* it is paused because the disk is full, and goes on by itself */
    int64_t lost_monitor;  /* pid of its monitor that died: nobody keeps its log; 0: it has one */
    uint64_t restarts;     /* by its restart policy, since somebody started it */
    size_t stage_count;
    const struct stage_item *stages; /* of the latest boot */
    uint64_t rss_bytes;
    uint32_t cpu_permille; /* 1000 = one host core; between the last two looks, at first the mean */
    uint64_t cpu_ms;       /* processor time of the VMM so far, and when that was read */
    uint64_t looked_ms;    /* (monotonic) */
    uint64_t disk_bytes;
    uint32_t cpu_history[VM_HISTORY]; /* permille, oldest first */
    size_t cpu_history_count;
    bool has_net;                /* what its network carries is known */
    uint64_t net_received_bytes; /* by the guest, since its network came up */
    uint64_t net_sent_bytes;
    uint64_t net_received_rate; /* bytes a second between the last two looks, at first 0 */
    uint64_t net_sent_rate;
    uint64_t net_looked_ms; /* when the bytes were counted (monotonic) */
    size_t snapshot_count;
    const struct vm_snapshot_item *snapshots; /* the oldest first */
};

struct job_item {
    uint64_t id;
    const struct verb *verb;
    const char *title;  /* "pull debian-cloud" */
    const char *object; /* "kernel/debian-cloud"; "" for none */
    const char *line;   /* the same as a batch line: "kernel pull debian-cloud" */
    enum job_state state;
    enum progress_phase phase;
    enum progress_unit unit;
    uint64_t done;
    uint64_t total;       /* 0: not known */
    uint32_t permille;    /* of the whole job by weighted steps; never goes back */
    uint64_t rate;        /* units a second, smoothed; the mean once finished */
    uint64_t elapsed_ms;  /* up to now or to the end */
    uint64_t transferred; /* bytes downloaded in all, kept after the end */
    const char *note;     /* "waiting for pid 123"; "" for none */
    size_t place;  /* of a queued one among those of its queue, from 1; 0: it does not wait */
    size_t places; /* how many wait in it */
    const char *waits_for; /* the command before it, or those that run; "" */
    const char *seat;      /* of a foreign one: "root on pts/3"; "" for not known */
    size_t told_count;     /* what was noted so far: each failed try, each source */
    const char *const *told;
    bool has_expected, has_found;
    struct digest expected, found;
    bool is_quiet;       /* a reading verb or housekeeping: not for the jobs pane */
    const char *result;  /* JSON text; NULL until the job is done or when there is none */
    struct error error;  /* of a failed or cancelled job */
    int64_t finished_at; /* wall */
    bool is_foreign;     /* runs in another process; engine_cancel works, engine_forget does not */
    int64_t pid;         /* of the process it runs in */
};

struct log_item {
    uint64_t number; /* grows from line to line */
    int64_t at;
    enum log_level level;
    bool is_news; /* what another seat destroyed or stopped, or a machine by itself did: to be shown
                   * at once */
    const char *text;
};

struct host_facts {
    const char *version; /* of this program */
    const char *host_name;
    const char *state_dir;
    const char *accel;       /* "kvm" or "tcg": what a VM started now would use */
    const char *accel_why;   /* one sentence */
    const char *qemu;        /* path of the program; "" when missing */
    const char *firecracker; /* path of the program; "" when missing */
    uint64_t disk_free_bytes;
    uint64_t memory_bytes, memory_free_bytes;
    size_t trash_count; /* what was removed and can be taken back */
    bool is_readonly;
    int64_t catalog_as_of;
};

#define SNAPSHOT_SECTION(type, name)                                                               \
    const struct type *name;                                                                       \
    size_t name##_count

struct snapshot {
    uint64_t revision;  /* grows with every change */
    bool is_reconciled; /* the store was read once: an empty list is really empty */
    SNAPSHOT_SECTION(offer_item, offers);
    SNAPSHOT_SECTION(kernel_item, kernels);
    SNAPSHOT_SECTION(image_item, images);
    SNAPSHOT_SECTION(vm_item, vms);
    /* Oldest first, queued ones in the order they will begin; ended ones stay until forgotten. */
    SNAPSHOT_SECTION(job_item, jobs);
    SNAPSHOT_SECTION(log_item, log); /* the last few hundred lines */
    struct host_facts host;
};

/* NULL: it is not there, or not any more. */
const struct job_item *snapshot_find_job(const struct snapshot *snapshot, uint64_t id);

const char *entry_state_name(enum entry_state state);
const char *verified_state_name(enum verified_state state);
const char *offer_state_name(enum offer_state state);
const char *offer_kind_name(enum offer_kind kind);
const char *vm_state_name(enum vm_state state);
const char *job_state_name(enum job_state state);
bool job_state_is_final(enum job_state state);
