/* SPDX-License-Identifier: MIT */

/* A host that slept, for a program that this is preloaded into: its boot clock is ahead by as many
 * seconds as the file named by BANGER_TEST_SLEPT holds. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    const char *path = getenv("BANGER_TEST_SLEPT");
    long seconds = 0;
    if (real == NULL) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = real(clock, now);
    FILE *file = clock == CLOCK_BOOTTIME && path != NULL ? fopen(path, "re") : NULL;
    if (file != NULL) {
        if (fscanf(file, "%ld", &seconds) == 1) {
            now->tv_sec += seconds;
        }
        fclose(file);
    }
    return result;
}
