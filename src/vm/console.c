/* SPDX-License-Identifier: MIT */
/* An operator's terminal on a machine's serial line, by way of its monitor. */
#include "vm/console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/wire.h"
#include "vm/monitor_client.h"
#include "vm/stream_fd.h"

#define OPEN_TIMEOUT_MS 10000
#define TYPED_MAX (64u << 10)  /* waiting for the monitor; beyond, the keyboard waits */
#define SHOWN_MAX (256u << 10) /* waiting for the terminal; beyond, the line waits */

/* What a guest may have switched on: alternate screen, mouse, bracketed paste, application keys,
 * a hidden cursor, a scroll region, colours. */
#define TERMINAL_CLEAR "\033[H\033[2J"
#define TERMINAL_RESET                                                                             \
    "\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>"              \
    "\x1b[!p\x1b[r\x1b[?25h\x1b[0m"

struct attach {
    const struct console_attach_options *options;
    struct monitor_connection connection;
    struct wire_decoder decoder;
    struct wire_buffer typed; /* frames for the monitor */
    struct wire_buffer shown; /* bytes for out_fd */
    int in_fd;                /* -1 once it ended */
    bool is_terminal;         /* in_fd is one, in raw mode */
    bool is_detached;
    bool has_ended; /* the machine, or the connection to it */
    bool is_closed; /* nobody reads out_fd */
    struct termios saved;
};

static void show(struct attach *attach, const char *bytes)
{
    wire_buffer_append(&attach->shown, bytes, strlen(bytes));
}

static void show_notice(struct attach *attach, const char *sentence, size_t len)
{
    auto_free char *line = memory_printf("\r\n[%.*s]\r\n", (int)len, sentence);
    show(attach, line);
}

bool console_parse_key(const char *word, int *key, struct error *err)
{
    const char *letter = text_has_prefix(word, "ctrl-") ? word + strlen("ctrl-")
                         : word[0] == '^'               ? word + 1
                                                        : "";
    char c = *letter >= 'a' && *letter <= 'z' ? (char)(*letter - 0x20) : *letter;
    if (c > '@' && c <= '_' && letter[1] == '\0') {
        *key = c - '@';
        return true;
    }
    return error_set(err, ERROR_INVALID,
        "the detach key is ctrl- or ^ and one of a-z [ \\ ] ^ _, such as ctrl-a, not '%s'", word);
}

/* "Ctrl-]" for 0x1d. */
static void name_key(int key, char name[8])
{
    if (key < 0x20) {
        snprintf(name, 8, "Ctrl-%c", key + 0x40);
    } else {
        snprintf(name, 8, "%c", key);
    }
}

static bool enter_raw(struct attach *attach, struct error *err)
{
    if (attach->in_fd < 0 || tcgetattr(attach->in_fd, &attach->saved) != 0) {
        return true; /* no terminal: bytes as they come */
    }
    struct termios raw = attach->saved;
    cfmakeraw(&raw);
    if (tcsetattr(attach->in_fd, TCSADRAIN, &raw) != 0) {
        return error_set_errno(err, errno, "cannot put the terminal into raw mode");
    }
    attach->is_terminal = true;
    /* The guest's lines on a screen of their own: over others' text nobody could trust them. */
    wire_buffer_append(&attach->shown, TERMINAL_CLEAR, strlen(TERMINAL_CLEAR));
    if (attach->options->detach_key >= 0) {
        char key[8];
        name_key(attach->options->detach_key, key);
        auto_free char *hint = memory_printf("press %s to leave", key);
        show_notice(attach, hint, strlen(hint));
    }
    return true;
}

static void leave_raw(struct attach *attach)
{
    if (!attach->is_terminal) {
        return;
    }
    struct error ignored = {0};
    bool is_closed = false;
    if (isatty(attach->options->out_fd)) {
        stream_write_all(attach->options->out_fd, TERMINAL_RESET, strlen(TERMINAL_RESET), NULL,
            &is_closed, &ignored);
    }
    tcsetattr(attach->options->in_fd, TCSADRAIN, &attach->saved);
}

static bool take_frame(void *context, const struct wire_frame *frame)
{
    struct attach *attach = context;
    if (frame->type == WIRE_DATA && frame->code == WIRE_OUT) {
        wire_buffer_append(&attach->shown, frame->payload, frame->len);
    } else if (frame->type == WIRE_DATA && frame->code == WIRE_ERR && attach->is_terminal) {
        show_notice(attach, (const char *)frame->payload, frame->len);
    } else if (frame->type == WIRE_END) {
        attach->has_ended = true;
    }
    return true;
}

static void take_bytes(struct attach *attach, const uint8_t *bytes, size_t len)
{
    if (wire_decode_all(&attach->decoder, bytes, len, take_frame, attach) != WIRE_MORE) {
        attach->has_ended = true;
    }
}

static void read_line(struct attach *attach)
{
    uint8_t chunk[16384];
    ssize_t got = recv(attach->connection.fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (got > 0) {
        take_bytes(attach, chunk, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        attach->has_ended = true;
    }
}

static void write_line(struct attach *attach)
{
    ssize_t put = send(attach->connection.fd, wire_buffer_bytes(&attach->typed), attach->typed.len,
        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) {
        wire_buffer_consume(&attach->typed, (size_t)put);
    } else if (errno != EAGAIN && errno != EINTR) {
        attach->has_ended = true;
    }
}

static void read_keyboard(struct attach *attach)
{
    char chunk[1024];
    ssize_t got = read(attach->in_fd, chunk, sizeof(chunk));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        attach->in_fd = -1;
        return;
    }
    size_t len = (size_t)got;
    int key = attach->options->detach_key;
    const char *leave = key >= 0 ? memchr(chunk, key, len) : NULL;
    if (leave != NULL) {
        attach->is_detached = true;
        len = (size_t)(leave - chunk);
    }
    wire_put_data(&attach->typed, MONITOR_STREAM, WIRE_IN, chunk, len);
}

static void write_screen(struct attach *attach)
{
    ssize_t written = stream_write_some(
        attach->options->out_fd, wire_buffer_bytes(&attach->shown), attach->shown.len);
    if (written < 0) {
        attach->is_closed = true;
        return;
    }
    wire_buffer_consume(&attach->shown, (size_t)written);
}

enum slot { SLOT_LINE, SLOT_IN, SLOT_OUT, SLOT_CANCEL, SLOT_COUNT };

/* After the end only what is left for the screen, or typed before the detach key, moves on. */
static bool is_over(const struct attach *attach)
{
    return attach->is_closed || (attach->has_ended && attach->shown.len == 0) ||
           (attach->is_detached && (attach->typed.len == 0 || attach->has_ended));
}

static bool run(struct attach *attach, const struct cancel *cancel, struct error *err)
{
    const short in = POLLIN | POLLHUP | POLLERR;
    while (!is_over(attach)) {
        bool can_type = attach->typed.len < TYPED_MAX && !attach->has_ended && !attach->is_detached;
        short line = attach->shown.len < SHOWN_MAX ? POLLIN : 0;
        line = attach->typed.len > 0 ? (short)(line | POLLOUT) : line;
        struct pollfd fds[SLOT_COUNT] = {
            [SLOT_LINE] = {attach->has_ended ? -1 : attach->connection.fd, line, 0},
            [SLOT_IN] = {can_type ? attach->in_fd : -1, POLLIN, 0},
            [SLOT_OUT] = {attach->options->out_fd, attach->shown.len > 0 ? POLLOUT : (short)0, 0},
            [SLOT_CANCEL] = {cancel_fd(cancel), POLLIN, 0},
        };
        if (poll(fds, SLOT_COUNT, -1) < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot wait for the serial line");
        }
        if (cancel_is_requested(cancel)) {
            return true;
        }
        if ((fds[SLOT_LINE].revents & POLLOUT) != 0) {
            write_line(attach);
        }
        if ((fds[SLOT_LINE].revents & in) != 0) {
            read_line(attach);
        }
        if ((fds[SLOT_IN].revents & in) != 0) {
            read_keyboard(attach);
        }
        if ((fds[SLOT_OUT].revents & POLLOUT) != 0) {
            write_screen(attach);
        } else if ((fds[SLOT_OUT].revents & (POLLERR | POLLNVAL)) != 0) {
            attach->is_closed = true;
        }
    }
    return true;
}

static bool connect_line(
    int vm_dir, struct attach *attach, const struct cancel *cancel, struct error *err)
{
    auto_json struct json *request = monitor_request_new("console");
    json_put_integer(request, "replay", (int64_t)attach->options->replay_bytes);
    json_put_bool(request, "type", attach->in_fd >= 0);
    struct error failure = {0};
    if (monitor_request(vm_dir, request, clock_deadline(OPEN_TIMEOUT_MS), cancel,
            &attach->connection, &failure)) {
        return true;
    }
    if (failure.code == ERROR_NOT_FOUND) {
        return error_set(err, ERROR_VMM, "the machine has no serial line: it is not running");
    }
    *err = failure;
    return false;
}

bool console_attach(int vm_dir, const struct console_attach_options *options,
    const struct cancel *cancel, struct error *err)
{
    struct attach attach = {.options = options, .in_fd = options->in_fd};
    if (!connect_line(vm_dir, &attach, cancel, err)) {
        return false;
    }
    wire_decoder_init(&attach.decoder, false);
    bool is_fine = enter_raw(&attach, err);
    if (is_fine) {
        take_bytes(&attach, (const uint8_t *)text_cstr(&attach.connection.pending),
            attach.connection.pending.len);
        is_fine = run(&attach, cancel, err);
        leave_raw(&attach);
    }
    monitor_connection_done(&attach.connection);
    wire_decoder_done(&attach.decoder);
    wire_buffer_done(&attach.typed);
    wire_buffer_done(&attach.shown);
    return is_fine;
}
