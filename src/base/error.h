/* SPDX-License-Identifier: MIT */
#pragma once

/* The error value: a code a caller can act on, and one finished sentence for a person.
 *
 * It is the last parameter of every function that can fail and is never NULL. A function that
 * fails sets it exactly once and returns false / NULL / -1; one that succeeds leaves it alone. Who
 * knows more on the way up puts it in front with error_wrap. Lower layers never print. The sentence
 * names the thing, the fact and, where there is one, the next step. Any thread; owns no memory. */

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_INVALID,     /* a word on the command line: name, size, option */
    ERROR_NOT_FOUND,   /* local name, catalog name, file, HTTP 404/410 */
    ERROR_EXISTS,      /* the name is taken */
    ERROR_BUSY,        /* somebody else holds it now */
    ERROR_IN_USE,      /* something depends on it */
    ERROR_CANCELLED,   /* asked to stop; resumable parts are kept */
    ERROR_TIMEOUT,     /* our own deadline passed */
    ERROR_NETWORK,     /* connect, TLS, HTTP 5xx */
    ERROR_AUTH,        /* credentials missing or refused */
    ERROR_DIGEST,      /* content is not what was promised */
    ERROR_SIGNATURE,   /* signed by nobody we trust */
    ERROR_FORMAT,      /* content we cannot or will not read */
    ERROR_LIMIT,       /* content beyond a named limit */
    ERROR_NO_SPACE,    /* disk or quota full */
    ERROR_PERMISSION,  /* the system said no */
    ERROR_UNSUPPORTED, /* not possible on this host or with this VMM */
    ERROR_VMM,         /* the VMM or the guest failed */
    ERROR_IO,          /* the disk failed */
    ERROR_CONFIG,      /* configuration file, environment or catalog source */
    ERROR_BUG,         /* cannot happen */
};

struct error {
    enum error_code code;
    int sys_errno;  /* 0 when no system call was the cause */
    char text[768]; /* one finished sentence without a final newline; may hold foreign bytes */
};

/* Sets the error; the first one wins. Always returns false, so that `return error_set(...)` works
 * in functions that return bool. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Like error_set with the code that errnum stands for (ENOENT is NOT_FOUND, ENOSPC and EDQUOT are
 * NO_SPACE, EACCES and EPERM are PERMISSION, EEXIST is EXISTS, the rest IO) and ": strerror" behind
 * the sentence. */
bool error_set_errno(struct error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same code and errno without strerror: the sentence says why itself. */
bool error_set_told(struct error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The host kept us from looking (too many open files, no permission, a disk that fails): that says
 * nothing about the thing, which may be well. False for errors that do: not there, no directory, a
 * link, and all content. */
bool error_is_blind(const struct error *err);
/* Puts "context: " in front of the sentence; keeps the code. Always returns false. */
bool error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Forgets what was set, for callers that tried one thing and go on with another. */
void error_clear(struct error *err);

/* "NOT_FOUND" and so on, as printed in JSON. */
const char *error_code_name(enum error_code code);
/* The exit status of FORMATS: 64..78, 124, 130. */
int error_exit_status(enum error_code code);
/* What to do next, in a few words, or NULL where only the sentence itself can tell. */
const char *error_hint(const struct error *err);
/* The same for a limit of the host alone; NULL for any other errno. */
const char *error_limit_hint(int errnum);
