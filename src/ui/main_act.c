/* SPDX-License-Identifier: MIT */
/* What a key of the main screen is done to: the marked rows, else the one under the cursor. */
#include "ui/main_screen.h"

#include <stdlib.h>

#include "base/memory.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/seat.h"

/* So many rows are asked for each key of the bar; whether it can be done to one of those behind
 * them is found out when it is pressed. */
#define ASKED_MAX 500

struct row main_row(const struct main_screen *main, const struct seat *seat)
{
    struct row row = {.pane = main->focus, .name = ""};
    row.is_there = table_selected(&main->tables[main->focus], &row.index);
    if (row.is_there) {
        row.name = pane_name(main->focus, seat->snapshot, row.index);
    }
    return row;
}

/* The first marked row that it can be done to. */
static const struct action *find_marked(
    const struct main_screen *main, const struct seat *seat, enum request request, size_t most)
{
    const struct table *table = &main->tables[main->focus];
    for (size_t i = 0; i < table->section_count && i < most; i++) {
        const struct action *action = action_find(seat, request, main->focus, true, i);
        if (action != NULL && table_is_marked(table, seat->snapshot, i)) {
            return action;
        }
    }
    return NULL;
}

static const struct action *find(
    const struct main_screen *main, const struct seat *seat, enum request request, size_t most)
{
    const struct table *table = &main->tables[main->focus];
    size_t index = 0;
    if (table->marked.count > 0) {
        return find_marked(main, seat, request, most);
    }
    bool has_row = table_selected(table, &index);
    return action_find(seat, request, main->focus, has_row, index);
}

bool main_can_act(const struct main_screen *main, const struct seat *seat, enum request request)
{
    const struct table *table = &main->tables[main->focus];
    bool has_more = table->marked.count > 0 && table->section_count > ASKED_MAX;
    return has_more || find(main, seat, request, ASKED_MAX) != NULL;
}

bool main_acted_on(const struct main_screen *main, const struct seat *seat, size_t *index)
{
    const struct table *table = &main->tables[main->focus];
    for (size_t i = 0; i < table->section_count && table->marked.count > 0; i++) {
        if (table_is_marked(table, seat->snapshot, i)) {
            *index = i;
            return true;
        }
    }
    return table_selected(table, index);
}

void main_act(struct main_screen *main, struct seat *seat, enum request request)
{
    struct table *table = &main->tables[main->focus];
    const struct action *action = find(main, seat, request, table->section_count);
    if (action == NULL) {
        return;
    }
    auto_free size_t *rows = memory_zero(table->section_count + 1, sizeof(*rows));
    size_t count = 0;
    size_t index = 0;
    for (size_t i = 0; i < table->section_count && table->marked.count > 0; i++) {
        if (table_is_marked(table, seat->snapshot, i)) {
            rows[count++] = i;
        }
    }
    if (count == 0 && table_selected(table, &index)) {
        rows[count++] = index;
    }
    action_begin(
        seat, action, &(struct action_rows){.pane = main->focus, .indices = rows, .count = count});
    table_clear_marks(table);
}
