/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/error.h"
#include "base/json_scan.h"
#include "base/memory.h"
#include "base/text.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* struct json is never defined: a pointer to one is a pointer to a cJSON item. */

static struct json *wrap(cJSON *item)
{
    return (struct json *)item;
}

static cJSON *unwrap(const struct json *json)
{
    return (cJSON *)json;
}

/* Memory that is gone ends the process here as everywhere, and is not taken for bad JSON. */
__attribute__((constructor)) static void use_our_memory(void)
{
    cJSON_Hooks hooks = {.malloc_fn = memory_alloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
}

/* cJSON returns NULL from its builders only when memory is gone. */
static cJSON *must_have(cJSON *item)
{
    return item != NULL ? item : (cJSON *)memory_alloc(SIZE_MAX);
}

struct json *json_parse(const char *bytes, size_t len, uint64_t max_bytes, uint64_t max_depth,
    const char *what, struct error *err)
{
    if (len > max_bytes) {
        error_set(
            err, ERROR_LIMIT, "%s is larger than the limit of %" PRIu64 " bytes", what, max_bytes);
        return NULL;
    }
    if (!json_scan(bytes, len, max_depth, what, err)) {
        return NULL;
    }
    cJSON *root = cJSON_ParseWithLength(bytes, len);
    if (root == NULL) {
        error_set(err, ERROR_FORMAT, "%s is not valid JSON", what);
    }
    return wrap(root);
}

void json_free(struct json *json)
{
    cJSON_Delete(unwrap(json));
}

void json_auto_free(struct json **json)
{
    json_free(*json);
}

bool json_is_object(const struct json *json)
{
    return cJSON_IsObject(unwrap(json));
}

bool json_is_array(const struct json *json)
{
    return cJSON_IsArray(unwrap(json));
}

bool json_is_string(const struct json *json)
{
    return cJSON_IsString(unwrap(json));
}

bool json_is_bool(const struct json *json)
{
    return cJSON_IsBool(unwrap(json));
}

bool json_is_number(const struct json *json)
{
    return cJSON_IsNumber(unwrap(json));
}

const struct json *json_get(const struct json *object, const char *key)
{
    return json_is_object(object) ? wrap(cJSON_GetObjectItemCaseSensitive(unwrap(object), key))
                                  : NULL;
}

size_t json_count(const struct json *array_or_object)
{
    return array_or_object != NULL ? (size_t)cJSON_GetArraySize(unwrap(array_or_object)) : 0;
}

const struct json *json_at(const struct json *array_or_object, size_t index)
{
    return wrap(cJSON_GetArrayItem(unwrap(array_or_object), (int)index));
}

const struct json *json_first(const struct json *array_or_object)
{
    return array_or_object != NULL ? wrap(unwrap(array_or_object)->child) : NULL;
}

const struct json *json_next(const struct json *member)
{
    return wrap(unwrap(member)->next);
}

const char *json_key(const struct json *member)
{
    return unwrap(member)->string;
}

const char *json_key_at(const struct json *object, size_t index)
{
    const cJSON *item = unwrap(json_at(object, index));
    return item != NULL ? item->string : NULL;
}

const char *json_string_value(const struct json *json)
{
    return cJSON_GetStringValue(unwrap(json));
}

int64_t json_integer_value(const struct json *json, int64_t fallback)
{
    const cJSON *item = unwrap(json);
    if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble) ||
        fabs(item->valuedouble) > 9007199254740992.0) {
        return fallback;
    }
    return (int64_t)item->valuedouble;
}

const char *json_string(const struct json *object, const char *key, const char *fallback)
{
    const char *value = json_string_value(json_get(object, key));
    return value != NULL ? value : fallback;
}

bool json_bool(const struct json *object, const char *key, bool fallback)
{
    const cJSON *item = unwrap(json_get(object, key));
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

int64_t json_integer(const struct json *object, const char *key, int64_t fallback)
{
    return json_integer_value(json_get(object, key), fallback);
}

bool json_read_string(const struct json *object, const char *key, bool is_required,
    const char *what, const char **out, struct error *err)
{
    const struct json *item = json_get(object, key);
    if (item == NULL) {
        return !is_required || error_set(err, ERROR_FORMAT, "%s: \"%s\" is missing", what, key);
    }
    if (!json_is_string(item)) {
        return error_set(err, ERROR_FORMAT, "%s: \"%s\" must be a string", what, key);
    }
    *out = json_string_value(item);
    return true;
}

bool json_read_size(const struct json *object, const char *key, bool is_required, const char *what,
    uint64_t *out, struct error *err)
{
    const struct json *item = json_get(object, key);
    if (item == NULL) {
        return !is_required || error_set(err, ERROR_FORMAT, "%s: \"%s\" is missing", what, key);
    }
    int64_t value = json_integer_value(item, -1);
    if (value < 0) {
        return error_set(
            err, ERROR_FORMAT, "%s: \"%s\" must be a whole number, zero or more", what, key);
    }
    *out = (uint64_t)value;
    return true;
}

struct json *json_new_object(void)
{
    return wrap(must_have(cJSON_CreateObject()));
}

struct json *json_new_array(void)
{
    return wrap(must_have(cJSON_CreateArray()));
}

/* Bytes that are not UTF-8 become the text \udcXX, so that every one can be told from another and
 * the document stays valid. */
struct json *json_new_string(const char *text)
{
    size_t ascii = 0;
    while ((unsigned char)(text[ascii] - 1) < 0x7f) {
        ascii++;
    }
    if (text[ascii] == '\0') {
        return wrap(must_have(cJSON_CreateString(text)));
    }
    auto_done(text) struct text valid = {0};
    size_t len = strlen(text);
    while (len > 0) {
        unsigned code_point;
        int used = text_decode_utf8(text, len, &code_point);
        if (used < 0) {
            text_printf(&valid, "\\udc%02x", (unsigned char)*text);
            used = 1;
        } else {
            text_append_bytes(&valid, text, (size_t)used);
        }
        text += used;
        len -= (size_t)used;
    }
    return wrap(must_have(cJSON_CreateString(text_cstr(&valid))));
}

struct json *json_new_written(char *owned)
{
    cJSON *item = must_have(cJSON_CreateNull());
    item->type = cJSON_Raw;
    item->valuestring = owned;
    return wrap(item);
}

struct json *json_copy(const struct json *json)
{
    return json != NULL ? wrap(must_have(cJSON_Duplicate(unwrap(json), true))) : NULL;
}

void json_put(struct json *object, const char *key, struct json *owned)
{
    if (owned == NULL) {
        return;
    }
    json_remove(object, key);
    cJSON_AddItemToObject(unwrap(object), key, unwrap(owned));
}

void json_put_string(struct json *object, const char *key, const char *text)
{
    json_put(object, key, text != NULL ? json_new_string(text) : NULL);
}

void json_put_known(struct json *object, const char *key, const char *text)
{
    json_put_string(object, key, text != NULL && text[0] != '\0' ? text : NULL);
}

void json_put_integer(struct json *object, const char *key, int64_t number)
{
    json_put(object, key, wrap(must_have(cJSON_CreateNumber((double)number))));
}

void json_put_number(struct json *object, const char *key, double number)
{
    json_put(object, key, wrap(must_have(cJSON_CreateNumber(number))));
}

void json_put_bool(struct json *object, const char *key, bool value)
{
    json_put(object, key, wrap(must_have(cJSON_CreateBool(value))));
}

void json_remove(struct json *object, const char *key)
{
    cJSON_DeleteItemFromObjectCaseSensitive(unwrap(object), key);
}

void json_append(struct json *array, struct json *owned)
{
    cJSON_AddItemToArray(unwrap(array), unwrap(owned));
}

static bool stands_for_itself(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

static void write_string(const char *value, struct text *out)
{
    text_append_char(out, '"');
    for (;;) {
        size_t plain = 0;
        while (stands_for_itself(value[plain])) {
            plain++;
        }
        text_append_bytes(out, value, plain);
        value += plain;
        if (*value == '\0') {
            break;
        }
        unsigned char c = (unsigned char)*value++;
        if (c == '"' || c == '\\') {
            text_append_char(out, '\\');
            text_append_char(out, (char)c);
        } else {
            text_printf(out, "\\u%04x", c);
        }
    }
    text_append_char(out, '"');
}

static void write_number(double value, struct text *out)
{
    if (value == floor(value) && fabs(value) <= 9007199254740992.0) {
        text_printf(out, "%" PRId64, (int64_t)value);
    } else if (isfinite(value)) {
        char digits[40];
        snprintf(digits, sizeof digits, "%.17g", value);
        /* The shortest form that reads back the same. */
        for (int precision = 1; precision < 17; precision++) {
            char shorter[40];
            snprintf(shorter, sizeof shorter, "%.*g", precision, value);
            if (strtod(shorter, NULL) == value) {
                memcpy(digits, shorter, sizeof digits);
                break;
            }
        }
        /* Whole and beyond what an integer may be: it was none, and is none when it is read. */
        bool is_whole = digits[strspn(digits, "-0123456789")] == '\0';
        text_printf(out, "%s%s", digits, is_whole ? ".0" : "");
    } else {
        text_append(out, "0");
    }
}

static void write_newline(bool is_pretty, int depth, struct text *out)
{
    if (is_pretty) {
        text_append_char(out, '\n');
        while (depth-- > 0) {
            text_append(out, "  ");
        }
    }
}

static void write_item(const cJSON *item, bool is_pretty, int depth, struct text *out)
{
    if (cJSON_IsString(item)) {
        write_string(item->valuestring, out);
    } else if (cJSON_IsNumber(item)) {
        write_number(item->valuedouble, out);
    } else if (cJSON_IsBool(item)) {
        text_append(out, cJSON_IsTrue(item) ? "true" : "false");
    } else if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        bool is_object = cJSON_IsObject(item);
        text_append_char(out, is_object ? '{' : '[');
        for (const cJSON *child = item->child; child != NULL; child = child->next) {
            write_newline(is_pretty, depth + 1, out);
            if (is_object) {
                write_string(child->string, out);
                text_append(out, is_pretty ? ": " : ":");
            }
            write_item(child, is_pretty, depth + 1, out);
            if (child->next != NULL) {
                text_append_char(out, ',');
            }
        }
        if (item->child != NULL) {
            write_newline(is_pretty, depth, out);
        }
        text_append_char(out, is_object ? '}' : ']');
    } else if (cJSON_IsRaw(item)) {
        text_append(out, item->valuestring);
    } else {
        text_append(out, "null");
    }
}

void json_write(const struct json *json, bool is_pretty, struct text *out)
{
    write_item(unwrap(json), is_pretty, 0, out);
    if (is_pretty) {
        text_append_char(out, '\n');
    }
}
