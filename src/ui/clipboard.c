/* SPDX-License-Identifier: MIT */
#include "ui/clipboard.h"

#include <fcntl.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/app.h"
#include "ui/seat.h"
#include "ui/term.h"

#define COPY_FILE "copied.txt"

/* screen(1) cuts what it hands on. */
#define SCREEN_PIECE 700

static void wrap_for_screen(const struct text *sequence, struct text *out)
{
    for (size_t at = 0; at < sequence->len; at += SCREEN_PIECE) {
        size_t left = sequence->len - at;
        text_append(out, "\x1bP");
        text_append_bytes(out, text_cstr(sequence) + at, left < SCREEN_PIECE ? left : SCREEN_PIECE);
        text_append(out, "\x1b\\");
    }
}

static void send(const struct seat *seat, const char *text)
{
    auto_done(text) struct text sequence = {0};
    auto_done(text) struct text wrapped = {0};
    text_append(&sequence, "\x1b]52;c;");
    base64_encode(text, strlen(text), &sequence);
    text_append(&sequence, "\x07");
    if (seat->options->is_tmux) {
        /* Every escape inside is doubled: there is one. */
        text_append(&wrapped, "\x1bPtmux;\x1b");
        text_append_bytes(&wrapped, text_cstr(&sequence), sequence.len);
        text_append(&wrapped, "\x1b\\");
    } else if (text_has_prefix(seat->options->term, "screen")) {
        wrap_for_screen(&sequence, &wrapped);
    } else {
        text_append_bytes(&wrapped, text_cstr(&sequence), sequence.len);
    }
    term_write(text_cstr(&wrapped), wrapped.len);
}

void clipboard_copy(struct seat *seat, const char *what, const char *text)
{
    struct error err = {0};
    size_t len = strlen(text);
    auto_free char *path = memory_printf("%s/%s", seat->snapshot->host.state_dir, COPY_FILE);
    bool is_sent = len <= CLIPBOARD_MAX;
    if (is_sent) {
        send(seat, text);
    }
    if (!file_replace(AT_FDCWD, path, text, len, 0600, &err)) {
        seat_say(
            seat, is_sent ? ROLE_ATTENTION : ROLE_BAD, "%s%s", is_sent ? "Copied; " : "", err.text);
        return;
    }
    seat_say(seat, ROLE_GOOD, "Copied %s%s: also in %s", what,
        is_sent ? "" : ", too long for a terminal", path);
}
