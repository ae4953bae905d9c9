/* SPDX-License-Identifier: MIT */
#include "vm/host_sleep.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

/* Less is what lies between two readings on a busy host, and no guest notices it. */
#define SLEPT_MIN_MS 500
#define NEVER_S 4102444800 /* the year 2100 */

static uint64_t read_ms(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void host_sleep_begin(struct host_sleep *sleep)
{
    const struct itimerspec never = {.it_value = {.tv_sec = NEVER_S}};
    uint64_t monotonic_ms = read_ms(CLOCK_MONOTONIC);
    uint64_t boottime_ms = read_ms(CLOCK_BOOTTIME);
    *sleep = (struct host_sleep){
        .fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK),
        .apart_ms = boottime_ms > monotonic_ms ? boottime_ms - monotonic_ms : 0,
    };
    if (sleep->fd >= 0 && timerfd_settime(sleep->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
                              &never, NULL) != 0) {
        host_sleep_end(sleep);
    }
}

void host_sleep_end(struct host_sleep *sleep)
{
    memory_auto_close(&sleep->fd);
    sleep->fd = -1;
}

bool host_sleep_compare(struct host_sleep *sleep, uint64_t boottime_ms, uint64_t monotonic_ms)
{
    uint64_t apart_ms = boottime_ms > monotonic_ms ? boottime_ms - monotonic_ms : 0;
    if (apart_ms < sleep->apart_ms + SLEPT_MIN_MS) {
        return false;
    }
    sleep->apart_ms = apart_ms;
    return true;
}

bool host_sleep_look(struct host_sleep *sleep)
{
    uint64_t ignored;
    if (sleep->fd >= 0) {
        /* ECANCELED is the news itself; what it was shows in the clocks. */
        ssize_t got = read(sleep->fd, &ignored, sizeof(ignored));
        (void)got;
    }
    uint64_t boottime_ms = read_ms(CLOCK_BOOTTIME);
    return host_sleep_compare(sleep, boottime_ms, read_ms(CLOCK_MONOTONIC));
}
