/* SPDX-License-Identifier: MIT */
#include "guest/agent.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "guest/guest.h"
#include "guest/ports.h"
#include "guest/power.h"

#define MEMINFO_MAX ((size_t)64 << 10)

void agent_result(struct agent *agent, uint32_t id, enum wire_outcome outcome, bool has_number,
    uint64_t number, const char *text)
{
    struct wire_writer writer;
    wire_begin(&writer, &agent->out, WIRE_RESULT, outcome, id);
    if (has_number) {
        wire_add_number(&writer, WIRE_TAG_NUMBER, number);
    }
    if (text != NULL) {
        wire_add_text(&writer, WIRE_TAG_TEXT, text);
    }
    if (!wire_finish(&writer)) {
        /* The text cannot be sent as it is; the outcome always can. */
        wire_put_frame(&agent->out, WIRE_RESULT, outcome, id, NULL, 0);
    }
}

static void add_facts(struct wire_writer *writer, const struct facts *facts)
{
    size_t at = 0;
    for (const char *fact = facts_next(facts, FACTS_TOLD, &at); fact != NULL;
         fact = facts_next(facts, FACTS_TOLD, &at)) {
        wire_add_text(writer, WIRE_TAG_FACT, fact);
    }
}

void request_hello(struct agent *agent, const struct wire_frame *frame)
{
    struct wire_writer writer;
    struct wire_field nonce;
    if (!wire_find(frame, WIRE_TAG_NONCE, &nonce)) {
        return;
    }
    wire_begin(&writer, &agent->out, WIRE_HELLO, 0, 0);
    wire_add_number(&writer, WIRE_TAG_VERSION, WIRE_VERSION);
    wire_add(&writer, WIRE_TAG_NONCE, nonce.bytes, nonce.len);
    add_facts(&writer, &agent->facts);
    if (!wire_finish(&writer)) {
        wire_put_hello(&agent->out, nonce.bytes);
    }
    agent->is_greeted = true;
}

void request_event(struct agent *agent, const char *fact)
{
    struct wire_writer writer;
    if (agent->is_greeted) {
        wire_begin(&writer, &agent->out, WIRE_EVENT, 0, 0);
        wire_add_text(&writer, WIRE_TAG_FACT, fact);
        wire_finish(&writer);
    }
}

static void add_number_fact(struct wire_writer *writer, const char *key, uint64_t number)
{
    char text[64];
    snprintf(text, sizeof text, "%s=%" PRIu64, key, number);
    wire_add_text(writer, WIRE_TAG_FACT, text);
}

/* MemAvailable is in /proc alone; where it is not mounted, free memory has to do. */
static uint64_t available_bytes(uint64_t free_bytes)
{
    char *table = read_file("/proc/meminfo", MEMINFO_MAX, NULL);
    char *line = table == NULL ? NULL : strstr(table, "MemAvailable:");
    uint64_t bytes = line == NULL ? free_bytes : strtoull(line + 13, NULL, 10) * 1024;
    free(table);
    return bytes;
}

/* Bytes that all network devices but loopback have counted. */
static uint64_t network_bytes(const char *counter)
{
    DIR *dir = opendir("/sys/class/net");
    uint64_t total = 0;
    if (dir == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        uint64_t number = 0;
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0) {
            continue;
        }
        char *path = format_text("/sys/class/net/%s/statistics/%s", entry->d_name, counter);
        char *text = read_file(path, 32, NULL);
        if (text != NULL && parse_number(trim(text), UINT64_MAX, &number)) {
            total += number;
        }
        free(text);
        free(path);
    }
    closedir(dir);
    return total;
}

static void send_stats(struct agent *agent, uint32_t id)
{
    struct sysinfo info = {0};
    struct wire_writer writer;
    static const char *const loads[] = {"load1", "load5", "load15"};
    sysinfo(&info);
    wire_begin(&writer, &agent->out, WIRE_RESULT, WIRE_OUTCOME_OK, id);
    for (size_t i = 0; i < 3; i++) {
        add_number_fact(&writer, loads[i], ((uint64_t)info.loads[i] * 100) >> SI_LOAD_SHIFT);
    }
    uint64_t free_bytes = (uint64_t)info.freeram * info.mem_unit;
    add_number_fact(&writer, "mem_total", (uint64_t)info.totalram * info.mem_unit);
    add_number_fact(&writer, "mem_free", free_bytes);
    add_number_fact(&writer, "mem_available", available_bytes(free_bytes));
    add_number_fact(&writer, "uptime_ms", uptime_ms());
    add_number_fact(&writer, "processes", info.procs);
    add_number_fact(&writer, "net_received", network_bytes("rx_bytes"));
    add_number_fact(&writer, "net_sent", network_bytes("tx_bytes"));
    add_facts(&writer, &agent->facts);
    if (!wire_finish(&writer)) {
        agent_result(agent, id, WIRE_OUTCOME_FAILED, false, 0, "too many facts");
    }
}

static void set_time(struct agent *agent, const struct wire_frame *frame)
{
    struct wire_field field;
    uint64_t number;
    if (!wire_find(frame, WIRE_TAG_NUMBER, &field) || !wire_field_number(&field, &number) ||
        number > INT64_MAX) {
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, EINVAL, "no time was given");
        return;
    }
    struct timespec now = {
        .tv_sec = (time_t)(number / 1000000000), .tv_nsec = (long)(number % 1000000000)};
    if (clock_settime(CLOCK_REALTIME, &now) != 0) {
        int error = errno;
        char *text = format_text("cannot set the clock: %m");
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, (uint64_t)error, text);
        free(text);
        return;
    }
    agent_result(agent, frame->stream, WIRE_OUTCOME_OK, false, 0, NULL);
}

static void send_ports(struct agent *agent, uint32_t id)
{
    struct list lines = {0};
    struct wire_writer writer;
    bool is_told = false;
    if (ports_list(&lines)) {
        wire_begin(&writer, &agent->out, WIRE_RESULT, WIRE_OUTCOME_OK, id);
        for (size_t i = 0; i < lines.count; i++) {
            wire_add_text(&writer, WIRE_TAG_FACT, lines.items[i]);
        }
        is_told = wire_finish(&writer);
    }
    if (!is_told) {
        agent_result(agent, id, WIRE_OUTCOME_FAILED, true, (uint64_t)errno,
            "/proc of the machine does not tell its ports");
    }
    list_done(&lines);
}

/* The host hears of it first: whoever is told may end us before the next frame. */
static void end_machine(struct agent *agent, uint32_t id, bool is_reboot)
{
    agent_result(agent, id, WIRE_OUTCOME_OK, false, 0, NULL);
    while (agent->out.len > 0 && agent->line.can_write) {
        ssize_t done = line_write(&agent->line, wire_buffer_bytes(&agent->out), agent->out.len);
        wire_buffer_consume(&agent->out, (size_t)done);
    }
    power_end(facts_get(&agent->facts, "init_file", POWER_OWN_INIT), is_reboot);
}

void request_simple(struct agent *agent, const struct wire_frame *frame)
{
    switch (frame->code) {
    case WIRE_KIND_POWEROFF:
        end_machine(agent, frame->stream, false);
        break;
    case WIRE_KIND_REBOOT:
        end_machine(agent, frame->stream, true);
        break;
    case WIRE_KIND_STATS:
        send_stats(agent, frame->stream);
        break;
    case WIRE_KIND_TIME_SET:
        set_time(agent, frame);
        break;
    case WIRE_KIND_PORTS:
        send_ports(agent, frame->stream);
        break;
    default: /* of a version of the protocol that we do not speak */
        agent_result(agent, frame->stream, WIRE_OUTCOME_UNSUPPORTED, false, 0,
            "the agent in the machine is too old for this");
        break;
    }
}
