/* SPDX-License-Identifier: MIT */
#pragma once

/* The agent's protocol: frames between a host and the agent inside a guest, over one byte line that
 * may lose its far end and get another one at any moment (virtio-serial, vsock). Encoder, decoder
 * and credit accounts only: no file descriptor, no clock, no other header of ours, because the
 * guest's static program compiles this file too. Memory comes from malloc and is bounded by the
 * limits below; allocation failure aborts. Any thread, one owner at a time.
 *
 * THE LINE. A host that opens the line sends WIRE_MARKER and a HELLO with a nonce of its choice;
 * the guest answers WIRE_MARKER and a HELLO with the same nonce. A host reads on until it finds its
 * own nonce: everything before belongs to somebody who is gone. Bytes written before the agent runs
 * wait in the line, so a host sends its HELLO once and waits for the answer. The marker may come in
 * the middle of a frame; whoever decodes it forgets the frame it was in and all streams. It cannot
 * come by accident: it is made of the 16 bytes from 0xf0 up, no frame begins or ends with one of
 * them, and a header is too short to hold it; the encoder cuts DATA where its payload would contain
 * it and refuses other payloads that do. After a malformed frame a decoder skips everything up to
 * the next marker.
 *
 * FRAMES. A header of 12 bytes, the payload, a zero byte; all numbers little-endian. The zero byte
 * tells a whole frame from one that was cut off and filled up by the marker that came next.
 *     0  u8  type       enum wire_type
 *     1  u8  code       channel, kind, outcome or signal number: see enum wire_type
 *     2  u16 zero
 *     4  u32 stream     0: the line itself
 *     8  u32 length     of the payload, at most WIRE_PAYLOAD_MAX, of DATA at most WIRE_DATA_MAX
 * A payload of "fields" is a row of {u16 tag, u32 length, bytes}; a tag may come several times;
 * receivers skip tags they do not know. Numbers in fields are u64. Texts carry no NUL.
 *
 * STREAMS. Everything asked of the guest is a stream. The host opens it with an id above every id
 * it used since its HELLO; WIRE_RESULT is the guest's last frame on it and comes exactly once,
 * unless the host sent CLOSE, after which the guest says nothing more on it (an exec's process
 * group gets SIGHUP, its pipes are closed; the guest does not wait for it). Frames for a stream
 * that has ended cross on the way and are ignored by both sides. A new HELLO or a lost far end
 * is a CLOSE of every stream.
 *
 * CREDIT. Each direction of a channel begins with WIRE_WINDOW bytes. A sender never sends more DATA
 * than it has credit for; a receiver gives back with CREDIT what it has passed on. More than that
 * is a malformed frame. Only DATA is counted.
 *
 * END. From the sender of a channel: no more bytes will come (end of file). From its receiver:
 * nobody reads any more, bytes still under way are dropped; the sender closes what feeds it (a
 * process gets SIGPIPE).
 *
 * VERSIONS. Each HELLO carries the highest version its sender speaks; the lower of the two is
 * spoken. Unknown frame types and OPEN kinds of a later version are never sent to an earlier one.
 * An OPEN of a kind the guest does not know is answered by RESULT with WIRE_OUTCOME_UNSUPPORTED. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 1u
#define WIRE_PORT_NAME "org.banger.agent" /* of the virtio-serial port */
#define WIRE_VSOCK_PORT 1022u /* where the agent listens otherwise; below 1024: root's alone */

#define WIRE_HEADER_LEN 12u
#define WIRE_MARKER_LEN 16u
#define WIRE_NONCE_LEN 8u
#define WIRE_PAYLOAD_MAX (256u << 10) /* most of all an OPEN with its arguments */
#define WIRE_DATA_MAX (32u << 10)
#define WIRE_WINDOW (128u << 10)
#define WIRE_FIELDS_MAX 16384u /* in one payload */

extern const uint8_t wire_marker[WIRE_MARKER_LEN];

/* Direction, stream, code and payload of each. h: host, g: guest. */
enum wire_type {
    WIRE_HELLO = 1, /* both, 0, code 0; fields VERSION NONCE and, from the guest, facts */
    WIRE_OPEN = 2,  /* h→g, id, code enum wire_kind; fields by kind */
    WIRE_STARTED =
        3,         /* g→h, id, code 0, no payload: an exec's program runs; 126 and 127 are over */
    WIRE_DATA = 4, /* both, id, code enum wire_channel; 1..WIRE_DATA_MAX bytes */
    WIRE_END = 5,  /* both, id, code enum wire_channel, no payload: see END above */
    WIRE_CREDIT = 6, /* both, id, code enum wire_channel; u32 bytes, not 0 */
    WIRE_SIGNAL = 7, /* h→g, id, code signal number 1..64, no payload: to the process group */
    WIRE_RESIZE = 8, /* h→g, id, code 0; u16 rows, u16 columns */
    WIRE_RESULT = 9, /* g→h, id, code enum wire_outcome; fields by kind. The stream's last. */
    WIRE_CLOSE = 10, /* h→g, id, code 0, no payload: see STREAMS above */
    WIRE_EVENT = 11, /* g→h, 0, code 0; fields FACT: something in the guest changed */
};

enum wire_kind {
    WIRE_KIND_EXEC = 1, /* fields ARG… ENV… CWD USER TTY; channels in, out, err. RESULT: EXITED
                         * or SIGNALED with NUMBER; NOT_FOUND (127), NOT_EXECUTABLE (126) or
                         * FAILED with TEXT. Comes after the last DATA of out and err. What a
                         * child left behind writes later goes to nobody. */
    WIRE_KIND_SYNC = 2, /* RESULT OK once all file systems are flushed */
    WIRE_KIND_POWEROFF = 3, /* RESULT OK once the guest's PID 1 was told; the line then dies */
    WIRE_KIND_REBOOT = 4,   /* the same; ends a machine on Firecracker, where power-off does not */
    WIRE_KIND_STATS = 5,    /* RESULT OK with fields FACT: load1 load5 load15 (hundredths),
                             * mem_total mem_free mem_available (bytes), uptime_ms, processes,
                             * net_received net_sent (bytes), and
                             * the facts of HELLO that may have changed */
    WIRE_KIND_TIME_SET = 6, /* field NUMBER: nanoseconds since 1970. RESULT OK or FAILED. */
    WIRE_KIND_COPY = 7,     /* files and trees as a stream of base/tree_stream.h; fields FORMAT
                             * DIRECTION PATH and, where DIRECTION is WIRE_IN, NAME (the top of the
                             * stream; absent: an archive of any names). DIRECTION is the channel
                             * that carries it. RESULT OK or FAILED; UNSUPPORTED for a FORMAT that
                             * the guest does not know. */
    WIRE_KIND_TCP = 8,      /* a TCP connection to a port of the guest's own: field NUMBER; channels
                             * in and out. STARTED once it is made. RESULT OK once both directions
                             * have ended, FAILED when it cannot be made or is reset. */
    WIRE_KIND_PORTS = 9,    /* RESULT OK with a field FACT for each listening socket:
                             * "tcp|udp=ADDRESS PORT PROCESS", "tcp=0.0.0.0 22 sshd"; PROCESS may be
                             * missing */
};

enum wire_channel {
    WIRE_IN = 0,  /* h→g: stdin */
    WIRE_OUT = 1, /* g→h: stdout; the terminal when there is one */
    WIRE_ERR = 2, /* g→h: stderr */
};
#define WIRE_CHANNELS 3u

enum wire_outcome {
    WIRE_OUTCOME_OK = 0,
    WIRE_OUTCOME_EXITED = 1,   /* NUMBER: exit status 0..255 */
    WIRE_OUTCOME_SIGNALED = 2, /* NUMBER: signal */
    WIRE_OUTCOME_NOT_FOUND = 3,
    WIRE_OUTCOME_NOT_EXECUTABLE = 4,
    WIRE_OUTCOME_FAILED = 5, /* NUMBER: the guest's errno or 0; TEXT: a sentence */
    WIRE_OUTCOME_UNSUPPORTED = 6,
};

enum wire_tag {
    WIRE_TAG_VERSION = 1,    /* number: the highest version the sender speaks */
    WIRE_TAG_NONCE = 2,      /* WIRE_NONCE_LEN bytes */
    WIRE_TAG_FACT = 3,       /* text "key=value"; keys of HELLO and EVENT below */
    WIRE_TAG_ARG = 4,        /* text; in order; the first is looked up in the guest's PATH unless it
                           * holds a slash */
    WIRE_TAG_ENV = 5,        /* text "K=V", on top of the machine's own */
    WIRE_TAG_CWD = 6,        /* text; absent: the image's, else the user's home, else / */
    WIRE_TAG_USER = 7,       /* text "name|uid[:group|gid]"; absent: the image's, else root */
    WIRE_TAG_TTY = 8,        /* u16 rows, u16 columns (0: 24 x 80); stderr then goes to out */
    WIRE_TAG_NUMBER = 9,     /* number */
    WIRE_TAG_TEXT = 10,      /* text: a finished sentence, foreign to the host */
    WIRE_TAG_PATH = 11,      /* text: a path in the guest */
    WIRE_TAG_NAME = 12,      /* text */
    WIRE_TAG_DIRECTION = 13, /* number: enum wire_channel */
    WIRE_TAG_FORMAT = 14,    /* number */
};

/* Facts of the guest's HELLO (a key not known is absent):
 *     agent=0.1.0               release of the agent
 *     kernel=6.1.0-56-amd64     uname -r
 *     hostname=web
 *     init=/sbin/init           what became PID 1; "banger-guest" when the image has no init
 *     root=overlay|copy
 *     network=eth0 10.0.2.15/24 what the initrd configured; absent: nothing
 *     stage_init_ms=610         milliseconds since the guest's kernel started, when our init began,
 *     stage_root_ms=700         had the root mounted,
 *     stage_agent_ms=705        and when the agent began to answer
 *     entrypoint=running | exited:N | signaled:N | failed:SENTENCE    only when our init runs one
 *     warning=SENTENCE          something went wrong that did not stop the boot; several
 * An EVENT carries the facts that changed: today only entrypoint. */

/* ---- encoding ------------------------------------------------------------------------------- */

/* Bytes waiting to be written: append behind, write from wire_buffer_bytes, then consume. A
 * zero-initialised one is empty. */
struct wire_buffer {
    uint8_t *bytes;
    size_t start;
    size_t len; /* waiting */
    size_t capacity;
};

void wire_buffer_done(struct wire_buffer *buffer);
/* Bytes that are no frame, for lines that carry something else first. */
void wire_buffer_append(struct wire_buffer *buffer, const void *bytes, size_t len);
/* First byte waiting; valid until the next append. NULL while nothing was appended. */
const uint8_t *wire_buffer_bytes(const struct wire_buffer *buffer);
void wire_buffer_consume(struct wire_buffer *buffer, size_t len);

/* A header and a payload as they are; for relays, which rewrite the stream id of decoded frames.
 * False (and nothing appended) when the payload is too long or contains the marker. */
bool wire_put_frame(struct wire_buffer *buffer, enum wire_type type, unsigned code, uint32_t stream,
    const void *payload, size_t len);
/* DATA in as many frames as it takes. */
void wire_put_data(struct wire_buffer *buffer, uint32_t stream, enum wire_channel channel,
    const void *bytes, size_t len);
void wire_put_end(struct wire_buffer *buffer, uint32_t stream, enum wire_channel channel);
void wire_put_credit(
    struct wire_buffer *buffer, uint32_t stream, enum wire_channel channel, uint32_t bytes);
void wire_put_signal(struct wire_buffer *buffer, uint32_t stream, unsigned signal_number);
void wire_put_resize(struct wire_buffer *buffer, uint32_t stream, uint16_t rows, uint16_t columns);
void wire_put_close(struct wire_buffer *buffer, uint32_t stream);

/* A frame of fields: begin, add, finish. The marker goes in front of a HELLO by itself. finish is
 * false, and the whole frame is taken back, when it grew past WIRE_PAYLOAD_MAX or WIRE_FIELDS_MAX
 * or contains the marker. Nothing else may be appended between begin and finish. */
struct wire_writer {
    struct wire_buffer *buffer;
    size_t frame_at; /* of the header, counted from buffer->bytes + buffer->start */
    size_t marker_len;
    unsigned fields;
    bool is_bad;
};

void wire_begin(struct wire_writer *writer, struct wire_buffer *buffer, enum wire_type type,
    unsigned code, uint32_t stream);
void wire_add(struct wire_writer *writer, enum wire_tag tag, const void *bytes, size_t len);
void wire_add_text(struct wire_writer *writer, enum wire_tag tag, const char *text);
void wire_add_number(struct wire_writer *writer, enum wire_tag tag, uint64_t number);
void wire_add_size(struct wire_writer *writer, enum wire_tag tag, uint16_t rows, uint16_t columns);
bool wire_finish(struct wire_writer *writer);

/* The host's HELLO, marker and all. */
void wire_put_hello(struct wire_buffer *buffer, const uint8_t nonce[WIRE_NONCE_LEN]);

/* ---- decoding ------------------------------------------------------------------------------- */

struct wire_frame {
    enum wire_type type;
    unsigned code; /* in the range its type allows; kind and outcome may be unknown ones */
    uint32_t stream;
    const uint8_t *payload; /* the decoder's until its next call */
    size_t len;
};

enum wire_status {
    WIRE_MORE,  /* every byte was taken; feed more */
    WIRE_FRAME, /* *frame is filled */
    WIRE_RESET, /* a marker came: all streams are gone, a HELLO follows */
    WIRE_BAD,   /* malformed, and not just cut off by a marker; wire_decoder_fault says how. The
                 * decoder skips to the next marker by itself. */
};

struct wire_decoder {
    uint8_t header[WIRE_HEADER_LEN];
    size_t header_len;
    uint8_t *payload;
    size_t payload_len;      /* received */
    size_t payload_expected; /* from the header */
    size_t payload_capacity;
    size_t marker_len; /* bytes of the marker matched so far */
    bool is_skipping;  /* everything up to the next marker */
    bool is_hello_due; /* a marker came, only a HELLO may follow */
    bool is_fault_due; /* to be told unless the marker it may be part of is completed */
    const char *fault;
};

/* is_skipping true: on a line, where the first thing that counts is a marker. False: on a private
 * connection between two processes of ours, where frames begin at once. */
void wire_decoder_init(struct wire_decoder *decoder, bool is_skipping);
void wire_decoder_done(struct wire_decoder *decoder);
/* Takes bytes from the front of the input until something is to be said; *taken is how many. Call
 * again with the rest until WIRE_MORE. A frame that is returned has the shape its type demands:
 * stream zero or not, code in range, length right, fields well-formed and without duplicates of
 * VERSION or NONCE. */
enum wire_status wire_decode(struct wire_decoder *decoder, const uint8_t *bytes, size_t len,
    size_t *taken, struct wire_frame *frame);
/* Hands over each frame of the input; false from take ends it there. WIRE_MORE: all was taken.
 * WIRE_FRAME: take refused one. WIRE_RESET, WIRE_BAD: as above, what is behind was not looked at. */
typedef bool wire_taker(void *context, const struct wire_frame *frame);
enum wire_status wire_decode_all(struct wire_decoder *decoder, const uint8_t *bytes, size_t len,
    wire_taker *take, void *context);
/* What was wrong, a constant sentence; NULL when nothing was. */
const char *wire_decoder_fault(const struct wire_decoder *decoder);

/* The fields of a frame, one after the other. */
struct wire_reader {
    const uint8_t *at;
    size_t left;
};

struct wire_field {
    unsigned tag;
    const uint8_t *bytes;
    size_t len;
};

void wire_read(struct wire_reader *reader, const struct wire_frame *frame);
/* False at the end (and where the fields are malformed, which a decoded frame's never are). */
bool wire_next(struct wire_reader *reader, struct wire_field *field);
/* First field of that tag. */
bool wire_find(const struct wire_frame *frame, enum wire_tag tag, struct wire_field *field);
/* False unless the field has the size of a number. */
bool wire_field_number(const struct wire_field *field, uint64_t *number);
bool wire_field_size(const struct wire_field *field, uint16_t *rows, uint16_t *columns);
/* The field as a text, caller frees with free(); NULL when it holds a NUL. */
char *wire_field_text(const struct wire_field *field);
/* Payload of CREDIT. */
uint32_t wire_frame_credit(const struct wire_frame *frame);
/* Payload of RESIZE. */
void wire_frame_size(const struct wire_frame *frame, uint16_t *rows, uint16_t *columns);

/* ---- credit --------------------------------------------------------------------------------- */

/* One direction of one channel, at either end. */
struct wire_credit {
    uint32_t left; /* sender: may still be sent. receiver: may still come */
    uint32_t owed; /* receiver: passed on and not yet given back */
};

void wire_credit_init(struct wire_credit *credit);
/* Sender: that many bytes were put into DATA. */
void wire_credit_spend(struct wire_credit *credit, size_t len);
/* Sender: CREDIT came. False: more than a window in all, the frame is malformed. */
bool wire_credit_refill(struct wire_credit *credit, uint32_t bytes);
/* Receiver: DATA came. False: beyond the credit, the frame is malformed. */
bool wire_credit_receive(struct wire_credit *credit, size_t len);
/* Receiver: len bytes were passed on (or dropped). Returns what to put into a CREDIT now, 0 while
 * less than half a window is owed. */
uint32_t wire_credit_return(struct wire_credit *credit, size_t len);
