/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* One row per code: its name, the exit status of FORMATS, and what helps. */
static const struct {
    const char *name;
    int exit_status;
    const char *hint;
} code_rows[] = {
    [ERROR_NONE] = {"NONE", 0, NULL},
    [ERROR_INVALID] = {"INVALID", 64, "see --help of the verb"},
    [ERROR_NOT_FOUND] = {"NOT_FOUND", 66, NULL},
    [ERROR_EXISTS] = {"EXISTS", 73, "--force replaces it"},
    [ERROR_BUSY] = {"BUSY", 75, "try again, or wait longer with --lock-timeout"},
    [ERROR_IN_USE] = {"IN_USE", 75, "remove what uses it first, or add --force"},
    [ERROR_CANCELLED] = {"CANCELLED", 130, "run it again: finished parts are kept"},
    [ERROR_TIMEOUT] = {"TIMEOUT", 124, "allow more with --timeout"},
    [ERROR_NETWORK] = {"NETWORK", 69, "try again: finished parts are kept"},
    [ERROR_AUTH] = {"AUTH", 77, "check the credentials for this server"},
    [ERROR_DIGEST] = {"DIGEST", 65, "these are not the bytes that were promised: fetch them again"},
    [ERROR_SIGNATURE] = {"SIGNATURE", 65, "check [trust] in config.ini"},
    [ERROR_FORMAT] = {"FORMAT", 65, NULL},
    [ERROR_LIMIT] = {"LIMIT", 65, "raise it under [limits] in config.ini if you trust the source"},
    [ERROR_NO_SPACE] = {"NO_SPACE", 74, "free some space and run it again"},
    [ERROR_PERMISSION] = {"PERMISSION", 77, NULL},
    [ERROR_UNSUPPORTED] = {"UNSUPPORTED", 69, "see: banger-tui --batch host doctor"},
    [ERROR_VMM] = {"VMM", 69, NULL},
    [ERROR_IO] = {"IO", 74, NULL},
    [ERROR_CONFIG] = {"CONFIG", 78, NULL},
    [ERROR_BUG] = {"BUG", 70, "please report this"},
};

static enum error_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
        return ERROR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return ERROR_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERROR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_PERMISSION;
    case ETIMEDOUT:
        return ERROR_TIMEOUT;
    case ENAMETOOLONG:
        return ERROR_INVALID;
    default:
        return ERROR_IO;
    }
}

/* False when an error is there already, which stays. */
__attribute__((format(printf, 4, 0))) static bool set(
    struct error *err, enum error_code code, int errnum, const char *format, va_list args)
{
    if (err->code != ERROR_NONE) {
        return false;
    }
    vsnprintf(err->text, sizeof err->text, format, args);
    err->code = code;
    err->sys_errno = errnum;
    return true;
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code, 0, format, args);
    va_end(args);
    return false;
}

bool error_set_errno(struct error *err, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool is_set = set(err, code_of_errno(errnum), errnum, format, args);
    va_end(args);
    if (is_set) {
        char reason[128];
        size_t len = strlen(err->text);
        snprintf(err->text + len, sizeof err->text - len, ": %s",
            strerror_r(errnum, reason, sizeof reason));
    }
    return false;
}

bool error_set_told(struct error *err, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, code_of_errno(errnum), errnum, format, args);
    va_end(args);
    return false;
}

bool error_is_blind(const struct error *err)
{
    switch (err->sys_errno) {
    case 0:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENXIO: /* a socket */
    case ENODEV:
    case ENAMETOOLONG:
    case EEXIST:
    case ESRCH:
        return false;
    default:
        return err->code != ERROR_NONE;
    }
}

bool error_wrap(struct error *err, const char *format, ...)
{
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int len = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof err->text) {
        /* Cutting the end of a very long chain is what the fixed size is for. */
        size_t room = sizeof err->text - (size_t)len;
        int more = snprintf(err->text + len, room, ": %s", old);
        (void)more;
    }
    return false;
}

void error_clear(struct error *err)
{
    err->code = ERROR_NONE;
    err->sys_errno = 0;
    err->text[0] = '\0';
}

const char *error_code_name(enum error_code code)
{
    return code_rows[code].name;
}

int error_exit_status(enum error_code code)
{
    return code_rows[code].exit_status;
}

const char *error_hint(const struct error *err)
{
    const char *hint = error_limit_hint(err->sys_errno);
    return hint != NULL ? hint : code_rows[err->code].hint;
}

const char *error_limit_hint(int errnum)
{
    switch (errnum) {
    case EMFILE:
        return "raise the limit of open files (ulimit -n) and try again";
    case ENFILE:
        return "this host is out of open files: end some programs, or raise fs.file-max";
    case ENOMEM:
    case ENOBUFS:
        return "this host is out of memory: end some programs and try again";
    default:
        return NULL;
    }
}
