/* SPDX-License-Identifier: MIT */
#include "artifact/initrd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "artifact/cpio.h"
#include "artifact/module_set.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

/* What a guest of ours needs, in the order to load it: the agent's line first, then disks, file
 * systems and the network. */
static const char *const wanted_modules[] = {
    "virtio_ring",
    "virtio",
    "virtio_mmio",
    "virtio_pci",
    "virtio_console",
    "vmw_vsock_virtio_transport", /* behind the buses: our init looks there whether it is of use */
    "virtio_blk",
    "ext4",
    "overlay",
    "virtio_net",
    "virtio_rng",
};

/* What a guest can do without for its first second: loaded beside all else. */
static const char *const late_modules[] = {"virtio_balloon"};

/* ext4 as a module asks the running kernel for this checksum by an alias, and there is no modprobe
 * in the initrd to answer. */
static const char *const checksum_modules[] = {"crc32c_generic", "crc32c_intel"};

struct build {
    struct cpio cpio;
    struct text order;
    struct initrd_report *report;
};

void initrd_report_done(struct initrd_report *report)
{
    strings_done(&report->modules);
    strings_done(&report->missing);
}

static bool put_module(
    void *context, const char *name, const void *bytes, size_t len, struct error *err)
{
    struct build *build = context;
    auto_free char *path = memory_printf("modules/%s.ko", name);
    strings_add(&build->report->modules, name);
    text_printf(&build->order, "%s.ko\n", name);
    return cpio_put_file(&build->cpio, path, 0644, bytes, len, err);
}

static bool put_order(struct build *build, const char *path, struct error *err)
{
    bool is_good =
        cpio_put_file(&build->cpio, path, 0644, text_cstr(&build->order), build->order.len, err);
    text_clear(&build->order);
    return is_good;
}

static bool put_late(
    struct build *build, struct module_set *set, const struct cancel *cancel, struct error *err)
{
    bool is_good = put_order(build, "modules/order", err);
    for (size_t i = 0; is_good && i < array_length(late_modules); i++) {
        is_good = module_set_visit(
            set, late_modules[i], put_module, build, &build->report->missing, cancel, err);
    }
    return is_good && put_order(build, "modules/late", err);
}

static bool put_modules(struct build *build, int modules_dir, const struct limits *limits,
    const struct cancel *cancel, struct error *err)
{
    struct module_set *set = module_set_open(modules_dir, limits, err);
    if (set == NULL) {
        return false;
    }
    bool is_good = true;
    auto_done(strings) struct strings ignored = {0};
    if (module_set_has(set, "ext4")) {
        for (size_t i = 0; is_good && i < array_length(checksum_modules); i++) {
            is_good = module_set_visit(
                set, checksum_modules[i], put_module, build, &ignored, cancel, err);
        }
    }
    for (size_t i = 0; is_good && i < array_length(wanted_modules); i++) {
        is_good = module_set_visit(
            set, wanted_modules[i], put_module, build, &build->report->missing, cancel, err);
    }
    is_good = is_good && put_late(build, set, cancel, err);
    module_set_close(set);
    return is_good;
}

bool initrd_build(int modules_dir, const void *guest, size_t guest_len, int out_fd,
    struct initrd_report *report, const struct limits *limits, const struct cancel *cancel,
    struct error *err)
{
    struct build build = {.cpio = {.fd = out_fd}, .report = report};
    bool is_good = cpio_put_dir(&build.cpio, "dev", 0755, err) &&
                   cpio_put_char_device(&build.cpio, "dev/console", 0600, 5, 1, err) &&
                   cpio_put_file(&build.cpio, "init", 0755, guest, guest_len, err) &&
                   cpio_put_dir(&build.cpio, "modules", 0755, err) &&
                   (modules_dir < 0 ? put_order(&build, "modules/order", err)
                                    : put_modules(&build, modules_dir, limits, cancel, err)) &&
                   cpio_finish(&build.cpio, err);
    text_done(&build.order);
    report->size_bytes = build.cpio.size_bytes;
    return is_good;
}

static bool is_among(const char *module, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], module) == 0) {
            return true;
        }
    }
    return false;
}

bool initrd_carries(const char *module)
{
    return is_among(module, wanted_modules, array_length(wanted_modules)) ||
           is_among(module, late_modules, array_length(late_modules));
}

static bool seek_end(int out_fd, struct error *err)
{
    off_t end = lseek(out_fd, 0, SEEK_END);
    if (end < 0) {
        return error_set_errno(err, errno, "cannot append to the initrd");
    }
    static const char zeros[4];
    size_t beyond = (size_t)(end % 4);
    return beyond == 0 || file_write_all(out_fd, zeros, 4 - beyond, err) ||
           error_wrap(err, "cannot append to the initrd");
}

static const char *const sharing_modules[] = {"9pnet_virtio", "9p"};

bool initrd_can_share(int modules_dir, const struct limits *limits, struct error *err)
{
    if (modules_dir < 0 || faccessat(modules_dir, "modules.builtin", F_OK, 0) != 0) {
        return true;
    }
    struct module_set *set = module_set_open(modules_dir, limits, err);
    if (set == NULL) {
        return false;
    }
    bool can_share = true;
    for (size_t i = 0; can_share && i < array_length(sharing_modules); i++) {
        const char *name = sharing_modules[i];
        can_share = module_set_has(set, name) || module_set_is_builtin(set, name) ||
                    error_set(err, ERROR_UNSUPPORTED, "this kernel has no module %s", name);
    }
    module_set_close(set);
    return can_share;
}

bool initrd_append_sharing(int out_fd, int modules_dir, const struct limits *limits,
    const struct cancel *cancel, struct error *err)
{
    auto_done(initrd_report) struct initrd_report report = {0};
    struct build build = {.cpio = {.fd = out_fd}, .report = &report};
    struct module_set *set = modules_dir < 0 ? NULL : module_set_open(modules_dir, limits, err);
    if (modules_dir < 0 || set == NULL) {
        return modules_dir < 0;
    }
    bool is_good = seek_end(out_fd, err);
    for (size_t i = 0; is_good && i < array_length(sharing_modules); i++) {
        is_good = module_set_visit(
            set, sharing_modules[i], put_module, &build, &report.missing, cancel, err);
    }
    module_set_close(set);
    is_good = is_good &&
              cpio_put_file(&build.cpio, "modules/more", 0644, text_cstr(&build.order),
                  build.order.len, err) &&
              cpio_finish(&build.cpio, err);
    text_done(&build.order);
    return is_good;
}

bool initrd_append_file(
    int out_fd, const char *name, const void *bytes, size_t len, mode_t mode, struct error *err)
{
    struct cpio cpio = {.fd = out_fd};
    return seek_end(out_fd, err) && cpio_put_file(&cpio, name, mode, bytes, len, err) &&
           cpio_finish(&cpio, err);
}

void initrd_put_fact(struct text *facts, const char *key, const char *value)
{
    text_append(facts, key);
    text_append_char(facts, '=');
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n') {
            text_append(facts, "\\n");
        } else if (*c == '\\') {
            text_append(facts, "\\\\");
        } else {
            text_append_char(facts, *c);
        }
    }
    text_append_char(facts, '\n');
}
