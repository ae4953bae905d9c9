/* SPDX-License-Identifier: MIT */
#include "guest/guest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void say_list(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* One write, so that lines of several processes do not mix. */
static void say_list(const char *format, va_list args)
{
    static const char prefix[] = "banger-guest: ";
    int saved = errno; /* for %m */
    char line[512] = "";
    memcpy(line, prefix, sizeof prefix - 1);
    size_t at = sizeof prefix - 1, room = sizeof line - at - 1;
    errno = saved;
    int len = vsnprintf(line + at, room, format, args);
    at += len < 0 ? 0 : (size_t)len < room ? (size_t)len : room - 1;
    line[at++] = '\n';
    write_all(STDERR_FILENO, line, at);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(format, args);
    va_end(args);
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(format, args);
    va_end(args);
    _exit(1);
}

void *grow(void *old, size_t size_bytes)
{
    void *bytes = realloc(old, size_bytes > 0 ? size_bytes : 1);
    if (bytes == NULL) {
        die("out of memory");
    }
    return bytes;
}

char *copy_text(const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(grow(NULL, len), text, len);
}

char *format_text(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0 || text == NULL) {
        die("out of memory");
    }
    return text;
}

void list_take(struct list *list, char *text)
{
    list->items = grow(list->items, (list->count + 2) * sizeof *list->items);
    list->items[list->count++] = text;
    list->items[list->count] = NULL;
}

void list_add(struct list *list, const char *text)
{
    list_take(list, copy_text(text));
}

void list_done(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct list){0};
}

uint64_t uptime_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

char *read_fd(int fd, size_t max, size_t *len)
{
    char *bytes = NULL;
    size_t used = 0;
    ssize_t got = 1;
    while (got > 0 && used < max) {
        size_t step = max - used < 65536 ? max - used : 65536;
        bytes = grow(bytes, used + step + 1);
        got = read(fd, bytes + used, step);
        used += got > 0 ? (size_t)got : 0;
        got = got < 0 && errno == EINTR ? 1 : got;
    }
    if (got < 0) {
        int saved = errno;
        free(bytes);
        errno = saved;
        return NULL;
    }
    bytes = grow(bytes, used + 1);
    bytes[used] = '\0';
    if (len != NULL) {
        *len = used;
    }
    return bytes;
}

char *read_file(const char *path, size_t max, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return NULL;
    }
    char *bytes = read_fd(fd, max, len);
    int saved = errno;
    close(fd);
    errno = saved;
    return bytes;
}

bool write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t done = write(fd, at, len);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        at += done;
        len -= (size_t)done;
    }
    return true;
}

bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    bool is_good = write_all(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return is_good;
}

char *trim(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        text[--len] = '\0';
    }
    return text;
}

bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > (max - (uint64_t)(*text - '0')) / 10) {
            return false;
        }
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *number = value;
    return true;
}
