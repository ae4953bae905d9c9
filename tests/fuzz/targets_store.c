/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/words.h"
#include "store/catalog.h"
#include "store/catalog_document.h"
#include "store/config.h"
#include "store/image_store.h"
#include "store/kernel_store.h"
#include "store/layout.h"
#include "store/vm_store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void run_catalog(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_done(catalog_document) struct catalog_document document = {0};
    if (!catalog_document_parse((const char *)bytes, len, "https://example.org/c/catalog.json",
            "catalog", &limits_default, &document, &err)) {
        fuzz_check(err.code == ERROR_FORMAT || err.code == ERROR_LIMIT);
        return;
    }
    for (size_t i = 0; i < document.count; i++) {
        fuzz_check(document.entries[i].name != NULL);
    }
}

static void run_config(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    fuzz_put("config.ini", bytes, len);
    auto_free char *path = memory_printf("%s/config.ini", fuzz_place());
    auto_done(config) struct config config = {0};
    if (!config_load(path, &config, &err)) {
        fuzz_check(err.code == ERROR_CONFIG);
        fuzz_check(config.path == NULL && config.trust_count == 0);
    }
}

/* One store with one entry of each kind, whose record is the input. */
static struct store *open_store(const char *record, const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_free char *state = memory_printf("%s/state", fuzz_place());
    struct store *store = store_open(state, NULL, &err);
    fuzz_check(store != NULL);
    auto_free char *path = memory_printf("%s/state/%s", fuzz_place(), record);
    *strrchr(path, '/') = '\0';
    fuzz_check(file_make_dirs(AT_FDCWD, path, &err));
    auto_free char *below = memory_printf("state/%s", record);
    fuzz_put(below, bytes, len);
    return store;
}

static void run_kernel_record(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_store struct store *store = open_store("kernels/k/manifest.json", bytes, len);
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    fuzz_check(kernel_store_read(store, "k", &entry, &err));
    fuzz_check(strcmp(entry.name, "k") == 0);
    fuzz_check(entry.is_damaged == (entry.damage != NULL));
}

static void run_image_record(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_store struct store *store = open_store("images/i/manifest.json", bytes, len);
    auto_done(image_entry) struct image_entry entry = {0};
    /* Its paths may lead to where this user may not look. */
    fuzz_check(image_store_read(store, "i", &entry, &err) == (entry.unread.errnum == 0));
    fuzz_check(err.code == ERROR_NONE || error_is_blind(&err));
    fuzz_check(strcmp(entry.name, "i") == 0);
    auto_free char *rootfs = image_store_rootfs(store, &entry);
    fuzz_check(rootfs[0] == '/');
}

static void run_vm_record(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_store struct store *store = open_store("vms/v/vm.json", bytes, len);
    auto_done(vm_record) struct vm_record record = {0};
    fuzz_check(vm_store_read(store, "v", &record, &err));
}

/* Words that are quoted again are the same words. */
static void run_words(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_done(strings) struct strings words = {0};
    if (!words_split((const char *)bytes, len, &words, &err)) {
        fuzz_check(words.count == 0);
        return;
    }
    auto_done(text) struct text line = {0};
    for (size_t i = 0; i < words.count; i++) {
        text_append(&line, " '");
        for (const char *at = words.items[i]; *at; at++) {
            text_append_bytes(&line, *at == '\'' ? "'\\''" : at, *at == '\'' ? 4 : 1);
        }
        text_append(&line, "'");
    }
    auto_done(strings) struct strings again = {0};
    fuzz_check(words_split(text_cstr(&line), line.len, &again, &err));
    fuzz_check(again.count == words.count);
    for (size_t i = 0; i < words.count; i++) {
        fuzz_check(strcmp(words.items[i], again.items[i]) == 0);
    }
}

const struct fuzz_target fuzz_store[] = {
    {"catalog", run_catalog},
    {"config", run_config},
    {"kernel_record", run_kernel_record},
    {"image_record", run_image_record},
    {"vm_record", run_vm_record},
    {"words", run_words},
    {NULL, NULL},
};
