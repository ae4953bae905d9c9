/* SPDX-License-Identifier: MIT */
/* Makes a disk, for tests and benchmarks that compare it with what other tools make:
 *
 *     flatten_driver DISK SIZE image BLOBS_DIR MANIFEST_DIGEST [LAYER DIFF_ID gzip|zstd|tar BYTES]...
 *     flatten_driver DISK SIZE tar FILE
 *     flatten_driver DISK SIZE directory DIRECTORY
 *     flatten_driver DISK SIZE seed IMAGE      (its /root, a nested home put right)
 *     flatten_driver DISK 0 unnest .           (of the disk that is there)
 *
 * SIZE in bytes, 0 by rule; limits by the environment, as FLATTEN_entries=100. Prints the report
 * as words and numbers, or says what failed on stderr and ends with its exit status. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/flatten.h"
#include "artifact/oci_image.h"
#include "artifact/work_seed.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"

static struct limits limits;

static void read_limits(void)
{
    limits = limits_default;
    for (unsigned i = 0; i < limits_row_count; i++) {
        auto_free char *name = memory_printf("FLATTEN_%s", limits_rows[i].key);
        const char *value = getenv(name);
        uint64_t number = value != NULL ? strtoull(value, NULL, 10) : 0;
        if (value != NULL) {
            memcpy((char *)&limits + limits_rows[i].offset, &number, sizeof number);
        }
    }
}

static bool image(int fd, const struct flatten_options *options, char **argv,
    struct flatten_report *report, struct error *err)
{
    auto_done(oci_image) struct oci_image image = {0};
    auto_close int blobs = file_open_dir(AT_FDCWD, argv[0], err);
    if (blobs < 0 || !digest_parse(argv[1], &image.manifest_digest)) {
        return error_set(err, ERROR_INVALID, "the arguments are wrong");
    }
    for (argv += 2; argv[0]; argv += 4) {
        image.layers = memory_grow(image.layers, image.layer_count + 1, sizeof *image.layers);
        struct oci_layer *layer = &image.layers[image.layer_count++];
        *layer = (struct oci_layer){.compression = argv[2][0] == 'g'   ? OCI_LAYER_GZIP
                                                   : argv[2][0] == 'z' ? OCI_LAYER_ZSTD
                                                                       : OCI_LAYER_TAR,
            .size_bytes = strtoull(argv[3], NULL, 10)};
        image.layers_bytes += layer->size_bytes;
        if (!digest_parse(argv[0], &layer->digest) || !digest_parse(argv[1], &layer->diff_id)) {
            return error_set(err, ERROR_INVALID, "%s or %s is no digest", argv[0], argv[1]);
        }
    }
    return flatten_image(&image, blobs, options, fd, &limits, NULL, NULL, report, err);
}

static bool tar(int fd, const struct flatten_options *options, const char *path,
    struct flatten_report *report, struct error *err)
{
    auto_close int from = file_open_read(AT_FDCWD, path, err);
    return from >= 0 && flatten_tar(from, path, options, fd, &limits, NULL, NULL, report, err);
}

static bool directory(int fd, const struct flatten_options *options, const char *path,
    struct flatten_report *report, struct error *err)
{
    auto_close int from = file_open_dir(AT_FDCWD, path, err);
    return from >= 0 &&
           flatten_directory(from, path, options, fd, &limits, NULL, NULL, report, err);
}

static bool seed(int fd, const struct flatten_options *options, const char *path,
    struct flatten_report *report, struct error *err)
{
    auto_close int from = file_open_read(AT_FDCWD, path, err);
    const struct work_seed_options wanted = {
        .size_bytes = options->size_bytes, .label = options->label};
    return from >= 0 && work_seed_make(from, &wanted, fd, &limits, NULL, report, err);
}

static bool unnest(const char *disk, struct error *err)
{
    bool has_changed = false;
    auto_close int fd = open(disk, O_RDWR | O_CLOEXEC);
    return fd >= 0 && work_seed_unnest(fd, &has_changed, err);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct flatten_report report = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: flatten_driver DISK SIZE image|tar|directory …\n");
        return 64;
    }
    read_limits();
    const struct flatten_options options = {
        .size_bytes = strtoull(argv[2], NULL, 10), .label = "root"};
    bool is_unnest = strcmp(argv[3], "unnest") == 0;
    auto_close int fd =
        open(argv[1], O_RDWR | O_CREAT | (is_unnest ? 0 : O_TRUNC) | O_CLOEXEC, 0600);
    bool is_fine = false;
    if (fd < 0) {
        error_set(&err, ERROR_IO, "cannot create %s", argv[1]);
    } else if (strcmp(argv[3], "image") == 0) {
        is_fine = image(fd, &options, argv + 4, &report, &err);
    } else if (strcmp(argv[3], "tar") == 0) {
        is_fine = tar(fd, &options, argv[4], &report, &err);
    } else if (strcmp(argv[3], "directory") == 0) {
        is_fine = directory(fd, &options, argv[4], &report, &err);
    } else if (strcmp(argv[3], "seed") == 0) {
        is_fine = seed(fd, &options, argv[4], &report, &err);
    } else if (is_unnest) {
        is_fine = unnest(argv[1], &err);
    }
    if (!is_fine) {
        fprintf(stderr, "%s: %s\n", error_code_name(err.code), err.text);
        return error_exit_status(err.code);
    }
    printf("entries %" PRIu64 "\nhidden %" PRIu64 "\nskipped_xattrs %" PRIu64
           "\nskipped_sockets %" PRIu64 "\nsize %" PRIu64 "\nused %" PRIu64 "\n",
        report.entries, report.hidden, report.skipped_xattrs, report.skipped_sockets,
        report.size_bytes, report.used_bytes);
    return 0;
}
