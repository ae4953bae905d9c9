/* SPDX-License-Identifier: MIT */
#include "guest/boot_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"

#define ORDER_MAX ((size_t)64 << 10)
#define LATE_MAX 16u
#define LATE_NICE 19
#define VSOCK_DEVICE "0x0013" /* virtio's number for it */

static int open_module(const char *name)
{
    char *path = format_text("/modules/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    return fd;
}

/* Takes over the descriptor. NULL when it is loaded or not meant for this machine. */
static char *load(const char *name, int fd)
{
    char *problem = NULL;
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) {
        /* ENODEV: a driver for hardware, such as a CPU feature, that is not here. */
        if (errno != EEXIST && errno != ENODEV) {
            problem = format_text("cannot load the module %s: %m", name);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return problem;
}

/* True when some device on the bus is, by its file, the one wanted; NULL: any. */
static bool has_device(const char *bus, const char *file, const char *wanted)
{
    DIR *dir = opendir(bus);
    bool is_there = false;
    if (dir == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && !is_there; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || wanted == NULL) {
            is_there = entry->d_name[0] != '.';
            continue;
        }
        char *path = format_text("%s/%s/%s", bus, entry->d_name, file);
        char *found = read_file(path, 64, NULL);
        is_there = found != NULL && strcmp(trim(found), wanted) == 0;
        free(found);
        free(path);
    }
    closedir(dir);
    return is_there;
}

/* Loading is the longest part of our time; a microvm has no PCI bus, most have no vsock, and a root
 * of one disk is joined from nothing. */
static bool is_of_use(const struct facts *facts, const char *name)
{
    if (strcmp(name, "overlay.ko") == 0) {
        return strcmp(facts_get(facts, "root", "overlay"), "copy") != 0;
    }
    if (strncmp(name, "virtio_pci", 10) == 0) {
        return has_device("/sys/bus/pci/devices", NULL, NULL);
    }
    if (strncmp(name, "vsock", 5) == 0 || strncmp(name, "vmw_vsock", 9) == 0) {
        return has_device("/sys/bus/virtio/devices", "device", VSOCK_DEVICE);
    }
    return true;
}

static void load_all(struct facts *facts, const char *list)
{
    char *order = read_file(list, ORDER_MAX, NULL);
    if (order == NULL) {
        return;
    }
    char *rest = order;
    for (char *name = strtok_r(rest, "\n", &rest); name != NULL;
         name = strtok_r(NULL, "\n", &rest)) {
        char *problem = is_of_use(facts, name) ? load(name, open_module(name)) : NULL;
        if (problem != NULL) {
            say("%s", problem);
            facts_tell(facts, "warning", problem);
            free(problem);
        }
    }
    free(order);
}

void modules_load(struct facts *facts)
{
    load_all(facts, "/modules/order");
    load_all(facts, "/modules/more");
}

/* Opened first: the initrd they are in is removed meanwhile. */
void modules_load_late(void)
{
    char *order = read_file("/modules/late", ORDER_MAX, NULL);
    char *rest = order, *names[LATE_MAX];
    int fds[LATE_MAX];
    unsigned count = 0;
    if (order == NULL) {
        return;
    }
    for (char *name = strtok_r(rest, "\n", &rest); name != NULL && count < LATE_MAX;
         name = strtok_r(NULL, "\n", &rest)) {
        fds[count] = open_module(name);
        names[count++] = name;
    }
    pid_t pid = count > 0 ? fork() : -1;
    if (pid == 0) {
        (void)!nice(LATE_NICE);
        for (unsigned i = 0; i < count; i++) {
            char *problem = load(names[i], fds[i]);
            if (problem != NULL) {
                say("%s", problem);
            }
        }
        _exit(0);
    }
    for (unsigned i = 0; i < count; i++) {
        close(fds[i]);
    }
    free(order);
}
