/* SPDX-License-Identifier: MIT */
/* Keeping what a machine holds in memory, for a start that goes on from there. */
#include "vm/machine_control.h"

#include "base/error.h"
#include "vm/machine_identity.h"
#include "vm/vmm.h"

#define CALL_TIMEOUT_MS 10000

static const struct vmm_backend *backend_of(const struct machine_handle *handle, struct error *err)
{
    const struct vmm_backend *backend = vmm_find(handle->kind);
    if (backend == NULL || backend->save == NULL) {
        error_set(
            err, ERROR_UNSUPPORTED, "the memory of machines on %s cannot be kept", handle->kind);
        return NULL;
    }
    if (!machine_process_is_ours(handle, &handle->vmm)) {
        error_set(err, ERROR_NOT_FOUND, "the machine is not running");
        return NULL;
    }
    return backend;
}

bool machine_can_save(int vm_dir, const struct machine_handle *handle, const struct cancel *cancel,
    char version[MACHINE_VERSION_MAX], struct error *err)
{
    const struct vmm_backend *backend = backend_of(handle, err);
    return backend != NULL &&
           backend->can_save(vm_dir, CALL_TIMEOUT_MS, cancel, version, MACHINE_VERSION_MAX, err);
}

bool machine_save(int vm_dir, const struct machine_handle *handle, const char *where,
    const struct cancel *cancel, struct error *err)
{
    const struct vmm_backend *backend = backend_of(handle, err);
    return backend != NULL && backend->save(vm_dir, where, cancel, err);
}
