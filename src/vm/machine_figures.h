/* SPDX-License-Identifier: MIT */
#pragma once

/* What a running machine uses of this host, at one moment: the one place that reads it, for `vm
 * stats`, `vm list`, the watcher and the console. Counters only grow while its VMM is the same;
 * rates are what the caller makes of two looks. Any thread. Sources: proc(5) stat, statm, io,
 * net/dev; the guest by way of its monitor. */

#include "vm/cgroup.h"
#include "vm/monitor_client.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct machine_handle;

/* Where a figure comes from. */
enum figures_source {
    FIGURES_UNKNOWN, /* nothing is known: the figure is 0 */
    FIGURES_PROCESS, /* the VMM's process */
    FIGURES_CGROUP,  /* its control group: VMM, monitor and what serves them */
    FIGURES_LINK,    /* the counters of the machine's network interface on this host */
    FIGURES_GUEST,   /* what the guest's agent says: foreign, and only as true as the guest */
};

struct machine_figures {
    uint64_t at_ms; /* monotonic */
    uint64_t cpu_ms;
    uint64_t rss_bytes;
    struct cgroup_use group; /* all there is where it has a group of its own */
    uint64_t read_bytes;     /* from and to storage: what the page cache serves is not in it */
    uint64_t written_bytes;
    uint64_t net_at_ms;          /* when the next two were true */
    uint64_t net_received_bytes; /* by the guest */
    uint64_t net_sent_bytes;
    uint64_t guest_load; /* hundredths */
    uint64_t guest_memory_bytes;
    uint64_t guest_used_bytes;
    bool has_guest; /* the three above are known: the guest's word */
    enum figures_source cpu_from;
    enum figures_source memory_from;
    enum figures_source storage_from;
    enum figures_source network_from;
};

/* "process", "cgroup", "link", "guest"; "unknown". */
const char *figures_source_name(enum figures_source source);
/* vm_dir: the machine's directory. Of the guest's own figures it has the latest, and asks it for the
 * next ones; never waits for a guest. */
void machine_figures_read(int vm_dir, const struct machine_handle *handle,
    const struct cancel *cancel, struct machine_figures *figures);

/* The same in two steps, for figures of now from guests that may be silent: ask them all, then take
 * from one after the other what came by one deadline. */
struct figures_request {
    struct monitor_connection connection; /* fd -1: nobody was asked */
};
void machine_figures_ask(int vm_dir, const struct cancel *cancel, struct figures_request *request);
/* Ends the request. */
void machine_figures_take(struct figures_request *request, const struct machine_handle *handle,
    uint64_t deadline_ms, const struct cancel *cancel, struct machine_figures *figures);
