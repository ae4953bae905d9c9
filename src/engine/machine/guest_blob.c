/* SPDX-License-Identifier: MIT */
#include "engine/machine/guest_blob.h"

/* The path is relative to the top of the build tree, where every compiler runs. */
__asm__(".section .rodata.guest_blob, \"a\", %progbits\n"
        ".balign 16\n"
        ".hidden guest_blob_begin\n"
        ".global guest_blob_begin\n"
        "guest_blob_begin:\n"
        ".incbin \"src/guest/banger-guest\"\n"
        ".hidden guest_blob_end\n"
        ".global guest_blob_end\n"
        "guest_blob_end:\n"
        ".previous\n");

extern const char guest_blob_begin[];
extern const char guest_blob_end[];

const void *guest_blob(size_t *len)
{
    *len = (size_t)(guest_blob_end - guest_blob_begin);
    return guest_blob_begin;
}
