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
    KERNEL_NAME,
    KERNEL_VERSION,
    KERNEL_SIZE,
    KERNEL_VERIFIED,
    KERNEL_AGE,
    KERNEL_DISTRO,
    KERNEL_SOURCE
};
static const struct table_column kernel_columns[] = {
    [KERNEL_NAME] = {"NAME", 0, 8, 32, .is_right = false},
    [KERNEL_VERSION] = {"VERSION", 3, 10, 22, .is_loose = true},
    [KERNEL_SIZE] = {"SIZE", 1, 4, 5, .is_right = true},
    [KERNEL_VERIFIED] = {"SHA256", 0, 17, 17, .is_right = false},
    [KERNEL_AGE] = {"AGE", 2, 3, 4, .is_right = true},
    [KERNEL_DISTRO] = {"DISTRO", 5, 6, 12, .is_right = false},
    [KERNEL_SOURCE] = {"SOURCE", 6, 12, 60, .is_loose = true},
};

static const void *kernel_section(const struct snapshot *snapshot, size_t *count)
{
    *count = snapshot->kernels_count;
    return snapshot->kernels;
}

static void kernel_key(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX])
{
    snprintf(key, TABLE_KEY_MAX, "%s", snapshot->kernels[index].name);
}

static void kernel_verified_cell(const struct kernel_item *kernel, struct cell *cell)
{
    if (kernel->state == ENTRY_UNREADABLE) {
        cell_print(cell, ROLE_ATTENTION, "%s", entry_state_name(kernel->state));
        return;
    }
    if (kernel->state == ENTRY_DAMAGED && kernel->verified != VERIFIED_MISMATCH) {
        cell_print(cell, ROLE_BAD, "damaged");
        return;
    }
    /* The digest that was promised is the one of what was fetched. */
    const char *digest = kernel->source_sha256[0] != '\0' ? kernel->source_sha256 : kernel->sha256;
    auto_done(text) struct text words = {0};
    format_verified(&words, kernel->verified, digest);
    cell_text(cell, format_verified_role(kernel->verified), &words);
}

static void kernel_cell(
    const struct snapshot *snapshot, size_t index, size_t column, int64_t now, struct cell *cell)
{
    const struct kernel_item *kernel = &snapshot->kernels[index];
    switch (column) {
    case KERNEL_NAME:
        cell_print(cell, ROLE_TEXT, "%s", kernel->name);
        return;
    case KERNEL_VERSION:
        cell_print(cell, ROLE_TEXT, "%s", kernel->kernel_version);
        return;
    case KERNEL_SIZE:
        cell_size(cell, kernel->size_bytes);
        return;
    case KERNEL_VERIFIED:
        kernel_verified_cell(kernel, cell);
        return;
    case KERNEL_AGE:
        cell_age(cell, now, kernel->imported_at);
        return;
    case KERNEL_DISTRO:
        cell_print(cell, ROLE_DIM, "%s", kernel->distro);
        return;
    case KERNEL_SOURCE:
        cell_print(cell, ROLE_DIM, "%s", kernel->source);
        return;
    }
}

const struct table_source pane_kernels_source = {.columns = kernel_columns,
    .column_count = array_length(kernel_columns),
    .section = kernel_section,
    .key = kernel_key,
    .cell = kernel_cell};
