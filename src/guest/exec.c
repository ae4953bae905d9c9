/* SPDX-License-Identifier: MIT */
#include "guest/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/wire.h"
#include "guest/facts.h"
#include "guest/guest.h"

#define DEFAULT_ROWS 24
#define DEFAULT_COLUMNS 80

static const char *take_text(const struct wire_field *field, char **to)
{
    char *text = wire_field_text(field);
    if (text == NULL) {
        return "an argument holds a NUL";
    }
    free(*to);
    *to = text;
    return NULL;
}

static const char *take_item(const struct wire_field *field, struct list *list)
{
    char *text = NULL;
    const char *fault = take_text(field, &text);
    if (fault == NULL) {
        list_take(list, text);
    }
    return fault;
}

const char *exec_parse(const struct wire_frame *frame, struct exec_request *request)
{
    struct command *command = &request->command;
    struct wire_reader reader;
    struct wire_field field;
    const char *fault = NULL;
    wire_read(&reader, frame);
    while (fault == NULL && wire_next(&reader, &field)) {
        switch (field.tag) {
        case WIRE_TAG_ARG:
            fault = take_item(&field, &command->argv);
            break;
        case WIRE_TAG_ENV:
            fault = take_item(&field, &command->env);
            break;
        case WIRE_TAG_CWD:
            fault = take_text(&field, &command->cwd);
            break;
        case WIRE_TAG_USER:
            fault = take_text(&field, &command->user);
            break;
        case WIRE_TAG_TTY:
            command->is_tty = true;
            if (!wire_field_size(&field, &request->rows, &request->columns)) {
                fault = "the size of the terminal is malformed";
            }
            break;
        default: /* of a later version */
            break;
        }
    }
    if (fault == NULL && command->argv.count == 0) {
        fault = "no program was named";
    }
    return fault;
}

void exec_resize(int terminal_fd, uint16_t rows, uint16_t columns)
{
    struct winsize size = {
        .ws_row = rows > 0 ? rows : DEFAULT_ROWS,
        .ws_col = columns > 0 ? columns : DEFAULT_COLUMNS,
    };
    ioctl(terminal_fd, TIOCSWINSZ, &size);
}

/* Pairs of descriptors; [0] is read from. */
struct lines {
    int in[2], out[2], err[2], start[2];
};

static void close_pair(int pair[2])
{
    for (unsigned i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            close(pair[i]);
        }
    }
}

static void close_lines(struct lines *lines)
{
    int saved = errno;
    close_pair(lines->in);
    close_pair(lines->out);
    close_pair(lines->err);
    close_pair(lines->start);
    errno = saved;
}

static bool open_pipes(struct lines *lines)
{
    return pipe2(lines->in, O_CLOEXEC) == 0 && pipe2(lines->out, O_CLOEXEC) == 0 &&
           pipe2(lines->err, O_CLOEXEC) == 0;
}

/* The terminal's end of ours is in.[1] and, once more, out.[0]; the program's is in.[0]. Works
 * before anybody has mounted /dev/pts where it belongs. */
static bool open_terminal(struct lines *lines, uint16_t rows, uint16_t columns)
{
    int unlock = 0, ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ours < 0) {
        ours = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (ours < 0) {
        return false;
    }
    lines->in[1] = ours;
    lines->out[0] = fcntl(ours, F_DUPFD_CLOEXEC, 0);
    if (lines->out[0] < 0 || ioctl(ours, TIOCSPTLCK, &unlock) != 0) {
        return false;
    }
    lines->in[0] = ioctl(ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    exec_resize(ours, rows, columns);
    return lines->in[0] >= 0;
}

static void become_command(
    const struct exec_request *request, const struct facts *facts, const struct lines *lines)
{
    bool is_tty = request->command.is_tty;
    write_file("/proc/self/oom_score_adj", "0\n");
    setsid();
    /* The agent's own ends are above 2, so none of these goes where another still is. */
    dup2(lines->in[0], STDIN_FILENO);
    dup2(is_tty ? lines->in[0] : lines->out[1], STDOUT_FILENO);
    dup2(is_tty ? lines->in[0] : lines->err[1], STDERR_FILENO);
    if (is_tty) {
        ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    }
    command_exec(&request->command, facts, lines->start[1]);
}

static int take_end(int pair[2], unsigned which)
{
    int fd = pair[which];
    pair[which] = -1;
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return fd;
}

bool exec_start(
    const struct exec_request *request, const struct facts *facts, struct exec_child *child)
{
    struct lines lines = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    bool is_tty = request->command.is_tty;
    bool is_open =
        is_tty ? open_terminal(&lines, request->rows, request->columns) : open_pipes(&lines);
    pid_t pid = -1;
    if (is_open && pipe2(lines.start, O_CLOEXEC) == 0) {
        pid = fork();
        if (pid == 0) {
            become_command(request, facts, &lines);
        }
    }
    if (pid > 0) {
        *child = (struct exec_child){
            .pid = pid,
            .in_fd = take_end(lines.in, 1),
            .out_fd = take_end(lines.out, 0),
            .err_fd = take_end(lines.err, 0),
            .start_fd = take_end(lines.start, 0),
        };
    }
    close_lines(&lines);
    return pid > 0;
}
