/* SPDX-License-Identifier: MIT */
/* host doctor on the store: whether everything in it can be read. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/unread.h"
#include "engine/host/ops_host.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "store/image_store.h"
#include "store/kernel_store.h"

#include <stdlib.h>

/* What cannot be read so far: how much, and the first of it in words. */
struct hidden {
    size_t count;
    char *first;
    char *hint;
};

static void hidden_done(struct hidden *hidden)
{
    free(hidden->first);
    free(hidden->hint);
}

static void add(
    struct hidden *hidden, const char *what, const char *name, const struct unread *unread)
{
    if (unread->errnum == 0) {
        return;
    }
    if (hidden->count++ == 0) {
        hidden->first = memory_printf("%s %s (%s)", what, name, unread->reason);
        hidden->hint = memory_strdup(unread->hint);
    }
}

static bool look(struct ops *ops, struct hidden *hidden, size_t *count, struct error *err)
{
    auto_done(kernel_list) struct kernel_list kernels = {0};
    auto_done(image_list) struct image_list images = {0};
    auto_done(vm_looks) struct vm_looks vms = {0};
    if (!kernel_store_list(ops->store, &kernels, err) ||
        !image_store_list(ops->store, &images, err) || !ops_vm_look_at_all(ops, &vms, err)) {
        return false;
    }
    for (size_t i = 0; i < kernels.count; i++) {
        add(hidden, "kernel", kernels.items[i].name, &kernels.items[i].unread);
    }
    for (size_t i = 0; i < images.count; i++) {
        add(hidden, "image", images.items[i].name, &images.items[i].unread);
    }
    for (size_t i = 0; i < vms.count; i++) {
        add(hidden, "VM", vms.items[i].name, &vms.items[i].unread);
    }
    *count = kernels.count + images.count + vms.count;
    return true;
}

void ops_store_doctor(struct ops *ops, struct json *rows)
{
    struct error failure = {0};
    auto_done(hidden) struct hidden hidden = {0};
    size_t count = 0;
    bool is_listed = look(ops, &hidden, &count, &failure);
    struct json *row = json_new_object();
    json_append(rows, row);
    json_put_string(row, "check", "store");
    json_put_string(row, "status", is_listed && hidden.count == 0 ? "ok" : "warn");
    if (!is_listed) {
        json_put_string(row, "detail", failure.text);
        return;
    }
    auto_free char *detail =
        hidden.count == 0
            ? memory_printf("%zu kernels, images and VMs can be read", count)
            : memory_printf("%zu of %zu kernels, images and VMs cannot be read: %s%s", hidden.count,
                  count, hidden.first, hidden.count > 1 ? " and others" : "");
    json_put_string(row, "detail", detail);
    json_put_string(row, "hint", hidden.hint);
}
