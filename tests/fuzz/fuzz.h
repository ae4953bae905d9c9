/* SPDX-License-Identifier: MIT */
#pragma once

/* Parsers of what comes from outside, each as a function over bytes that a fuzzer can call. A
 * target holds more than "does not crash": what is accepted must mean one thing. The table is
 * replayed over the kept corpora by replay.c in every run, and driven by libFuzzer (fuzz_driver.c,
 * fuzz.py) in long ones. */

#include <stddef.h>
#include <stdint.h>

struct fuzz_target {
    const char *name; /* also of its corpus */
    void (*run)(const uint8_t *bytes, size_t len);
};

extern const struct fuzz_target fuzz_base[];
extern const struct fuzz_target fuzz_archive[];
extern const struct fuzz_target fuzz_disk[];
extern const struct fuzz_target fuzz_registry[];
extern const struct fuzz_target fuzz_store[];
extern const struct fuzz_target fuzz_vm[];

/* All tables in turn; NULL behind the last. */
const struct fuzz_target *fuzz_target_at(size_t index);

/* Stops the program where a promise is broken. */
#define fuzz_check(condition) ((condition) ? (void)0 : fuzz_broken(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_broken(const char *condition, const char *file, int line);

/* The input as a string that ends at its first NUL, in a block of exactly that size; caller frees. */
char *fuzz_text(const uint8_t *bytes, size_t len);
/* A directory for targets that read files, made when it is first asked for. */
const char *fuzz_place(void);
void fuzz_place_remove(void);
/* A file below it with this content. */
void fuzz_put(const char *name, const uint8_t *bytes, size_t len);
/* The content as an open file, at its start; the caller closes. */
int fuzz_fd(const uint8_t *bytes, size_t len);
