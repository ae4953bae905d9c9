/* SPDX-License-Identifier: MIT */
/* Runs every target over its kept corpus: `replay CORPORA [TARGET...]`. Needs no fuzzer. */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define INPUT_MAX ((size_t)1 << 20)

static bool is_chosen(const char *name, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc == 2;
}

/* How many inputs; 0 when there are none. */
static size_t replay(const char *corpora, const struct fuzz_target *target)
{
    auto_done(strings) struct strings names = {0};
    struct error err = {0};
    auto_free char *folder = memory_printf("%s/%s", corpora, target->name);
    auto_close int dir = file_open_dir(AT_FDCWD, folder, &err);
    if (dir < 0 || !file_list(dir, ".", &names, &err)) {
        printf("%s\n", err.text);
        return 0;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_done(text) struct text input = {0};
        if (!file_read_all(dir, names.items[i], INPUT_MAX, &input, &err)) {
            printf("%s\n", err.text);
            return 0;
        }
        /* A block of its own, so that a sanitizer sees the first byte beyond. */
        auto_free uint8_t *bytes = memory_alloc(input.len + !input.len);
        memcpy(bytes, text_cstr(&input), input.len);
        fprintf(stderr, "%s/%s\n", target->name, names.items[i]);
        target->run(bytes, input.len);
    }
    return names.count;
}

int main(int argc, char **argv)
{
    size_t inputs = 0;
    size_t targets = 0;
    if (argc < 2) {
        fputs("usage: replay CORPORA [TARGET...]\n", stderr);
        return 64;
    }
    const struct fuzz_target *target;
    for (size_t i = 0; (target = fuzz_target_at(i)) != NULL; i++) {
        if (is_chosen(target->name, argc, argv)) {
            size_t count = replay(argv[1], target);
            if (count == 0) {
                printf("%s has no corpus\n", target->name);
                return 1;
            }
            inputs += count;
            targets++;
        }
    }
    fuzz_place_remove();
    printf("%zu inputs, %zu targets\n", inputs, targets);
    return targets > 0 ? 0 : 64;
}
