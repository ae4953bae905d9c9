/* SPDX-License-Identifier: MIT */
#pragma once

/* Everything a key can ask for, in one table: its name, default keys, where it works, the words of
 * the key bar and of the help. The key bar, the help pages, the palette and the settings
 * (`key_<name> = KEYS` in config.ini's [ui] section) all read this table. Main thread. */

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct text;

/* A key as one number: a Unicode character, a control character, or one of curses' function keys
 * above KEY_FUNCTION. */
#define KEY_FUNCTION 0x200000
#define KEY_NONE (-1)

enum request {
    REQUEST_NONE,
    /* moving, everywhere */
    REQUEST_UP,
    REQUEST_DOWN,
    REQUEST_LEFT,
    REQUEST_RIGHT,
    REQUEST_PAGE_UP,
    REQUEST_PAGE_DOWN,
    REQUEST_FIRST,
    REQUEST_LAST,
    REQUEST_OPEN,
    REQUEST_BACK,
    /* what the focused row can do */
    REQUEST_PULL,
    REQUEST_PULL_AS,
    REQUEST_REFRESH,
    REQUEST_IMPORT,
    REQUEST_RUN,
    REQUEST_RUN_AS,
    REQUEST_CREATE,
    REQUEST_SET,
    REQUEST_SHELL,
    REQUEST_CONSOLE,
    REQUEST_LOGS,
    REQUEST_START,
    REQUEST_STOP,
    REQUEST_RESTART,
    REQUEST_KILL,
    REQUEST_PAUSE,
    REQUEST_RESUME,
    REQUEST_PROMOTE,
    REQUEST_VERIFY,
    REQUEST_EXPORT,
    REQUEST_CANCEL,
    REQUEST_RETRY,
    REQUEST_DISMISS,
    REQUEST_HURRY,
    REQUEST_SOONER,
    REQUEST_LATER,
    REQUEST_EDIT,
    REQUEST_REMOVE,
    REQUEST_UNDO,
    REQUEST_TRASH,
    REQUEST_DEEDS,
    REQUEST_MENU,
    /* the host and the program */
    REQUEST_DOCTOR,
    REQUEST_FILTER,
    REQUEST_SORT,
    REQUEST_REVERSE,
    REQUEST_HOLD,
    REQUEST_COLUMNS,
    REQUEST_NEXT_PANE,
    REQUEST_PREVIOUS_PANE,
    REQUEST_PANE_1,
    REQUEST_PANE_2,
    REQUEST_PANE_3,
    REQUEST_PANE_4,
    REQUEST_PANE_5,
    REQUEST_ZOOM,
    REQUEST_MARK,
    REQUEST_MARK_ALL,
    REQUEST_COPY,
    REQUEST_COPY_MORE,
    REQUEST_MOUSE,
    REQUEST_MESSAGES,
    REQUEST_PALETTE,
    REQUEST_HELP,
    REQUEST_QUIT,
    REQUEST_SUSPEND,
    REQUEST_REPAINT,
    REQUEST_INTERRUPT,
    /* viewers */
    REQUEST_SEARCH,
    REQUEST_SEARCH_NEXT,
    REQUEST_SEARCH_PREVIOUS,
    REQUEST_FOLLOW,
    REQUEST_FILTER_LINES,
    REQUEST_FOLD,
    REQUEST_TIMES,
    REQUEST_DIVIDE,
    REQUEST_SAVE,
    /* dialogs */
    REQUEST_ACCEPT,
    REQUEST_PLAN,
    REQUEST_HIDDEN_FILES,
};

/* Where a request works; a screen says which of these it is. */
enum context {
    CONTEXT_LIST = 1 << 0, /* the main screen, whichever pane has the focus */
    CONTEXT_CATALOG = 1 << 1,
    CONTEXT_KERNELS = 1 << 2,
    CONTEXT_IMAGES = 1 << 3,
    CONTEXT_VMS = 1 << 4,
    CONTEXT_JOBS = 1 << 5,
    CONTEXT_VIEWER = 1 << 6,
    CONTEXT_FORM = 1 << 7,
    CONTEXT_CHOICE = 1 << 8,
};
#define CONTEXT_PANES                                                                              \
    (CONTEXT_CATALOG | CONTEXT_KERNELS | CONTEXT_IMAGES | CONTEXT_VMS | CONTEXT_JOBS)
#define CONTEXT_ANY (~0U)

struct request_row {
    enum request request;
    const char *name;  /* for settings: "pull" */
    const char *keys;  /* separated by blanks; the first one is shown */
    unsigned contexts; /* enum context */
    unsigned rank;     /* in the key bar: 0 stays to the end; RANK_HIDDEN: never there */
    const char *label; /* one or two words for the key bar */
    const char *help;  /* one sentence without a full stop; NULL: told with another row */
};
#define RANK_HIDDEN 9

/* In the order of the key bar and the help. */
extern const struct request_row request_rows[];
extern const size_t request_row_count;

#define KEYS_PER_REQUEST 4

struct keymap {
    int keys[96][KEYS_PER_REQUEST]; /* by row of the table; KEY_NONE behind the last */
};

/* Defaults, then what the settings of the engine say; engine may be NULL. */
void keymap_init(struct keymap *keymap, struct engine *engine);
/* What the key may ask for in these contexts: the first row behind `after` (NULL: the first of
 * all). Where one key has several meanings, the caller takes the first that is possible now. */
const struct request_row *keymap_find(
    const struct keymap *keymap, int key, unsigned contexts, const struct request_row *after);
/* The row of a request in these contexts; NULL when it does not work there. */
const struct request_row *keys_row(enum request request, unsigned contexts);
/* Name of the first key of a row, as people write it: "x", "Enter", "^C". */
void keymap_name(const struct keymap *keymap, const struct request_row *row, struct text *out);

/* "F1" to its number, KEY_NONE when there is no such key; and back. */
int keys_parse(const char *name);
void keys_name(int key, struct text *out);
