/* SPDX-License-Identifier: MIT */
#include "artifact/signature.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define SIGNATURE_BYTES 64

struct signature_key {
    EVP_PKEY *pkey;
};

/* The 64 bytes in the text of a .sig file; the line may end. */
static bool parse_signature(const char *signature, struct text *out)
{
    size_t len = strcspn(signature, "\r\n");
    const char *rest = signature + len;
    bool is_one_line = rest[0] == '\0' || strcmp(rest, "\n") == 0 || strcmp(rest, "\r\n") == 0;
    return is_one_line && base64_decode(signature, len, out) && out->len == SIGNATURE_BYTES;
}

bool signature_verify(const uint8_t *key, const void *bytes, size_t len, const char *signature)
{
    auto_done(text) struct text raw = {0};
    if (!parse_signature(signature, &raw)) {
        return false;
    }
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, SIGNATURE_KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good =
        pkey != NULL && context != NULL &&
        EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestVerify(context, (const unsigned char *)text_cstr(&raw), raw.len, bytes, len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return is_good;
}

static struct signature_key *wrap(EVP_PKEY *pkey)
{
    struct signature_key *key = memory_zero(1, sizeof *key);
    key->pkey = pkey;
    return key;
}

struct signature_key *signature_key_new(struct error *err)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
    bool is_made = context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
                   EVP_PKEY_keygen(context, &pkey) == 1;
    EVP_PKEY_CTX_free(context);
    if (!is_made) {
        error_set(err, ERROR_UNSUPPORTED, "OpenSSL on this host cannot make an Ed25519 key");
        return NULL;
    }
    return wrap(pkey);
}

/* No terminal is ever asked for a passphrase. */
static int no_passphrase(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

struct signature_key *signature_key_parse(
    const char *pem, size_t len, const char *shown, struct error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (pkey == NULL || EVP_PKEY_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        error_set(err, ERROR_FORMAT,
            "%s is not an unencrypted Ed25519 private key in PEM form: `catalog keygen FILE` makes "
            "one",
            shown);
        return NULL;
    }
    return wrap(pkey);
}

void signature_key_free(struct signature_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

void signature_key_auto_free(struct signature_key **key)
{
    signature_key_free(*key);
}

bool signature_key_pem(const struct signature_key *key, struct text *out, struct error *err)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *bytes = NULL;
    long len = 0;
    if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL)) {
        len = BIO_get_mem_data(bio, &bytes);
    }
    bool is_written = len > 0 && text_append_bytes(out, bytes, (size_t)len);
    BIO_free(bio);
    return is_written || error_set(err, ERROR_UNSUPPORTED, "OpenSSL cannot write the key as PEM");
}

bool signature_key_public(const struct signature_key *key, struct text *out, struct error *err)
{
    uint8_t raw[SIGNATURE_KEY_BYTES];
    size_t len = sizeof raw;
    if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) != 1 || len != sizeof raw) {
        return error_set(err, ERROR_UNSUPPORTED, "OpenSSL cannot tell the public key");
    }
    base64_encode(raw, sizeof raw, out);
    return true;
}

bool signature_sign(const struct signature_key *key, const void *bytes, size_t len,
    struct text *out, struct error *err)
{
    uint8_t raw[SIGNATURE_BYTES];
    size_t raw_len = sizeof raw;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed =
        context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
        EVP_DigestSign(context, raw, &raw_len, bytes, len) == 1 && raw_len == sizeof raw;
    EVP_MD_CTX_free(context);
    if (!is_signed) {
        return error_set(err, ERROR_UNSUPPORTED, "OpenSSL on this host cannot sign with Ed25519");
    }
    base64_encode(raw, sizeof raw, out);
    text_append_char(out, '\n');
    return true;
}
