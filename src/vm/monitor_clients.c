/* SPDX-License-Identifier: MIT */
/* The monitor's connections: one line of JSON says what the client wants, one answers, and then the
 * connection carries events, the serial line or the agent line. */
#include "vm/monitor_state.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

#define CONSOLE_STREAM 1
#define CONSOLE_AHEAD (64u << 10) /* bytes of the log made ready for one client at a time */
#define REPLAY_MAX (16u << 20)

static void client_free(struct monitor_client *client)
{
    memory_auto_close(&client->fd);
    text_done(&client->request);
    wire_buffer_done(&client->out);
    wire_decoder_done(&client->decoder);
    relay_client_done(&client->relay);
    free(client);
}

static void send_json(struct monitor_client *client, const struct json *json)
{
    auto_done(text) struct text line = {0};
    json_write(json, false, &line);
    text_append_char(&line, '\n');
    wire_buffer_append(&client->out, line.data, line.len);
}

static void send_ok(struct monitor_client *client)
{
    auto_json struct json *answer = json_new_object();
    json_put_bool(answer, "ok", true);
    send_json(client, answer);
}

static void refuse(struct monitor_client *client, enum error_code code, const char *sentence)
{
    struct error failure = {0};
    error_set(&failure, code, "%s", sentence);
    auto_json struct json *json = monitor_error_to_json(&failure);
    send_json(client, json);
    client->kind = CLIENT_LEAVING;
}

static struct json *timeline_event(const struct monitor *monitor)
{
    struct json *json = json_new_object();
    json_put(json, "boot", machine_timeline_to_json(&monitor->timeline));
    return json;
}

/* ---- console -------------------------------------------------------------------------------- */

static void notify(struct monitor_client *client, const char *before, int pid, const char *after)
{
    auto_free char *sentence = memory_printf("%s process %d%s", before, pid, after);
    wire_put_data(&client->out, CONSOLE_STREAM, WIRE_ERR, sentence, strlen(sentence));
}

/* The keyboard goes to the client; whoever had it is told. */
static void give_keyboard(struct monitor *monitor, struct monitor_client *client)
{
    struct monitor_client *before = monitor->typist;
    if (before == client) {
        return;
    }
    monitor->typist = client;
    if (before != NULL) {
        notify(before, "the keyboard went to", client->pid, "; type to take it back");
        notify(client, "the keyboard was taken over from", before->pid, "");
    }
}

/* From the first whole line on, unless that one is long. */
static uint64_t whole_line(const struct monitor *monitor, uint64_t offset)
{
    uint8_t chunk[512];
    uint64_t at = offset;
    size_t got = serial_log_read(&monitor->log, &at, chunk, sizeof(chunk));
    const uint8_t *end = memchr(chunk, '\n', got);
    return end != NULL ? offset + (uint64_t)(end - chunk) + 1 : offset;
}

static void begin_console(
    struct monitor *monitor, struct monitor_client *client, const struct json *request)
{
    int64_t replay = json_integer(request, "replay", 0);
    uint64_t wanted = replay < 0 ? 0 : (uint64_t)replay;
    wanted = wanted < REPLAY_MAX ? wanted : REPLAY_MAX;
    uint64_t kept = monitor->log.end - monitor->handle.log_offset; /* of this boot */
    client->log_offset = monitor->log.end - (wanted < kept ? wanted : kept);
    if (wanted > 0 && wanted < kept) {
        client->log_offset = whole_line(monitor, client->log_offset);
    }
    client->may_type = json_bool(request, "type", false);
    client->kind = CLIENT_CONSOLE;
    wire_decoder_init(&client->decoder, false);
    auto_json struct json *answer = json_new_object();
    json_put_bool(answer, "ok", true);
    json_put_integer(answer, "offset", (int64_t)client->log_offset);
    send_json(client, answer);
    if (client->may_type) {
        give_keyboard(monitor, client);
    }
    if (monitor->is_adopted && monitor->launch.lines[VMM_LINE_SERIAL] < 0) {
        static const char sentence[] = "the serial port was lost with the machine's first monitor: "
                                       "it is there again after a restart";
        wire_put_data(&client->out, CONSOLE_STREAM, WIRE_ERR, sentence, sizeof(sentence) - 1);
    }
}

/* Makes bytes of the log ready. */
static void fill_console(struct monitor *monitor, struct monitor_client *client)
{
    uint8_t chunk[16384];
    while (client->out.len < CONSOLE_AHEAD) {
        size_t got = serial_log_read(&monitor->log, &client->log_offset, chunk, sizeof(chunk));
        if (got == 0) {
            break;
        }
        wire_put_data(&client->out, CONSOLE_STREAM, WIRE_OUT, chunk, got);
    }
}

struct typing {
    struct monitor *monitor;
    struct monitor_client *client;
};

static bool take_typed(void *context, const struct wire_frame *frame)
{
    struct monitor *monitor = ((struct typing *)context)->monitor;
    struct monitor_client *client = ((struct typing *)context)->client;
    if (frame->type == WIRE_END && frame->code == WIRE_IN) {
        return true; /* it only watches from now on */
    }
    if (frame->type != WIRE_DATA || frame->code != WIRE_IN || !client->may_type) {
        return false;
    }
    give_keyboard(monitor, client);
    if (monitor->launch.lines[VMM_LINE_SERIAL] >= 0) {
        wire_buffer_append(&monitor->typed, frame->payload, frame->len);
    }
    return true;
}

static bool feed_console(
    struct monitor *monitor, struct monitor_client *client, const uint8_t *bytes, size_t len)
{
    struct typing typing = {.monitor = monitor, .client = client};
    return wire_decode_all(&client->decoder, bytes, len, take_typed, &typing) == WIRE_MORE;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void begin_agent(struct monitor *monitor, struct monitor_client *client)
{
    bool is_greeted_again =
        machine_timeline_is_ready(&monitor->timeline) && monitor_has_agent_line(monitor);
    if (!monitor->relay.is_ready && is_greeted_again) {
        client->kind = CLIENT_WAITING;
        return;
    }
    if (!monitor->relay.is_ready) {
        refuse(client, ERROR_BUSY, "the guest's agent has not answered yet");
        return;
    }
    relay_client_init(&client->relay, &client->out);
    client->kind = CLIENT_AGENT;
    send_ok(client);
}

static void begin_events(struct monitor *monitor, struct monitor_client *client)
{
    client->kind = CLIENT_EVENTS;
    auto_json struct json *event = timeline_event(monitor);
    send_json(client, event);
}

static void agree(struct monitor_client *client)
{
    send_ok(client);
    client->kind = CLIENT_LEAVING;
}

static void note_stop(
    struct monitor *monitor, struct monitor_client *client, const struct json *request)
{
    bool is_held = monitor_stop_note(monitor, request);
    send_ok(client);
    client->kind = is_held ? CLIENT_STOPPING : CLIENT_LEAVING;
}

/* Somebody paused the machine or let it go on, on a VMM that does not tell that by itself. */
static void note_pause(
    struct monitor *monitor, struct monitor_client *client, const struct json *request)
{
    monitor->timeline.is_paused = json_bool(request, "is", false);
    monitor_tell(monitor);
    agree(client);
}

static void hand_figures(struct monitor_client *client, const struct json *answer)
{
    send_json(client, answer);
    client->kind = CLIENT_LEAVING;
}

static void begin_figures(
    struct monitor *monitor, struct monitor_client *client, const struct json *request)
{
    auto_json struct json *answer = monitor_figures_ask(monitor, json_bool(request, "wait", false));
    client->kind = CLIENT_FIGURES;
    if (answer != NULL) {
        hand_figures(client, answer);
    }
}

void monitor_hand_figures(struct monitor *monitor, const struct json *answer)
{
    for (size_t i = 0; i < monitor->client_count; i++) {
        if (monitor->clients[i]->kind == CLIENT_FIGURES) {
            hand_figures(monitor->clients[i], answer);
        }
    }
}

static void take_request(
    struct monitor *monitor, struct monitor_client *client, const char *line, size_t len)
{
    struct error failure = {0};
    auto_json struct json *request = json_parse(
        line, len, MONITOR_REQUEST_MAX, limits_default.json_depth, "the request", &failure);
    const char *want = json_string(request, "want", "");
    if (strcmp(want, "events") == 0) {
        begin_events(monitor, client);
    } else if (strcmp(want, "console") == 0) {
        begin_console(monitor, client, request);
    } else if (strcmp(want, "agent") == 0) {
        begin_agent(monitor, client);
    } else if (strcmp(want, "figures") == 0) {
        begin_figures(monitor, client, request);
    } else if (strcmp(want, "stop") == 0) {
        note_stop(monitor, client, request);
    } else if (strcmp(want, "paused") == 0 && monitor->backend->read_event == NULL) {
        note_pause(monitor, client, request);
    } else {
        refuse(client, ERROR_UNSUPPORTED, "this machine's monitor does not know the request");
    }
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool feed(
    struct monitor *monitor, struct monitor_client *client, const uint8_t *bytes, size_t len)
{
    switch (client->kind) {
    case CLIENT_NEW:
        break;
    case CLIENT_WAITING:
        return false; /* it has no answer yet */
    case CLIENT_EVENTS:
    case CLIENT_FIGURES:
    case CLIENT_STOPPING:
    case CLIENT_LEAVING:
        return true; /* nothing is expected: ignored */
    case CLIENT_CONSOLE:
        return feed_console(monitor, client, bytes, len);
    case CLIENT_AGENT:
        return relay_feed_client(&monitor->relay, &client->relay, bytes, len);
    }
    const uint8_t *end = memchr(bytes, '\n', len);
    size_t part = end == NULL ? len : (size_t)(end - bytes);
    if (client->request.len + part > MONITOR_REQUEST_MAX) {
        return false;
    }
    text_append_bytes(&client->request, bytes, part);
    if (end == NULL) {
        return true;
    }
    take_request(monitor, client, text_cstr(&client->request), client->request.len);
    return len == part + 1 || feed(monitor, client, end + 1, len - part - 1);
}

static void client_read(struct monitor *monitor, struct monitor_client *client)
{
    uint8_t chunk[MONITOR_CHUNK];
    ssize_t got = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0 || !feed(monitor, client, chunk, (size_t)got)) {
        client->is_dead = true;
    }
}

static void client_write(struct monitor *monitor, struct monitor_client *client)
{
    if (client->kind == CLIENT_CONSOLE && !client->is_deaf) {
        fill_console(monitor, client);
    }
    if (client->kind == CLIENT_CONSOLE && monitor->has_ended &&
        (client->is_deaf || client->log_offset == monitor->log.end)) {
        wire_put_end(&client->out, CONSOLE_STREAM, WIRE_OUT);
        client->kind = CLIENT_LEAVING;
    }
    while (client->out.len > 0) {
        ssize_t put = send(client->fd, wire_buffer_bytes(&client->out), client->out.len,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && errno == EAGAIN) {
            return;
        }
        if (put < 0) {
            /* It hears nothing any more, but what it said before it left still counts. */
            client->is_deaf = true;
            wire_buffer_consume(&client->out, client->out.len);
            return;
        }
        wire_buffer_consume(&client->out, (size_t)put);
    }
    if (client->is_behind) {
        client->is_behind = false;
        auto_json struct json *event = timeline_event(monitor);
        send_json(client, event);
    }
}

short monitor_client_wants(const struct monitor *monitor, const struct monitor_client *client)
{
    short wants = client->out.len > 0 ? POLLOUT : 0;
    if (client->is_deaf) {
        return POLLIN;
    }
    switch (client->kind) {
    case CLIENT_NEW:
    case CLIENT_WAITING:
    case CLIENT_EVENTS:
    case CLIENT_FIGURES:
    case CLIENT_STOPPING:
    case CLIENT_LEAVING:
        return (short)(wants | POLLIN);
    case CLIENT_CONSOLE:
        if (client->log_offset < monitor->log.end || monitor->has_ended) {
            wants |= POLLOUT;
        }
        return monitor->typed.len < MONITOR_TYPED_MAX ? (short)(wants | POLLIN) : wants;
    case CLIENT_AGENT:
        return monitor->relay.out.len < MONITOR_TO_GUEST_MAX ? (short)(wants | POLLIN) : wants;
    }
    return wants;
}

void monitor_client_ready(struct monitor *monitor, struct monitor_client *client, short revents)
{
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        client_read(monitor, client);
    }
    if ((revents & POLLOUT) != 0 && !client->is_dead) {
        client_write(monitor, client);
    }
}

static bool is_ours(int fd, int *pid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    *pid = peer.pid;
    return peer.uid == geteuid() || peer.uid == 0;
}

void monitor_accept(struct monitor *monitor)
{
    auto_close int fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int pid = 0;
    if (fd < 0 || !is_ours(fd, &pid) || monitor->client_count == MONITOR_CLIENTS_MAX) {
        return;
    }
    struct monitor_client *client = memory_zero(1, sizeof(*client));
    client->fd = take_fd(&fd);
    client->pid = pid;
    monitor->clients[monitor->client_count++] = client;
}

void monitor_sweep_clients(struct monitor *monitor)
{
    for (size_t i = 0; i < monitor->client_count;) {
        struct monitor_client *client = monitor->clients[i];
        if (client->kind == CLIENT_AGENT && client->relay.is_lost) {
            client->kind = CLIENT_LEAVING;
        }
        if (client->kind == CLIENT_WAITING) {
            begin_agent(monitor, client);
        }
        bool is_over = client->kind == CLIENT_LEAVING && client->out.len == 0;
        if (!client->is_dead && !is_over) {
            i++;
            continue;
        }
        relay_drop_client(&monitor->relay, &client->relay);
        if (client->kind == CLIENT_STOPPING) {
            monitor_stop_abandon(monitor);
        }
        if (monitor->typist == client) {
            monitor->typist = NULL;
        }
        client_free(client);
        monitor->client_count--;
        monitor->clients[i] = monitor->clients[monitor->client_count];
    }
}

void monitor_broadcast(struct monitor *monitor, const struct json *json)
{
    for (size_t i = 0; i < monitor->client_count; i++) {
        struct monitor_client *client = monitor->clients[i];
        if (client->kind != CLIENT_EVENTS) {
            continue;
        }
        client->is_behind = client->out.len > MONITOR_EVENTS_AHEAD && !monitor->has_ended;
        if (!client->is_behind) {
            send_json(client, json);
        }
    }
}

void monitor_dismiss_clients(struct monitor *monitor, const struct json *farewell)
{
    monitor_broadcast(monitor, farewell);
    relay_lose_line(&monitor->relay);
    for (size_t i = 0; i < monitor->client_count; i++) {
        struct monitor_client *client = monitor->clients[i];
        if (client->kind != CLIENT_CONSOLE) { /* these leave once they have seen everything */
            client->kind = CLIENT_LEAVING;
        }
    }
    monitor_sweep_clients(monitor); /* nobody waits for those who have nothing left to read */
}
