/* SPDX-License-Identifier: MIT */
#include "engine/kernel/ops_initrd.h"

#include "artifact/hash.h"
#include "artifact/initrd.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/host/ops_net.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/machine/guest_blob.h"
#include "engine/machine/ops_ssh.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "store/layout.h"
#include "vm/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Part of the cache's key: to be raised when initrd_build makes something else of the same
 * input. */
#define INITRD_RECIPE 3

/* Name in the cache: the digest of everything that goes in. */
static char *cache_name(const struct boot_kernel *kernel)
{
    size_t guest_len;
    const void *guest = guest_blob(&guest_len);
    struct digest guest_digest, key;
    char hex[DIGEST_HEX_LEN + 1];
    hash_bytes(guest, guest_len, &guest_digest);
    auto_free char *text = memory_printf(
        "%d %s %s", INITRD_RECIPE, kernel->identity, digest_format(&guest_digest, hex));
    hash_bytes(text, strlen(text), &key);
    return memory_printf("%s.img", digest_format(&key, hex));
}

/* Builds it under a temporary name and renames: two builders at once make the same bytes. */
static bool build_cached(struct ops *ops, const struct boot_kernel *kernel, int cache,
    const char *name, struct error *err)
{
    auto_free char *temporary = file_temporary_name(name, err);
    size_t guest_len;
    const void *guest = guest_blob(&guest_len);
    auto_done(initrd_report) struct initrd_report report = {0};
    auto_close int fd = temporary != NULL ? file_create(cache, temporary, err) : -1;
    if (fd < 0) {
        return false;
    }
    if (!initrd_build(
            kernel->modules_dir, guest, guest_len, fd, &report, ops->limits, ops->cancel, err) ||
        !file_sync(fd, name, err)) {
        unlinkat(cache, temporary, 0);
        return error_wrap(err, "the initrd for %s was not built", kernel->path);
    }
    if (renameat(cache, temporary, cache, name) != 0) {
        int saved = errno;
        unlinkat(cache, temporary, 0);
        return error_set_errno(err, saved, "cannot keep the initrd in the cache");
    }
    return true;
}

static void put_list(struct text *facts, const char *key, const struct strings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        initrd_put_fact(facts, key, list->items[i]);
    }
}

static void describe_machine(const struct machine_spec *spec, int vm_dir, struct text *facts)
{
    char now[24];
    snprintf(now, sizeof now, "%" PRId64, clock_wall());
    initrd_put_fact(facts, "root", machine_root_name(spec->root));
    initrd_put_fact(facts, "hostname", spec->name);
    initrd_put_fact(facts, "time", now);
    if (file_exists(vm_dir, MACHINE_WORK_FILE)) {
        initrd_put_fact(facts, "work", "work"); /* DISK_SERIAL_WORK, mounted at /root */
    }
    ops_vm_describe_mounts(spec, facts);
    put_list(facts, "arg", &spec->program.entrypoint);
    put_list(facts, "arg", &spec->program.cmd);
    put_list(facts, "env", &spec->program.env);
    if (spec->program.workdir != NULL) {
        initrd_put_fact(facts, "workdir", spec->program.workdir);
    }
    if (spec->program.user != NULL) {
        initrd_put_fact(facts, "user", spec->program.user);
    }
}

bool ops_initrd_make(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, int vm_dir, struct error *err)
{
    int cache = store_cache_dir(ops->store, STORE_CACHE_INITRD);
    auto_free char *name = cache_name(kernel);
    if (!file_exists(cache, name) && !build_cached(ops, kernel, cache, name, err)) {
        return false;
    }
    auto_close int from = file_open_read(cache, name, err);
    if (from < 0) {
        return false;
    }
    if (unlinkat(vm_dir, OPS_INITRD_FILE, 0) != 0 && errno != ENOENT) {
        return error_set_errno(err, errno, "cannot replace %s", OPS_INITRD_FILE);
    }
    auto_done(text) struct text facts = {0};
    auto_done(strings) struct strings keys = {0};
    if (!ops_ssh_public_keys(ops, spec, &keys, err)) {
        return false;
    }
    put_list(&facts, "ssh_key", &keys);
    describe_machine(spec, vm_dir, &facts);
    if (!ops_net_facts(ops, spec, &facts, err)) {
        return false;
    }
    auto_close int to = file_create(vm_dir, OPS_INITRD_FILE, err);
    return to >= 0 && file_copy_data(from, to, OPS_INITRD_FILE, NULL, ops->cancel, err) &&
           (spec->volume_count == 0 ||
               initrd_append_sharing(to, kernel->modules_dir, ops->limits, ops->cancel, err)) &&
           initrd_append_file(to, INITRD_FACTS, text_cstr(&facts), facts.len, 0600, err);
}
