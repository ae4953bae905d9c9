/* SPDX-License-Identifier: MIT */
#pragma once

/* The program's own log: lines with time, level and text, foreign bytes made visible. Goes to
 * stderr at warning level until log_open names a file. Any thread; a line is one write(2). */

#include <stdbool.h>

struct error;

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Appends to dir/path (0600) from now on. Once, from main. */
bool log_open(int dir, const char *path, struct error *err);
void log_set_level(enum log_level level);
bool log_parse_level(const char *word, enum log_level *level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
