/* SPDX-License-Identifier: MIT */

/* The program inside the machine; see guest.h. */

#include <string.h>
#include <unistd.h>

#include "guest/guest.h"
#include "guest/launch.h"

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], LAUNCH_AGENT_NAME) == 0) {
        agent_main();
    }
    if (getpid() != 1) {
        die("this program starts machines from the inside; it does nothing else");
    }
    boot_main(argv);
}
