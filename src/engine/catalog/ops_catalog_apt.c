/* SPDX-License-Identifier: MIT */
/* Entries that are packages of this machine's distribution: what apt says of them. */
#include "engine/catalog/ops_catalog.h"

#include "artifact/apt.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "store/layout.h"

#include <stdlib.h>

/* The sizes and the version of the packages with content, never those of the meta package. */
static void take_answer(struct catalog_entry *entry, const struct apt_answer *answer)
{
    entry->size_bytes = answer->size_bytes;
    free(entry->kernel_version);
    entry->kernel_version = memory_strdup(answer->kernel_version);
}

static void refuse(struct catalog_entry *entry, const char *why)
{
    entry->is_usable = false;
    free(entry->why_unusable);
    entry->why_unusable = memory_strdup(why);
}

bool ops_catalog_ask_apt(
    struct ops *ops, struct catalog *catalog, bool may_ask, bool *is_complete, struct error *err)
{
    int kept = ops->config->is_readonly ? -1 : store_cache_dir(ops->store, STORE_CACHE_CATALOGS);
    *is_complete = true;
    for (size_t i = 0; i < catalog->entry_count; i++) {
        struct catalog_entry *entry = &catalog->entries[i];
        if (!entry->is_usable || entry->apt_packages.count == 0) {
            continue;
        }
        auto_free char *wanted = strings_join(&entry->apt_packages, "|");
        auto_done(apt_answer) struct apt_answer answer = {0};
        struct error failure = {0};
        bool is_known =
            apt_peek(wanted, store_cache_dir(ops->store, STORE_CACHE_CATALOGS), &answer);
        if (!is_known && !may_ask) {
            *is_complete = false;
        } else if (is_known || apt_resolve(wanted, kept, ops->cancel, &answer, &failure)) {
            take_answer(entry, &answer);
        } else if (failure.code == ERROR_CANCELLED) {
            *err = failure;
            return false;
        } else {
            refuse(entry, failure.text);
        }
    }
    return true;
}
