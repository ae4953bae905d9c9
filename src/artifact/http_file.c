/* SPDX-License-Identifier: MIT */
#include "artifact/http_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

char *http_file_path(const char *url)
{
    if (strncasecmp(url, "file:", 5) != 0) {
        return NULL;
    }
    const char *path = url + 5;
    if (text_has_prefix(path, "//")) {
        path += 2;
        if (strncasecmp(path, "localhost/", 10) == 0) {
            path += 9;
        }
    }
    if (path[0] != '/') {
        return NULL;
    }
    auto_done(text) struct text decoded = {0};
    return text_append_unescaped(&decoded, path) ? text_take(&decoded) : NULL;
}

int http_file_open(const char *path, struct error *err)
{
    auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        error_set_errno(err, errno, "cannot open %s", path);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_FORMAT, "%s is not a regular file", path);
        return -1;
    }
    return take_fd(&fd);
}
