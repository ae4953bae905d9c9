/* SPDX-License-Identifier: MIT */
/* kernel export: a kernel as one file, to be carried to a host without a network. */
#include "artifact/bundle_write.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/file_draft.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/kernel_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Digits of the digest in a file's name, as in catalogs. */
#define PREFIX_DIGITS 16

/* Where it goes: a file of that name, or one named by its content in that directory. */
struct target {
    struct file_draft draft;
    char *path; /* NULL: named when the content is known */
};

static void target_done(struct target *target)
{
    file_draft_done(&target->draft);
    free(target->path);
}

static bool refuse_existing(struct ops *ops, const char *path, struct error *err)
{
    return command_has(ops->command, "force") || !file_exists(AT_FDCWD, path) ||
           error_set(err, ERROR_EXISTS,
               "%s is there already: --force replaces it, or choose another name", path);
}

static bool target_open(struct ops *ops, const char *to, struct target *target, struct error *err)
{
    struct stat status;
    bool is_dir = stat(to, &status) == 0 && S_ISDIR(status.st_mode);
    target->path = is_dir ? NULL : memory_strdup(to);
    return (is_dir || refuse_existing(ops, to, err)) && file_draft_begin(&target->draft, to, err);
}

static bool target_finish(struct ops *ops, struct target *target, const struct kernel_entry *entry,
    const struct bundle_written *written, struct error *err)
{
    char hex[DIGEST_HEX_LEN + 1];
    if (target->path == NULL) {
        target->path = memory_printf("%s/%s-%s-%.*s.tar.zst", target->draft.folder, entry->name,
            entry->arch != NULL ? entry->arch : "unknown", PREFIX_DIGITS,
            digest_format(&written->digest, hex));
        if (!refuse_existing(ops, target->path, err)) {
            return false;
        }
    }
    return file_draft_finish(&target->draft, target->path, command_has(ops->command, "force"), err);
}

static struct json *export_result(const struct kernel_entry *entry, const char *path,
    const struct bundle_written *written, uint64_t started_ms)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct json *result = ops_result(entry->name, true);
    json_put_string(result, "file", path);
    json_put_string(result, "sha256", digest_format(&written->digest, hex));
    json_put_integer(result, "size_bytes", (int64_t)written->size_bytes);
    json_put_integer(result, "expanded_bytes", (int64_t)written->expanded_bytes);
    ops_put_strings(result, "notes", &written->notes);
    json_put_number(result, "seconds", (double)(clock_monotonic_ms() - started_ms) / 1000);
    return result;
}

bool ops_kernel_export(struct ops *ops, struct json **result, struct error *err)
{
    uint64_t started_ms = clock_monotonic_ms();
    auto_free char *name = ops_kernel_resolve(ops, command_get(ops->command, "name"), err);
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    if (name == NULL || !kernel_store_read(ops->store, name, &entry, err)) {
        return false;
    }
    if (entry.is_damaged) {
        return error_set(
            err, ERROR_FORMAT, "kernel %s is damaged and not exported: %s", name, entry.damage);
    }
    const char *to = command_get(ops->command, "to");
    if (command_is_dry_run(ops->command)) {
        *result = ops_plan(ops);
        ops_plan_add(*result, "write", to, 0);
        return true;
    }
    /* What has rotted is not handed on. */
    struct digest digest;
    auto_close int dir = kernel_store_open(ops->store, name, err);
    if (dir < 0 || !ops_kernel_hash(ops, &entry, &digest, err)) {
        return false;
    }
    auto_done(target) struct target target = {.draft.fd = -1};
    auto_done(bundle_written) struct bundle_written written = {0};
    if (!target_open(ops, to, &target, err) ||
        !bundle_write(target.draft.fd, dir, BUNDLE_KERNEL, NULL, ops->limits, ops->progress,
            ops->cancel, &written, err) ||
        !target_finish(ops, &target, &entry, &written, err)) {
        return false;
    }
    *result = export_result(&entry, target.path, &written, started_ms);
    return true;
}
