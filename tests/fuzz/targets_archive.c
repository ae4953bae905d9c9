/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "artifact/kernel_dir.h"
#include "artifact/kernel_find.h"
#include "artifact/kernel_probe.h"
#include "artifact/lz4_legacy.h"
#include "artifact/modinfo.h"
#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Small, so that a fuzzer reaches them. */
static struct limits small_limits(void)
{
    struct limits limits = limits_default;
    limits.expanded_bytes = 1 << 20;
    limits.entries = 100;
    limits.pax_bytes = 4096;
    limits.xattr_bytes = 256;
    return limits;
}

static void check_member(const struct tar_member *member, const struct limits *limits)
{
    fuzz_check(member->path[0] != '\0' && strlen(member->path) <= limits->path_bytes);
    fuzz_check(member->size_bytes <= limits->expanded_bytes);
    fuzz_check(member->type == TAR_FILE || member->size_bytes == 0);
    fuzz_check((member->mode & ~07777u) == 0);
    fuzz_check(member->mtime_nanoseconds < 1000000000);
    bool is_link = member->type == TAR_HARDLINK || member->type == TAR_SYMLINK;
    fuzz_check(is_link == (member->link != NULL));
    for (size_t i = 0; i < member->xattr_count; i++) {
        fuzz_check(member->xattrs[i].name[0] != '\0');
        fuzz_check(member->xattrs[i].len <= limits->xattr_bytes);
    }
}

/* One walk; *members are told apart by a number. True when the archive was accepted. */
static bool scan_tar(
    const uint8_t *bytes, size_t len, enum tar_profile profile, size_t piece, uint64_t *members)
{
    struct error err = {0};
    struct limits limits = small_limits();
    struct tar_scan *scan = tar_scan_new(profile, &limits);
    struct tar_member member;
    bool is_fine = true;
    uint64_t count = 0;
    for (size_t at = 0; is_fine && at < len; at += piece) {
        is_fine = tar_scan_feed(scan, bytes + at, len - at < piece ? len - at : piece, &err);
        while (tar_scan_take(scan, &member)) {
            count++;
            check_member(&member, &limits);
            *members = *members * 31 + strlen(member.path) + member.size_bytes + member.type;
            tar_member_done(&member);
        }
    }
    is_fine = is_fine && tar_scan_finish(scan, &err);
    fuzz_check(count <= limits.entries);
    fuzz_check(is_fine == (err.code == ERROR_NONE));
    fuzz_check(is_fine || err.code == ERROR_FORMAT || err.code == ERROR_LIMIT);
    tar_scan_free(scan);
    return is_fine;
}

/* In pieces of any length the verdict is the same, and so are the members of what is accepted. */
static void run_tar(const uint8_t *bytes, size_t len)
{
    for (int i = 0; i < 2; i++) {
        enum tar_profile profile = i == 0 ? TAR_BUNDLE : TAR_FOREIGN;
        uint64_t whole = 0, pieces = 0;
        bool is_fine = scan_tar(bytes, len, profile, len + 1, &whole);
        fuzz_check(is_fine == scan_tar(bytes, len, profile, 100, &pieces));
        fuzz_check(!is_fine || whole == pieces);
    }
}

static void run_lz4(const uint8_t *bytes, size_t len)
{
    /* The first two bytes say how much room there is. */
    size_t capacity = len >= 2 ? bytes[0] | (size_t)bytes[1] << 8 : 0;
    size_t skip = len >= 2 ? 2 : len;
    auto_free uint8_t *out = memory_alloc(capacity + !capacity);
    size_t out_len = 0;
    if (lz4_legacy_decode(bytes + skip, len - skip, out, capacity, &out_len)) {
        fuzz_check(out_len <= capacity);
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < out_len; i++) {
            sum = (uint8_t)(sum + out[i]); /* all of it was written */
        }
    }
}

static void run_modinfo(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_done(strings) struct strings depends = {0};
    auto_done(strings) struct strings wishes = {0};
    auto_done(strings) struct strings values = {0};
    bool is_fine = modinfo_values(bytes, len, "license", "module", &values, &err);
    fuzz_check(is_fine == (err.code == ERROR_NONE));
    error_clear(&err);
    is_fine = modinfo_depends(bytes, len, "module", &depends, &wishes, &err);
    fuzz_check(is_fine == (err.code == ERROR_NONE));
    for (size_t i = 0; i < depends.count; i++) {
        fuzz_check(strchr(depends.items[i], '-') == NULL);
    }
}

static void run_kernel(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    struct kernel_probe probe;
    auto_close int fd = fuzz_fd(bytes, len);
    fuzz_check(kernel_probe_file(fd, "vmlinux", &probe, &err));
    fuzz_check(memchr(probe.version, '\0', sizeof(probe.version)) != NULL);
    fuzz_check(probe.format[0] != '\0' || (probe.version[0] == '\0' && probe.arch[0] == '\0'));
}

/* metadata.json of a directory to import: what it names is inside. */
static void run_metadata(const uint8_t *bytes, size_t len)
{
    static const uint8_t kernel[] = "\177ELF";
    struct error err = {0};
    fuzz_put("kernel", kernel, sizeof(kernel));
    fuzz_put("metadata.json", bytes, len);
    auto_close int dir = file_open_dir(AT_FDCWD, fuzz_place(), &err);
    struct kernel_found found = {0};
    if (kernel_find(dir, "here", &found, &err)) {
        fuzz_check(found.kernel != NULL && found.kernel[0] != '/');
        auto_close int inside = kernel_open_inside(dir, found.kernel, O_RDONLY);
        fuzz_check(inside >= 0);
    } else {
        fuzz_check(err.code == ERROR_FORMAT || err.code == ERROR_LIMIT);
    }
    kernel_found_done(&found);
}

const struct fuzz_target fuzz_archive[] = {
    {"tar", run_tar},
    {"lz4", run_lz4},
    {"modinfo", run_modinfo},
    {"kernel", run_kernel},
    {"metadata", run_metadata},
    {NULL, NULL},
};
