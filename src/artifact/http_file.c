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

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes in place; false for a broken escape or a NUL. */
static bool decode_percent(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex_value(at[1]);
        int low = high < 0 ? -1 : hex_value(at[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        *to++ = (char)(high << 4 | low);
        at += 2;
    }
    *to = '\0';
    return true;
}

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
    auto_free char *decoded = memory_strdup(path);
    return decode_percent(decoded) ? take_ptr(decoded) : NULL;
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
