/* SPDX-License-Identifier: MIT */
/* An end that somebody asked for: from then on the record says so, and nothing begins again by
 * itself. Who asked holds the connection while it works on the end. When it dies over that, what it
 * had begun gets its time to come about; after that the machine runs as before. */
#include "vm/monitor_state.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

static void set_stopping(struct monitor *monitor, bool is_stopping)
{
    monitor->is_requested = is_stopping;
    monitor->abandoned_ms = 0;
    if (monitor->timeline.is_stopping != is_stopping) {
        monitor->timeline.is_stopping = is_stopping;
        monitor_tell(monitor);
    }
}

bool monitor_stop_note(struct monitor *monitor, const struct json *request)
{
    bool is_stopping = !json_bool(request, "withdrawn", false);
    int64_t grace_ms = json_integer(request, "grace_ms", 0);
    set_stopping(monitor, is_stopping);
    monitor->stop_grace_ms = grace_ms > 0 ? (uint64_t)grace_ms : 0;
    return is_stopping && json_bool(request, "held", false);
}

void monitor_stop_abandon(struct monitor *monitor)
{
    if (monitor->timeline.is_stopping && !monitor->has_ended) {
        monitor->abandoned_ms = clock_deadline(monitor->stop_grace_ms);
    }
}

int monitor_stop_wait_ms(const struct monitor *monitor)
{
    return monitor->abandoned_ms != 0 ? clock_left_ms(monitor->abandoned_ms) : -1;
}

void monitor_stop_go_on(struct monitor *monitor)
{
    if (monitor->abandoned_ms != 0 && clock_left_ms(monitor->abandoned_ms) == 0) {
        log_write(LOG_WARNING, "who stopped the machine died over it, and it did not end");
        set_stopping(monitor, false);
    }
}
