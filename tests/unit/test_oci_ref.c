/* SPDX-License-Identifier: MIT */
/* References to images in registries: what they mean, and what is none. */
#include "artifact/oci_ref.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"
#define LONG_128 LONG_64 LONG_64

struct good {
    const char *text;
    const char *host;
    const char *repository;
    const char *canonical;
};

static const struct good good[] = {
    {"debian", "docker.io", "library/debian", "docker.io/library/debian:latest"},
    {"debian:bookworm", "docker.io", "library/debian", "docker.io/library/debian:bookworm"},
    {"owner/name", "docker.io", "owner/name", "docker.io/owner/name:latest"},
    {"docker.io/debian:12", "docker.io", "library/debian", "docker.io/library/debian:12"},
    {"index.docker.io/debian", "docker.io", "library/debian", "docker.io/library/debian:latest"},
    {"registry-1.docker.io/a/b", "docker.io", "a/b", "docker.io/a/b:latest"},
    {"ghcr.io/a/b/c:v1.2_3-4", "ghcr.io", "a/b/c", "ghcr.io/a/b/c:v1.2_3-4"},
    {"GHCR.io/a/b", "ghcr.io", "a/b", "ghcr.io/a/b:latest"},
    {"localhost/x", "localhost", "x", "localhost/x:latest"},
    {"localhost:5000/x", "localhost:5000", "x", "localhost:5000/x:latest"},
    {"localhost:5000", "docker.io", "library/localhost", "docker.io/library/localhost:5000"},
    {"127.0.0.1:5000/a/b:t", "127.0.0.1:5000", "a/b", "127.0.0.1:5000/a/b:t"},
    {"[::1]:5000/a", "[::1]:5000", "a", "[::1]:5000/a:latest"},
    {"a.io", "docker.io", "library/a.io", "docker.io/library/a.io:latest"},
    {"a.b-c.d/e", "a.b-c.d", "e", "a.b-c.d/e:latest"},
    {"a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f", "docker.io/a__b/c--d.e_f:latest"},
    {"x:_t", "docker.io", "library/x", "docker.io/library/x:_t"},
    {"x:" LONG_128, "docker.io", "library/x", "docker.io/library/x:" LONG_128},
    {"x@sha256:" HEX, "docker.io", "library/x", "docker.io/library/x@sha256:" HEX},
    {"q.io/x:t@sha256:" HEX, "q.io", "x", "q.io/x:t@sha256:" HEX},
};

static const char *const bad[] = {"", "/", "/x", "x/", "a//b", "Debian", "a/B", "x:", "x:-t",
    "x:.t", "x:a b", "x:a/b:", "x:" LONG_128 "c", "x@", "x@sha256:", "x@sha256:" HEX "0",
    "x@sha256:../../x", "x@" HEX, "x@sha512:" HEX HEX, "x@sha256:" HEX "@sha256:" HEX,
    "x@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "-x", "x-", "_x",
    "x_", ".x", "x.", "a..b", "a___b", "a._b", "a/../b", "../a", "a b", "a\n", "\n", "a\tb",
    "a\x1b[31mb", "a%2fb", "a?b", "a#b", "a\\b", "\xc3\xa4", "a\xff", "https://ghcr.io/a",
    "http://x/y", "-a.io/x", "a-.io/x", "a..io/x", "a.io:/x", "a.io:0/x", "a.io:65536/x",
    "a.io:8x/x", "user@a.io/x", HEX, "[::1/x", "[]/x", "[::g]/x", "[::1]x/y", "a.io//x", "x:y:z",
    "a.io:80:80/x", "Upper/a", "docker.io/", LONG_128 "/" LONG_128};

static void test_good_ones_mean_what_docker_means(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(good); i++) {
        auto_done(oci_ref) struct oci_ref ref = {0};
        struct error err = {0};
        if (!oci_ref_parse(good[i].text, &ref, &err)) {
            fail_msg("%s was refused: %s", good[i].text, err.text);
        }
        auto_free char *canonical = oci_ref_format(&ref);
        assert_string_equal(ref.host, good[i].host);
        assert_string_equal(ref.repository, good[i].repository);
        assert_string_equal(canonical, good[i].canonical);
        /* The canonical form means itself. */
        auto_done(oci_ref) struct oci_ref again = {0};
        assert_true(oci_ref_parse(canonical, &again, &err));
        auto_free char *same = oci_ref_format(&again);
        assert_string_equal(same, canonical);
    }
}

static void test_bad_ones_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad); i++) {
        struct oci_ref ref = {0};
        struct error err = {0};
        if (oci_ref_parse(bad[i], &ref, &err)) {
            fail_msg("%s was accepted", bad[i]);
        }
        assert_int_equal(err.code, ERROR_INVALID);
        assert_null(ref.host);
    }
}

static void test_the_digest_wins(void **state)
{
    (void)state;
    auto_done(oci_ref) struct oci_ref ref = {0};
    struct error err = {0};
    assert_true(oci_ref_parse("x:t@sha256:" HEX, &ref, &err));
    auto_free char *version = oci_ref_version(&ref);
    assert_string_equal(version, "sha256:" HEX);
    oci_ref_done(&ref);
    assert_true(oci_ref_parse("x:t", &ref, &err));
    auto_free char *tag = oci_ref_version(&ref);
    assert_string_equal(tag, "t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_ones_mean_what_docker_means),
        cmocka_unit_test(test_bad_ones_are_refused),
        cmocka_unit_test(test_the_digest_wins),
    };
    return cmocka_run_group_tests_name("oci_ref", tests, NULL, NULL);
}
