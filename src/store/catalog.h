/* SPDX-License-Identifier: MIT */
#pragma once

/* What can be had and from where: catalogs of kernels and images (FORMATS, "Catalogs"). Sources in
 * their order: BANGER_CATALOG, the configuration, catalogs.d by name, the built-in one; of entries
 * of the same kind and name the first is the one. This layer never touches the network: a remote
 * document is read from its copy in cache/catalogs, which whoever fetched it put there with
 * catalog_cache_put; catalog_source.wants_refresh says whose copy is missing or old. A document is
 * judged by its Ed25519 signature before it is parsed; one that fails its policy is not read.
 *
 * A source that cannot be read is a source with a problem, never a reason for another one not to
 * work. An entry whose digest is missing or malformed is there but unusable (fails closed).
 * Workers only; a loaded catalog does not change. */

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits;

enum catalog_kind { CATALOG_KERNEL, CATALOG_IMAGE };

enum catalog_origin {
    CATALOG_FROM_ENVIRONMENT,
    CATALOG_FROM_CONFIG,
    CATALOG_FROM_DIRECTORY, /* catalogs.d */
    CATALOG_FROM_PROGRAM,   /* the built-in one */
};

/* What is asked of a source's signature (FORMATS, "Catalogs"). */
enum catalog_policy {
    CATALOG_POLICY_OFF,     /* nothing is looked at */
    CATALOG_POLICY_PREFER,  /* one that is there must be right */
    CATALOG_POLICY_REQUIRE, /* there must be one, and it must be right */
};

/* What was found. */
enum catalog_signature {
    CATALOG_SIGNATURE_NONE, /* nothing was looked at */
    CATALOG_SIGNATURE_MISSING,
    CATALOG_SIGNATURE_VERIFIED,
    CATALOG_SIGNATURE_BAD,
};

struct catalog_source {
    char *name;  /* "built-in", the config's key, the file's stem, the URL's host; unique */
    char *place; /* absolute path or URL; "" for the built-in one */
    char *file;  /* in catalogs.d, NULL for other origins */
    char *trust; /* the name its key and policy go by: as name, before a number made it unique */
    enum catalog_origin origin;
    enum catalog_policy policy;
    enum catalog_signature signature;
    bool is_remote;
    bool is_loaded;
    bool wants_refresh; /* remote and its copy is missing, unproved or older than a day */
    int64_t as_of;      /* wall seconds of the document; 0: not known or compiled in */
    size_t kernel_count, image_count; /* as listed in it, shadowed ones included */
    struct error problem; /* ERROR_NONE, else why it is not loaded: ERROR_CONFIG, ERROR_SIGNATURE */
    enum error_code cause; /* of the problem, by itself: ERROR_FORMAT, ERROR_NOT_FOUND … */
};

/* Strings are owned and never NULL ("" means not said). They may hold foreign bytes. */
struct catalog_entry {
    enum catalog_kind kind;
    char *name;
    char *distro;
    char *arch;
    char *kernel_version;
    char *kernel_ref; /* images */
    char *description;
    struct strings urls; /* absolute; the first is the entry's own, the others are mirrors */
    struct digest digest;
    bool has_digest;
    uint64_t size_bytes;         /* 0: not said */
    uint64_t disk_bytes;         /* what it takes once unpacked; 0: not said */
    struct strings apt_packages; /* in place of URLs: the first that apt knows is the one */
    bool is_usable;
    char *why_unusable; /* a clause: "its catalog gives no digest for it" */
    size_t source;      /* index in struct catalog */
    size_t position;    /* in its document */
};

struct catalog {
    struct catalog_source *sources; /* in order of precedence */
    size_t source_count;
    struct catalog_entry *entries; /* kernels then images, each by name; shadowed ones left out */
    size_t entry_count;
};

/* name and URL or path, as in [catalogs]. */
struct catalog_setting {
    const char *name;
    const char *place;
};

#define CATALOG_KEY_BYTES 32

/* What is asked of the source of that name. Borrowed. */
struct catalog_trust {
    const char *name;
    enum catalog_policy policy;
    const uint8_t *key; /* CATALOG_KEY_BYTES, Ed25519; NULL: none is known */
};

/* Whether the signature (the text of a .sig file) over the bytes is by the key. This layer knows
 * no cryptography; artifact/signature does. */
typedef bool catalog_verify(
    const uint8_t *key, const void *bytes, size_t len, const char *signature);

/* Where to look, and whom to trust; a zeroed one means catalogs.d and the compiled-in document,
 * unproved. Borrowed. */
struct catalog_places {
    const char *environment;  /* BANGER_CATALOG; NULL */
    const char *builtin_path; /* BANGER_BUILTIN_CATALOG: a file in place of the built-in; NULL */
    const struct catalog_setting *settings;
    size_t setting_count;
    const struct catalog_trust *trust;
    size_t trust_count;
    catalog_verify *verify; /* NULL: no signature is good */
};

void catalog_done(struct catalog *catalog);
/* Reads all sources. Fails only when even that is impossible (catalogs.d cannot be read); broken
 * sources are in there with their problem. */
bool catalog_load(const struct store *store, const struct catalog_places *places,
    const struct limits *limits, struct catalog *catalog, struct error *err);
/* Reads one document and appends its entries to catalog as those of a new source; the building
 * block of catalog_load, and for documents at hand. base is the absolute path or URL that relative
 * tarball_urls start from. On failure (ERROR_FORMAT, ERROR_LIMIT) nothing is appended. */
bool catalog_add_document(struct catalog *catalog, const char *name, const char *base,
    const char *bytes, size_t len, const struct limits *limits, struct error *err);

/* NULL when there is none. */
const struct catalog_entry *catalog_find(
    const struct catalog *catalog, enum catalog_kind kind, const char *name);
/* As catalog_find, with the sentence: ERROR_NOT_FOUND names what is near; when some source could
 * not be read, that is the error (its problem's code), for the entry may be in there. */
const struct catalog_entry *catalog_require(
    const struct catalog *catalog, enum catalog_kind kind, const char *name, struct error *err);
/* The problem of the first source that has one; NULL when all are well. */
const struct catalog_source *catalog_first_problem(const struct catalog *catalog);
const char *catalog_source_name(const struct catalog *catalog, const struct catalog_entry *entry);

enum catalog_state { CATALOG_AVAILABLE, CATALOG_PULLED, CATALOG_UNUSABLE };
/* The state of every entry against what is here: states has room for entry_count. The names are
 * those of readable local entries, in any order. Pulled wins over unusable. Pure. */
void catalog_reconcile(const struct catalog *catalog, const struct strings *local_kernels,
    const struct strings *local_images, enum catalog_state *states);

#define CATALOG_SIGNATURE_MOST 4096 /* bytes of a .sig file that are read at all */

/* "require" and so on, as in config.ini; "verified" and so on, as in results. */
const char *catalog_policy_name(enum catalog_policy policy);
bool catalog_policy_parse(const char *word, enum catalog_policy *policy);
const char *catalog_signature_name(enum catalog_signature signature);
/* Judges a document by the policy that holds for the name. signature is the text of its .sig file,
 * NULL when there is none. *policy and *found are set in any case. False with ERROR_SIGNATURE when
 * the document must not be used; the sentence is a clause about it. Pure. */
bool catalog_judge(const struct catalog_places *places, const char *name, const char *bytes,
    size_t len, const char *signature, enum catalog_policy *policy, enum catalog_signature *found,
    struct error *err);

/* Makes what went wrong the source's problem: a sentence that names it. */
void catalog_set_problem(struct catalog_source *source, const struct error *cause);
/* Keeps a fetched document and its signature (NULL: none) as the copy of that URL, both in one
 * step; a document that is no catalog is refused (ERROR_FORMAT) and the old copy stays.
 * *is_changed (may be NULL): the copy before it was another one, or there was none. */
bool catalog_cache_put(const struct store *store, const char *url, const char *bytes, size_t len,
    const char *signature, const struct limits *limits, bool *is_changed, struct error *err);
/* Forgets the copy of that URL; none is success. */
bool catalog_cache_remove(const struct store *store, const char *url, struct error *err);

/* A source of the operator's own: catalogs.d/NAME.json holds {"format": 1, "place": PLACE}, PLACE
 * a URL or an absolute path, in place of a catalog. A name that is taken there is ERROR_EXISTS
 * unless it is to be replaced. */
bool catalog_reference_write(const struct store *store, const char *name, const char *place,
    bool is_replacing, struct error *err);
/* Removes a file of catalogs.d, whatever it holds. ERROR_NOT_FOUND. */
bool catalog_reference_remove(const struct store *store, const char *file, struct error *err);

/* The URL without user and password, as it may be shown and written. Caller frees. */
char *catalog_public_url(const char *url) __attribute__((returns_nonnull));
/* The same place with ".sig" behind its path. Caller frees. */
char *catalog_signature_place(const char *place) __attribute__((returns_nonnull));
