/* SPDX-License-Identifier: MIT */
#include "vm/agent_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/agent_line.h"
#include "vm/local_socket.h"

#define REQUEST_TIMEOUT_MS 10000

/* ---- the line ------------------------------------------------------------------------------- */

static bool line_broke(struct error *err)
{
    return error_set(
        err, ERROR_VMM, "the line into the guest broke: the machine ended or its agent did");
}

bool agent_line_open(int vm_dir, uint64_t deadline_ms, const struct cancel *cancel,
    struct agent_line *line, struct error *err)
{
    *line = (struct agent_line){0};
    auto_json struct json *request = monitor_request_new("agent");
    struct error failure = {0};
    if (!monitor_request(vm_dir, request, deadline_ms, cancel, &line->connection, &failure)) {
        if (failure.code == ERROR_NOT_FOUND) {
            return error_set(err, ERROR_UNSUPPORTED,
                "there is no line into the machine: it is not running, or it lost its monitor and "
                "needs a vm start");
        }
        if (failure.code == ERROR_IO) {
            return line_broke(err);
        }
        *err = failure;
        return false;
    }
    wire_decoder_init(&line->decoder, false);
    return true;
}

void agent_line_done(struct agent_line *line)
{
    monitor_connection_done(&line->connection);
    wire_decoder_done(&line->decoder);
    wire_buffer_done(&line->out);
}

struct taking {
    agent_line_taker *take;
    void *context;
    struct error *err;
};

static bool take_frame(void *context, const struct wire_frame *frame)
{
    const struct taking *taking = context;
    return taking->take(taking->context, frame, taking->err);
}

static bool decode(struct agent_line *line, const uint8_t *bytes, size_t len,
    agent_line_taker *take, void *context, struct error *err)
{
    struct taking taking = {.take = take, .context = context, .err = err};
    enum wire_status status = wire_decode_all(&line->decoder, bytes, len, take_frame, &taking);
    if (status == WIRE_RESET || status == WIRE_BAD) {
        return error_set(err, ERROR_VMM, "the machine's monitor sends nonsense: %s",
            wire_decoder_fault(&line->decoder));
    }
    return status == WIRE_MORE;
}

bool agent_line_receive(
    struct agent_line *line, agent_line_taker *take, void *context, struct error *err)
{
    struct text *early = &line->connection.pending;
    if (early->len > 0) {
        struct text first = *early;
        *early = (struct text){0};
        bool is_taken = decode(line, (const uint8_t *)first.data, first.len, take, context, err);
        text_done(&first);
        return is_taken;
    }
    uint8_t chunk[64 << 10];
    ssize_t got = recv(line->connection.fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got <= 0) {
        return line_broke(err);
    }
    return decode(line, chunk, (size_t)got, take, context, err);
}

bool agent_line_send(struct agent_line *line, struct error *err)
{
    while (line->out.len > 0) {
        ssize_t put = send(line->connection.fd, wire_buffer_bytes(&line->out), line->out.len,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EAGAIN) {
            return true;
        }
        if (put < 0 && errno != EINTR) {
            return line_broke(err);
        }
        if (put > 0) {
            wire_buffer_consume(&line->out, (size_t)put);
        }
    }
    return true;
}

bool agent_result_failed(const struct wire_frame *frame, const char *what, struct error *err)
{
    struct wire_field field;
    auto_free char *sentence =
        wire_find(frame, WIRE_TAG_TEXT, &field) ? wire_field_text(&field) : NULL;
    if (frame->code == WIRE_OUTCOME_UNSUPPORTED) {
        return error_set(err, ERROR_UNSUPPORTED,
            "the agent in this guest cannot %s: it is of an older release", what);
    }
    return error_set(err, ERROR_VMM, "the guest could not %s: %s", what,
        sentence != NULL ? sentence : "it gave no reason");
}

/* ---- requests without streams --------------------------------------------------------------- */

struct request {
    const char *what;
    enum wire_kind kind;
    uint64_t number;       /* of TIME_SET */
    struct strings *facts; /* what comes back; NULL: nothing is wanted */
    bool is_done;
};

#define FACTS_MAX 2000 /* a guest that invents more is not followed */

static void take_facts(struct request *request, const struct wire_frame *frame)
{
    struct wire_reader reader;
    struct wire_field field;
    wire_read(&reader, frame);
    while (request->facts != NULL && wire_next(&reader, &field)) {
        auto_free char *fact = field.tag == WIRE_TAG_FACT ? wire_field_text(&field) : NULL;
        if (fact != NULL && request->facts->count < FACTS_MAX) {
            strings_add(request->facts, fact);
        }
    }
}

static bool take_result(void *context, const struct wire_frame *frame, struct error *err)
{
    struct request *request = context;
    if (frame->type != WIRE_RESULT || frame->stream != AGENT_STREAM) {
        return true;
    }
    request->is_done = true;
    take_facts(request, frame);
    return frame->code == WIRE_OUTCOME_OK || agent_result_failed(frame, request->what, err);
}

static bool run_request(int vm_dir, struct request *request, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    struct agent_line line;
    uint64_t deadline = clock_deadline(timeout_ms != 0 ? timeout_ms : REQUEST_TIMEOUT_MS);
    if (!agent_line_open(vm_dir, deadline, cancel, &line, err)) {
        return false;
    }
    struct wire_writer writer;
    wire_begin(&writer, &line.out, WIRE_OPEN, request->kind, AGENT_STREAM);
    if (request->kind == WIRE_KIND_TIME_SET) {
        wire_add_number(&writer, WIRE_TAG_NUMBER, request->number);
    }
    wire_finish(&writer);
    bool is_fine = true;
    while (is_fine && !request->is_done) {
        short events = line.out.len > 0 ? POLLIN | POLLOUT : POLLIN;
        is_fine = (line.connection.pending.len > 0 ||
                      local_socket_wait(line.connection.fd, events, deadline, cancel, err)) &&
                  agent_line_send(&line, err) &&
                  agent_line_receive(&line, take_result, request, err);
    }
    agent_line_done(&line);
    return is_fine;
}

bool agent_sync(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct request request = {.what = "flush its file systems", .kind = WIRE_KIND_SYNC};
    return run_request(vm_dir, &request, timeout_ms, cancel, err);
}

bool agent_poweroff(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct request request = {.what = "power off", .kind = WIRE_KIND_POWEROFF};
    return run_request(vm_dir, &request, timeout_ms, cancel, err);
}

bool agent_reboot(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct request request = {.what = "restart", .kind = WIRE_KIND_REBOOT};
    return run_request(vm_dir, &request, timeout_ms, cancel, err);
}

bool agent_ports(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel,
    struct strings *facts, struct error *err)
{
    struct request request = {.what = "list its ports", .kind = WIRE_KIND_PORTS, .facts = facts};
    return run_request(vm_dir, &request, timeout_ms, cancel, err);
}

bool agent_set_time(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct request request = {
        .what = "set its clock", .kind = WIRE_KIND_TIME_SET, (uint64_t)clock_wall_ms() * 1000000};
    return run_request(vm_dir, &request, timeout_ms, cancel, err);
}
