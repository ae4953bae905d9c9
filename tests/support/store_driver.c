/* SPDX-License-Identifier: MIT */
/* One change of a store, for tests that kill it or let its calls fail on the way:
 * `store_driver STATE_DIR publish|replace|remove|sweep NAME CONTENT`, where CONTENT is any text. Also
 * `many` (a publish of more files than are synced one by one), `late` (one whose last file comes behind
 * the manifest), `drop` (without the trash) and `rename` (CONTENT is the new name). Says what failed on
 * stderr.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/kernel_store.h"
#include "store/lock.h"
#include "store/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_file(int dir, const char *name, const char *content, struct error *err)
{
    auto_close int fd = file_create(dir, name, err);
    return fd >= 0 && file_write_all(fd, content, strlen(content), err);
}

static bool fill(int dir, const char *name, const char *content, struct error *err)
{
    auto_done(kernel_entry) struct kernel_entry entry = {
        .name = memory_strdup(name), .distro = memory_strdup(content), .imported_at = clock_wall()};
    return file_make_dirs(dir, "modules/kernel", err) &&
           write_file(dir, "modules/kernel/x.ko", content, err) &&
           write_file(dir, "vmlinux", content, err) &&
           kernel_store_write_manifest(dir, &entry, err);
}

/* Behind the manifest, whose own writing syncs the directory it is in. */
static bool fill_more(int dir, unsigned files, const char *content, struct error *err)
{
    for (unsigned i = 0; i < files; i++) {
        char name[32];
        snprintf(name, sizeof name, "late%u", i);
        if (!write_file(dir, name, content, err)) {
            return false;
        }
    }
    return true;
}

static bool publish(const struct store *store, enum publish_mode mode, const char *name,
    const char *content, unsigned more, struct error *err)
{
    auto_staging struct staging *staging = staging_begin(store, STORE_KERNEL, name, err);
    return staging != NULL && fill(staging_dir(staging), name, content, err) &&
           fill_more(staging_dir(staging), more, content, err) &&
           staging_publish(staging, mode, err);
}

static bool run(const struct store *store, const char *action, const char *name,
    const char *content, struct error *err)
{
    uint64_t removed;
    if (strcmp(action, "sweep") == 0) {
        return store_sweep(store, &removed, err);
    }
    auto_lock struct lock *lock =
        lock_take(store, STORE_KERNEL, name, action, 1000, NULL, NULL, err);
    if (lock == NULL) {
        return false;
    }
    if (strcmp(action, "remove") == 0) {
        return kernel_store_trash(store, name, NULL, err);
    }
    if (strcmp(action, "drop") == 0) {
        return store_remove_entry(store, STORE_KERNEL, name, err);
    }
    if (strcmp(action, "rename") == 0) {
        return store_rename_entry(store, STORE_KERNEL, name, content, err);
    }
    unsigned more = strcmp(action, "many") == 0 ? 120 : strcmp(action, "late") == 0 ? 1 : 0;
    return publish(store, strcmp(action, "replace") == 0 ? PUBLISH_REPLACE : PUBLISH_NEW, name,
        content, more, err);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    if (argc != 5) {
        return 64;
    }
    auto_store struct store *store = store_open(argv[1], NULL, &err);
    /* From here on the test looks. */
    (void)getppid();
    if (store == NULL || !run(store, argv[2], argv[3], argv[4], &err)) {
        fprintf(stderr, "%s\n", err.text);
        return error_exit_status(err.code);
    }
    return 0;
}
