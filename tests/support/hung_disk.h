/* SPDX-License-Identifier: MIT */
#pragma once

/* A file system of this test's own that says it is there and then answers nothing: whoever looks
 * into it waits until it goes away, as with a server of files that is gone. Served by a child over
 * /dev/fuse (fuse(4); messages: linux/fuse.h). Include cmocka's headers first. Main thread. */

#include <stdbool.h>
#include <sys/types.h>

struct hung_disk {
    char *place;
    int fd;
    pid_t child;
};

/* place: a directory that is there. False where nobody may mount here. */
bool hung_disk_mount(struct hung_disk *disk, const char *place);
/* Whoever waits gets an error; the place is an ordinary directory again. */
void hung_disk_release(struct hung_disk *disk);
