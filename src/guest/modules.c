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
#define VSOCK_DEVICE "0x0013" /* virtio's number for it */

/* NULL when it is loaded or not meant for this machine. */
static char *load(const char *name)
{
    char *path = format_text("/modules/%s", name), *problem = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) {
        /* ENODEV: a driver for hardware, such as a CPU feature, that is not here. */
        if (errno != EEXIST && errno != ENODEV) {
            problem = format_text("cannot load the module %s: %m", name);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
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

/* Loading is the longest part of our time; a microvm has no PCI bus, and most have no vsock. */
static bool is_of_use(const char *name)
{
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
        char *problem = is_of_use(name) ? load(name) : NULL;
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
