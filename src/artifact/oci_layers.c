/* SPDX-License-Identifier: MIT */
#include "artifact/oci_layers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "artifact/blob_cache.h"
#include "artifact/oci_image.h"
#include "artifact/oci_pull.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"

struct oci_layers {
    struct oci_fetch fetch;
    const struct progress *progress; /* the caller's */
    struct progress fetching, reading;
    pthread_mutex_t telling; /* held while somebody reports */
    struct oci_layer *layers;
    size_t count;
    struct oci_descriptor *blobs; /* of the layers, newest first */
    char *shown;
    struct cancel *stop;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t change;
    bool *is_here; /* by blob */
    bool is_over;  /* nothing more will come; err says why, if that is not well */
    struct error err;
};

/* ---- progress of two threads ---- */

static void report(struct oci_layers *layers, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    pthread_mutex_lock(&layers->telling);
    progress_report(layers->progress, phase, unit, done, total);
    pthread_mutex_unlock(&layers->telling);
}

static void report_fetching(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    report(context, phase, unit, done, total);
}

static bool is_over(struct oci_layers *layers)
{
    pthread_mutex_lock(&layers->lock);
    bool is_over = layers->is_over;
    pthread_mutex_unlock(&layers->lock);
    return is_over;
}

static void report_reading(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    if (is_over(context)) {
        report(context, phase, unit, done, total);
    }
}

static void note(void *context, const char *sentence)
{
    struct oci_layers *layers = context;
    pthread_mutex_lock(&layers->telling);
    progress_note(layers->progress, "%s", sentence);
    pthread_mutex_unlock(&layers->telling);
}

static void digest(void *context, const struct digest *expected, const struct digest *found)
{
    struct oci_layers *layers = context;
    pthread_mutex_lock(&layers->telling);
    progress_digest(layers->progress, expected, found);
    pthread_mutex_unlock(&layers->telling);
}

const struct progress *oci_layers_progress(const struct oci_layers *layers)
{
    return &layers->reading;
}

/* ---- fetching ---- */

static void take_arrival(void *context, const struct oci_descriptor *blob)
{
    struct oci_layers *layers = context;
    pthread_mutex_lock(&layers->lock);
    for (size_t i = 0; i < layers->count; i++) {
        layers->is_here[i] |= digest_equal(&layers->blobs[i].digest, &blob->digest);
    }
    pthread_cond_broadcast(&layers->change);
    pthread_mutex_unlock(&layers->lock);
}

static void *fetch_all(void *context)
{
    struct oci_layers *layers = context;
    struct error err = {0};
    bool is_fine = oci_fetch_blobs(&layers->fetch, layers->blobs, layers->count, &err);
    pthread_mutex_lock(&layers->lock);
    layers->is_over = true;
    if (!is_fine) {
        layers->err = err;
    }
    pthread_cond_broadcast(&layers->change);
    pthread_mutex_unlock(&layers->lock);
    return NULL;
}

static void take_image(struct oci_layers *layers, const struct oci_image *image)
{
    size_t count = image->layer_count;
    layers->count = count;
    layers->layers = memory_dup(image->layers, count * sizeof *layers->layers);
    layers->is_here = memory_zero(count, sizeof *layers->is_here);
    layers->blobs = memory_zero(count, sizeof *layers->blobs);
    for (size_t i = 0; i < count; i++) {
        const struct oci_layer *layer = &image->layers[count - 1 - i];
        layers->blobs[i] =
            (struct oci_descriptor){.digest = layer->digest, .size_bytes = layer->size_bytes};
    }
}

struct oci_layers *oci_layers_begin(
    const struct oci_fetch *fetch, const struct oci_image *image, const char *shown)
{
    struct oci_layers *layers = memory_zero(1, sizeof *layers);
    take_image(layers, image);
    layers->shown = memory_strdup(shown);
    layers->stop = cancel_new();
    layers->progress = fetch->progress;
    layers->fetching = (struct progress){
        .context = layers, .report = report_fetching, .note = note, .digest = digest};
    layers->reading = (struct progress){
        .context = layers, .report = report_reading, .note = note, .digest = digest};
    layers->fetch = *fetch;
    layers->fetch.progress = &layers->fetching;
    layers->fetch.stop = layers->stop;
    layers->fetch.arrived = take_arrival;
    layers->fetch.context = layers;
    pthread_mutex_init(&layers->telling, NULL);
    pthread_mutex_init(&layers->lock, NULL);
    pthread_cond_init(&layers->change, NULL);
    layers->has_thread = pthread_create(&layers->thread, NULL, fetch_all, layers) == 0;
    if (!layers->has_thread) {
        fetch_all(layers); /* one after the other, then */
    }
    return layers;
}

void oci_layers_end(struct oci_layers *layers)
{
    if (layers == NULL) {
        return;
    }
    cancel_request(layers->stop);
    if (layers->has_thread) {
        pthread_join(layers->thread, NULL);
    }
    pthread_cond_destroy(&layers->change);
    pthread_mutex_destroy(&layers->lock);
    pthread_mutex_destroy(&layers->telling);
    cancel_free(layers->stop);
    free(layers->blobs);
    free(layers->is_here);
    free(layers->layers);
    free(layers->shown);
    free(layers);
}

/* ---- reading ---- */

static bool is_compressed_so(const uint8_t head[4], ssize_t len, enum oci_compression compression)
{
    const bool is_gzip = len >= 2 && head[0] == 0x1f && head[1] == 0x8b;
    const bool is_frame =
        len == 4 && head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd;
    const bool is_skippable = len == 4 && (head[0] & 0xf0) == 0x50 && head[1] == 0x2a &&
                              head[2] == 0x4d && head[3] == 0x18;
    const bool is_zstd = is_frame || is_skippable;
    switch (compression) {
    case OCI_LAYER_TAR:
        return !is_gzip && !is_zstd;
    case OCI_LAYER_GZIP:
        return is_gzip;
    case OCI_LAYER_ZSTD:
        return is_zstd;
    }
    return false;
}

/* The media type decided how the layer will be read: its first bytes must say the same. And what
 * is listed twice must be of one size. */
static bool check_layer(
    const struct oci_layers *layers, const struct oci_layer *layer, struct error *err)
{
    const int cache = layers->fetch.settings->blobs_dir;
    const struct oci_descriptor blob = {.digest = layer->digest, .size_bytes = layer->size_bytes};
    uint8_t head[4] = {0};
    auto_close int fd = blob_cache_open(cache, &layer->digest, err);
    if (fd < 0) {
        return false;
    }
    if (!blob_cache_has(cache, &blob)) {
        return error_set(err, ERROR_DIGEST,
            "a layer of %s is not of the %" PRIu64 " bytes that were promised", layers->shown,
            layer->size_bytes);
    }
    char hex[DIGEST_HEX_LEN + 1];
    return is_compressed_so(head, pread(fd, head, sizeof head, 0), layer->compression) ||
           error_set(err, ERROR_FORMAT, "layer sha256:%s of %s is not compressed as its type says",
               digest_format(&layer->digest, hex), layers->shown);
}

bool oci_layers_wait(struct oci_layers *layers, size_t index, struct error *err)
{
    const bool *is_here = &layers->is_here[layers->count - 1 - index];
    pthread_mutex_lock(&layers->lock);
    while (!*is_here && !layers->is_over) {
        pthread_cond_wait(&layers->change, &layers->lock);
    }
    if (!*is_here) {
        *err = layers->err;
    }
    bool has_come = *is_here;
    pthread_mutex_unlock(&layers->lock);
    return has_come && check_layer(layers, &layers->layers[index], err);
}

bool oci_layers_finish(struct oci_layers *layers, struct error *err)
{
    for (size_t i = 0; i < layers->count; i++) {
        if (!oci_layers_wait(layers, i, err)) {
            return false;
        }
    }
    pthread_mutex_lock(&layers->lock);
    while (!layers->is_over) {
        pthread_cond_wait(&layers->change, &layers->lock);
    }
    *err = layers->err;
    pthread_mutex_unlock(&layers->lock);
    return err->code == ERROR_NONE;
}
