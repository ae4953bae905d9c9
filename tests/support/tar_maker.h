/* SPDX-License-Identifier: MIT */
#pragma once

/* Builds tar archives in memory, right or wrong on purpose. Header only. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* A header block with its fields as text; what is NULL is filled in properly. */
struct tar_fields {
    const char *name;
    char typeflag; /* 0: '0' */
    const char *link;
    size_t size_bytes;
    const char *size_text;
    const char *magic; /* 8 bytes; NULL: POSIX */
    const char *prefix;
    const char *mode_text;
    const char *uid_text;
    int sum_off_by; /* added to the checksum */
};

#define TAR_MAGIC_POSIX                                                                            \
    "ustar\0"                                                                                      \
    "00"
#define TAR_MAGIC_GNU "ustar  "

static inline void tar_sum(uint8_t block[512], int off_by)
{
    memset(block + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++) {
        sum += block[i];
    }
    snprintf((char *)block + 148, 8, "%06o", sum + (unsigned)off_by);
    block[155] = ' ';
}

static inline void tar_block(uint8_t block[512], const struct tar_fields *fields)
{
    memset(block, 0, 512);
    memcpy(block, fields->name, strnlen(fields->name, 100));
    snprintf((char *)block + 100, 8, "%s", fields->mode_text ? fields->mode_text : "0000644");
    snprintf((char *)block + 108, 8, "%s", fields->uid_text ? fields->uid_text : "0000000");
    snprintf((char *)block + 116, 8, "0000000");
    if (fields->size_text) {
        memcpy(block + 124, fields->size_text, strnlen(fields->size_text, 12));
    } else {
        snprintf((char *)block + 124, 12, "%011zo", fields->size_bytes);
    }
    snprintf((char *)block + 136, 12, "14524775000");
    block[156] = (uint8_t)(fields->typeflag ? fields->typeflag : '0');
    if (fields->link) {
        memcpy(block + 157, fields->link, strnlen(fields->link, 100));
    }
    memcpy(block + 257, fields->magic ? fields->magic : TAR_MAGIC_POSIX, 8);
    if (fields->prefix) {
        memcpy(block + 345, fields->prefix, strnlen(fields->prefix, 155));
    }
    tar_sum(block, fields->sum_off_by);
}

static inline void tar_put_data(struct text *tar, const void *bytes, size_t len)
{
    static const char zeros[512];
    text_append_bytes(tar, bytes, len);
    text_append_bytes(tar, zeros, (512 - len % 512) % 512);
}

static inline void tar_put(
    struct text *tar, const struct tar_fields *fields, const void *bytes, size_t len)
{
    uint8_t block[512];
    struct tar_fields filled = *fields;
    filled.size_bytes = len;
    tar_block(block, &filled);
    text_append_bytes(tar, block, sizeof block);
    tar_put_data(tar, bytes, len);
}

static inline void tar_put_file(struct text *tar, const char *name, const char *content)
{
    tar_put(tar, &(struct tar_fields){.name = name}, content, strlen(content));
}

/* One pax record with its proper length. */
static inline void tar_put_record(
    struct text *body, const char *key, const char *value, size_t value_len)
{
    char digits[24];
    size_t rest = strlen(key) + value_len + sizeof " =\n" - 1;
    size_t total = rest;
    while (total != rest + (size_t)snprintf(digits, sizeof digits, "%zu", total)) {
        total = rest + strlen(digits);
    }
    text_printf(body, "%zu %s=", total, key);
    text_append_bytes(body, value, value_len);
    text_append_char(body, '\n');
}

/* An extended header with this body. */
static inline void tar_put_pax(struct text *tar, char typeflag, const char *body, size_t len)
{
    tar_put(tar, &(struct tar_fields){.name = "PaxHeaders/x", .typeflag = typeflag}, body, len);
}

static inline void tar_put_end(struct text *tar)
{
    static const char zeros[1024];
    text_append_bytes(tar, zeros, sizeof zeros);
}

/* Wraps bytes into a zstd frame of raw blocks (RFC 8878, 3.1.1): compression is not the point. */
static inline void zstd_wrap(const struct text *bytes, struct text *out)
{
    static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38 /* window: 128 KiB */};
    const size_t block_max = (size_t)128 << 10;
    text_append_bytes(out, head, sizeof head);
    for (size_t at = 0; at == 0 || at < bytes->len;) {
        size_t len = bytes->len - at < block_max ? bytes->len - at : block_max;
        bool is_last = at + len == bytes->len;
        uint32_t word = (uint32_t)(len << 3) | is_last;
        uint8_t header[3] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16)};
        text_append_bytes(out, header, sizeof header);
        if (len > 0) {
            text_append_bytes(out, bytes->data + at, len);
        }
        at += len;
        if (is_last) {
            return;
        }
    }
}
