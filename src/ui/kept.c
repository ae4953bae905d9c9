/* SPDX-License-Identifier: MIT */
#include "ui/kept.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/engine.h"
#include "ui/main_screen.h"
#include "ui/seat.h"

/* "kernels": as in keys and settings. */
static char *list_word(int pane)
{
    char *word = memory_strdup(pane_infos[pane].title);
    for (char *c = word; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    }
    return word;
}

static char *key_of(int pane, const char *what)
{
    auto_free char *word = list_word(pane);
    return memory_printf("%s.%s", word, what);
}

/* -1: no column of that title. */
static int column_of(const struct table *table, const char *title, size_t len)
{
    for (size_t i = 0; i < table->source->column_count; i++) {
        const char *here = table->source->columns[i].title;
        if (strlen(here) == len && strncasecmp(here, title, len) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void restore_order(struct table *table, const char *kept)
{
    size_t len = strcspn(kept, " ");
    int column = column_of(table, kept, len);
    if (column >= 0) {
        table_sort(table, column, strcmp(kept + len, " down") == 0);
    }
}

/* Shows the columns that are named, and no others. */
static void restore_columns(struct table *table, const char *names)
{
    auto_done(strings) struct strings shown = {0};
    strings_split(&shown, names, ",");
    bool is_shown[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < shown.count; i++) {
        int column = column_of(table, shown.items[i], strlen(shown.items[i]));
        if (column >= 0) {
            is_shown[column] = true;
        }
    }
    for (size_t i = 0; i < table->source->column_count; i++) {
        table_hide(table, i, !is_shown[i]);
    }
}

/* "vms:NAME,STATE kernels:NAME" of the settings. */
static void set_up_columns(struct table *table, int pane, const char *setting)
{
    auto_free char *word = list_word(pane);
    auto_done(strings) struct strings lists = {0};
    strings_split(&lists, setting != NULL ? setting : "", " ");
    for (size_t i = 0; i < lists.count; i++) {
        size_t len = strlen(word);
        if (strncasecmp(lists.items[i], word, len) == 0 && lists.items[i][len] == ':') {
            restore_columns(table, lists.items[i] + len + 1);
        }
    }
}

static void restore_list(struct main_screen *main, struct seat *seat, int pane)
{
    struct table *table = &main->tables[pane];
    auto_free char *order_key = key_of(pane, "order");
    auto_free char *columns_key = key_of(pane, "columns");
    auto_free char *filter_key = key_of(pane, "filter");
    const char *order = engine_kept(seat->engine, order_key);
    const char *columns = engine_kept(seat->engine, columns_key);
    const char *filter = engine_kept(seat->engine, filter_key);
    if (order != NULL) {
        restore_order(table, order);
    }
    if (columns != NULL) {
        restore_columns(table, columns);
    } else {
        set_up_columns(table, pane, engine_setting(seat->engine, "columns"));
    }
    if (filter != NULL) {
        table_set_filter(table, filter);
    }
}

void kept_restore(struct main_screen *main, struct seat *seat)
{
    const char *focus = engine_kept(seat->engine, "focus");
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        auto_free char *word = list_word(pane);
        restore_list(main, seat, pane);
        if (focus != NULL && strcmp(focus, word) == 0) {
            main->focus = (enum pane)pane;
            main->strip = pane != PANE_JOBS ? main->focus : main->strip;
            main->is_settled = true;
        }
    }
    main->is_zoomed = engine_kept(seat->engine, "zoom") != NULL;
}

static void remember_list(const struct main_screen *main, struct seat *seat, int pane)
{
    const struct table *table = &main->tables[pane];
    auto_free char *order_key = key_of(pane, "order");
    auto_free char *columns_key = key_of(pane, "columns");
    auto_free char *filter_key = key_of(pane, "filter");
    auto_done(text) struct text order = {0};
    auto_done(text) struct text columns = {0};
    if (table->sort_column >= 0) {
        text_printf(&order, "%s %s", table->source->columns[table->sort_column].title,
            table->is_descending ? "down" : "up");
    }
    bool is_any_hidden = false;
    for (size_t i = 0; i < table->source->column_count; i++) {
        is_any_hidden |= table->is_hidden[i];
        if (!table->is_hidden[i]) {
            text_printf(
                &columns, "%s%s", columns.len > 0 ? "," : "", table->source->columns[i].title);
        }
    }
    bool has_setting = engine_setting(seat->engine, "columns") != NULL;
    engine_keep(seat->engine, order_key, text_cstr(&order));
    engine_keep(seat->engine, columns_key, is_any_hidden || has_setting ? text_cstr(&columns) : "");
    engine_keep(seat->engine, filter_key, table->filter);
}

void kept_remember(const struct main_screen *main, struct seat *seat)
{
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        remember_list(main, seat, pane);
    }
    auto_free char *focus = list_word((int)main->focus);
    engine_keep(seat->engine, "focus", main->is_settled ? focus : "");
    engine_keep(seat->engine, "zoom", main->is_zoomed ? "yes" : "");
}
