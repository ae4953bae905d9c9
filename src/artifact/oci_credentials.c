/* SPDX-License-Identifier: MIT */
#include "artifact/oci_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "artifact/oci_ref.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define HELPER_TIMEOUT_MS 30000
#define HELPER_MAX_BYTES 65536
#define FILE_MAX_BYTES ((size_t)4 << 20)
#define DOCKER_KEY "https://index.docker.io/v1/"
/* The user name of a helper's answer that is an identity token. */
#define TOKEN_USER "<token>"

/* Something to read the host from. -1 on failure. */
static int make_input(const char *host, struct error *err)
{
    auto_close int fd = memfd_create("credential-host", MFD_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot ask a credential helper");
        return -1;
    }
    if (!file_write_all(fd, host, strlen(host), err) || lseek(fd, 0, SEEK_SET) != 0) {
        return -1;
    }
    return take_fd(&fd);
}

static bool read_answer(const struct text *out, const char *program, const struct limits *limits,
    struct oci_credentials *credentials, struct error *err)
{
    auto_json struct json *root =
        json_parse(text_cstr(out), out->len, HELPER_MAX_BYTES, limits->json_depth, program, err);
    if (root == NULL) {
        /* What it said may hold a secret. */
        error_clear(err);
        return error_set(err, ERROR_CONFIG, "%s does not answer in JSON", program);
    }
    const char *user = json_string(root, "Username", "");
    const char *secret = json_string(root, "Secret", "");
    if (strpbrk(user, "\r\n") != NULL || strpbrk(secret, "\r\n") != NULL) {
        return error_set(err, ERROR_CONFIG, "%s answers with more than one line", program);
    }
    if (secret[0] == '\0') {
        return true;
    }
    if (strcmp(user, TOKEN_USER) == 0) {
        credentials->identity_token = memory_strdup(secret);
    } else {
        credentials->user = memory_strdup(user);
        credentials->password = memory_strdup(secret);
    }
    return true;
}

/* Asks a helper; that it knows nothing is success. */
static bool ask_helper(const char *helper, const char *host, const struct limits *limits,
    const struct cancel *cancel, struct oci_credentials *credentials, struct error *err)
{
    auto_free char *program = memory_printf("docker-credential-%s", helper);
    auto_free char *path = process_find(program);
    if (path == NULL) {
        return error_set(err, ERROR_CONFIG,
            "the credential helper %s, which an auth file names for %s, is not installed", program,
            host);
    }
    auto_close int input = make_input(strcmp(host, OCI_DOCKER_HOST) == 0 ? DOCKER_KEY : host, err);
    const char *const argv[] = {path, "get", NULL};
    struct text out = {0};
    int status = 0;
    bool is_done = input >= 0 && process_run_input(argv, input, HELPER_TIMEOUT_MS, HELPER_MAX_BYTES,
                                     cancel, &out, NULL, &status, err);
    /* Any other status than 0 is "credentials not found" more often than not. */
    if (is_done && status == 0) {
        is_done = read_answer(&out, program, limits, credentials, err);
    }
    text_wipe(&out);
    return is_done;
}

static bool ask_file(const char *file, const char *host, const char *repository,
    const struct limits *limits, const struct cancel *cancel, struct oci_credentials *credentials,
    struct error *err)
{
    struct text bytes = {0};
    struct error failure = {0};
    if (!file_read_all(AT_FDCWD, file, FILE_MAX_BYTES, &bytes, &failure)) {
        text_wipe(&bytes);
        if (failure.code == ERROR_NOT_FOUND) {
            return true;
        }
        *err = failure;
        err->code = ERROR_CONFIG;
        return error_wrap(err, "an auth file cannot be read");
    }
    auto_done(oci_auth_answer) struct oci_auth_answer answer = {0};
    bool is_good = oci_auth_parse(text_cstr(&bytes), bytes.len, text_has_suffix(file, ".dockercfg"),
        host, repository, limits, file, &answer, err);
    text_wipe(&bytes);
    if (is_good && answer.helper != NULL) {
        is_good = ask_helper(answer.helper, host, limits, cancel, credentials, err);
    }
    if (is_good && !oci_credentials_are_there(credentials)) {
        oci_credentials_done(credentials);
        *credentials = answer.credentials;
        answer.credentials = (struct oci_credentials){0};
    }
    return is_good;
}

bool oci_credentials_find(const char *const *files, const char *host, const char *repository,
    const struct limits *limits, const struct cancel *cancel, struct oci_credentials *credentials,
    struct error *err)
{
    auto_done(oci_credentials) struct oci_credentials found = {0};
    for (size_t i = 0; files != NULL && files[i] != NULL; i++) {
        if (!ask_file(files[i], host, repository, limits, cancel, &found, err)) {
            return false;
        }
        if (oci_credentials_are_there(&found)) {
            break;
        }
    }
    *credentials = found;
    found = (struct oci_credentials){0};
    return true;
}
