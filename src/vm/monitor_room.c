/* SPDX-License-Identifier: MIT */
/* QEMU stops a guest whose write found the host's disk full, so that nothing of it is lost. That is
 * told, and the guest goes on by itself once there is room. One that fills it at once again waits
 * longer. */
#include "vm/monitor_state.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "vm/vmm.h"

/* Less room would be gone before anybody sees it. */
#define ROOM_BYTES (16 << 20)
/* Between two looks: this, twice this, … */
#define LOOK_MS 1000
#define LOOK_MAX_MS 60000
/* One that ran this long did not fill the disk at once. */
#define QUICK_MS 30000
#define CALL_TIMEOUT_MS 2000

void monitor_room_lost(struct monitor *monitor)
{
    struct monitor_room *room = &monitor->room;
    bool is_quick = room->begun_ms != 0 && clock_monotonic_ms() - room->begun_ms < QUICK_MS;
    uint64_t longer_ms = room->look_ms * 2;
    room->look_ms = !is_quick ? LOOK_MS : longer_ms < LOOK_MAX_MS ? longer_ms : LOOK_MAX_MS;
    room->due_ms = clock_deadline(room->look_ms);
    monitor->timeline.is_no_space = true;
    log_write(LOG_WARNING, "the disk is full: the guest stands still until there is room");
}

/* By whoever; also when there was room all the time. */
void monitor_room_back(struct monitor *monitor)
{
    if (monitor->timeline.is_no_space) {
        monitor->room.begun_ms = clock_monotonic_ms();
        monitor->room.due_ms = 0;
        monitor->timeline.is_no_space = false;
        log_write(LOG_INFO, "the guest goes on");
    }
}

void monitor_room_adopt(struct monitor *monitor)
{
    if (monitor->timeline.is_no_space) {
        monitor_room_lost(monitor);
    }
}

int monitor_room_wait_ms(const struct monitor *monitor)
{
    return monitor->room.due_ms != 0 ? clock_left_ms(monitor->room.due_ms) : -1;
}

void monitor_room_go_on(struct monitor *monitor)
{
    struct monitor_room *room = &monitor->room;
    struct error failure = {0};
    uint64_t free_bytes = 0;
    if (room->due_ms == 0 || clock_left_ms(room->due_ms) > 0) {
        return;
    }
    room->due_ms = clock_deadline(room->look_ms);
    if (!file_free_space(monitor->vm_dir, ".", &free_bytes, &failure) || free_bytes < ROOM_BYTES ||
        monitor->backend->resume == NULL) {
        return;
    }
    if (!monitor->backend->resume(monitor->vm_dir, CALL_TIMEOUT_MS, NULL, &failure)) {
        log_write(LOG_ERROR, "the guest does not go on: %s", failure.text);
    }
}
