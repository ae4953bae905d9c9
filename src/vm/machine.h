/* SPDX-License-Identifier: MIT */
#pragma once

/* A virtual machine as data: what it should be (vm.json), what is true now (handle.json,
 * boot.json), how it ended (exit.json). This module gives those files their meaning (FORMATS,
 * "Places"); the store only keeps vm.json. handle.json, boot.json and exit.json are written by the
 * machine's monitor in the machine's directory, the first and the last durably, and are read here.
 *
 * Running one is machine_control.h. Values own their strings: *_done frees them. Any thread, one
 * owner at a time. */

#include "base/process.h"
#include "base/text.h"
#include "vm/cgroup.h"
#include "vm/machine_mount.h"
#include "vm/net.h"
#include "vm/user_manager.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;

#define MACHINE_UUID_LEN 36
#define MACHINE_MAC_LEN 17
#define MACHINE_VCPU_MAX 32
#define MACHINE_MEMORY_MIB_MIN 32
#define MACHINE_MEMORY_MIB_MAX (4ULL * 1024 * 1024)
#define MACHINE_DISK_BYTES_MIN (16ULL * 1024 * 1024)
#define MACHINE_PORT_MAX 32
#define MACHINE_APPEND_MAX                                                                         \
    1024 /* bytes of extra kernel arguments; the kernel takes 2048 in all   \
                                 */

/* Names in the machine's directory. */
#define MACHINE_HANDLE_FILE "handle.json"
#define MACHINE_BOOT_FILE "boot.json"
#define MACHINE_EXIT_FILE "exit.json"
#define MACHINE_UPPER_FILE "upper.ext4" /* serial=upper, joined over the image */
#define MACHINE_ROOT_FILE "root.ext4"   /* serial=root, a private copy (--root copy) */
#define MACHINE_WORK_FILE "work.ext4"   /* serial=work */

enum machine_root { MACHINE_ROOT_OVERLAY, MACHINE_ROOT_COPY };
enum machine_restart { MACHINE_RESTART_NO, MACHINE_RESTART_ON_FAILURE, MACHINE_RESTART_ALWAYS };

/* One published port. net_parse_publish reads HOST:GUEST. */
struct machine_port {
    char host_address[46]; /* numeric; "127.0.0.1" unless given */
    uint16_t host_port;
    uint16_t guest_port;
    bool is_udp;
};

/* What the image says about its program, kept with the machine so that an image refreshed later
 * does not change it. */
struct machine_program {
    struct strings entrypoint;
    struct strings cmd;
    struct strings env; /* K=V */
    char *workdir;      /* NULL: "/" */
    char *user;         /* NULL: root */
};

struct machine_spec {
    char *name;
    char *image;
    char *kernel_ref; /* NULL: what the image brings */
    char *append;     /* extra kernel arguments; NULL: none */
    char *ssh_key;    /* file with the operator's public key; NULL: our own key */
    char *vmm;        /* "auto", "firecracker", "qemu" */
    char *accel;      /* "auto", "kvm", "tcg" */
    char uuid[MACHINE_UUID_LEN + 1];
    char mac[MACHINE_MAC_LEN + 1];
    uint64_t vcpu;
    uint64_t memory_mib;
    uint64_t disk_bytes; /* apparent size of the upper or private root disk */
    enum machine_root root;
    enum machine_restart restart;
    struct machine_port *ports;
    size_t port_count;
    enum net_mode net;
    char address[16];               /* of the guest, on our bridge; "" in other modes */
    int64_t created_at;             /* wall seconds */
    struct machine_volume *volumes; /* machine_mount.h */
    size_t volume_count;
    struct machine_disk *disks;
    size_t disk_count;
    struct machine_program program;
    bool is_autostart;    /* a unit of the user's starts it with the host */
    bool is_ephemeral;    /* --rm: the engine removes it when it ends */
    struct json *unknown; /* keys of a newer program, kept when the file is written again */
};

void machine_spec_done(struct machine_spec *spec);
/* A deep copy into an empty *to. */
void machine_spec_copy(const struct machine_spec *spec, struct machine_spec *to);
/* Adds a port. */
void machine_spec_publish(struct machine_spec *spec, const struct machine_port *port);
/* Draws a random version-4 uuid and a locally administered unicast MAC (02:…). */
bool machine_spec_identify(struct machine_spec *spec, struct error *err);
/* Everything a person or a file can get wrong, before any record is made. ERROR_INVALID; the
 * sentence names the option. */
bool machine_spec_validate(const struct machine_spec *spec, struct error *err);
/* Caller frees. Keys: format name uuid mac created_at image kernel_ref append vmm accel vcpu
 * memory_mib disk_bytes root restart publish[] volumes[] disks[] disk_serials[] net address config{}
 * ephemeral. */
struct json *machine_spec_to_json(const struct machine_spec *spec);
/* Fills an empty *spec; ERROR_FORMAT naming the key. Validates. `what` opens the sentence. */
bool machine_spec_from_json(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err);

const char *machine_root_name(enum machine_root root);
bool machine_root_parse(const char *word, enum machine_root *root, struct error *err);
const char *machine_restart_name(enum machine_restart restart);
bool machine_restart_parse(const char *word, enum machine_restart *restart, struct error *err);

/* What is true while it runs. Plain data, no descriptor in it: any worker of any process can use
 * it, and a restarted engine finds its machines by it. */
struct machine_handle {
    char boot_id[37]; /* of the host */
    char uuid[MACHINE_UUID_LEN + 1];
    struct process_identity monitor;
    struct process_identity vmm;
    char kind[16];       /* back end: "qemu", "firecracker" */
    char accel[8];       /* "kvm" or "tcg" */
    int64_t started_at;  /* wall seconds */
    uint64_t log_offset; /* where this boot begins in the serial stream */
    struct net_link net;
    char cgroup[CGROUP_PATH_MAX]; /* a control group of its own; "": none */
    uint64_t cgroup_cpu_ms;       /* that it had used in boots before this one */
    char unit[USER_UNIT_MAX];     /* scope of the user's manager; "": lives with who started it */
    size_t port_count;            /* as published, with the host ports that were chosen */
    struct machine_port ports[MACHINE_PORT_MAX];
};

struct json *machine_handle_to_json(const struct machine_handle *handle);
bool machine_handle_from_json(
    const struct json *json, struct machine_handle *handle, struct error *err);
/* Reads handle.json. ERROR_NOT_FOUND when there is none: the machine is not running. */
bool machine_handle_read(int vm_dir, struct machine_handle *handle, struct error *err);

enum machine_exit_reason {
    MACHINE_EXIT_GUEST_POWEROFF,
    MACHINE_EXIT_GUEST_REBOOT,
    MACHINE_EXIT_PANIC,
    MACHINE_EXIT_KILLED,
    MACHINE_EXIT_VMM_ERROR,
};

struct machine_exit {
    enum machine_exit_reason reason;
    int code;           /* exit status of the VMM; -1 when a signal ended it or nobody knows */
    int signal;         /* 0: none */
    int64_t at;         /* wall seconds */
    int64_t started_at; /* of the boot that ended */
    bool is_requested;  /* somebody asked for it with stop or kill */
    bool is_given_up;   /* it was started again until it ended too often right after its start */
    unsigned restarts;  /* how often it had been started again by itself */
    char detail[512];   /* panic line, the VMM's last words; foreign bytes; "" for none */
};

struct json *machine_exit_to_json(const struct machine_exit *exit);
bool machine_exit_from_json(const struct json *json, struct machine_exit *exit, struct error *err);
/* Reads exit.json. ERROR_NOT_FOUND when there is none. */
bool machine_exit_read(int vm_dir, struct machine_exit *exit, struct error *err);
/* "guest-poweroff" and so on, as in exit.json. */
const char *machine_exit_reason_name(enum machine_exit_reason reason);
/* One sentence for a person: "power-off by the guest", "kernel panic: Attempted to kill init!",
 * "QEMU failed with status 1: …". Writes into buffer and returns it. */
const char *machine_exit_describe(const struct machine_exit *exit, char *buffer, size_t size);

/* Stages of a boot in the order they are reached; milliseconds since exec of the VMM. */
enum machine_stage {
    MACHINE_STAGE_VMM,     /* the control socket answered */
    MACHINE_STAGE_KERNEL,  /* first sign of the kernel on the serial line */
    MACHINE_STAGE_INIT,    /* our init runs */
    MACHINE_STAGE_ROOT,    /* it has mounted the machine's root */
    MACHINE_STAGE_NETWORK, /* the network is up; unreached where the guest does not say */
    MACHINE_STAGE_AGENT,   /* the agent answered: ready */
    MACHINE_STAGE_COUNT,
};
#define MACHINE_STAGE_UNREACHED UINT64_MAX

struct machine_timeline {
    uint64_t at_ms[MACHINE_STAGE_COUNT]; /* MACHINE_STAGE_UNREACHED until reached */
    int64_t started_at;
    bool is_paused;
    bool is_stopping;
    bool is_network_lost; /* what serves it died, and is about to be started again */
    bool is_no_space;     /* its VMM stopped it because the disk is full; it is paused as well */
    bool is_restarting;   /* it ended and will begin again by itself */
    unsigned restarts;    /* how often it did so since it was started */
    struct strings facts; /* "key=value" as told by the guest's agent: see base/wire.h */
};

const char *machine_stage_name(enum machine_stage stage);
/* An empty one: no stage reached. */
void machine_timeline_init(struct machine_timeline *timeline);
void machine_timeline_done(struct machine_timeline *timeline);
/* The value of a fact, borrowed; NULL when the guest did not tell it. */
const char *machine_timeline_fact(const struct machine_timeline *timeline, const char *key);
/* True once the agent answered. */
bool machine_timeline_is_ready(const struct machine_timeline *timeline);
struct json *machine_timeline_to_json(const struct machine_timeline *timeline);
bool machine_timeline_from_json(
    const struct json *json, struct machine_timeline *timeline, struct error *err);
/* Reads boot.json, the latest boot (also after its end), into an uninitialised *timeline; on
 * failure it is left empty. ERROR_NOT_FOUND when it never started. */
bool machine_timeline_read(int vm_dir, struct machine_timeline *timeline, struct error *err);
