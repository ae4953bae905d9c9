/* SPDX-License-Identifier: MIT */
#include "artifact/confine.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include "base/error.h"
#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* Newer than the headers of Debian 12; see landlock(7). */
#define ACCESS_REFER (1ULL << 13)
#define ACCESS_TRUNCATE (1ULL << 14)
#define ACCESS_NET_BIND_TCP (1ULL << 0)
#define ACCESS_NET_CONNECT_TCP (1ULL << 1)

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH 0
#endif

/* `grace` is what the hard limit is above the soft one. */
static bool set_limit(int resource, uint64_t value, uint64_t grace, struct error *err)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) {
        return error_set_errno(err, errno, "cannot read a resource limit");
    }
    if (limit.rlim_max != RLIM_INFINITY && value > limit.rlim_max) {
        value = limit.rlim_max;
    }
    if (limit.rlim_max == RLIM_INFINITY || value + grace < limit.rlim_max) {
        limit.rlim_max = value + grace;
    }
    limit.rlim_cur = value;
    return setrlimit((__rlimit_resource_t)resource, &limit) == 0 ||
           error_set_errno(err, errno, "cannot set a resource limit");
}

static bool set_limits(const struct confine *confine, struct error *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGXFSZ, &ignore, NULL); /* a file too large is an error of write(2) then */
    /* A sanitizer maps terabytes that it never touches. */
    return (HAS_SANITIZER || set_limit(RLIMIT_AS, confine->memory_bytes, 0, err)) &&
           set_limit(RLIMIT_FSIZE, confine->file_bytes, 0, err) &&
           set_limit(RLIMIT_CPU, confine->cpu_seconds, 5, err) && /* SIGXCPU, later SIGKILL */
           set_limit(RLIMIT_NOFILE, confine->descriptors, 0, err) &&
           set_limit(RLIMIT_CORE, 0, 0, err);
}

static bool restrict_files(int writable_dir)
{
    struct {
        uint64_t fs, net; /* ABI 4's struct; the headers may know only the first */
    } rules = {
        .fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
              LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
              LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
              LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
              LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
              LANDLOCK_ACCESS_FS_MAKE_SYM,
    };
    struct landlock_path_beneath_attr staging = {
        .allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                          LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM,
        .parent_fd = writable_dir,
    };
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return false;
    }
    if (abi >= 2) {
        rules.fs |= ACCESS_REFER;
    }
    if (abi >= 3) {
        rules.fs |= ACCESS_TRUNCATE;
        staging.allowed_access |= ACCESS_TRUNCATE;
    }
    if (abi >= 4) {
        rules.net = ACCESS_NET_BIND_TCP | ACCESS_NET_CONNECT_TCP;
    }
    size_t len = abi >= 4 ? sizeof rules : sizeof rules.fs;
    auto_close int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, len, 0U);
    return ruleset >= 0 &&
           syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &staging, 0U) == 0 &&
           syscall(SYS_landlock_restrict_self, ruleset, 0U) == 0;
}

/* Calls that nothing between reading an archive and writing files needs. */
static const int refused_calls[] = {
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_mount,
    SYS_umount2,
    SYS_unshare,
    SYS_setns,
    SYS_chroot,
    SYS_pivot_root,
    SYS_bpf,
    SYS_keyctl,
    SYS_io_uring_setup,
    SYS_userfaultfd,
    SYS_perf_event_open,
    SYS_kill,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
};

#define CALL_COUNT array_length(refused_calls)

/* x86-64 knows every call a second time, with this bit set (x32). */
#define SECOND_NUMBERS 0x40000000U

#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

/* Flags of clone(2) that have no place in a new thread. */
#define NEW_SPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
        CLONE_NEWNET | CLONE_PTRACE | CLONE_UNTRACED)

/* Refused calls give EPERM; another machine's calling convention ends the process. Threads may be
 * started, processes may not: a thread is as confined as who starts it. */
static bool restrict_calls(void)
{
    if (THIS_ARCH == 0 || HAS_SANITIZER) {
        return false;
    }
    struct sock_filter code[CALL_COUNT + 20] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SECOND_NUMBERS, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, REFUSED),
        /* The newer call hides its flags in memory; without it the C library uses the older one. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, CLONE_THREAD | NEW_SPACES),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLONE_THREAD, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, REFUSED),
    };
    unsigned short at = 14;
    for (size_t i = 0; i < CALL_COUNT; i++) {
        code[at++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refused_calls[i], (uint8_t)(CALL_COUNT - i), 0);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, REFUSED);
    struct sock_fprog program = {.len = at, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool confine_self(const struct confine *confine, struct confine_result *result, struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return error_set_errno(err, errno, "cannot give up new privileges");
    }
    if (!set_limits(confine, err)) {
        return false;
    }
    *result = (struct confine_result){
        .has_landlock = restrict_files(confine->writable_dir),
        .has_seccomp = restrict_calls(),
    };
    return true;
}
