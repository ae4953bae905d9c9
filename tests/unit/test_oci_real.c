/* SPDX-License-Identifier: MIT */
/* Pulling from Debian's docker-registry what skopeo and umoci put there. */
#include "artifact/oci_pull.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "artifact/blob_cache.h"
#include "artifact/hash.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "support/web_server.h"

static struct web_server server;

struct repository {
    const char *name;
    size_t layer_count;
    enum oci_compression last;
};

static const struct repository repositories[] = {
    {"plain", 3, OCI_LAYER_ZSTD},
    {"docker", 2, OCI_LAYER_GZIP},
    {"index", 3, OCI_LAYER_ZSTD},
    {"umoci", 2, OCI_LAYER_GZIP},
};

/* What skopeo says that the reference names. */
static struct digest expected_digest(const char *name)
{
    auto_free char *path = memory_printf("%s.digest", name);
    auto_done(text) struct text text = {0};
    struct error err = {0};
    struct digest digest;
    assert_true(file_read_all(server.root, path, 200, &text, &err));
    assert_true(digest_parse(text_cstr(&text), &digest));
    return digest;
}

static void check_layers(int blobs_dir, const struct oci_image *image)
{
    for (size_t i = 0; i < image->layer_count; i++) {
        struct error err = {0};
        struct digest found;
        auto_close int fd = blob_cache_open(blobs_dir, &image->layers[i].digest, &err);
        assert_true(fd >= 0 && hash_fd(fd, "blob", NULL, NULL, &found, &err));
        assert_true(digest_equal(&found, &image->layers[i].digest));
        assert_int_equal(lseek(fd, 0, SEEK_END), image->layers[i].size_bytes);
    }
}

static void test_real_registry(void **state)
{
    (void)state;
    struct error err = {0};
    assert_true(file_make_dirs(server.root, "cache/blobs", &err));
    assert_true(file_make_dirs(server.root, "cache/downloads", &err));
    auto_close int blobs = file_open_dir(server.root, "cache/blobs", &err);
    auto_close int downloads = file_open_dir(server.root, "cache/downloads", &err);
    const struct oci_settings settings = {
        .blobs_dir = blobs, .downloads_dir = downloads, .platform = "linux/amd64"};
    for (size_t i = 0; i < array_length(repositories); i++) {
        const struct repository *repository = &repositories[i];
        auto_done(oci_image) struct oci_image image = {0};
        auto_done(oci_resolution) struct oci_resolution resolution = {0};
        auto_free char *reference =
            memory_printf("127.0.0.1:%u/real/%s:t", server.port, repository->name);
        struct digest expected = expected_digest(repository->name);
        if (!oci_pull(&settings, reference, NULL, NULL, &image, &err) ||
            !oci_resolve(&settings, reference, NULL, &resolution, &err)) {
            fail_msg("%s: %s", reference, err.text);
        }
        assert_true(digest_equal(&image.pinned_digest, &expected));
        assert_true(digest_equal(&resolution.digest, &expected));
        assert_int_equal(image.layer_count, repository->layer_count);
        check_layers(blobs, &image);
        assert_int_equal(image.layers[image.layer_count - 1].compression, repository->last);
    }
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    struct error err = {0};
    auto_close int blobs = file_open_dir(server.root, "cache/blobs", &err);
    const struct oci_settings settings = {.blobs_dir = blobs, .downloads_dir = blobs};
    struct oci_image image = {0};
    static const char *const absent[] = {"real/plain:absent", "real/nothing:t",
        "real/plain@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < array_length(absent); i++) {
        auto_free char *reference = memory_printf("127.0.0.1:%u/%s", server.port, absent[i]);
        error_clear(&err);
        assert_false(oci_pull(&settings, reference, NULL, NULL, &image, &err));
        assert_int_equal(err.code, ERROR_NOT_FOUND);
    }
}

static int start(void **state)
{
    (void)state;
    web_server_start_script(&server, "real_registry.py", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    web_server_stop(&server);
    return 0;
}

int main(void)
{
    static const char *const programs[] = {"python3", "docker-registry", "skopeo", "umoci"};
    for (size_t i = 0; i < array_length(programs); i++) {
        auto_free char *path = process_find(programs[i]);
        if (path == NULL) {
            fprintf(stderr, "skipped: %s is missing\n", programs[i]);
            return 77;
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_registry),
        cmocka_unit_test(test_what_is_not_there),
    };
    return cmocka_run_group_tests_name("oci_real", tests, start, stop);
}
