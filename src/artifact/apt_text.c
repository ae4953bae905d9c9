/* SPDX-License-Identifier: MIT */
#include "artifact/apt_text.h"

#include <string.h>
#include <strings.h>

#include "artifact/apt.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

static const char *const kernel_prefixes[] = {"linux-image-", "linux-modules-", "linux-binary-"};

bool apt_is_package_name(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char any[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    return name[0] != '\0' && strchr(first, name[0]) != NULL && name[1] != '\0' &&
           name[strspn(name, any)] == '\0';
}

char *apt_record_field(const char *record, const char *field)
{
    size_t field_len = strlen(field);
    for (const char *line = record; *line != '\0' && *line != '\n';) {
        size_t len = strcspn(line, "\n");
        if (len > field_len && strncasecmp(line, field, field_len) == 0 && line[field_len] == ':') {
            const char *value = line + field_len + 1;
            value += strspn(value, " \t");
            return memory_strndup(value, (size_t)(line + len - value));
        }
        line += len + (line[len] == '\n');
    }
    return NULL;
}

static bool is_kernel_package(const char *name)
{
    for (size_t i = 0; i < array_length(kernel_prefixes); i++) {
        if (text_has_prefix(name, kernel_prefixes[i])) {
            return true;
        }
    }
    return false;
}

void apt_kernel_dependencies(const char *depends, struct strings *groups)
{
    auto_done(strings) struct strings relations = {0};
    strings_split(&relations, depends, ",");
    for (size_t i = 0; i < relations.count; i++) {
        auto_done(strings) struct strings alternatives = {0};
        auto_done(strings) struct strings ours = {0};
        strings_split(&alternatives, relations.items[i], "|");
        for (size_t j = 0; j < alternatives.count; j++) {
            const char *name = alternatives.items[j] + strspn(alternatives.items[j], " \t");
            /* What follows the name: a version, an architecture, a build profile. */
            auto_free char *bare = memory_strndup(name, strcspn(name, " \t(:[<"));
            if (is_kernel_package(bare) && apt_is_package_name(bare)) {
                strings_add(&ours, bare);
            }
        }
        if (ours.count > 0) {
            auto_free char *group = strings_join(&ours, "|");
            strings_add(groups, group);
        }
    }
}

/* A file name and not a path. */
static bool is_component(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

bool apt_parse_uri_line(const char *line, struct apt_file *file)
{
    const char *end = line[0] == '\'' ? strstr(line + 1, "' ") : NULL;
    if (end == NULL) {
        return false;
    }
    auto_done(strings) struct strings words = {0};
    strings_split(&words, end + 2, " ");
    struct error ignored = {0};
    uint64_t size_bytes = 0;
    struct digest digest;
    if (words.count != 3 || !is_component(words.items[0]) ||
        !units_parse_number(words.items[1], "size", INT64_MAX, &size_bytes, &ignored) ||
        !text_has_prefix(words.items[2], "SHA256:") ||
        !digest_parse(words.items[2] + strlen("SHA256:"), &digest)) {
        return false;
    }
    file->url = memory_strndup(line + 1, (size_t)(end - line - 1));
    file->filename = memory_strdup(words.items[0]);
    file->size_bytes = size_bytes;
    file->digest = digest;
    return true;
}

char *apt_config_value(const char *lines, const char *key)
{
    size_t key_len = strlen(key);
    for (const char *line = lines; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (len >= key_len + 3 && strncmp(line, key, key_len) == 0 &&
            strncmp(line + key_len, "='", 2) == 0 && line[len - 1] == '\'') {
            return memory_strndup(line + key_len + 2, len - key_len - 3);
        }
        line += len + (line[len] == '\n');
    }
    return NULL;
}
