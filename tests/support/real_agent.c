/* SPDX-License-Identifier: MIT */

/* The guest's agent without a machine around it, for tests that need what it does and not only what
 * it says: this host's files, ports and programs are the guest's.
 *     real_agent LINE_FD
 * It ends with its parent and with the line. Powering off is SIGUSR1 for the parent. */

#include "guest/guest.h"
#include "guest/power.h"
#include "support/agent_alone.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void power_end(const char *init, bool is_reboot)
{
    (void)init;
    (void)is_reboot;
    kill(getppid(), SIGUSR1);
}

int clock_settime(clockid_t clock, const struct timespec *now)
{
    (void)clock;
    say("the clock is set to %lld", (long long)now->tv_sec);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 64;
    }
    agent_alone_run(&(struct agent_alone){.port = (int)strtol(argv[1], NULL, 10),
        .events = -1,
        .facts = "told=agent=real\ntold=init=/sbin/init\ninit_file=/sbin/init\n",
        .ends_with_line = true});
}
