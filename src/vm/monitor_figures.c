/* SPDX-License-Identifier: MIT */
/* What the guest says of itself, for whoever asks: the monitor is a client of its own relay here.
 * However many ask, the guest is asked once at a time, and one that is silent makes nobody wait
 * longer than he wants to. */
#include "vm/monitor_state.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/units.h"
#include "vm/monitor_client.h"

static const char *const wanted[] = {MONITOR_GUEST_LOAD, MONITOR_GUEST_MEMORY,
    MONITOR_GUEST_AVAILABLE, MONITOR_GUEST_RECEIVED, MONITOR_GUEST_SENT};

void monitor_figures_begin(struct monitor_figures *figures)
{
    relay_client_init(&figures->client, &figures->from_guest);
    wire_decoder_init(&figures->decoder, false);
    figures->client.last_id = figures->last_id;
    figures->is_asked = false;
}

void monitor_figures_lose(struct monitor *monitor)
{
    struct monitor_figures *figures = &monitor->figures;
    relay_drop_client(&monitor->relay, &figures->client);
    relay_client_done(&figures->client);
    wire_decoder_done(&figures->decoder);
    wire_buffer_consume(&figures->from_guest, figures->from_guest.len);
    json_free(figures->said);
    figures->said = NULL;
    monitor_figures_begin(figures);
}

void monitor_figures_end(struct monitor *monitor)
{
    struct monitor_figures *figures = &monitor->figures;
    relay_drop_client(&monitor->relay, &figures->client);
    relay_client_done(&figures->client);
    wire_decoder_done(&figures->decoder);
    wire_buffer_done(&figures->from_guest);
    json_free(figures->said);
    figures->said = NULL;
}

/* A paused one would answer when it is not wanted any more. */
static bool can_answer(const struct monitor *monitor)
{
    return monitor->relay.is_ready && !monitor->timeline.is_paused;
}

static void ask(struct monitor *monitor)
{
    struct monitor_figures *figures = &monitor->figures;
    if (figures->is_asked || !can_answer(monitor)) {
        return;
    }
    struct wire_buffer request = {0};
    figures->last_id++;
    wire_put_frame(&request, WIRE_OPEN, WIRE_KIND_STATS, figures->last_id, NULL, 0);
    figures->is_asked = relay_feed_client(
        &monitor->relay, &figures->client, wire_buffer_bytes(&request), request.len);
    figures->client.is_lost = figures->client.is_lost || !figures->is_asked;
    wire_buffer_done(&request);
}

static struct json *answer(const struct monitor *monitor)
{
    const struct monitor_figures *figures = &monitor->figures;
    struct json *json = json_new_object();
    json_put_bool(json, "ok", true);
    if (figures->said != NULL) {
        json_put(json, "guest", json_copy(figures->said));
        json_put_integer(json, "at_ms", (int64_t)figures->said_ms);
    }
    return json;
}

struct json *monitor_figures_ask(struct monitor *monitor, bool is_waiting)
{
    ask(monitor);
    return is_waiting && monitor->figures.is_asked ? NULL : answer(monitor);
}

static bool is_number(const struct wire_field *field, const char *key, uint64_t *number)
{
    struct error ignored = {0};
    auto_free char *fact = field->tag == WIRE_TAG_FACT ? wire_field_text(field) : NULL;
    size_t len = strlen(key);
    return fact != NULL && strncmp(fact, key, len) == 0 && fact[len] == '=' &&
           units_parse_number(fact + len + 1, key, INT64_MAX, number, &ignored);
}

/* Only numbers under names that are known: everything else it says stays here. */
static void keep(struct monitor_figures *figures, const struct wire_frame *frame)
{
    struct wire_reader reader;
    struct wire_field field;
    json_free(figures->said);
    figures->said = json_new_object();
    figures->said_ms = clock_monotonic_ms();
    wire_read(&reader, frame);
    while (wire_next(&reader, &field)) {
        for (size_t i = 0; i < array_length(wanted); i++) {
            uint64_t number;
            if (is_number(&field, wanted[i], &number)) {
                json_put_integer(figures->said, wanted[i], (int64_t)number);
            }
        }
    }
}

struct json *monitor_figures_serve(struct monitor *monitor)
{
    struct monitor_figures *figures = &monitor->figures;
    bool was_asked = figures->is_asked;
    while (figures->from_guest.len > 0) {
        struct wire_frame frame;
        size_t taken = 0;
        enum wire_status status = wire_decode(&figures->decoder,
            wire_buffer_bytes(&figures->from_guest), figures->from_guest.len, &taken, &frame);
        if (status == WIRE_FRAME && frame.type == WIRE_RESULT && frame.stream == figures->last_id) {
            keep(figures, &frame);
            figures->is_asked = false;
        }
        wire_buffer_consume(&figures->from_guest, taken);
    }
    if (figures->client.is_lost) {
        monitor_figures_lose(monitor);
    }
    return was_asked && (!figures->is_asked || !can_answer(monitor)) ? answer(monitor) : NULL;
}
