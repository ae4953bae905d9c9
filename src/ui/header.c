/* SPDX-License-Identifier: MIT */
#include "ui/header.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/snapshot.h"
#include "ui/cells.h"
#include "ui/draw.h"
#include "ui/format.h"

#define DISK_LOW ((uint64_t)64 << 20) /* so little is as good as nothing */
#define GAP 3

/* One fact: written only when it fits whole. */
static void put_fact(struct frame *frame, struct pen *pen, enum role role, const char *fact)
{
    if (fact[0] != '\0' && pen->x + cells_width(fact, frame->theme->is_utf8) <= pen->limit) {
        pen_text(frame, pen, role, fact);
        pen_skip(pen, GAP);
    }
}

static void put_vms(const struct snapshot *snapshot, struct frame *frame, struct pen *pen)
{
    size_t up = 0;
    uint32_t cpu_permille = 0;
    for (size_t i = 0; i < snapshot->vms_count; i++) {
        const struct vm_item *vm = &snapshot->vms[i];
        if (vm->state == VM_STATE_RUNNING || vm->state == VM_STATE_PAUSED) {
            up++;
            cpu_permille += vm->cpu_permille;
        }
    }
    if (snapshot->vms_count == 0) {
        put_fact(frame, pen, ROLE_DIM, "no VMs");
        return;
    }
    auto_free char *fact = memory_printf("%zu of %zu VMs up", up, snapshot->vms_count);
    put_fact(frame, pen, ROLE_TEXT, fact);
    if (up > 0) {
        auto_done(text) struct text cpu = {0};
        text_append(&cpu, "cpu ");
        format_cpu(&cpu, cpu_permille);
        put_fact(frame, pen, ROLE_TEXT, text_cstr(&cpu));
    }
}

static void put_space(const struct host_facts *host, struct frame *frame, struct pen *pen)
{
    if (host->memory_bytes > 0) {
        auto_done(text) struct text memory = {0};
        text_append(&memory, "mem ");
        format_amount(&memory, PROGRESS_BYTES, host->memory_bytes - host->memory_free_bytes,
            host->memory_bytes);
        put_fact(frame, pen, ROLE_TEXT, text_cstr(&memory));
    }
    if (host->memory_bytes > 0) { /* the host was looked at: nothing free is a fact as well */
        char buffer[UNITS_MAX];
        auto_free char *disk =
            memory_printf("disk %s free", units_format_size(host->disk_free_bytes, buffer));
        put_fact(frame, pen, host->disk_free_bytes < DISK_LOW ? ROLE_BAD : ROLE_TEXT, disk);
    }
}

static void put_tabs(struct frame *frame, struct pen *pen, enum pane focus)
{
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        bool is_here = pane == (int)focus;
        auto_free char *tab = memory_printf("%d %s", pane + 1, pane_infos[pane].title);
        if (pen->x + (int)strlen(tab) <= pen->limit) {
            pen_text(frame, pen, is_here ? ROLE_FOCUS : ROLE_TEXT, tab);
            pen_skip(pen, 2);
        }
    }
}

void header_draw(const struct snapshot *snapshot, struct frame *frame, struct area line,
    bool is_readonly, bool is_folded, enum pane focus)
{
    const struct host_facts *host = &snapshot->host;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width - 1};
    bool is_emulated = strcmp(host->accel, "tcg") == 0;
    const char *right = is_readonly ? "read-only" : is_emulated ? "no kvm" : host->accel;
    if (right[0] != '\0') {
        enum role role = is_readonly || is_emulated ? ROLE_ATTENTION : ROLE_DIM;
        int used = draw_right(frame, line.y, pen.limit - 12, 12, role, right);
        pen.limit -= used + 2;
    }
    if (is_folded) {
        put_tabs(frame, &pen, focus);
        return;
    }
    put_fact(frame, &pen, ROLE_STRONG, host->host_name);
    put_vms(snapshot, frame, &pen);
    put_space(host, frame, &pen);
}
