/* SPDX-License-Identifier: MIT */
#include "guest/boot_parts.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest/guest.h"

void mount_make_dir(const char *path, unsigned mode)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        say("cannot make the directory %s: %m", path);
    }
}

void mount_leave(const char *path)
{
    if (umount2(path, 0) != 0) {
        mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL);
    }
}

bool mount_try(const char *type, const char *path, unsigned long flags, const char *options)
{
    mount_make_dir(path, 0755);
    if (mount(type, path, type, flags, options) != 0 && errno != EBUSY) {
        say("cannot mount %s on %s: %m", type, path);
        return false;
    }
    return true;
}
