/* SPDX-License-Identifier: MIT */
#include "vm/console_bell.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "vm/local_socket.h"

#define OPEN_TIMEOUT_MS 10000

bool console_bell_open(
    int vm_dir, const struct cancel *cancel, struct console_bell *bell, struct error *err)
{
    *bell = (struct console_bell){0};
    wire_decoder_init(&bell->decoder, false);
    auto_json struct json *request = monitor_request_new("console");
    struct error failure = {0};
    if (monitor_request(vm_dir, request, clock_deadline(OPEN_TIMEOUT_MS), cancel, &bell->connection,
            &failure)) {
        return true;
    }
    /* No monitor, or one that ends at this moment: what is in the log is all there will be. */
    bell->has_ended = failure.code == ERROR_NOT_FOUND || failure.code == ERROR_IO;
    if (!bell->has_ended) {
        *err = failure;
    }
    return bell->has_ended;
}

void console_bell_done(struct console_bell *bell)
{
    monitor_connection_done(&bell->connection);
    wire_decoder_done(&bell->decoder);
}

/* Only the end of the line matters: the bytes themselves are read from the log. */
static bool note_end(void *context, const struct wire_frame *frame)
{
    struct console_bell *bell = context;
    bell->has_ended = bell->has_ended || frame->type == WIRE_END;
    return true;
}

static bool look_at(struct console_bell *bell, const uint8_t *bytes, size_t len)
{
    return wire_decode_all(&bell->decoder, bytes, len, note_end, bell) == WIRE_MORE;
}

bool console_bell_wait(
    struct console_bell *bell, uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    if (bell->has_ended) {
        return true;
    }
    struct text *early = &bell->connection.pending;
    if (early->len > 0) {
        look_at(bell, (const uint8_t *)early->data, early->len);
        text_clear(early);
        return true;
    }
    uint8_t chunk[16384];
    ssize_t got =
        local_socket_receive(bell->connection.fd, chunk, sizeof(chunk), deadline_ms, cancel, err);
    if (got < 0) {
        return false;
    }
    if (got == 0 || !look_at(bell, chunk, (size_t)got)) {
        bell->has_ended = true;
    }
    return true;
}
