/* SPDX-License-Identifier: MIT */
#include "engine/catalog/ops_fetch.h"

#include "artifact/http.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "store/layout.h"

#include <fcntl.h>
#include <string.h>

#define PART_NAME_SIZE (DIGEST_HEX_LEN + sizeof ".part")

void fetched_done(struct fetched *fetched)
{
    for (size_t i = 0; i < fetched->parts.count; i++) {
        memory_auto_close(&fetched->held[i]);
    }
    free(fetched->held);
    strings_done(&fetched->parts);
    free(fetched->from);
    *fetched = (struct fetched){0};
}

int ops_fetch(struct ops *ops, const char *const *urls, size_t url_count,
    const struct digest *digest, uint64_t size_bytes, struct fetched *fetched, struct error *err)
{
    char part[PART_NAME_SIZE];
    digest_format(digest, part);
    memcpy(part + DIGEST_HEX_LEN, ".part", sizeof ".part");
    struct http_request request = {.urls = urls,
        .url_count = url_count,
        .expected = {.digest = *digest, .size_bytes = size_bytes},
        .settings = {
            .limits = ops->limits,
            .ca_file = ops->config->ca_file,
            /* The operator's own, of a URL relative to the catalog's; catalogs cannot bring any. */
            .is_userinfo_ok = true,
        }};
    auto_done(http_result) struct http_result result = {0};
    int blob = -1;
    if (!http_download(store_cache_dir(ops->store, STORE_CACHE_DOWNLOADS), part, &request,
            ops->progress, ops->cancel, &blob, &result, err)) {
        return -1;
    }
    strings_add(&fetched->parts, part);
    fetched->held = memory_grow(fetched->held, fetched->parts.count, sizeof(*fetched->held));
    fetched->held[fetched->parts.count - 1] = fcntl(blob, F_DUPFD_CLOEXEC, 0);
    fetched->size_bytes += result.size_bytes;
    if (fetched->from == NULL) {
        fetched->from = take_ptr(result.fetched_from);
    }
    return blob;
}

void ops_fetch_forget(struct ops *ops, const struct fetched *fetched)
{
    struct error ignored = {0};
    for (size_t i = 0; i < fetched->parts.count; i++) {
        http_part_remove(store_cache_dir(ops->store, STORE_CACHE_DOWNLOADS),
            fetched->parts.items[i], fetched->held[i], &ignored);
        error_clear(&ignored);
    }
}
