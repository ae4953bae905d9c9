/* SPDX-License-Identifier: MIT */
#include "ui/keys.h"

#include <string.h>

#include <curses.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/engine.h"

#define LIST CONTEXT_LIST
#define MOVES (CONTEXT_LIST | CONTEXT_VIEWER | CONTEXT_CHOICE)
#define ANY CONTEXT_ANY
#define HIDDEN RANK_HIDDEN

const struct request_row request_rows[] = {
    {REQUEST_OPEN, "open", "Enter", CONTEXT_PANES, 1, "Open",
        "Show everything about the selected row"},
    {REQUEST_ACCEPT, "accept", "Enter", CONTEXT_FORM | CONTEXT_CHOICE, 0, "Accept",
        "Take what is marked, or carry out the form"},
    {REQUEST_PULL, "pull", "p", CONTEXT_CATALOG, 0, "Pull",
        "Fetch it, prove its SHA-256, put it in the store"},
    {REQUEST_PULL, "pull_here", "p", CONTEXT_KERNELS | CONTEXT_IMAGES, 4, "Pull",
        "Pull by name, or any registry's reference"},
    {REQUEST_PULL_AS, "pull_as", "P", CONTEXT_CATALOG, 5, "Pull...",
        "Pull by name or reference, with options"},
    {REQUEST_PULL_AS, "pull_as_here", "P", CONTEXT_KERNELS | CONTEXT_IMAGES, HIDDEN, "Pull...",
        NULL},
    {REQUEST_RUN, "run", "r", CONTEXT_IMAGES | CONTEXT_CATALOG, 0, "Run",
        "Make a machine from this image and start it"},
    {REQUEST_START, "start", "r", CONTEXT_VMS, 0, "Run", "Start this machine"},
    {REQUEST_SHELL, "shell", "s", CONTEXT_VMS, 0, "Shell",
        "Open a shell in the machine; it ends like any shell"},
    {REQUEST_CONSOLE, "console", "c", CONTEXT_VMS, 1, "Console",
        "Attach to the serial line; the first line says how to leave"},
    {REQUEST_LOGS, "logs", "L", CONTEXT_VMS, 1, "Logs", "Read and follow what the machine printed"},
    {REQUEST_STOP, "stop", "t", CONTEXT_VMS, 1, "Stop", "Ask the machine to power off"},
    {REQUEST_RUN_AS, "run_as", "n", CONTEXT_VMS | CONTEXT_IMAGES, 3, "New",
        "Run a machine with options: name, memory, kernel, ports"},
    {REQUEST_CREATE, "create", "a", CONTEXT_VMS | CONTEXT_IMAGES, 6, "Create",
        "Make a machine without starting it"},
    {REQUEST_SET, "set", "e", CONTEXT_VMS, 5, "Edit",
        "Change its memory, CPUs, disks, ports; shows what it has now"},
    {REQUEST_RESTART, "restart", "R", CONTEXT_VMS, 6, "Restart",
        "Stop the machine and start it again"},
    {REQUEST_PAUSE, "pause", "p", CONTEXT_VMS, 6, "Pause",
        "Freeze the machine; the same key resumes it"},
    {REQUEST_RESUME, "resume", "p", CONTEXT_VMS, 6, "Resume", NULL},
    {REQUEST_KILL, "kill", "K", CONTEXT_VMS, 5, "Kill",
        "End the machine at once, as if its power failed"},
    {REQUEST_IMPORT, "import", "i", CONTEXT_CATALOG | CONTEXT_KERNELS | CONTEXT_IMAGES, 2, "Import",
        "Bring in a kernel, or on the images pane register a disk"},
    {REQUEST_PROMOTE, "promote", "m", CONTEXT_IMAGES, 5, "Make own",
        "Copy a registered image's files into the store"},
    {REQUEST_VERIFY, "verify", "v", CONTEXT_KERNELS | CONTEXT_IMAGES, 3, "Verify",
        "Hash it again and compare with what was recorded"},
    {REQUEST_EXPORT, "export", "e", CONTEXT_KERNELS | CONTEXT_IMAGES, 6, "Export",
        "Write it to a file as a bundle"},
    {REQUEST_REFRESH, "refresh", "R", CONTEXT_CATALOG, 3, "Refresh", "Fetch the catalogs again"},
    {REQUEST_CANCEL, "cancel", "c", CONTEXT_JOBS, 0, "Cancel",
        "Stop the job; what was fetched is kept for the next try"},
    {REQUEST_RETRY, "retry", "r", CONTEXT_JOBS, 0, "Retry", "Do the same again"},
    {REQUEST_DISMISS, "dismiss", "d", CONTEXT_JOBS, 2, "Dismiss",
        "Take a finished job off the list"},
    {REQUEST_EDIT, "edit", "E", LIST, 3, "Fix",
        "Open the form of what failed again, with what was typed"},
    {REQUEST_HURRY, "hurry", "n", CONTEXT_JOBS, 1, "Next",
        "Do this one before the others that wait"},
    {REQUEST_SOONER, "sooner", "<", CONTEXT_JOBS, 3, "Sooner",
        "Of the jobs that wait, do this one before the one above it"},
    {REQUEST_LATER, "later", ">", CONTEXT_JOBS, 3, "Later", "Do this one after the one below it"},
    {REQUEST_REMOVE, "remove", "x", CONTEXT_KERNELS | CONTEXT_IMAGES | CONTEXT_VMS, 2, "Remove",
        "Remove it, after a question"},
    {REQUEST_UNDO, "undo", "u", LIST, 3, "Undo", "Take back what was removed last, from the trash"},
    {REQUEST_TRASH, "trash", "U", LIST, HIDDEN, "Trash",
        "What was removed and can be taken back, and until when"},
    {REQUEST_DEEDS, "deeds", "W", LIST, HIDDEN, "Who",
        "Who did what on this host, from which terminal, and what comes"},
    {REQUEST_MENU, "menu", ".", LIST, 3, "Menu", "Everything that can be done here, to this row"},
    {REQUEST_DOCTOR, "doctor", "d",
        CONTEXT_CATALOG | CONTEXT_KERNELS | CONTEXT_IMAGES | CONTEXT_VMS, 3, "Doctor",
        "Check what this host has and lacks"},
    {REQUEST_FILTER, "filter", "/", LIST, 1, "Filter",
        "Show only rows that hold a text; a leading ! shows the others"},
    {REQUEST_SEARCH, "search", "/", CONTEXT_VIEWER, 1, "Search", "Find a text"},
    {REQUEST_SEARCH_NEXT, "search_next", "n", CONTEXT_VIEWER, 2, "Next", "Go to the next match"},
    {REQUEST_SEARCH_PREVIOUS, "search_previous", "N", CONTEXT_VIEWER, HIDDEN, "Previous",
        "Go to the match before"},
    {REQUEST_FOLLOW, "follow", "f", CONTEXT_VIEWER, 1, "Follow",
        "Stay at the end while lines arrive"},
    {REQUEST_FILTER_LINES, "filter_lines", "&", CONTEXT_VIEWER, 3, "Filter",
        "Show only lines that hold a text; a leading ! shows the others"},
    {REQUEST_FOLD, "fold", "z", CONTEXT_VIEWER, 4, "Fold",
        "Let long lines go on below, or cut them and scroll sideways"},
    {REQUEST_TIMES, "times", "T", CONTEXT_VIEWER, 4, "Times", "Put the time in front of each line"},
    {REQUEST_DIVIDE, "divide", "m", CONTEXT_VIEWER, 6, "Mark",
        "Draw a line with the time under what is there so far"},
    {REQUEST_SAVE, "save", "w", CONTEXT_VIEWER, 3, "Save",
        "Write what is shown to a file in the current directory"},
    {REQUEST_SORT, "sort", "o", LIST, 7, "Order", "Order by the next column"},
    {REQUEST_REVERSE, "reverse", "O", LIST, HIDDEN, "Reverse", "Turn the order round"},
    {REQUEST_COLUMNS, "columns", "C", LIST, 7, "Columns",
        "Choose columns, and which one gives the order"},
    {REQUEST_HOLD, "hold", "H", LIST, HIDDEN, "Hold",
        "Keep rows where they are while figures change, or let them go"},
    {REQUEST_ZOOM, "zoom", "z", LIST, 7, "Zoom",
        "Give the focused pane the whole screen, or take it back"},
    {REQUEST_NEXT_PANE, "next_pane", "Tab", LIST | CONTEXT_FORM, HIDDEN, "Next",
        "Go to the next pane or field"},
    {REQUEST_PREVIOUS_PANE, "previous_pane", "S-Tab", LIST | CONTEXT_FORM, HIDDEN, "Before",
        "Go to the pane or field before"},
    {REQUEST_PANE_1, "pane_1", "1", LIST, HIDDEN, "Catalog", "What can be had"},
    {REQUEST_PANE_2, "pane_2", "2", LIST, HIDDEN, "Kernels", "Kernels on this host"},
    {REQUEST_PANE_3, "pane_3", "3", LIST, HIDDEN, "Images", "Machine images on this host"},
    {REQUEST_PANE_4, "pane_4", "4", LIST, HIDDEN, "VMs", "Machines"},
    {REQUEST_PANE_5, "pane_5", "5", LIST, HIDDEN, "Jobs",
        "What is being done and what became of it"},
    {REQUEST_UP, "up", "Up k", MOVES | CONTEXT_FORM, HIDDEN, "Up", "Up"},
    {REQUEST_DOWN, "down", "Down j", MOVES | CONTEXT_FORM, HIDDEN, "Down", "Down"},
    {REQUEST_LEFT, "left", "Left h", MOVES, HIDDEN, "Left",
        "To the pane at the left, or scroll sideways"},
    {REQUEST_RIGHT, "right", "Right l", MOVES, HIDDEN, "Right",
        "To the pane at the right, or scroll sideways"},
    {REQUEST_PAGE_UP, "page_up", "PgUp ^B", MOVES, HIDDEN, "Page up", "A page up"},
    {REQUEST_PAGE_DOWN, "page_down", "PgDn ^F", MOVES, HIDDEN, "Page down", "A page down"},
    {REQUEST_PAGE_DOWN, "page_down_viewer", "Space", CONTEXT_VIEWER, HIDDEN, "Page down", NULL},
    {REQUEST_MARK, "mark", "Space", LIST, HIDDEN, "Mark", "Mark the row, or take its mark away"},
    {REQUEST_MARK_ALL, "mark_all", "*", LIST, HIDDEN, "Mark all",
        "Mark every row that is shown; Esc takes all marks away"},
    {REQUEST_FIRST, "first", "g Home", MOVES, HIDDEN, "First", "To the beginning"},
    {REQUEST_LAST, "last", "G End", MOVES, HIDDEN, "Last", "To the end"},
    {REQUEST_BACK, "back", "Esc", ANY, HIDDEN, "Back", "One step back; never quits"},
    {REQUEST_BACK, "close", "q", CONTEXT_VIEWER, 0, "Back", "One step back"},
    {REQUEST_COPY, "copy", "y", LIST, HIDDEN, "Copy", "Copy the row's name to the clipboard"},
    {REQUEST_COPY_MORE, "copy_more", "Y", LIST, HIDDEN, "Copy more",
        "Copy its digest, address or directory"},
    {REQUEST_MOUSE, "mouse", "F2", ANY, HIDDEN, "Mouse",
        "Use the mouse here, or leave it to the terminal"},
    {REQUEST_MESSAGES, "messages", "M", LIST, HIDDEN, "Messages",
        "What happened so far, with times and full sentences"},
    {REQUEST_PALETTE, "palette", ":", LIST, 2, "Do",
        "Type what to do: every verb, with completion"},
    {REQUEST_HELP, "help", "? F1", LIST | CONTEXT_VIEWER | CONTEXT_CHOICE, 0, "Help",
        "The keys that work here"},
    {REQUEST_PLAN, "plan", "F3", CONTEXT_FORM, HIDDEN, "Plan",
        "Show what would be fetched, written and stopped, and change nothing"},
    {REQUEST_HIDDEN_FILES, "hidden_files", "F4", CONTEXT_FORM, HIDDEN, "Hidden",
        "Where a file is chosen: show hidden ones, or not"},
    {REQUEST_HELP, "help_form", "F1", CONTEXT_FORM, HIDDEN, "Help", "The keys that work here"},
    {REQUEST_QUIT, "quit", "q", LIST, 4, "Quit", "Leave; asks when jobs are running"},
    {REQUEST_SUSPEND, "suspend", "^Z", ANY, HIDDEN, "Suspend", "Back to the shell; fg returns"},
    {REQUEST_REPAINT, "repaint", "^L", ANY, HIDDEN, "Repaint", "Draw the whole screen again"},
    {REQUEST_INTERRUPT, "interrupt", "^C", ANY, HIDDEN, "Interrupt",
        "Leave a dialog; on the first screen, says how to quit"},
};
const size_t request_row_count = array_length(request_rows);
_Static_assert(array_length(request_rows) <= array_length(((struct keymap *)0)->keys),
    "the key map has room for every row");

static const struct {
    const char *name;
    int key;
} named_keys[] = {
    {"Enter", '\r'},
    {"Esc", 27},
    {"Tab", '\t'},
    {"S-Tab", KEY_FUNCTION + KEY_BTAB},
    {"Space", ' '},
    {"Up", KEY_FUNCTION + KEY_UP},
    {"Down", KEY_FUNCTION + KEY_DOWN},
    {"Left", KEY_FUNCTION + KEY_LEFT},
    {"Right", KEY_FUNCTION + KEY_RIGHT},
    {"PgUp", KEY_FUNCTION + KEY_PPAGE},
    {"PgDn", KEY_FUNCTION + KEY_NPAGE},
    {"Home", KEY_FUNCTION + KEY_HOME},
    {"End", KEY_FUNCTION + KEY_END},
    {"Insert", KEY_FUNCTION + KEY_IC},
    {"Delete", KEY_FUNCTION + KEY_DC},
};

int keys_parse(const char *name)
{
    for (size_t i = 0; i < array_length(named_keys); i++) {
        if (strcmp(name, named_keys[i].name) == 0) {
            return named_keys[i].key;
        }
    }
    size_t len = strlen(name);
    if (name[0] == 'F' && len >= 2 && len <= 3 && strspn(name + 1, "0123456789") == len - 1) {
        int number = name[1] - '0';
        number = len == 3 ? number * 10 + name[2] - '0' : number;
        return number >= 1 && number <= 12 ? KEY_FUNCTION + KEY_F(number) : KEY_NONE;
    }
    if (name[0] == '^' && len == 2 && name[1] >= 'A' && name[1] <= '_') {
        return name[1] - '@';
    }
    unsigned code_point = 0;
    int taken = text_decode_utf8(name, len, &code_point);
    return taken > 0 && (size_t)taken == len && code_point >= ' ' ? (int)code_point : KEY_NONE;
}

void keys_name(int key, struct text *out)
{
    for (size_t i = 0; i < array_length(named_keys); i++) {
        if (named_keys[i].key == key) {
            text_append(out, named_keys[i].name);
            return;
        }
    }
    if (key > KEY_FUNCTION + KEY_F(0) && key <= KEY_FUNCTION + KEY_F(12)) {
        text_printf(out, "F%d", key - KEY_FUNCTION - KEY_F(0));
    } else if (key >= 0 && key < ' ') {
        text_printf(out, "^%c", key + '@');
    } else if (key < 0x80) {
        text_append_char(out, (char)key);
    } else {
        text_append(out, "?");
    }
}

/* "p P F5" into a row of keys; words that name no key are passed over. */
static void set_keys(int *keys, const char *words)
{
    auto_done(strings) struct strings list = {0};
    strings_split(&list, words, " ");
    size_t count = 0;
    for (size_t i = 0; i < list.count && count < KEYS_PER_REQUEST; i++) {
        int key = keys_parse(list.items[i]);
        if (key != KEY_NONE) {
            keys[count++] = key;
        }
    }
    while (count < KEYS_PER_REQUEST) {
        keys[count++] = KEY_NONE;
    }
}

static bool is_key_setting(const char *setting)
{
    for (size_t i = 0; i < request_row_count; i++) {
        auto_free char *known = memory_printf("key_%s", request_rows[i].name);
        if (strcmp(setting, known) == 0) {
            return true;
        }
    }
    return false;
}

/* A word about settings that set nothing. */
static void tell_unknown(struct engine *engine)
{
    const char *setting = NULL;
    for (size_t i = 0; (setting = engine_setting_key(engine, i)) != NULL; i++) {
        if (text_has_prefix(setting, "key_") && !is_key_setting(setting)) {
            auto_free char *sentence = memory_printf(
                "config.ini: no key is called %s: ? lists their names at its end", setting);
            engine_log(engine, sentence);
        }
    }
}

void keymap_init(struct keymap *keymap, struct engine *engine)
{
    if (engine != NULL) {
        tell_unknown(engine);
    }
    for (size_t i = 0; i < request_row_count; i++) {
        set_keys(keymap->keys[i], request_rows[i].keys);
        if (engine == NULL) {
            continue;
        }
        auto_free char *setting = memory_printf("key_%s", request_rows[i].name);
        const char *words = engine_setting(engine, setting);
        if (words != NULL) {
            set_keys(keymap->keys[i], words);
            if (keymap->keys[i][0] == KEY_NONE) { /* a request without a key would be lost */
                auto_free char *sentence =
                    memory_printf("config.ini: %s = %s names no key, so it stays %s", setting,
                        words, request_rows[i].keys);
                engine_log(engine, sentence);
                set_keys(keymap->keys[i], request_rows[i].keys);
            }
        }
    }
}

const struct request_row *keymap_find(
    const struct keymap *keymap, int key, unsigned contexts, const struct request_row *after)
{
    size_t first = after == NULL ? 0 : (size_t)(after - request_rows) + 1;
    for (size_t i = first; i < request_row_count && key != KEY_NONE; i++) {
        for (size_t k = 0; k < KEYS_PER_REQUEST; k++) {
            if (keymap->keys[i][k] == key && (request_rows[i].contexts & contexts) != 0) {
                return &request_rows[i];
            }
        }
    }
    return NULL;
}

const struct request_row *keys_row(enum request request, unsigned contexts)
{
    for (size_t i = 0; i < request_row_count; i++) {
        if (request_rows[i].request == request && (request_rows[i].contexts & contexts) != 0) {
            return &request_rows[i];
        }
    }
    return NULL;
}

void keymap_name(const struct keymap *keymap, const struct request_row *row, struct text *out)
{
    keys_name(keymap->keys[row - request_rows][0], out);
}
