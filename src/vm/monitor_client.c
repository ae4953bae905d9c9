/* SPDX-License-Identifier: MIT */
#include "vm/monitor_client.h"

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "vm/local_socket.h"
#include "vm/monitor.h"
#include "vm/monitor_order.h"

struct json *monitor_request_new(const char *want)
{
    struct json *request = json_new_object();
    json_put_integer(request, "format", 1);
    json_put_string(request, "want", want);
    return request;
}

void monitor_connection_done(struct monitor_connection *connection)
{
    memory_auto_close(&connection->fd);
    connection->fd = -1;
    text_done(&connection->pending);
}

bool monitor_connect(int vm_dir, const struct json *request, uint64_t deadline_ms,
    const struct cancel *cancel, struct monitor_connection *connection, struct error *err)
{
    *connection = (struct monitor_connection){.fd = -1};
    connection->fd = local_socket_connect(vm_dir, MONITOR_SOCKET, deadline_ms, cancel, err);
    if (connection->fd < 0) {
        return error_wrap(err, "the machine's monitor");
    }
    auto_done(text) struct text line = {0};
    json_write(request, false, &line);
    text_append_char(&line, '\n');
    if (!local_socket_send(connection->fd, line.data, line.len, deadline_ms, cancel, err)) {
        monitor_connection_done(connection);
        return error_wrap(err, "the machine's monitor");
    }
    return true;
}

struct json *monitor_read_json(struct monitor_connection *connection, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err)
{
    auto_done(text) struct text line = {0};
    if (!local_socket_read_line(connection->fd, &connection->pending, MONITOR_EVENT_MAX, &line,
            deadline_ms, cancel, err)) {
        error_wrap(err, "the machine's monitor");
        return NULL;
    }
    return json_parse(text_cstr(&line), line.len, MONITOR_EVENT_MAX, limits_default.json_depth,
        "the monitor's answer", err);
}

bool monitor_request(int vm_dir, const struct json *request, uint64_t deadline_ms,
    const struct cancel *cancel, struct monitor_connection *connection, struct error *err)
{
    if (!monitor_connect(vm_dir, request, deadline_ms, cancel, connection, err)) {
        return false;
    }
    auto_json struct json *answer = monitor_read_json(connection, deadline_ms, cancel, err);
    const struct json *refusal = json_get(answer, "error");
    if (refusal != NULL) {
        monitor_error_from_json(refusal, err);
    }
    if (answer == NULL || refusal != NULL) {
        monitor_connection_done(connection);
        return false;
    }
    return true;
}
