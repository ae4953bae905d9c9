/* SPDX-License-Identifier: MIT */
#pragma once

/* Kernel modules made by hand for tests: the smallest relocatable ELF-64 file that has a .modinfo
 * section. */

#include <stddef.h>
#include <stdint.h>

#define MODULE_MAKER_MAX 2048

/* Fills bytes with a module whose .modinfo is info_len bytes of info ("key=value\0..."). Returns
 * its length. */
size_t module_maker(uint8_t bytes[MODULE_MAKER_MAX], const char *info, size_t info_len);
