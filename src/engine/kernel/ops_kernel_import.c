/* SPDX-License-Identifier: MIT */
/* kernel import: a directory, a .deb, or this host's own kernel becomes an entry. */
#include "artifact/bundle.h"
#include "artifact/deb.h"
#include "artifact/hash.h"
#include "artifact/kernel_dir.h"
#include "artifact/kernel_probe.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/kernel_store.h"
#include "store/lock.h"
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* "host" alone is this host's kernel; a directory of that name is "./host". */
#define PLACE_HOST "host"
#define ONE_PLACE "%s is a directory: give one directory, one bundle, or one or more .deb files"

bool ops_kernel_format(int entry_dir, char **format, bool *is_bootable, struct error *err)
{
    struct kernel_probe probe;
    auto_close int fd = file_open_read(entry_dir, KERNEL_FILE, err);
    if (fd < 0 || !kernel_probe_head(fd, KERNEL_FILE, &probe, err)) {
        return false;
    }
    *format = memory_strdup(probe.format[0] != '\0' ? probe.format : NULL);
    *is_bootable = probe.is_bootable;
    return true;
}

struct import {
    struct kernel_entry entry;
    struct kernel_facts facts;
    struct digest digest;
};

static void import_done(struct import *import)
{
    kernel_entry_done(&import->entry);
    kernel_facts_done(&import->facts);
}

static bool import_host(struct ops *ops, int staging, struct import *import, struct error *err)
{
    struct utsname host;
    auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || uname(&host) != 0) {
        return error_set_errno(err, errno, "cannot look at this host's kernel");
    }
    import->entry.source = memory_printf("import:host/%s", host.release);
    if (!kernel_host_import(root, host.release, staging, ops->progress, ops->cancel,
            &import->digest, &import->facts, err)) {
        if (err->code == ERROR_PERMISSION) {
            return error_wrap(err,
                "only root may read this host's kernel %s: run the import with sudo, or import its "
                "package",
                host.release);
        }
        return false;
    }
    return true;
}

static bool import_debs(struct ops *ops, const struct strings *places, int staging,
    struct import *import, struct error *err)
{
    auto_free int *fds = memory_zero(places->count, sizeof *fds);
    size_t opened = 0;
    bool is_good = true;
    for (; is_good && opened < places->count; opened++) {
        fds[opened] = open(places->items[opened], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fds[opened] < 0) {
            is_good = error_set_errno(err, errno, "cannot open %s", places->items[opened]);
        }
    }
    is_good = is_good && deb_import(fds, (const char *const *)places->items, places->count, staging,
                             ops->limits, ops_self_path(ops), ops->progress, ops->cancel,
                             &import->digest, &import->facts, err);
    for (size_t i = 0; i < opened; i++) {
        memory_auto_close(&fds[i]);
    }
    return is_good;
}

/* zstd's magic number (RFC 8878, 3.1.1): what kernel export writes. */
static bool is_bundle(int fd)
{
    static const unsigned char magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    unsigned char head[sizeof magic];
    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
           memcmp(head, magic, sizeof magic) == 0;
}

static bool import_bundle(struct ops *ops, const char *place, int fd, int staging,
    struct import *import, struct error *err)
{
    auto_done(bundle_report) struct bundle_report report = {0};
    struct digest digest;
    char hex[DIGEST_HEX_LEN + 1];
    if (!hash_fd(fd, place, ops->progress, ops->cancel, &digest, err) ||
        !bundle_extract(fd, staging, BUNDLE_KERNEL, ops->limits, ops_self_path(ops), ops->progress,
            ops->cancel, &report, err) ||
        !kernel_staged_facts(staging, ops->cancel, &import->digest, &import->facts, err)) {
        return error_wrap(err, "%s", place);
    }
    import->entry.source_sha256 = memory_strdup(digest_format(&digest, hex));
    for (size_t i = 0; i < report.skipped.count; i++) {
        strings_printf(&import->facts.notes, "left out %s", report.skipped.items[i]);
    }
    return true;
}

static bool import_directory(struct ops *ops, const char *place, int fd, int staging,
    struct import *import, struct error *err)
{
    return kernel_dir_import(
        fd, place, staging, ops->progress, ops->cancel, &import->digest, &import->facts, err);
}

/* Of several places each is a package: what is a directory was meant otherwise. */
static bool check_alone(const struct strings *places, struct error *err)
{
    for (size_t i = 0; i < places->count; i++) {
        struct stat status;
        if (stat(places->items[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            return error_set(err, ERROR_INVALID, ONE_PLACE, places->items[i]);
        }
    }
    return true;
}

/* Decides by what the place is. */
static bool import_place(struct ops *ops, int staging, struct import *import, struct error *err)
{
    const struct strings *places = command_all(ops->command, "from");
    const char *place = places->items[0];
    if (places->count == 1 && strcmp(place, PLACE_HOST) == 0) {
        return import_host(ops, staging, import, err);
    }
    auto_free char *resolved = realpath(place, NULL);
    if (resolved == NULL) {
        return error_set_errno(err, errno, "cannot import from %s", place);
    }
    import->entry.source = memory_printf("import:%s", resolved);
    auto_close int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && places->count == 1) {
        return import_directory(ops, place, fd, staging, import, err);
    }
    if (fd >= 0) {
        return error_set(err, ERROR_INVALID, ONE_PLACE, place);
    }
    if (errno != ENOTDIR) {
        return error_set_errno(err, errno, "cannot import from %s", place);
    }
    auto_close int file = open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0 && is_bundle(file)) {
        return places->count == 1
                   ? import_bundle(ops, place, file, staging, import, err)
                   : error_set(err, ERROR_INVALID, "%s is a bundle: give it alone", place);
    }
    return check_alone(places, err) && import_debs(ops, places, staging, import, err);
}

/* A flag's word wins over what was found. */
static char *choose(const struct ops *ops, const char *flag, char **found)
{
    const char *given = command_get(ops->command, flag);
    return given != NULL ? memory_strdup(given) : take_ptr(*found);
}

static bool complete_entry(
    struct ops *ops, struct import *import, const char *name, int staging, struct error *err)
{
    struct kernel_entry *entry = &import->entry;
    char hex[DIGEST_HEX_LEN + 1];
    struct stat status;
    entry->name = memory_strdup(name);
    entry->distro = choose(ops, "distro", &import->facts.distro);
    entry->arch = choose(ops, "arch", &import->facts.arch);
    entry->kernel_version = choose(ops, "kernel-version", &import->facts.kernel_version);
    entry->sha256 = memory_strdup(digest_format(&import->digest, hex));
    bool is_bootable = false;
    if (!ops_kernel_format(staging, &entry->format_of_kernel, &is_bootable, err)) {
        return false;
    }
    entry->imported_at = clock_wall();
    entry->imported_by = ops_login();
    if (!is_bootable) {
        strings_printf(&import->facts.notes,
            "%s does not look like a kernel: it is kept, but no machine will boot it",
            import->facts.chosen != NULL ? import->facts.chosen : KERNEL_FILE);
    }
    if (fstatat(staging, KERNEL_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", KERNEL_FILE);
    }
    entry->size_bytes = (uint64_t)status.st_size;
    return true;
}

static bool stage_and_publish(struct ops *ops, const char *name, enum publish_mode mode,
    struct import *import, struct error *err)
{
    auto_staging struct staging *staging = staging_begin(ops->store, STORE_KERNEL, name, err);
    if (staging == NULL || !import_place(ops, staging_dir(staging), import, err)) {
        return false;
    }
    if (!complete_entry(ops, import, name, staging_dir(staging), err)) {
        return false;
    }
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 0, 1);
    return kernel_store_write_manifest(staging_dir(staging), &import->entry, err) &&
           staging_publish(staging, mode, err);
}

static struct json *import_result(const struct import *import, uint64_t started_ms)
{
    struct json *result = ops_kernel_json(&import->entry);
    json_put_bool(result, "changed", true);
    json_put_integer(result, "size_bytes", (int64_t)import->entry.size_bytes);
    json_put_string(result, "format_of_kernel", import->entry.format_of_kernel);
    json_put_string(result, "chosen", import->facts.chosen);
    json_put_bool(result, "has_initrd", import->facts.has_initrd);
    json_put_bool(result, "has_modules", import->facts.has_modules);
    ops_put_strings(result, "notes", &import->facts.notes);
    json_put_number(result, "seconds", (double)(clock_monotonic_ms() - started_ms) / 1000);
    return result;
}

bool ops_kernel_import(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    bool is_forced = command_has(ops->command, "force");
    uint64_t started_ms = clock_monotonic_ms();
    if (!name_check_entry(name, "kernel name", err)) {
        return false;
    }
    auto_lock struct lock *lock = ops_lock(ops, STORE_KERNEL, name, "import", err);
    if (lock == NULL) {
        return false;
    }
    if (!is_forced && file_exists(store_kind_dir(ops->store, STORE_KERNEL), name)) {
        return error_set(err, ERROR_EXISTS,
            "kernel %s is already here: --force replaces it, or choose another name", name);
    }
    auto_done(kernel_entry) struct kernel_entry here = {0};
    struct error unseen = {0};
    if (!kernel_store_read(ops->store, name, &here, &unseen) && error_is_blind(&unseen)) {
        *err = unseen; /* what nobody could look at is not replaced */
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        auto_free char *object = memory_printf("kernel/%s", name);
        *result = ops_plan(ops);
        ops_plan_add(*result, "import", object, 0);
        return true;
    }
    auto_done(import) struct import import = {0};
    if (!stage_and_publish(ops, name, is_forced ? PUBLISH_REPLACE : PUBLISH_NEW, &import, err)) {
        return false;
    }
    for (size_t i = 0; i < import.facts.notes.count; i++) {
        state_log(ops->state, LOG_INFO, "import %s: %s", name, import.facts.notes.items[i]);
    }
    ops_kernels_changed(ops);
    *result = import_result(&import, started_ms);
    return true;
}
