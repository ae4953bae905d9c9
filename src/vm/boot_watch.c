/* SPDX-License-Identifier: MIT */
#include "vm/boot_watch.h"

#include <stdio.h>
#include <string.h>

#define PANIC_WORDS "Kernel panic - not syncing"

/* Behind "[    1.234567] ", where the line has one. */
static const char *skip_stamp(const char *line)
{
    if (line[0] != '[') {
        return line;
    }
    const char *end = strchr(line, ']');
    if (end == NULL || strspn(line + 1, " .0123456789") != (size_t)(end - line - 1)) {
        return line;
    }
    return end[1] == ' ' ? end + 2 : end + 1;
}

static void finish_line(struct boot_watch *watch)
{
    watch->line[watch->line_len] = '\0';
    watch->line_len = 0;
    const char *said = skip_stamp(watch->line);
    if (said[0] == '\0') {
        return;
    }
    memmove(watch->last, said, strlen(said) + 1);
    const char *panic = strstr(said, PANIC_WORDS);
    if (panic != NULL && watch->panic[0] == '\0') {
        panic += strlen(PANIC_WORDS);
        panic += strspn(panic, ": ");
        memmove(watch->panic, panic, strlen(panic) + 1);
        if (watch->panic[0] == '\0') {
            snprintf(watch->panic, sizeof(watch->panic), "without a reason");
        }
    }
    const char *mark = strstr(said, BOOT_WATCH_MARK);
    if (mark != NULL) {
        mark += strlen(BOOT_WATCH_MARK);
        mark += strspn(mark, ": ");
        memmove(watch->guest, mark, strlen(mark) + 1);
        watch->has_init = true;
        watch->init_lines++;
    }
}

void boot_watch_feed(struct boot_watch *watch, const char *bytes, size_t len)
{
    watch->has_kernel = watch->has_kernel || len > 0;
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (c == '\n' || c == '\r') {
            finish_line(watch);
        } else if (c != '\0' && watch->line_len + 1 < sizeof(watch->line)) {
            watch->line[watch->line_len++] = c;
        }
    }
}

bool boot_watch_has_halted(const struct boot_watch *watch)
{
    return watch->line_len == 0 && (strcmp(watch->last, "reboot: System halted") == 0 ||
                                       strcmp(watch->last, "reboot: Power down") == 0);
}
