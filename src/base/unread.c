/* SPDX-License-Identifier: MIT */
#include "base/unread.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>

void unread_done(struct unread *unread)
{
    free(unread->reason);
    free(unread->hint);
    *unread = (struct unread){0};
}

char *unread_hint(int errnum, const char *path)
{
    const char *limit = error_limit_hint(errnum);
    if (limit != NULL) {
        return memory_strdup(limit);
    }
    switch (errnum) {
    case EACCES:
    case EPERM:
        return memory_printf("look at the permissions of %s", path);
    case EIO:
    case EUCLEAN:
    case EBADMSG:
        return memory_printf("look at the disk that %s is on (dmesg)", path);
    case ESTALE:
    case ETIMEDOUT:
    case EHOSTDOWN:
        return memory_printf("look at the file system that %s is on", path);
    default:
        return memory_printf("look at %s and try again", path);
    }
}

bool unread_note(struct unread *unread, const struct error *failure, const char *path)
{
    if (!error_is_blind(failure)) {
        return false;
    }
    if (unread->errnum == 0) {
        unread->errnum = failure->sys_errno;
        unread->reason = text_safe(failure->text, true);
        unread->hint = unread_hint(failure->sys_errno, path);
    }
    return true;
}

bool unread_note_errno(struct unread *unread, int errnum, const char *what, const char *path)
{
    struct error failure = {0};
    error_set_errno(&failure, errnum, "cannot examine %s", what);
    return unread_note(unread, &failure, path);
}

bool unread_error(
    const struct unread *unread, const char *subject, const char *name, struct error *err)
{
    return error_set_told(err, unread->errnum, "%s %s cannot be read (%s): %s", subject, name,
        unread->reason, unread->hint);
}

void unread_put(const struct unread *unread, struct json *json)
{
    json_put_string(json, "reason", unread->reason);
    json_put_string(json, "hint", unread->hint);
}
