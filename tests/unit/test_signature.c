/* SPDX-License-Identifier: MIT */
/* Ed25519: the vectors of RFC 8032, signatures that are odd in any way, and keys as PEM. */
#include "artifact/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* RFC 8032, section 7.1: the second and third test; keys and signatures in hex. */
struct vector {
    const char *key;
    const char *message;
    size_t message_len;
    const char *signature;
};

static const struct vector vectors[] = {
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72", 1,
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "\xaf\x82", 2,
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void from_hex(const char *hex, uint8_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; hex[2 * i] != '\0'; i++) {
        size_t high = (size_t)(strchr(digits, hex[2 * i]) - digits);
        size_t low = (size_t)(strchr(digits, hex[2 * i + 1]) - digits);
        bytes[i] = (uint8_t)(high << 4 | low);
    }
}

static void sig_text(const struct vector *vector, struct text *out)
{
    uint8_t raw[64];
    from_hex(vector->signature, raw);
    base64_encode(raw, sizeof raw, out);
}

static bool is_good(const struct vector *vector, const char *signature)
{
    uint8_t key[SIGNATURE_KEY_BYTES];
    from_hex(vector->key, key);
    return signature_verify(key, vector->message, vector->message_len, signature);
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(vectors); i++) {
        auto_done(text) struct text signature = {0};
        sig_text(&vectors[i], &signature);
        assert_true(is_good(&vectors[i], text_cstr(&signature)));
        /* The other message, the other key. */
        struct vector other = vectors[1 - i];
        assert_false(is_good(&other, text_cstr(&signature)));
        other.key = vectors[i].key;
        assert_false(is_good(&other, text_cstr(&signature)));
    }
}

static void test_how_a_line_may_end(void **state)
{
    (void)state;
    auto_done(text) struct text plain = {0};
    sig_text(&vectors[0], &plain);
    static const char *const good[] = {"", "\n", "\r\n"};
    static const char *const bad[] = {" ", "\n\n", "\r", "\nmore", "=", "A", "\n "};
    for (size_t i = 0; i < array_length(good); i++) {
        auto_free char *text = memory_printf("%s%s", text_cstr(&plain), good[i]);
        assert_true(is_good(&vectors[0], text));
    }
    for (size_t i = 0; i < array_length(bad); i++) {
        auto_free char *text = memory_printf("%s%s", text_cstr(&plain), bad[i]);
        assert_false(is_good(&vectors[0], text));
    }
    assert_false(is_good(&vectors[0], ""));
    auto_free char *in_front = memory_printf(" %s", text_cstr(&plain));
    assert_false(is_good(&vectors[0], in_front));
    auto_free char *cut = memory_strndup(text_cstr(&plain), plain.len - 4);
    assert_false(is_good(&vectors[0], cut));
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    uint8_t raw[64];
    from_hex(vectors[0].signature, raw);
    for (size_t bit = 0; bit < 8 * sizeof raw; bit++) {
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
        auto_done(text) struct text text = {0};
        base64_encode(raw, sizeof raw, &text);
        assert_false(is_good(&vectors[0], text_cstr(&text)));
        raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_a_key_signs_and_goes_through_pem(void **state)
{
    (void)state;
    struct error err = {0};
    auto_signature_key struct signature_key *key = signature_key_new(&err);
    assert_non_null(key);
    auto_done(text) struct text pem = {0};
    auto_done(text) struct text public_key = {0};
    assert_true(signature_key_pem(key, &pem, &err));
    assert_true(signature_key_public(key, &public_key, &err));
    assert_true(text_has_prefix(text_cstr(&pem), "-----BEGIN PRIVATE KEY-----\n"));
    auto_signature_key struct signature_key *again =
        signature_key_parse(text_cstr(&pem), pem.len, "key.pem", &err);
    assert_non_null(again);
    auto_done(text) struct text raw = {0};
    assert_true(base64_decode(text_cstr(&public_key), public_key.len, &raw));
    assert_int_equal(raw.len, SIGNATURE_KEY_BYTES);
    auto_done(text) struct text first = {0};
    auto_done(text) struct text second = {0};
    assert_true(signature_sign(key, "content", 7, &first, &err));
    assert_true(signature_sign(again, "content", 7, &second, &err));
    assert_string_equal(text_cstr(&first), text_cstr(&second));
    const uint8_t *bytes = (const uint8_t *)text_cstr(&raw);
    assert_true(signature_verify(bytes, "content", 7, text_cstr(&first)));
    assert_false(signature_verify(bytes, "Content", 7, text_cstr(&first)));
}

static void test_what_is_no_key(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "no key",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        /* a public one */
        "-----BEGIN PUBLIC KEY-----\n"
        "MCowBQYDK2VwAyEAxlYonfdOLFWGLrMK0zKLkD84yzFCqzQ9HKizKop6tpY=\n"
        "-----END PUBLIC KEY-----\n",
        /* X25519, which cannot sign */
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n"
        "-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < array_length(texts); i++) {
        struct error err = {0};
        assert_null(signature_key_parse(texts[i], strlen(texts[i]), "key.pem", &err));
        assert_int_equal(err.code, ERROR_FORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_how_a_line_may_end),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_a_key_signs_and_goes_through_pem),
        cmocka_unit_test(test_what_is_no_key),
    };
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
