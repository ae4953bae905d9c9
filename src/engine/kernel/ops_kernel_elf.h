/* SPDX-License-Identifier: MIT */
#pragma once

/* The uncompressed kernel for VMMs that take nothing else, kept in the cache below the digest of the
 * kernel as it was delivered. Workers only; several at once, in one process or more, are all right:
 * they make the same bytes and the last rename stays. */

#include <stdbool.h>

struct error;
struct ops;

/* *path, which the caller frees, is a file that is an ELF kernel: kernel_path itself when it is one,
 * else what is inside that bzImage. What is in the cache is found by what kernel_path holds now,
 * whatever was recorded of it. ERROR_FORMAT for what is neither, ERROR_LIMIT, ERROR_UNSUPPORTED,
 * ERROR_CANCELLED; *path is NULL then. */
bool ops_kernel_elf(struct ops *ops, const char *kernel_path, char **path, struct error *err);
