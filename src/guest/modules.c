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

static bool has_pci(void)
{
    DIR *dir = opendir("/sys/bus/pci/devices");
    bool is_there = false;
    if (dir == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL && !is_there; entry = readdir(dir)) {
        is_there = entry->d_name[0] != '.';
    }
    closedir(dir);
    return is_there;
}

/* Loading is the longest part of our time, and a microvm has no PCI bus. */
static bool is_of_use(const char *name)
{
    return strncmp(name, "virtio_pci", 10) != 0 || has_pci();
}

void modules_load(struct facts *facts)
{
    char *order = read_file("/modules/order", ORDER_MAX, NULL);
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
