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

/* The ELF header and its program headers (64 bit). */
enum {
    ELF_TYPE_AT = 16,
    ELF_MACHINE_AT = 18,
    ELF_PROGRAMS_AT = 0x20,
    ELF_PROGRAM_LEN_AT = 0x36,
    ELF_PROGRAM_COUNT_AT = 0x38,
    ELF_TYPE_EXECUTABLE = 2,
    PROGRAM_LEN = 56,
    PROGRAM_NOTE = 4,
    PROGRAMS_MAX = 64,
    NOTE_HEAD_LEN = 12,
    NOTE_PVH = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
};
#define NOTES_MAX ((size_t)64 << 10)
#define NOTE_OWNER "Xen"

#define BANNER "Linux version "
#define BANNER_LEN (sizeof BANNER - 1)
#define SCAN_CHUNK ((size_t)1 << 20)
#define SCAN_MAX ((uint64_t)512 << 20)

static unsigned read_u16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static uint32_t read_u32(const uint8_t *at)
{
    return read_u16(at) | (uint32_t)read_u16(at + 2) << 16;
}

static uint64_t read_u64(const uint8_t *at)
{
    return read_u32(at) | (uint64_t)read_u32(at + 4) << 32;
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
    probe->is_bootable = true;
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

/* A block of notes: name and content are padded to four bytes each. */
static bool has_pvh_note(const uint8_t *notes, size_t len)
{
    for (size_t at = 0; len - at >= NOTE_HEAD_LEN;) {
        uint64_t name_len = read_u32(notes + at);
        uint64_t content_len = read_u32(notes + at + 4);
        uint64_t behind = at + NOTE_HEAD_LEN + ((name_len + 3) & ~UINT64_C(3)) +
                          ((content_len + 3) & ~UINT64_C(3));
        if (behind > len) {
            return false;
        }
        if (read_u32(notes + at + 8) == NOTE_PVH && name_len == sizeof NOTE_OWNER &&
            memcmp(notes + at + NOTE_HEAD_LEN, NOTE_OWNER, sizeof NOTE_OWNER) == 0) {
            return true;
        }
        at = (size_t)behind;
    }
    return false;
}

/* Known only of a file with program headers that can be read. */
static bool look_for_note(
    int fd, const char *shown, const uint8_t *head, struct kernel_probe *probe, struct error *err)
{
    uint64_t programs_at = read_u64(head + ELF_PROGRAMS_AT);
    unsigned count = read_u16(head + ELF_PROGRAM_COUNT_AT);
    if (head[4] != 2 || count == 0 || count > PROGRAMS_MAX || programs_at > INT32_MAX ||
        read_u16(head + ELF_PROGRAM_LEN_AT) != PROGRAM_LEN) {
        return true;
    }
    auto_free uint8_t *notes = memory_alloc(NOTES_MAX);
    for (unsigned i = 0; i < count; i++) {
        uint8_t program[PROGRAM_LEN];
        ssize_t got = file_read_at(
            fd, shown, program, sizeof program, programs_at + (uint64_t)i * PROGRAM_LEN, err);
        if (got != sizeof program) {
            return got >= 0;
        }
        uint64_t notes_at = read_u64(program + 8);
        uint64_t notes_len = read_u64(program + 32);
        if (read_u32(program) != PROGRAM_NOTE || notes_at > INT32_MAX) {
            continue;
        }
        got = file_read_at(
            fd, shown, notes, notes_len < NOTES_MAX ? (size_t)notes_len : NOTES_MAX, notes_at, err);
        if (got < 0) {
            return false;
        }
        if (has_pvh_note(notes, (size_t)got)) {
            probe->entry_note = ENTRY_NOTE_THERE;
            return true;
        }
    }
    probe->entry_note = ENTRY_NOTE_MISSING;
    return true;
}

static bool probe_elf(
    int fd, const char *shown, const uint8_t *head, struct kernel_probe *probe, struct error *err)
{
    snprintf(probe->format, sizeof(probe->format), "elf");
    probe->is_bootable = read_u16(head + ELF_TYPE_AT) == ELF_TYPE_EXECUTABLE;
    unsigned machine = read_u16(head + ELF_MACHINE_AT);
    if (head[4] == 2 && machine == 62) {
        snprintf(probe->arch, sizeof(probe->arch), "x86_64");
    } else if (head[4] == 2 && machine == 183) {
        snprintf(probe->arch, sizeof(probe->arch), "aarch64");
    }
    return look_for_note(fd, shown, head, probe, err);
}

bool kernel_probe_head(int fd, const char *shown, struct kernel_probe *probe, struct error *err)
{
    uint8_t head[HEADER_LEN] = {0};
    *probe = (struct kernel_probe){0};
    if (file_read_at(fd, shown, head, sizeof head, 0, err) < 0) {
        return false;
    }
    return memcmp(head, "\177ELF", 4) == 0 ? probe_elf(fd, shown, head, probe, err)
                                           : probe_bzimage(fd, shown, head, probe, err);
}

bool kernel_probe_file(int fd, const char *shown, struct kernel_probe *probe, struct error *err)
{
    return kernel_probe_head(fd, shown, probe, err) &&
           (strcmp(probe->format, "elf") != 0 || scan_banner(fd, shown, probe, err));
}
