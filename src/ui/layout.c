/* SPDX-License-Identifier: MIT */
#include "ui/layout.h"

/* Sizes of the body: the screen without its first and last line. */
#define SMALL_WIDTH 80
#define SMALL_HEIGHT 22
#define WIDE_WIDTH 120
#define WIDE_HEIGHT 38
#define HUGE_WIDTH 200
#define HUGE_HEIGHT 48

static struct area cut(struct area body, int y, int height, int x, int width)
{
    return (struct area){.y = body.y + y, .x = body.x + x, .height = height, .width = width};
}

/* Two by two, jobs below over the whole width. */
static void layout_small(struct layout *layout, struct area body)
{
    int jobs = body.height * 4 / 11;
    int lower = (body.height - jobs) / 2;
    int upper = body.height - jobs - lower;
    int left = body.width / 2;
    int right = body.width - left;
    layout->panes[PANE_CATALOG] = cut(body, 0, upper, 0, left);
    layout->panes[PANE_KERNELS] = cut(body, 0, upper, left, right);
    layout->panes[PANE_IMAGES] = cut(body, upper, lower, 0, left);
    layout->panes[PANE_VMS] = cut(body, upper, lower, left, right);
    layout->panes[PANE_JOBS] = cut(body, upper + lower, jobs, 0, body.width);
}

/* What can be had and is here at the left; machines, their details and their line at the right. */
static void layout_wide(struct layout *layout, struct area body)
{
    bool is_huge = body.width >= HUGE_WIDTH && body.height >= HUGE_HEIGHT;
    int jobs = body.height / 4;
    int top = body.height - jobs;
    int left = is_huge ? body.width * 2 / 5 : body.width / 2;
    int right = body.width - left;
    int third = top / 3;
    layout->panes[PANE_CATALOG] = cut(body, 0, top - 2 * third, 0, left);
    layout->panes[PANE_KERNELS] = cut(body, top - 2 * third, third, 0, left);
    layout->panes[PANE_IMAGES] = cut(body, top - third, third, 0, left);
    layout->panes[PANE_JOBS] = cut(body, top, jobs, 0, body.width);
    int vms = is_huge ? top / 3 : top / 2;
    int details = is_huge ? top / 3 : top - vms;
    layout->panes[PANE_VMS] = cut(body, 0, vms, left, right);
    layout->details = cut(body, vms, details, left, right);
    if (is_huge) {
        layout->tail = cut(body, vms + details, top - vms - details, left, right);
    }
}

void layout_main(struct layout *layout, struct area body, enum pane focus, bool is_zoomed)
{
    *layout = (struct layout){0};
    if (is_zoomed || body.width < SMALL_WIDTH || body.height < SMALL_HEIGHT) {
        layout->panes[focus] = body;
    } else if (body.width >= WIDE_WIDTH && body.height >= WIDE_HEIGHT) {
        layout_wide(layout, body);
    } else {
        layout_small(layout, body);
    }
}

enum pane layout_beside(const struct layout *layout, enum pane from, bool is_right)
{
    const struct area *here = &layout->panes[from];
    int edge = is_right ? here->x + here->width : here->x;
    int middle = here->y + here->height / 2;
    enum pane best = from;
    int best_distance = 0;
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        const struct area *there = &layout->panes[pane];
        bool is_beside = is_right ? there->x == edge : there->x + there->width == edge;
        if (there->height == 0 || pane == (int)from || !is_beside) {
            continue;
        }
        int distance = there->y + there->height / 2 - middle;
        distance = distance < 0 ? -distance : distance;
        if (best == from || distance < best_distance) {
            best = (enum pane)pane;
            best_distance = distance;
        }
    }
    return best;
}
