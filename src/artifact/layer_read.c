/* SPDX-License-Identifier: MIT */
#include "artifact/layer_read.h"

#include <sys/stat.h>

#include "artifact/decompress_ahead.h"
#include "artifact/hash.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"

struct layer_reader {
    struct decompress_ahead *stream;
    struct tar_scan *scan;
    struct hash *hash; /* NULL: not wanted */
    const struct digest *diff_id;
    char *shown;
    const uint8_t *bytes; /* the stream's */
    size_t at, end;
    uint64_t data_left; /* of the member taken last */
};

struct layer_reader *layer_reader_new(int fd, unsigned accepted, const struct digest *diff_id,
    const char *shown, const struct limits *limits, const struct cancel *cancel, struct error *err)
{
    struct stat status;
    struct decompress *decompress =
        decompress_new_fd(fd, 0, UINT64_MAX, accepted, limits, shown, cancel, err);
    if (!decompress) {
        return NULL;
    }
    struct layer_reader *reader = memory_zero(1, sizeof *reader);
    reader->stream =
        decompress_ahead_new(decompress, fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0);
    reader->scan = tar_scan_new(TAR_SPARSE, limits);
    reader->hash = diff_id ? hash_new() : NULL;
    reader->diff_id = diff_id;
    reader->shown = memory_strdup(shown);
    return reader;
}

void layer_reader_free(struct layer_reader *reader)
{
    if (reader) {
        decompress_ahead_free(reader->stream);
        tar_scan_free(reader->scan);
        hash_free(reader->hash);
        free(reader->shown);
        free(reader);
    }
}

void layer_reader_auto_free(struct layer_reader **reader)
{
    layer_reader_free(*reader);
}

/* Has bytes to look at, or is_over. */
static bool fill(struct layer_reader *reader, bool *is_over, struct error *err)
{
    *is_over = false;
    if (reader->at < reader->end) {
        return true;
    }
    ssize_t got = decompress_ahead_next(reader->stream, &reader->bytes, err);
    if (got < 0) {
        return false;
    }
    if (reader->hash) {
        hash_update(reader->hash, reader->bytes, (size_t)got);
    }
    reader->at = 0;
    reader->end = (size_t)got;
    *is_over = got == 0;
    return true;
}

/* Some tools leave an archive's end mark out (umoci insert does). Where a digest says that this is
 * the whole of it, nothing can have been cut off. */
static bool prove(struct layer_reader *reader, struct error *err)
{
    struct digest found;
    bool is_known_whole = reader->hash && tar_scan_could_end(reader->scan);
    if (!is_known_whole && !tar_scan_finish(reader->scan, err)) {
        return error_wrap(err, "%s", reader->shown);
    }
    if (!reader->hash) {
        return true;
    }
    hash_finish(reader->hash, &found);
    if (digest_equal(&found, reader->diff_id)) {
        return true;
    }
    char expected_hex[DIGEST_HEX_LEN + 1];
    char found_hex[DIGEST_HEX_LEN + 1];
    return error_set(err, ERROR_DIGEST,
        "%s: its content is not what the image's config promises: expected %s, found %s",
        reader->shown, digest_format(reader->diff_id, expected_hex),
        digest_format(&found, found_hex));
}

int layer_reader_next(struct layer_reader *reader, struct tar_member *member, struct error *err)
{
    while (!tar_scan_take(reader->scan, member)) {
        bool is_over = false;
        const void *data = NULL;
        size_t used = 0;
        size_t len = 0;
        if (!fill(reader, &is_over, err)) {
            return -1;
        }
        if (is_over) {
            return prove(reader, err) ? 0 : -1;
        }
        if (!tar_scan_walk(reader->scan, reader->bytes + reader->at, reader->end - reader->at,
                &used, &data, &len, err)) {
            error_wrap(err, "%s", reader->shown);
            return -1;
        }
        reader->at += used;
    }
    reader->data_left = member->data_bytes;
    return 1;
}

bool layer_reader_data(
    struct layer_reader *reader, const void **data, size_t *len, struct error *err)
{
    *len = 0;
    while (reader->data_left > 0 && *len == 0) {
        bool is_over = false;
        size_t used = 0;
        if (!fill(reader, &is_over, err)) {
            return false;
        }
        if (is_over) {
            return prove(reader, err);
        }
        if (!tar_scan_walk(reader->scan, reader->bytes + reader->at, reader->end - reader->at,
                &used, data, len, err)) {
            return error_wrap(err, "%s", reader->shown);
        }
        reader->at += used;
        reader->data_left -= *len;
    }
    return true;
}

uint64_t layer_reader_in(const struct layer_reader *reader)
{
    return decompress_ahead_in(reader->stream);
}

uint64_t layer_reader_out(const struct layer_reader *reader)
{
    return decompress_ahead_out(reader->stream);
}
