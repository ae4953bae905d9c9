/* SPDX-License-Identifier: MIT */
#pragma once

/* The seed that a test draws from. It is the same in each run, so that what fails says something
 * about the sources and not about luck; BANGER_SEED=NUMBER (or the test's own variable) takes another
 * one, =random or BANGER_CHECK_ALL=yes a new one. seed.py is the same for tests in Python. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEED_USUAL 1

/* What was asked for: a number, "random", or NULL. */
static inline const char *seed_told(const char *own)
{
    const char *told = getenv(own);
    told = told != NULL && told[0] != '\0' ? told : getenv("BANGER_SEED");
    return told != NULL && told[0] != '\0' ? told : NULL;
}

/* Whether one run is to be repeated. */
static inline bool seed_is_told(const char *own)
{
    const char *told = seed_told(own);
    return told != NULL && strcmp(told, "random") != 0;
}

/* The seed, which is printed; where several are taken, the first of them. Never 0. */
static inline uint32_t seed_first(const char *own)
{
    const char *all = getenv("BANGER_CHECK_ALL");
    bool is_new = seed_told(own) != NULL || (all != NULL && strcmp(all, "yes") == 0);
    uint32_t drawn = is_new ? (uint32_t)time(NULL) : SEED_USUAL;
    uint32_t seed = seed_is_told(own) ? (uint32_t)strtoul(seed_told(own), NULL, 10) : drawn;
    seed = seed != 0 ? seed : SEED_USUAL;
    printf("%s=%u repeats this\n", own, (unsigned)seed);
    fflush(stdout);
    return seed;
}
