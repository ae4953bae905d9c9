/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "artifact/initrd.h"
#include "base/cancel.h"
#include "base/limits.h"
#include "support/module_maker.h"
#include "support/scratch.h"

static const char guest[] = "#!not really a program";

/* The entries of an archive, one a line: name, mode in octal, content's length, and the content
 * itself where it is short and text. Several archives in a row are listed one after the other. */
static void list_archives(const struct text *archive, struct text *out)
{
    size_t at = 0;
    while (at < archive->len) {
        if (archive->data[at] == '\0') {
            at++;
            continue;
        }
        assert_int_equal(at % 4, 0);
        assert_true(archive->len - at >= 110);
        assert_memory_equal(archive->data + at, "070701", 6);
        unsigned long fields[13];
        for (unsigned i = 0; i < 13; i++) {
            char digits[9] = "";
            memcpy(digits, archive->data + at + 6 + i * 8, 8);
            fields[i] = strtoul(digits, NULL, 16);
        }
        const char *name = archive->data + at + 110;
        size_t name_len = fields[11], len = fields[6];
        assert_int_equal(strlen(name) + 1, name_len);
        size_t content = (at + 110 + name_len + 3) / 4 * 4;
        assert_true(content + len <= archive->len);
        if (strcmp(name, "TRAILER!!!") == 0) {
            text_append(out, "--\n");
        } else {
            text_printf(out, "%s %lo %lu", name, fields[1], (unsigned long)len);
            if (len > 0 && len < 200 && strstr(name, ".ko") == NULL) {
                text_printf(out, " [%.*s]", (int)len, archive->data + content);
            }
            text_append(out, "\n");
        }
        at = (content + len + 3) / 4 * 4;
    }
}

static void read_back(int fd, struct text *archive)
{
    struct error err = {0};
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_true(file_read_fd(fd, "initrd", 1 << 26, archive, &err));
}

static void put_bytes(const char *dir, const char *name, const void *bytes, size_t len)
{
    struct error err = {0};
    scratch_write(dir, name, "");
    auto_free char *path = memory_printf("%s/%s", dir, name);
    assert_true(file_replace(AT_FDCWD, path, bytes, len, 0644, &err));
}

/* A module whose .modinfo is "depends=..." and, if any, "softdep=...". */
static size_t make_module(uint8_t bytes[MODULE_MAKER_MAX], const char *depends, const char *softdep)
{
    char info[256];
    int len = snprintf(info, sizeof info, "license=GPL%cdepends=%s%csoftdep=%s", 0, depends, 0,
        softdep != NULL ? softdep : "");
    return module_maker(bytes, info, (size_t)len + 1);
}

static void put_module(const char *dir, const char *name, const char *depends, const char *softdep)
{
    uint8_t bytes[MODULE_MAKER_MAX];
    size_t len = make_module(bytes, depends, softdep);
    put_bytes(dir, name, bytes, len);
}

/* As in Debian's cloud kernel: ext4 and its checksum are built in. */
static void put_cloud_kernel(const char *dir)
{
    scratch_write(dir, "modules.builtin",
        "kernel/fs/ext4/ext4.ko\nkernel/crypto/crc32c_generic.ko\n"
        "kernel/drivers/char/hw_random/rng-core.ko\n");
    put_module(dir, "kernel/drivers/virtio/virtio.ko", "virtio_ring", NULL);
    put_module(dir, "kernel/drivers/virtio/virtio_ring.ko", "", NULL);
    put_module(dir, "kernel/drivers/virtio/virtio_balloon.ko", "virtio,virtio_ring", NULL);
    put_module(dir, "kernel/drivers/virtio/virtio_mmio.ko", "virtio,virtio_ring", NULL);
    put_module(dir, "kernel/drivers/virtio/virtio_pci.ko",
        "virtio_ring,virtio_pci_modern_dev,virtio_pci_legacy_dev,virtio", NULL);
    put_module(dir, "kernel/drivers/virtio/virtio_pci_modern_dev.ko", "", NULL);
    put_module(dir, "kernel/drivers/virtio/virtio_pci_legacy_dev.ko", "", NULL);
    put_module(dir, "kernel/drivers/block/virtio_blk.ko", "virtio,virtio_ring", NULL);
    put_module(dir, "kernel/drivers/char/virtio_console.ko", "virtio,virtio_ring", NULL);
    put_module(dir, "kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko",
        "vmw_vsock_virtio_transport_common,vsock,virtio_ring,virtio", NULL);
    put_module(dir, "kernel/net/vmw_vsock/vmw_vsock_virtio_transport_common.ko", "vsock", NULL);
    put_module(dir, "kernel/net/vmw_vsock/vsock.ko", "", NULL);
    put_module(dir, "kernel/drivers/char/hw_random/virtio-rng.ko", "virtio,virtio_ring", NULL);
    put_module(dir, "kernel/drivers/net/virtio_net.ko", "virtio_ring,virtio,net_failover", NULL);
    put_module(dir, "kernel/drivers/net/net_failover.ko", "failover", NULL);
    put_module(dir, "kernel/net/core/failover.ko", "", NULL);
    put_module(dir, "kernel/fs/overlayfs/overlay.ko", "", NULL);
    put_module(dir, "kernel/fs/xfs/xfs.ko", "libcrc32c", NULL);
}

struct built {
    bool is_good;
    struct initrd_report report;
    struct text archive;
    struct error err;
};

static void build(struct built *built, const char *modules, const struct cancel *cancel)
{
    *built = (struct built){0};
    auto_close int out = memfd_create("initrd", MFD_CLOEXEC);
    auto_close int dir = modules == NULL ? -1 : open(modules, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(out >= 0);
    built->is_good = initrd_build(
        dir, guest, strlen(guest), out, &built->report, &limits_default, cancel, &built->err);
    if (built->is_good) {
        read_back(out, &built->archive);
        assert_int_equal(built->archive.len, built->report.size_bytes);
    }
}

static void built_done(struct built *built)
{
    initrd_report_done(&built->report);
    text_done(&built->archive);
}

static void assert_names(const struct strings *names, const char *expected)
{
    auto_free char *joined = strings_join(names, " ");
    assert_string_equal(joined, expected);
}

static void a_kernel_without_modules_gets_the_program_alone(void **state)
{
    (void)state;
    struct built built;
    auto_done(text) struct text listing = {0};
    build(&built, NULL, NULL);
    assert_fine(built.err);
    list_archives(&built.archive, &listing);
    assert_string_equal(text_cstr(&listing), "dev 40755 0\ndev/console 20600 0\n"
                                             "init 100755 22 [#!not really a program]\n"
                                             "modules 40755 0\nmodules/order 100644 0\n--\n");
    assert_int_equal(built.report.modules.count + built.report.missing.count, 0);
    built_done(&built);
}

static void modules_come_in_the_order_to_load_them(void **state)
{
    (void)state;
    char *dir = scratch_make();
    struct built built;
    put_cloud_kernel(dir);
    build(&built, dir, NULL);
    assert_fine(built.err);
    assert_names(&built.report.modules,
        "virtio_ring virtio virtio_mmio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci "
        "virtio_console vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport "
        "virtio_blk overlay failover net_failover virtio_net virtio_rng virtio_balloon");
    assert_names(&built.report.missing, "");
    auto_done(text) struct text listing = {0};
    list_archives(&built.archive, &listing);
    assert_non_null(strstr(text_cstr(&listing), "modules/virtio_rng.ko 100644 "));
    assert_non_null(strstr(text_cstr(&listing), "modules/late 100644 18 [virtio_balloon.ko"));
    assert_null(strstr(text_cstr(&listing), "xfs"));
    assert_non_null(
        memmem(built.archive.data, built.archive.len, "\0virtio_ring.ko\nvirtio.ko\n", 26));
    built_done(&built);
    scratch_remove(dir);
}

static void what_sharing_takes_comes_behind(void **state)
{
    (void)state;
    char *dir = scratch_make();
    struct error err = {0};
    auto_done(text) struct text archive = {0}, listing = {0};
    put_cloud_kernel(dir);
    auto_close int out = memfd_create("initrd", MFD_CLOEXEC);
    auto_close int modules = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Nobody knows what is built in, then it is known not to be. */
    unlinkat(modules, "modules.builtin", 0);
    assert_true(initrd_can_share(modules, &limits_default, &err));
    assert_true(initrd_can_share(-1, &limits_default, &err));
    scratch_write(dir, "modules.builtin", "kernel/lib/crc16.ko\n");
    assert_false(initrd_can_share(modules, &limits_default, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    put_module(dir, "kernel/net/9p/9pnet_virtio.ko", "9pnet,virtio", NULL);
    put_module(dir, "kernel/net/9p/9pnet.ko", "", NULL);
    put_module(dir, "kernel/fs/9p/9p.ko", "9pnet,netfs", NULL);
    put_module(dir, "kernel/fs/netfs/netfs.ko", "", NULL);
    error_clear(&err);
    assert_true(initrd_can_share(modules, &limits_default, &err));
    assert_true(initrd_append_file(out, "x", "y", 1, 0644, &err));
    assert_true(initrd_append_sharing(out, modules, &limits_default, NULL, &err));
    assert_fine(err);
    read_back(out, &archive);
    list_archives(&archive, &listing);
    assert_non_null(strstr(text_cstr(&listing), "modules/more 100644 "));
    assert_non_null(memmem(archive.data, archive.len, "9pnet_virtio.ko\nnetfs.ko\n9p.ko\n", 31));
    scratch_remove(dir);
}

static void a_kernel_with_modular_ext4_gets_its_checksum_too(void **state)
{
    (void)state;
    char *dir = scratch_make();
    struct built built;
    put_cloud_kernel(dir);
    scratch_write(dir, "modules.builtin", "kernel/lib/crc16.ko\n");
    put_module(dir, "kernel/fs/ext4/ext4.ko", "jbd2,mbcache,crc16", "pre: crc32c");
    put_module(dir, "kernel/fs/jbd2/jbd2.ko", "", NULL);
    put_module(dir, "kernel/fs/mbcache.ko", "", NULL);
    put_module(dir, "kernel/crypto/crc32c_generic.ko", "", NULL);
    put_module(dir, "kernel/arch/x86/crypto/crc32c-intel.ko", "", NULL);
    build(&built, dir, NULL);
    assert_fine(built.err);
    auto_free char *joined = strings_join(&built.report.modules, " ");
    assert_non_null(strstr(joined, "crc32c_generic crc32c_intel virtio_ring"));
    assert_non_null(strstr(joined, "virtio_blk jbd2 mbcache ext4 overlay"));
    assert_names(&built.report.missing, "");
    built_done(&built);
    scratch_remove(dir);
}

static void what_is_nowhere_is_reported(void **state)
{
    (void)state;
    char *dir = scratch_make();
    struct built built;
    put_module(dir, "kernel/drivers/virtio/virtio.ko", "virtio_ring", NULL);
    build(&built, dir, NULL);
    assert_fine(built.err);
    assert_names(&built.report.modules, "virtio");
    assert_names(&built.report.missing, "virtio_ring virtio_mmio virtio_pci virtio_console "
                                        "vmw_vsock_virtio_transport virtio_blk ext4 overlay "
                                        "virtio_net virtio_rng virtio_balloon");
    built_done(&built);
    scratch_remove(dir);
}

static void compressed_modules_are_unpacked(void **state)
{
    (void)state;
    char *dir = scratch_make();
    uint8_t bytes[MODULE_MAKER_MAX], packed[MODULE_MAKER_MAX * 2];
    size_t len = make_module(bytes, "", NULL), packed_len = 0;
    put_cloud_kernel(dir);
    assert_int_equal(lzma_easy_buffer_encode(
                         6, LZMA_CHECK_CRC32, NULL, bytes, len, packed, &packed_len, sizeof packed),
        LZMA_OK);
    put_bytes(dir, "updates/dkms/overlay.ko.xz", packed, packed_len);
    packed_len = ZSTD_compress(packed, sizeof packed, bytes, len, 3);
    assert_false(ZSTD_isError(packed_len));
    put_bytes(dir, "updates/virtio_blk.ko.zst", packed, packed_len);
    auto_free char *path = memory_printf("%s/updates/virtio-console.ko.gz", dir);
    gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, bytes, (unsigned)len), len);
    assert_int_equal(gzclose(file), Z_OK);
    struct built built;
    build(&built, dir, NULL);
    assert_fine(built.err);
    auto_done(text) struct text listing = {0};
    list_archives(&built.archive, &listing);
    static const char *const names[] = {"overlay", "virtio_blk", "virtio_console"};
    for (size_t i = 0; i < array_length(names); i++) {
        /* The one in updates/ wins, and it is a module again. */
        auto_free char *line = memory_printf("modules/%s.ko 100644 %zu\n", names[i], len);
        assert_non_null(strstr(text_cstr(&listing), line));
    }
    built_done(&built);
    scratch_remove(dir);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    char *dirs[2] = {scratch_make(), scratch_make()};
    struct built built[2];
    for (unsigned i = 0; i < 2; i++) {
        put_cloud_kernel(dirs[i]);
        build(&built[i], dirs[i], NULL);
        assert_fine(built[i].err);
    }
    assert_int_equal(built[0].archive.len, built[1].archive.len);
    assert_memory_equal(built[0].archive.data, built[1].archive.data, built[0].archive.len);
    for (unsigned i = 0; i < 2; i++) {
        built_done(&built[i]);
        scratch_remove(dirs[i]);
    }
}

static void a_damaged_module_is_named(void **state)
{
    (void)state;
    char *dir = scratch_make();
    struct built built;
    put_cloud_kernel(dir);
    scratch_write(dir, "kernel/drivers/block/virtio_blk.ko", "not a module");
    build(&built, dir, NULL);
    assert_false(built.is_good);
    assert_code(built.err, ERROR_FORMAT);
    assert_non_null(strstr(built.err.text, "kernel/drivers/block/virtio_blk.ko"));
    built_done(&built);
    scratch_remove(dir);
}

static void links_and_circles_lead_nowhere(void **state)
{
    (void)state;
    char *dir = scratch_make(), *outside = scratch_make();
    struct built built;
    put_cloud_kernel(dir);
    /* A directory elsewhere, a module elsewhere, and two modules that want each other. */
    put_module(outside, "ext4.ko", "", NULL);
    auto_free char *link = memory_printf("%s/kernel/more", dir);
    assert_int_equal(symlink(outside, link), 0);
    put_module(dir, "kernel/fs/overlayfs/overlay.ko", "failover", NULL);
    put_module(dir, "kernel/net/core/failover.ko", "overlay", NULL);
    build(&built, dir, NULL);
    assert_fine(built.err);
    auto_free char *joined = strings_join(&built.report.modules, " ");
    assert_non_null(strstr(joined, "failover overlay"));
    assert_null(strstr(joined, "ext4"));
    built_done(&built);

    auto_free char *module = memory_printf("%s/kernel/drivers/block/virtio_blk.ko", dir);
    auto_free char *target = memory_printf("%s/ext4.ko", outside);
    assert_int_equal(unlink(module), 0);
    assert_int_equal(symlink(target, module), 0);
    build(&built, dir, NULL);
    assert_false(built.is_good);
    built_done(&built);
    scratch_remove(dir);
    scratch_remove(outside);
}

static void a_stop_is_heard(void **state)
{
    (void)state;
    char *dir = scratch_make();
    struct built built;
    struct cancel *cancel = cancel_new();
    put_cloud_kernel(dir);
    cancel_request(cancel);
    build(&built, dir, cancel);
    assert_false(built.is_good);
    assert_code(built.err, ERROR_CANCELLED);
    built_done(&built);
    cancel_free(cancel);
    scratch_remove(dir);
}

static void facts_follow_in_an_archive_of_their_own(void **state)
{
    (void)state;
    struct error err = {0};
    struct initrd_report report = {0};
    auto_close int out = memfd_create("initrd", MFD_CLOEXEC);
    auto_done(text) struct text facts = {0};
    auto_done(text) struct text archive = {0};
    auto_done(text) struct text listing = {0};
    initrd_put_fact(&facts, "hostname", "web");
    initrd_put_fact(&facts, "env", "A=one\ntwo\\n");
    assert_string_equal(text_cstr(&facts), "hostname=web\nenv=A=one\\ntwo\\\\n\n");
    assert_true(initrd_build(-1, guest, 3, out, &report, &limits_default, NULL, &err));
    assert_int_equal(file_write_all(out, "\0", 1, &err), true); /* an initrd of odd length */
    assert_true(initrd_append_file(out, INITRD_FACTS, text_cstr(&facts), facts.len, 0600, &err));
    assert_true(initrd_append_file(out, "more", "x", 1, 0644, &err));
    read_back(out, &archive);
    list_archives(&archive, &listing);
    const char *second = strstr(text_cstr(&listing), "--\n") + 3;
    assert_string_equal(second, "banger.conf 100600 31 [hostname=web\nenv=A=one\\ntwo\\\\n\n]\n"
                                "--\nmore 100644 1 [x]\n--\n");
    initrd_report_done(&report);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    struct error err = {0};
    struct initrd_report report = {0};
    auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) {
        skip();
    }
    assert_false(initrd_build(-1, guest, 3, full, &report, &limits_default, NULL, &err));
    assert_code(err, ERROR_NO_SPACE);
    initrd_report_done(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_without_modules_gets_the_program_alone),
        cmocka_unit_test(modules_come_in_the_order_to_load_them),
        cmocka_unit_test(what_sharing_takes_comes_behind),
        cmocka_unit_test(a_kernel_with_modular_ext4_gets_its_checksum_too),
        cmocka_unit_test(what_is_nowhere_is_reported),
        cmocka_unit_test(compressed_modules_are_unpacked),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(a_damaged_module_is_named),
        cmocka_unit_test(links_and_circles_lead_nowhere),
        cmocka_unit_test(a_stop_is_heard),
        cmocka_unit_test(facts_follow_in_an_archive_of_their_own),
        cmocka_unit_test(a_full_disk_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
