/* SPDX-License-Identifier: MIT */
#include "guest/boot_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"

#define IMAGE_DIR "/image"
#define UPPER_DIR "/upper"
#define WORK_PATH "/root"
#define WORK_DIR ROOT_DIR WORK_PATH
#define RAMFS_MAGIC_NUMBER 0x858458f6
#define TMPFS_MAGIC_NUMBER 0x01021994

/* ENODEV of mount(2) is about the file system, which is not what it sounds like. Keeps errno. */
static const char *missing_module(const char *type)
{
    if (errno != ENODEV) {
        return "";
    }
    const char *text = format_text(" (this kernel lacks %s)", type);
    errno = ENODEV;
    return text;
}

static void mount_disk(
    const char *disk, const char *path, const char *type, unsigned long flags, const char *options)
{
    mount_make_dir(path, 0755);
    if (mount(disk, path, type, flags, options) != 0) {
        die("cannot mount the disk %s as %s: %m%s", disk, type, missing_module(type));
    }
}

/* The joined root has the owner and mode of the upper directory, so it starts as the image's. */
static void make_upper(void)
{
    struct stat image;
    if (mkdir(UPPER_DIR "/work", 0700) != 0 && errno != EEXIST) {
        die("cannot prepare the machine's own disk: %m");
    }
    if (mkdir(UPPER_DIR "/upper", 0755) != 0) {
        if (errno == EEXIST) {
            return;
        }
        die("cannot prepare the machine's own disk: %m");
    }
    if (stat(IMAGE_DIR, &image) != 0 ||
        chown(UPPER_DIR "/upper", image.st_uid, image.st_gid) != 0 ||
        chmod(UPPER_DIR "/upper", image.st_mode & 07777) != 0) {
        die("cannot prepare the machine's own disk: %m");
    }
}

static int open_disk(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int mount_overlay(const struct facts *facts)
{
    const char *type = facts_get(facts, "fstype", "ext4");
    char *image = disk_find(facts, facts_get(facts, "image", "image"));
    char *upper = disk_find(facts, facts_get(facts, "upper", "upper"));
    bool is_ext4 = strcmp(type, "ext4") == 0;
    mount_disk(image, IMAGE_DIR, type, MS_RDONLY, is_ext4 ? "norecovery" : NULL);
    mount_disk(upper, UPPER_DIR, "ext4", 0, NULL);
    grow_disk(upper, UPPER_DIR);
    make_upper();
    static const char options[] = "lowerdir=" IMAGE_DIR ",upperdir=" UPPER_DIR
                                  "/upper,workdir=" UPPER_DIR "/work,redirect_dir=on,metacopy=off";
    if (mount("overlay", ROOT_DIR, "overlay", 0, options) != 0) {
        die("cannot join the image and the machine's own disk by overlayfs: %m%s",
            missing_module("overlay"));
    }
    free(image);
    free(upper);
    return open_disk(UPPER_DIR);
}

int root_mount(const struct facts *facts)
{
    const char *kind = facts_get(facts, "root", "overlay");
    mount_make_dir(ROOT_DIR, 0755);
    if (strcmp(kind, "copy") == 0) {
        char *disk = disk_find(facts, facts_get(facts, "disk", "root"));
        mount_disk(disk, ROOT_DIR, facts_get(facts, "fstype", "ext4"), 0, NULL);
        grow_disk(disk, ROOT_DIR);
        free(disk);
        return open_disk(ROOT_DIR);
    }
    if (strcmp(kind, "overlay") != 0) {
        die("root=%s is neither overlay nor copy", kind);
    }
    return mount_overlay(facts);
}

void root_mount_work(const struct facts *facts)
{
    const char *name = facts_get(facts, "work", "");
    struct stat status;
    if (*name == '\0') {
        return;
    }
    char *disk = disk_find(facts, name);
    if (lstat(WORK_DIR, &status) == 0 && !S_ISDIR(status.st_mode)) {
        die("/root of the image is no directory, so the work disk has no place");
    }
    mount_make_dir(WORK_DIR, 0700);
    mount_disk(disk, WORK_DIR, "ext4", 0, NULL);
    grow_disk(disk, WORK_DIR);
    free(disk);
}

void root_leave_work(const struct facts *facts)
{
    if (*facts_get(facts, "work", "") != '\0') {
        mount_leave(WORK_PATH);
    }
}

/* Frees the memory of the initrd: everything below dir on its file system. Takes over the
 * descriptor. */
static void remove_below(int dir, dev_t device)
{
    DIR *entries = fdopendir(dir);
    if (entries == NULL) {
        close(dir);
        return;
    }
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const char *name = entry->d_name;
        struct stat status;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_dev != device) {
            continue;
        }
        if (!S_ISDIR(status.st_mode)) {
            unlinkat(dir, name, 0);
            continue;
        }
        int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) {
            remove_below(below, device);
        }
        unlinkat(dir, name, AT_REMOVEDIR);
    }
    closedir(entries);
}

/* Only ever the memory file system the kernel unpacked the initrd into. */
static void remove_initrd(int old_root)
{
    struct statfs system;
    struct stat status;
    if (fstatfs(old_root, &system) == 0 && fstat(old_root, &status) == 0 &&
        ((unsigned long)system.f_type == RAMFS_MAGIC_NUMBER ||
            (unsigned long)system.f_type == TMPFS_MAGIC_NUMBER)) {
        remove_below(old_root, status.st_dev);
    } else {
        close(old_root);
    }
}

void root_enter(void)
{
    int old_root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    umount2("/dev", MNT_DETACH);
    umount2("/proc", MNT_DETACH);
    umount2("/sys", MNT_DETACH);
    if (chdir(ROOT_DIR) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 ||
        chdir("/") != 0) {
        die("cannot enter the root: %m");
    }
    /* From here on links in the image lead nowhere but into the image. */
    mount_try("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
    mount_try("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
    mount_try("proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
    mount_try("sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
    mount_try("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755,size=20%");
    remove_initrd(old_root);
}
