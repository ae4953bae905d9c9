/* SPDX-License-Identifier: MIT */
/* A tool of the build: checks the built-in catalog with the program's own parser and prints it as
 * the elements of a C array. `embed_catalog data/catalog.json > embedded_catalog.inc`. A document
 * that cannot be read, or that holds an entry nobody could use, fails the build. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/catalog.h"
#include "store/catalog_document.h"

static bool check(const char *path, const struct text *bytes, struct error *err)
{
    auto_done(catalog_document) struct catalog_document document = {0};
    if (!catalog_document_parse(
            text_cstr(bytes), bytes->len, "", path, &limits_default, &document, err)) {
        return false;
    }
    for (size_t i = 0; i < document.count; i++) {
        const struct catalog_entry *entry = &document.entries[i];
        if (!entry->is_usable) {
            return error_set(
                err, ERROR_FORMAT, "%s: %s: %s", path, entry->name, entry->why_unusable);
        }
        for (size_t j = 0; j < i; j++) {
            const struct catalog_entry *other = &document.entries[j];
            if (other->kind == entry->kind && strcmp(other->name, entry->name) == 0) {
                return error_set(err, ERROR_FORMAT, "%s: %s is there twice", path, entry->name);
            }
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    auto_done(text) struct text bytes = {0};
    if (argc != 2) {
        fputs("usage: embed_catalog FILE\n", stderr);
        return 64;
    }
    auto_close int fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        perror(argv[1]);
        return 66;
    }
    if (!file_read_fd(fd, argv[1], limits_default.json_bytes, &bytes, &err) ||
        !check(argv[1], &bytes, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return error_exit_status(err.code);
    }
    for (size_t i = 0; i < bytes.len; i++) {
        printf("%d,%s", (signed char)bytes.data[i], i % 16 == 15 ? "\n" : "");
    }
    return fflush(stdout) == 0 ? 0 : 74;
}
