/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/pty_vterm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vterm.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#define FRAME_QUIET_MS 15
#define FRAME_USUAL_MS 200
#define FRAME_MOST_MS 2000

struct pty_vterm {
    int master;
    pid_t child;   /* what forkpty made: the program, or the small shell above it */
    pid_t program; /* under a shell, what it runs */
    bool is_under_shell;
    bool has_ended;
    int status;
    int rows, columns;
    VTerm *vterm;
    VTermScreen *screen;
    bool is_cursor_visible;
    bool is_alternate;
    struct text written;
    struct text shown;
    struct termios first; /* as the program found it */
    int report;           /* what the small shell tells: one struct shell_report each */
};

struct shell_report {
    pid_t pid; /* of the program, once at the start */
    int status;
    bool is_status;
};

static uint64_t wait_limit_ms(void)
{
    const char *sanitizers = getenv("SANITIZERS");
    bool is_slow = sanitizers != NULL && strcmp(sanitizers, "no") != 0 && sanitizers[0] != '\0';
    return is_slow ? PTY_WAIT_MS * 2 : PTY_WAIT_MS;
}

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct pty_vterm *pty = user;
    if (property == VTERM_PROP_CURSORVISIBLE) {
        pty->is_cursor_visible = value->boolean;
    } else if (property == VTERM_PROP_ALTSCREEN) {
        pty->is_alternate = value->boolean;
    }
    return 1;
}

static const VTermScreenCallbacks callbacks = {.settermprop = on_property};

/* The program becomes the foreground job; what happens to it is told, as a shell would see it. */
static void small_shell(const char *const *argv, const char *const *env, int report)
{
    signal(SIGTTOU, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* it has to tell how the program took it */
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        execve(argv[0], (char *const *)argv, (char *const *)env);
        _exit(127);
    }
    setpgid(pid, pid);
    struct shell_report told = {.pid = pid};
    while (write(report, &told, sizeof(told)) == (ssize_t)sizeof(told)) {
        told.is_status = true;
        if (waitpid(pid, &told.status, WUNTRACED | WCONTINUED) != pid) {
            break;
        }
        if (!WIFSTOPPED(told.status) && !WIFCONTINUED(told.status)) {
            (void)!write(report, &told, sizeof(told));
            break;
        }
    }
    _exit(0);
}

static void read_report(struct pty_vterm *pty, struct shell_report *report)
{
    struct pollfd input = {.fd = pty->report, .events = POLLIN};
    assert_int_equal(poll(&input, 1, (int)wait_limit_ms()), 1);
    assert_int_equal(read(pty->report, report, sizeof(*report)), sizeof(*report));
}

/* As the system makes them. */
static struct termios ordinary_termios(void)
{
    struct termios read;
    int master = -1;
    int slave = -1;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(slave, &read), 0);
    close(slave);
    close(master);
    return read;
}

struct pty_vterm *pty_start(
    const char *const *argv, const char *const *env, int rows, int columns, bool is_under_shell)
{
    struct pty_vterm *pty = memory_zero(1, sizeof(*pty));
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int ends[2] = {-1, -1};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pty->is_under_shell = is_under_shell;
    pty->rows = rows;
    pty->columns = columns;
    pty->first = ordinary_termios();
    pty->child = forkpty(&pty->master, NULL, &pty->first, &size);
    assert_true(pty->child >= 0);
    if (pty->child == 0) {
        if (is_under_shell) {
            small_shell(argv, env, ends[1]);
        }
        execve(argv[0], (char *const *)argv, (char *const *)env);
        _exit(127);
    }
    close(ends[1]);
    pty->report = ends[0];
    pty->program = pty->child;
    fcntl(pty->master, F_SETFL, O_NONBLOCK);
    fcntl(pty->master, F_SETFD, FD_CLOEXEC);
    if (is_under_shell) {
        struct shell_report told;
        read_report(pty, &told);
        pty->program = told.pid;
    }
    pty->vterm = vterm_new(rows, columns);
    vterm_set_utf8(pty->vterm, 1);
    pty->screen = vterm_obtain_screen(pty->vterm);
    vterm_screen_enable_altscreen(pty->screen, 1);
    vterm_screen_set_callbacks(pty->screen, &callbacks, pty);
    vterm_screen_reset(pty->screen, 1);
    return pty;
}

void pty_stop(struct pty_vterm *pty)
{
    if (pty->master >= 0) {
        close(pty->master);
    }
    if (!pty->has_ended) {
        kill(pty->program, SIGKILL);
        kill(pty->child, SIGKILL);
        waitpid(pty->child, NULL, 0);
    }
    close(pty->report);
    vterm_free(pty->vterm);
    text_done(&pty->written);
    text_done(&pty->shown);
    free(pty);
}

/* Takes in what the program wrote, waiting for it at most that long. False: nothing came. */
static bool pump(struct pty_vterm *pty, int wait_ms)
{
    char buffer[4096];
    struct pollfd input = {.fd = pty->master, .events = POLLIN};
    if (pty->master < 0 || poll(&input, 1, wait_ms) <= 0) {
        return false;
    }
    ssize_t got = read(pty->master, buffer, sizeof(buffer));
    if (got <= 0) {
        return false;
    }
    text_append_bytes(&pty->written, buffer, (size_t)got);
    vterm_input_write(pty->vterm, buffer, (size_t)got);
    return true;
}

void pty_send(struct pty_vterm *pty, const char *keys)
{
    size_t len = strlen(keys);
    assert_int_equal(write(pty->master, keys, len), len);
}

void pty_resize(struct pty_vterm *pty, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    while (pump(pty, 0)) {
    }
    pty->rows = rows;
    pty->columns = columns;
    vterm_set_size(pty->vterm, rows, columns);
    assert_int_equal(ioctl(pty->master, TIOCSWINSZ, &size), 0);
}

pid_t pty_pid(const struct pty_vterm *pty)
{
    return pty->program;
}

void pty_hang_up(struct pty_vterm *pty)
{
    close(pty->master);
    pty->master = -1;
}

const char *pty_screen(struct pty_vterm *pty)
{
    text_clear(&pty->shown);
    for (int row = 0; row < pty->rows; row++) {
        size_t end = pty->shown.len;
        for (int column = 0; column < pty->columns;) {
            VTermScreenCell cell;
            vterm_screen_get_cell(pty->screen, (VTermPos){.row = row, .col = column}, &cell);
            struct pty_cell read = pty_cell_at(pty, row, column);
            text_append(&pty->shown, read.text[0] != '\0' ? read.text : " ");
            if (read.text[0] != '\0' && strcmp(read.text, " ") != 0) {
                end = pty->shown.len;
            }
            column += cell.width > 0 ? cell.width : 1;
        }
        if (pty->shown.data != NULL) {
            pty->shown.len = end;
            pty->shown.data[end] = '\0';
        }
        text_append_char(&pty->shown, '\n');
    }
    return text_cstr(&pty->shown);
}

static size_t encode(uint32_t code_point, char *bytes)
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

static int palette_index(const VTermColor *color, bool is_default)
{
    return is_default || !VTERM_COLOR_IS_INDEXED(color) ? -1 : color->indexed.idx;
}

struct pty_cell pty_cell_at(struct pty_vterm *pty, int row, int column)
{
    VTermScreenCell cell;
    struct pty_cell read = {.text = ""};
    vterm_screen_get_cell(pty->screen, (VTermPos){.row = row, .col = column}, &cell);
    size_t len = 0;
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0; i++) {
        if (cell.chars[i] != (uint32_t)-1) {
            len += encode(cell.chars[i], read.text + len);
        }
    }
    read.text[len] = '\0';
    read.is_second_half = cell.chars[0] == (uint32_t)-1;
    read.is_bold = cell.attrs.bold;
    read.is_reverse = cell.attrs.reverse;
    read.has_color = !VTERM_COLOR_IS_DEFAULT_FG(&cell.fg) || !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg);
    read.foreground = palette_index(&cell.fg, VTERM_COLOR_IS_DEFAULT_FG(&cell.fg));
    read.background = palette_index(&cell.bg, VTERM_COLOR_IS_DEFAULT_BG(&cell.bg));
    return read;
}

bool pty_find(struct pty_vterm *pty, const char *text, int *row, int *column)
{
    for (int y = 0; y < pty->rows; y++) {
        for (int x = 0; x < pty->columns; x++) {
            size_t matched = 0;
            for (int at = x; at < pty->columns && matched < strlen(text); at++) {
                struct pty_cell cell = pty_cell_at(pty, y, at);
                const char *shown = cell.text[0] != '\0' ? cell.text : " ";
                if (strncmp(text + matched, shown, strlen(shown)) != 0) {
                    break;
                }
                matched += strlen(shown);
            }
            if (matched == strlen(text)) {
                *row = y;
                *column = x;
                return true;
            }
        }
    }
    return false;
}

bool pty_shows(struct pty_vterm *pty, const char *text)
{
    return strstr(pty_screen(pty), text) != NULL;
}

int pty_line_of(struct pty_vterm *pty, const char *text)
{
    int row = -1;
    int column = 0;
    return pty_find(pty, text, &row, &column) ? row : -1;
}

/* cmocka cuts long messages. */
static void show(struct pty_vterm *pty)
{
    fprintf(stderr, "%s\n", pty_screen(pty));
}

/* The letter of proc(5), of its first thread; 0 when it is gone. */
static char program_state(const struct pty_vterm *pty)
{
    char path[64];
    char stat[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pty->program);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    stat[fread(stat, 1, sizeof(stat) - 1, file)] = '\0';
    fclose(file);
    const char *name_end = strrchr(stat, ')');
    return name_end != NULL && name_end[1] == ' ' ? name_end[2] : 0;
}

bool pty_is_asleep(const struct pty_vterm *pty)
{
    return program_state(pty) == 'S';
}

/* What has ended or was stopped is not. */
static bool is_at_work(const struct pty_vterm *pty)
{
    char state = program_state(pty);
    return state == 'R' || state == 'D';
}

/* A frame is written in several pieces: the rest of it, however slowly it comes. Between two pieces
 * the program may have to wait for a processor longer than any time that could be waited here, so it
 * is complete only when the program has nothing left to do. */
static void take_rest_of_frame(struct pty_vterm *pty)
{
    uint64_t deadline = clock_deadline(FRAME_MOST_MS);
    pty_settle(pty, FRAME_QUIET_MS, FRAME_USUAL_MS);
    while (pump(pty, 0) || (is_at_work(pty) && clock_left_ms(deadline) > 0)) {
        pump(pty, 1);
    }
}

static void wait_for(struct pty_vterm *pty, const char *text, bool is_there)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (pty_shows(pty, text) != is_there) {
        int left = clock_left_ms(deadline);
        if (left == 0) {
            show(pty);
            fail_msg("waited for \"%s\" %s", text, is_there ? "to appear" : "to go");
        }
        pump(pty, left > 100 ? 100 : left);
    }
    take_rest_of_frame(pty);
}

void pty_wait_text(struct pty_vterm *pty, const char *text)
{
    wait_for(pty, text, true);
}

void pty_wait_gone(struct pty_vterm *pty, const char *text)
{
    wait_for(pty, text, false);
}

void pty_press_until(struct pty_vterm *pty, const char *keys, const char *text)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (!pty_shows(pty, text)) {
        if (clock_left_ms(deadline) == 0) {
            show(pty);
            fail_msg("pressed keys until \"%s\" appears, which it does not", text);
        }
        pty_send(pty, keys);
        uint64_t patience = clock_deadline(100);
        while (!pty_shows(pty, text) && clock_left_ms(patience) > 0) {
            pump(pty, clock_left_ms(patience));
        }
    }
    take_rest_of_frame(pty);
}

void pty_wait_wrote(struct pty_vterm *pty, const char *bytes)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (!pty_wrote(pty, bytes)) {
        int left = clock_left_ms(deadline);
        if (left == 0) {
            show(pty);
            fail_msg("waited for \"%s\" to be written", bytes);
        }
        pump(pty, left > 100 ? 100 : left);
    }
    take_rest_of_frame(pty);
}

void pty_wait_on_line(struct pty_vterm *pty, const char *text, int row)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (pty_line_of(pty, text) != row) {
        int left = clock_left_ms(deadline);
        if (left == 0) {
            show(pty);
            fail_msg("waited for \"%s\" on line %d", text, row);
        }
        pump(pty, left > 100 ? 100 : left);
    }
}

bool pty_wait_screen(struct pty_vterm *pty, const char *screen)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (strcmp(pty_screen(pty), screen) != 0) {
        int left = clock_left_ms(deadline);
        if (left == 0) {
            return false;
        }
        pump(pty, left > 100 ? 100 : left);
    }
    return true;
}

void pty_wait_quiet(struct pty_vterm *pty, int quiet_ms)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (pump(pty, quiet_ms)) {
        if (clock_left_ms(deadline) == 0) {
            show(pty);
            fail_msg("the program does not stop writing");
        }
    }
}

void pty_settle(struct pty_vterm *pty, int quiet_ms, int most_ms)
{
    uint64_t deadline = clock_deadline((uint64_t)most_ms);
    while (clock_left_ms(deadline) > 0 && pump(pty, quiet_ms)) {
    }
}

static bool has_ended(struct pty_vterm *pty)
{
    if (!pty->is_under_shell) {
        return waitpid(pty->child, &pty->status, WNOHANG) == pty->child;
    }
    struct pollfd input = {.fd = pty->report, .events = POLLIN};
    struct shell_report told;
    if (poll(&input, 1, 0) != 1 || read(pty->report, &told, sizeof(told)) != sizeof(told)) {
        return false;
    }
    pty->status = told.status;
    return !WIFSTOPPED(told.status) && !WIFCONTINUED(told.status);
}

bool pty_has_ended(struct pty_vterm *pty)
{
    pty->has_ended = pty->has_ended || has_ended(pty);
    return pty->has_ended;
}

int pty_wait_exit(struct pty_vterm *pty)
{
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (!pty->has_ended) {
        pty->has_ended = has_ended(pty);
        if (!pump(pty, 10) && !pty->has_ended && clock_left_ms(deadline) == 0) {
            show(pty);
            fail_msg("the program does not end");
        }
        if (pty->master < 0) {
            poll(NULL, 0, 10);
        }
    }
    while (pump(pty, 0)) {
    }
    if (pty->is_under_shell) {
        waitpid(pty->child, NULL, 0);
    }
    return pty->status;
}

void pty_wait_stopped(struct pty_vterm *pty)
{
    struct shell_report told;
    struct pollfd input = {.fd = pty->report, .events = POLLIN};
    uint64_t deadline = clock_deadline(wait_limit_ms());
    while (poll(&input, 1, 0) != 1) {
        if (clock_left_ms(deadline) == 0) {
            show(pty);
            fail_msg("the program does not stop");
        }
        pump(pty, 10);
    }
    read_report(pty, &told);
    assert_true(WIFSTOPPED(told.status));
    while (pump(pty, 0)) {
    }
}

void pty_continue(struct pty_vterm *pty)
{
    struct shell_report told;
    kill(-pty->program, SIGCONT);
    read_report(pty, &told);
    assert_true(WIFCONTINUED(told.status));
}

void pty_cursor_place(const struct pty_vterm *pty, int *row, int *column)
{
    VTermPos place = {0};
    vterm_state_get_cursorpos(vterm_obtain_state(pty->vterm), &place);
    *row = place.row;
    *column = place.col;
}

bool pty_cursor_is_visible(const struct pty_vterm *pty)
{
    return pty->is_cursor_visible;
}

bool pty_is_alternate(const struct pty_vterm *pty)
{
    return pty->is_alternate;
}

size_t pty_byte_count(const struct pty_vterm *pty)
{
    return pty->written.len;
}

const char *pty_bytes(const struct pty_vterm *pty, size_t *len)
{
    *len = pty->written.len;
    return text_cstr(&pty->written);
}

bool pty_wrote(const struct pty_vterm *pty, const char *bytes)
{
    return pty->written.len > 0 &&
           memmem(pty->written.data, pty->written.len, bytes, strlen(bytes)) != NULL;
}

struct termios pty_termios(const struct pty_vterm *pty)
{
    struct termios read;
    assert_int_equal(tcgetattr(pty->master, &read), 0);
    return read;
}

struct termios pty_first_termios(const struct pty_vterm *pty)
{
    return pty->first;
}
