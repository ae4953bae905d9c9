/* SPDX-License-Identifier: MIT */
#pragma once

/* What a running machine uses of this host, at one moment: the one place that reads it, for `vm
 * stats`, `vm list`, the watcher and the console. Counters only grow while its VMM is the same;
 * rates are what the caller makes of two looks. Any thread; never waits for a guest. Sources:
 * proc(5) stat, statm, io, net/dev; sysfs class/net. */

#include <stdbool.h>
#include <stdint.h>

struct machine_handle;

/* Where a figure comes from. */
enum figures_source {
    FIGURES_UNKNOWN, /* nothing is known: the figure is 0 */
    FIGURES_PROCESS, /* the VMM's process */
    FIGURES_LINK,    /* the counters of the machine's network interface on this host */
};

struct machine_figures {
    uint64_t at_ms; /* monotonic */
    uint64_t cpu_ms;
    uint64_t rss_bytes;
    uint64_t read_bytes; /* from and to storage: what the page cache serves is not in it */
    uint64_t written_bytes;
    uint64_t net_received_bytes; /* by the guest */
    uint64_t net_sent_bytes;
    enum figures_source cpu_from;
    enum figures_source memory_from;
    enum figures_source storage_from;
    enum figures_source network_from;
};

/* "process", "link"; "unknown". */
const char *figures_source_name(enum figures_source source);
void machine_figures_read(const struct machine_handle *handle, struct machine_figures *figures);
