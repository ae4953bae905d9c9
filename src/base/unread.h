/* SPDX-License-Identifier: MIT */
#pragma once

/* Why something that is there could not be looked at: the host kept us from it (too many open files, no
 * permission, a disk that fails). It is not damaged by that: nothing may be removed, replaced or put
 * right for it, and what to do next is about the host. One owner; zero-initialise. */

#include <stdbool.h>

struct error;
struct json;

struct unread {
    int errnum; /* 0: nothing was kept from us */
    char *reason;
    char *hint; /* the next step */
};

void unread_done(struct unread *unread);
/* Keeps a failure that is blind (error_is_blind), the first one; others leave it alone and are false.
 * path: what a person should look at; borrowed. */
bool unread_note(struct unread *unread, const struct error *failure, const char *path);
/* The same from errno, with "cannot examine WHAT" as the reason. */
bool unread_note_errno(struct unread *unread, int errnum, const char *what, const char *path);
/* Sets "SUBJECT NAME cannot be read (reason): next step". Always false. */
bool unread_error(
    const struct unread *unread, const char *subject, const char *name, struct error *err);
/* What helps against it, in a few words. Caller frees. */
char *unread_hint(int errnum, const char *path) __attribute__((returns_nonnull));
/* Puts "reason" and "hint", as every list says them; nothing when nothing was kept from us. */
void unread_put(const struct unread *unread, struct json *json);
