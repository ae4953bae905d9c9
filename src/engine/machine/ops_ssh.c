/* SPDX-License-Identifier: MIT */
#include "engine/machine/ops_ssh.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/layout.h"
#include "store/lock.h"
#include "vm/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_KEY "id_ed25519"
#define OWN_PUBLIC OWN_KEY ".pub"
#define KNOWN_HOSTS "known_hosts"
#define KEYGEN_TIMEOUT_MS 30000
#define KEY_FILE_MAX ((size_t)64 << 10)
#define KNOWN_HOSTS_MAX ((size_t)16 << 20)
#define KEYS_MAX 64

static char *path_of(struct ops *ops, const char *name)
{
    return memory_printf("%s/ssh/%s", store_path(ops->store), name);
}

/* ---- keys as text --------------------------------------------------------------------------- */

/* "TYPE BASE64[ COMMENT]" at the beginning of a line, or behind a host's name. Its length without
 * the comment, 0 when it is no key. */
static size_t key_len(const char *line)
{
    static const char *const types[] = {"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com"};
    static const char base64[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    for (size_t i = 0; i < array_length(types); i++) {
        size_t type_len = strlen(types[i]);
        if (text_has_prefix(line, types[i]) && line[type_len] == ' ') {
            size_t data_len = strspn(line + type_len + 1, base64);
            char behind = line[type_len + 1 + data_len];
            bool is_key = data_len >= 40 && (behind == '\0' || strchr(" \t\r\n", behind) != NULL);
            return is_key ? type_len + 1 + data_len : 0;
        }
    }
    return 0;
}

static void add_keys(const char *content, struct strings *keys)
{
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, content, "\n");
    for (size_t i = 0; i < lines.count && keys->count < KEYS_MAX; i++) {
        size_t len = key_len(lines.items[i]);
        if (len > 0) {
            strings_add_len(keys, lines.items[i], len);
        }
    }
}

/* ---- our own pair --------------------------------------------------------------------------- */

static bool generate(const char *path, const struct ops *ops, struct error *err)
{
    const char *const argv[] = {
        "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "banger", "-f", path, NULL};
    auto_done(text) struct text errors = {0};
    int status = 0;
    if (!process_run(argv, KEYGEN_TIMEOUT_MS, 4096, ops->cancel, NULL, &errors, &status, err)) {
        return false;
    }
    return status == 0 ||
           error_set(err, ERROR_IO, "ssh-keygen made no key: %s", text_cstr(&errors));
}

/* The private one last: where it is, the pair is whole. Somebody else may have been faster. */
static bool publish_pair(struct ops *ops, const char *made, struct error *err)
{
    int dir = store_area_dir(ops->store, STORE_SSH);
    auto_free char *made_public = memory_printf("%s.pub", made);
    auto_lock struct lock *lock = lock_take_store(
        ops->store, "make an ssh key", ops_lock_timeout_ms(ops), ops->progress, ops->cancel, err);
    bool is_done = lock != NULL;
    if (is_done && !file_exists(dir, OWN_KEY)) {
        is_done = (renameat(dir, made_public, dir, OWN_PUBLIC) == 0 &&
                      renameat(dir, made, dir, OWN_KEY) == 0) ||
                  error_set(err, ERROR_IO, "cannot keep the ssh key");
    }
    unlinkat(dir, made, 0);
    unlinkat(dir, made_public, 0);
    return is_done;
}

/* *has_pair false: there is no ssh-keygen to make it with. */
static bool ensure_pair(struct ops *ops, bool *has_pair, struct error *err)
{
    int dir = store_area_dir(ops->store, STORE_SSH);
    *has_pair = file_exists(dir, OWN_KEY) && file_exists(dir, OWN_PUBLIC);
    auto_free char *keygen = process_find("ssh-keygen");
    if (*has_pair || keygen == NULL || ops->config->is_readonly) {
        return true;
    }
    auto_free char *made = file_temporary_name(OWN_KEY, err);
    if (made == NULL) {
        return false;
    }
    auto_free char *path = path_of(ops, made);
    *has_pair = generate(path, ops, err) && publish_pair(ops, made, err);
    return *has_pair;
}

/* ---- the keys of a machine ------------------------------------------------------------------ */

static bool read_operator_keys(const char *path, struct strings *keys, struct error *err)
{
    auto_done(text) struct text content = {0};
    if (!file_read_all(AT_FDCWD, path, KEY_FILE_MAX, &content, err)) {
        return error_wrap(err, "--ssh-key");
    }
    if (strstr(text_cstr(&content), "PRIVATE KEY-----") != NULL) {
        auto_free char *beside = memory_printf("%s.pub", path);
        text_clear(&content);
        if (!file_read_all(AT_FDCWD, beside, KEY_FILE_MAX, &content, err)) {
            return error_wrap(err, "--ssh-key %s is a private key, and beside it", path);
        }
    }
    add_keys(text_cstr(&content), keys);
    return keys->count > 0 || error_set(err, ERROR_FORMAT,
                                  "--ssh-key %s holds no public key (\"ssh-ed25519 AAAA…\")", path);
}

bool ops_ssh_public_keys(
    struct ops *ops, const struct machine_spec *spec, struct strings *keys, struct error *err)
{
    bool has_pair = false;
    if (spec->ssh_key != NULL) {
        return read_operator_keys(spec->ssh_key, keys, err);
    }
    if (!ensure_pair(ops, &has_pair, err)) {
        return error_wrap(err, "the ssh key for guests");
    }
    if (!has_pair) {
        return true;
    }
    auto_done(text) struct text content = {0};
    if (!file_read_all(
            store_area_dir(ops->store, STORE_SSH), OWN_PUBLIC, KEY_FILE_MAX, &content, err)) {
        return false;
    }
    add_keys(text_cstr(&content), keys);
    return true;
}

char *ops_ssh_identity(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    bool has_pair = false;
    if (spec->ssh_key != NULL) {
        auto_free char *path = memory_strdup(spec->ssh_key);
        if (text_has_suffix(path, ".pub")) {
            path[strlen(path) - strlen(".pub")] = '\0';
        }
        return file_exists(AT_FDCWD, path) ? take_ptr(path) : NULL;
    }
    if (!ensure_pair(ops, &has_pair, err)) {
        return NULL;
    }
    if (!has_pair) {
        error_set(err, ERROR_UNSUPPORTED,
            "there is no ssh key yet and no ssh-keygen to make one: install openssh-client");
        return NULL;
    }
    return path_of(ops, OWN_KEY);
}

/* ---- known hosts ---------------------------------------------------------------------------- */

char *ops_ssh_known_hosts(struct ops *ops)
{
    return path_of(ops, KNOWN_HOSTS);
}

static bool is_about(const char *line, const char *alias)
{
    return text_has_prefix(line, alias) && line[strlen(alias)] == ' ';
}

static void read_known(struct ops *ops, struct strings *lines)
{
    auto_done(text) struct text content = {0};
    struct error ignored = {0};
    if (file_read_all(store_area_dir(ops->store, STORE_SSH), KNOWN_HOSTS, KNOWN_HOSTS_MAX, &content,
            &ignored)) {
        strings_split(lines, text_cstr(&content), "\n");
    }
}

bool ops_ssh_is_known(struct ops *ops, const char *alias)
{
    auto_done(strings) struct strings lines = {0};
    read_known(ops, &lines);
    for (size_t i = 0; i < lines.count; i++) {
        if (is_about(lines.items[i], alias)) {
            return true;
        }
    }
    return false;
}

bool ops_ssh_learn(struct ops *ops, const char *alias, const struct strings *lines, unsigned *count,
    struct error *err)
{
    auto_done(text) struct text learnt = {0};
    *count = 0;
    for (size_t i = 0; i < lines->count && *count < KEYS_MAX; i++) {
        const char *line = lines->items[i];
        const char *key = is_about(line, alias) ? line + strlen(alias) + 1 : line;
        size_t len = key_len(key);
        if (len > 0) {
            text_printf(&learnt, "%s %.*s\n", alias, (int)len, key);
            ++*count;
        }
    }
    if (*count == 0) {
        return true;
    }
    auto_lock struct lock *lock = lock_take_store(ops->store, "note a guest's key",
        ops_lock_timeout_ms(ops), ops->progress, ops->cancel, err);
    if (lock == NULL) {
        return false;
    }
    auto_done(strings) struct strings before = {0};
    auto_done(text) struct text content = {0};
    read_known(ops, &before);
    for (size_t i = 0; i < before.count; i++) {
        if (before.items[i][0] != '\0' && !is_about(before.items[i], alias)) {
            text_printf(&content, "%s\n", before.items[i]);
        }
    }
    text_append(&content, text_cstr(&learnt));
    return file_replace(store_area_dir(ops->store, STORE_SSH), KNOWN_HOSTS, text_cstr(&content),
        content.len, 0600, err);
}
