/* SPDX-License-Identifier: MIT */
#include "batch/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/engine.h"

/* Where the value of each common argument goes. The table in engine/command.c says what they are
 * called and what they take; this one says what they mean here. A test holds the two together. */
enum option_id {
    OPTION_STATE_DIR,
    OPTION_CONFIG,
    OPTION_FORMAT,
    OPTION_QUIET,
    OPTION_PROGRESS,
    OPTION_PROGRESS_FD,
    OPTION_TIMEOUT,
    OPTION_LOCK_TIMEOUT,
    OPTION_DRY_RUN,
    OPTION_KEEP_GOING,
    OPTION_READONLY,
    OPTION_ACCEL,
    OPTION_NO_COLOR,
    OPTION_ASCII,
    OPTION_CACERT,
    OPTION_COUNT,
};

static const struct {
    const char *name;
    bool is_per_line;
} rows[OPTION_COUNT] = {
    [OPTION_STATE_DIR] = {"state-dir", false},
    [OPTION_CONFIG] = {"config", false},
    [OPTION_FORMAT] = {"format", true},
    [OPTION_QUIET] = {"quiet", true},
    [OPTION_PROGRESS] = {"progress", true},
    [OPTION_PROGRESS_FD] = {"progress-fd", true},
    [OPTION_TIMEOUT] = {"timeout", true},
    [OPTION_LOCK_TIMEOUT] = {"lock-timeout", false},
    [OPTION_DRY_RUN] = {"dry-run", true},
    [OPTION_KEEP_GOING] = {"keep-going", false},
    [OPTION_READONLY] = {"readonly", false},
    [OPTION_ACCEL] = {"accel", false},
    [OPTION_NO_COLOR] = {"no-color", true},
    [OPTION_ASCII] = {"ascii", true},
    [OPTION_CACERT] = {"cacert", false},
};

static enum option_id option_id_of(const struct argument *argument)
{
    size_t id = 0;
    while (id < OPTION_COUNT && strcmp(rows[id].name, argument->name) != 0) {
        ++id;
    }
    return (enum option_id)id;
}

static const struct options defaults = {.progress_fd = STDERR_FILENO};

void options_init(struct options *options)
{
    *options = defaults;
}

void options_copy(struct options *to, const struct options *from)
{
    *to = *from;
    to->state_dir = memory_strdup(from->state_dir);
    to->config_file = memory_strdup(from->config_file);
    to->accel = memory_strdup(from->accel);
    to->ca_file = memory_strdup(from->ca_file);
}

void options_done(struct options *options)
{
    free(options->state_dir);
    free(options->config_file);
    free(options->accel);
    free(options->ca_file);
    *options = defaults;
}

const struct argument *options_find(const char *name, char letter)
{
    for (size_t i = 0; i < common_argument_count; ++i) {
        const struct argument *argument = &common_arguments[i];
        if (name != NULL ? strcmp(argument->name, name) == 0
                         : letter != 0 && argument->letter == letter) {
            return argument;
        }
    }
    return NULL;
}

bool options_is_per_line(const struct argument *argument)
{
    enum option_id id = option_id_of(argument);
    return id < OPTION_COUNT && rows[id].is_per_line;
}

/* The place of word among "a|b|c", or -1. */
static int choice_index(const char *choices, const char *word)
{
    size_t len = strlen(word);
    int index = 0;
    for (const char *at = choices; at != NULL; ++index) {
        const char *end = strchr(at, '|');
        size_t width = end != NULL ? (size_t)(end - at) : strlen(at);
        if (width == len && memcmp(at, word, len) == 0) {
            return index;
        }
        at = end != NULL ? end + 1 : NULL;
    }
    return -1;
}

static bool read_choice(const struct argument *argument, const char *choices, const char *value,
    int *index, struct error *err)
{
    *index = choice_index(choices, value);
    return *index >= 0 || error_set(err, ERROR_INVALID, "--%s takes one of %s, not \"%s\"",
                              argument->name, choices, value);
}

/* A path that stays right when somebody changes the working directory. */
static bool read_path(
    const struct argument *argument, const char *value, char **path, struct error *err)
{
    if (value[0] == '\0') {
        return error_set(err, ERROR_INVALID, "--%s is empty", argument->name);
    }
    auto_free char *here = value[0] == '/' ? NULL : getcwd(NULL, 0);
    if (value[0] != '/' && here == NULL) {
        return error_set(err, ERROR_INVALID,
            "--%s %s is relative and the working directory is gone: give a whole path",
            argument->name, value);
    }
    free(*path);
    *path = here != NULL ? memory_printf("%s/%s", here, value) : memory_strdup(value);
    return true;
}

static bool read_number(const struct argument *argument, uint64_t max, const char *value,
    int *number, struct error *err)
{
    uint64_t wide = 0;
    auto_free char *what = memory_printf("--%s", argument->name);
    if (!units_parse_number(value, what, max, &wide, err)) {
        return false;
    }
    *number = (int)wide;
    return true;
}

static bool read_duration(
    const struct argument *argument, const char *value, uint64_t *duration_ms, struct error *err)
{
    auto_free char *what = memory_printf("--%s", argument->name);
    return units_parse_duration(value, what, duration_ms, err);
}

/* Options that shape what is printed and for how long one command may take. */
static bool set_per_line(struct options *options, enum option_id id,
    const struct argument *argument, const char *value, struct error *err)
{
    int index = 0;
    switch (id) {
    case OPTION_FORMAT:
        if (!read_choice(argument, "table|json|jsonl", value, &index, err)) {
            return false;
        }
        options->format = (enum output_format)index;
        return true;
    case OPTION_PROGRESS:
        if (!read_choice(argument, "auto|none|plain|jsonl", value, &index, err)) {
            return false;
        }
        options->progress = (enum progress_mode)index;
        return true;
    case OPTION_PROGRESS_FD:
        return read_number(argument, argument->max, value, &options->progress_fd, err);
    case OPTION_TIMEOUT:
        return read_duration(argument, value, &options->timeout_ms, err);
    case OPTION_QUIET:
        options->is_quiet = true;
        return true;
    case OPTION_DRY_RUN:
        options->is_dry_run = true;
        return true;
    case OPTION_NO_COLOR:
        options->is_monochrome = true;
        return true;
    case OPTION_ASCII:
        options->is_ascii = true;
        return true;
    case OPTION_STATE_DIR:
    case OPTION_CONFIG:
    case OPTION_LOCK_TIMEOUT:
    case OPTION_KEEP_GOING:
    case OPTION_READONLY:
    case OPTION_ACCEL:
    case OPTION_CACERT:
    case OPTION_COUNT:
        break;
    }
    return error_set(err, ERROR_BUG, "no meaning for --%s", argument->name);
}

bool options_set(
    struct options *options, const struct argument *argument, const char *value, struct error *err)
{
    enum option_id id = option_id_of(argument);
    int index = 0;
    switch (id) {
    case OPTION_STATE_DIR:
        return read_path(argument, value, &options->state_dir, err);
    case OPTION_CONFIG:
        return read_path(argument, value, &options->config_file, err);
    case OPTION_CACERT:
        return read_path(argument, value, &options->ca_file, err);
    case OPTION_LOCK_TIMEOUT:
        return read_duration(argument, value, &options->lock_timeout_ms, err);
    case OPTION_ACCEL:
        if (!read_choice(argument, "auto|kvm|tcg", value, &index, err)) {
            return false;
        }
        free(options->accel);
        options->accel = memory_strdup(value);
        return true;
    case OPTION_KEEP_GOING:
        options->is_keep_going = true;
        return true;
    case OPTION_READONLY:
        options->is_readonly = true;
        return true;
    case OPTION_FORMAT:
    case OPTION_QUIET:
    case OPTION_PROGRESS:
    case OPTION_PROGRESS_FD:
    case OPTION_TIMEOUT:
    case OPTION_DRY_RUN:
    case OPTION_NO_COLOR:
    case OPTION_ASCII:
    case OPTION_COUNT:
        break;
    }
    return set_per_line(options, id, argument, value, err);
}

size_t options_read(
    struct options *options, char *const *words, size_t count, size_t at, struct error *err)
{
    const char *word = words[at];
    if (word[0] != '-' || word[1] == '\0') {
        return 0;
    }
    bool is_long = word[1] == '-';
    size_t name_len = is_long ? strcspn(word + 2, "=") : 1;
    auto_free char *name = is_long ? memory_strndup(word + 2, name_len) : NULL;
    const struct argument *argument = options_find(name, word[1]);
    if (argument == NULL || (!is_long && word[2] != '\0')) {
        return 0;
    }
    const char *value = is_long && word[2 + name_len] == '=' ? word + 3 + name_len : NULL;
    bool is_flag = argument->kind == ARGUMENT_FLAG;
    if (is_flag && value != NULL) {
        error_set(err, ERROR_INVALID, "--%s takes no value", argument->name);
        return 0;
    }
    bool is_apart = !is_flag && value == NULL;
    if (is_apart && at + 1 == count) {
        error_set(err, ERROR_INVALID, "--%s needs a value: --%s %s", argument->name, argument->name,
            argument->value_name);
        return 0;
    }
    if (!options_set(options, argument, is_apart ? words[at + 1] : value, err)) {
        return 0;
    }
    return is_apart ? 2 : 1;
}

void options_apply(const struct options *options, struct engine_config *config)
{
    if (options->state_dir != NULL) {
        config->state_dir = options->state_dir;
        config->cache_dir = NULL;
    }
    if (options->config_file != NULL) {
        config->config_file = options->config_file;
    }
    if (options->accel != NULL) {
        config->accel = options->accel;
    }
    if (options->ca_file != NULL) {
        config->ca_file = options->ca_file;
    }
    if (options->lock_timeout_ms != 0) {
        config->lock_timeout_ms = options->lock_timeout_ms;
    }
    config->is_readonly = config->is_readonly || options->is_readonly;
}
