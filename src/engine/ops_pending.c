/* SPDX-License-Identifier: MIT */
/* Operations whose file is not there yet. Each line goes when the operation comes. */
#include "engine/ops.h"

#include "base/error.h"

#define PENDING(operation)                                                                         \
    bool operation(struct ops *ops, struct json **result, struct error *err)                       \
    {                                                                                              \
        (void)ops;                                                                                 \
        (void)result;                                                                              \
        return error_set(err, ERROR_UNSUPPORTED, "%s is not built in", #operation);                \
    }

#define PENDING_REFRESH(operation)                                                                 \
    bool operation(struct ops *ops, struct error *err)                                             \
    {                                                                                              \
        (void)ops;                                                                                 \
        (void)err;                                                                                 \
        return true;                                                                               \
    }

PENDING_REFRESH(ops_refresh_vms)
PENDING(ops_vm_run)
PENDING(ops_vm_create)
PENDING(ops_vm_start)
PENDING(ops_vm_stop)
PENDING(ops_vm_kill)
PENDING(ops_vm_rm)
PENDING(ops_vm_list)
PENDING(ops_vm_show)
PENDING(ops_vm_exec)
PENDING(ops_vm_logs)
PENDING(ops_vm_console)
PENDING(ops_vm_wait)
