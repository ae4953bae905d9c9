/* SPDX-License-Identifier: MIT */
#include "vm/machine_figures.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/machine.h"

#define PROC_BYTES_MAX (1024 * 1024) /* a host of some thousand interfaces */

static const char *const source_names[] = {
    [FIGURES_UNKNOWN] = "unknown", [FIGURES_PROCESS] = "process", [FIGURES_LINK] = "link"};

const char *figures_source_name(enum figures_source source)
{
    return source_names[source];
}

/* A small file of the kernel's, whole; false when it is not there. */
static bool read_small(const char *path, struct text *content)
{
    struct error ignored = {0};
    return file_read_all(AT_FDCWD, path, PROC_BYTES_MAX, content, &ignored);
}

/* ---- the process ------------------------------------------------------------------------------ */

static void read_memory(pid_t pid, struct machine_figures *figures)
{
    auto_free char *path = memory_printf("/proc/%d/statm", (int)pid);
    auto_done(text) struct text content = {0};
    uint64_t total_pages, resident_pages;
    if (read_small(path, &content) &&
        sscanf(text_cstr(&content), "%" SCNu64 " %" SCNu64, &total_pages, &resident_pages) == 2) {
        figures->rss_bytes = resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
        figures->memory_from = FIGURES_PROCESS;
    }
}

static void read_storage(pid_t pid, struct machine_figures *figures)
{
    auto_free char *path = memory_printf("/proc/%d/io", (int)pid);
    auto_done(text) struct text content = {0};
    if (!read_small(path, &content)) {
        return;
    }
    const char *of_reads = strstr(text_cstr(&content), "\nread_bytes: ");
    const char *of_writes = strstr(text_cstr(&content), "\nwrite_bytes: ");
    if (of_reads != NULL && of_writes != NULL &&
        sscanf(of_reads, "\nread_bytes: %" SCNu64, &figures->read_bytes) == 1 &&
        sscanf(of_writes, "\nwrite_bytes: %" SCNu64, &figures->written_bytes) == 1) {
        figures->storage_from = FIGURES_PROCESS;
    }
}

/* ---- the network ------------------------------------------------------------------------------ */

/* The interface's row in proc(5), net/dev, of the VMM's namespace, be it this host's or its own: what
 * is behind the name. */
static const char *find_link(const char *table, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = table; line != NULL && *line != '\0';) {
        const char *word = line + strspn(line, " ");
        if (strncmp(word, name, len) == 0 && word[len] == ':') {
            return word + len + 1;
        }
        line = strchr(line, '\n');
        if (line != NULL) {
            line++;
        }
    }
    return NULL;
}

/* What this host receives at the tap is what the guest sent. */
static bool read_tap(const struct machine_handle *handle, struct machine_figures *figures)
{
    auto_free char *path = memory_printf("/proc/%d/net/dev", (int)handle->vmm.pid);
    auto_done(text) struct text table = {0};
    const char *row = NULL;
    if (handle->net.tap[0] != '\0' && read_small(path, &table)) {
        row = find_link(text_cstr(&table), handle->net.tap);
    }
    return row != NULL && sscanf(row, " %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
                              &figures->net_sent_bytes, &figures->net_received_bytes) == 2;
}

void machine_figures_read(const struct machine_handle *handle, struct machine_figures *figures)
{
    *figures = (struct machine_figures){
        .at_ms = clock_monotonic_ms(), .cpu_ms = process_cpu_ms(&handle->vmm)};
    figures->cpu_from = figures->cpu_ms > 0 ? FIGURES_PROCESS : FIGURES_UNKNOWN;
    read_memory(handle->vmm.pid, figures);
    read_storage(handle->vmm.pid, figures);
    figures->network_from = read_tap(handle, figures) ? FIGURES_LINK : FIGURES_UNKNOWN;
}
