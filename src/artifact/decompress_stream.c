/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "artifact/decompress.h"
#include "artifact/decompress_codec.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "config.h"

#define INPUT_CAPACITY ((size_t)256 << 10)
#define WINDOW_LOG_MIN 10
#define WINDOW_LOG_MAX 30

/* In the order in which the first bytes are compared; the last one fits everything. */
static const struct codec *const codecs[] = {
    &codec_zstd,
#ifdef HAVE_ISAL
    &codec_gzip_isal,
#else
    &codec_gzip,
#endif
    &codec_xz,
    &codec_lz4,
    &codec_none,
};

/* The window of a file that decompress_new_fd reads. */
struct file_window {
    int fd;
    uint64_t offset;
    uint64_t left;
};

struct decompress {
    decompress_source *source;
    void *context;
    struct file_window window; /* context of decompress_new_fd */
    const struct cancel *cancel;
    const struct limits *limits;
    char *shown;
    const struct codec *codec;
    void *state; /* the codec's */
    uint8_t *input;
    size_t input_at, input_end;
    bool is_input_over;
    bool is_in_frame;
    bool is_over;
    unsigned frames;
    uint64_t total_in, total_out;
    struct error failure; /* from then on */
};

static size_t input_left(const struct decompress *decompress)
{
    return decompress->input_end - decompress->input_at;
}

static const uint8_t *input_head(const struct decompress *decompress)
{
    return decompress->input + decompress->input_at;
}

static void input_take(struct decompress *decompress, size_t len)
{
    decompress->input_at += len;
    decompress->total_in += len;
}

/* Tries to have at least `wanted` bytes of input, a few. */
static bool input_fill(struct decompress *decompress, size_t wanted, struct error *err)
{
    if (input_left(decompress) >= wanted) {
        return true;
    }
    memmove(decompress->input, input_head(decompress), input_left(decompress));
    decompress->input_end = input_left(decompress);
    decompress->input_at = 0;
    while (decompress->input_end < wanted && !decompress->is_input_over) {
        ssize_t got = decompress->source(decompress->context,
            decompress->input + decompress->input_end, INPUT_CAPACITY - decompress->input_end, err);
        if (got < 0) {
            return false;
        }
        decompress->input_end += (size_t)got;
        decompress->is_input_over = got == 0;
    }
    return true;
}

static bool fail_broken(const struct decompress *decompress, const char *why, struct error *err)
{
    return error_set(err, ERROR_FORMAT, "%s: its %s data is broken: %s", decompress->shown,
        decompress->codec->name, why);
}

/* zstd's frames that hold no data: 0x184d2a50 to 0x184d2a5f, little-endian. */
static bool is_skippable_frame(const uint8_t *head, size_t len)
{
    return len >= 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a && head[2] == 0x4d &&
           head[3] == 0x18;
}

static bool begins_like(const struct decompress *decompress, const struct codec *codec)
{
    const uint8_t *head = input_head(decompress);
    size_t len = input_left(decompress);
    return (len >= codec->magic_len && memcmp(head, codec->magic, codec->magic_len) == 0) ||
           (codec->format == DECOMPRESS_ZSTD && is_skippable_frame(head, len));
}

/* "zstd or gzip", for messages. */
static void name_accepted(unsigned accepted, char *buffer, size_t size)
{
    buffer[0] = '\0';
    for (size_t i = 0; i < array_length(codecs); i++) {
        if ((accepted & codecs[i]->format) != 0) {
            size_t len = strlen(buffer);
            snprintf(buffer + len, size - len, "%s%s", len > 0 ? " or " : "", codecs[i]->name);
        }
    }
}

/* Learns the format from the first bytes. */
static bool choose_codec(struct decompress *decompress, unsigned accepted, struct error *err)
{
    if (!input_fill(decompress, CODEC_MAGIC_MAX, err)) {
        return false;
    }
    size_t i = 0;
    while (!begins_like(decompress, codecs[i])) {
        i++;
    }
    if ((accepted & codecs[i]->format) == 0) {
        char names[64];
        name_accepted(accepted, names, sizeof names);
        return error_set(
            err, ERROR_FORMAT, "%s is %s, not %s", decompress->shown, codecs[i]->name, names);
    }
    decompress->codec = codecs[i];
    return true;
}

/* xz allows zeros behind its streams, in fours. */
static bool skip_xz_padding(struct decompress *decompress, struct error *err)
{
    size_t zeros = 0;
    for (;;) {
        if (!input_fill(decompress, 1, err)) {
            return false;
        }
        if (input_left(decompress) == 0 || *input_head(decompress) != 0) {
            return zeros % 4 == 0 || fail_broken(decompress, "there are bytes behind its end", err);
        }
        input_take(decompress, 1);
        zeros++;
    }
}

/* Within what the libraries know. */
static unsigned window_log(const struct decompress *decompress)
{
    uint64_t wanted = decompress->limits->zstd_window_log;
    return wanted < WINDOW_LOG_MIN   ? WINDOW_LOG_MIN
           : wanted > WINDOW_LOG_MAX ? WINDOW_LOG_MAX
                                     : (unsigned)wanted;
}

/* Between two frames: begins the next one or finds that the stream is over. */
static bool begin_frame(struct decompress *decompress, struct error *err)
{
    if (decompress->codec->format == DECOMPRESS_XZ && decompress->frames > 0 &&
        !skip_xz_padding(decompress, err)) {
        return false;
    }
    if (!input_fill(decompress, CODEC_MAGIC_MAX, err)) {
        return false;
    }
    if (decompress->frames > 0 && input_left(decompress) == 0) {
        decompress->is_over = true;
        return true;
    }
    if (!begins_like(decompress, decompress->codec)) {
        return fail_broken(decompress, "there are bytes behind its end", err);
    }
    if (decompress->frames == DECOMPRESS_FRAMES_MAX) {
        return error_set(err, ERROR_LIMIT, "%s: its %s data has more than %d frames",
            decompress->shown, decompress->codec->name, DECOMPRESS_FRAMES_MAX);
    }
    decompress->frames++;
    decompress->is_in_frame = true;
    decompress->state = decompress->codec->begin(decompress->state, window_log(decompress));
    return true;
}

static bool fail_window(const struct decompress *decompress, struct error *err)
{
    return error_set(err, ERROR_LIMIT,
        "%s: its %s data needs a window larger than the limit zstd_window_log (%" PRIu64 ") allows",
        decompress->shown, decompress->codec->name, decompress->limits->zstd_window_log);
}

/* One step inside of a frame. */
static bool step_frame(struct decompress *decompress, struct codec_io *io, struct error *err)
{
    if (!input_fill(decompress, 1, err)) {
        return false;
    }
    io->in = input_head(decompress);
    io->in_len = input_left(decompress);
    io->is_in_last = decompress->is_input_over;
    const char *why = "";
    enum codec_step step = decompress->codec->step(decompress->state, io, &why);
    input_take(decompress, io->taken);
    decompress->total_out += io->made;
    if (decompress->total_out > decompress->limits->expanded_bytes) {
        return error_set(err, ERROR_LIMIT,
            "%s expands to more than the limit expanded_bytes (%" PRIu64 ")", decompress->shown,
            decompress->limits->expanded_bytes);
    }
    switch (step) {
    case CODEC_ON:
        /* A step that changes nothing would be repeated for ever. */
        return io->made > 0 || io->taken > 0 || fail_broken(decompress, "it ends early", err);
    case CODEC_FRAME_END:
        decompress->is_in_frame = false;
        return true;
    case CODEC_BROKEN:
        return fail_broken(decompress, why, err);
    case CODEC_WINDOW:
        return fail_window(decompress, err);
    }
    return true;
}

static bool fill_buffer(
    struct decompress *decompress, uint8_t *buffer, size_t len, size_t *filled, struct error *err)
{
    if (cancel_check(decompress->cancel, err)) {
        return false;
    }
    *filled = 0;
    while (!decompress->is_over && *filled < len) {
        struct codec_io io = {.out = buffer + *filled, .out_room = len - *filled};
        if (decompress->is_in_frame ? !step_frame(decompress, &io, err)
                                    : !begin_frame(decompress, err)) {
            return false;
        }
        *filled += io.made;
    }
    return true;
}

ssize_t decompress_read(struct decompress *decompress, void *buffer, size_t len, struct error *err)
{
    size_t filled = 0;
    if (decompress->failure.code != ERROR_NONE ||
        !fill_buffer(decompress, buffer, len, &filled, &decompress->failure)) {
        *err = decompress->failure;
        return -1;
    }
    return (ssize_t)filled;
}

struct decompress *decompress_new(decompress_source *source, void *context, unsigned accepted,
    const struct limits *limits, const char *shown, struct error *err)
{
    auto_decompress struct decompress *decompress = memory_zero(1, sizeof *decompress);
    decompress->source = source;
    decompress->context = context;
    decompress->limits = limits;
    decompress->shown = memory_strdup(shown);
    decompress->input = memory_alloc(INPUT_CAPACITY);
    return choose_codec(decompress, accepted, err) ? take_ptr(decompress) : NULL;
}

static ssize_t read_window(void *context, void *buffer, size_t len, struct error *err)
{
    struct file_window *window = context;
    size_t wanted = len < window->left ? len : (size_t)window->left;
    ssize_t got;
    do {
        got = pread(window->fd, buffer, wanted, (off_t)window->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        error_set_errno(err, errno, "cannot read compressed data");
        return -1;
    }
    window->offset += (uint64_t)got;
    window->left -= (uint64_t)got;
    return got;
}

struct decompress *decompress_new_fd(int fd, uint64_t offset, uint64_t len, unsigned accepted,
    const struct limits *limits, const char *shown, const struct cancel *cancel, struct error *err)
{
    auto_decompress struct decompress *decompress = memory_zero(1, sizeof *decompress);
    decompress->window = (struct file_window){.fd = fd, .offset = offset, .left = len};
    decompress->source = read_window;
    decompress->context = &decompress->window;
    decompress->cancel = cancel;
    decompress->limits = limits;
    decompress->shown = memory_strdup(shown);
    decompress->input = memory_alloc(INPUT_CAPACITY);
    return choose_codec(decompress, accepted, err) ? take_ptr(decompress) : NULL;
}

void decompress_free(struct decompress *decompress)
{
    if (decompress != NULL) {
        if (decompress->codec != NULL) {
            decompress->codec->end(decompress->state);
        }
        free(decompress->shown);
        free(decompress->input);
        free(decompress);
    }
}

void decompress_auto_free(struct decompress **decompress)
{
    decompress_free(*decompress);
}

enum decompress_format decompress_format(const struct decompress *decompress)
{
    return decompress->codec->format;
}

const char *decompress_format_name(enum decompress_format format)
{
    for (size_t i = 0; i < array_length(codecs); i++) {
        if (codecs[i]->format == format) {
            return codecs[i]->name;
        }
    }
    return "unknown";
}

uint64_t decompress_total_out(const struct decompress *decompress)
{
    return decompress->total_out;
}

uint64_t decompress_total_in(const struct decompress *decompress)
{
    return decompress->total_in;
}
