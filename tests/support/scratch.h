/* SPDX-License-Identifier: MIT */
#pragma once

/* A directory of a test's own, with helpers to fill it and look at it. Everything asserts: a test
 * that cannot make its world has failed. Header only; include cmocka's headers first. */

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define assert_fine(err) assert_string_equal((err).text, "")
#define assert_code(err, wanted)                                                                   \
    assert_string_equal(error_code_name((err).code), error_code_name(wanted))

/* Caller hands it to scratch_remove. */
static inline char *scratch_make(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = memory_printf("%s/banger-test-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void scratch_remove(char *path)
{
    struct error err = {0};
    file_remove_tree(AT_FDCWD, path, &err);
    assert_fine(err);
    free(path);
}

/* Writes a file below dir, making its directories. */
static inline void scratch_write(const char *dir, const char *name, const char *content)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_true(file_make_dirs(AT_FDCWD, path, &err));
    *slash = '/';
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

/* The content of a file below dir, or NULL when there is none; caller frees. */
static inline char *scratch_read(const char *dir, const char *name)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/%s", dir, name);
    auto_done(text) struct text content = {0};
    if (!file_read_all(AT_FDCWD, path, 1 << 20, &content, &err)) {
        return NULL;
    }
    return text_take(&content);
}

static inline bool scratch_has(const char *dir, const char *name)
{
    auto_free char *path = memory_printf("%s/%s", dir, name);
    return file_exists(AT_FDCWD, path);
}

/* Names in a directory below dir, joined by blanks; caller frees. */
static inline char *scratch_list(const char *dir, const char *name)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/%s", dir, name);
    auto_done(strings) struct strings names = {0};
    assert_true(file_list(AT_FDCWD, path, &names, &err));
    return strings_join(&names, " ");
}

static inline unsigned scratch_mode(const char *dir, const char *name)
{
    auto_free char *path = memory_printf("%s/%s", dir, name);
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info.st_mode & 07777;
}

/* No file can be opened any more, as by a program that has too many; what is open stays so. The limit
 * to give back. */
static inline struct rlimit scratch_take_descriptors(void)
{
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return old;
}

static inline void scratch_give_descriptors(const struct rlimit *old)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, old), 0);
}
