/* SPDX-License-Identifier: MIT */
#include "store/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/config_keys.h"

/* The library cuts at 200 bytes, newline and NUL included, and goes on with the rest as if it were
 * a line of its own. */
#define LINE_MOST 198

/* The document while it is read, line by line. */
struct reading {
    struct config *config;
    const char *shown; /* "config.ini", or the path that was given */
    const char *at;    /* of the next line */
    const char *end;
    unsigned line; /* of the one handed out last, from 1 */
    struct error *err;
};

static void pairs_done(struct config_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->items[i].key);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

void config_done(struct config *config)
{
    free(config->path);
    free(config->default_image);
    free(config->default_kernel);
    free(config->default_vmm);
    free(config->default_accel);
    free(config->default_restart);
    free(config->firecracker);
    free(config->qemu);
    free(config->ssh);
    for (size_t i = 0; i < config->trust_count; i++) {
        free(config->trust[i].name);
    }
    free(config->trust);
    pairs_done(&config->catalogs);
    pairs_done(&config->signatures);
    pairs_done(&config->network);
    pairs_done(&config->mirrors);
    pairs_done(&config->ui);
    strings_done(&config->insecure);
    strings_done(&config->warnings);
    *config = (struct config){0};
}

const char *config_pairs_get(const struct config_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, key) == 0) {
            return pairs->items[i].value;
        }
    }
    return NULL;
}

/* ini_reader: one line of the document into buffer, as fgets(3) would. Blanks in front go, for the
 * library takes an indented line as more of the value above. */
static char *read_line(char *buffer, int size, void *stream)
{
    struct reading *reading = stream;
    if (reading->at == reading->end || reading->err->code != ERROR_NONE) {
        return NULL;
    }
    reading->line++;
    const char *newline = memchr(reading->at, '\n', (size_t)(reading->end - reading->at));
    const char *stop = newline != NULL ? newline : reading->end;
    size_t len = (size_t)(stop - reading->at);
    if (len > LINE_MOST || len + 2 > (size_t)size) {
        error_set(reading->err, ERROR_CONFIG,
            "%s:%u: the line has %zu bytes, more than %d: shorten it", reading->shown,
            reading->line, len, LINE_MOST);
        return NULL;
    }
    if (memchr(reading->at, '\0', len) != NULL) {
        error_set(reading->err, ERROR_CONFIG, "%s:%u: a NUL byte", reading->shown, reading->line);
        return NULL;
    }
    const char *first = reading->at;
    while (first < stop && (*first == ' ' || *first == '\t' || *first == '\r')) {
        first++;
    }
    memcpy(buffer, first, (size_t)(stop - first));
    buffer[stop - first] = '\n';
    buffer[stop - first + 1] = '\0';
    reading->at = newline != NULL ? newline + 1 : stop;
    return buffer;
}

/* ini_handler: 0 makes the library note the line as faulty; the sentence is ours. */
static int take_value(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct error failure = {0};
    enum config_verdict verdict = config_keys_take(reading->config, section, name, value, &failure);
    switch (verdict) {
    case CONFIG_TAKEN:
        return 1;
    case CONFIG_UNKNOWN:
        strings_printf(&reading->config->warnings, "%s:%u: unknown key '%s' in [%s]; it is ignored",
            reading->shown, reading->line, name, section);
        return 1;
    case CONFIG_REFUSED:
        error_set(
            reading->err, ERROR_CONFIG, "%s:%u: %s", reading->shown, reading->line, failure.text);
        return 0;
    }
    return 0;
}

static bool parse(struct reading *reading)
{
    int status = ini_parse_stream(read_line, reading, take_value, reading);
    if (status != 0) {
        /* A line the library could not read; one refused above has set the error already. */
        error_set(reading->err, ERROR_CONFIG,
            "%s:%d: neither a [section], nor key = value, nor a # comment", reading->shown, status);
    }
    return reading->err->code == ERROR_NONE;
}

bool config_load(const char *path, struct config *config, struct error *err)
{
    config->limits = limits_default;
    if (path == NULL) {
        return true;
    }
    auto_done(text) struct text bytes = {0};
    struct error failure = {0};
    /* A link is as good as a file here: people keep their configuration elsewhere. */
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return true;
    }
    if (fd < 0) {
        int saved = errno;
        error_set_errno(&failure, saved, "cannot open %s", path);
    } else {
        file_read_fd(fd, path, limits_default.json_bytes, &bytes, &failure);
    }
    if (failure.code != ERROR_NONE) {
        return error_set(err, ERROR_CONFIG, "%s", failure.text);
    }
    config->path = memory_strdup(path);
    struct reading reading = {.config = config,
        .shown = path,
        .at = text_cstr(&bytes),
        .end = text_cstr(&bytes) + bytes.len,
        .err = err};
    if (!parse(&reading)) {
        config_done(config);
        return false;
    }
    return true;
}
