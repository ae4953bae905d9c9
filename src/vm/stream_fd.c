/* SPDX-License-Identifier: MIT */
#include "vm/stream_fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "vm/local_socket.h"

#define FILE_WRITE_MAX (256u << 10)

/* What may be written when poll(2) says POLLOUT, without blocking for long. */
static size_t write_size(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? FILE_WRITE_MAX : PIPE_BUF;
}

ssize_t stream_write_some(int fd, const void *bytes, size_t len)
{
    size_t most = write_size(fd);
    ssize_t written = write(fd, bytes, len < most ? len : most);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    return written;
}

bool stream_write_all(int fd, const void *bytes, size_t len, const struct cancel *cancel,
    bool *is_closed, struct error *err)
{
    const char *at = bytes;
    while (len > 0) {
        if (!local_socket_wait(fd, POLLOUT, 0, cancel, err)) {
            return false;
        }
        ssize_t written = stream_write_some(fd, at, len);
        if (written < 0 && errno == EPIPE) {
            *is_closed = true;
            return true;
        }
        if (written < 0) {
            return error_set_errno(err, errno, "cannot write the output");
        }
        at += written;
        len -= (size_t)written;
    }
    return true;
}
