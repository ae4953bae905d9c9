/* SPDX-License-Identifier: MIT */
#include "engine/kernel/ops_boot_kernel.h"

#include "artifact/kernel_dir.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/ops.h"
#include "store/image_store.h"
#include "store/kernel_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

void boot_kernel_done(struct boot_kernel *kernel)
{
    free(kernel->name);
    free(kernel->path);
    free(kernel->version);
    free(kernel->config_path);
    free(kernel->identity);
    memory_auto_close(&kernel->modules_dir);
}

/* Takes the path over; NULL when nothing is there. */
static char *if_there(char *path)
{
    if (file_is_absent(AT_FDCWD, path)) {
        free(take_ptr(path));
    }
    return path;
}

bool ops_boot_kernel_of_entry(struct ops *ops, const struct kernel_entry *entry,
    struct boot_kernel *kernel, struct error *err)
{
    kernel->name = memory_strdup(entry->name);
    kernel->path = store_entry_path(ops->store, STORE_KERNEL, entry->name, KERNEL_FILE);
    kernel->version = memory_strdup(entry->kernel_version);
    kernel->config_path =
        if_there(store_entry_path(ops->store, STORE_KERNEL, entry->name, KERNEL_CONFIG));
    kernel->identity = memory_printf("%s %s %" PRId64, entry->name,
        entry->sha256 != NULL ? entry->sha256 : "unverified", entry->imported_at);
    if (!entry->has_modules) {
        return true;
    }
    auto_close int dir = kernel_store_open(ops->store, entry->name, err);
    kernel->modules_dir = dir >= 0 ? kernel_modules_open(dir, KERNEL_MODULES, NULL, err) : -1;
    return kernel->modules_dir >= 0;
}

/* An image that brings its own kernel, by path; modules_path NULL: none. */
static bool from_paths(const char *image, const char *path, const char *modules_path,
    struct boot_kernel *kernel, struct error *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return error_set_errno(err, errno, "image %s: its kernel %s", image, path);
    }
    kernel->name = memory_printf("%s of image %s", path, image);
    kernel->path = memory_strdup(path);
    kernel->identity = memory_printf("%s %jd %jd.%09ld", path, (intmax_t)status.st_size,
        (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    if (modules_path != NULL) {
        kernel->modules_dir = kernel_modules_open(AT_FDCWD, modules_path, NULL, err);
        return kernel->modules_dir >= 0;
    }
    return true;
}

/* The one in a managed image's own kernel/. */
static bool from_image(
    struct ops *ops, const char *image, struct boot_kernel *kernel, struct error *err)
{
    auto_free char *path =
        store_entry_path(ops->store, STORE_IMAGE, image, IMAGE_KERNEL "/" KERNEL_FILE);
    auto_free char *modules =
        if_there(store_entry_path(ops->store, STORE_IMAGE, image, IMAGE_KERNEL "/" KERNEL_MODULES));
    return from_paths(image, path, modules, kernel, err);
}

bool ops_boot_kernel_find(struct ops *ops, const char *kernel_ref, const struct image_entry *image,
    struct boot_kernel *kernel, struct error *err)
{
    if (kernel_ref != NULL) {
        auto_done(kernel_entry) struct kernel_entry entry = {0};
        if (!kernel_store_read(ops->store, kernel_ref, &entry, err)) {
            return false;
        }
        return entry.is_damaged ? error_set(err, ERROR_FORMAT,
                                      "kernel %s is damaged (%s): `kernel pull %s --force` "
                                      "replaces it",
                                      kernel_ref, entry.damage, kernel_ref)
                                : ops_boot_kernel_of_entry(ops, &entry, kernel, err);
    }
    if (image->kernel_path != NULL) {
        return from_paths(image->name, image->kernel_path, image->modules_path, kernel, err);
    }
    if (image->has_kernel) {
        return from_image(ops, image->name, kernel, err);
    }
    return error_set(
        err, ERROR_INVALID, "image %s has no kernel: give one with --kernel-ref", image->name);
}
