/* SPDX-License-Identifier: MIT */
#include "support/fake_agent.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_word(const struct fake_agent *agent, const char *word)
{
    return agent->words != NULL && strstr(agent->words, word) != NULL;
}

void fake_agent_flush(int fd, struct wire_buffer *buffer)
{
    while (fd >= 0 && buffer->len > 0) {
        ssize_t put = send(fd, wire_buffer_bytes(buffer), buffer->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put <= 0) {
            return;
        }
        wire_buffer_consume(buffer, (size_t)put);
    }
}

void fake_agent_init(struct fake_agent *agent)
{
    agent->fd = -1;
    wire_decoder_init(&agent->decoder, true);
}

static void tell_changes(struct fake_agent *agent);

void fake_agent_write(struct fake_agent *agent)
{
    fake_agent_flush(agent->fd, &agent->out);
    if (agent->is_greeted && agent->fd >= 0 && has_word(agent, "fake.events")) {
        tell_changes(agent);
    }
}

static void result(
    struct fake_agent *agent, uint32_t id, enum wire_outcome outcome, uint64_t number)
{
    struct wire_writer writer;
    wire_begin(&writer, &agent->out, WIRE_RESULT, outcome, id);
    wire_add_number(&writer, WIRE_TAG_NUMBER, number);
    wire_add_text(&writer, WIRE_TAG_TEXT, "the fake agent says so");
    wire_finish(&writer);
}

static struct fake_stream *find_stream(struct fake_agent *agent, uint32_t id)
{
    for (size_t i = 0; i < FAKE_STREAMS; i++) {
        if (agent->streams[i].id == id) {
            return &agent->streams[i];
        }
    }
    return NULL;
}

static void free_stream(struct fake_stream *stream)
{
    wire_buffer_done(&stream->waiting);
    *stream = (struct fake_stream){0};
}

/* Sends what credit allows; a stream that has sent everything ends. */
static void push_stream(struct fake_agent *agent, struct fake_stream *stream)
{
    static const char page[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
    while (stream->spew_left > 0 && stream->waiting.len < WIRE_WINDOW) {
        size_t part = stream->spew_left < 64 ? (size_t)stream->spew_left : 64;
        wire_buffer_append(&stream->waiting, page, part);
        stream->spew_left -= part;
    }
    uint32_t room = has_word(agent, "fake.liar") ? UINT32_MAX : stream->out.left;
    size_t part = stream->waiting.len < room ? stream->waiting.len : room;
    if (part > 0) {
        wire_put_data(&agent->out, stream->id, WIRE_OUT, wire_buffer_bytes(&stream->waiting), part);
        wire_credit_spend(&stream->out, part);
        wire_buffer_consume(&stream->waiting, part);
        if (stream->is_cat) {
            uint32_t back = wire_credit_return(&stream->in, part);
            if (back > 0) {
                wire_put_credit(&agent->out, stream->id, WIRE_IN, back);
            }
        }
    }
    bool has_more = stream->spew_left > 0 || stream->waiting.len > 0;
    if (!has_more && (!stream->is_cat || stream->has_eof)) {
        result(agent, stream->id, WIRE_OUTCOME_EXITED, 0);
        free_stream(stream);
    } else if (has_more && stream->spew_left > 0 && stream->out.left > 0) {
        push_stream(agent, stream);
    }
}

static void open_exec(struct fake_agent *agent, const struct wire_frame *frame)
{
    struct wire_reader reader;
    struct wire_field field;
    auto_done(strings) struct strings words = {0};
    auto_done(text) struct text env = {0};
    wire_read(&reader, frame);
    while (wire_next(&reader, &field)) {
        auto_free char *text = wire_field_text(&field);
        if (field.tag == WIRE_TAG_ARG) {
            strings_add(&words, text);
        } else if (field.tag == WIRE_TAG_ENV) {
            text_printf(&env, "%s\n", text);
        }
    }
    const char *command = words.count > 0 ? words.items[0] : "";
    uint64_t number = words.count > 1 ? strtoull(words.items[1], NULL, 10) : 0;
    struct fake_stream *stream = find_stream(agent, 0);
    if (strcmp(command, "hang") == 0 ||
        (strcmp(command, "systemctl") == 0 && has_word(agent, "fake.hungsystemd"))) {
        wire_put_frame(&agent->out, WIRE_STARTED, 0, frame->stream, NULL, 0);
        return;
    } else if (strcmp(command, "exit") == 0) {
        result(agent, frame->stream, WIRE_OUTCOME_EXITED, number);
        return;
    } else if (strcmp(command, "kill") == 0) {
        result(agent, frame->stream, WIRE_OUTCOME_SIGNALED, number);
        return;
    } else if (strcmp(command, "denied") == 0) {
        result(agent, frame->stream, WIRE_OUTCOME_NOT_EXECUTABLE, 0);
        return;
    } else if (strcmp(command, "cat") != 0 && strcmp(command, "spew") != 0 &&
               strcmp(command, "env") != 0 &&
               !(strcmp(command, "systemctl") == 0 && has_word(agent, "fake.systemd"))) {
        result(agent, frame->stream, WIRE_OUTCOME_NOT_FOUND, 0);
        return;
    }
    *stream = (struct fake_stream){.id = frame->stream, .is_cat = strcmp(command, "cat") == 0};
    wire_credit_init(&stream->out);
    wire_credit_init(&stream->in);
    stream->spew_left = strcmp(command, "spew") == 0 ? number : 0;
    if (strcmp(command, "env") == 0) {
        wire_buffer_append(&stream->waiting, text_cstr(&env), env.len);
    }
    if (strcmp(command, "systemctl") == 0) {
        /* As early in a boot, then in the middle, then up. */
        static const char *const answers[] = {"offline\n", "starting\n", "degraded\n"};
        const char *word = answers[agent->asked < 2 ? agent->asked : 2];
        agent->asked++;
        wire_buffer_append(&stream->waiting, word, strlen(word));
    }
    wire_put_frame(&agent->out, WIRE_STARTED, 0, stream->id, NULL, 0);
    if (!stream->is_cat) {
        push_stream(agent, stream);
    }
}

static void greet(struct fake_agent *agent, const struct wire_frame *frame)
{
    struct wire_field nonce;
    struct wire_writer writer;
    if (!wire_find(frame, WIRE_TAG_NONCE, &nonce)) {
        return;
    }
    for (size_t i = 0; i < FAKE_STREAMS; i++) {
        free_stream(&agent->streams[i]);
    }
    wire_begin(&writer, &agent->out, WIRE_HELLO, 0, 0);
    wire_add_number(&writer, WIRE_TAG_VERSION, WIRE_VERSION);
    wire_add(&writer, WIRE_TAG_NONCE, nonce.bytes, nonce.len);
    wire_add_text(&writer, WIRE_TAG_FACT, "kernel=6.1.0-fake");
    wire_add_text(&writer, WIRE_TAG_FACT, "stage_init_ms=100000");
    wire_add_text(&writer, WIRE_TAG_FACT, "stage_root_ms=100200");
    wire_add_text(&writer, WIRE_TAG_FACT, "stage_agent_ms=100200");
    wire_finish(&writer);
    agent->is_greeted = true;
}

/* ---- chaos ---------------------------------------------------------------------------------- */

static uint64_t draw(struct fake_agent *agent, uint64_t below)
{
    if (agent->chaos == 0) {
        agent->chaos = strtoull(strstr(agent->words, "fake.chaos=") + 11, NULL, 10) * 2 + 1;
    }
    agent->chaos ^= agent->chaos << 13;
    agent->chaos ^= agent->chaos >> 7;
    agent->chaos ^= agent->chaos << 17;
    return (agent->chaos >> 11) % below;
}

/* One header of a tar archive that should not be followed, and what might be its content. */
static void put_member(struct fake_agent *agent, uint32_t id)
{
    static const char *const names[] = {"../outside/evil", "/tmp/banger-evil", "a/../../outside/x",
        "way/evil", "way", "dir/", "dir/file", "..", ".", "", "f", "dir"};
    static const char *const links[] = {"../outside", "/", "..", "/etc/passwd", "way", "f"};
    static const char types[] = "00012345670xgLKS";
    uint8_t block[1024] = {0};
    unsigned sum = 0;
    snprintf((char *)block, 100, "%s", names[draw(agent, sizeof names / sizeof *names)]);
    snprintf((char *)block + 100, 8, "%07o", (unsigned)draw(agent, 07777));
    snprintf((char *)block + 108, 8, "%07o", 0);
    snprintf((char *)block + 116, 8, "%07o", 0);
    snprintf((char *)block + 124, 12, "%011llo",
        draw(agent, 8) == 0 ? 077777777777ULL : (unsigned long long)draw(agent, 513));
    snprintf((char *)block + 136, 12, "%011o", 0);
    block[156] = (uint8_t)types[draw(agent, sizeof types - 1)];
    snprintf((char *)block + 157, 100, "%s", links[draw(agent, sizeof links / sizeof *links)]);
    memcpy(block + 257, "ustar\00000", 8);
    if (draw(agent, 4) == 0) {
        block[draw(agent, 512)] = (uint8_t)draw(agent, 256);
    }
    memset(block + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) {
        sum += block[i];
    }
    snprintf((char *)block + 148, 8, "%06o", draw(agent, 6) == 0 ? sum + 1 : sum);
    memset(block + 512, 'e', 512);
    wire_put_data(&agent->out, id, WIRE_OUT, block, draw(agent, 5) == 0 ? 700 : sizeof block);
}

static void put_chaos(struct fake_agent *agent, uint32_t id)
{
    uint8_t payload[512];
    size_t len = draw(agent, 3) == 0 ? 0 : draw(agent, sizeof payload);
    for (size_t i = 0; i < len; i++) {
        payload[i] = (uint8_t)draw(agent, draw(agent, 2) == 0 ? 256 : 8);
    }
    switch (draw(agent, 12)) {
    case 0:
        wire_buffer_append(&agent->out, payload, len); /* no frame at all */
        break;
    case 1:
        wire_buffer_append(&agent->out, wire_marker, draw(agent, sizeof wire_marker + 1));
        break;
    case 2:
        result(agent, id, (enum wire_outcome)draw(agent, 10), draw(agent, UINT64_MAX));
        break;
    case 3:
        wire_put_credit(&agent->out, id, (enum wire_channel)draw(agent, WIRE_CHANNELS),
            (uint32_t)draw(agent, UINT32_MAX) + 1);
        break;
    case 4:
        wire_put_frame(&agent->out, WIRE_STARTED, 0, id, NULL, 0);
        break;
    case 5:
        wire_put_end(&agent->out, id, (enum wire_channel)draw(agent, WIRE_CHANNELS));
        break;
    case 6:
        wire_put_frame(&agent->out, (enum wire_type)draw(agent, 16), (unsigned)draw(agent, 12),
            (uint32_t)draw(agent, 4), payload, len);
        break;
    default:
        put_member(agent, id);
        break;
    }
}

static void answer_by_chaos(struct fake_agent *agent, uint32_t id)
{
    uint64_t count = draw(agent, 24);
    if (draw(agent, 2) == 0) {
        wire_put_frame(&agent->out, WIRE_STARTED, 0, id, NULL, 0);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (draw(agent, 3) == 0) {
            put_chaos(agent, draw(agent, 5) == 0 ? (uint32_t)draw(agent, UINT32_MAX) : id);
        } else {
            put_member(agent, id);
        }
    }
    if (draw(agent, 3) != 0) { /* else it lets the host wait */
        result(agent, id, (enum wire_outcome)draw(agent, 4), 0);
    }
}

/* So much at once that a reader who stands still would have to keep it. */
static void tell_changes(struct fake_agent *agent)
{
    while (agent->out.len < 65536) {
        struct wire_writer writer;
        char fact[64];
        snprintf(fact, sizeof fact, "entrypoint=%u", agent->asked++);
        wire_begin(&writer, &agent->out, WIRE_EVENT, 0, 0);
        wire_add_text(&writer, WIRE_TAG_FACT, fact);
        wire_finish(&writer);
    }
}

static void open_stream(struct fake_agent *agent, const struct wire_frame *frame)
{
    bool is_end = frame->code == WIRE_KIND_POWEROFF || frame->code == WIRE_KIND_REBOOT;
    if (has_word(agent, "fake.chaos=") && !is_end) {
        answer_by_chaos(agent, frame->stream);
        return;
    }
    switch (frame->code) {
    case WIRE_KIND_EXEC:
        open_exec(agent, frame);
        return;
    case WIRE_KIND_SYNC:
        result(agent, frame->stream, WIRE_OUTCOME_OK, 0);
        return;
    case WIRE_KIND_POWEROFF:
    case WIRE_KIND_REBOOT:
        result(agent, frame->stream, WIRE_OUTCOME_OK, 0);
        fake_agent_flush(agent->fd, &agent->out);
        if (!has_word(agent, "fake.stubborn")) {
            agent->end(agent->machine, frame->code == WIRE_KIND_REBOOT);
        }
        return;
    }
    result(agent, frame->stream, WIRE_OUTCOME_UNSUPPORTED, 0);
}

static void take_frame(struct fake_agent *agent, const struct wire_frame *frame)
{
    struct fake_stream *stream = frame->stream != 0 ? find_stream(agent, frame->stream) : NULL;
    if (frame->type == WIRE_HELLO) {
        greet(agent, frame);
    } else if (frame->type == WIRE_OPEN) {
        open_stream(agent, frame);
    } else if (stream == NULL) {
        return;
    } else if (frame->type == WIRE_DATA && stream->is_cat) {
        wire_buffer_append(&stream->waiting, frame->payload, frame->len);
        push_stream(agent, stream);
    } else if (frame->type == WIRE_END && frame->code == WIRE_IN) {
        stream->has_eof = true;
        push_stream(agent, stream);
    } else if (frame->type == WIRE_CREDIT) {
        wire_credit_refill(&stream->out, wire_frame_credit(frame));
        push_stream(agent, stream);
    } else if (frame->type == WIRE_END && frame->code == WIRE_OUT) {
        result(agent, stream->id, WIRE_OUTCOME_SIGNALED, SIGPIPE);
        free_stream(stream);
    } else if (frame->type == WIRE_CLOSE) {
        free_stream(stream);
        agent->print(agent->machine, "closed a stream\r\n");
    }
}

void fake_agent_read(struct fake_agent *agent)
{
    uint8_t chunk[65536];
    ssize_t got = recv(agent->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got == 0) { /* the host is gone: another one may come */
        close(agent->fd);
        agent->fd = -1;
        wire_buffer_consume(&agent->out, agent->out.len);
        return;
    }
    if (got < 0) {
        return;
    }
    size_t at = 0;
    for (;;) {
        size_t step = 0;
        struct wire_frame frame;
        enum wire_status status =
            wire_decode(&agent->decoder, chunk + at, (size_t)got - at, &step, &frame);
        at += step;
        if (status == WIRE_MORE) {
            return;
        }
        if (status == WIRE_FRAME) {
            take_frame(agent, &frame);
        }
    }
}

void fake_agent_become_real(struct fake_agent *agent)
{
    char here[4096] = "";
    ssize_t len = readlink("/proc/self/exe", here, sizeof here - 1);
    char *slash = len > 0 ? strrchr(here, '/') : NULL;
    if (slash == NULL) {
        exit(70);
    }
    *slash = '\0';
    auto_free char *program = memory_printf("%s/real_agent", here);
    if (fork() == 0) {
        auto_free char *number = memory_printf("%d", dup(agent->fd));
        execl(program, "@banger-guest", number, (char *)NULL);
        _exit(127);
    }
    close(agent->fd);
    agent->fd = -1; /* who comes next gets an agent that begins anew */
}
