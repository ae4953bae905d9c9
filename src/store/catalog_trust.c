/* SPDX-License-Identifier: MIT */
/* Whether a document may be believed: the policy of its source against its signature. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/catalog.h"

static const char *const policy_words[] = {
    [CATALOG_POLICY_OFF] = "off",
    [CATALOG_POLICY_PREFER] = "prefer",
    [CATALOG_POLICY_REQUIRE] = "require",
};

const char *catalog_policy_name(enum catalog_policy policy)
{
    return policy_words[policy];
}

bool catalog_policy_parse(const char *word, enum catalog_policy *policy)
{
    for (unsigned i = 0; i < array_length(policy_words); i++) {
        if (strcmp(policy_words[i], word) == 0) {
            *policy = (enum catalog_policy)i;
            return true;
        }
    }
    return false;
}

const char *catalog_signature_name(enum catalog_signature signature)
{
    static const char *const words[] = {
        [CATALOG_SIGNATURE_NONE] = "none",
        [CATALOG_SIGNATURE_MISSING] = "missing",
        [CATALOG_SIGNATURE_VERIFIED] = "verified",
        [CATALOG_SIGNATURE_BAD] = "bad",
    };
    return words[signature];
}

static const struct catalog_trust *trust_of(const struct catalog_places *places, const char *name)
{
    for (size_t i = 0; i < places->trust_count; i++) {
        if (strcmp(places->trust[i].name, name) == 0) {
            return &places->trust[i];
        }
    }
    return NULL;
}

bool catalog_judge(const struct catalog_places *places, const char *name, const char *bytes,
    size_t len, const char *signature, enum catalog_policy *policy, enum catalog_signature *found,
    struct error *err)
{
    const struct catalog_trust *trust = trust_of(places, name);
    *policy = trust != NULL ? trust->policy : CATALOG_POLICY_OFF;
    *found = CATALOG_SIGNATURE_NONE;
    if (*policy == CATALOG_POLICY_OFF) {
        return true;
    }
    if (trust->key == NULL) {
        return error_set(err, ERROR_SIGNATURE,
            "it must be signed, but no key of it is known: put its key under [trust] in "
            "config.ini");
    }
    if (signature == NULL) {
        *found = CATALOG_SIGNATURE_MISSING;
        return *policy == CATALOG_POLICY_PREFER ||
               error_set(err, ERROR_SIGNATURE, "it must be signed and there is no signature of it");
    }
    bool is_good = places->verify != NULL && places->verify(trust->key, bytes, len, signature);
    *found = is_good ? CATALOG_SIGNATURE_VERIFIED : CATALOG_SIGNATURE_BAD;
    return is_good || error_set(err, ERROR_SIGNATURE,
                          "its signature is not one over this document by the key under [trust]");
}
