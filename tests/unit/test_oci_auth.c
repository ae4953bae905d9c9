/* SPDX-License-Identifier: MIT */
/* Challenges, realms, tokens, auth files and helpers: who is told what. */
#include "artifact/oci_auth.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "artifact/oci_challenge.h"
#include "artifact/oci_credentials.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

struct header {
    const char *value;
    enum oci_scheme scheme;
    const char *realm;
    const char *service;
};

static const struct header headers[] = {
    {"Bearer realm=\"https://a/t\",service=\"a\",scope=\"x\"", OCI_SCHEME_BEARER, "https://a/t",
        "a"},
    {"bearer REALM=https", OCI_SCHEME_BEARER, "https", NULL},
    {"Bearer realm = \"r\" , service= s", OCI_SCHEME_BEARER, "r", "s"},
    {"Basic realm=\"r\"", OCI_SCHEME_BASIC, "r", NULL},
    {"Basic", OCI_SCHEME_BASIC, NULL, NULL},
    {"Basic realm=\"Bearer realm=x\"", OCI_SCHEME_BASIC, "Bearer realm=x", NULL},
    {"Basic realm=\"b\", Bearer realm=\"r\"", OCI_SCHEME_BEARER, "r", NULL},
    {"Bearer realm=\"r\", Basic realm=\"b\"", OCI_SCHEME_BEARER, "r", NULL},
    {"Bearer realm=\"1\", Bearer realm=\"2\"", OCI_SCHEME_BEARER, "1", NULL},
    {"Negotiate abc+/==, Bearer realm=\"r\"", OCI_SCHEME_BEARER, "r", NULL},
    {"Negotiate, Bearer realm=\"r\"", OCI_SCHEME_BEARER, "r", NULL},
    {"Negotiate abc", OCI_SCHEME_NONE, NULL, NULL},
    {" , ,Bearer realm=\"a\\\"b\\\\c, d=e\", ,", OCI_SCHEME_BEARER, "a\"b\\c, d=e", NULL},
    {"Bearer x=y, realm=\"r\"", OCI_SCHEME_BEARER, "r", NULL},
    {"Digest realm=\"d\", nonce=\"n\"", OCI_SCHEME_NONE, NULL, NULL},
    /* What is not the grammar offers nothing. */
    {"", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer service=\"s\"", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r\\", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r\"x", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r\" service=\"s\"", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r\", realm=\"q\"", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r\ns\"", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=a/b", OCI_SCHEME_NONE, NULL, NULL},
    {"realm=\"r\"", OCI_SCHEME_NONE, NULL, NULL},
    {"=", OCI_SCHEME_NONE, NULL, NULL},
    {"Bearer realm=\"r\", \"", OCI_SCHEME_NONE, NULL, NULL},
};

static void same_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL && b != NULL) {
        assert_string_equal(a, b);
    }
}

static void test_challenges(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(headers); i++) {
        auto_done(oci_challenge) struct oci_challenge challenge = {0};
        auto_done(strings) struct strings values = {0};
        strings_add(&values, headers[i].value);
        oci_challenge_parse(&values, &challenge);
        if (challenge.scheme != headers[i].scheme) {
            fail_msg("%s: scheme %d", headers[i].value, (int)challenge.scheme);
        }
        same_text(challenge.realm, headers[i].realm);
        same_text(challenge.service, headers[i].service);
    }
}

static void test_a_broken_value_does_not_spoil_the_next(void **state)
{
    (void)state;
    auto_done(oci_challenge) struct oci_challenge challenge = {0};
    auto_done(strings) struct strings values = {0};
    strings_add(&values, "Bearer realm=\"x");
    strings_add(&values, "Basic realm=\"b\"");
    strings_add(&values, "Bearer realm=\"good\"");
    oci_challenge_parse(&values, &challenge);
    assert_int_equal(challenge.scheme, OCI_SCHEME_BEARER);
    assert_string_equal(challenge.realm, "good");
}

static void test_a_long_value_is_no_deep_one(void **state)
{
    (void)state;
    auto_done(text) struct text value = {0};
    for (int i = 0; i < 300000; i++) {
        text_append(&value, "a b=c, ");
    }
    auto_done(oci_challenge) struct oci_challenge challenge = {0};
    auto_done(strings) struct strings values = {0};
    strings_add(&values, text_cstr(&value));
    oci_challenge_parse(&values, &challenge);
    assert_int_equal(challenge.scheme, OCI_SCHEME_NONE);
}

struct realm {
    const char *realm;
    const char *registry;
    bool is_allowed;
    bool is_trusted;
};

static const struct realm realms[] = {
    {"https://auth.docker.io/token", "https://registry-1.docker.io", true, true},
    {"https://ghcr.io/token", "https://ghcr.io", true, true},
    {"https://GHCR.io/token", "https://ghcr.io", true, true},
    {"https://r.example:8443/token", "https://r.example", true, true},
    {"https://other.example/token", "https://r.example", true, false},
    {"https://auth.docker.io/token", "https://r.example", true, false},
    {"https://ghcr.io.evil.example/", "https://ghcr.io", true, false},
    {"http://r.example/token", "http://r.example", true, true},
    {"http://127.0.0.1:2/t", "http://127.0.0.1:1", true, true},
    {"http://localhost:2/t", "http://127.0.0.1:1", true, false},
    {"https://10.0.0.2/t", "https://10.0.0.1", true, false},
    {"http://r.example/token", "https://r.example", false, true},
    {"https://127.0.0.1/t", "https://r.example", false, false},
    {"https://2130706433/t", "https://r.example", false, false},
    {"https://0x7f.1/t", "https://r.example", false, false},
    {"https://0.0.0.0/t", "https://r.example", false, false},
    {"https://localhost/t", "https://r.example", false, false},
    {"https://x.localhost./t", "https://r.example", false, false},
    {"https://[::1]/t", "https://r.example", false, false},
    {"https://[::ffff:127.0.0.1]/t", "https://r.example", false, false},
    {"https://[fe80::1]/t", "https://r.example", false, false},
    {"https://[fd00::1]/t", "https://r.example", false, false},
    {"https://10.1.2.3/t", "https://r.example", false, false},
    {"https://172.31.0.1/t", "https://r.example", false, false},
    {"https://192.168.1.1/t", "https://r.example", false, false},
    {"https://100.64.0.1/t", "https://r.example", false, false},
    {"https://169.254.169.254/t", "https://r.example", false, false},
    {"http://169.254.169.254/t", "http://127.0.0.1:1", false, false},
    {"https://127.0.0.1/t", "https://10.0.0.1", false, false},
    {"https://a:b@r.example/t", "https://r.example", false, true},
    {"https://r.example/t#x", "https://r.example", false, true},
    {"file:///etc/passwd", "https://r.example", false, false},
    {"ftp://r.example/", "https://r.example", false, false},
    {"//r.example/", "https://r.example", false, false},
    {"", "https://r.example", false, false},
};

static void test_realms(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(realms); i++) {
        struct error err = {0};
        bool is_allowed = oci_realm_check(realms[i].realm, realms[i].registry, &err);
        if (is_allowed != realms[i].is_allowed) {
            fail_msg("%s for %s: %s", realms[i].realm, realms[i].registry, err.text);
        }
        assert_true(is_allowed || err.code == ERROR_AUTH);
        assert_null(strstr(err.text, "a:b"));
        if (oci_realm_is_trusted(realms[i].realm, realms[i].registry) != realms[i].is_trusted) {
            fail_msg("trust in %s for %s", realms[i].realm, realms[i].registry);
        }
    }
}

struct answer {
    const char *json;
    enum error_code code; /* ERROR_NONE: good */
    const char *token;
    uint64_t life_s;
};

static const struct answer answers[] = {
    {"{\"token\":\"t\"}", ERROR_NONE, "t", 60},
    {"{\"access_token\":\"t\",\"expires_in\":300}", ERROR_NONE, "t", 300},
    {"{\"token\":\"a\",\"access_token\":\"b\",\"expires_in\":5}", ERROR_NONE, "a", 60},
    {"{\"token\":\"t\",\"expires_in\":-1}", ERROR_NONE, "t", 60},
    {"{\"token\":\"t\",\"expires_in\":9007199254740992}", ERROR_NONE, "t", 86400},
    {"{}", ERROR_AUTH, NULL, 0},
    {"[]", ERROR_AUTH, NULL, 0},
    {"{\"token\":7}", ERROR_AUTH, NULL, 0},
    {"{\"token\":\"\"}", ERROR_AUTH, NULL, 0},
    {"{\"token\":\"a b\"}", ERROR_FORMAT, NULL, 0},
    {"{\"token\":\"a\\r\\nX: y\"}", ERROR_FORMAT, NULL, 0},
    {"{\"token\":\"\\u00e4\"}", ERROR_FORMAT, NULL, 0},
    {"{\"token\":\"a\\u0000b\"}", ERROR_FORMAT, NULL, 0},
    {"<html>", ERROR_FORMAT, NULL, 0},
};

static void test_token_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(answers); i++) {
        const struct answer *answer = &answers[i];
        struct error err = {0};
        auto_free char *token = NULL;
        uint64_t life_s = 0;
        oci_token_parse(answer->json, strlen(answer->json), "it", &token, &life_s, &err);
        if (err.code != answer->code) {
            fail_msg("%s: %s", answer->json, err.text);
        }
        same_text(token, answer->token);
        assert_int_equal(life_s, answer->life_s);
    }
}

/* dTpw is u:p, dTp3 is u:w, dTpx is u:q. */
static const char auth_file[] =
    "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"},"
    "\"r.example\":{\"username\":\"u\",\"password\":\"w\"},"
    "\"r.example/team\":{\"auth\":\"dTpx\"},\"r.example/team/deep\":{\"identitytoken\":\"i\"},"
    "\"http://old.example:5000/v2/\":{\"auth\":\"dTpw\"},\"helped.example\":{},"
    "\"r.example.evil\":{\"auth\":\"dTp3\"}},"
    "\"credHelpers\":{\"helped.example\":\"own-one\"}}";

struct look_up {
    const char *host;
    const char *repository;
    const char *password;
    const char *identity_token;
    const char *helper;
};

static const struct look_up look_ups[] = {
    {"docker.io", "library/x", "p", NULL, NULL},
    {"r.example", "x", "w", NULL, NULL},
    {"r.example", "teamwork/x", "w", NULL, NULL},
    {"r.example", "team", "q", NULL, NULL},
    {"r.example", "team/x", "q", NULL, NULL},
    {"r.example", "team/deep/x", NULL, "i", NULL},
    {"old.example:5000", "x", "p", NULL, NULL},
    {"old.example", "x", NULL, NULL, NULL},
    {"helped.example", "x", NULL, NULL, "own-one"},
    {"r.exampl", "x", NULL, NULL, NULL},
    {"other.example", "r.example", NULL, NULL, NULL},
};

static void test_auth_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(look_ups); i++) {
        auto_done(oci_auth_answer) struct oci_auth_answer answer = {0};
        struct error err = {0};
        if (!oci_auth_parse(auth_file, strlen(auth_file), false, look_ups[i].host,
                look_ups[i].repository, &limits_default, "auth.json", &answer, &err)) {
            fail_msg("%s/%s: %s", look_ups[i].host, look_ups[i].repository, err.text);
        }
        same_text(answer.credentials.password, look_ups[i].password);
        same_text(answer.credentials.identity_token, look_ups[i].identity_token);
        same_text(answer.helper, look_ups[i].helper);
    }
    static const char legacy[] = "{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}";
    auto_done(oci_auth_answer) struct oci_auth_answer answer = {0};
    struct error err = {0};
    assert_true(oci_auth_parse(legacy, strlen(legacy), true, "docker.io", "x", &limits_default,
        ".dockercfg", &answer, &err));
    same_text(answer.credentials.password, "p");
}

static const char *const bad_files[] = {
    "",
    "x",
    "{\"auths\":{\"r.example\":{\"auth\":\"!\"}}}",
    "{\"auths\":{\"r.example\":{\"auth\":\"dQ==\"}}}",
    "{\"auths\":{\"r.example\":{\"auth\":\"dTpw\\n\"}}}",
    "{\"auths\":{\"r.example\":{\"auth\":\"dQA6cA==\"}}}",
    "{\"auths\":{\"r.example\":{\"auth\":\"dQo6cA==\"}}}",
    "{\"auths\":{\"r.example\":{\"username\":\"a\\nb\",\"password\":\"p\"}}}",
    "{\"credHelpers\":{\"r.example\":\"../evil\"}}",
    "{\"credHelpers\":{\"r.example\":\"a b\"}}",
    "{\"credsStore\":\"-x\"}",
    "{\"credsStore\":\"UPPER\"}",
};

static void test_bad_auth_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad_files); i++) {
        struct oci_auth_answer answer = {0};
        struct error err = {0};
        if (oci_auth_parse(bad_files[i], strlen(bad_files[i]), false, "r.example", "x",
                &limits_default, "auth.json", &answer, &err)) {
            fail_msg("%s was accepted", bad_files[i]);
        }
        assert_int_equal(err.code, ERROR_CONFIG);
        assert_null(answer.credentials.password);
    }
}

/* A helper that tells what it was asked, on a PATH of its own. */
static void write_helper(const char *directory, const char *name, const char *script)
{
    auto_free char *path = memory_printf("%s/docker-credential-%s", directory, name);
    struct error err = {0};
    assert_true(file_replace(AT_FDCWD, path, script, strlen(script), 0700, &err));
}

static bool find(const char *directory, const char *json, const char *host,
    struct oci_credentials *credentials, struct error *err)
{
    auto_free char *file = memory_printf("%s/config.json", directory);
    const char *const files[] = {"/nonexistent/auth.json", file, NULL};
    assert_true(file_replace(AT_FDCWD, file, json, strlen(json), 0600, err));
    return oci_credentials_find(files, host, "x", &limits_default, NULL, credentials, err);
}

static void test_helpers(void **state)
{
    (void)state;
    char directory[] = "/tmp/banger-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    auto_free char *path = memory_printf("%s:/usr/bin:/bin", directory);
    auto_free char *before = memory_strdup(getenv("PATH"));
    setenv("PATH", path, 1);
    write_helper(directory, "echo",
        "#!/bin/sh\n[ $# = 1 ] && [ \"$1\" = get ] || exit 2\n"
        "printf '{\"Username\":\"u\",\"Secret\":\"asked for %s\"}' \"$(cat)\"\n");
    write_helper(
        directory, "ident", "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"i\"}'");
    write_helper(
        directory, "none", "#!/bin/sh\necho credentials not found in native keychain\nexit 1");
    write_helper(directory, "junk", "#!/bin/sh\necho the-secret-in-clear");
    struct error err = {0};
    struct oci_credentials found = {0};
    assert_true(find(directory, "{\"credsStore\":\"echo\"}", "r.example", &found, &err));
    assert_string_equal(found.password, "asked for r.example");
    oci_credentials_done(&found);
    assert_true(find(directory, "{\"credsStore\":\"echo\"}", "docker.io", &found, &err));
    assert_string_equal(found.password, "asked for https://index.docker.io/v1/");
    oci_credentials_done(&found);
    assert_true(
        find(directory, "{\"credsStore\":\"echo\",\"credHelpers\":{\"r.example\":\"ident\"}}",
            "r.example", &found, &err));
    assert_string_equal(found.identity_token, "i");
    oci_credentials_done(&found);
    assert_true(
        find(directory, "{\"credsStore\":\"none\",\"auths\":{\"r.example\":{\"auth\":\"dTpw\"}}}",
            "r.example", &found, &err));
    assert_string_equal(found.password, "p");
    oci_credentials_done(&found);
    assert_true(find(directory, "{\"credsStore\":\"none\"}", "r.example", &found, &err));
    assert_false(oci_credentials_are_there(&found));
    assert_false(find(directory, "{\"credsStore\":\"junk\"}", "r.example", &found, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_null(strstr(err.text, "the-secret"));
    error_clear(&err);
    assert_false(find(directory, "{\"credsStore\":\"missing\"}", "r.example", &found, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    setenv("PATH", before, 1);
    error_clear(&err);
    assert_true(file_remove_tree(AT_FDCWD, directory, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),
        cmocka_unit_test(test_a_broken_value_does_not_spoil_the_next),
        cmocka_unit_test(test_a_long_value_is_no_deep_one),
        cmocka_unit_test(test_realms),
        cmocka_unit_test(test_token_answers),
        cmocka_unit_test(test_auth_files),
        cmocka_unit_test(test_bad_auth_files),
        cmocka_unit_test(test_helpers),
    };
    return cmocka_run_group_tests_name("oci_auth", tests, NULL, NULL);
}
