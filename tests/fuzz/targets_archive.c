/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "artifact/bzimage.h"
#include "artifact/kernel_dir.h"
#include "artifact/kernel_find.h"
#include "artifact/kernel_probe.h"
#include "artifact/lz4_legacy.h"
#include "artifact/modinfo.h"
#include "artifact/signature.h"
#include "artifact/tar_header.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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
    fuzz_check(member->data_bytes <= limits->expanded_bytes);
    fuzz_check(member->is_sparse || member->size_bytes == member->data_bytes);
    uint64_t end = 0, sum = 0;
    for (size_t i = 0; i < member->piece_count; i++) {
        fuzz_check(member->pieces[i].offset >= end && member->pieces[i].len > 0);
        end = member->pieces[i].offset + member->pieces[i].len;
        sum += member->pieces[i].len;
    }
    fuzz_check(!member->is_sparse || (end <= member->size_bytes && sum == member->data_bytes));
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
    static const enum tar_profile profiles[] = {TAR_BUNDLE, TAR_FOREIGN, TAR_SPARSE};
    for (size_t i = 0; i < array_length(profiles); i++) {
        enum tar_profile profile = profiles[i];
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

/* A file that says it is a bzImage: what comes out is an ELF of the size that was promised. */
static void run_bzimage(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    struct bzimage header;
    struct limits limits = small_limits();
    auto_close int fd = fuzz_fd(bytes, len);
    auto_close int out = memfd_create("kernel", MFD_CLOEXEC);
    fuzz_check(out >= 0);
    if (bzimage_parse(bytes, len, len, &header, &err)) {
        fuzz_check(header.payload_bytes > 4 && header.payload_offset <= len &&
                   header.payload_bytes <= len - header.payload_offset);
    }
    error_clear(&err);
    if (!bzimage_extract(fd, "vmlinuz", out, &limits, NULL, NULL, &err)) {
        fuzz_check(
            err.code == ERROR_FORMAT || err.code == ERROR_LIMIT || err.code == ERROR_UNSUPPORTED);
        return;
    }
    struct stat status;
    uint8_t head[64], size[4];
    off_t end = (off_t)(header.payload_offset + header.payload_bytes);
    fuzz_check(fstat(out, &status) == 0 && pread(out, head, sizeof head, 0) == sizeof head);
    fuzz_check(pread(fd, size, sizeof size, end - 4) == sizeof size);
    fuzz_check((uint64_t)status.st_size <= limits.expanded_bytes);
    fuzz_check(status.st_size == (size[0] | size[1] << 8 | size[2] << 16 | (int64_t)size[3] << 24));
    error_clear(&err);
    fuzz_check(bzimage_check_elf(head, sizeof head, (uint64_t)status.st_size, &err));
}

/* Changes the text where the input says: a place, what to do, with what. The first byte is taken. */
static void edit(struct text *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 1; i + 3 <= len && text->len > 0; i += 3) {
        size_t at = bytes[i] % text->len;
        switch (bytes[i + 1] % 3) {
        case 0:
            text->data[at] = (char)bytes[i + 2];
            break;
        case 1:
            text_append_char(text, (char)bytes[i + 2]);
            break;
        case 2:
            memmove(text->data + at, text->data + at + 1, text->len - at);
            text->len--;
            break;
        }
    }
}

/* One spelling of a signature is right, whatever else it may be. */
static void check_spelling(
    const struct text *edited, const struct text *signature, const uint8_t *key, const char *said)
{
    auto_free char *text = fuzz_text((const uint8_t *)text_cstr(edited), edited->len);
    size_t len = signature->len - 1; /* without the end of the line */
    const char *rest = strlen(text) >= len ? text + len : NULL;
    bool is_right = rest != NULL && memcmp(text, text_cstr(signature), len) == 0 &&
                    (rest[0] == '\0' || strcmp(rest, "\n") == 0 || strcmp(rest, "\r\n") == 0);
    fuzz_check(signature_verify(key, said, strlen(said), text) == is_right);
    fuzz_check(!signature_verify(key, said, strlen(said) - 1, text));
}

/* The first byte chooses: a signature with changes, a key file with changes, either from nothing. */
static void run_signature(const uint8_t *bytes, size_t len)
{
    static struct signature_key *signer; /* kept: every input is told about the same key */
    static const char said[] = "a catalog";
    struct error err = {0};
    auto_done(text) struct text made = {0};
    auto_done(text) struct text public = {0};
    auto_done(text) struct text key = {0};
    auto_done(text) struct text edited = {0};
    uint8_t choice = len > 0 ? bytes[0] % 4 : 3;
    signer = signer != NULL ? signer : signature_key_new(&err);
    fuzz_check(signer != NULL && signature_key_public(signer, &public, &err));
    fuzz_check(base64_decode(text_cstr(&public), public.len, &key));
    fuzz_check(key.len == SIGNATURE_KEY_BYTES);
    fuzz_check(choice % 2 == 0 ? signature_sign(signer, said, strlen(said), &made, &err)
                               : signature_key_pem(signer, &made, &err));
    if (choice < 2) {
        text_append_bytes(&edited, text_cstr(&made), made.len);
        edit(&edited, bytes, len);
    } else if (len > 1) {
        text_append_bytes(&edited, (const char *)bytes + 1, len - 1);
    }
    if (choice % 2 == 0) {
        check_spelling(&edited, &made, (const uint8_t *)text_cstr(&key), said);
        return;
    }
    auto_signature_key struct signature_key *again =
        signature_key_parse(text_cstr(&edited), edited.len, "key.pem", &err);
    fuzz_check(again != NULL || err.code == ERROR_FORMAT);
    if (again != NULL) {
        text_clear(&public);
        text_clear(&made);
        fuzz_check(signature_key_public(again, &public, &err) && public.len == 44);
        fuzz_check(signature_sign(again, said, strlen(said), &made, &err));
    }
}

const struct fuzz_target fuzz_archive[] = {
    {"tar", run_tar},
    {"lz4", run_lz4},
    {"modinfo", run_modinfo},
    {"kernel", run_kernel},
    {"metadata", run_metadata},
    {"bzimage", run_bzimage},
    {"signature", run_signature},
    {NULL, NULL},
};
