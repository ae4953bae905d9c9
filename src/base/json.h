/* SPDX-License-Identifier: MIT */
#pragma once

/* JSON behind a strict scan (RFC 8259): UTF-8, one document, no duplicate key, no \u0000, bounded
 * depth and size, integers within ±2^53. cJSON does the tree work and is seen by json.c alone.
 *
 * struct json is one value inside a document. json_parse returns the root, which the caller frees
 * with json_free; everything got from it is borrowed. Values built with json_new_* belong to the
 * caller until they are put into another one. Any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct text;

struct json;

/* `what` opens the sentence on failure ("catalog.json"). depth and size: struct limits.
 * ERROR_FORMAT or ERROR_LIMIT. */
struct json *json_parse(const char *bytes, size_t len, uint64_t max_bytes, uint64_t max_depth,
    const char *what, struct error *err);
void json_free(struct json *json);
void json_auto_free(struct json **json);
#define auto_json __attribute__((cleanup(json_auto_free)))

bool json_is_object(const struct json *json);
bool json_is_array(const struct json *json);
bool json_is_string(const struct json *json);
bool json_is_bool(const struct json *json);
bool json_is_number(const struct json *json);
/* NULL when absent. */
const struct json *json_get(const struct json *object, const char *key);
size_t json_count(const struct json *array_or_object);
const struct json *json_at(const struct json *array_or_object, size_t index);
/* Key of the index-th member of an object. */
const char *json_key_at(const struct json *object, size_t index);
/* Walking many members in linear time: the first, the next one (NULL at the end), its key. */
const struct json *json_first(const struct json *array_or_object);
const struct json *json_next(const struct json *member);
const char *json_key(const struct json *member);

/* Plain readers: the default when the key is absent or of another type. The string is borrowed. */
const char *json_string(const struct json *object, const char *key, const char *fallback);
bool json_bool(const struct json *object, const char *key, bool fallback);
int64_t json_integer(const struct json *object, const char *key, int64_t fallback);
/* The value itself. */
const char *json_string_value(const struct json *json);
int64_t json_integer_value(const struct json *json, int64_t fallback);
/* Strict readers: absent leaves *out alone and is success unless required; another type is
 * ERROR_FORMAT naming `what` and the key. */
bool json_read_string(const struct json *object, const char *key, bool is_required,
    const char *what, const char **out, struct error *err);
bool json_read_size(const struct json *object, const char *key, bool is_required, const char *what,
    uint64_t *out, struct error *err);

struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_string(const char *text);
/* A value that is text already, one compact document, and is only ever written: whoever asks it for
 * members finds none. Takes the text over. */
struct json *json_new_written(char *owned);
struct json *json_copy(const struct json *json);
/* Putting replaces a key of the same name. A NULL string or value puts nothing: a missing key
 * means not known. Invalid UTF-8 is replaced reversibly by \udcXX-style escapes as text. */
void json_put_string(struct json *object, const char *key, const char *text);
/* "" stands for not known as well, and puts nothing. */
void json_put_known(struct json *object, const char *key, const char *text);
void json_put_integer(struct json *object, const char *key, int64_t number);
void json_put_number(struct json *object, const char *key, double number);
void json_put_bool(struct json *object, const char *key, bool value);
void json_put(struct json *object, const char *key, struct json *owned);
void json_remove(struct json *object, const char *key);
void json_append(struct json *array, struct json *owned);

/* One line without a final newline, or indented by two blanks with one. */
void json_write(const struct json *json, bool is_pretty, struct text *out);
