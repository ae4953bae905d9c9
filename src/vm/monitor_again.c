/* SPDX-License-Identifier: MIT */
/* A machine that begins again by itself: after a reboot of its guest, or because its restart policy
 * says so. Each boot is a new VMM under the same monitor, so the serial log, its watchers and the
 * record of the machine go on. One that ends again and again right after its start is given up. */
#include "vm/monitor_state.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "vm/machine_history.h"

/* A run shorter than this counts as an end at once; so many of them in a row are enough. */
#define QUICK_MS 30000
#define QUICK_ENDS_MAX 5
/* The pause before the next start: this, twice this, … */
#define DELAY_MS 100
#define DELAY_MAX_MS 60000

static bool is_failure(const struct machine_exit *exit)
{
    return exit->reason == MACHINE_EXIT_PANIC || exit->reason == MACHINE_EXIT_VMM_ERROR ||
           exit->reason == MACHINE_EXIT_KILLED;
}

static bool is_meant_to(const struct monitor *monitor, const struct machine_exit *exit)
{
    if (exit->reason == MACHINE_EXIT_GUEST_REBOOT) {
        return true;
    }
    switch (monitor->order.restart) {
    case MACHINE_RESTART_NO:
        return false;
    case MACHINE_RESTART_ON_FAILURE:
        return is_failure(exit);
    case MACHINE_RESTART_ALWAYS:
        return true;
    }
    return false;
}

/* Without a command line (of an adopted VMM, when its order was not kept) there is nothing to start. */
static bool can_begin(const struct monitor *monitor)
{
    return !monitor->is_requested && !monitor->is_forgotten && monitor->order.plan.argv.count > 0;
}

static bool has_patience(struct monitor *monitor)
{
    bool is_quick = clock_monotonic_ms() - monitor->exec_ms < QUICK_MS;
    monitor->quick_ends = is_quick ? monitor->quick_ends + 1 : 0;
    monitor->has_given_up = monitor->quick_ends >= QUICK_ENDS_MAX;
    return !monitor->has_given_up;
}

static void tell_pause(struct monitor *monitor, const struct machine_exit *exit)
{
    auto_json struct json *json = machine_exit_to_json(exit);
    machine_history_keep(monitor->vm_dir, json);
    machine_timeline_done(&monitor->timeline);
    machine_timeline_init(&monitor->timeline);
    monitor->timeline.started_at = clock_wall();
    monitor->timeline.is_restarting = true;
    monitor->timeline.restarts = monitor->restarts;
    monitor_tell(monitor);
}

/* Clients are served meanwhile, and a stop ends it. */
static void pause_before_start(struct monitor *monitor, const struct machine_exit *exit)
{
    bool is_reboot = exit->reason == MACHINE_EXIT_GUEST_REBOOT;
    unsigned doublings = monitor->quick_ends > 0 ? monitor->quick_ends - 1 : 0;
    uint64_t delay_ms = (uint64_t)DELAY_MS << doublings;
    delay_ms = delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
    uint64_t deadline = clock_deadline(is_reboot && monitor->quick_ends <= 1 ? 1 : delay_ms);
    while (can_begin(monitor) && clock_left_ms(deadline) > 0) {
        monitor_serve_once(monitor, clock_left_ms(deadline));
    }
}

/* The VMM's ends of everything; log, listeners and clients stay. */
static void let_go(struct monitor *monitor)
{
    for (size_t i = 0; i < monitor->client_count; i++) {
        struct monitor_client *client = monitor->clients[i];
        client->relay.is_lost = client->relay.is_lost || client->kind == CLIENT_AGENT;
    }
    relay_lose_line(&monitor->relay);
    monitor_publish_lose(monitor);
    monitor_figures_lose(monitor);
    monitor_sweep_clients(monitor);
    relay_done(&monitor->relay);
    launch_done(&monitor->launch);
    relay_init(&monitor->relay);
    vsock_dial_done(&monitor->dial);
    launch_sweep_lines(monitor->vm_dir);
}

/* Up to here the end is still what has to be told when somebody stops the machine meanwhile. */
static void forget_end(struct monitor *monitor)
{
    text_clear(&monitor->events);
    text_clear(&monitor->said);
    wire_buffer_consume(&monitor->typed, monitor->typed.len);
    monitor->boot = (struct boot_watch){0};
    monitor->room = (struct monitor_room){0};
    monitor->fate = VMM_EVENT_NONE;
    monitor->halted_ms = 0;
    monitor->has_halted = false;
    monitor->wait_status = 0;
}

bool monitor_begin_again(struct monitor *monitor)
{
    struct machine_exit exit;
    monitor_explain(monitor, &exit);
    while (can_begin(monitor) && is_meant_to(monitor, &exit) && has_patience(monitor)) {
        char sentence[640];
        struct error failure = {0};
        monitor->restarts++;
        log_write(LOG_WARNING, "begins again (%u): %s", monitor->restarts,
            machine_exit_describe(&exit, sentence, sizeof(sentence)));
        let_go(monitor);
        tell_pause(monitor, &exit);
        pause_before_start(monitor, &exit);
        if (!can_begin(monitor)) {
            return false;
        }
        forget_end(monitor);
        if (monitor_start_vmm(monitor, &failure)) {
            return true;
        }
        log_write(LOG_ERROR, "%s", failure.text);
        monitor_kill_vmm(monitor);
        monitor_explain(monitor, &exit);
    }
    return false;
}
