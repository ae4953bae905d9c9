/* SPDX-License-Identifier: MIT */
#include "ui/edit.h"

#include <string.h>

#include <curses.h>

#include "base/text.h"
#include "ui/cells.h"
#include "ui/keys.h"

#define CONTROL(letter) ((letter) - '@')

static size_t before(const struct edit *edit, size_t at)
{
    while (at > 0) {
        at--;
        if (((unsigned char)edit->text[at] & 0xc0) != 0x80) {
            break;
        }
    }
    return at;
}

static size_t behind(const struct edit *edit, size_t at)
{
    if (at < edit->len) {
        at++;
        while (at < edit->len && ((unsigned char)edit->text[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return at;
}

static void erase_between(struct edit *edit, size_t from, size_t to)
{
    memmove(edit->text + from, edit->text + to, edit->len - to + 1);
    edit->len -= to - from;
    edit->cursor = from;
}

static size_t word_start(const struct edit *edit)
{
    size_t at = edit->cursor;
    while (at > 0 && (edit->text[at - 1] == ' ' || edit->text[at - 1] == '/')) {
        at--;
    }
    while (at > 0 && edit->text[at - 1] != ' ' && edit->text[at - 1] != '/') {
        at--;
    }
    return at;
}

static size_t encode(unsigned code_point, char bytes[4])
{
    if (code_point < 0x80) {
        bytes[0] = (char)code_point;
        return 1;
    }
    size_t len = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    bytes[0] = (char)(lead[len] | code_point);
    return len;
}

static bool insert(struct edit *edit, int key)
{
    bool is_surrogate = key >= 0xd800 && key <= 0xdfff;
    if (key < ' ' || (key >= 0x7f && key < 0xa0) || key > 0x10ffff || is_surrogate) {
        return false;
    }
    char bytes[4];
    size_t len = encode((unsigned)key, bytes);
    if (edit->len + len < EDIT_MAX) {
        memmove(edit->text + edit->cursor + len, edit->text + edit->cursor,
            edit->len - edit->cursor + 1);
        memcpy(edit->text + edit->cursor, bytes, len);
        edit->len += len;
        edit->cursor += len;
    }
    return true;
}

void edit_set(struct edit *edit, const char *text)
{
    *edit = (struct edit){0};
    edit->len = strnlen(text, EDIT_MAX - 1);
    memcpy(edit->text, text, edit->len);
    edit->cursor = edit->len;
}

bool edit_key(struct edit *edit, int key)
{
    switch (key) {
    case 0x7f:
        erase_between(edit, before(edit, edit->cursor), edit->cursor);
        return true;
    case KEY_FUNCTION + KEY_DC: {
        size_t cursor = edit->cursor;
        erase_between(edit, cursor, behind(edit, cursor));
        return true;
    }
    case KEY_FUNCTION + KEY_LEFT:
        edit->cursor = before(edit, edit->cursor);
        return true;
    case KEY_FUNCTION + KEY_RIGHT:
        edit->cursor = behind(edit, edit->cursor);
        return true;
    case KEY_FUNCTION + KEY_HOME:
    case CONTROL('A'):
        edit->cursor = 0;
        return true;
    case KEY_FUNCTION + KEY_END:
    case CONTROL('E'):
        edit->cursor = edit->len;
        return true;
    case CONTROL('U'):
        erase_between(edit, 0, edit->cursor);
        return true;
    case CONTROL('W'):
        erase_between(edit, word_start(edit), edit->cursor);
        return true;
    default:
        return insert(edit, key);
    }
}

int edit_cursor_cells(const struct edit *edit, bool is_utf8)
{
    char front[EDIT_MAX];
    memcpy(front, edit->text, edit->cursor);
    front[edit->cursor] = '\0';
    return cells_width(front, is_utf8);
}
