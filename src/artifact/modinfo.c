/* SPDX-License-Identifier: MIT */
#include "artifact/modinfo.h"

#include <elf.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

struct module {
    const uint8_t *bytes;
    size_t len;
    const char *what;
};

struct span {
    const char *bytes;
    size_t len;
};

static bool read_at(const struct module *module, uint64_t offset, void *out, size_t len)
{
    if (offset > module->len || len > module->len - offset) {
        return false;
    }
    memcpy(out, module->bytes + offset, len);
    return true;
}

static bool section_span(const struct module *module, const Elf64_Shdr *section, struct span *span)
{
    if (section->sh_offset > module->len || section->sh_size > module->len - section->sh_offset) {
        return false;
    }
    span->bytes = (const char *)module->bytes + section->sh_offset;
    span->len = section->sh_size;
    return true;
}

static bool section_is_named(
    const struct span *names, const Elf64_Shdr *section, const char *wanted)
{
    size_t len = strlen(wanted) + 1;
    return section->sh_name < names->len && len <= names->len - section->sh_name &&
           memcmp(names->bytes + section->sh_name, wanted, len) == 0;
}

static bool check_header(const struct module *module, Elf64_Ehdr *header, struct error *err)
{
    if (!read_at(module, 0, header, sizeof *header) ||
        memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_type != ET_REL) {
        return error_set(err, ERROR_FORMAT, "%s is not a kernel module", module->what);
    }
    if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shnum == 0 ||
        header->e_shstrndx >= header->e_shnum) {
        return error_set(err, ERROR_FORMAT, "%s: its section table is damaged", module->what);
    }
    return true;
}

/* Finds .modinfo; a module without one is damaged, since the kernel refuses it too. */
static bool find_modinfo(const struct module *module, struct span *modinfo, struct error *err)
{
    Elf64_Ehdr header;
    Elf64_Shdr section;
    struct span names;
    if (!check_header(module, &header, err)) {
        return false;
    }
    uint64_t table = header.e_shoff;
    uint64_t size = (uint64_t)header.e_shnum * sizeof section;
    if (table > module->len || size > module->len - table ||
        !read_at(module, table + header.e_shstrndx * sizeof section, &section, sizeof section) ||
        !section_span(module, &section, &names)) {
        return error_set(err, ERROR_FORMAT, "%s: its section table is damaged", module->what);
    }
    for (unsigned i = 0; i < header.e_shnum; i++) {
        if (!read_at(module, table + i * sizeof section, &section, sizeof section)) {
            break;
        }
        if (section_is_named(&names, &section, ".modinfo")) {
            if (section.sh_type != SHT_PROGBITS || !section_span(module, &section, modinfo)) {
                break;
            }
            return true;
        }
    }
    return error_set(err, ERROR_FORMAT, "%s: it has no .modinfo section", module->what);
}

bool modinfo_values(const void *module, size_t len, const char *key, const char *what,
    struct strings *values, struct error *err)
{
    struct module whole = {.bytes = module, .len = len, .what = what};
    struct span modinfo = {0};
    if (!find_modinfo(&whole, &modinfo, err)) {
        return false;
    }
    size_t key_len = strlen(key);
    const char *at = modinfo.bytes, *end = modinfo.bytes + modinfo.len;
    while (at < end) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        if (nul == NULL) {
            return error_set(err, ERROR_FORMAT, "%s: its .modinfo section is cut off", what);
        }
        size_t entry_len = (size_t)(nul - at);
        if (entry_len > key_len && at[key_len] == '=' && memcmp(at, key, key_len) == 0) {
            strings_add_len(values, at + key_len + 1, entry_len - key_len - 1);
        }
        at = nul + 1;
    }
    return true;
}

/* Names in file names and in depends= may differ in these two characters. */
static void add_name(struct strings *names, const char *name)
{
    auto_free char *normal = memory_strdup(name);
    for (char *c = normal; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        }
    }
    if (!strings_contain(names, normal)) {
        strings_add(names, normal);
    }
}

static void add_names(struct strings *names, const char *list, const char *separators)
{
    auto_done(strings) struct strings items = {0};
    strings_split(&items, list, separators);
    for (size_t i = 0; i < items.count; i++) {
        add_name(names, items.items[i]);
    }
}

/* "pre: a b post: c": only what comes before counts. */
static void add_softdep(struct strings *wishes, const char *softdep)
{
    auto_done(strings) struct strings words = {0};
    strings_split(&words, softdep, " \t");
    bool is_pre = false;
    for (size_t i = 0; i < words.count; i++) {
        if (text_has_suffix(words.items[i], ":")) {
            is_pre = strcmp(words.items[i], "pre:") == 0;
        } else if (is_pre) {
            add_name(wishes, words.items[i]);
        }
    }
}

bool modinfo_depends(const void *module, size_t len, const char *what, struct strings *depends,
    struct strings *wishes, struct error *err)
{
    auto_done(strings) struct strings lists = {0};
    auto_done(strings) struct strings softdeps = {0};
    if (!modinfo_values(module, len, "depends", what, &lists, err) ||
        !modinfo_values(module, len, "softdep", what, &softdeps, err)) {
        return false;
    }
    for (size_t i = 0; i < lists.count; i++) {
        add_names(depends, lists.items[i], ",");
    }
    for (size_t i = 0; i < softdeps.count; i++) {
        add_softdep(wishes, softdeps.items[i]);
    }
    return true;
}
