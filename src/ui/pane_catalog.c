/* SPDX-License-Identifier: MIT */
#include "ui/panes.h"

#include <stdio.h>

#include "base/memory.h"
#include "engine/snapshot.h"
#include "ui/cell.h"
#include "ui/table.h"

enum { OFFER_NAME, OFFER_KIND, OFFER_STATE, OFFER_SIZE, OFFER_VERSION, OFFER_DISTRO, OFFER_ABOUT };
static const struct table_column offer_columns[] = {
    [OFFER_NAME] = {"NAME", 0, 8, 32, .is_right = false},
    [OFFER_KIND] = {"KIND", 1, 6, 6, .is_right = false},
    [OFFER_STATE] = {"STATE", 0, 6, 9, .is_right = false},
    [OFFER_SIZE] = {"SIZE", 1, 4, 5, .is_right = true},
    [OFFER_VERSION] = {"VERSION", 4, 8, 18, .is_loose = true},
    [OFFER_DISTRO] = {"DISTRO", 5, 6, 12, .is_right = false},
    [OFFER_ABOUT] = {"DESCRIPTION", 6, 12, 60, .is_loose = true},
};

static const void *offer_section(const struct snapshot *snapshot, size_t *count)
{
    *count = snapshot->offers_count;
    return snapshot->offers;
}

static void offer_key(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX])
{
    const struct offer_item *offer = &snapshot->offers[index];
    snprintf(key, TABLE_KEY_MAX, "%s/%s", offer_kind_name(offer->kind), offer->name);
}

static void offer_state_cell(const struct offer_item *offer, struct cell *cell)
{
    switch (offer->state) {
    case OFFER_PULLED:
        cell_print(cell, ROLE_GOOD, "pulled");
        return;
    case OFFER_UNUSABLE:
        cell_print(cell, ROLE_BAD, "unusable");
        return;
    case OFFER_AVAILABLE:
        cell_print(cell, ROLE_DIM, "available");
        return;
    }
}

static void offer_cell(
    const struct snapshot *snapshot, size_t index, size_t column, int64_t now, struct cell *cell)
{
    (void)now;
    const struct offer_item *offer = &snapshot->offers[index];
    switch (column) {
    case OFFER_NAME:
        cell_print(cell, ROLE_TEXT, "%s", offer->name);
        return;
    case OFFER_KIND:
        cell_print(cell, ROLE_DIM, "%s", offer_kind_name(offer->kind));
        return;
    case OFFER_STATE:
        offer_state_cell(offer, cell);
        return;
    case OFFER_SIZE:
        cell_size(cell, offer->size_bytes);
        return;
    case OFFER_VERSION:
        cell_print(cell, ROLE_TEXT, "%s", offer->kernel_version);
        return;
    case OFFER_DISTRO:
        cell_print(cell, ROLE_DIM, "%s", offer->distro);
        return;
    case OFFER_ABOUT:
        cell_print(cell, ROLE_DIM, "%s", offer->description);
        return;
    }
}

const struct table_source pane_catalog_source = {.columns = offer_columns,
    .column_count = array_length(offer_columns),
    .section = offer_section,
    .key = offer_key,
    .cell = offer_cell};
