/* SPDX-License-Identifier: MIT */
#pragma once

/* Ed25519 signatures of documents (RFC 8032, by OpenSSL's EVP). With hash.c the only user of
 * OpenSSL. A signature travels as the text of a .sig file: base 64 of its 64 bytes, one line.
 * Private keys are PEM files as `openssl pkey` reads and writes them (PKCS #8, not encrypted).
 * Workers; any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct text;

#define SIGNATURE_KEY_BYTES 32

struct signature_key; /* a private one */

/* Whether signature, the text of a .sig file, is one over the bytes by the public key. Anything
 * odd about it means no. */
bool signature_verify(const uint8_t *key, const void *bytes, size_t len, const char *signature);

/* A new private key from the system's random numbers. NULL on failure. */
struct signature_key *signature_key_new(struct error *err);
/* From the text of a PEM file; `shown` names it. ERROR_FORMAT for anything but an Ed25519 private
 * key, encrypted ones included. NULL on failure. */
struct signature_key *signature_key_parse(
    const char *pem, size_t len, const char *shown, struct error *err);
void signature_key_free(struct signature_key *key);
void signature_key_auto_free(struct signature_key **key);
#define auto_signature_key __attribute__((cleanup(signature_key_auto_free)))

/* Appends the key as a PEM file. The caller wipes the text. */
bool signature_key_pem(const struct signature_key *key, struct text *out, struct error *err);
/* Appends the base 64 of its public key, as in [trust]. */
bool signature_key_public(const struct signature_key *key, struct text *out, struct error *err);
/* Appends the text of a .sig file over the bytes. */
bool signature_sign(const struct signature_key *key, const void *bytes, size_t len,
    struct text *out, struct error *err);
