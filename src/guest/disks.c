/* SPDX-License-Identifier: MIT */
#include "guest/boot_parts.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"

#define PATIENCE_MS 10000u
#define STEP_NS 2000000

/* ext4: the superblock is at 1024; its magic number at 56, its label at 120. */
static bool has_label(const char *name, const char *label)
{
    unsigned char superblock[136] = {0};
    char *path = format_text("/dev/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0) {
        return false;
    }
    bool is_read = pread(fd, superblock, sizeof superblock, 1024) == sizeof superblock;
    close(fd);
    return is_read && superblock[56] == 0x53 && superblock[57] == 0xef &&
           strncmp((const char *)superblock + 120, label, 16) == 0;
}

static bool has_serial(const char *name, const char *serial)
{
    char *path = format_text("/sys/block/%s/serial", name);
    char *found = read_file(path, 64, NULL);
    bool is_it = found != NULL && strcmp(trim(found), serial) == 0;
    free(found);
    free(path);
    return is_it;
}

/* The name below /dev, or NULL. Names of the disks seen go to *seen, for the message. */
static char *look(const char *wanted, struct list *seen)
{
    DIR *dir = opendir("/sys/block");
    if (dir == NULL) {
        return NULL;
    }
    char *by_serial = NULL, *by_label = NULL;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const char *name = entry->d_name;
        if (name[0] == '.' || strncmp(name, "loop", 4) == 0 || strncmp(name, "ram", 3) == 0) {
            continue;
        }
        list_add(seen, name);
        if (by_serial == NULL && has_serial(name, wanted)) {
            by_serial = copy_text(name);
        } else if (by_label == NULL && has_label(name, wanted)) {
            by_label = copy_text(name);
        }
    }
    closedir(dir);
    if (by_serial != NULL) {
        free(by_label);
        return by_serial;
    }
    return by_label;
}

static char *join(const struct list *list)
{
    char *text = copy_text("");
    for (size_t i = 0; i < list->count; i++) {
        char *longer = format_text("%s%s%s", text, i > 0 ? ", " : "", list->items[i]);
        free(text);
        text = longer;
    }
    return text;
}

static char *find(const char *wanted)
{
    uint64_t deadline = uptime_ms() + PATIENCE_MS;
    bool is_path = strncmp(wanted, "/dev/", 5) == 0;
    for (;;) {
        struct list seen = {0};
        char *name = is_path ? NULL : look(wanted, &seen);
        char *path = is_path ? copy_text(wanted) : format_text("/dev/%s", name ? name : "");
        bool is_there = (is_path || name != NULL) && access(path, F_OK) == 0;
        free(name);
        if (is_there) {
            list_done(&seen);
            return path;
        }
        free(path);
        if (uptime_ms() >= deadline) {
            die("no disk \"%s\" appeared in %u s; there is: %s", wanted, PATIENCE_MS / 1000,
                seen.count > 0 ? join(&seen) : "none (does this kernel lack virtio_blk?)");
        }
        list_done(&seen);
        struct timespec step = {.tv_nsec = STEP_NS};
        nanosleep(&step, NULL);
    }
}

/* Where the VMM gives its disks no serial of ours, the facts say which they are, in their order.
 * Caller frees; NULL: not among them. */
static char *path_by_order(const struct facts *facts, const char *wanted)
{
    char *list = copy_text(facts_get(facts, "disks", ""));
    char *path = NULL, *rest = list, letter = 'a';
    for (char *name = strtok_r(rest, ",", &rest); name != NULL && path == NULL && letter <= 'z';
         name = strtok_r(NULL, ",", &rest)) {
        path = strcmp(name, wanted) == 0 ? format_text("/dev/vd%c", letter) : NULL;
        letter++;
    }
    free(list);
    return path;
}

char *disk_find(const struct facts *facts, const char *wanted)
{
    char *by_order = path_by_order(facts, wanted);
    char *path = find(by_order != NULL ? by_order : wanted);
    free(by_order);
    return path;
}
