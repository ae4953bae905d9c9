/* SPDX-License-Identifier: MIT */
#pragma once

/* The part file of one transfer: locked, hashed as it grows, and what is needed to go on with it
 * later. http.h tells what others may rely on. Used by http_download.c only; one worker at a time.
 *
 * What was there before is believed only after it went through the hash again. "<name>.json" holds
 * {"format": 1, "etag", "url"} and is written before the first byte that belongs to it; without it,
 * or when anything in it is odd, the transfer begins anew. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct digest;
struct error;
struct hash;
struct progress;

struct part {
    int dir;           /* borrowed */
    const char *name;  /* borrowed */
    int fd;            /* reading; holds the lock */
    int write_fd;      /* -1 when the content was found complete */
    struct hash *hash; /* of the first len bytes */
    uint64_t len;
    uint64_t started; /* so much the disk was told to begin with */
    bool is_kept;     /* it is told at all: set by the owner */
    char *etag;       /* strong; NULL: cannot be resumed */
    bool was_waited_for;
    bool is_detached; /* the name is gone: another process published the file */
};

/* Creates or opens the part and locks it; while another holds it, waits, reporting its size as
 * progress towards total (0: not known). Then looks at what is there: *is_complete when that is the
 * expected content. Else part->len bytes can be gone on from (0: from the start). */
bool part_open(struct part *part, int dir, const char *name, const struct digest *expected,
    uint64_t expected_size, const struct progress *progress, const struct cancel *cancel,
    bool *is_complete, struct error *err);
/* Empties it; content with this tag follows (NULL or weak: it cannot be resumed). url is recorded
 * for people. */
bool part_begin(struct part *part, const char *etag, const char *url, struct error *err);
/* Sets blocks aside so that size bytes in all will fit; ERROR_NO_SPACE when they do not. */
bool part_reserve(struct part *part, uint64_t size, struct error *err);
bool part_append(struct part *part, const void *bytes, size_t len, struct error *err);
/* The content is proved: hands out the descriptor, at offset 0, and drops what resuming needs. */
int part_take_fd(struct part *part);
/* Closes it. A part that nobody can go on with is removed. */
void part_done(struct part *part);
