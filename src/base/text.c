/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_DEFAULT_CAP ((size_t)64 << 20)
#define TEXT_FIRST_CAPACITY 64
#define DISTANCE_MAX 64

void text_done(struct text *text)
{
    free(text->data);
    *text = (struct text){.cap_bytes = text->cap_bytes};
}

void text_wipe(struct text *text)
{
    if (text->data != NULL) {
        explicit_bzero(text->data, text->capacity);
    }
    text_done(text);
}

void text_clear(struct text *text)
{
    text->len = 0;
    text->is_full = false;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

/* Makes room for `more` bytes and the NUL, or marks the text full. */
static bool reserve(struct text *text, size_t more)
{
    size_t cap = text->cap_bytes > 0 ? text->cap_bytes : TEXT_DEFAULT_CAP;
    if (text->is_full || more > cap || text->len > cap - more) {
        text->is_full = true;
        return false;
    }
    size_t need = text->len + more + 1;
    if (need > text->capacity) {
        size_t capacity = text->capacity > 0 ? text->capacity : TEXT_FIRST_CAPACITY;
        while (capacity < need) {
            capacity *= 2;
        }
        text->data = memory_grow(text->data, capacity, 1);
        text->capacity = capacity;
    }
    return true;
}

bool text_append_bytes(struct text *text, const void *bytes, size_t len)
{
    if (!reserve(text, len)) {
        return false;
    }
    if (len > 0) {
        memcpy(text->data + text->len, bytes, len);
    }
    text->len += len;
    text->data[text->len] = '\0';
    return true;
}

bool text_append(struct text *text, const char *more)
{
    return text_append_bytes(text, more, strlen(more));
}

bool text_append_char(struct text *text, char c)
{
    return text_append_bytes(text, &c, 1);
}

bool text_vprintf(struct text *text, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0 || !reserve(text, (size_t)len)) {
        text->is_full = true;
        return false;
    }
    vsnprintf(text->data + text->len, (size_t)len + 1, format, args);
    text->len += (size_t)len;
    return true;
}

bool text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool is_whole = text_vprintf(text, format, args);
    va_end(args);
    return is_whole;
}

const char *text_cstr(const struct text *text)
{
    return text->data != NULL ? text->data : "";
}

char *text_take(struct text *text)
{
    char *taken = text->data != NULL ? text->data : memory_strndup("", 0);
    *text = (struct text){.cap_bytes = text->cap_bytes};
    return taken;
}

void strings_done(struct strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct strings){0};
}

/* The array grows in powers of two, always with room for the NULL. */
void strings_take(struct strings *list, char *item)
{
    size_t need = list->count + 2;
    if (list->items == NULL || (need & (need - 1)) == 0 || list->count == 0) {
        size_t capacity = 4;
        while (capacity <= need) {
            capacity *= 2;
        }
        list->items = memory_grow(list->items, capacity, sizeof *list->items);
    }
    list->items[list->count++] = item;
    list->items[list->count] = NULL;
}

void strings_add(struct strings *list, const char *item)
{
    strings_take(list, memory_strndup(item, strlen(item)));
}

void strings_add_len(struct strings *list, const char *item, size_t len)
{
    strings_take(list, memory_strndup(item, len));
}

void strings_remove(struct strings *list, size_t index)
{
    free(list->items[index]);
    memmove(
        &list->items[index], &list->items[index + 1], (list->count - index) * sizeof(*list->items));
    list->count--;
}

void strings_printf(struct strings *list, const char *format, ...)
{
    struct text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    strings_take(list, text_take(&text));
}

bool strings_contain(const struct strings *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], item) == 0) {
            return true;
        }
    }
    return false;
}

static int compare_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list)
{
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof *list->items, compare_bytes);
    }
}

void strings_split(struct strings *list, const char *input, const char *separators)
{
    while (*input != '\0') {
        size_t len = strcspn(input, separators);
        if (len > 0) {
            strings_add_len(list, input, len);
        }
        input += len;
        input += strspn(input, separators);
    }
}

char *strings_join(const struct strings *list, const char *separator)
{
    struct text text = {0};
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) {
            text_append(&text, separator);
        }
        text_append(&text, list->items[i]);
    }
    return text_take(&text);
}

bool text_has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_has_suffix(const char *text, const char *suffix)
{
    size_t text_len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return text_len >= suffix_len && strcmp(text + text_len - suffix_len, suffix) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int text_compare_version(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (!is_digit(*a) || !is_digit(*b)) {
            if (*a != *b) {
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            }
            a++;
            b++;
            continue;
        }
        a += strspn(a, "0");
        b += strspn(b, "0");
        size_t a_len = strspn(a, "0123456789");
        size_t b_len = strspn(b, "0123456789");
        if (a_len != b_len) {
            return a_len < b_len ? -1 : 1;
        }
        int order = memcmp(a, b, a_len);
        if (order != 0) {
            return order < 0 ? -1 : 1;
        }
        a += a_len;
        b += b_len;
    }
    return (*a != '\0') - (*b != '\0');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_append_unescaped(struct text *out, const char *escaped)
{
    for (const char *at = escaped; *at != '\0'; at++) {
        if (*at != '%') {
            text_append_char(out, *at);
            continue;
        }
        int high = hex_value(at[1]);
        int low = high >= 0 ? hex_value(at[2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            return false;
        }
        text_append_char(out, (char)(high << 4 | low));
        at += 2;
    }
    return true;
}

int text_distance(const char *a, const char *b)
{
    size_t a_len = strnlen(a, DISTANCE_MAX);
    size_t b_len = strnlen(b, DISTANCE_MAX);
    int row[DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (int)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_len];
}
