/* SPDX-License-Identifier: MIT */
/* Keys that catalogs are signed with. */
#include "artifact/signature.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/catalog/ops_catalog_publish.h"
#include "engine/command.h"
#include "engine/ops.h"
#include "engine/ops_common.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MOST 16384

struct signature_key *ops_read_key(const char *path, struct strings *notes, struct error *err)
{
    /* The operator's own file: links are followed. */
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        error_set_errno(err, errno, "cannot open the key %s", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_FORMAT, "the key %s is not a file", path);
        return NULL;
    }
    auto_done(text) struct text pem = {0};
    /* Grown once, so that nothing of it is left behind in memory. */
    text_append_bytes(&pem, (char[KEY_FILE_MOST]){0}, KEY_FILE_MOST);
    text_clear(&pem);
    struct signature_key *key = NULL;
    if (file_read_fd(fd, path, KEY_FILE_MOST, &pem, err)) {
        key = signature_key_parse(text_cstr(&pem), pem.len, path, err);
    }
    text_wipe(&pem);
    if (key != NULL && (status.st_mode & 077) != 0) {
        strings_printf(notes, "others may read the key %s: chmod 600 it", path);
    }
    return key;
}

/* A new file with the key in it, whole or not at all. */
static bool write_key(const char *path, const struct text *pem, struct error *err)
{
    auto_close int fd = file_create(AT_FDCWD, path, err);
    if (fd < 0) {
        return false;
    }
    if (file_write_all(fd, text_cstr(pem), pem->len, err) && file_sync(fd, path, err)) {
        return true;
    }
    unlink(path);
    return false;
}

static struct json *keygen_result(const char *path, const char *public_key)
{
    struct json *result = ops_result(path, true);
    auto_free char *line = memory_printf("NAME = %s", public_key);
    json_put_string(result, "public_key", public_key);
    json_put_string(result, "trust", line);
    return result;
}

bool ops_catalog_keygen(struct ops *ops, struct json **result, struct error *err)
{
    const char *path = command_get(ops->command, "file");
    if (file_exists(AT_FDCWD, path)) {
        return error_set(err, ERROR_EXISTS, "%s is there: a key is never overwritten", path);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_plan(ops);
        ops_plan_add(*result, "create", path, 0);
        return true;
    }
    auto_signature_key struct signature_key *key = signature_key_new(err);
    auto_done(text) struct text pem = {0};
    auto_done(text) struct text public_key = {0};
    bool is_written = key != NULL && signature_key_public(key, &public_key, err) &&
                      signature_key_pem(key, &pem, err) && write_key(path, &pem, err);
    text_wipe(&pem);
    if (!is_written) {
        return false;
    }
    *result = keygen_result(path, text_cstr(&public_key));
    return true;
}
