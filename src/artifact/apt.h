/* SPDX-License-Identifier: MIT */
#pragma once

/* Finds the files of a kernel that Debian or Ubuntu packages, by this machine's own signed apt
 * metadata (apt-cache(8), apt-get(8) download --print-uris). Needs no privilege, changes nothing
 * and asks no server. Follows Depends on linux-image-*, linux-modules-* and linux-binary-* from a
 * meta package to the packages with content; only those are in the answer.
 *
 * A call costs about a second, so the answer is kept in a file and is good until apt's lists,
 * sources or preferences change. Workers; blocks. */

#include "base/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;

struct apt_file {
    char *package; /* "linux-image-6.1.0-37-cloud-amd64" */
    char *version; /* "6.1.140-1" */
    char *url;
    char *filename; /* one path component */
    uint64_t size_bytes;
    struct digest digest;
};

/* Zero-initialise; free with apt_answer_done. */
struct apt_answer {
    char *package;          /* of the alternatives asked for, the one this machine has */
    char *version;          /* of the first file; source is "apt:<package of it>=<version>" */
    char *kernel_version;   /* "6.1.0-37-cloud-amd64" */
    uint64_t size_bytes;    /* of all files together */
    struct apt_file *files; /* linux-image or linux-binary first */
    size_t count;
};

void apt_answer_done(struct apt_answer *answer);

/* package: a name, or several with '|' between them, of which the first that apt knows counts
 * ("linux-image-cloud-amd64|linux-image-virtual"). cache_dir keeps "apt-<package>.json" (-1: keep
 * nothing). ERROR_UNSUPPORTED without apt or without its lists ("run apt-get update"),
 * ERROR_NOT_FOUND for a package apt does not know, ERROR_INVALID for a name that is none,
 * ERROR_DIGEST when apt knows no SHA-256 of a file. On failure *answer is untouched. */
bool apt_resolve(const char *package, int cache_dir, const struct cancel *cancel,
    struct apt_answer *answer, struct error *err);
/* Only what is kept and still good, without starting a program: false when there is nothing. */
bool apt_peek(const char *package, int cache_dir, struct apt_answer *answer);
