/* SPDX-License-Identifier: MIT */
#include "ui/welcome.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/cells.h"
#include "ui/draw.h"
#include "ui/keys.h"
#include "ui/seat.h"

bool welcome_is_due(const struct seat *seat)
{
    const struct snapshot *snapshot = seat->snapshot;
    return snapshot->is_reconciled && snapshot->kernels_count == 0 && snapshot->images_count == 0 &&
           snapshot->vms_count == 0;
}

/* A key, what it does, and below it why; returns the line behind. */
static int draw_step(const struct seat *seat, struct frame *frame, struct area area, int y,
    enum request request, const char *what, const char *why)
{
    const struct request_row *row = keys_row(request, CONTEXT_CATALOG);
    auto_done(text) struct text key = {0};
    keymap_name(&seat->keymap, row, &key);
    if (y < area.y + area.height) {
        draw_text(frame, y, area.x + 2, 5, ROLE_KEY, text_cstr(&key));
        draw_text(frame, y, area.x + 6, area.width - 7, ROLE_STRONG, what);
        y++;
    }
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, why, area.width - 8, 0, seat->theme.is_utf8);
    for (size_t i = 0; i < lines.count && y < area.y + area.height; i++) {
        draw_text(frame, y++, area.x + 6, area.width - 7, ROLE_TEXT, lines.items[i]);
    }
    return y;
}

/* What is known of the host without asking, where there is room for it. */
static void draw_host(const struct seat *seat, struct frame *frame, struct area area, int y)
{
    const struct host_facts *host = &seat->snapshot->host;
    const struct {
        const char *label, *text;
    } facts[] = {
        {"runs with", host->accel_why},
        {"QEMU", host->qemu[0] != '\0' ? host->qemu : "not found"},
        {"Firecracker", host->firecracker[0] != '\0' ? host->firecracker : "not found"},
        {"kept in", host->state_dir},
    };
    if (y + (int)array_length(facts) >= area.y + area.height) {
        return;
    }
    draw_text(frame, y++, area.x + 2, area.width - 3, ROLE_STRONG, "This host");
    for (size_t i = 0; i < array_length(facts); i++) {
        draw_text(frame, y, area.x + 2, 12, ROLE_DIM, facts[i].label);
        draw_text(frame, y++, area.x + 15, area.width - 16, ROLE_TEXT, facts[i].text);
    }
}

void welcome_draw(
    const struct seat *seat, struct frame *frame, struct area area, const struct offer_item *offer)
{
    draw_border(frame, area, false);
    draw_text(frame, area.y, area.x + 1, area.width - 2, ROLE_STRONG, " Start here ");
    struct area inner = draw_inside(area);
    int gap = inner.height >= 13 ? 1 : 0;
    int y = inner.y + gap;
    draw_text(
        frame, y++, inner.x + 2, inner.width - 3, ROLE_TEXT, "Nothing is on this host yet. Next:");
    y += gap;
    y = draw_step(seat, frame, inner, y, REQUEST_DOCTOR, "Check this host",
        "what it has to run machines, and what it lacks");
    y += gap;
    auto_free char *pull =
        offer != NULL ? memory_printf("Pull %s %s", offer_kind_name(offer->kind), offer->name)
                      : memory_strdup("Pull from a catalog");
    y = draw_step(seat, frame, inner, y, REQUEST_PULL, pull,
        "the entry marked at the left; its SHA-256 is proved before it is used");
    y += gap;
    y = draw_step(seat, frame, inner, y, REQUEST_IMPORT, "Import a kernel",
        "from a directory, a .deb, or the one that runs here");
    draw_host(seat, frame, inner, y + 2);
}
