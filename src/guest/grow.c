/* SPDX-License-Identifier: MIT */
/* A disk file that was made larger: its file system follows, while it is mounted. The kernel does
 * the work (fs/ext4/ioctl.c); nothing of e2fsprogs has to be in the image. */
#include "guest/boot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest/guest.h"

#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

#define SUPERBLOCK_AT 1024
#define SUPERBLOCK_BYTES 1024

static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ext4's superblock: count of blocks at 4 and, with 64bit (incompat 0x80), at 336; log2 of the block
 * size in KiB at 24. 0 when the disk is as large as its file system. */
static uint64_t blocks_wanted(const char *disk)
{
    unsigned char super[SUPERBLOCK_BYTES];
    uint64_t bytes = 0;
    int fd = open(disk, O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && ioctl(fd, BLKGETSIZE64, &bytes) == 0 &&
                   pread(fd, super, sizeof super, SUPERBLOCK_AT) == sizeof super;
    if (fd >= 0) {
        close(fd);
    }
    if (!is_read || super[56] != 0x53 || super[57] != 0xef || super[24] > 6) {
        return 0;
    }
    uint64_t has = read_u32(super + 4);
    if ((read_u32(super + 96) & 0x80) != 0) {
        has |= (uint64_t)read_u32(super + 336) << 32;
    }
    uint64_t room = bytes / (UINT64_C(1024) << super[24]);
    return room > has ? room : 0;
}

void grow_disk(const char *disk, const char *path)
{
    uint64_t blocks = blocks_wanted(disk);
    if (blocks == 0) {
        return;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, EXT4_IOC_RESIZE_FS, &blocks) != 0) {
        say("the file system on %s stays as small as it was: %m", disk);
    }
    if (fd >= 0) {
        close(fd);
    }
}
