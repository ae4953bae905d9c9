/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Status 70 of FORMATS. No allocation and no stdio on this path. */
static _Noreturn void out_of_memory(void)
{
    static const char sentence[] = "banger-tui: out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, sentence, sizeof sentence - 1);
    (void)ignored;
    _exit(70);
}

void *memory_alloc(size_t size_bytes)
{
    void *memory = malloc(size_bytes > 0 ? size_bytes : 1);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *memory_zero(size_t count, size_t size_bytes)
{
    void *memory = calloc(count > 0 ? count : 1, size_bytes > 0 ? size_bytes : 1);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *memory_grow(void *old, size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        out_of_memory();
    }
    void *memory = realloc(old, total > 0 ? total : 1);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *memory_dup(const void *bytes, size_t size_bytes)
{
    void *copy = memory_alloc(size_bytes);
    if (size_bytes > 0) {
        memcpy(copy, bytes, size_bytes);
    }
    return copy;
}

char *memory_strdup(const char *text)
{
    return text != NULL ? memory_dup(text, strlen(text) + 1) : NULL;
}

char *memory_strndup(const char *text, size_t len)
{
    char *copy = memory_alloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *memory_printf(const char *format, ...)
{
    char *result = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&result, format, args);
    va_end(args);
    if (len < 0 || result == NULL) {
        out_of_memory();
    }
    return result;
}

bool memory_is_zero(const void *bytes, size_t len)
{
    const char *at = bytes;
    return len == 0 || (at[0] == '\0' && memcmp(at, at + 1, len - 1) == 0);
}

void memory_auto_free(void *pointer_to_pointer)
{
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof memory);
    free(memory);
}

void memory_wipe(char *secret)
{
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void memory_auto_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}
