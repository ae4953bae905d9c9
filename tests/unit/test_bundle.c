/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "artifact/bundle.h"
#include "base/cancel.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/progress.h"
#include "support/scratch.h"
#include "support/tar_maker.h"

/* A place for one extraction, and what came of it. */
struct world {
    char *path;  /* holds staging/ and things nobody may touch */
    char *stage; /* path/staging */
    int staging;
    struct limits limits;
    struct bundle_report report;
    struct error err;
};

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->path = scratch_make();
    world->stage = memory_printf("%s/staging", world->path);
    assert_true(file_make_dirs(AT_FDCWD, world->stage, &world->err));
    scratch_write(world->path, "sentinel", "untouched");
    world->staging = file_open_dir(AT_FDCWD, world->stage, &world->err);
    assert_true(world->staging >= 0);
    world->limits = limits_default;
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    auto_free char *outside = scratch_list(world->path, ".");
    auto_free char *sentinel = scratch_read(world->path, "sentinel");
    assert_string_equal(outside, "sentinel staging");
    assert_string_equal(sentinel, "untouched");
    close(world->staging);
    scratch_remove(world->path);
    free(world->stage);
    bundle_report_done(&world->report);
    free(world);
    return 0;
}

/* Ready for another try in the same test. */
static void clear(struct world *world)
{
    struct error none = {0};
    auto_done(strings) struct strings names = {0};
    world->err = none;
    assert_true(file_list(world->staging, ".", &names, &none));
    for (size_t i = 0; i < names.count; i++) {
        assert_true(file_remove_tree(world->staging, names.items[i], &none));
    }
}

/* Compresses the tar and extracts it; with self_path in a child. */
static bool extract_by(struct world *world, enum bundle_kind kind, const struct text *tar,
    const char *self_path, const struct cancel *cancel)
{
    auto_done(text) struct text blob = {0};
    zstd_wrap(tar, &blob);
    auto_close int fd = memfd_create("bundle", MFD_CLOEXEC);
    assert_true(file_write_all(fd, blob.data, blob.len, &world->err));
    return bundle_extract(fd, world->staging, kind, &world->limits, self_path, NULL, cancel,
        &world->report, &world->err);
}

static bool extract(struct world *world, const struct text *tar)
{
    return extract_by(world, BUNDLE_KERNEL, tar, NULL, NULL);
}

static void refused(struct world *world, struct text *tar, enum error_code code, const char *hint)
{
    tar_put_end(tar);
    assert_false(extract(world, tar));
    assert_code(world->err, code);
    if (!strstr(world->err.text, hint)) {
        fail_msg("refused with \"%s\", wanted \"%s\"", world->err.text, hint);
    }
}

static void put_kernel(struct text *tar, const char *dot)
{
    auto_free char *vmlinux = memory_printf("%svmlinux", dot);
    auto_free char *initrd = memory_printf("%sinitrd.img", dot);
    auto_free char *modules = memory_printf("%smodules/", dot);
    auto_free char *link = memory_printf("%smodules/6.1/kernel/alias.ko", dot);
    auto_free char *module = memory_printf("%smodules/6.1/kernel/a.ko", dot);
    if (dot[0]) {
        tar_put(tar, &(struct tar_fields){.name = dot, .typeflag = '5'}, "", 0);
    }
    tar_put_file(tar, vmlinux, "the kernel");
    tar_put_file(tar, initrd, "the initrd");
    tar_put_file(tar, module, "a module"); /* its directories come later */
    tar_put(tar, &(struct tar_fields){.name = modules, .typeflag = '5'}, "", 0);
    tar_put(
        tar, &(struct tar_fields){.name = link, .typeflag = '2', .link = "../kernel/a.ko"}, "", 0);
}

static void kernel_round_trip(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    put_kernel(&tar, "");
    tar_put_end(&tar);
    assert_true(extract(world, &tar));
    assert_fine(world->err);
    auto_free char *top = scratch_list(world->stage, ".");
    auto_free char *vmlinux = scratch_read(world->stage, "vmlinux");
    auto_free char *initrd = scratch_read(world->stage, "initrd.img");
    auto_free char *module = scratch_read(world->stage, "modules/6.1/kernel/a.ko");
    char target[64] = "";
    assert_string_equal(top, "initrd.img modules vmlinux");
    assert_string_equal(vmlinux, "the kernel");
    assert_string_equal(initrd, "the initrd");
    assert_string_equal(module, "a module");
    assert_int_equal(
        readlinkat(world->staging, "modules/6.1/kernel/alias.ko", target, sizeof target - 1), 14);
    assert_string_equal(target, "../kernel/a.ko");
    assert_int_equal(scratch_mode(world->stage, "vmlinux"), 0600);
    assert_int_equal(scratch_mode(world->stage, "modules/6.1"), 0700);
    assert_true(world->report.has_initrd && world->report.has_modules);
    assert_int_equal(world->report.entries, 5);
    assert_int_equal(world->report.expanded_bytes, tar.len);
    assert_int_equal(world->report.skipped.count, 0);
}

static void leading_dot_is_fine(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    put_kernel(&tar, "./");
    tar_put_end(&tar);
    assert_true(extract(world, &tar));
    auto_free char *top = scratch_list(world->stage, ".");
    assert_string_equal(top, "initrd.img modules vmlinux");
}

static void missing_vmlinux(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "initrd.img", "the initrd");
    refused(world, &tar, ERROR_FORMAT, "no vmlinux");
}

static void empty_vmlinux(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "vmlinux", "");
    refused(world, &tar, ERROR_FORMAT, "empty");
}

/* Each of these names refuses the bundle it is in. */
static const char *const unsafe_names[] = {"../x", "modules/../../x", "..", "modules/..", "./../x",
    "modules/./x", "modules//x", "/x", "//x", "/../x", "././vmlinux", "modules/\x1b[2J",
    "modules/a\nb", "modules/\x7f",
    "modules/\xc2\x9b"
    "31m",
    "modules/\xff",
    "modules/\xe2\x80\xae"
    "x",
    "modules/\xe2\x80\x8b", "modules/e\xcc\x81", "modules/\xee\x80\x80", "modules/a\\b",
    "modules/C:x", "modules/-rf", "modules/ x", "modules/x ", "modules/~", "modules/$(x)",
    "modules/`x`", "modules/%s%n", "modules/'x", "modules/\"x", "manifest.json", ".lock", ".tmp-x",
    "VMLINUX", "vmlinux2", "Modules/x", "vmlinux/x", "initrd.img/x", "boot/vmlinuz"};

static void path_traversal(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < array_length(unsafe_names); i++) {
        auto_done(text) struct text tar = {0};
        tar_put_file(&tar, unsafe_names[i], "evil");
        tar_put_file(&tar, "vmlinux", "the kernel");
        refused(world, &tar, ERROR_FORMAT, "");
        clear(world);
    }
}

static void unsafe_symlink(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *name, *target;
    } rows[] = {
        {"modules/a", "/etc/passwd"},
        {"modules/a", "../../x"},
        {"modules/a", "b/../c"},
        {"modules/a", "./../../x"},
        {"modules/a", "b//c"},
        {"modules/a", "../.."},
        {"modules/a", "/proc/self/fd/9"},
        {"modules/a", "a"},
        {"modules/a", "\x1b]0;x\a"},
        {"vmlinux", "modules/x"},
        {"initrd.img", "vmlinux"},
        {"modules", "x"},
        {"x", "vmlinux"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        struct tar_fields link = {.name = rows[i].name, .typeflag = '2', .link = rows[i].target};
        tar_put(&tar, &link, "", 0);
        if (strcmp(rows[i].name, "vmlinux") != 0) {
            tar_put_file(&tar, "vmlinux", "the kernel");
        }
        refused(world, &tar, ERROR_FORMAT, "");
        clear(world);
    }
}

/* Links that are harmless one by one; each row is made by itself. */
static void links_that_conspire(void **state)
{
    struct world *world = *state;
    static const struct tar_fields rows[][3] = {
        /* a child below a link */
        {{.name = "modules/d", .typeflag = '2', .link = "e"}, {.name = "modules/d/x"}},
        {{.name = "modules/d", .typeflag = '2', .link = ".."}, {.name = "modules/d/x"}},
        /* a directory where a link is, and the other way round */
        {{.name = "modules/d", .typeflag = '2', .link = "e"},
            {.name = "modules/d/", .typeflag = '5'}},
        {{.name = "modules/d/x"}, {.name = "modules/d", .typeflag = '2', .link = "e"}},
        /* a ring */
        {{.name = "modules/a", .typeflag = '2', .link = "b"},
            {.name = "modules/b", .typeflag = '2', .link = "a"}},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        for (size_t k = 0; rows[i][k].name; k++) {
            tar_put(&tar, &rows[i][k], "", 0);
        }
        tar_put_file(&tar, "vmlinux", "the kernel");
        refused(world, &tar, ERROR_FORMAT, "");
        clear(world);
    }
}

static void skipped_member_types(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    auto_done(text) struct text pax = {0};
    static const struct tar_fields rows[] = {
        {.name = "modules/hard", .typeflag = '1', .link = "/etc/shadow"},
        {.name = "modules/hard2", .typeflag = '1', .link = "vmlinux"},
        {.name = "modules/char", .typeflag = '3'},
        {.name = "modules/block", .typeflag = '4'},
        {.name = "modules/fifo", .typeflag = '6'},
    };
    tar_put_record(&pax, "SCHILY.xattr.user.one", "1", 1);
    tar_put_record(&pax, "SCHILY.xattr.security.capability", "\1\0\0", 3);
    tar_put_pax(&tar, 'x', pax.data, pax.len);
    tar_put_file(&tar, "vmlinux", "the kernel");
    for (size_t i = 0; i < array_length(rows); i++) {
        tar_put(&tar, &rows[i], "", 0);
    }
    tar_put_end(&tar);
    extract(world, &tar);
    assert_fine(world->err);
    auto_free char *top = scratch_list(world->stage, ".");
    auto_free char *names = strings_join(&world->report.skipped, ", ");
    assert_string_equal(top, "vmlinux");
    assert_int_equal(world->report.skipped_hardlinks, 2);
    assert_int_equal(world->report.skipped_devices, 2);
    assert_int_equal(world->report.skipped_fifos, 1);
    assert_int_equal(world->report.skipped_xattrs, 2);
    assert_string_equal(names,
        "extended attributes of vmlinux, hard link modules/hard, hard link modules/hard2, "
        "character device modules/char, block device modules/block, fifo modules/fifo");
}

static void skipped_types_are_not_welcome_at_the_top(void **state)
{
    struct world *world = *state;
    static const char types[] = {'1', '3', '4', '6'};
    static const char *const names[] = {"vmlinux", "initrd.img", "modules", "other"};
    for (size_t i = 0; i < sizeof types; i++) {
        for (size_t k = 0; k < array_length(names); k++) {
            auto_done(text) struct text tar = {0};
            struct tar_fields odd = {
                .name = names[k], .typeflag = types[i], .link = types[i] == '1' ? "x" : NULL};
            tar_put(&tar, &odd, "", 0);
            refused(world, &tar, ERROR_FORMAT, "does not belong");
            clear(world);
        }
    }
}

static void duplicates(void **state)
{
    struct world *world = *state;
    static const struct tar_fields rows[][2] = {
        {{.name = "vmlinux"}, {.name = "./vmlinux"}},
        {{.name = "modules/a"}, {.name = "modules/a"}},
        {{.name = "modules/a"}, {.name = "modules/a/", .typeflag = '5'}},
        {{.name = "modules/a/", .typeflag = '5'}, {.name = "modules/a"}},
        {{.name = "modules/a"}, {.name = "modules/a/b"}},
        {{.name = "modules/a", .typeflag = '6'}, {.name = "modules/a"}},
        {{.name = "modules/a", .typeflag = '6'}, {.name = "modules/a/", .typeflag = '5'}},
        {{.name = "modules/a"}, {.name = "modules/a", .typeflag = '1', .link = "b"}},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        if (i > 0) {
            tar_put_file(&tar, "vmlinux", "the kernel");
        }
        for (size_t k = 0; k < 2; k++) {
            bool is_file = !rows[i][k].typeflag;
            tar_put(&tar, &rows[i][k], "content", is_file ? 7 : 0);
        }
        refused(world, &tar, ERROR_FORMAT, "");
        clear(world);
    }
    /* A directory said twice is still one directory. */
    auto_done(text) struct text tar = {0};
    tar_put(&tar, &(struct tar_fields){.name = "modules/", .typeflag = '5'}, "", 0);
    tar_put(&tar, &(struct tar_fields){.name = "modules/", .typeflag = '5'}, "", 0);
    tar_put_file(&tar, "vmlinux", "the kernel");
    tar_put_end(&tar);
    extract(world, &tar);
    assert_fine(world->err);
}

static void depth_and_length(void **state)
{
    struct world *world = *state;
    for (int form = 0; form < 4; form++) {
        auto_done(text) struct text tar = {0};
        auto_done(text) struct text name = {0};
        auto_done(text) struct text pax = {0};
        text_append(&name, "modules");
        if (form < 2) {
            for (int i = 1; i < 32 + form; i++) {
                text_append(&name, "/d");
            }
        } else {
            text_append_char(&name, '/');
            for (int i = 0; i < 253 + form; i++) {
                text_append_char(&name, 'n');
            }
        }
        tar_put_file(&tar, "vmlinux", "the kernel");
        tar_put_record(&pax, "path", name.data, name.len);
        tar_put_pax(&tar, 'x', pax.data, pax.len);
        tar_put_file(&tar, "short", "");
        tar_put_end(&tar);
        assert_int_equal(extract(world, &tar), form % 2 == 0);
        clear(world);
    }
}

static void limits_hold(void **state)
{
    struct world *world = *state;
    static const char content[4096] = "x";
    auto_done(text) struct text tar = {0};
    tar_put(&tar, &(struct tar_fields){.name = "vmlinux"}, content, sizeof content);
    tar_put_file(&tar, "initrd.img", "the initrd");
    tar_put_end(&tar);
    world->limits.expanded_bytes = 4095;
    assert_false(extract(world, &tar));
    assert_code(world->err, ERROR_LIMIT);
    world->limits = limits_default;
    world->limits.entries = 1;
    clear(world);
    assert_false(extract(world, &tar));
    assert_code(world->err, ERROR_LIMIT);
}

static void only_zstd_is_read(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    put_kernel(&tar, "");
    tar_put_end(&tar);
    auto_close int fd = memfd_create("bundle", MFD_CLOEXEC);
    assert_true(file_write_all(fd, tar.data, tar.len, &world->err));
    assert_false(bundle_extract(fd, world->staging, BUNDLE_KERNEL, &world->limits, NULL, NULL, NULL,
        &world->report, &world->err));
    assert_code(world->err, ERROR_FORMAT);
}

static void a_request_to_stop_is_heard(void **state)
{
    struct world *world = *state;
    struct cancel *cancel = cancel_new();
    auto_done(text) struct text tar = {0};
    put_kernel(&tar, "");
    tar_put_end(&tar);
    cancel_request(cancel);
    assert_false(extract_by(world, BUNDLE_KERNEL, &tar, NULL, cancel));
    assert_code(world->err, ERROR_CANCELLED);
    cancel_free(cancel);
}

#define IMAGE_BYTES ((size_t)8 << 20)
#define MANIFEST "{\"name\": \"test\", \"distro\": \"debian\", \"kernel_ref\": \"k\"}"

/* Data at the start and in the middle, a hole between and one at the end. */
static char *make_image(void)
{
    char *image = memory_zero(1, IMAGE_BYTES);
    memset(image, 'a', 5000);
    memset(image + IMAGE_BYTES / 2 + 100, 'b', 10);
    return image;
}

static void image_round_trip(void **state)
{
    struct world *world = *state;
    auto_free char *image = make_image();
    auto_free char *back = memory_alloc(IMAGE_BYTES);
    auto_done(text) struct text tar = {0};
    tar_put(&tar, &(struct tar_fields){.name = "rootfs.ext4"}, image, IMAGE_BYTES);
    tar_put_file(&tar, "manifest.json", MANIFEST);
    tar_put_end(&tar);
    extract_by(world, BUNDLE_IMAGE, &tar, NULL, NULL);
    assert_fine(world->err);
    auto_free char *top = scratch_list(world->stage, ".");
    assert_string_equal(top, "rootfs.ext4");
    assert_string_equal(text_cstr(&world->report.manifest), MANIFEST);
    auto_close int fd = file_open_read(world->staging, "rootfs.ext4", &world->err);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, IMAGE_BYTES);
    assert_true(status.st_blocks * 512 < (off_t)IMAGE_BYTES / 4); /* holes stayed holes */
    assert_int_equal(pread(fd, back, IMAGE_BYTES, 0), IMAGE_BYTES);
    assert_memory_equal(back, image, IMAGE_BYTES);
}

static void an_image_holds_two_files(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *names[3];
        const char *manifest;
        const char *hint;
    } rows[] = {
        {{"rootfs.ext4", NULL}, MANIFEST, "no manifest.json"},
        {{"manifest.json", NULL}, MANIFEST, "no rootfs.ext4"},
        {{"rootfs.ext4", "manifest.json", "vmlinux"}, MANIFEST, "does not belong"},
        {{"rootfs.ext4", "manifest.json", "manifest.json"}, MANIFEST, "twice"},
        {{"rootfs.ext4", "manifest.json"}, "{\"name\": ", "manifest.json"},
        {{"rootfs.ext4", "manifest.json"}, "[]", "no object"},
        {{"rootfs.ext4", "manifest.json"}, "", "manifest.json"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        for (size_t k = 0; k < 3 && rows[i].names[k]; k++) {
            bool is_manifest = strcmp(rows[i].names[k], "manifest.json") == 0;
            tar_put_file(&tar, rows[i].names[k], is_manifest ? rows[i].manifest : "data");
        }
        tar_put_end(&tar);
        assert_false(extract_by(world, BUNDLE_IMAGE, &tar, NULL, NULL));
        assert_code(world->err, ERROR_FORMAT);
        assert_non_null(strstr(world->err.text, rows[i].hint));
        clear(world);
    }
}

/* What GNU tar writes is read, whatever of its formats a maintainer uses. */
static void archives_of_gnu_tar(void **state)
{
    struct world *world = *state;
    static const char *const formats[] = {"gnu", "oldgnu", "pax"};
    auto_free char *source = memory_printf("%s/source", world->path);
    auto_free char *file = memory_printf("%s/tar", world->path);
    auto_free char *deep = memory_printf("source/modules/%0120d/%0120d.ko", 0, 0);
    scratch_write(world->path, "source/vmlinux", "the kernel");
    scratch_write(world->path, deep, "a module");
    auto_free char *link = memory_printf("%s/modules/link", source);
    assert_int_equal(symlink("../vmlinux", link), 0);
    for (size_t i = 0; i < array_length(formats); i++) {
        auto_free char *format = memory_printf("--format=%s", formats[i]);
        const char *argv[] = {"tar", format, "-C", source, "-cf", file, ".", NULL};
        auto_done(text) struct text tar = {0};
        int status = -1;
        if (!process_run(argv, 60000, 0, NULL, NULL, NULL, &status, &world->err)) {
            world->err = (struct error){0};
            print_message("no tar: skipped\n");
            break;
        }
        assert_true(file_read_all(AT_FDCWD, file, 1 << 20, &tar, &world->err));
        extract(world, &tar);
        assert_fine(world->err);
        auto_free char *module = scratch_read(world->stage, deep + strlen("source/"));
        assert_string_equal(module, "a module");
        clear(world);
    }
    assert_true(file_remove_tree(AT_FDCWD, source, &world->err));
    assert_int_equal(unlink(file), 0);
}

/* The child is this very program; see main. */
#define SELF "/proc/self/exe"

static void child_round_trip(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    put_kernel(&tar, "");
    tar_put(&tar, &(struct tar_fields){.name = "modules/f", .typeflag = '6'}, "", 0);
    tar_put_end(&tar);
    extract_by(world, BUNDLE_KERNEL, &tar, SELF, NULL);
    assert_fine(world->err);
    auto_free char *top = scratch_list(world->stage, ".");
    auto_free char *module = scratch_read(world->stage, "modules/6.1/kernel/a.ko");
    assert_string_equal(top, "initrd.img modules vmlinux");
    assert_string_equal(module, "a module");
    assert_true(world->report.has_initrd && world->report.has_modules);
    assert_int_equal(world->report.entries, 6);
    assert_int_equal(world->report.expanded_bytes, tar.len);
    assert_int_equal(world->report.skipped_fifos, 1);
    assert_int_equal(world->report.skipped.count, 1);
    assert_string_equal(world->report.skipped.items[0], "fifo modules/f");
}

static void child_image_round_trip(void **state)
{
    struct world *world = *state;
    auto_free char *image = make_image();
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "manifest.json", MANIFEST);
    tar_put(&tar, &(struct tar_fields){.name = "rootfs.ext4"}, image, IMAGE_BYTES);
    tar_put_end(&tar);
    extract_by(world, BUNDLE_IMAGE, &tar, SELF, NULL);
    assert_fine(world->err);
    assert_string_equal(text_cstr(&world->report.manifest), MANIFEST);
    assert_true(scratch_has(world->stage, "rootfs.ext4"));
}

static void child_passes_on_its_refusal(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "vmlinux", "the kernel");
    tar_put_file(&tar, "../x", "evil");
    tar_put_end(&tar);
    assert_false(extract_by(world, BUNDLE_KERNEL, &tar, SELF, NULL));
    assert_code(world->err, ERROR_FORMAT);
    assert_non_null(strstr(world->err.text, "../x"));
}

static void child_gets_the_limits(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    put_kernel(&tar, "");
    tar_put_end(&tar);
    world->limits.entries = 2;
    assert_false(extract_by(world, BUNDLE_KERNEL, &tar, SELF, NULL));
    assert_code(world->err, ERROR_LIMIT);
}

/* Runs a shell script in the child's place. */
static void child_is_script(struct world *world, const char *script, const struct cancel *cancel)
{
    auto_done(text) struct text tar = {0};
    auto_free char *path = memory_printf("%s/staging/script", world->path);
    scratch_write(world->path, "staging/script", script);
    assert_int_equal(chmod(path, 0700), 0);
    put_kernel(&tar, "");
    tar_put_end(&tar);
    assert_false(extract_by(world, BUNDLE_KERNEL, &tar, path, cancel));
}

static void a_dead_child_refuses_the_archive(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *script;
        enum error_code code;
    } rows[] = {
        {"#!/bin/sh\nexit 0\n", ERROR_FORMAT},
        {"#!/bin/sh\nexit 1\n", ERROR_FORMAT},
        {"#!/bin/sh\nkill -SEGV $$\n", ERROR_FORMAT},
        {"#!/bin/sh\nkill -XCPU $$\n", ERROR_TIMEOUT},
        {"#!/bin/sh\nexit 70\n", ERROR_LIMIT},
        {"#!/bin/sh\nexec yes > /proc/self/fd/$3\n", ERROR_FORMAT},
        {"#!/bin/sh\nexec cat /dev/zero > /proc/self/fd/$3\n", ERROR_FORMAT},
        /* a report and an error that are shorter than theirs */
        {"#!/bin/sh\nprintf '\\003\\0\\0\\0\\010\\0\\0\\0abcdefgh' > /proc/self/fd/$3\n",
            ERROR_FORMAT},
        {"#!/bin/sh\nprintf '\\004\\0\\0\\0\\010\\0\\0\\0abcdefgh' > /proc/self/fd/$3\n",
            ERROR_FORMAT},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        child_is_script(world, rows[i].script, NULL);
        assert_code(world->err, rows[i].code);
        clear(world);
    }
}

static void a_stuck_child_is_ended_on_request(void **state)
{
    struct world *world = *state;
    struct cancel *cancel = cancel_new();
    cancel_request(cancel);
    child_is_script(world, "#!/bin/sh\nexec sleep 1000\n", cancel);
    assert_code(world->err, ERROR_CANCELLED);
    cancel_free(cancel);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, drop_world)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], BUNDLE_CHILD_OPTION) == 0) {
        int status = bundle_child_main(argc, argv);
        /* What the child gave up it cannot get back: a child that kept it fails all its tests. */
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? status : 1;
    }
    const struct CMUnitTest tests[] = {
        test(kernel_round_trip),
        test(leading_dot_is_fine),
        test(missing_vmlinux),
        test(empty_vmlinux),
        test(path_traversal),
        test(unsafe_symlink),
        test(links_that_conspire),
        test(skipped_member_types),
        test(skipped_types_are_not_welcome_at_the_top),
        test(duplicates),
        test(depth_and_length),
        test(limits_hold),
        test(only_zstd_is_read),
        test(a_request_to_stop_is_heard),
        test(image_round_trip),
        test(an_image_holds_two_files),
        test(archives_of_gnu_tar),
        test(child_round_trip),
        test(child_image_round_trip),
        test(child_passes_on_its_refusal),
        test(child_gets_the_limits),
        test(a_dead_child_refuses_the_archive),
        test(a_stuck_child_is_ended_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
