/* SPDX-License-Identifier: MIT */
#include "artifact/kernel_probe.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/file.h"
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
#define SCAN_MAX ((uint64_t)512 << 20)

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

static bool probe_bzimage(
    int fd, const char *shown, const uint8_t *head, struct kernel_probe *probe, struct error *err)
{
    if (memcmp(head + MAGIC_AT, "HdrS", 4) != 0 || read_u16(head + BOOT_FLAG_AT) != 0xaa55) {
        return true;
    }
    snprintf(probe->format, sizeof(probe->format), "bzimage");
    if (read_u16(head + PROTOCOL_AT) >= 0x20c && head[LOAD_FLAGS_AT] & 1) {
        snprintf(probe->arch, sizeof(probe->arch), "x86_64");
    }
    char text[sizeof probe->version + 1];
    unsigned at = read_u16(head + VERSION_AT);
    ssize_t got = at ? file_read_at(fd, shown, text, sizeof text, at + 0x200, err) : 0;
    if (got > 0) {
        take_version(text, (size_t)got, probe);
    }
    return got >= 0;
}

/* The kernel's own greeting lies somewhere among its constants. */
static bool scan_banner(int fd, const char *shown, struct kernel_probe *probe, struct error *err)
{
    auto_free char *chunk = memory_alloc(SCAN_CHUNK);
    uint64_t offset = 0;
    while (offset < SCAN_MAX) {
        ssize_t got = file_read_at(fd, shown, chunk, SCAN_CHUNK, offset, err);
        if (got <= 0) {
            return got == 0;
        }
        const char *at = chunk;
        const char *end = chunk + got;
        while ((at = memmem(at, (size_t)(end - at), BANNER, BANNER_LEN))) {
            at += BANNER_LEN;
            if (take_version(at, (size_t)(end - at), probe)) {
                return true;
            }
        }
        if ((size_t)got < SCAN_CHUNK) {
            return true;
        }
        offset += (size_t)got - (BANNER_LEN + sizeof probe->version);
    }
    return true;
}

static bool probe_elf(
    int fd, const char *shown, const uint8_t *head, struct kernel_probe *probe, struct error *err)
{
    snprintf(probe->format, sizeof(probe->format), "elf");
    unsigned machine = read_u16(head + 18);
    if (head[4] == 2 && machine == 62) {
        snprintf(probe->arch, sizeof(probe->arch), "x86_64");
    } else if (head[4] == 2 && machine == 183) {
        snprintf(probe->arch, sizeof(probe->arch), "aarch64");
    }
    return scan_banner(fd, shown, probe, err);
}

bool kernel_probe_file(int fd, const char *shown, struct kernel_probe *probe, struct error *err)
{
    uint8_t head[HEADER_LEN] = {0};
    *probe = (struct kernel_probe){0};
    if (file_read_at(fd, shown, head, sizeof head, 0, err) < 0) {
        return false;
    }
    return memcmp(head, "\177ELF", 4) == 0 ? probe_elf(fd, shown, head, probe, err)
                                           : probe_bzimage(fd, shown, head, probe, err);
}
