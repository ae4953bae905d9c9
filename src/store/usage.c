/* SPDX-License-Identifier: MIT */
#include "store/usage.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <fcntl.h>

#define DEPTH_MOST 256

static void add_below(int dir, const char *name, unsigned depth, struct usage *usage)
{
    struct stat info;
    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    /* One with several names counts for each name with its share. */
    uint64_t names_count = S_ISDIR(info.st_mode) || info.st_nlink == 0 ? 1 : info.st_nlink;
    usage->disk_bytes += (uint64_t)info.st_blocks * 512 / names_count;
    usage->size_bytes += S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    if (!S_ISDIR(info.st_mode) || depth > DEPTH_MOST) {
        return;
    }
    struct error ignored = {0};
    auto_done(strings) struct strings names = {0};
    auto_close int below = file_open_dir(dir, name, &ignored);
    if (below < 0 || !file_list(below, ".", &names, &ignored)) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        add_below(below, names.items[i], depth + 1, usage);
    }
}

void usage_add(int dir, const char *name, struct usage *usage)
{
    add_below(dir, name, 0, usage);
}
