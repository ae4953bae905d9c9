/* SPDX-License-Identifier: MIT */
#include "artifact/oci_manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>

#include "artifact/oci_descriptor.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_SCHEMA_1 "application/vnd.docker.distribution.manifest.v1"

#define SHOWN_PLATFORMS 12

const char oci_media_accept[] =
    "Accept: " OCI_INDEX ", " OCI_MANIFEST ", " DOCKER_LIST ", " DOCKER_MANIFEST;

struct media_row {
    const char *name;
    enum oci_media media;
};

static const struct media_row documents[] = {
    {OCI_INDEX, OCI_MEDIA_INDEX},
    {DOCKER_LIST, OCI_MEDIA_INDEX},
    {OCI_MANIFEST, OCI_MEDIA_MANIFEST},
    {DOCKER_MANIFEST, OCI_MEDIA_MANIFEST},
};

static const char *const configs[] = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
};

struct layer_row {
    const char *name;
    enum oci_compression compression;
};

/* Layers that must not be distributed are asked for at the registry like the others. */
static const struct layer_row layers[] = {
    {"application/vnd.oci.image.layer.v1.tar", OCI_LAYER_TAR},
    {"application/vnd.oci.image.layer.v1.tar+gzip", OCI_LAYER_GZIP},
    {"application/vnd.oci.image.layer.v1.tar+zstd", OCI_LAYER_ZSTD},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", OCI_LAYER_TAR},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", OCI_LAYER_GZIP},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", OCI_LAYER_ZSTD},
    {"application/vnd.docker.image.rootfs.diff.tar", OCI_LAYER_TAR},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", OCI_LAYER_GZIP},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", OCI_LAYER_ZSTD},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", OCI_LAYER_GZIP},
};

#define PLATFORM_WORD_MAX 20

struct machine_row {
    const char *machine; /* uname -m */
    const char *architecture;
    const char *variant;
};

static const struct machine_row machines[] = {
    {"x86_64", "amd64", ""},
    {"aarch64", "arm64", "v8"},
    {"riscv64", "riscv64", ""},
    {"ppc64le", "ppc64le", ""},
    {"s390x", "s390x", ""},
};

struct oci_platform oci_platform_of(const char *architecture)
{
    for (size_t i = 0; i < array_length(machines); i++) {
        if (strcmp(machines[i].architecture, architecture) == 0) {
            return (struct oci_platform){machines[i].architecture, machines[i].variant};
        }
    }
    return (struct oci_platform){architecture, ""};
}

/* A word as registries have them. */
static bool is_word(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len > 0 && len <= PLATFORM_WORD_MAX && text[len] == '\0';
}

bool oci_platform_parse(char *text, struct oci_platform *platform, struct error *err)
{
    auto_free char *shown = memory_strdup(text);
    char *left = text;
    const char *os = strsep(&left, "/");
    const char *architecture = strsep(&left, "/");
    const char *variant = left;
    if (strcmp(os, "linux") != 0 || architecture == NULL || !is_word(architecture) ||
        (variant != NULL && !is_word(variant))) {
        return error_set(err, ERROR_INVALID,
            "%.100s is no platform of ours: it reads linux/ARCHITECTURE or "
            "linux/ARCHITECTURE/VARIANT, such as linux/arm64",
            shown);
    }
    *platform = oci_platform_of(architecture);
    platform->variant = variant != NULL ? variant : platform->variant;
    return true;
}

struct oci_platform oci_platform_host(void)
{
    struct utsname host;
    for (size_t i = 0; uname(&host) == 0 && i < array_length(machines); i++) {
        if (strcmp(machines[i].machine, host.machine) == 0) {
            return (struct oci_platform){machines[i].architecture, machines[i].variant};
        }
    }
    return (struct oci_platform){"unknown", ""};
}

/* Whether value is name, whatever parameters follow. */
static bool is_media(const char *value, const char *name)
{
    size_t len = strcspn(value, "; \t");
    return strlen(name) == len && strncasecmp(value, name, len) == 0;
}

/* Of a Content-Type or mediaType value; parameters behind ';' do not count. NULL is unknown. */
static enum oci_media media_of(const char *value)
{
    for (size_t i = 0; value != NULL && i < array_length(documents); i++) {
        if (is_media(value, documents[i].name)) {
            return documents[i].media;
        }
    }
    return OCI_MEDIA_UNKNOWN;
}

void oci_document_done(struct oci_document *document)
{
    free(document->layers);
    *document = (struct oci_document){0};
}

static bool is_same_media(const char *a, const char *b)
{
    size_t len = strcspn(a, "; \t");
    return strcspn(b, "; \t") == len && strncasecmp(a, b, len) == 0;
}

/* What the document says it is, what the server and the descriptor say it is, and what it looks
 * like must be one and the same. */
static bool settle_media(const struct json *root, const char *content_type, enum oci_media expected,
    const char *what, enum oci_media *media, struct error *err)
{
    const char *own = NULL;
    if (!json_read_string(root, "mediaType", false, what, &own, err)) {
        return false;
    }
    const char *said = own != NULL ? own : content_type;
    *media = said != NULL ? media_of(said) : expected;
    if (*media == OCI_MEDIA_UNKNOWN) {
        return error_set(err, ERROR_FORMAT,
            "%s is neither an image's manifest nor an index of them, but %.100s", what,
            said != NULL ? said : "of no type it tells");
    }
    if ((own != NULL && content_type != NULL && !is_same_media(own, content_type)) ||
        (expected != OCI_MEDIA_UNKNOWN && *media != expected)) {
        return error_set(err, ERROR_FORMAT,
            "%s is announced as one kind of document and says it is another (%.100s)", what, said);
    }
    bool has_manifests = json_get(root, "manifests") != NULL;
    bool has_layers = json_get(root, "layers") != NULL || json_get(root, "config") != NULL ||
                      json_get(root, "fsLayers") != NULL;
    if (has_manifests == has_layers || has_manifests != (*media == OCI_MEDIA_INDEX)) {
        return error_set(err, ERROR_FORMAT,
            "%s must hold either manifests or config and layers, as its type says", what);
    }
    return true;
}

static bool is_string(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool fits(const struct json *platform, const struct oci_platform *wanted)
{
    const char *variant = json_string(platform, "variant", "");
    return is_string(json_string(platform, "os", ""), "linux") &&
           is_string(json_string(platform, "architecture", ""), wanted->architecture) &&
           (variant[0] == '\0' || is_string(variant, wanted->variant));
}

static bool no_entry(const struct json *manifests, const struct oci_platform *platform,
    const char *what, struct error *err)
{
    auto_done(strings) struct strings there = {0};
    for (const struct json *entry = json_first(manifests); entry != NULL;
         entry = json_next(entry)) {
        const struct json *of = json_get(entry, "platform");
        const char *os = json_is_object(of) ? json_string(of, "os", "unknown") : "unknown";
        if (!is_string(os, "unknown") && there.count < SHOWN_PLATFORMS) {
            const char *variant = json_string(of, "variant", "");
            strings_printf(&there, "%.20s/%.20s%s%.20s", os,
                json_string(of, "architecture", "unknown"), variant[0] != '\0' ? "/" : "", variant);
        }
    }
    auto_free char *list = strings_join(&there, ", ");
    return error_set(err, ERROR_UNSUPPORTED, "%s has no image for linux/%s%s%s; there is %s", what,
        platform->architecture, platform->variant[0] != '\0' ? "/" : "", platform->variant,
        there.count > 0 ? list : "none for any platform");
}

/* The first entry that fits; where none says so, the first that tells no platform at all. */
static const struct json *choose(const struct json *manifests, const struct oci_platform *platform)
{
    const struct json *untold = NULL;
    for (const struct json *entry = json_first(manifests); entry != NULL;
         entry = json_next(entry)) {
        const struct json *of = json_get(entry, "platform");
        if (json_is_object(of) && fits(of, platform)) {
            return entry;
        }
        if (of == NULL && untold == NULL &&
            media_of(json_string(entry, "mediaType", NULL)) != OCI_MEDIA_UNKNOWN) {
            untold = entry;
        }
    }
    return untold;
}

static bool parse_index(const struct json *root, const struct oci_platform *platform,
    const struct limits *limits, const char *what, struct oci_document *document, struct error *err)
{
    const struct json *manifests = json_get(root, "manifests");
    if (!json_is_array(manifests)) {
        return error_set(err, ERROR_FORMAT, "%s: \"manifests\" is not a list", what);
    }
    const struct json *entry = choose(manifests, platform);
    if (entry == NULL) {
        return no_entry(manifests, platform, what, err);
    }
    const char *media = NULL;
    if (!json_read_string(entry, "mediaType", true, what, &media, err) ||
        !oci_descriptor_read(entry, limits, what, &document->chosen, err)) {
        return false;
    }
    document->chosen_media = media_of(media);
    if (document->chosen_media == OCI_MEDIA_UNKNOWN) {
        return error_set(err, ERROR_FORMAT,
            "%s: what it lists for this platform is no image: %.100s", what, media);
    }
    return true;
}

static bool read_compression(
    const char *media, const char *what, enum oci_compression *compression, struct error *err)
{
    for (size_t i = 0; i < array_length(layers); i++) {
        if (is_media(media, layers[i].name)) {
            *compression = layers[i].compression;
            return true;
        }
    }
    return error_set(err, ERROR_FORMAT,
        "%s is of a kind we do not know (%.100s); without it the image would not be whole", what,
        media);
}

static bool parse_layer(const struct json *entry, size_t index, const struct limits *limits,
    const char *what, struct oci_layer *layer, struct error *err)
{
    char shown[256];
    snprintf(shown, sizeof shown, "layer %zu of %s", index + 1, what);
    struct oci_descriptor blob = {0};
    const char *media = NULL;
    if (!oci_descriptor_read(entry, limits, shown, &blob, err) ||
        !json_read_string(entry, "mediaType", true, shown, &media, err) ||
        !read_compression(media, shown, &layer->compression, err)) {
        return false;
    }
    layer->digest = blob.digest;
    layer->size_bytes = blob.size_bytes;
    return true;
}

static bool parse_layers(const struct json *root, const struct limits *limits, const char *what,
    struct oci_document *document, struct error *err)
{
    const struct json *list = json_get(root, "layers");
    const size_t count = json_is_array(list) ? json_count(list) : 0;
    if (count == 0) {
        return error_set(
            err, ERROR_FORMAT, "%s has no layers: there is nothing to make a disk of", what);
    }
    if (count > limits->manifest_layers) {
        return error_set(err, ERROR_LIMIT,
            "%s has %zu layers, more than the limit manifest_layers (%" PRIu64 ")", what, count,
            limits->manifest_layers);
    }
    document->layers = memory_zero(count, sizeof *document->layers);
    for (const struct json *entry = json_first(list); entry != NULL; entry = json_next(entry)) {
        struct oci_layer *layer = &document->layers[document->layer_count];
        if (!parse_layer(entry, document->layer_count, limits, what, layer, err)) {
            return false;
        }
        document->layer_count++;
        if (__builtin_add_overflow(
                document->layers_bytes, layer->size_bytes, &document->layers_bytes) ||
            document->layers_bytes > limits->expanded_bytes) {
            return error_set(err, ERROR_LIMIT,
                "the layers of %s are more than the limit expanded_bytes (%" PRIu64 ")", what,
                limits->expanded_bytes);
        }
    }
    return true;
}

static bool parse_manifest(const struct json *root, const struct limits *limits, const char *what,
    struct oci_document *document, struct error *err)
{
    char shown[256];
    snprintf(shown, sizeof shown, "the config of %s", what);
    const struct json *config = json_get(root, "config");
    const char *media = NULL;
    if (!oci_descriptor_read(config, limits, shown, &document->config, err) ||
        !json_read_string(config, "mediaType", true, shown, &media, err)) {
        return false;
    }
    if (!is_media(media, configs[0]) && !is_media(media, configs[1])) {
        return error_set(err, ERROR_FORMAT,
            "%s is not a container image but something else kept in a registry (%.100s)", what,
            media);
    }
    if (document->config.size_bytes > limits->json_bytes) {
        return error_set(err, ERROR_LIMIT,
            "%s is %" PRIu64 " bytes, more than the limit json_bytes (%" PRIu64 ")", shown,
            document->config.size_bytes, limits->json_bytes);
    }
    return parse_layers(root, limits, what, document, err);
}

static bool check_version(
    const struct json *root, const char *content_type, const char *what, struct error *err)
{
    int64_t version = json_integer(root, "schemaVersion", 0);
    if (version == 1 || (content_type != NULL && strncasecmp(content_type, DOCKER_SCHEMA_1,
                                                     sizeof DOCKER_SCHEMA_1 - 1) == 0)) {
        return error_set(err, ERROR_UNSUPPORTED,
            "%s is a manifest of schema 1, given up in 2017: it must be pushed again by a newer "
            "tool",
            what);
    }
    return version == 2 || error_set(err, ERROR_FORMAT, "%s: schemaVersion must be 2", what);
}

bool oci_document_parse(const char *bytes, size_t len, const char *content_type,
    enum oci_media expected, const struct oci_platform *platform, const struct limits *limits,
    const char *what, struct oci_document *document, struct error *err)
{
    auto_json struct json *root =
        json_parse(bytes, len, limits->json_bytes, limits->json_depth, what, err);
    if (root == NULL) {
        return false;
    }
    if (!json_is_object(root)) {
        return error_set(err, ERROR_FORMAT, "%s is not a JSON object", what);
    }
    auto_done(oci_document) struct oci_document parsed = {0};
    if (!check_version(root, content_type, what, err) ||
        !settle_media(root, content_type, expected, what, &parsed.media, err)) {
        return false;
    }
    bool is_good = parsed.media == OCI_MEDIA_INDEX
                       ? parse_index(root, platform, limits, what, &parsed, err)
                       : parse_manifest(root, limits, what, &parsed, err);
    if (is_good) {
        *document = parsed;
        parsed = (struct oci_document){0};
    }
    return is_good;
}
