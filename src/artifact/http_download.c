/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "artifact/hash.h"
#include "artifact/http.h"
#include "artifact/http_exchange.h"
#include "artifact/http_file.h"
#include "artifact/http_parse.h"
#include "artifact/part.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"

/* So much that is new makes up for all failures before it. */
#define PROGRESS_THAT_COUNTS ((uint64_t)1 << 20)
#define LOCAL_CHUNK ((size_t)256 << 10)

/* One URL and how it has done so far. */
struct source {
    const char *url;
    char *shown; /* without credentials */
    unsigned failures;
    uint64_t wait_until_ms; /* as the server asked, monotonic */
    bool is_given_up;
    bool is_without_ranges; /* what it says about them was wrong once */
    bool was_mismatch;
    struct error failure; /* the last one */
};

/* One call of http_download. */
struct download {
    const struct http_request *request;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    struct part part;
    struct source *sources;
    struct source *source; /* the one being tried */
    struct http_session *session;
    bool is_range_asked;  /* by the request under way */
    uint64_t cap_bytes;   /* of the whole blob */
    uint64_t total_bytes; /* 0: not known */
    uint64_t furthest;    /* most bytes there ever were */
    uint64_t received;
    uint64_t resumed;
    char *fetched_from;
};

static void download_done(struct download *download)
{
    for (size_t i = 0; download->sources != NULL && i < download->request->url_count; i++) {
        free(download->sources[i].shown);
    }
    free(download->sources);
    free(download->fetched_from);
    http_session_free(download->session);
    part_done(&download->part);
}

/* A local failure: no other URL would do better. */
static enum http_outcome stop_unless(bool is_ok)
{
    return is_ok ? HTTP_DONE : HTTP_STOP;
}

/* The content begins anew with this answer of a server (or file). */
static enum http_outcome begin(
    struct download *download, const char *etag, uint64_t length, struct error *err)
{
    const struct http_blob *expected = &download->request->expected;
    if (length != 0 && expected->size_bytes != 0 && length != expected->size_bytes) {
        error_set(err, ERROR_DIGEST, "%s is %" PRIu64 " bytes, but %" PRIu64 " were promised",
            download->source->shown, length, expected->size_bytes);
        return HTTP_NEVER;
    }
    if (length > download->cap_bytes) {
        error_set(err, ERROR_LIMIT,
            "%s is %" PRIu64 " bytes, more than the limit download_bytes (%" PRIu64 ")",
            download->source->shown, length, download->cap_bytes);
        return HTTP_NEVER;
    }
    download->resumed = 0;
    download->total_bytes = expected->size_bytes != 0 ? expected->size_bytes : length;
    return stop_unless(part_begin(&download->part, etag, download->source->shown, err) &&
                       part_reserve(&download->part, download->total_bytes, err));
}

/* This server's ranges are not to be relied on; the next try asks it for everything. */
static enum http_outcome without_ranges(
    struct download *download, const char *what, struct error *err)
{
    download->source->is_without_ranges = true;
    error_set(err, ERROR_NETWORK, "%s: the server %s", download->source->shown, what);
    return HTTP_AGAIN;
}

/* The content goes on where the part ends. */
static enum http_outcome go_on(
    struct download *download, const struct http_reply *reply, struct error *err)
{
    const char *value = http_reply_only_header(reply, "content-range");
    const char *etag = http_reply_only_header(reply, "etag");
    const uint64_t promised = download->request->expected.size_bytes;
    struct http_range range;
    bool is_right = value != NULL && http_parse_content_range(value, &range) && range.has_bytes &&
                    range.first == download->part.len &&
                    (!range.has_total || range.last == range.total - 1) &&
                    (!range.has_total || promised == 0 || range.total == promised) &&
                    (etag == NULL || strcmp(etag, download->part.etag) == 0);
    if (!is_right || (range.has_total && range.total > download->cap_bytes)) {
        return without_ranges(download, "sends another part than the one asked for", err);
    }
    download->resumed = download->part.len;
    download->total_bytes = promised != 0 ? promised : range.has_total ? range.total : 0;
    return stop_unless(part_reserve(&download->part, download->total_bytes, err));
}

static enum http_outcome accept_reply(
    void *context, const struct http_reply *reply, struct error *err)
{
    struct download *download = context;
    if (reply->status == 416 && download->is_range_asked) {
        /* What is there was hashed and is not the blob: nothing to go on from. */
        return without_ranges(download, "has no bytes behind those we have", err);
    }
    enum http_outcome outcome = http_judge_status(reply, err);
    if (outcome == HTTP_DONE) {
        outcome = http_judge_coding(reply, err);
    }
    if (outcome != HTTP_DONE) {
        return outcome;
    }
    if (reply->status == 206 && download->is_range_asked) {
        return go_on(download, reply, err);
    }
    if (reply->status != 200) {
        error_set(err, ERROR_NETWORK, "%s: the server answers %u, which brings no content",
            download->source->shown, reply->status);
        return HTTP_NEVER;
    }
    const char *length_text = http_reply_only_header(reply, "content-length");
    uint64_t length = 0;
    if (length_text != NULL && !http_parse_length(length_text, &length)) {
        length = 0;
    }
    return begin(download, http_reply_only_header(reply, "etag"), length, err);
}

static enum http_outcome take_bytes(void *context, const void *bytes, size_t len, struct error *err)
{
    struct download *download = context;
    const uint64_t promised = download->request->expected.size_bytes;
    if (promised != 0 && len > promised - download->part.len) {
        error_set(err, ERROR_DIGEST, "%s sends more than the %" PRIu64 " bytes that were promised",
            download->source->shown, promised);
        return HTTP_NEVER;
    }
    if (len > download->cap_bytes - download->part.len) {
        error_set(err, ERROR_LIMIT,
            "%s sends more than the limit download_bytes (%" PRIu64 ") allows",
            download->source->shown, download->cap_bytes);
        return HTTP_NEVER;
    }
    if (!part_append(&download->part, bytes, len, err)) {
        return HTTP_STOP;
    }
    download->received += len;
    progress_report(download->progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, download->part.len,
        download->total_bytes);
    return HTTP_DONE;
}

/* Copies a local file into the part. */
static enum http_outcome copy_local(struct download *download, const char *path, struct error *err)
{
    auto_close int fd = http_file_open(path, err);
    if (fd < 0) {
        return HTTP_NEVER;
    }
    enum http_outcome outcome = begin(download, NULL, 0, err);
    auto_free char *chunk = memory_alloc(LOCAL_CHUNK);
    while (outcome == HTTP_DONE) {
        if (cancel_check(download->cancel, err)) {
            return HTTP_STOP;
        }
        ssize_t got = read(fd, chunk, LOCAL_CHUNK);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error_set_errno(err, errno, "cannot read %s", path);
            return HTTP_NEVER;
        }
        if (got == 0) {
            break;
        }
        outcome = take_bytes(download, chunk, (size_t)got, err);
    }
    return outcome;
}

static enum http_outcome fetch(struct download *download, struct error *err)
{
    struct source *source = download->source;
    auto_free char *path = http_file_path(source->url);
    if (path != NULL) {
        free(download->fetched_from);
        download->fetched_from = memory_strdup(source->url);
        return copy_local(download, path, err);
    }
    auto_free char *range = NULL;
    auto_free char *if_range = NULL;
    const char *headers[3] = {NULL};
    download->is_range_asked =
        download->part.len > 0 && download->part.etag != NULL && !source->is_without_ranges;
    if (download->is_range_asked) {
        /* Another mirror may know the same tag; one that does not sends the whole. */
        range = memory_printf("Range: bytes=%" PRIu64 "-", download->part.len);
        if_range = memory_printf("If-Range: %s", download->part.etag);
        headers[0] = range;
        headers[1] = if_range;
    }
    struct http_exchange exchange = {
        .url = source->url,
        .settings = &download->request->settings,
        .headers = headers,
        .context = download,
        .accept = accept_reply,
        .take = take_bytes,
    };
    auto_done(http_reply) struct http_reply reply = {0};
    enum http_outcome outcome =
        http_exchange(download->session, &exchange, download->cancel, &reply, err);
    source->wait_until_ms = clock_monotonic_ms() + http_retry_after_ms(&reply);
    free(download->fetched_from);
    download->fetched_from = take_ptr(reply.fetched_from);
    return outcome;
}

/* All of it came: is it what was promised? */
static enum http_outcome prove(struct download *download, struct error *err)
{
    const struct http_blob *expected = &download->request->expected;
    if (expected->size_bytes != 0 && download->part.len < expected->size_bytes) {
        error_set(err, ERROR_NETWORK, "%s ends after %" PRIu64 " of %" PRIu64 " bytes",
            download->source->shown, download->part.len, expected->size_bytes);
        return HTTP_AGAIN;
    }
    struct digest found;
    hash_finish(download->part.hash, &found);
    progress_digest(download->progress, &expected->digest, &found);
    if (digest_equal(&found, &expected->digest)) {
        return HTTP_DONE;
    }
    char expected_hex[DIGEST_HEX_LEN + 1], found_hex[DIGEST_HEX_LEN + 1];
    error_set(err, ERROR_DIGEST,
        "%s is not what was promised: %" PRIu64 " bytes with sha256 %s, expected %s",
        download->fetched_from, download->part.len, digest_format(&found, found_hex),
        digest_format(&expected->digest, expected_hex));
    return HTTP_NEVER;
}

/* What a failure means for the URL and for the bytes there are. */
static bool keep_books(struct download *download, enum http_outcome outcome, struct error *err)
{
    struct source *source = download->source;
    if (source->failure.code == ERROR_DIGEST || source->failure.code == ERROR_LIMIT) {
        /* A wrong digest may have come from a wrong range: once more, whole. */
        source->is_given_up = source->was_mismatch || source->failure.code == ERROR_LIMIT;
        source->was_mismatch = source->is_without_ranges = true;
        return part_begin(&download->part, NULL, NULL, err);
    }
    if (download->is_range_asked && source->is_without_ranges) {
        return true; /* nothing was tried yet */
    }
    source->failures++;
    if (download->part.len >= download->furthest + PROGRESS_THAT_COUNTS) {
        source->failures = 0;
    }
    if (download->part.len > download->furthest) {
        download->furthest = download->part.len;
    }
    source->is_given_up = outcome == HTTP_NEVER || source->failures > download->limits->retries;
    return true;
}

/* Tries one URL once. False when there is no point in going on. */
static bool try_source(struct download *download, bool *is_proved, struct error *err)
{
    struct source *source = download->source;
    source->failure = (struct error){0};
    enum http_outcome outcome = fetch(download, &source->failure);
    if (outcome == HTTP_DONE) {
        outcome = prove(download, &source->failure);
    }
    *is_proved = outcome == HTTP_DONE;
    if (outcome == HTTP_STOP) {
        *err = source->failure;
        return false;
    }
    return *is_proved || keep_books(download, outcome, err);
}

/* The first of those that failed least; NULL when all are given up. */
static struct source *next_source(const struct download *download)
{
    struct source *best = NULL;
    for (size_t i = 0; i < download->request->url_count; i++) {
        struct source *source = &download->sources[i];
        if (!source->is_given_up && (best == NULL || source->failures < best->failures)) {
            best = source;
        }
    }
    return best;
}

/* How much a failure tells about what is wrong, compared with those of other mirrors. */
static int weight(enum error_code code)
{
    static const enum error_code telling[] = {
        ERROR_NOT_FOUND, ERROR_AUTH, ERROR_NETWORK, ERROR_FORMAT, ERROR_LIMIT, ERROR_DIGEST};
    for (size_t i = 0; i < array_length(telling); i++) {
        if (telling[i] == code) {
            return (int)i + 1;
        }
    }
    return 0;
}

static bool fail_with_best_reason(const struct download *download, struct error *err)
{
    const struct source *best = &download->sources[0];
    for (size_t i = 1; i < download->request->url_count; i++) {
        if (weight(download->sources[i].failure.code) > weight(best->failure.code)) {
            best = &download->sources[i];
        }
    }
    *err = best->failure;
    return best->failures > 1 ? error_wrap(err, "given up after %u tries", best->failures) : false;
}

static bool transfer(struct download *download, struct error *err)
{
    const size_t count = download->request->url_count;
    unsigned paused_for = 0;
    for (;;) {
        struct source *source = next_source(download);
        if (source == NULL) {
            return fail_with_best_reason(download, err);
        }
        /* One pause per round, not one per mirror; a failure that bytes made up for needs none. */
        if (source->failures > paused_for) {
            uint64_t now_ms = clock_monotonic_ms();
            progress_note(download->progress, "%s; trying again (%u of %" PRIu64 ")",
                source->failure.text, source->failures, download->limits->retries);
            if (!http_wait_before_retry(&download->request->settings, source->failures,
                    source->wait_until_ms > now_ms ? source->wait_until_ms - now_ms : 0,
                    download->cancel, err)) {
                return false;
            }
        }
        paused_for = source->failures;
        download->source = source;
        if (count > 1) {
            progress_note(download->progress, "from %s (source %zu of %zu)", source->shown,
                (size_t)(source - download->sources) + 1, count);
        }
        bool is_proved = false;
        if (!try_source(download, &is_proved, err)) {
            return false;
        }
        if (is_proved) {
            return true;
        }
        if (count > 1) {
            progress_note(download->progress, "%s", source->failure.text);
        }
    }
}

static bool prepare(struct download *download, struct error *err)
{
    const struct http_request *request = download->request;
    if (request->url_count == 0) {
        return error_set(err, ERROR_BUG, "a download without a URL");
    }
    download->sources = memory_zero(request->url_count, sizeof *download->sources);
    for (size_t i = 0; i < request->url_count; i++) {
        if (!http_check_url(request->urls[i], request->settings.is_userinfo_ok, err)) {
            return false;
        }
        download->sources[i].url = request->urls[i];
        download->sources[i].shown = http_strip_userinfo(request->urls[i]);
    }
    if (request->expected.size_bytes > download->limits->download_bytes) {
        return error_set(err, ERROR_LIMIT,
            "%s is %" PRIu64 " bytes, more than the limit download_bytes (%" PRIu64 ")",
            download->sources[0].shown, request->expected.size_bytes,
            download->limits->download_bytes);
    }
    download->cap_bytes = download->limits->download_bytes;
    return true;
}

void http_result_done(struct http_result *result)
{
    free(result->fetched_from);
    *result = (struct http_result){0};
}

bool http_download(int part_dir, const char *part_name, const struct http_request *request,
    const struct progress *progress, const struct cancel *cancel, int *blob_fd,
    struct http_result *result, struct error *err)
{
    auto_done(download) struct download download = {
        .request = request,
        .limits = request->settings.limits != NULL ? request->settings.limits : &limits_default,
        .progress = progress,
        .cancel = cancel,
        .part = {.fd = -1, .write_fd = -1},
    };
    const struct http_blob *expected = &request->expected;
    bool is_complete = false;
    progress_digest(progress, &expected->digest, NULL);
    if (!prepare(&download, err) ||
        !part_open(&download.part, part_dir, part_name, &expected->digest, expected->size_bytes,
            progress, cancel, &is_complete, err)) {
        return false;
    }
    download.part.is_kept = request->is_kept;
    download.furthest = download.part.len;
    if (is_complete) {
        progress_digest(progress, &expected->digest, &expected->digest);
        download.resumed = download.part.len;
    } else {
        download.session = http_session_new();
        if (!transfer(&download, err)) {
            return false;
        }
    }
    *result = (struct http_result){
        .fetched_from = take_ptr(download.fetched_from),
        .size_bytes = download.part.len,
        .downloaded_bytes = download.received,
        .resumed_bytes = download.resumed,
        .was_shared = is_complete && download.part.was_waited_for,
    };
    *blob_fd = part_take_fd(&download.part);
    return true;
}
