/* SPDX-License-Identifier: MIT */
#include "ui/picker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "ui/app.h"
#include "ui/dialog.h"
#include "ui/edit.h"
#include "ui/files.h"
#include "ui/listbox.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define WIDTH 66
#define BACKSPACE 0x7f
#define ROWS 16
#define SIZE_CELLS 10
#define HEAD_LINES 3 /* where, what is typed, an empty line */

/* A row that stands for something else than an entry. */
enum { ROW_THIS = -1, ROW_ABOVE = -2 };

struct picker {
    struct screen screen;
    struct seat *seat;
    char title[96];
    struct edit filter;
    struct listbox box;
    long *rows; /* what the list shows: indices of names or files, or one of the two above */
    picker_take *take;
    void *context;
    struct strings names;
    bool has_files;
    struct files files;
    bool wants_directory;
    bool shows_hidden;
    bool is_cut;        /* the directory holds more than is told of: what is typed is asked for */
    bool is_completing; /* takes the only entry that what was typed begins */
};

static struct picker *picker_of(struct screen *screen)
{
    return (struct picker *)screen;
}

static const char *picker_title(const struct screen *screen)
{
    return ((const struct picker *)screen)->title;
}

static unsigned picker_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_FORM;
}

static bool picker_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)seat;
    return request != REQUEST_PLAN &&
           (request != REQUEST_HIDDEN_FILES || ((const struct picker *)screen)->has_files);
}

/* ---- which rows there are ---- */

static bool row_matches(const struct picker *self, const char *name)
{
    const char *wanted = self->filter.text;
    bool is_hidden = self->has_files && name[0] == '.' && !self->shows_hidden && wanted[0] != '.';
    return !is_hidden && (wanted[0] == '\0' || strcasestr(name, wanted) != NULL);
}

static void arrange(struct picker *self)
{
    size_t total = self->has_files ? self->files.count : self->names.count;
    size_t count = 0;
    free(self->rows);
    self->rows = memory_zero(total + 2, sizeof(*self->rows));
    if (self->has_files && self->filter.len == 0) {
        if (self->wants_directory && self->files.why == NULL) {
            self->rows[count++] = ROW_THIS;
        }
        if (strcmp(self->files.directory, "/") != 0) {
            self->rows[count++] = ROW_ABOVE;
        }
    }
    for (size_t i = 0; i < total; i++) {
        if (row_matches(self, self->has_files ? self->files.rows[i].name : self->names.items[i])) {
            self->rows[count++] = (long)i;
        }
    }
    listbox_set_count(&self->box, count);
}

/* ---- walking ---- */

static void go(struct picker *self, struct seat *seat, char *directory)
{
    edit_set(&self->filter, "");
    self->box = (struct listbox){0};
    self->is_completing = false;
    self->is_cut = false;
    files_ask(&self->files, seat, directory, NULL);
    arrange(self);
}

static void go_up(struct picker *self, struct seat *seat)
{
    if (self->has_files) {
        go(self, seat, files_parent(self->files.directory));
    }
}

static void finish(struct picker *self, struct seat *seat, const char *value)
{
    self->take(self->context, seat, value);
    seat_close(seat, &self->screen);
}

/* A name that cannot be shown as it is cannot be held by a field, either. */
static bool may_take(struct seat *seat, const struct file_row *row)
{
    if (!row->is_plain) {
        seat_say(seat, ROLE_BAD,
            "This name holds characters that cannot be typed: rename it, then choose it");
    }
    return row->is_plain;
}

static void enter_or_take(struct picker *self, struct seat *seat, bool may_end)
{
    long row = self->box.count > 0 ? self->rows[self->box.marked] : ROW_ABOVE;
    if (self->box.count == 0) {
        return;
    }
    if (!self->has_files) {
        if (may_end) {
            finish(self, seat, self->names.items[row]);
        }
    } else if (row == ROW_ABOVE) {
        go_up(self, seat);
    } else if (row == ROW_THIS) {
        if (may_end) {
            finish(self, seat, self->files.directory);
        }
    } else if (may_take(seat, &self->files.rows[row])) {
        const struct file_row *file = &self->files.rows[row];
        char *path = files_inside(self->files.directory, file->name);
        if (file->kind == FILE_DIRECTORY) {
            go(self, seat, path);
            return;
        }
        if (may_end) {
            finish(self, seat, path);
        }
        free(path);
    }
}

/* What was typed before the list was asked for may begin just one of its entries. */
static void complete(struct picker *self, struct seat *seat)
{
    long only = -1;
    for (size_t i = 0; i < self->files.count; i++) {
        if (text_has_prefix(self->files.rows[i].name, self->filter.text)) {
            if (only >= 0) {
                return;
            }
            only = (long)i;
        }
    }
    if (only < 0 || self->filter.len == 0 || !self->files.rows[only].is_plain) {
        return;
    }
    auto_free char *path = files_inside(self->files.directory, self->files.rows[only].name);
    if (self->files.rows[only].kind == FILE_DIRECTORY) {
        go(self, seat, take_ptr(path));
    } else {
        finish(self, seat, path);
    }
}

static void picker_update(struct screen *screen, struct seat *seat)
{
    struct picker *self = picker_of(screen);
    if (self->has_files && files_update(&self->files, seat)) {
        self->is_cut |= self->files.has_more;
        arrange(self);
        if (self->is_completing) {
            self->is_completing = false;
            complete(self, seat);
        }
    }
}

/* ---- keys ---- */

static bool picker_type(struct screen *screen, struct seat *seat, int key)
{
    struct picker *self = picker_of(screen);
    if (self->has_files && key == '/') {
        enter_or_take(self, seat, false);
        return true;
    }
    if (self->filter.len == 0 && key == BACKSPACE) {
        go_up(self, seat);
        return true;
    }
    if (!edit_key(&self->filter, key)) {
        return false;
    }
    self->is_completing = false;
    self->box.marked = 0;
    if (self->is_cut) {
        auto_free char *directory = memory_strdup(self->files.directory);
        files_ask(&self->files, seat, take_ptr(directory),
            self->filter.len > 0 ? self->filter.text : NULL);
    }
    arrange(self);
    return true;
}

static void picker_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct picker *self = picker_of(screen);
    if (listbox_request(&self->box, request)) {
        return;
    }
    switch ((int)request) {
    case REQUEST_ACCEPT:
        enter_or_take(self, seat, true);
        return;
    case REQUEST_NEXT_PANE:
        enter_or_take(self, seat, false);
        return;
    case REQUEST_PREVIOUS_PANE:
        go_up(self, seat);
        return;
    case REQUEST_HIDDEN_FILES:
        self->shows_hidden = !self->shows_hidden;
        arrange(self);
        return;
    case REQUEST_BACK:
        seat_close(seat, screen);
        return;
    default:
        return;
    }
}

/* ---- the look ---- */

static void draw_row(void *context, struct frame *frame, struct area line, size_t index)
{
    const struct picker *self = context;
    long row = self->rows[index];
    if (!self->has_files) {
        draw_text(frame, line.y, line.x, line.width, ROLE_TEXT, self->names.items[row]);
        return;
    }
    if (row < 0) {
        draw_text(frame, line.y, line.x, line.width, ROLE_DIM,
            row == ROW_THIS ? "this directory" : "the directory above");
        return;
    }
    const struct file_row *file = &self->files.rows[row];
    char size[UNITS_MAX];
    int width = line.width - SIZE_CELLS;
    bool is_directory = file->kind == FILE_DIRECTORY;
    auto_free char *name = memory_printf("%s%s", file->name, is_directory ? "/" : "");
    draw_text(frame, line.y, line.x, width - 1, is_directory ? ROLE_STRONG : ROLE_TEXT, name);
    if (file->kind == FILE_REGULAR) {
        draw_right(frame, line.y, line.x + width, SIZE_CELLS, ROLE_DIM,
            units_format_size(file->size_bytes, size));
    }
}

/* Why the list is not what one would think. */
static void draw_state(const struct picker *self, struct frame *frame, struct area list)
{
    const char *words = NULL;
    enum role role = ROLE_DIM;
    if (self->has_files && self->files.job != 0) {
        words = "Looking";
    } else if (self->has_files && self->files.why != NULL) {
        words = self->files.why;
        role = ROLE_BAD;
    } else if (self->box.count == 0) {
        words = "Nothing matches";
    }
    if (words != NULL) {
        int y = list.y + (int)self->box.count;
        draw_text(
            frame, y < list.y + list.height ? y : list.y, list.x + 2, list.width - 2, role, words);
    }
}

static void picker_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    (void)seat;
    struct picker *self = picker_of(screen);
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    int rows = area.height - 4 - HEAD_LINES < ROWS ? area.height - 4 - HEAD_LINES : ROWS;
    struct area inner = dialog_box(frame, area, width, rows + HEAD_LINES, ROLE_STRONG, self->title);
    int y = inner.y;
    if (self->has_files) {
        draw_text(frame, y++, inner.x, inner.width, ROLE_STRONG, self->files.directory);
    }
    struct area line = {.y = y++, .x = inner.x - 1, .height = 1, .width = inner.width};
    dialog_typing(frame, line, "/ ", &self->filter,
        self->filter.len > 0 ? ""
        : self->is_cut       ? "type: there are more than fit here"
                             : "type to narrow it");
    struct area list = {.y = ++y, .x = inner.x, .width = inner.width};
    list.height = inner.y + inner.height - y;
    listbox_draw(&self->box, frame, list, draw_row, self);
    listbox_draw_place(&self->box, frame, inner);
    draw_state(self, frame, list);
}

static bool picker_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    const struct picker *self = picker_of(screen);
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Enter", "Take it");
    pen_key(frame, &pen, "Up Down", "Choose");
    if (self->has_files) {
        auto_done(text) struct text key = {0};
        keymap_name(&seat->keymap, keys_row(REQUEST_HIDDEN_FILES, CONTEXT_FORM), &key);
        pen_key(frame, &pen, "/", "Into");
        pen_key(frame, &pen, "Backspace", "Above");
        pen_key(frame, &pen, text_cstr(&key), self->shows_hidden ? "Hide hidden" : "Show hidden");
    }
    pen_key(frame, &pen, "Esc", "Back");
    return true;
}

static void picker_free(struct screen *screen)
{
    struct picker *self = picker_of(screen);
    files_done(&self->files, self->seat);
    strings_done(&self->names);
    free(self->rows);
    free(self);
}

static const struct screen_ops picker_ops = {
    .is_overlay = true,
    .title = picker_title,
    .contexts = picker_contexts,
    .is_offered = picker_is_offered,
    .request = picker_request,
    .type = picker_type,
    .update = picker_update,
    .draw = picker_draw,
    .draw_bottom = picker_draw_bottom,
    .free = picker_free,
};

static struct picker *picker_new(
    struct seat *seat, const char *title, picker_take *take, void *context)
{
    struct picker *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &picker_ops;
    self->seat = seat;
    self->take = take;
    self->context = context;
    snprintf(self->title, sizeof(self->title), "%s", title);
    return self;
}

struct screen *picker_file_new(struct seat *seat, const char *title, const char *begun,
    bool wants_directory, picker_take *take, void *context)
{
    struct picker *self = picker_new(seat, title, take, context);
    const char *slash = strrchr(begun, '/');
    auto_free char *place =
        slash != NULL ? memory_strndup(begun, (size_t)(slash - begun) + 1) : memory_strdup(".");
    self->has_files = true;
    self->wants_directory = wants_directory;
    edit_set(&self->filter, slash != NULL ? slash + 1 : begun);
    self->is_completing = true;
    files_ask(&self->files, seat, files_absolute(place, seat->options->home), NULL);
    arrange(self);
    return &self->screen;
}

struct screen *picker_name_new(
    struct seat *seat, const char *title, struct strings *names, picker_take *take, void *context)
{
    struct picker *self = picker_new(seat, title, take, context);
    self->names = *names;
    *names = (struct strings){0};
    arrange(self);
    return &self->screen;
}
