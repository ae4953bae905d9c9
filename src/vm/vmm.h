/* SPDX-License-Identifier: MIT */
#pragma once

/* The table of back ends. Each is a const row of functions without state of its own: what it needs
 * it is given, what it makes is plain data that can be written to JSON. Adding one is one file and
 * one row in vmm.c.
 *
 * A start has two halves. In the engine, `plan` turns spec and boot into a vmm_plan: a command line
 * and the sockets it wants, all checkable without starting anything. In the monitor, the plan is
 * executed and `boot` takes the machine from exec to running over the control line; from then on
 * the monitor hands every line of that connection to `read_event`. The rest serves any process that
 * holds the machine's directory. A function a back end cannot offer is NULL. */

#include "base/text.h"
#include "vm/accel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct json;
struct machine_boot;
struct machine_spec;
struct vmm_host;

/* Sockets bound in the machine's directory before exec and handed to the VMM as listening
 * descriptors, so that connecting never races with its start and no byte is lost. */
enum vmm_line {
    VMM_LINE_SERIAL,  /* the monitor's: the guest's serial port */
    VMM_LINE_EVENTS,  /* the monitor's: control and events */
    VMM_LINE_AGENT,   /* the monitor's: to the agent in the guest */
    VMM_LINE_CONTROL, /* everybody's: one client at a time, short calls */
    VMM_LINE_COUNT,
};
/* The VMM finds line L at descriptor VMM_LINE_FD + L. */
#define VMM_LINE_FD 3
/* A pipe that nobody else holds: its other end tells when the VMM is gone. Only where one is
 * needed. */
#define VMM_ALIVE_FD (VMM_LINE_FD + VMM_LINE_COUNT)

struct vmm_plan {
    char kind[16];       /* name of the back end */
    struct strings argv; /* argv[0] is absolute */
    /* A machine that is described by calls and not by argv: path and body of each, in their order,
     * and empty where there are none. */
    struct strings calls;
    enum accel_kind accel;
    char accel_why[200];
    bool has_line[VMM_LINE_COUNT];
    /* The serial port is the VMM's stdin and stdout: a terminal of the monitor's in place of the
     * line. Gone with the monitor, so nobody can take it over. */
    bool has_terminal;
    /* Directory, relative to the machine's, with what its guest held in memory: the first start goes on
     * from there. NULL: a boot. The last words of argv are for that start alone. */
    char *memory;
    size_t memory_words;
};
void vmm_plan_done(struct vmm_plan *plan);
/* The start went on from memory: the next one is a boot. */
void vmm_plan_forget_memory(struct vmm_plan *plan);

/* Files in such a directory. */
#define VMM_MEMORY_FILE "memory"
#define VMM_STATE_FILE "vmm-state" /* of back ends that keep their devices apart */

/* Sockets that a VMM makes itself, in the machine's directory. */
#define VMM_API_SOCKET "firecracker.sock"
#define VMM_VSOCK_SOCKET "vsock.sock"

/* A VMM that was executed and does not run its guest yet. */
struct vmm_start {
    const struct vmm_plan *plan;
    int vm_dir;
    int events_fd; /* -1: none */
    int pidfd;     /* readable once the VMM has ended */
    uint64_t timeout_ms;
};

struct vmm_probe {
    bool is_usable;
    char *path; /* NULL when missing */
    char version[64];
    char why[200]; /* one sentence when not usable */
};
void vmm_probe_done(struct vmm_probe *probe);

/* What a probe needs to know of its program. */
struct vmm_program {
    const char *name;    /* in PATH */
    const char *title;   /* in sentences */
    const char *missing; /* the next step where there is none */
    const char *prefix;  /* of what it answers to --version, before the number */
};
/* path NULL: the one in PATH. */
void vmm_probe_program(
    const struct vmm_program *program, const char *path, struct vmm_probe *found);

enum vmm_event {
    VMM_EVENT_NONE,
    VMM_EVENT_GUEST_POWEROFF,
    VMM_EVENT_GUEST_REBOOT, /* also after a panic: the serial log tells them apart */
    VMM_EVENT_GUEST_PANIC,
    VMM_EVENT_HOST_QUIT, /* told to by us or by a signal */
    VMM_EVENT_NO_SPACE,  /* a write found the disk full; it is paused next */
    VMM_EVENT_PAUSED,
    VMM_EVENT_RESUMED,
};

struct vmm_backend {
    const char *name;
    struct vmm_program program;
    /* The agent is behind VMM_VSOCK_SOCKET and the serial port is a terminal of the monitor's: there
     * are no lines that a new monitor could connect to. */
    bool has_vsock;
    /* A reboot of the guest ends the VMM with status 0, and a power-off only halts the guest. */
    bool ends_by_reboot;
    bool wants_elf; /* it starts uncompressed kernels alone */
    /* Needs neither rights nor a namespace for user networking. */
    bool has_user_network;
    /* The operator's own program, or NULL. */
    const char *(*chosen_program)(const struct machine_boot *boot);
    /* Whether it can carry such a machine at all; NULL: any. ERROR_UNSUPPORTED with the way out.
     * Looks at nothing but what it is given, so that it can be asked before a record is made. */
    bool (*check)(const struct machine_spec *spec, enum accel_kind accel, struct error *err);
    bool (*plan)(const struct machine_spec *spec, const struct machine_boot *boot,
        const struct accel_choice *accel, struct vmm_plan *plan, struct error *err);
    /* In the monitor, blocking up to its timeout: until the guest runs. What was read too far from
     * the event line goes into *rest. The descriptors stay the monitor's. */
    bool (*boot)(const struct vmm_start *start, struct text *rest, struct error *err);
    /* The same for a VMM that runs already, which it leaves as it is. */
    bool (*attach)(int events_fd, uint64_t timeout_ms, struct text *rest, struct error *err);
    /* One complete line from the event line. */
    enum vmm_event (*read_event)(const char *line, size_t len);
    /* On the control line, from any process; vm_dir is the machine's directory. */
    bool (*press_ctrl_alt_del)(
        int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
    bool (*pause)(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
    bool (*resume)(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
    /* Keeping what the guest holds in memory, while it stands still, in files of the directory where,
     * which is relative to the machine's. Asked first whether that can be done by the process that
     * runs; version is what its program calls itself. */
    bool (*can_save)(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, char *version,
        size_t size, struct error *err);
    bool (*save)(int vm_dir, const char *where, const struct cancel *cancel, struct error *err);
    /* A sentence about an exit status that has a meaning of its own; the function, or what it
     * returns, is NULL: none. */
    const char *(*explain_status)(int status);
};

extern const struct vmm_backend vmm_qemu;
extern const struct vmm_backend vmm_firecracker;

/* NULL when there is none of that name. */
const struct vmm_backend *vmm_find(const char *name);

/* Which one carries a machine, and why, for `vm show` and `host doctor`. */
struct vmm_choice {
    const struct vmm_backend *backend;
    char why[200];
    struct accel_choice accel;
};
/* The one that the spec names; for "auto" the best one that is here, can carry the machine and gives
 * it a network. Asks boot->host. ERROR_UNSUPPORTED with the next step. */
bool vmm_choose(const struct machine_spec *spec, const struct machine_boot *boot,
    struct vmm_choice *choice, struct error *err);
/* Whether the machine gets the network that it asks for, as far as that needs a namespace. It tries
 * one out, in a millisecond, unless the host was asked before. ERROR_UNSUPPORTED or ERROR_PERMISSION
 * with the next step. */
bool vmm_check_network(const struct vmm_backend *backend, const struct machine_spec *spec,
    struct vmm_host *host, struct error *err);
/* File name of a line's socket in the machine's directory. */
const char *vmm_line_socket(enum vmm_line line);
