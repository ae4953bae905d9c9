/* SPDX-License-Identifier: MIT */
#include "ui/panes.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/keys.h"
#include "ui/table.h"

const struct pane_info pane_infos[PANE_COUNT] = {
    [PANE_CATALOG] = {"Catalog", CONTEXT_CATALOG, &pane_catalog_source},
    [PANE_KERNELS] = {"Kernels", CONTEXT_KERNELS, &pane_kernels_source},
    [PANE_IMAGES] = {"Images", CONTEXT_IMAGES, &pane_images_source},
    [PANE_VMS] = {"VMs", CONTEXT_VMS, &pane_vms_source},
    [PANE_JOBS] = {"Jobs", CONTEXT_JOBS, &pane_jobs_source},
};

static void add_key(const struct keymap *keymap, enum request request, unsigned contexts,
    const char *does, struct text *out)
{
    keymap_name(keymap, keys_row(request, contexts), out);
    text_append(out, does);
}

void pane_empty_words(enum pane pane, const struct keymap *keymap, struct text *out)
{
    switch (pane) {
    case PANE_CATALOG:
        text_append(out, "No catalog offers anything: ");
        add_key(keymap, REQUEST_REFRESH, CONTEXT_CATALOG, " asks again.", out);
        return;
    case PANE_KERNELS:
        text_append(out, "None yet: ");
        add_key(keymap, REQUEST_PULL, CONTEXT_KERNELS, " pulls, ", out);
        add_key(keymap, REQUEST_IMPORT, CONTEXT_KERNELS, " imports one.", out);
        return;
    case PANE_IMAGES:
        text_append(out, "None yet: ");
        add_key(keymap, REQUEST_PULL, CONTEXT_IMAGES, " pulls, ", out);
        add_key(keymap, REQUEST_IMPORT, CONTEXT_IMAGES, " takes a disk.", out);
        return;
    case PANE_VMS:
        text_append(out, "None yet: ");
        add_key(keymap, REQUEST_RUN, CONTEXT_IMAGES, " on an image makes one.", out);
        return;
    case PANE_JOBS:
        text_append(out, "Nothing under way.");
        return;
    }
}

/* "2 running, 1 starting": each state by its word, the lively ones first. */
static void count_vms(const struct snapshot *snapshot, bool is_brief, struct text *out)
{
    static const enum vm_state shown[] = {VM_STATE_RUNNING, VM_STATE_STARTING, VM_STATE_PAUSED,
        VM_STATE_STOPPING, VM_STATE_CRASHED, VM_STATE_ERROR, VM_STATE_UNKNOWN, VM_STATE_STOPPED,
        VM_STATE_CREATED};
    for (size_t k = 0; k < array_length(shown); k++) {
        size_t count = 0;
        for (size_t i = 0; i < snapshot->vms_count; i++) {
            count += snapshot->vms[i].state == shown[k];
        }
        if (is_brief && k == 0) {
            text_printf(out, "%zu of %zu running", count, snapshot->vms_count);
            return;
        }
        if (count > 0) {
            text_printf(out, "%s%zu %s", out->len > 0 ? ", " : "", count, vm_state_name(shown[k]));
        }
    }
}

static void count_jobs(const struct snapshot *snapshot, struct text *out)
{
    size_t counts[JOB_CANCELLED + 1] = {0};
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        if (pane_job_is_listed(snapshot, i)) {
            counts[snapshot->jobs[i].state]++;
        }
    }
    static const enum job_state shown[] = {
        JOB_RUNNING, JOB_QUEUED, JOB_FAILED, JOB_CANCELLED, JOB_OK};
    static const char *const words[] = {"running", "queued", "failed", "cancelled", "done"};
    for (size_t i = 0; i < array_length(shown); i++) {
        if (counts[shown[i]] > 0) {
            text_printf(out, "%s%zu %s", out->len > 0 ? ", " : "", counts[shown[i]], words[i]);
        }
    }
}

void pane_count_words(
    enum pane pane, const struct snapshot *snapshot, bool is_brief, struct text *out)
{
    switch (pane) {
    case PANE_VMS:
        count_vms(snapshot, is_brief, out);
        return;
    case PANE_JOBS:
        count_jobs(snapshot, out);
        return;
    case PANE_CATALOG:
    case PANE_KERNELS:
    case PANE_IMAGES:
        break;
    }
    size_t count = 0;
    pane_infos[pane].source->section(snapshot, &count);
    if (count > 0) {
        text_printf(out, "%zu", count);
    }
}

const char *pane_name(enum pane pane, const struct snapshot *snapshot, size_t index)
{
    size_t count = 0;
    pane_infos[pane].source->section(snapshot, &count);
    if (index >= count) {
        return "";
    }
    switch (pane) {
    case PANE_CATALOG:
        return snapshot->offers[index].name;
    case PANE_KERNELS:
        return snapshot->kernels[index].name;
    case PANE_IMAGES:
        return snapshot->images[index].name;
    case PANE_VMS:
        return snapshot->vms[index].name;
    case PANE_JOBS:
        break;
    }
    return "";
}

const char *pane_copy_words(
    enum pane pane, const struct snapshot *snapshot, size_t index, struct text *out)
{
    switch (pane) {
    case PANE_CATALOG:
        text_append(out, snapshot->offers[index].origin);
        return "the address";
    case PANE_KERNELS:
        text_append(out, snapshot->kernels[index].sha256);
        return "the SHA-256";
    case PANE_IMAGES:
        text_append(out, snapshot->images[index].digest);
        return "the digest";
    case PANE_VMS:
        text_printf(out, "%s/vms/%s", snapshot->host.state_dir, snapshot->vms[index].name);
        return "the directory";
    case PANE_JOBS:
        text_append(out, snapshot->jobs[index].line);
        return "the line";
    }
    return "";
}
