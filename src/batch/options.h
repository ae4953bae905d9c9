/* SPDX-License-Identifier: MIT */
#pragma once

/* The options that every verb takes (common_arguments of the command table), as values. A script's
 * lines start from the options of the command line and may change those that are about output; the
 * ones that shape the engine (state directory, configuration, ...) hold for the whole process.
 * Main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct argument;
struct engine_config;
struct error;

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_JSONL };
enum progress_mode {
    PROGRESS_MODE_AUTO,
    PROGRESS_MODE_NONE,
    PROGRESS_MODE_PLAIN,
    PROGRESS_MODE_JSONL
};

struct options {
    enum output_format format;
    enum progress_mode progress;
    int progress_fd;
    bool is_quiet;
    bool is_dry_run;
    bool is_keep_going;
    bool is_monochrome;
    bool is_ascii;
    uint64_t timeout_ms; /* 0: the verb's own */
    /* For the engine. */
    bool is_readonly;
    uint64_t lock_timeout_ms; /* 0: the engine's own */
    char *state_dir;          /* absolute; NULL: not given */
    char *config_file;
    char *accel;
    char *ca_file;
};

void options_init(struct options *options);
/* `to` is initialised by this; the strings are copied. */
void options_copy(struct options *to, const struct options *from);
void options_done(struct options *options);

/* One of common_arguments, or NULL. By name, or by letter when name is NULL. */
const struct argument *options_find(const char *name, char letter);
/* value NULL for a flag. ERROR_INVALID. */
bool options_set(
    struct options *options, const struct argument *argument, const char *value, struct error *err);
/* Reads the common option that begins at words[at] and returns how many words it takes up; 0 when
 * it is none, or with err set. */
size_t options_read(
    struct options *options, char *const *words, size_t count, size_t at, struct error *err);
/* False for an option that shapes the engine and so cannot stand on a script's line. */
bool options_is_per_line(const struct argument *argument);
/* Puts what was given over what the environment said. The strings stay owned by options. */
void options_apply(const struct options *options, struct engine_config *config);
