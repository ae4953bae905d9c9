/* SPDX-License-Identifier: MIT */
#include "artifact/oci_config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/oci_image.h"
#include "artifact/oci_manifest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

#define WORD_MAX_BYTES 256
#define LIST_MAX 4096
#define LIST_MAX_BYTES ((size_t)1 << 20)
#define STEP_MAX_BYTES 1024

static const char what[] = "the image's config";

/* A short string without control characters; absent or empty leaves *out alone. */
static bool take_word(
    const struct json *object, const char *key, size_t max, char **out, struct error *err)
{
    const struct json *member = json_get(object, key);
    const char *word = member != NULL ? json_string_value(member) : NULL;
    if (word == NULL || word[0] == '\0') {
        return true;
    }
    size_t len = strlen(word);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)word[i] < 0x20 || word[i] == 0x7f) {
            return error_set(err, ERROR_FORMAT, "%s: \"%s\" holds control characters", what, key);
        }
    }
    if (len > max) {
        return error_set(err, ERROR_LIMIT, "%s: \"%s\" is longer than %zu bytes", what, key, max);
    }
    *out = memory_strdup(word);
    return true;
}

/* null and absent are an empty list. */
static bool take_list(
    const struct json *object, const char *key, struct strings *out, struct error *err)
{
    const struct json *list = json_get(object, key);
    if (list != NULL && (json_is_string(list) || json_is_object(list))) {
        return error_set(err, ERROR_FORMAT, "%s: \"%s\" is not a list", what, key);
    }
    size_t bytes = 0;
    for (const struct json *item = list != NULL ? json_first(list) : NULL; item != NULL;
         item = json_next(item)) {
        if (!json_is_string(item)) {
            return error_set(err, ERROR_FORMAT, "%s: \"%s\" holds what is no text", what, key);
        }
        const char *word = json_string_value(item);
        bytes += strlen(word) + 1;
        if (out->count >= LIST_MAX || bytes > LIST_MAX_BYTES) {
            return error_set(err, ERROR_LIMIT, "%s: \"%s\" has more than %d items or %zu bytes",
                what, key, LIST_MAX, LIST_MAX_BYTES);
        }
        strings_add(out, word);
    }
    return true;
}

static bool check_environment(const struct strings *env, struct error *err)
{
    for (size_t i = 0; i < env->count; i++) {
        const char *item = env->items[i];
        const char *end = strchr(item, '=');
        bool is_good = end != NULL && end != item;
        for (const char *c = item; is_good && c < end; c++) {
            is_good = (unsigned char)*c > 0x20 && *c != 0x7f;
        }
        if (!is_good) {
            return error_set(err, ERROR_FORMAT, "%s: Env holds what is not NAME=value", what);
        }
    }
    return true;
}

/* A number must be a user's or group's; a name is looked up inside the image. */
static bool check_identity(const char *text, size_t len, struct error *err)
{
    if (len == 0 || strspn(text, "0123456789") < len) {
        return len > 0 && text[0] != '-'
                   ? true
                   : error_set(err, ERROR_FORMAT, "%s: User is neither a name nor a number", what);
    }
    uint64_t number = 0;
    for (size_t i = 0; i < len && number <= UINT32_MAX; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    /* The largest one means "nobody in particular" to system calls. */
    return number < UINT32_MAX ||
           error_set(err, ERROR_FORMAT, "%s: User is a number beyond 32 bits", what);
}

static bool check_user(const char *user, struct error *err)
{
    if (user == NULL) {
        return true;
    }
    size_t len = strcspn(user, ":");
    return check_identity(user, len, err) &&
           (user[len] == '\0' || check_identity(user + len + 1, strlen(user + len + 1), err));
}

/* Docker takes a relative one from the root. */
static void make_absolute(char **workdir)
{
    if (*workdir != NULL && (*workdir)[0] != '/') {
        char *absolute = memory_printf("/%s", *workdir);
        free(*workdir);
        *workdir = absolute;
    }
}

static bool parse_run(
    const struct json *config, const struct limits *limits, struct oci_run *run, struct error *err)
{
    if (config == NULL || !json_is_object(config)) {
        return true;
    }
    if (!take_list(config, "Entrypoint", &run->entrypoint, err) ||
        !take_list(config, "Cmd", &run->cmd, err) || !take_list(config, "Env", &run->env, err) ||
        !take_word(config, "WorkingDir", limits->path_bytes, &run->workdir, err) ||
        !take_word(config, "User", WORD_MAX_BYTES, &run->user, err) ||
        !take_word(config, "StopSignal", WORD_MAX_BYTES, &run->stop_signal, err)) {
        return false;
    }
    make_absolute(&run->workdir);
    return check_environment(&run->env, err) && check_user(run->user, err);
}

static bool parse_diff_ids(const struct json *root, struct oci_image *image, struct error *err)
{
    const struct json *rootfs = json_get(root, "rootfs");
    const struct json *list = rootfs != NULL ? json_get(rootfs, "diff_ids") : NULL;
    if (list == NULL || !json_is_array(list) ||
        strcmp(json_string(rootfs, "type", ""), "layers") != 0) {
        return error_set(err, ERROR_FORMAT, "%s: rootfs must be a list of layers", what);
    }
    if (json_count(list) != image->layer_count) {
        return error_set(err, ERROR_FORMAT, "%s tells of %zu layers, the manifest of %zu", what,
            json_count(list), image->layer_count);
    }
    size_t index = 0;
    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        const char *digest = json_is_string(item) ? json_string_value(item) : "";
        if (!text_has_prefix(digest, "sha256:") ||
            !digest_parse(digest, &image->layers[index].diff_id)) {
            return error_set(err, ERROR_FORMAT,
                "%s: diff_id %zu is not sha256: and 64 lower-case hex digits", what, index + 1);
        }
        index++;
    }
    return true;
}

/* One line of what somebody wrote, cut between characters. */
static char *one_line(const struct json *object, const char *key)
{
    const char *text = json_string(object, key, NULL);
    if (text == NULL || text[0] == '\0') {
        return NULL;
    }
    size_t len = strnlen(text, STEP_MAX_BYTES);
    while (text[len] != '\0' && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    char *line = memory_strndup(text, len);
    for (char *c = line; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
    }
    return line;
}

/* For people only: what is not understood is left out. */
static void take_steps(const struct json *root, struct oci_image *image)
{
    const struct json *history = json_get(root, "history");
    if (!json_is_array(history)) {
        return;
    }
    image->steps = memory_zero(json_count(history), sizeof *image->steps);
    for (const struct json *item = json_first(history);
         item != NULL && image->step_count < LIST_MAX; item = json_next(item)) {
        if (json_is_object(item)) {
            image->steps[image->step_count++] =
                (struct oci_step){.created = one_line(item, "created"),
                    .created_by = one_line(item, "created_by"),
                    .is_empty = json_bool(item, "empty_layer", false)};
        }
    }
}

static bool check_platform(const struct oci_platform *platform, const struct oci_image *image,
    const char *os, struct error *err)
{
    const char *architecture = image->architecture != NULL ? image->architecture : "";
    if (strcmp(os, "linux") == 0 &&
        (architecture[0] == '\0' || strcmp(architecture, platform->architecture) == 0)) {
        return true;
    }
    return error_set(err, ERROR_UNSUPPORTED, "the image is for %.20s/%.20s, not for linux/%s", os,
        architecture, platform->architecture);
}

bool oci_config_parse(const char *bytes, size_t len, const struct oci_platform *platform,
    const struct limits *limits, struct oci_image *image, struct error *err)
{
    auto_json struct json *root =
        json_parse(bytes, len, limits->json_bytes, limits->json_depth, what, err);
    if (root == NULL) {
        return false;
    }
    if (!json_is_object(root)) {
        return error_set(err, ERROR_FORMAT, "%s is not a JSON object", what);
    }
    if (!take_word(root, "architecture", WORD_MAX_BYTES, &image->architecture, err) ||
        !take_word(root, "variant", WORD_MAX_BYTES, &image->variant, err) ||
        !take_word(root, "created", WORD_MAX_BYTES, &image->created, err)) {
        return false;
    }
    take_steps(root, image);
    return check_platform(platform, image, json_string(root, "os", "linux"), err) &&
           parse_diff_ids(root, image, err) &&
           parse_run(json_get(root, "config"), limits, &image->run, err);
}
