/* SPDX-License-Identifier: MIT */
#include "vm/vmm.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

const struct vmm_backend *const vmm_backends[] = {&vmm_qemu, NULL};

static const char *const line_sockets[] = {
    [VMM_LINE_SERIAL] = "serial.sock",
    [VMM_LINE_EVENTS] = "events.sock",
    [VMM_LINE_AGENT] = "agent.sock",
    [VMM_LINE_CONTROL] = "control.sock",
};

void vmm_plan_done(struct vmm_plan *plan)
{
    strings_done(&plan->argv);
    strings_done(&plan->calls);
}

void vmm_probe_done(struct vmm_probe *probe)
{
    free(probe->path);
    probe->path = NULL;
}

const struct vmm_backend *vmm_find(const char *name)
{
    for (size_t i = 0; vmm_backends[i] != NULL; i++) {
        if (strcmp(vmm_backends[i]->name, name) == 0) {
            return vmm_backends[i];
        }
    }
    return NULL;
}

const char *vmm_line_socket(enum vmm_line line)
{
    return line_sockets[line];
}
