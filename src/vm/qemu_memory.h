/* SPDX-License-Identifier: MIT */
#pragma once

/* What a guest on QEMU holds in memory, as the stream of a migration in a file. By descriptor: the
 * sandbox lets QEMU neither run a program nor is it told a path. The guest stands still before it is
 * saved and after it was loaded. Blocks; gives up on cancel. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct qmp;

/* "7.2.22" of the process that runs. */
bool qemu_memory_version(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel,
    char *version, size_t size, struct error *err);
/* Writes VMM_MEMORY_FILE into the directory where, which is relative to the machine's. */
bool qemu_memory_save(
    int vm_dir, const char *where, const struct cancel *cancel, struct error *err);
/* Into a QEMU that was started with -incoming defer. */
bool qemu_memory_load(
    struct qmp *qmp, int vm_dir, const char *where, uint64_t timeout_ms, struct error *err);
