/* SPDX-License-Identifier: MIT */
#include "store/config_keys.h"

#include <stddef.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "base/units.h"
#include "store/config.h"

#define VCPU_MOST 4096

/* How a section's keys are read. */
enum shape {
    SHAPE_FIELDS, /* a fixed set, each with a field */
    SHAPE_NAMES,  /* any key: it is a name, the value is kept as text */
    SHAPE_WORDS,  /* a fixed set, the value is kept as text */
};

struct section_row {
    const char *name;
    enum shape shape;
    size_t pairs;      /* offset of a struct config_pairs; not for fields */
    const char *words; /* keys of SHAPE_WORDS, each followed by a blank */
};

#define AT(field) offsetof(struct config, field)

static const struct section_row section_rows[] = {
    {"defaults", SHAPE_FIELDS, 0, NULL},
    {"paths", SHAPE_FIELDS, 0, NULL},
    {"catalogs", SHAPE_NAMES, AT(catalogs), NULL},
    {"trust", SHAPE_FIELDS, 0, NULL},
    {"signatures", SHAPE_FIELDS, 0, NULL},
    {"network", SHAPE_WORDS, AT(network), "mode bridge cidr dns forward "},
    {"registries", SHAPE_FIELDS, 0, NULL},
    {"mirrors", SHAPE_NAMES, AT(mirrors), NULL},
    {"ui", SHAPE_WORDS, AT(ui), "theme ascii mouse columns tick detach_keys "},
    {"limits", SHAPE_FIELDS, 0, NULL},
};

enum field_kind {
    FIELD_ENTRY,  /* a name of the store */
    FIELD_IMAGE,  /* a name or a reference: checked where it is used */
    FIELD_NUMBER, /* 1..VCPU_MOST */
    FIELD_SIZE,
    FIELD_CHOICE,
    FIELD_PATH, /* absolute, or a program to be found in PATH */
};

struct field_row {
    const char *section;
    const char *key;
    enum field_kind kind;
    size_t offset;
    const char *choices; /* separated by '|' */
};

static const struct field_row field_rows[] = {
    {"defaults", "image", FIELD_IMAGE, AT(default_image), NULL},
    {"defaults", "kernel", FIELD_ENTRY, AT(default_kernel), NULL},
    {"defaults", "vcpu", FIELD_NUMBER, AT(default_vcpu), NULL},
    {"defaults", "memory", FIELD_SIZE, AT(default_memory_bytes), NULL},
    {"defaults", "disk_size", FIELD_SIZE, AT(default_disk_bytes), NULL},
    {"defaults", "vmm", FIELD_CHOICE, AT(default_vmm), "auto|firecracker|qemu"},
    {"defaults", "accel", FIELD_CHOICE, AT(default_accel), "auto|kvm|tcg"},
    {"defaults", "restart", FIELD_CHOICE, AT(default_restart), "no|on-failure|always"},
    {"paths", "firecracker", FIELD_PATH, AT(firecracker), NULL},
    {"paths", "qemu", FIELD_PATH, AT(qemu), NULL},
    {"paths", "ssh", FIELD_PATH, AT(ssh), NULL},
};

static void put_string(struct config *config, size_t offset, const char *value)
{
    char **field = (char **)((char *)config + offset);
    free(*field);
    *field = memory_strdup(value);
}

static void put_number(struct config *config, size_t offset, uint64_t value)
{
    *(uint64_t *)((char *)config + offset) = value;
}

static bool is_choice(const char *choices, const char *value)
{
    auto_done(strings) struct strings words = {0};
    strings_split(&words, choices, "|");
    return strings_contain(&words, value);
}

static bool take_number(
    struct config *config, const struct field_row *row, const char *value, struct error *err)
{
    uint64_t number = 0;
    if (row->kind == FIELD_SIZE) {
        if (!units_parse_size(value, row->key, &number, err)) {
            return false;
        }
    } else if (!units_parse_number(value, row->key, VCPU_MOST, &number, err)) {
        return false;
    } else if (number == 0) {
        return error_set(err, ERROR_CONFIG, "%s must be at least 1", row->key);
    }
    put_number(config, row->offset, number);
    return true;
}

static bool take_path(
    struct config *config, const struct field_row *row, const char *value, struct error *err)
{
    /* A relative path would mean another file in every directory; a bare word is looked up. */
    if (value[0] != '/' && strchr(value, '/') != NULL) {
        return error_set(err, ERROR_CONFIG, "%s must be an absolute path, not %s", row->key, value);
    }
    put_string(config, row->offset, value);
    return true;
}

static bool take_field(
    struct config *config, const struct field_row *row, const char *value, struct error *err)
{
    if (value[0] == '\0') {
        return error_set(err, ERROR_CONFIG, "%s has no value", row->key);
    }
    switch (row->kind) {
    case FIELD_ENTRY:
        if (!name_check_entry(value, row->key, err)) {
            return false;
        }
        put_string(config, row->offset, value);
        return true;
    case FIELD_IMAGE:
        put_string(config, row->offset, value);
        return true;
    case FIELD_CHOICE:
        if (!is_choice(row->choices, value)) {
            return error_set(
                err, ERROR_CONFIG, "%s is one of %s, not %s", row->key, row->choices, value);
        }
        put_string(config, row->offset, value);
        return true;
    case FIELD_NUMBER:
    case FIELD_SIZE:
        return take_number(config, row, value, err);
    case FIELD_PATH:
        return take_path(config, row, value, err);
    }
    return false;
}

/* "1000", or with a unit where the key counts bytes: "8G". */
static bool take_limit(
    struct config *config, const struct limits_row *row, const char *value, struct error *err)
{
    uint64_t number = 0;
    bool is_plain = value[strspn(value, "0123456789")] == '\0';
    if (is_plain || !text_has_suffix(row->key, "_bytes")) {
        if (!units_parse_number(value, row->key, row->max, &number, err)) {
            return false;
        }
    } else if (!units_parse_size(value, row->key, &number, err)) {
        return false;
    }
    if (number > row->max) {
        return error_set(err, ERROR_CONFIG, "%s is more than the largest possible, %llu", row->key,
            (unsigned long long)row->max);
    }
    put_number(config, AT(limits) + row->offset, number);
    return true;
}

static bool parse_key(const char *value, uint8_t key[32])
{
    auto_done(text) struct text bytes = {0};
    if (!base64_decode(value, strlen(value), &bytes) || bytes.len != 32) {
        return false;
    }
    memcpy(key, bytes.data, 32);
    return true;
}

static bool take_trust(
    struct config *config, const char *name, const char *value, struct error *err)
{
    struct config_trust trust;
    if (!parse_key(value, trust.key)) {
        return error_set(err, ERROR_CONFIG,
            "the key of %s is not a base64 Ed25519 public key (32 bytes, 44 characters)", name);
    }
    for (size_t i = 0; i < config->trust_count; i++) {
        if (strcmp(config->trust[i].name, name) == 0) {
            memcpy(config->trust[i].key, trust.key, sizeof(trust.key));
            return true;
        }
    }
    trust.name = memory_strdup(name);
    config->trust = memory_grow(config->trust, config->trust_count + 1, sizeof(*config->trust));
    config->trust[config->trust_count++] = trust;
    return true;
}

static void put_pair(struct config_pairs *pairs, const char *key, const char *value)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, key) == 0) {
            free(pairs->items[i].value);
            pairs->items[i].value = memory_strdup(value);
            return;
        }
    }
    pairs->items = memory_grow(pairs->items, pairs->count + 1, sizeof(*pairs->items));
    pairs->items[pairs->count++] =
        (struct config_pair){.key = memory_strdup(key), .value = memory_strdup(value)};
}

static bool take_policy(
    struct config *config, const char *name, const char *value, struct error *err)
{
    if (!is_choice("require|prefer|off", value)) {
        return error_set(
            err, ERROR_CONFIG, "%s is one of require, prefer and off, not %s", name, value);
    }
    put_pair(&config->signatures, name, value);
    return true;
}

static enum config_verdict verdict_of(bool is_taken)
{
    return is_taken ? CONFIG_TAKEN : CONFIG_REFUSED;
}

static enum config_verdict take_fixed(struct config *config, const char *section, const char *key,
    const char *value, struct error *err)
{
    if (strcmp(section, "trust") == 0) {
        return verdict_of(take_trust(config, key, value, err));
    }
    if (strcmp(section, "signatures") == 0) {
        return verdict_of(take_policy(config, key, value, err));
    }
    if (strcmp(section, "registries") == 0) {
        if (strcmp(key, "insecure") != 0) {
            return CONFIG_UNKNOWN;
        }
        strings_done(&config->insecure);
        strings_split(&config->insecure, value, " \t,");
        return CONFIG_TAKEN;
    }
    for (unsigned i = 0; strcmp(section, "limits") == 0 && i < limits_row_count; i++) {
        if (strcmp(limits_rows[i].key, key) == 0) {
            return verdict_of(take_limit(config, &limits_rows[i], value, err));
        }
    }
    for (size_t i = 0; i < array_length(field_rows); i++) {
        if (strcmp(field_rows[i].section, section) == 0 && strcmp(field_rows[i].key, key) == 0) {
            return verdict_of(take_field(config, &field_rows[i], value, err));
        }
    }
    return CONFIG_UNKNOWN;
}

static enum config_verdict take_pair(struct config *config, const struct section_row *row,
    const char *key, const char *value, struct error *err)
{
    if (row->shape == SHAPE_WORDS) {
        auto_done(strings) struct strings words = {0};
        strings_split(&words, row->words, " ");
        /* Which keys there are to be set is the console's business. */
        bool is_key = strcmp(row->name, "ui") == 0 && text_has_prefix(key, "key_");
        if (!strings_contain(&words, key) && !is_key) {
            return CONFIG_UNKNOWN;
        }
    }
    if (row->shape == SHAPE_NAMES && value[0] == '\0') {
        error_set(err, ERROR_CONFIG, "%s has no value", key);
        return CONFIG_REFUSED;
    }
    put_pair((struct config_pairs *)((char *)config + row->pairs), key, value);
    return CONFIG_TAKEN;
}

enum config_verdict config_keys_take(struct config *config, const char *section, const char *key,
    const char *value, struct error *err)
{
    for (size_t i = 0; i < array_length(section_rows); i++) {
        const struct section_row *row = &section_rows[i];
        if (strcmp(row->name, section) == 0) {
            return row->shape == SHAPE_FIELDS ? take_fixed(config, section, key, value, err)
                                              : take_pair(config, row, key, value, err);
        }
    }
    return CONFIG_UNKNOWN;
}
