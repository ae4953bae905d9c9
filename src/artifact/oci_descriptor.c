/* SPDX-License-Identifier: MIT */
#include "artifact/oci_descriptor.h"

#include <inttypes.h>
#include <string.h>

#include "artifact/hash.h"
#include "artifact/oci_image.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

bool oci_descriptor_prove(const struct oci_descriptor *descriptor, const void *bytes, size_t len,
    const char *what, struct error *err)
{
    if (len != descriptor->size_bytes) {
        return error_set(err, ERROR_DIGEST, "%s is %zu bytes, but %" PRIu64 " were promised", what,
            len, descriptor->size_bytes);
    }
    struct digest found;
    hash_bytes(bytes, len, &found);
    if (digest_equal(&found, &descriptor->digest)) {
        return true;
    }
    char expected_hex[DIGEST_HEX_LEN + 1], found_hex[DIGEST_HEX_LEN + 1];
    return error_set(err, ERROR_DIGEST, "%s is not what was promised: sha256 %s, expected %s", what,
        digest_format(&found, found_hex), digest_format(&descriptor->digest, expected_hex));
}

static bool prove_data(const struct json *object, const struct oci_descriptor *descriptor,
    const char *what, struct error *err)
{
    const char *encoded = NULL;
    if (!json_read_string(object, "data", false, what, &encoded, err)) {
        return false;
    }
    if (encoded == NULL) {
        return true;
    }
    auto_done(text) struct text data = {0};
    if (!base64_decode(encoded, strlen(encoded), &data)) {
        return error_set(err, ERROR_FORMAT, "%s: \"data\" is not base 64", what);
    }
    return oci_descriptor_prove(descriptor, text_cstr(&data), data.len, what, err);
}

bool oci_descriptor_read(const struct json *object, const struct limits *limits, const char *what,
    struct oci_descriptor *descriptor, struct error *err)
{
    const char *digest = NULL;
    struct oci_descriptor read = {0};
    if (!json_is_object(object)) {
        return error_set(err, ERROR_FORMAT, "%s is not a JSON object", what);
    }
    if (!json_read_string(object, "digest", true, what, &digest, err) ||
        !json_read_size(object, "size", true, what, &read.size_bytes, err)) {
        return false;
    }
    if (text_has_prefix(digest, "sha512:")) {
        return error_set(
            err, ERROR_UNSUPPORTED, "%s is named by a sha512 digest; only sha256 is read", what);
    }
    if (!text_has_prefix(digest, "sha256:") || !digest_parse(digest, &read.digest)) {
        return error_set(err, ERROR_FORMAT,
            "%s: the digest is not sha256: and 64 lower-case hex digits: %.100s", what, digest);
    }
    if (read.size_bytes > limits->download_bytes) {
        return error_set(err, ERROR_LIMIT,
            "%s is %" PRIu64 " bytes, more than the limit download_bytes (%" PRIu64 ")", what,
            read.size_bytes, limits->download_bytes);
    }
    if (!prove_data(object, &read, what, err)) {
        return false;
    }
    *descriptor = read;
    return true;
}
