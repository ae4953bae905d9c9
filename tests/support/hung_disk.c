/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/hung_disk.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

#define REQUEST_MAX (256u << 10)

static void answer(int fd, uint64_t unique, void *body, size_t len)
{
    struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + len), .unique = unique};
    struct iovec parts[] = {{&head, sizeof(head)}, {body, len}};
    if (writev(fd, parts, 2) < 0) {
        _exit(1);
    }
}

/* Says that it is there, and then takes no request: whoever has one waits, until killed. (One that
 * was taken and not answered could not even be killed.) */
static void serve(int fd)
{
    char *request = malloc(REQUEST_MAX);
    struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096};
    ssize_t got = read(fd, request, REQUEST_MAX);
    const struct fuse_in_header *head = (const struct fuse_in_header *)request;
    if (got < (ssize_t)sizeof(*head) || head->opcode != FUSE_INIT) {
        _exit(1);
    }
    answer(fd, head->unique, &init, sizeof(init));
    for (;;) {
        pause();
    }
}

bool hung_disk_mount(struct hung_disk *disk, const char *place)
{
    *disk = (struct hung_disk){.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC)};
    auto_free char *options = memory_printf(
        "fd=%d,rootmode=40755,user_id=%u,group_id=%u,allow_other", disk->fd, getuid(), getgid());
    if (disk->fd < 0 || mount("hung", place, "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
        if (disk->fd >= 0) {
            close(disk->fd);
        }
        return false;
    }
    disk->place = memory_strdup(place);
    fflush(NULL);
    disk->child = fork();
    assert_true(disk->child >= 0);
    if (disk->child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a killed test leaves no disk that hangs */
        serve(disk->fd);
    }
    close(disk->fd); /* the child's alone: when it ends, the connection does */
    return true;
}

void hung_disk_release(struct hung_disk *disk)
{
    if (disk->place == NULL) {
        return;
    }
    kill(disk->child, SIGKILL);
    waitpid(disk->child, NULL, 0);
    umount2(disk->place, MNT_DETACH);
    free(disk->place);
    *disk = (struct hung_disk){0};
}
