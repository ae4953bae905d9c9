/* SPDX-License-Identifier: MIT */
#include "artifact/oci_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "artifact/blob_cache.h"
#include "artifact/hash.h"
#include "artifact/http.h"
#include "artifact/oci_descriptor.h"
#include "artifact/oci_image.h"
#include "artifact/oci_pull.h"
#include "artifact/oci_registry.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"

#define NAME_SIZE (DIGEST_HEX_LEN + sizeof "blobs/sha256:.part")

/* What the threads of one call share. */
struct crew {
    const struct oci_fetch *fetch;
    const struct oci_descriptor **blobs; /* those that are missing */
    size_t count;
    uint64_t total_bytes;
    struct cancel *stop; /* the caller's wish, or a failure */
    int ended_fd;        /* eventfd: how many threads have ended */
    pthread_mutex_t lock;
    size_t next;
    uint64_t settled_bytes;
    uint64_t current_bytes[OCI_PARALLEL_LAYERS];
    struct error err; /* the first failure */
};

struct hand {
    struct crew *crew;
    size_t index;
    pthread_t thread;
};

/* Lock held. */
static void report_sum(struct crew *crew)
{
    uint64_t sum = crew->settled_bytes;
    for (size_t i = 0; i < OCI_PARALLEL_LAYERS; i++) {
        sum += crew->current_bytes[i];
    }
    progress_report(
        crew->fetch->progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, sum, crew->total_bytes);
}

static void on_report(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    struct hand *hand = context;
    (void)unit;
    (void)total;
    if (phase == PROGRESS_DOWNLOAD) {
        pthread_mutex_lock(&hand->crew->lock);
        hand->crew->current_bytes[hand->index] = done;
        report_sum(hand->crew);
        pthread_mutex_unlock(&hand->crew->lock);
    }
}

static void on_note(void *context, const char *sentence)
{
    struct hand *hand = context;
    pthread_mutex_lock(&hand->crew->lock);
    progress_note(hand->crew->fetch->progress, "%s", sentence);
    pthread_mutex_unlock(&hand->crew->lock);
}

/* One try at one registry. */
static bool download(struct hand *hand, const struct oci_registry *registry, const char *path,
    const struct oci_descriptor *blob, const char *authorization, struct error *err)
{
    const struct oci_settings *settings = hand->crew->fetch->settings;
    auto_free char *url = oci_registry_url(registry, path);
    char part[NAME_SIZE];
    digest_format(&blob->digest, part);
    memcpy(part + DIGEST_HEX_LEN, ".part", sizeof ".part");
    const char *const urls[] = {url};
    struct http_request request = {
        .urls = urls,
        .url_count = 1,
        .expected = {.digest = blob->digest, .size_bytes = blob->size_bytes},
        .settings =
            {
                .limits = &registry->limits,
                .ca_file = settings->ca_file,
                .authorization = authorization,
                .backoff_ms = settings->backoff_ms,
            },
        .is_kept = true,
    };
    const struct progress progress = {.context = hand, .report = on_report, .note = on_note};
    auto_done(http_result) struct http_result result = {0};
    auto_close int fd = -1;
    return http_download(settings->downloads_dir, part, &request, &progress, hand->crew->stop, &fd,
               &result, err) &&
           blob_cache_take_part(
               settings->blobs_dir, &blob->digest, settings->downloads_dir, part, fd, err);
}

/* A token may have run out, or never been asked for: once more with a new one. */
static bool fetch_from(struct hand *hand, struct oci_registry *registry,
    const struct oci_descriptor *blob, struct error *err)
{
    const struct cancel *stop = hand->crew->stop;
    char hex[DIGEST_HEX_LEN + 1];
    char *value = NULL;
    auto_free char *path = memory_printf("blobs/sha256:%s", digest_format(&blob->digest, hex));
    if (!oci_registry_connect(registry, stop, err) ||
        !oci_registry_authorize(registry, path, false, NULL, stop, &value, err)) {
        return false;
    }
    bool is_done = download(hand, registry, path, blob, value, err);
    if (!is_done && err->code == ERROR_AUTH) {
        char *refused = value;
        value = NULL;
        struct error failure = {0};
        if (oci_registry_authorize(registry, path, true, refused, stop, &value, &failure)) {
            error_clear(err);
            is_done = download(hand, registry, path, blob, value, err);
        } else {
            *err = failure;
        }
        memory_wipe(refused);
    }
    memory_wipe(value);
    return is_done;
}

static bool is_worth_another(enum error_code code)
{
    return code == ERROR_NETWORK || code == ERROR_NOT_FOUND || code == ERROR_AUTH ||
           code == ERROR_DIGEST || code == ERROR_FORMAT || code == ERROR_LIMIT;
}

static bool fetch_blob(struct hand *hand, const struct oci_descriptor *blob, struct error *err)
{
    const struct oci_fetch *fetch = hand->crew->fetch;
    if (blob->size_bytes == 0) {
        return oci_descriptor_prove(blob, "", 0, "an empty blob", err) &&
               blob_cache_put(fetch->settings->blobs_dir, &blob->digest, "", 0, err);
    }
    for (size_t i = fetch->first; i < fetch->registries->count; i++) {
        error_clear(err);
        if (fetch_from(hand, &fetch->registries->items[i], blob, err)) {
            return true;
        }
        if (!is_worth_another(err->code)) {
            break;
        }
    }
    return false;
}

/* The next one to be fetched; NULL when there is none or all stop. */
static const struct oci_descriptor *next_blob(struct crew *crew)
{
    const struct oci_descriptor *blob = NULL;
    pthread_mutex_lock(&crew->lock);
    if (crew->next < crew->count && !cancel_is_requested(crew->stop)) {
        blob = crew->blobs[crew->next++];
    }
    pthread_mutex_unlock(&crew->lock);
    return blob;
}

/* Lock held, or no threads yet. */
static void tell_arrival(const struct crew *crew, const struct oci_descriptor *blob)
{
    if (crew->fetch->arrived != NULL) {
        crew->fetch->arrived(crew->fetch->context, blob);
    }
}

static void settle(struct hand *hand, const struct oci_descriptor *blob, const struct error *err)
{
    struct crew *crew = hand->crew;
    pthread_mutex_lock(&crew->lock);
    crew->current_bytes[hand->index] = 0;
    if (err == NULL) {
        crew->settled_bytes += blob->size_bytes;
        tell_arrival(crew, blob);
        report_sum(crew);
    } else if (crew->err.code == ERROR_NONE) {
        crew->err = *err;
        cancel_request(crew->stop);
    }
    pthread_mutex_unlock(&crew->lock);
}

static void *work(void *context)
{
    struct hand *hand = context;
    const struct oci_descriptor *blob = NULL;
    while ((blob = next_blob(hand->crew)) != NULL) {
        struct error err = {0};
        bool is_done = fetch_blob(hand, blob, &err);
        settle(hand, blob, is_done ? NULL : &err);
    }
    const uint64_t one = 1;
    ssize_t ignored = write(hand->crew->ended_fd, &one, sizeof one);
    (void)ignored;
    return NULL;
}

/* Waits for all threads to end, passing the caller's wish to stop on to them. */
static void wait_for_all(struct crew *crew, size_t threads)
{
    uint64_t ended = 0;
    bool is_told = false;
    while (ended < threads) {
        struct pollfd fds[2] = {{.fd = crew->ended_fd, .events = POLLIN},
            {.fd = is_told ? -1 : cancel_fd(crew->fetch->cancel), .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (cancel_is_requested(crew->fetch->cancel) && !is_told) {
            cancel_request(crew->stop);
            is_told = true;
        }
        uint64_t more = 0;
        if (fds[0].revents != 0 && read(crew->ended_fd, &more, sizeof more) == sizeof more) {
            ended += more;
        }
    }
}

static void run_crew(struct crew *crew)
{
    struct hand hands[OCI_PARALLEL_LAYERS];
    size_t started = 0;
    while (started < OCI_PARALLEL_LAYERS && started < crew->count) {
        hands[started] = (struct hand){.crew = crew, .index = started};
        int failure = pthread_create(&hands[started].thread, NULL, work, &hands[started]);
        if (failure != 0) {
            break; /* the others do its share */
        }
        started++;
    }
    if (started == 0) {
        error_set(&crew->err, ERROR_IO, "no thread can be started to fetch layers");
        return;
    }
    wait_for_all(crew, started);
    for (size_t i = 0; i < started; i++) {
        pthread_join(hands[i].thread, NULL);
    }
}

static bool is_listed(const struct crew *crew, const struct oci_descriptor *blob)
{
    for (size_t i = 0; i < crew->count; i++) {
        if (digest_equal(&crew->blobs[i]->digest, &blob->digest)) {
            return true;
        }
    }
    return false;
}

/* Chooses what is to be fetched, and sees that there is room for it. */
static bool list_missing(
    struct crew *crew, const struct oci_descriptor *blobs, size_t count, struct error *err)
{
    uint64_t missing_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_listed(crew, &blobs[i])) {
            continue;
        }
        crew->total_bytes += blobs[i].size_bytes;
        if (blob_cache_has(crew->fetch->settings->blobs_dir, &blobs[i])) {
            crew->settled_bytes += blobs[i].size_bytes;
            tell_arrival(crew, &blobs[i]);
            continue;
        }
        crew->blobs[crew->count++] = &blobs[i];
        missing_bytes += blobs[i].size_bytes;
    }
    return file_need_space(crew->fetch->settings->downloads_dir, ".", missing_bytes, err);
}

bool oci_fetch_blobs(const struct oci_fetch *fetch, const struct oci_descriptor *blobs,
    size_t count, struct error *err)
{
    struct crew crew = {.fetch = fetch};
    auto_free const struct oci_descriptor **missing = memory_zero(count, sizeof(void *));
    crew.blobs = missing;
    if (cancel_check(fetch->cancel, err) || !list_missing(&crew, blobs, count, err)) {
        return false;
    }
    if (crew.count == 0) {
        return true;
    }
    auto_close int ended = eventfd(0, EFD_CLOEXEC);
    if (ended < 0) {
        return error_set_errno(err, errno, "layers cannot be fetched");
    }
    struct cancel *own = fetch->stop == NULL ? cancel_new() : NULL;
    crew.ended_fd = ended;
    crew.stop = own != NULL ? own : fetch->stop;
    pthread_mutex_init(&crew.lock, NULL);
    run_crew(&crew);
    pthread_mutex_destroy(&crew.lock);
    cancel_free(own);
    if (crew.err.code != ERROR_NONE) {
        *err = crew.err;
        return false;
    }
    return !cancel_check(fetch->cancel, err);
}
