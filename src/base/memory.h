/* SPDX-License-Identifier: MIT */
#pragma once

/* Allocation and automatic clean-up.
 *
 * Allocation failure ends the process with status 70 (VMs are separate processes; the store is
 * always publishable or swept), so nothing here returns NULL. Any thread.
 *
 * Clean-up is by attribute: `auto_free char *x`, `auto_close int fd = -1`,
 * `auto_done(text) struct text t = {0}` calls text_done(&t) when t leaves its scope. What is handed
 * on is taken out first with take_ptr / take_fd. */

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

void *memory_alloc(size_t size_bytes) __attribute__((malloc, returns_nonnull));
void *memory_zero(size_t count, size_t size_bytes) __attribute__((malloc, returns_nonnull));
void *memory_grow(void *old, size_t count, size_t size_bytes) __attribute__((returns_nonnull));
void *memory_dup(const void *bytes, size_t size_bytes) __attribute__((malloc, returns_nonnull));
/* text may be NULL: the result is then NULL too. */
char *memory_strdup(const char *text) __attribute__((malloc));
char *memory_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
char *memory_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));

/* Frees a string with a secret in it, of which nothing is left in memory. NULL is accepted. */
void memory_wipe(char *secret);

/* Nothing but zeros; true of no bytes at all. */
bool memory_is_zero(const void *bytes, size_t len);

void memory_auto_free(void *pointer_to_pointer);
void memory_auto_close(int *fd);

#define auto_free __attribute__((cleanup(memory_auto_free)))
#define auto_close __attribute__((cleanup(memory_auto_close)))
#define auto_done(type) __attribute__((cleanup(type##_done)))

/* Hands over the value and leaves NULL / -1 behind, so that clean-up does not touch it. */
#define take_ptr(variable)                                                                         \
    ({                                                                                             \
        __typeof__(variable) *taken_from = &(variable);                                            \
        __typeof__(variable) taken = *taken_from;                                                  \
        *taken_from = NULL;                                                                        \
        taken;                                                                                     \
    })

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#define array_length(array) (sizeof(array) / sizeof((array)[0]))
