/* SPDX-License-Identifier: MIT */
#pragma once

/* When the fake console has done everything there is to do: a page that it shares with its test. It
 * rests while it waits for keys, with all it was sent handled and drawn, and nothing that is about
 * to change by itself. One thread on either side. */

#include <stdatomic.h>
#include <stdbool.h>

/* What changes by itself so soon is waited for: a machine's log is followed after 300 ms. */
#define REST_SOON_MS 310

struct rest {
    atomic_bool is_resting;
};

/* The console's side: a file of at least sizeof(struct rest). False: it cannot be mapped. */
bool fake_rest_share(const char *path);
