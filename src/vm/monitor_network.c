/* SPDX-License-Identifier: MIT */
/* What serves a network namespace may die under its machine: that is told, and it is started again,
 * the namespace and its interfaces being the VMM's. One that dies again and again waits longer. */
#include "vm/monitor_state.h"

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

/* The pause before a start: this, twice this, … */
#define DELAY_MS 100
#define DELAY_MAX_MS 60000
/* One that served this long did not die of its start. */
#define QUICK_MS 30000

/* It ends in order when its VMM does, whose end of the pipe is then closed. */
static bool has_vmm(const struct monitor *monitor)
{
    struct pollfd alive = {.fd = monitor->launch.alive_fd, .events = POLLIN};
    return alive.fd >= 0 && poll(&alive, 1, 0) == 0;
}

static bool is_due(const struct monitor *monitor)
{
    return monitor->network.due_ms != 0 && clock_left_ms(monitor->network.due_ms) == 0;
}

static void tell_lost(struct monitor *monitor, bool is_lost)
{
    if (monitor->timeline.is_network_lost != is_lost) {
        monitor->timeline.is_network_lost = is_lost;
        monitor_tell(monitor);
    }
}

static void put_off(struct monitor *monitor)
{
    struct monitor_network *network = &monitor->network;
    uint64_t delay_ms = network->ends < 10 ? (uint64_t)DELAY_MS << network->ends : DELAY_MAX_MS;
    network->ends++;
    network->due_ms = clock_deadline(delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS);
}

void monitor_network_began(struct monitor *monitor)
{
    monitor->network.begun_ms = clock_monotonic_ms();
    monitor->network.due_ms = 0;
}

void monitor_network_ended(struct monitor *monitor)
{
    struct monitor_network *network = &monitor->network;
    net_server_done(&monitor->launch.server);
    if (!has_vmm(monitor)) {
        return;
    }
    log_write(LOG_WARNING, "what serves the network died: the guest has none until it is back");
    if (clock_monotonic_ms() - network->begun_ms >= QUICK_MS) {
        network->ends = 0;
    }
    put_off(monitor);
    tell_lost(monitor, true);
}

void monitor_network_adopt(struct monitor *monitor)
{
    struct launch *launch = &monitor->launch;
    if (monitor->handle.net.mode != NET_NAMESPACE) {
        return;
    }
    launch->alive_fd = net_space_open_alive(launch->pid, VMM_ALIVE_FD);
    if (launch->alive_fd < 0) {
        log_write(LOG_WARNING, "what serves the network cannot be watched");
    } else if (net_space_find(launch->pid, &launch->server)) {
        monitor_network_began(monitor);
        monitor->timeline.is_network_lost = false;
    } else {
        monitor_network_ended(monitor);
    }
}

int monitor_network_wait_ms(const struct monitor *monitor)
{
    return monitor->network.due_ms != 0 ? clock_left_ms(monitor->network.due_ms) : -1;
}

void monitor_network_go_on(struct monitor *monitor)
{
    struct error failure = {0};
    if (!is_due(monitor)) {
        return;
    }
    monitor->network.due_ms = 0;
    if (!has_vmm(monitor)) {
        return;
    }
    if (!net_space_serve(
            monitor->launch.pid, monitor->launch.alive_fd, &monitor->launch.server, &failure)) {
        net_server_done(&monitor->launch.server);
        log_write(LOG_ERROR, "%s", failure.text);
        put_off(monitor);
        return;
    }
    log_write(LOG_INFO, "the network is served again");
    monitor_network_began(monitor);
    tell_lost(monitor, false);
}
