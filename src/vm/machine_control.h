/* SPDX-License-Identifier: MIT */
#pragma once

/* Running machines: start, stop, kill, pause, look, wait. A start leaves a monitor (monitor.h) and
 * its VMM behind, which outlive the caller; every other call finds them again by the handle, whose
 * identity (boot id, pid, start time, uuid on the command line) is checked before anything is
 * touched. A monitor is started in a scope of the user's manager where that keeps it over a logout,
 * else (also when the manager refuses or does not answer) in the caller's session. Signals go by
 * pidfd. The caller holds the machine's lock for calls that change it.
 *
 * Workers only: everything blocks, within its deadlines, and gives up on cancel. */

#include "base/error.h"
#include "vm/machine.h"

struct cancel;
struct error;
struct progress;
struct vmm_choice;
struct vmm_host;

/* What a start needs beside the spec. Paths are absolute or relative to vm_dir. */
struct machine_boot {
    int vm_dir;                 /* O_DIRECTORY descriptor; becomes the VMM's working directory */
    const char *kernel_path;    /* ELF or bzImage */
    const char *initrd_path;    /* NULL: none */
    const char *image_path;     /* the shared image, attached read-only; NULL with a private root */
    const char *upper_path;     /* NULL: MACHINE_UPPER_FILE, or MACHINE_ROOT_FILE with a copy */
    const char *work_path;      /* NULL: none */
    const char *guest_args;     /* kernel arguments for our init; NULL: none */
    const char *accel;          /* --accel or BANGER_ACCEL, over the spec's; NULL: the spec's */
    const char *qemu;           /* program; NULL: qemu-system-x86_64 in PATH */
    const char *firecracker;    /* program; NULL */
    uint64_t console_log_bytes; /* limits.console_log_bytes; 0: 64 MiB */
    const char *runtime_dir;    /* where the user's manager is; NULL: it is not asked */
    const char *memory;         /* directory, relative, of machine_save's files; NULL: a boot */
    struct net_link net;        /* what was made for it on this host */
    struct vmm_host *host;      /* what is known of this host already; NULL: it is asked anew */
    const struct vmm_choice *choice; /* what was decided; NULL: it is decided at the start */
};

/* Starts the monitor and, through it, the VMM; returns once the VMM's control socket answered, or
 * fails with the reason and nothing left running. self_path is this program (NULL: /proc/self/exe).
 * ERROR_BUSY when it runs already. A cancel before the VMM answered takes everything down again. */
bool machine_start(const struct machine_spec *spec, const struct machine_boot *boot,
    const char *self_path, const struct progress *progress, const struct cancel *cancel,
    struct machine_handle *handle, struct error *err);

/* Gives a machine that runs but lost its monitor (facts.is_monitored) a new one: console, agent and
 * records work again. Of *boot only vm_dir, console_log_bytes and runtime_dir count. *handle is what
 * was read and becomes what is true now. */
bool machine_adopt(const struct machine_boot *boot, const char *name, const char *self_path,
    const struct cancel *cancel, struct machine_handle *handle, struct error *err);

/* Waits until the agent answered and fills *timeline (uninitialised before, the caller's to free
 * with machine_timeline_done, also after a failure: it then holds the stages that were reached).
 * ERROR_VMM with the reason (panic line, exit code, last stage) when the machine ends first;
 * ERROR_TIMEOUT naming the last stage reached. timeout_ms 0: none. */
bool machine_wait_ready(int vm_dir, const struct machine_handle *handle, uint64_t timeout_ms,
    const struct progress *progress, const struct cancel *cancel, struct machine_timeline *timeline,
    struct error *err);
/* Waits for its end and fills *exit. */
bool machine_wait_exit(int vm_dir, const struct machine_handle *handle, uint64_t timeout_ms,
    const struct cancel *cancel, struct machine_exit *exit, struct error *err);

/* The agent's sync and power-off, then ctrl-alt-del, then TERM, then KILL: grace_ms for the guest's
 * own part in all, short fixed deadlines for the rest (0: 10 s). Returns when monitor and VMM are
 * gone and exit.json is written; *exit may be NULL. Success when it was not running. */
bool machine_stop(int vm_dir, const struct machine_handle *handle, uint64_t grace_ms,
    const struct progress *progress, const struct cancel *cancel, struct machine_exit *exit,
    struct error *err);
/* Sends the signal to the VMM. For KILL and TERM waits until it is gone; *exit may be NULL. */
bool machine_kill(int vm_dir, const struct machine_handle *handle, int signal,
    const struct cancel *cancel, struct machine_exit *exit, struct error *err);
bool machine_pause(int vm_dir, const struct machine_handle *handle, const struct cancel *cancel,
    struct error *err);
bool machine_resume(int vm_dir, const struct machine_handle *handle, const struct cancel *cancel,
    struct error *err);

#define MACHINE_VERSION_MAX 64
/* Whether what the machine holds in memory can be kept; version is that of its VMM, which alone goes
 * on from it. ERROR_UNSUPPORTED with the reason. */
bool machine_can_save(int vm_dir, const struct machine_handle *handle, const struct cancel *cancel,
    char version[MACHINE_VERSION_MAX], struct error *err);
/* Keeps it, of a paused machine, in files of the directory where, which is relative to vm_dir. A start
 * goes on from there with machine_boot.memory, on the same disks. */
bool machine_save(int vm_dir, const struct machine_handle *handle, const char *where,
    const struct cancel *cancel, struct error *err);

enum machine_state {
    MACHINE_UNKNOWN, /* its records cannot be read, or its processes not be looked at */
    MACHINE_CREATED, /* never started */
    MACHINE_STARTING,
    MACHINE_RUNNING,
    MACHINE_PAUSED,
    MACHINE_STOPPING,
    MACHINE_STOPPED,
    MACHINE_CRASHED, /* panic, VMM failure, or gone without a word */
};

/* Everything there is to know, read from the machine's directory and checked against the host.
 * Never blocks on the VMM. */
struct machine_facts {
    enum machine_state state;
    struct error why_unknown; /* error_is_blind: nothing is wrong with the machine */
    bool has_handle;          /* handle is filled (and alive when state says so) */
    bool has_exit;
    bool has_timeline;
    bool is_monitored; /* the monitor is alive: console, agent and exit status work */
    struct machine_handle handle;
    struct machine_exit exit;
    struct machine_timeline timeline;
};
void machine_look(int vm_dir, struct machine_facts *facts);
void machine_facts_done(struct machine_facts *facts);
/* The same from what was read before: alive by identity, else settled by exit.json. */
enum machine_state machine_status(
    int vm_dir, const struct machine_handle *handle, const struct machine_exit *exit);
/* "created" and so on, as in `vm list`. */
const char *machine_state_name(enum machine_state state);
/* After a crash of the host or of a monitor: writes the missing exit.json, removes a dead handle
 * and left-over sockets, kills a VMM whose monitor died before it answered. True when something
 * was settled; nothing is, with that error, when the host keeps us from looking. Idempotent; the
 * caller holds the machine's lock. */
bool machine_settle(int vm_dir, struct error *err);
