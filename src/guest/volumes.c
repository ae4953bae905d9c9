/* SPDX-License-Identifier: MIT */
/* Further disks and directories of the host, at their places in the machine's root. */
#include "guest/boot_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest/facts.h"
#include "guest/guest.h"

#define MOUNTS_MAX 64u
#define NINE_OPTIONS "trans=virtio,version=9p2000.L,msize=262144,access=client"

struct wish {
    char kind[16];
    char source[64];
    bool is_readonly;
    const char *path;
};

/* "KIND SOURCE MODE PATH" */
static bool parse(const char *line, struct wish *wish)
{
    char mode[4] = "";
    int path_at = 0;
    if (sscanf(line, "%15s %63s %3s %n", wish->kind, wish->source, mode, &path_at) != 3 ||
        line[path_at] != '/') {
        return false;
    }
    wish->is_readonly = strcmp(mode, "ro") == 0;
    wish->path = line + path_at;
    return true;
}

/* The directories on the way as well. Links in the image are followed, inside of it. */
static void make_path(const char *path)
{
    char *part = copy_text(path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0755);
        *slash = '/';
    }
    mkdir(part, 0755);
    struct stat status;
    if (stat(part, &status) != 0 || !S_ISDIR(status.st_mode)) {
        die("there is no directory %s in the image, and none can be made: %m", path);
    }
    free(part);
}

static void set_disk(const struct facts *facts, const struct wish *wish)
{
    char *disk = disk_find(facts, wish->source);
    if (mount(disk, wish->path, "ext4", wish->is_readonly ? MS_RDONLY : 0,
            wish->is_readonly ? "norecovery" : NULL) != 0) {
        die("cannot mount the disk %s on %s as ext4: %m", wish->source, wish->path);
    }
    if (!wish->is_readonly) {
        grow_disk(disk, wish->path);
    }
    free(disk);
}

static void set_directory(const struct wish *wish)
{
    if (mount(wish->source, wish->path, "9p", wish->is_readonly ? MS_RDONLY : 0, NINE_OPTIONS) !=
        0) {
        die("cannot mount the host's directory on %s: %m%s", wish->path,
            errno == ENODEV ? " (this kernel lacks 9p)" : "");
    }
}

void volumes_set(const struct facts *facts)
{
    size_t at = 0;
    for (const char *line = facts_next(facts, "mount", &at); line != NULL;
         line = facts_next(facts, "mount", &at)) {
        struct wish wish;
        if (!parse(line, &wish)) {
            say("a mount is not understood: %s", line);
            continue;
        }
        make_path(wish.path);
        if (strcmp(wish.kind, "disk") == 0) {
            set_disk(facts, &wish);
        } else if (strcmp(wish.kind, "9p") == 0) {
            set_directory(&wish);
        } else {
            say("a mount is not understood: %s", line);
        }
    }
}

void volumes_leave(const struct facts *facts)
{
    const char *lines[MOUNTS_MAX];
    size_t at = 0, count = 0;
    for (const char *line = facts_next(facts, "mount", &at); line != NULL && count < MOUNTS_MAX;
         line = facts_next(facts, "mount", &at)) {
        lines[count++] = line;
    }
    while (count > 0) {
        struct wish wish;
        if (parse(lines[--count], &wish)) {
            mount_leave(wish.path);
        }
    }
}
