/* SPDX-License-Identifier: MIT */
/* Indexes, manifests and configs: what is read from good ones, and each way of being bad. */
#include "artifact/oci_manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "artifact/oci_config.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* Of "abc". */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX_2 "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EMPTY_HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define INDEX "application/vnd.oci.image.index.v1+json"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOCKER "application/vnd.docker.distribution.manifest.v2+json"
#define CONFIG "application/vnd.oci.image.config.v1+json"
#define GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define AT(type, hex, size)                                                                        \
    "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" hex "\",\"size\":" size "}"
#define OCI(type, rest) "{\"schemaVersion\":2,\"mediaType\":\"" type "\"," rest "}"
#define GOOD_CONFIG "\"config\":" AT(CONFIG, HEX, "10")
#define WITH_LAYERS(list) OCI(MANIFEST, GOOD_CONFIG ",\"layers\":[" list "]")
#define ENTRY(type, hex, platform)                                                                 \
    "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" hex "\",\"size\":9,\"platform\":" platform  \
    "}"
#define WITH_ENTRIES(list) OCI(INDEX, "\"manifests\":[" list "]")
#define AMD64 "{\"os\":\"linux\",\"architecture\":\"amd64\"}"

static const struct oci_platform amd64 = {"amd64", ""};
static const struct oci_platform arm64 = {"arm64", "v8"};

static bool parse_as(const char *text, const char *type, enum oci_media expected,
    const struct oci_platform *platform, struct oci_document *document, struct error *err)
{
    return oci_document_parse(
        text, strlen(text), type, expected, platform, &limits_default, "x/y:z", document, err);
}

static bool parse(const char *text, struct oci_document *document, struct error *err)
{
    return parse_as(text, NULL, OCI_MEDIA_UNKNOWN, &amd64, document, err);
}

static void must_parse(const char *text, struct oci_document *document)
{
    struct error err = {0};
    if (!parse(text, document, &err)) {
        fail_msg("%s: %s", text, err.text);
    }
}

static void must_fail(const char *text, const char *type, enum oci_media expected, int code)
{
    struct oci_document document = {0};
    struct error err = {0};
    if (parse_as(text, type, expected, &amd64, &document, &err)) {
        fail_msg("accepted: %s", text);
    }
    if ((int)err.code != code) {
        fail_msg("%s: code %d: %s", text, (int)err.code, err.text);
    }
    assert_null(document.layers);
}

static void test_a_manifest_is_read(void **state)
{
    (void)state;
    auto_done(oci_document) struct oci_document document = {0};
    must_parse(WITH_LAYERS(AT(GZIP, HEX, "7") "," AT("application/vnd.oci.image.layer.v1.tar",
                   EMPTY_HEX, "0") "," AT("application/vnd.oci.image.layer.v1.tar+zstd", HEX_2,
                   "5") "," AT("application/vnd.docker.image.rootfs.diff.tar.gzip", HEX, "7")),
        &document);
    assert_int_equal(document.media, OCI_MEDIA_MANIFEST);
    assert_int_equal(document.config.size_bytes, 10);
    assert_int_equal(document.layer_count, 4);
    assert_int_equal(document.layers_bytes, 19);
    assert_int_equal(document.layers[0].compression, OCI_LAYER_GZIP);
    assert_int_equal(document.layers[1].compression, OCI_LAYER_TAR);
    assert_int_equal(document.layers[2].compression, OCI_LAYER_ZSTD);
    assert_int_equal(document.layers[3].compression, OCI_LAYER_GZIP);
}

static void test_the_platform_is_chosen(void **state)
{
    (void)state;
    static const char index[] = WITH_ENTRIES(ENTRY(MANIFEST, EMPTY_HEX,
        "{\"os\":\"unknown\",\"architecture\":\"unknown\"}") "," ENTRY(MANIFEST, EMPTY_HEX,
        "{\"os\":\"windows\",\"architecture\":\"amd64\"}") "," ENTRY(MANIFEST, EMPTY_HEX,
        "{\"os\":\"linux\",\"architecture\":\"amd64\",\"variant\":\"v3\"}") "," ENTRY(MANIFEST, HEX,
        AMD64) "," ENTRY(MANIFEST, EMPTY_HEX, AMD64) "," ENTRY(DOCKER, HEX_2,
        "{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"}"));
    struct oci_document document = {0};
    struct error err = {0};
    struct digest digest;
    must_parse(index, &document);
    assert_int_equal(document.media, OCI_MEDIA_INDEX);
    assert_int_equal(document.chosen_media, OCI_MEDIA_MANIFEST);
    digest_parse(HEX, &digest);
    assert_true(digest_equal(&document.chosen.digest, &digest));
    assert_true(parse_as(index, INDEX, OCI_MEDIA_INDEX, &arm64, &document, &err));
    digest_parse(HEX_2, &digest);
    assert_true(digest_equal(&document.chosen.digest, &digest));
    const struct oci_platform s390x = {"s390x", ""};
    assert_false(parse_as(index, INDEX, OCI_MEDIA_INDEX, &s390x, &document, &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "linux/arm64/v8"));
    assert_null(strstr(err.text, "unknown"));
    /* An entry that tells no platform is better than none; a nested index is an entry too. */
    must_parse(WITH_ENTRIES(AT(INDEX, HEX, "9")), &document);
    assert_int_equal(document.chosen_media, OCI_MEDIA_INDEX);
}

static void test_what_is_said_must_agree(void **state)
{
    (void)state;
    static const char manifest[] = WITH_LAYERS(AT(GZIP, HEX, "7"));
    static const char untyped[] =
        "{\"schemaVersion\":2," GOOD_CONFIG ",\"layers\":[" AT(GZIP, HEX, "7") "]}";
    auto_done(oci_document) struct oci_document document = {0};
    struct error err = {0};
    assert_true(parse_as(
        manifest, MANIFEST "; charset=utf-8", OCI_MEDIA_MANIFEST, &amd64, &document, &err));
    oci_document_done(&document);
    assert_true(parse_as(untyped, MANIFEST, OCI_MEDIA_UNKNOWN, &amd64, &document, &err));
    oci_document_done(&document);
    assert_true(parse_as(untyped, NULL, OCI_MEDIA_MANIFEST, &amd64, &document, &err));
    must_fail(untyped, NULL, OCI_MEDIA_UNKNOWN, ERROR_FORMAT);
    must_fail(untyped, "application/json", OCI_MEDIA_UNKNOWN, ERROR_FORMAT);
    must_fail(untyped, INDEX, OCI_MEDIA_UNKNOWN, ERROR_FORMAT);
    must_fail(manifest, INDEX, OCI_MEDIA_UNKNOWN, ERROR_FORMAT);
    must_fail(manifest, DOCKER, OCI_MEDIA_UNKNOWN, ERROR_FORMAT);
    must_fail(manifest, "text/html", OCI_MEDIA_UNKNOWN, ERROR_FORMAT);
    must_fail(manifest, MANIFEST, OCI_MEDIA_INDEX, ERROR_FORMAT);
    must_fail(WITH_ENTRIES(ENTRY(MANIFEST, HEX, AMD64)), NULL, OCI_MEDIA_MANIFEST, ERROR_FORMAT);
}

struct bad {
    const char *text;
    int code;
};

static const struct bad bad_documents[] = {
    {"", ERROR_FORMAT},
    {"[]", ERROR_FORMAT},
    {"{}", ERROR_FORMAT},
    {"\xef\xbb\xbf" WITH_LAYERS(AT(GZIP, HEX, "7")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "7")) "{}", ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "7")) "x", ERROR_FORMAT},
    {OCI(MANIFEST, GOOD_CONFIG ",\"layers\":[],\"manifests\":[]"), ERROR_FORMAT},
    {OCI(MANIFEST, "\"layers\":[" AT(GZIP, HEX, "7") "]"), ERROR_FORMAT},
    {OCI(MANIFEST, GOOD_CONFIG), ERROR_FORMAT},
    {OCI(MANIFEST, GOOD_CONFIG "," GOOD_CONFIG), ERROR_FORMAT},
    {OCI(MANIFEST, GOOD_CONFIG ",\"x\":\"\\u0000\""), ERROR_FORMAT},
    {OCI(INDEX, GOOD_CONFIG ",\"layers\":[" AT(GZIP, HEX, "7") "]"), ERROR_FORMAT},
    {OCI(MANIFEST, "\"manifests\":[" ENTRY(MANIFEST, HEX, AMD64) "]"), ERROR_FORMAT},
    {OCI("application/x", GOOD_CONFIG ",\"layers\":[" AT(GZIP, HEX, "7") "]"), ERROR_FORMAT},
    {"{\"schemaVersion\":1,\"fsLayers\":[],\"name\":\"x\"}", ERROR_UNSUPPORTED},
    {"{\"schemaVersion\":3,\"mediaType\":\"" MANIFEST "\"," GOOD_CONFIG ",\"layers\":[]}",
        ERROR_FORMAT},
    {WITH_LAYERS(""), ERROR_FORMAT},
    {WITH_LAYERS("7"), ERROR_FORMAT},
    {WITH_LAYERS(AT("application/vnd.oci.image.layer.v1.tar+bzip2", HEX, "7")), ERROR_FORMAT},
    {WITH_LAYERS(AT("application/vnd.oci.image.layer.v1.tar+gzip+x", HEX, "7")), ERROR_FORMAT},
    {WITH_LAYERS(AT("", HEX, "7")), ERROR_FORMAT},
    {OCI(MANIFEST, "\"config\":" AT("application/vnd.cncf.helm.config.v1+json", HEX,
                       "2") ",\"layers\":[" AT(GZIP, HEX, "7") "]"),
        ERROR_FORMAT},
    {OCI(MANIFEST,
         "\"config\":" AT(CONFIG, HEX, "99999999") ",\"layers\":[" AT(GZIP, HEX, "7") "]"),
        ERROR_LIMIT},
    /* Digest grammar. */
    {WITH_LAYERS("{\"mediaType\":\"" GZIP "\",\"digest\":\"" HEX "\",\"size\":1}"), ERROR_FORMAT},
    {WITH_LAYERS("{\"mediaType\":\"" GZIP "\",\"digest\":\"\",\"size\":1}"), ERROR_FORMAT},
    {WITH_LAYERS("{\"mediaType\":\"" GZIP "\",\"size\":1}"), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, "../../x", "7")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX "0", "7")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, " " HEX, "7")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "7")),
        ERROR_FORMAT},
    {WITH_LAYERS("{\"mediaType\":\"" GZIP "\",\"digest\":\"sha512:" HEX HEX "\",\"size\":1}"),
        ERROR_UNSUPPORTED},
    {WITH_LAYERS("{\"mediaType\":\"" GZIP "\",\"digest\":\"md5:" HEX "\",\"size\":1}"),
        ERROR_FORMAT},
    /* Sizes. */
    {WITH_LAYERS(AT(GZIP, HEX, "-1")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "1.5")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "\"7\"")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "null")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "9223372036854775808")), ERROR_FORMAT},
    {WITH_LAYERS(AT(GZIP, HEX, "9007199254740992")), ERROR_LIMIT},
    {WITH_LAYERS(AT(GZIP, HEX, "10737418240")), ERROR_LIMIT}, /* one blob is at most 8 GiB */
    {WITH_LAYERS("{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" HEX "\"}"), ERROR_FORMAT},
    /* Embedded data. */
    {WITH_LAYERS(
         "{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" HEX "\",\"size\":3,\"data\":\"YWJj\"}"),
        ERROR_DIGEST},
    {WITH_LAYERS(
         "{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" HEX "\",\"size\":3,\"data\":\"YWJ\"}"),
        ERROR_FORMAT},
    {WITH_LAYERS(
         "{\"mediaType\":\"" GZIP "\",\"digest\":\"sha256:" ABC "\",\"size\":4,\"data\":\"YWJj\"}"),
        ERROR_DIGEST},
    /* Platforms. */
    {WITH_ENTRIES(""), ERROR_UNSUPPORTED},
    {WITH_ENTRIES(ENTRY(MANIFEST, HEX, "{\"os\":\"unknown\",\"architecture\":\"unknown\"}")),
        ERROR_UNSUPPORTED},
    {WITH_ENTRIES(ENTRY("application/x", HEX, AMD64)), ERROR_FORMAT},
    {OCI(INDEX, "\"manifests\":{}"), ERROR_FORMAT},
};

static void test_bad_documents_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad_documents); i++) {
        must_fail(bad_documents[i].text, NULL, OCI_MEDIA_UNKNOWN, bad_documents[i].code);
    }
}

static void test_embedded_data_may_be_right(void **state)
{
    (void)state;
    auto_done(oci_document) struct oci_document document = {0};
    must_parse(
        WITH_LAYERS(
            "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:" ABC
            "\",\"size\":3,\"data\":\"YWJj\"}"),
        &document);
    assert_int_equal(document.layer_count, 1);
}

static void test_too_much_is_refused(void **state)
{
    (void)state;
    auto_done(text) struct text many = {0};
    text_append(&many, OCI(MANIFEST, GOOD_CONFIG ",\"layers\":["));
    many.data[--many.len] = '\0';
    for (int i = 0; i < 10000; i++) {
        text_append(&many, i == 0 ? AT(GZIP, HEX, "7") : "," AT(GZIP, HEX, "7"));
    }
    text_append(&many, "]}");
    must_fail(text_cstr(&many), NULL, OCI_MEDIA_UNKNOWN, ERROR_LIMIT);
    auto_done(text) struct text deep = {0};
    text_append(&deep, "{\"schemaVersion\":2,\"layers\":");
    for (int i = 0; i < 100000; i++) {
        text_append(&deep, "[");
    }
    must_fail(text_cstr(&deep), NULL, OCI_MEDIA_UNKNOWN, ERROR_LIMIT);
    auto_done(text) struct text big = {0};
    text_append(&big, "{\"schemaVersion\":2,\"x\":\"");
    for (int i = 0; i < 80000; i++) {
        text_append(&big, HEX);
    }
    text_append(&big, "\"}");
    must_fail(text_cstr(&big), NULL, OCI_MEDIA_UNKNOWN, ERROR_LIMIT);
    /* Nine layers of 8 GiB each are within one limit and beyond the other. */
#define HUGE_LAYER AT(GZIP, HEX, "8589934592")
    must_fail(WITH_LAYERS(HUGE_LAYER "," HUGE_LAYER "," HUGE_LAYER "," HUGE_LAYER "," HUGE_LAYER
                                     "," HUGE_LAYER "," HUGE_LAYER "," HUGE_LAYER "," HUGE_LAYER),
        NULL, OCI_MEDIA_UNKNOWN, ERROR_LIMIT);
}

static bool parse_config(const char *text, struct oci_image *image, struct error *err)
{
    image->layer_count = 1;
    image->layers = memory_zero(1, sizeof *image->layers);
    return oci_config_parse(text, strlen(text), &amd64, &limits_default, image, err);
}

#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]}"
#define RUN(config) "{\"os\":\"linux\",\"architecture\":\"amd64\"," ROOTFS ",\"config\":" config "}"

static void test_a_config_is_read(void **state)
{
    (void)state;
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    assert_true(parse_config(
        RUN("{\"Entrypoint\":[\"/bin/x\",\"a\\nb\"],\"Cmd\":null,\"Env\":[\"A=b=c\",\"E=\"],"
            "\"WorkingDir\":\"srv\",\"User\":\"65534:nogroup\",\"StopSignal\":\"SIGINT\","
            "\"Labels\":{\"x\":\"\\u001b[31m\"}}"),
        &image, &err));
    assert_int_equal(image.run.entrypoint.count, 2);
    assert_string_equal(image.run.entrypoint.items[1], "a\nb");
    assert_int_equal(image.run.cmd.count, 0);
    assert_string_equal(image.run.env.items[0], "A=b=c");
    assert_string_equal(image.run.workdir, "/srv");
    assert_string_equal(image.run.user, "65534:nogroup");
    assert_string_equal(image.run.stop_signal, "SIGINT");
    assert_string_equal(image.architecture, "amd64");
    struct digest digest;
    digest_parse(HEX, &digest);
    assert_true(digest_equal(&image.layers[0].diff_id, &digest));
}

static void test_steps_are_for_people(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(oci_image) struct oci_image image = {0};
    assert_true(
        parse_config("{\"os\":\"linux\",\"architecture\":\"amd64\"," ROOTFS ",\"history\":["
                     "{\"created\":\"2026-01-01T00:00:00Z\",\"created_by\":\"ADD \\u001b[31m x\"},"
                     "{\"created_by\":\"CMD\",\"empty_layer\":true},7]}",
            &image, &err));
    assert_int_equal(image.step_count, 2);
    assert_string_equal(image.steps[0].created, "2026-01-01T00:00:00Z");
    assert_string_equal(image.steps[0].created_by, "ADD  [31m x");
    assert_false(image.steps[0].is_empty);
    assert_true(image.steps[1].is_empty);
    assert_null(image.steps[1].created);
}

static const struct bad bad_configs[] = {
    {"[]", ERROR_FORMAT},
    {"{}", ERROR_FORMAT},
    {"{\"os\":\"windows\"," ROOTFS "}", ERROR_UNSUPPORTED},
    {"{\"architecture\":\"arm64\"," ROOTFS "}", ERROR_UNSUPPORTED},
    {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", ERROR_FORMAT},
    {"{\"rootfs\":{\"type\":\"x\",\"diff_ids\":[\"sha256:" HEX "\"]}}", ERROR_FORMAT},
    {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\",\"sha256:" HEX "\"]}}",
        ERROR_FORMAT},
    {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" HEX "\"]}}", ERROR_FORMAT},
    {"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[7]}}", ERROR_FORMAT},
    {RUN("{\"User\":\"4294967295\"}"), ERROR_FORMAT},
    {RUN("{\"User\":\"4294967296\"}"), ERROR_FORMAT},
    {RUN("{\"User\":\"0:99999999999999999999999\"}"), ERROR_FORMAT},
    {RUN("{\"User\":\"-1\"}"), ERROR_FORMAT},
    {RUN("{\"User\":\"a:\"}"), ERROR_FORMAT},
    {RUN("{\"User\":\"a\\nb\"}"), ERROR_FORMAT},
    {RUN("{\"WorkingDir\":\"/a\\u001bb\"}"), ERROR_FORMAT},
    {RUN("{\"Env\":[\"A\"]}"), ERROR_FORMAT},
    {RUN("{\"Env\":[\"=b\"]}"), ERROR_FORMAT},
    {RUN("{\"Env\":[\"A B=c\"]}"), ERROR_FORMAT},
    {RUN("{\"Env\":[\"A=\\u0000\"]}"), ERROR_FORMAT},
    {RUN("{\"Env\":[7]}"), ERROR_FORMAT},
    {RUN("{\"Entrypoint\":\"/bin/sh\"}"), ERROR_FORMAT},
    {RUN("{\"Cmd\":{}}"), ERROR_FORMAT},
};

static void test_bad_configs_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad_configs); i++) {
        auto_done(oci_image) struct oci_image image = {0};
        struct error err = {0};
        if (parse_config(bad_configs[i].text, &image, &err)) {
            fail_msg("accepted: %s", bad_configs[i].text);
        }
        if ((int)err.code != bad_configs[i].code) {
            fail_msg("%s: code %d: %s", bad_configs[i].text, (int)err.code, err.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_manifest_is_read),
        cmocka_unit_test(test_the_platform_is_chosen),
        cmocka_unit_test(test_what_is_said_must_agree),
        cmocka_unit_test(test_bad_documents_are_refused),
        cmocka_unit_test(test_embedded_data_may_be_right),
        cmocka_unit_test(test_too_much_is_refused),
        cmocka_unit_test(test_a_config_is_read),
        cmocka_unit_test(test_steps_are_for_people),
        cmocka_unit_test(test_bad_configs_are_refused),
    };
    return cmocka_run_group_tests_name("oci_manifest", tests, NULL, NULL);
}
