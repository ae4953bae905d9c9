/* SPDX-License-Identifier: MIT */
#include "ui/details.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/format.h"
#include "ui/pager.h"
#include "ui/result.h"
#include "ui/table.h"

static void add_time(struct page *page, const char *label, int64_t at, int64_t now)
{
    if (at > 0) {
        char moment[CLOCK_TEXT_LEN];
        auto_done(text) struct text age = {0};
        format_age(&age, now, at, NULL);
        page_print(
            page, ROLE_TEXT, label, "%s  (%s ago)", clock_format(at, moment), text_cstr(&age));
    }
}

static void add_size(struct page *page, const char *label, uint64_t size_bytes)
{
    if (size_bytes > 0) {
        char buffer[UNITS_MAX];
        page_add(page, ROLE_TEXT, label, units_format_size(size_bytes, buffer));
    }
}

static void fill_offer(struct page *page, const struct offer_item *offer, int width)
{
    page_print(page, ROLE_STRONG, NULL, "%s, %s of the catalog", offer->name,
        offer_kind_name(offer->kind));
    switch (offer->state) {
    case OFFER_AVAILABLE:
        page_add(page, ROLE_TEXT, "state", "available");
        break;
    case OFFER_PULLED:
        page_add(page, ROLE_GOOD, "state", "pulled: it is on this host");
        break;
    case OFFER_UNUSABLE:
        page_add(page, ROLE_BAD, "state", "unusable");
        page_wrap(page, ROLE_BAD, "why", offer->why_unusable, width);
        break;
    }
    if (offer->description[0] != '\0') {
        page_wrap(page, ROLE_TEXT, "about", offer->description, width);
    }
    page_add_known(page, ROLE_TEXT, "version", offer->kernel_version);
    page_add_known(page, ROLE_TEXT, "kernel", offer->kernel_ref);
    page_print(page, ROLE_TEXT, "system", "%s %s", offer->distro, offer->arch);
    add_size(page, "size", offer->size_bytes);
    page_add(page, ROLE_TEXT, "sha256",
        offer->expected_sha256[0] != '\0' ? offer->expected_sha256
                                          : "known once apt's signed lists are asked, at the pull");
    page_add_known(page, ROLE_TEXT, "from", offer->origin);
    page_add_known(page, ROLE_TEXT, "catalog", offer->catalog);
}

/* Why nobody knows more, and what helps. */
static void add_unread(
    struct page *page, const char *state, const char *reason, const char *hint, int width)
{
    page_add(page, ROLE_ATTENTION, "state", state);
    page_wrap(page, ROLE_ATTENTION, "why", reason, width);
    page_wrap(page, ROLE_TEXT, "next", hint, width);
}

static void fill_kernel(struct page *page, const struct kernel_item *kernel, int64_t now, int width)
{
    auto_done(text) struct text proof = {0};
    format_verified(&proof, kernel->verified,
        kernel->source_sha256[0] != '\0' ? kernel->source_sha256 : kernel->sha256);
    page_print(page, ROLE_STRONG, NULL, "%s, kernel", kernel->name);
    if (kernel->state == ENTRY_DAMAGED) {
        page_add(page, ROLE_BAD, "state", "damaged");
        page_wrap(page, ROLE_BAD, "why", kernel->damage, width);
    }
    if (kernel->state == ENTRY_UNREADABLE) {
        add_unread(page, entry_state_name(kernel->state), kernel->reason, kernel->hint, width);
        return;
    }
    page_add(page, format_verified_role(kernel->verified), "proof", text_cstr(&proof));
    page_add_known(page, ROLE_TEXT, "version", kernel->kernel_version);
    page_print(page, ROLE_TEXT, "system", "%s %s", kernel->distro, kernel->arch);
    add_size(page, "size", kernel->size_bytes);
    page_add_known(page, ROLE_TEXT, "sha256", kernel->sha256);
    page_add_known(page, ROLE_TEXT, "source", kernel->source);
    page_add_known(page, ROLE_TEXT, "its sha256", kernel->source_sha256);
    page_add_known(page, ROLE_TEXT, "served by", kernel->fetched_from);
    add_time(page, "imported", kernel->imported_at, now);
}

static void fill_image(struct page *page, const struct image_item *image, int64_t now, int width)
{
    page_print(page, ROLE_STRONG, NULL, "%s, image", image->name);
    if (image->state == ENTRY_DAMAGED) {
        page_add(page, ROLE_BAD, "state", "damaged");
        page_wrap(page, ROLE_BAD, "why", image->damage, width);
    }
    if (image->state == ENTRY_UNREADABLE) {
        add_unread(page, entry_state_name(image->state), image->reason, image->hint, width);
        return;
    }
    page_add_known(page, ROLE_TEXT, "kernel", image->kernel_ref);
    add_size(page, "size", image->size_bytes);
    add_size(page, "on disk", image->disk_bytes);
    page_add(page, ROLE_TEXT, "files",
        image->is_managed ? "in the store" : "outside the store, where they were registered");
    page_add_known(page, ROLE_TEXT, "digest", image->digest);
    page_add_known(page, ROLE_TEXT, "source", image->source);
    add_time(page, "created", image->created_at, now);
    for (size_t i = 0; i < image->used_by_count; i++) {
        page_add(page, ROLE_TEXT, i == 0 ? "used by" : "", image->used_by[i]);
    }
}

#define STAGE_NAME_CELLS 10
#define STAGE_TIME_CELLS 8
#define STAGE_BAR_MAX 40

/* Stages one below the other, each with its moment and a bar from where the one before ended: the
 * slow one is the long one. The bar is of ASCII, as it is text of a page. */
static void add_timeline(struct page *page, const struct vm_item *vm, int width)
{
    uint64_t end_ms = vm->stage_count > 0 ? vm->stages[vm->stage_count - 1].at_ms : 0;
    int room = width - PAGE_LABEL_CELLS - STAGE_NAME_CELLS - STAGE_TIME_CELLS - 2;
    room = room > STAGE_BAR_MAX ? STAGE_BAR_MAX : room;
    uint64_t before_ms = 0;
    for (size_t i = 0; i < vm->stage_count; i++) {
        const struct stage_item *stage = &vm->stages[i];
        char at[UNITS_MAX];
        auto_done(text) struct text bar = {0};
        for (int cell = 0; cell < room && end_ms > 0; cell++) {
            uint64_t here_ms = end_ms * (uint64_t)cell / (uint64_t)room;
            text_append_char(&bar, here_ms >= before_ms && here_ms < stage->at_ms ? '=' : ' ');
        }
        page_print(page, ROLE_TEXT, i == 0 ? "boot" : "", "%-*s%*s  %s", STAGE_NAME_CELLS,
            stage->name, STAGE_TIME_CELLS, units_format_duration(stage->at_ms, at),
            text_cstr(&bar));
        before_ms = stage->at_ms;
    }
}

static void add_stages(struct page *page, const struct vm_item *vm, int width)
{
    auto_done(text) struct text line = {0};
    for (size_t i = 0; i < vm->stage_count; i++) {
        char at[UNITS_MAX];
        text_printf(&line, "%s%s %s", i > 0 ? ", " : "", vm->stages[i].name,
            units_format_duration(vm->stages[i].at_ms, at));
    }
    if (line.len > 0) {
        page_wrap(page, ROLE_TEXT, "boot", text_cstr(&line), width);
    }
}

static void add_network(struct page *page, const struct vm_item *vm)
{
    if (vm->is_network_lost) {
        page_print(
            page, ROLE_ATTENTION, "network", "lost: what serves it died, and is started again");
    }
    if (vm->has_net) {
        char figures[4][UNITS_MAX];
        page_print(page, ROLE_TEXT, "traffic", "in %s/s (%s so far), out %s/s (%s)",
            units_format_size(vm->net_received_rate, figures[0]),
            units_format_size(vm->net_received_bytes, figures[1]),
            units_format_size(vm->net_sent_rate, figures[2]),
            units_format_size(vm->net_sent_bytes, figures[3]));
    }
}

/* What it can be taken back to, the latest first; in brief how many. */
static void add_snapshots(struct page *page, const struct vm_item *vm, int64_t now, bool is_brief)
{
    if (is_brief && vm->snapshot_count > 0) {
        const struct vm_snapshot_item *latest = &vm->snapshots[vm->snapshot_count - 1];
        page_print(
            page, ROLE_TEXT, "snapshots", "%zu, the latest %s", vm->snapshot_count, latest->name);
    }
    for (size_t i = vm->snapshot_count; i > 0 && !is_brief; i--) {
        const struct vm_snapshot_item *snapshot = &vm->snapshots[i - 1];
        auto_done(text) struct text age = {0};
        if (snapshot->created_at > 0) {
            format_age(&age, now, snapshot->created_at, NULL);
            text_append(&age, " ago");
        }
        page_print(page, ROLE_TEXT, i == vm->snapshot_count ? "snapshots" : "", "%s, %s%s",
            snapshot->name, age.len > 0 ? text_cstr(&age) : "which cannot be read",
            snapshot->has_memory ? ", with memory" : "");
    }
}

static void fill_vm(
    struct page *page, const struct vm_item *vm, int64_t now, int width, bool is_brief)
{
    bool is_running = vm->state == VM_STATE_RUNNING;
    page_print(page, ROLE_STRONG, NULL, "%s, machine", vm->name);
    if (vm->state == VM_STATE_UNKNOWN && vm->reason != NULL && vm->reason[0] != '\0') {
        add_unread(page, vm_state_name(vm->state), vm->reason, vm->hint, width);
        return;
    }
    page_print(page, format_vm_role(vm->state), "state", "%s%s", vm_state_name(vm->state),
        !is_running    ? ""
        : vm->is_ready ? ", the agent answers"
                       : ", the agent has not answered yet");
    if (vm->is_no_space) {
        page_wrap(page, ROLE_BAD, "disk full",
            "a write of the guest found no room on this host, so it stands still: make room, and "
            "it goes on by itself",
            width);
    }
    if (vm->lost_monitor != 0) {
        page_wrap(page, ROLE_ATTENTION, "monitor",
            "died: nobody keeps the log or would start the machine again; the next command on it, "
            "or host gc, gives it a new one",
            width);
    }
    if (vm->exit_text[0] != '\0') {
        page_wrap(page, ROLE_TEXT, "why", vm->exit_text, width);
    }
    if (is_brief) {
        add_stages(page, vm, width);
    }
    page_add_known(page, ROLE_TEXT, "image", vm->image);
    page_add_known(page, ROLE_TEXT, "kernel", vm->kernel_ref);
    page_print(page, ROLE_TEXT, "size", "%" PRIu64 " vCPU, %" PRIu64 " MiB memory", vm->vcpu,
        vm->memory_mib);
    bool is_chosen = vm->pid > 0 || strcmp(vm->vmm, vm->accel) != 0; /* else both are "auto" */
    page_print(page, ROLE_TEXT, "vmm", "%s%s%s", vm->vmm,
        is_chosen && vm->accel[0] != '\0' ? ", " : "", is_chosen ? vm->accel : "");
    if (vm->pid > 0) {
        auto_done(text) struct text cpu = {0};
        char buffer[UNITS_MAX];
        format_cpu(&cpu, vm->cpu_permille);
        page_print(page, ROLE_TEXT, "uses", "cpu %s of a core, memory %s", text_cstr(&cpu),
            units_format_size(vm->rss_bytes, buffer));
        add_network(page, vm);
        page_print(page, ROLE_TEXT, "pid", "%" PRId64, vm->pid);
    }
    add_size(page, "disk", vm->disk_bytes);
    add_time(page, "created", vm->created_at, now);
    add_time(page, "started", vm->started_at, now);
    add_time(page, "ended", vm->ended_at, now);
    if (vm->restarts > 0) {
        page_print(page, ROLE_TEXT, "restarts", "%" PRIu64 " by itself since then", vm->restarts);
    }
    add_snapshots(page, vm, now, is_brief);
    if (!is_brief) {
        add_timeline(page, vm, width);
    }
}

static void add_digest(
    struct page *page, enum role role, const char *label, const struct digest *digest)
{
    char hex[DIGEST_HEX_LEN + 1];
    page_add(page, role, label, digest_format(digest, hex));
}

static void fill_job(
    struct page *page, const struct snapshot *snapshot, size_t index, int64_t now, int width)
{
    const struct job_item *job = &snapshot->jobs[index];
    auto_done(text) struct text proof = {0};
    char buffer[UNITS_MAX];
    format_proof(&proof, job);
    auto_done(text) struct text title = {0};
    format_job_title(&title, job, snapshot);
    page_add(page, ROLE_STRONG, NULL, text_cstr(&title));
    page_print(page, format_job_role(job->state), "state", "%s%s%s", job_state_name(job->state),
        job->note[0] != '\0' ? ", " : "", job->note);
    if (job->error.text[0] != '\0' && job->state == JOB_FAILED) {
        const char *hint = error_hint(&job->error);
        page_wrap(page, ROLE_BAD, "why", job->error.text, width);
        if (hint != NULL) {
            page_wrap(page, ROLE_TEXT, "next", hint, width);
        }
    }
    for (size_t i = 0; i < job->told_count; i++) {
        page_wrap(page, ROLE_TEXT, i == 0 ? "said so far" : "", job->told[i], width);
    }
    if (proof.len > 0) {
        page_add(page, job->error.code == ERROR_DIGEST ? ROLE_BAD : ROLE_TEXT, "sha256",
            text_cstr(&proof));
    }
    if (job->has_expected) {
        add_digest(page, ROLE_TEXT, "expected", &job->expected);
    }
    if (job->has_found) {
        bool is_same = job->has_expected && digest_equal(&job->expected, &job->found);
        add_digest(page, is_same ? ROLE_GOOD : ROLE_BAD, "found", &job->found);
    }
    add_size(page, "downloaded", job->transferred);
    page_add(page, ROLE_TEXT, "took", units_format_duration(job->elapsed_ms, buffer));
    add_time(page, "ended", job->finished_at, now);
    page_add_known(page, ROLE_TEXT, "object", job->object);
    page_print(page, ROLE_TEXT, "as a line", "banger-tui --batch %s", job->line);
    if (job->place > 0) {
        page_print(page, ROLE_TEXT, "place", "%zu of %zu", job->place, job->places);
        page_add_known(page, ROLE_TEXT, "waits for", job->waits_for);
    }
    if (job->is_foreign) {
        page_print(page, ROLE_TEXT, job->place > 0 ? "waits in" : "runs in",
            "another process, pid %" PRId64, job->pid);
        page_add_known(page, ROLE_TEXT, "of", job->seat);
    }
    if (job->result != NULL) {
        page_heading(page, "Result");
        result_fill(page, job->verb, job->result, now, width);
    }
}

void details_fill(struct page *page, const struct snapshot *snapshot, enum pane pane, size_t index,
    int64_t now, int width, bool is_brief)
{
    switch (pane) {
    case PANE_CATALOG:
        fill_offer(page, &snapshot->offers[index], width);
        return;
    case PANE_KERNELS:
        fill_kernel(page, &snapshot->kernels[index], now, width);
        return;
    case PANE_IMAGES:
        fill_image(page, &snapshot->images[index], now, width);
        return;
    case PANE_VMS:
        fill_vm(page, &snapshot->vms[index], now, width, is_brief);
        return;
    case PANE_JOBS:
        fill_job(page, snapshot, index, now, width);
        return;
    }
}

bool details_find(const struct snapshot *snapshot, enum pane pane, const char *key, size_t *index)
{
    const struct table_source *source = pane_infos[pane].source;
    size_t count = 0;
    source->section(snapshot, &count);
    for (size_t i = 0; i < count; i++) {
        char found[TABLE_KEY_MAX];
        source->key(snapshot, i, found);
        if (strcmp(found, key) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}
