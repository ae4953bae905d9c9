/* SPDX-License-Identifier: MIT */
#include "artifact/layer_path.h"

#include <string.h>

#include "artifact/tree.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

#define WHITEOUT ".wh."
#define AUFS_OWN ".wh..wh."
#define OPAQUE ".wh..wh..opq"

void layer_path_done(struct layer_path *path)
{
    free(path->names);
    *path = (struct layer_path){0};
}

static bool is_name(const struct layer_name *name, const char *word)
{
    return name->len == strlen(word) && memcmp(name->bytes, word, name->len) == 0;
}

static bool has_prefix(const struct layer_name *name, const char *prefix)
{
    return name->len >= strlen(prefix) && memcmp(name->bytes, prefix, strlen(prefix)) == 0;
}

void layer_path_push(struct layer_path *path, const struct layer_name *name)
{
    if (path->count == path->capacity) {
        path->capacity = path->capacity ? path->capacity * 2 : 32;
        path->names = memory_grow(path->names, path->capacity, sizeof *path->names);
    }
    path->names[path->count++] = *name;
}

bool layer_path_split(
    struct layer_path *path, const char *text, const struct limits *limits, struct error *err)
{
    path->count = 0;
    while (*text != '\0') {
        struct layer_name name = {.bytes = text, .len = strcspn(text, "/")};
        text += name.len + (text[name.len] == '/' ? 1 : 0);
        if (name.len == 0 || is_name(&name, ".")) {
            continue;
        }
        if (is_name(&name, "..")) {
            return error_set(err, ERROR_FORMAT, "its name leads out of where it is");
        }
        if (name.len > TREE_NAME_MAX) {
            return error_set(
                err, ERROR_LIMIT, "one part of its name is longer than %d bytes", TREE_NAME_MAX);
        }
        if (path->count == limits->layer_depth) {
            return error_set(err, ERROR_LIMIT, "its name is deeper than layer_depth (%llu)",
                (unsigned long long)limits->layer_depth);
        }
        layer_path_push(path, &name);
    }
    return true;
}

bool layer_path_classify(struct layer_path *path, enum layer_kind *kind, struct error *err)
{
    *kind = LAYER_PLAIN;
    for (size_t i = 0; i < path->count; i++) {
        struct layer_name *name = &path->names[i];
        bool is_last = i + 1 == path->count;
        if (!has_prefix(name, WHITEOUT)) {
            continue;
        }
        if (is_name(name, OPAQUE) && is_last) {
            path->count--;
            *kind = LAYER_OPAQUE;
            return true;
        }
        if (has_prefix(name, AUFS_OWN) && !is_name(name, OPAQUE) &&
            name->len > sizeof AUFS_OWN - 1) {
            *kind = LAYER_DROPPED;
            return true;
        }
        struct layer_name what = {
            name->bytes + sizeof WHITEOUT - 1, name->len - (sizeof WHITEOUT - 1)};
        if (!is_last || what.len == 0 || is_name(&what, ".") || is_name(&what, "..") ||
            has_prefix(&what, WHITEOUT)) {
            return error_set(err, ERROR_FORMAT, "it is no whiteout of anything");
        }
        *name = what;
        *kind = LAYER_WHITEOUT;
    }
    return true;
}

bool layer_path_equal(const struct layer_path *a, const struct layer_path *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->names[i].len != b->names[i].len ||
            memcmp(a->names[i].bytes, b->names[i].bytes, a->names[i].len) != 0) {
            return false;
        }
    }
    return true;
}
