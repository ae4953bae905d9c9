/* SPDX-License-Identifier: MIT */
#include "artifact/kernel_probe.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* The setup header of a bzImage. */
enum {
    BOOT_FLAG_AT = 0x1fe,
    MAGIC_AT = 0x202,
    PROTOCOL_AT = 0x206,
    VERSION_AT = 0x20e,
    LOAD_FLAGS_AT = 0x236,
    HEADER_LEN = 0x260,
};

#define BANNER "Linux version "
#define BANNER_LEN (sizeof BANNER - 1)
#define SCAN_CHUNK ((size_t)1 << 20)
#define SCAN_MAX ((off_t)512 << 20)

static unsigned read_u16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static bool is_version_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("._+~-", c));
}

/* Takes the word at text when it looks like a release: a digit first, then no surprises. */
static bool take_version(const char *text, size_t len, struct kernel_probe *probe)
{
    size_t used = 0;
    while (used < len && is_version_char(text[used])) {
        used++;
    }
    if (used == 0 || used == len || used >= sizeof probe->version || text[0] < '0' ||
        text[0] > '9' || (text[used] != ' ' && text[used] != '\0')) {
        return false;
    }
    memcpy(probe->version, text, used);
    probe->version[used] = '\0';
    return true;
}

static bool probe_bzimage(int fd, const uint8_t *head, struct kernel_probe *probe)
{
    if (memcmp(head + MAGIC_AT, "HdrS", 4) != 0 || read_u16(head + BOOT_FLAG_AT) != 0xaa55) {
        return false;
    }
    snprintf(probe->format, sizeof(probe->format), "bzimage");
    if (read_u16(head + PROTOCOL_AT) >= 0x20c && head[LOAD_FLAGS_AT] & 1) {
        snprintf(probe->arch, sizeof(probe->arch), "x86_64");
    }
    char text[sizeof probe->version + 1];
    unsigned at = read_u16(head + VERSION_AT);
    ssize_t got = at ? pread(fd, text, sizeof text, (off_t)at + 0x200) : 0;
    if (got > 0) {
        take_version(text, (size_t)got, probe);
    }
    return true;
}

/* The kernel's own greeting lies somewhere among its constants. */
static void scan_banner(int fd, struct kernel_probe *probe)
{
    auto_free char *chunk = memory_alloc(SCAN_CHUNK);
    off_t offset = 0;
    while (offset < SCAN_MAX) {
        ssize_t got = pread(fd, chunk, SCAN_CHUNK, offset);
        if (got <= 0) {
            return;
        }
        const char *at = chunk;
        const char *end = chunk + got;
        while ((at = memmem(at, (size_t)(end - at), BANNER, BANNER_LEN))) {
            at += BANNER_LEN;
            if (take_version(at, (size_t)(end - at), probe)) {
                return;
            }
        }
        if ((size_t)got < SCAN_CHUNK) {
            return;
        }
        offset += got - (off_t)(BANNER_LEN + sizeof probe->version);
    }
}

static bool probe_elf(int fd, const uint8_t *head, struct kernel_probe *probe)
{
    if (memcmp(head, "\177ELF", 4) != 0) {
        return false;
    }
    snprintf(probe->format, sizeof(probe->format), "elf");
    unsigned machine = read_u16(head + 18);
    if (head[4] == 2 && machine == 62) {
        snprintf(probe->arch, sizeof(probe->arch), "x86_64");
    } else if (head[4] == 2 && machine == 183) {
        snprintf(probe->arch, sizeof(probe->arch), "aarch64");
    }
    scan_banner(fd, probe);
    return true;
}

void kernel_probe_file(int fd, struct kernel_probe *probe)
{
    uint8_t head[HEADER_LEN] = {0};
    *probe = (struct kernel_probe){0};
    if (pread(fd, head, sizeof head, 0) <= 0 || probe_elf(fd, head, probe)) {
        return;
    }
    probe_bzimage(fd, head, probe);
}
