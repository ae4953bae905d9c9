/* SPDX-License-Identifier: MIT */
#include "vm/exit_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/machine.h"

#define RESERVED_FILE MACHINE_EXIT_FILE ".tmp-reserved"
#define RESERVED_BYTES 4096

bool exit_record_reserve(int vm_dir, struct error *err)
{
    auto_close int fd = openat(
        vm_dir, RESERVED_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    int failure = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVED_BYTES);
    return failure == 0 || error_set_errno(err, failure, "no room for " MACHINE_EXIT_FILE);
}

/* Into blocks that are there: nothing is cut off before the new bytes are in them. */
static bool write_reserved(int vm_dir, const struct text *text)
{
    struct error ignored = {0};
    auto_close int fd =
        openat(vm_dir, RESERVED_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && text->len <= RESERVED_BYTES &&
           file_write_all(fd, text->data, text->len, &ignored) &&
           ftruncate(fd, (off_t)text->len) == 0 && fsync(fd) == 0 &&
           renameat(vm_dir, RESERVED_FILE, vm_dir, MACHINE_EXIT_FILE) == 0 &&
           file_sync_dir(vm_dir, ".", &ignored);
}

bool exit_record_write(int vm_dir, const struct json *json, struct error *err)
{
    auto_done(text) struct text text = {0};
    struct error failure = {0};
    json_write(json, true, &text);
    if (file_replace(vm_dir, MACHINE_EXIT_FILE, text.data, text.len, 0600, &failure) ||
        (failure.code == ERROR_NO_SPACE && write_reserved(vm_dir, &text))) {
        return true;
    }
    *err = failure;
    return false;
}
