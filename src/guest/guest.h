/* SPDX-License-Identifier: MIT */
#pragma once

/* Small things every part of the guest program uses. One static binary plays three parts: /init of
 * the initrd (boot.c), PID 1 of an image that has no init of its own (pid1.c), and the agent
 * (agent.c). Each is one process with one thread; allocation failure ends it. Nothing here needs
 * /etc, a name service or a locale. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "banger-guest: sentence" on the console, where the host quotes it from. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same and the end. For PID 1 that is a kernel panic, which the host sees as one. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

void *grow(void *old, size_t size_bytes) __attribute__((returns_nonnull));
char *copy_text(const char *text) __attribute__((returns_nonnull));
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* A list of texts it owns; items[count] is NULL once there is one. */
struct list {
    char **items;
    size_t count;
};
void list_add(struct list *list, const char *text);
/* Takes over a text from malloc. */
void list_take(struct list *list, char *text);
void list_done(struct list *list);

/* Milliseconds since the kernel started, or on a clock that never jumps. */
uint64_t uptime_ms(void);

/* The whole file with a NUL behind it, at most max bytes of it; NULL with errno when it cannot be
 * read. Caller frees. len may be NULL. */
char *read_file(const char *path, size_t max, size_t *len);
/* From where the descriptor stands. */
char *read_fd(int fd, size_t max, size_t *len);
bool write_file(const char *path, const char *text);
/* All of it; false with errno. */
bool write_all(int fd, const void *bytes, size_t len);
/* Cuts the white space at the end. Returns text. */
char *trim(char *text);
/* A whole number in decimal and nothing else. */
bool parse_number(const char *text, uint64_t max, uint64_t *number);
