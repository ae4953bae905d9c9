/* SPDX-License-Identifier: MIT */
#pragma once

/* Asks apt which packages make up a kernel: from the one that was named along Depends on
 * linux-image-*, linux-modules-* and linux-binary-*. Used by apt.c only; blocks. */

#include "artifact/apt_cache.h"

#include <stdbool.h>
#include <stddef.h>

#define APT_PACKAGES_MAX 16

struct cancel;
struct error;
struct strings;
struct text;

/* A package as apt-cache shows it. */
struct apt_package {
    char *name;
    char *version;
    bool is_meta; /* only leads to the one that holds the kernel */
};

/* One resolution under way. */
struct apt_search {
    const struct cancel *cancel;
    struct apt_stamp stamp;
    char *pkgcache; /* a directory of ours for apt's binary cache; NULL: apt keeps one */
    struct apt_package packages[APT_PACKAGES_MAX];
    size_t count;
};

void apt_search_done(struct apt_search *search);
/* Fills packages from the first of the names that apt knows; wanted is what was asked for, for
 * messages. The search is zeroed but for cancel. Errors as of apt_resolve. */
bool apt_search_run(
    struct apt_search *search, const char *wanted, const struct strings *names, struct error *err);
/* Runs apt-get with these words behind its own; *status is its exit status. */
bool apt_search_get(const struct apt_search *search, const struct strings *words, struct text *out,
    int *status, struct error *err);
