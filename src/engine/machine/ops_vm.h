/* SPDX-License-Identifier: MIT */
#pragma once

/* What the operations on machines share. Workers and streaming threads only. */

#include "base/error.h"
#include "base/unread.h"
#include "vm/agent_client.h"
#include "vm/machine_control.h"
#include "vm/machine_figures.h"

#include <stdbool.h>
#include <stdint.h>

struct boot_kernel;
struct image_entry;
struct json;
struct lock;
struct ops;
struct section;
struct text;

/* One machine at hand: its record, its directory, and what is true of it now. Zero-initialise, dir
 * -1 (VM_HAND_INIT); free with vm_hand_done. */
struct vm_hand {
    char *name;
    int dir;
    struct machine_spec spec;
    struct machine_facts facts;
    struct lock *lock; /* NULL for reading */
    char *warning;     /* of the start: something that was done but may not go well; NULL */
    char *why;         /* of the start: why on this VMM with this accelerator; NULL */
    char *memory; /* for the start: where it goes on from (machine_boot.memory); NULL: a boot */
};
#define VM_HAND_INIT                                                                               \
    {                                                                                              \
        .dir = -1                                                                                  \
    }

void vm_hand_done(struct vm_hand *hand);
/* Reads the machine of that exact name. ERROR_NOT_FOUND, ERROR_FORMAT for a damaged record,
 * error_is_blind for one that the host keeps us from reading. */
bool ops_vm_read(struct ops *ops, const char *name, struct vm_hand *hand, struct error *err);
/* The same behind its exclusive lock, settled: a crash of host or monitor is written down first. One
 * whose state the host keeps us from knowing is that error. */
bool ops_vm_take(struct ops *ops, const char *name, const char *purpose, struct vm_hand *hand,
    struct error *err);
/* The same for what nobody asked for: without waiting, and nothing is written down. False when somebody
 * else has it (ERROR_BUSY). What was read of it before its lock was taken may be over. */
bool ops_vm_try_take(struct ops *ops, const char *name, const char *purpose, struct vm_hand *hand,
    struct error *err);
/* It ran, and has ended. One that never ran was made to be used. */
bool ops_vm_has_ended(const struct vm_hand *hand);
/* ERROR_NO_SPACE of one that stands still because the disk is full. */
bool ops_vm_has_room(const struct vm_hand *hand, struct error *err);
/* It runs, but its monitor died: nobody keeps its log, serves its ports or begins it again. */
bool ops_vm_is_orphan(const struct vm_hand *hand);
/* Gives such a one a new monitor; the caller has its lock. False when it is none, or (which is told) it
 * got none. */
bool ops_vm_adopt(struct ops *ops, struct vm_hand *hand);
/* For one that was only read: one that lost its monitor gets a new one, one that ended unseen gets
 * its end written down. False when there was nothing to do, or somebody else has it. */
bool ops_vm_settle(struct ops *ops, struct vm_hand *hand);
/* Takes the machine, and *lock on another name that need not exist: in the order of their names, as
 * everybody does. *lock is the caller's to release, also after a failure. */
bool ops_vm_take_both(struct ops *ops, const char *name, const char *other, const char *purpose,
    struct lock **lock, struct vm_hand *hand, struct error *err);
/* ops_vm_restore.c: for one whose lock is held: what a process that was killed in the middle of a
 * snapshot or a restore left behind is finished, or taken away. */
bool ops_vm_finish_restore(struct ops *ops, int dir, struct error *err);
/* Gives the lock back early, before a long wait. */
void ops_vm_unlock(struct vm_hand *hand);

/* Starting, running, paused or stopping: there is a process. */
bool ops_vm_is_up(enum machine_state state);
/* That, or the host keeps us from knowing: what it may own stays. */
bool ops_vm_may_be_up(enum machine_state state);
/* What doing this to one machine would be; caller frees. */
struct json *ops_vm_plan_one(
    struct ops *ops, const char *action, const char *name, uint64_t size_bytes);
/* The word for it in every result. */
const char *ops_vm_state_name(enum machine_state state);
/* All machines, each looked at once. */
struct vm_look {
    char *name;
    bool is_read; /* else why not */
    struct error why;
    struct unread unread; /* why its record, or its state, is not known */
    struct machine_spec spec;
    struct machine_facts facts;
    uint64_t disk_bytes;            /* as of ops_vm_disk_use */
    struct machine_figures figures; /* of one that is up */
};
struct vm_looks {
    struct vm_look *items; /* by name */
    size_t count;
};
bool ops_vm_look_at_all(struct ops *ops, struct vm_looks *looks, struct error *err);
void vm_looks_done(struct vm_looks *looks);
/* ops_vm_figures.c: fills in what a machine that runs uses: figures of now, and rates since *before,
 * the item of its last look (NULL: its first; processor use is then the mean since its start). */
struct vm_item;
void ops_vm_measure(
    struct vm_item *item, const struct machine_figures *now, const struct vm_item *before);
/* Per second; 0 for a counter that began anew. */
uint64_t ops_vm_rate(uint64_t before, uint64_t now, uint64_t over_ms);
/* ops_vm_ends.c: the machine of that name as it was last listed; NULL: it was not there. */
const struct vm_item *ops_vm_item(const struct section *section, const char *name);
/* Tells what machines did by themselves between two lists, and has those that lost their monitor
 * looked after. */
void ops_vm_tell_ends(struct ops *ops, const struct section *before, const struct section *now);
/* Names that disks of its own may have in its directory, one after the other; NULL at the end. */
const char *ops_vm_disk_name(size_t index);
/* Allocated bytes of the disks that are its own; further: machine_spec_disk_slots of its spec. */
uint64_t ops_vm_disk_use(int dir, size_t further);

/* What is known of its traffic, for `vm list` and `vm stats`. */
void ops_vm_put_network(const struct machine_figures *figures, struct json *json);
/* Copies all of them into another directory, holes kept, shared where the file system can. */
bool ops_vm_copy_disks(struct ops *ops, int from_dir, int to_dir, struct error *err);

/* The fields of `vm list`; caller frees. */
struct json *ops_vm_json(const struct machine_spec *spec, const struct machine_facts *facts);
/* Why the machine's state is unknown, when the host keeps us from knowing. */
void ops_vm_note_unknown(
    struct ops *ops, const char *name, const struct error *why, struct unread *unread);
/* {"name","changed",...vm fields} read anew; caller frees. */
struct json *ops_vm_result(struct ops *ops, const char *name, bool is_changed);
/* Lists machines and images again for the front end, when one is watching. */
void ops_vms_changed(struct ops *ops);

/* ops_vm_vmm.c: which VMM carries a machine here: the one it names, else the best one. */
struct machine_boot;
struct vmm_choice;
bool ops_vm_choose_vmm(
    struct ops *ops, const struct machine_spec *spec, struct vmm_choice *choice, struct error *err);
/* Programs and accelerator as configured, and what is known of this host; borrowed. */
void ops_vm_fill_programs(const struct ops *ops, struct machine_boot *boot);
/* What its VMM cannot do is refused before a record is made; ERROR_UNSUPPORTED. */
bool ops_vm_check_vmm(struct ops *ops, const struct machine_spec *spec, struct error *err);
/* In words, for `vm run`; caller frees. */
char *ops_vm_why(struct ops *ops, const struct machine_spec *spec);
/* Before a boot: *choice is the decision that the start follows, *kernel_path becomes one that the VMM
 * starts; what it lacks goes to hand->warning. */
bool ops_vm_suit_vmm(struct ops *ops, struct vm_hand *hand, char **kernel_path,
    struct vmm_choice *choice, struct error *err);

/* ops_vm_check.c: what can be known before a promise is made. Memory that this host does not have is
 * refused with `code`; memory it has but not free is told in the log and, when *warning is not NULL,
 * there (caller frees). */
bool ops_vm_check_host(struct ops *ops, const struct machine_spec *spec, enum error_code code,
    char **warning, struct error *err);

/* ops_vm_ports.c: that each host port the machine publishes can be had now: ERROR_IN_USE with the
 * machine that has it, or the reasons of net_check_ports. */
bool ops_vm_check_ports(struct ops *ops, const struct machine_spec *spec, struct error *err);

/* Finds the kernel it boots (pulled where it is absent) in *kernel, which is the caller's in any case,
 * and refuses one that it cannot boot, with `next` as the end of the sentence: ERROR_UNSUPPORTED,
 * ERROR_FORMAT. image: for a spec without kernel_ref only. *verdict as of ops_preflight_require. */
bool ops_vm_check_kernel(struct ops *ops, const struct machine_spec *spec,
    const struct image_entry *image, const char *next, struct boot_kernel *kernel,
    struct json **verdict, struct error *err);
/* The same for a machine that is here, before its start or a plan of one. image is zeroed before; the
 * caller calls image_entry_done. */
bool ops_vm_check_boot(struct ops *ops, const struct vm_hand *hand, struct image_entry *image,
    struct boot_kernel *kernel, struct json **verdict, struct error *err);
/* A machine that stood still gets this host's time; a warning in the log when that fails. cancel:
 * NULL for one that goes on after a cancel. */
void ops_vm_set_clock(struct ops *ops, const struct vm_hand *hand, const struct cancel *cancel);
/* --ssh-key, as an absolute path; NULL for our own key. */
bool ops_vm_take_key(const char *path, struct machine_spec *spec, struct error *err);
/* The words of --publish, behind the ports it has. */
bool ops_vm_take_ports(const struct strings *words, struct machine_spec *spec, struct error *err);
/* ops_vm_env.c: the lines of --env-file; a name that was there before gets the new value. */
bool ops_vm_take_env(struct ops *ops, struct machine_program *program, struct error *err);
/* ops_vm_mounts.c: the command's --volume and --disk, with paths as they are now. */
bool ops_vm_take_mounts(struct ops *ops, struct machine_spec *spec, struct error *err);
/* They are there, and may be read and written as is wanted. */
bool ops_vm_check_mounts(struct ops *ops, const struct machine_spec *spec, struct error *err);
/* The kernel can share directories, when the machine has any; `next` as above. */
bool ops_vm_check_sharing(struct ops *ops, const struct machine_spec *spec,
    const struct boot_kernel *kernel, const char *next, struct error *err);
/* The further disks that are its own, empty; those before first are there. */
bool ops_vm_make_disks(int dir, const struct machine_spec *spec, size_t first, struct error *err);
/* The machine's uuid as bytes. */
void ops_vm_uuid_bytes(const struct machine_spec *spec, uint8_t bytes[16]);
/* What the guest mounts, as facts of its initrd. */
void ops_vm_describe_mounts(const struct machine_spec *spec, struct text *facts);

/* Makes the machine's record and disk from the command's words. On success *name is the new name
 * (caller frees). */
bool ops_vm_make(struct ops *ops, char **name, struct error *err);
/* What making (and starting) one would do; *plan is the caller's. Refuses what would be refused as
 * far as that is known without fetching anything. */
bool ops_vm_plan(struct ops *ops, struct json **plan, struct error *err);
/* Starts a taken machine that does not run; on return its VMM runs. */
bool ops_vm_boot(struct ops *ops, struct vm_hand *hand, struct error *err);
/* Waits for the agent with the command's timeout or the default of its accelerator. */
bool ops_vm_await_ready(struct ops *ops, const char *name, int dir,
    const struct machine_handle *handle, struct machine_timeline *timeline, struct error *err);
/* Boots a taken machine and, unless --detach is given, waits for its guest; gives lock and
 * reservation back once it runs. */
bool ops_vm_start_taken(
    struct ops *ops, struct vm_hand *hand, struct json **result, struct error *err);
/* Reads a machine that runs and waits until its agent answers, for verbs that reach into the guest. */
bool ops_vm_reach(struct ops *ops, const char *name, struct vm_hand *hand, struct error *err);
/* What a command in the guest says on its stdout, up to its first NUL: argv, who and where, and the
 * deadline are the spec's. One that says more than max_bytes fails: a guest which lies cannot make
 * us grow. *exit_status as of agent_exec. */
bool ops_vm_ask_guest(struct ops *ops, int dir, struct agent_exec_spec spec, size_t max_bytes,
    struct text *said, int *exit_status, struct error *err);
/* Writes vm.json; was: the name it had, while it is renamed, else NULL. */
bool ops_vm_write_spec(const struct vm_hand *hand, const char *was, struct error *err);
/* ops_vm_autostart.c: writes the unit that starts it with the host, or takes it away, as the spec
 * says. */
bool ops_vm_autostart(struct ops *ops, const struct machine_spec *spec, struct error *err);
/* Stops (or, without grace, kills) and removes a taken machine. */
bool ops_vm_discard(struct ops *ops, struct vm_hand *hand, struct error *err);
/* What crashes left behind: machines without a monitor get one, ends that nobody saw are written
 * down, and machines of `run --rm` whose run is not there to remove them any more are removed. */
void ops_vm_sweep(struct ops *ops);
/* Runs a command in the guest with the command's descriptors; argv NULL: a shell. */
bool ops_vm_attach_exec(struct ops *ops, int dir, const char *const *argv, bool is_tty,
    struct json **result, struct error *err);
