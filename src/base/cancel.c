/* SPDX-License-Identifier: MIT */
#include "base/cancel.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cancel {
    atomic_bool is_requested;
    int fd; /* an eventfd that is never read: readable from the first request on */
};

struct cancel *cancel_new(void)
{
    struct cancel *cancel = memory_zero(1, sizeof *cancel);
    cancel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return cancel;
}

void cancel_free(struct cancel *cancel)
{
    if (cancel != NULL) {
        if (cancel->fd >= 0) {
            close(cancel->fd);
        }
        free(cancel);
    }
}

void cancel_request(struct cancel *cancel)
{
    atomic_store(&cancel->is_requested, true);
    uint64_t one = 1;
    ssize_t ignored = write(cancel->fd, &one, sizeof one);
    (void)ignored;
}

bool cancel_is_requested(const struct cancel *cancel)
{
    return cancel != NULL && atomic_load(&cancel->is_requested);
}

int cancel_fd(const struct cancel *cancel)
{
    return cancel != NULL ? cancel->fd : -1;
}

bool cancel_check(const struct cancel *cancel, struct error *err)
{
    if (!cancel_is_requested(cancel)) {
        return false;
    }
    error_set(err, ERROR_CANCELLED, "cancelled");
    return true;
}
