/* SPDX-License-Identifier: MIT */
#include "ui/panes.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/cell.h"
#include "ui/format.h"
#include "ui/table.h"

enum {
    IMAGE_NAME,
    IMAGE_SIZE,
    IMAGE_KERNEL,
    IMAGE_VERIFIED,
    IMAGE_USED,
    IMAGE_AGE,
    IMAGE_DISK,
    IMAGE_SOURCE
};
static const struct table_column image_columns[] = {
    [IMAGE_NAME] = {"NAME", 0, 8, 32, .is_right = false},
    [IMAGE_SIZE] = {"SIZE", 2, 4, 5, .is_right = true},
    [IMAGE_KERNEL] = {"KERNEL", 4, 6, 24, .is_right = false},
    [IMAGE_VERIFIED] = {"SHA256", 0, 17, 17, .is_right = false},
    [IMAGE_USED] = {"USED BY", 1, 5, 7, .is_right = false},
    [IMAGE_AGE] = {"AGE", 3, 3, 4, .is_right = true},
    [IMAGE_DISK] = {"ON DISK", 5, 4, 7, .is_right = true},
    [IMAGE_SOURCE] = {"SOURCE", 6, 12, 60, .is_loose = true},
};

static const void *image_section(const struct snapshot *snapshot, size_t *count)
{
    *count = snapshot->images_count;
    return snapshot->images;
}

static void image_key(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX])
{
    snprintf(key, TABLE_KEY_MAX, "%s", snapshot->images[index].name);
}

static void image_verified_cell(const struct image_item *image, struct cell *cell)
{
    if (image->state == ENTRY_UNREADABLE) {
        cell_print(cell, ROLE_ATTENTION, "%s", entry_state_name(image->state));
        return;
    }
    if (image->state == ENTRY_DAMAGED) {
        cell_print(cell, ROLE_BAD, "damaged");
        return;
    }
    enum verified_state verified = format_image_verified(image);
    const char *hex = text_has_prefix(image->digest, "sha256:") ? image->digest + 7 : image->digest;
    auto_done(text) struct text words = {0};
    format_verified(&words, verified, hex);
    cell_text(cell, format_verified_role(verified), &words);
}

static void image_cell(
    const struct snapshot *snapshot, size_t index, size_t column, int64_t now, struct cell *cell)
{
    const struct image_item *image = &snapshot->images[index];
    switch (column) {
    case IMAGE_NAME:
        cell_print(cell, ROLE_TEXT, "%s", image->name);
        return;
    case IMAGE_SIZE:
        cell_size(cell, image->size_bytes);
        return;
    case IMAGE_KERNEL:
        cell_print(cell, ROLE_DIM, "%s", image->kernel_ref);
        return;
    case IMAGE_VERIFIED:
        image_verified_cell(image, cell);
        return;
    case IMAGE_USED:
        if (image->used_by_count > 0) {
            cell_print(cell, ROLE_TEXT, "%zu %s", image->used_by_count,
                image->used_by_count == 1 ? "VM" : "VMs");
        }
        cell_order(cell, (int64_t)image->used_by_count);
        return;
    case IMAGE_AGE:
        cell_age(cell, now, image->created_at);
        return;
    case IMAGE_DISK:
        cell_size(cell, image->disk_bytes);
        return;
    case IMAGE_SOURCE:
        cell_print(cell, ROLE_DIM, "%s", image->source);
        return;
    }
}

const struct table_source pane_images_source = {.columns = image_columns,
    .column_count = array_length(image_columns),
    .section = image_section,
    .key = image_key,
    .cell = image_cell};
