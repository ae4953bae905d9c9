/* SPDX-License-Identifier: MIT */
/* Runs a program and does something to it at one of its system calls.
 *
 *     at_call [--calls NAME,NAME] [--log FILE] [--kill N] [--pause]
 *             [--fail N --error NUMBER|short [--times N]] [--chance N --seed N]
 *             DIR PROGRAM [WORD...]
 *
 * Calls that name a file below DIR, by path or by descriptor, are counted over all threads and child
 * processes together, from 1, in the order in which they begin (strace's injection counts for each
 * thread alone, so a worker's call hides behind one of the main thread). --log writes one line per
 * counted call: number, thread, name, path, further path or flags, with tabs between them. --kill
 * kills the process that makes the N-th call with SIGKILL before it is carried out. --fail lets it
 * fail with an errno instead, or ("short") transfer half of what was asked, as do the following
 * --times - 1 calls. With --chance each call fails once in so many times, by that seed, with what
 * a disk or a limit may answer to it. --pause writes each line to stdout before the call is
 * carried out and waits for a byte on stdin; the program's own stdin is empty then and its stdout
 * is stderr. The exit status is the program's own, 128 + N when it was killed by signal N, 77
 * where this cannot be done.
 */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

#include <stdio.h>

#if defined(__x86_64__)
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a call says what it is about. */
enum shape { SHAPE_FD, SHAPE_THIRD_FD, SHAPE_AT, SHAPE_TWO_AT, SHAPE_PATH };

static const struct call {
    unsigned number;
    const char *name;
    enum shape shape;
    int length; /* the argument that counts bytes, or -1 */
} calls[] = {
    {SYS_read, "read", SHAPE_FD, 2},
    {SYS_pread64, "pread64", SHAPE_FD, 2},
    {SYS_write, "write", SHAPE_FD, 2},
    {SYS_pwrite64, "pwrite64", SHAPE_FD, 2},
    {SYS_writev, "writev", SHAPE_FD, -1},
    {SYS_copy_file_range, "copy_file_range", SHAPE_THIRD_FD, 4},
    {SYS_ioctl, "ioctl", SHAPE_FD, -1},
    {SYS_close, "close", SHAPE_FD, -1},
    {SYS_fstat, "fstat", SHAPE_FD, -1},
    {SYS_newfstatat, "newfstatat", SHAPE_AT, -1},
    {SYS_fstatfs, "fstatfs", SHAPE_FD, -1},
    {SYS_lseek, "lseek", SHAPE_FD, -1},
    {SYS_getdents64, "getdents64", SHAPE_FD, -1},
    {SYS_open, "open", SHAPE_PATH, -1},
    {SYS_openat, "openat", SHAPE_AT, -1},
    {SYS_openat2, "openat2", SHAPE_AT, -1},
    {SYS_mkdir, "mkdir", SHAPE_PATH, -1},
    {SYS_mkdirat, "mkdirat", SHAPE_AT, -1},
    {SYS_ftruncate, "ftruncate", SHAPE_FD, -1},
    {SYS_fallocate, "fallocate", SHAPE_FD, -1},
    {SYS_fsync, "fsync", SHAPE_FD, -1},
    {SYS_fdatasync, "fdatasync", SHAPE_FD, -1},
    {SYS_syncfs, "syncfs", SHAPE_FD, -1},
    {SYS_flock, "flock", SHAPE_FD, -1},
    {SYS_rename, "rename", SHAPE_PATH, -1},
    {SYS_renameat, "renameat", SHAPE_TWO_AT, -1},
    {SYS_renameat2, "renameat2", SHAPE_TWO_AT, -1},
    {SYS_linkat, "linkat", SHAPE_TWO_AT, -1},
    {SYS_symlinkat, "symlinkat", SHAPE_THIRD_FD, -1},
    {SYS_unlink, "unlink", SHAPE_PATH, -1},
    {SYS_unlinkat, "unlinkat", SHAPE_AT, -1},
    {SYS_fchmod, "fchmod", SHAPE_FD, -1},
    {SYS_fchmodat, "fchmodat", SHAPE_AT, -1},
    {SYS_utimensat, "utimensat", SHAPE_AT, -1},
    {SYS_fsetxattr, "fsetxattr", SHAPE_FD, -1},
};

struct plan {
    const char *under;
    const char *names; /* the calls that count, or NULL for all */
    FILE *log;
    uint64_t kill, fail, times, chance, seed;
    int error; /* 0: short */
    bool is_pausing;
};

struct counted {
    const struct call *call;
    char path[1024], more[1024];
};

static bool is_wanted(const struct plan *plan, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = plan->names; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
            return true;
        }
    }
    return plan->names == NULL;
}

/* Every call of the table stops for us, all others run undisturbed. */
static bool install_filter(const struct plan *plan)
{
    struct sock_filter code[3 + 2 * array_length(calls) + 1];
    size_t count = 0;
    code[count++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < array_length(calls); i++) {
        if (is_wanted(plan, calls[i].name)) {
            code[count++] =
                (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
            code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
        }
    }
    code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static unsigned long long argument(const struct user_regs_struct *regs, int index)
{
    const unsigned long long values[] = {
        regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    return values[index];
}

/* A string in the program's memory, page by page as far as it can be read. */
static void read_text(pid_t thread, unsigned long long address, char *text, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && memchr(text, '\0', len) == NULL) {
        size_t step = 4096 - (size_t)((address + len) % 4096);
        step = step < size - 1 - len ? step : size - 1 - len;
        struct iovec ours = {text + len, step};
        struct iovec theirs = {(void *)(uintptr_t)(address + len), step};
        ssize_t got = process_vm_readv(thread, &ours, 1, &theirs, 1, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    text[len] = '\0';
}

static void path_of_fd(pid_t thread, int fd, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof(link), fd == AT_FDCWD ? "/proc/%d/cwd" : "/proc/%d/fd/%d", thread, fd);
    ssize_t len = readlink(link, path, size - 1);
    path[len > 0 ? len : 0] = '\0';
}

static void path_at(
    pid_t thread, const struct user_regs_struct *regs, int first, char *path, size_t size)
{
    char name[512] = "";
    read_text(thread, argument(regs, first + 1), name, sizeof(name));
    if (name[0] == '/') {
        snprintf(path, size, "%s", name);
        return;
    }
    path_of_fd(thread, (int)argument(regs, first), path, size - sizeof(name) - 1);
    if (name[0] != '\0') {
        size_t len = strlen(path);
        snprintf(path + len, size - len, "/%s", name);
    }
}

/* What the call is about; false when that is not below the directory. */
static bool look(const struct plan *plan, pid_t thread, const struct user_regs_struct *regs,
    struct counted *counted)
{
    counted->call = NULL;
    counted->path[0] = counted->more[0] = '\0';
    for (size_t i = 0; i < array_length(calls); i++) {
        if (calls[i].number == regs->orig_rax) {
            counted->call = &calls[i];
        }
    }
    if (counted->call == NULL) {
        return false;
    }
    switch (counted->call->shape) {
    case SHAPE_FD:
        path_of_fd(thread, (int)argument(regs, 0), counted->path, sizeof(counted->path));
        break;
    case SHAPE_THIRD_FD:
        path_of_fd(thread, (int)argument(regs, counted->call->number == SYS_symlinkat ? 1 : 2),
            counted->path, sizeof(counted->path));
        break;
    case SHAPE_TWO_AT:
        path_at(thread, regs, 2, counted->more, sizeof(counted->more));
        path_at(thread, regs, 0, counted->path, sizeof(counted->path));
        break;
    case SHAPE_AT:
        path_at(thread, regs, 0, counted->path, sizeof(counted->path));
        break;
    case SHAPE_PATH:
        read_text(thread, argument(regs, 0), counted->path, sizeof(counted->path));
        break;
    }
    unsigned long long flags = argument(regs, 2);
    if (counted->call->number == SYS_openat2) {
        struct iovec ours = {&flags, sizeof(flags)};
        struct iovec theirs = {(void *)(uintptr_t)argument(regs, 2), sizeof(flags)};
        flags = process_vm_readv(thread, &ours, 1, &theirs, 1, 0) > 0 ? flags : 0;
    }
    if (text_has_prefix(counted->call->name, "openat") && (flags & O_CREAT) != 0) {
        snprintf(counted->more, sizeof(counted->more), "create");
    }
    return text_has_prefix(counted->path, plan->under);
}

static void set_result(pid_t thread, struct user_regs_struct *regs, int error)
{
    regs->orig_rax = (unsigned long long)-1;
    regs->rax = (unsigned long long)-error;
    ptrace(PTRACE_SETREGS, thread, NULL, regs);
}

static void halve(pid_t thread, struct user_regs_struct *regs, int index)
{
    unsigned long long *values[] = {
        &regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9};
    if (index >= 0 && *values[index] > 1) {
        *values[index] /= 2;
        ptrace(PTRACE_SETREGS, thread, NULL, regs);
    }
}

static uint32_t draw(struct plan *plan, uint32_t below)
{
    plan->seed = plan->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(plan->seed >> 33) % below;
}

/* What a disk or a limit answers to such a call. A close has let go whatever it says. */
static void fail_by_chance(
    struct plan *plan, pid_t thread, struct user_regs_struct *regs, const struct call *call)
{
    static const int errors[] = {EIO, ENOSPC, EMFILE, EACCES, EROFS, EINTR, ESTALE};
    if (draw(plan, (uint32_t)plan->chance) != 0 || call->number == SYS_close) {
        return;
    }
    if (call->length >= 0 && draw(plan, 2) == 0) {
        halve(thread, regs, call->length);
    } else {
        set_result(thread, regs, errors[draw(plan, array_length(errors))]);
    }
}

/* The program is about to make a call of the table. */
static void on_call(struct plan *plan, pid_t thread, uint64_t *count)
{
    struct user_regs_struct regs;
    struct counted counted;
    if (ptrace(PTRACE_GETREGS, thread, NULL, &regs) != 0 || !look(plan, thread, &regs, &counted)) {
        return;
    }
    uint64_t number = ++*count;
    if (plan->log) {
        fprintf(plan->log, "%llu\t%d\t%s\t%s\t%s\n", (unsigned long long)number, thread,
            counted.call->name, counted.path, counted.more);
        fflush(plan->log);
    }
    if (plan->is_pausing) {
        char byte;
        while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
        }
    }
    if (number == plan->kill) {
        kill(thread, SIGKILL); /* a thread's number serves for its process */
    } else if (plan->fail && number >= plan->fail && number - plan->fail < plan->times) {
        if (plan->error) {
            set_result(thread, &regs, plan->error);
        } else {
            halve(thread, &regs, counted.call->length);
        }
    } else if (plan->chance > 0) {
        fail_by_chance(plan, thread, &regs, counted.call);
    }
}

static int trace(struct plan *plan, pid_t program)
{
    int result = 0;
    uint64_t count = 0;
    for (;;) {
        int status;
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno == EINTR) {
            continue;
        }
        if (thread < 0) {
            return result;
        }
        if (!WIFSTOPPED(status)) {
            if (thread == program) {
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                if (plan->chance > 0) {
                    return result; /* what it left behind ends with us */
                }
            }
            continue;
        }
        int event = status >> 16;
        int number = event == 0 ? WSTOPSIG(status) : 0;
        if (event == PTRACE_EVENT_SECCOMP) {
            on_call(plan, thread, &count);
        }
        ptrace(PTRACE_CONT, thread, NULL, (void *)(uintptr_t)number);
    }
}

static int run(struct plan *plan, char **words)
{
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) != 0) {
        return 77;
    }
    pid_t program = fork();
    if (program == 0) {
        char byte;
        close(gate[1]);
        if (plan->is_pausing) {
            int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
            dup2(nothing, STDIN_FILENO);
            dup2(STDERR_FILENO, STDOUT_FILENO);
        }
        if (read(gate[0], &byte, 1) == 1 && install_filter(plan)) {
            execv(words[0], words);
        }
        _exit(77);
    }
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    if (program < 0 || ptrace(PTRACE_SEIZE, program, NULL, (void *)options) != 0 ||
        write(gate[1], "", 1) != 1) {
        return 77;
    }
    close(gate[0]);
    close(gate[1]);
    return trace(plan, program);
}

static bool parse(int argc, char **argv, struct plan *plan, int *at)
{
    struct error err = {0};
    for (*at = 1; *at < argc && text_has_prefix(argv[*at], "--"); (*at)++) {
        const char *word = argv[*at] + 2;
        if (strcmp(word, "pause") == 0) {
            plan->is_pausing = true;
            plan->log = stdout;
            continue;
        }
        const char *value = argv[++*at];
        bool is_fine = value != NULL;
        if (is_fine && strcmp(word, "calls") == 0) {
            plan->names = value;
        } else if (is_fine && strcmp(word, "log") == 0) {
            plan->log = fopen(value, "we");
            is_fine = plan->log != NULL;
        } else if (is_fine && strcmp(word, "kill") == 0) {
            is_fine = units_parse_number(value, word, UINT64_MAX, &plan->kill, &err);
        } else if (is_fine && strcmp(word, "fail") == 0) {
            is_fine = units_parse_number(value, word, UINT64_MAX, &plan->fail, &err);
        } else if (is_fine && strcmp(word, "times") == 0) {
            is_fine = units_parse_number(value, word, UINT64_MAX, &plan->times, &err);
        } else if (is_fine && strcmp(word, "chance") == 0) {
            is_fine = units_parse_number(value, word, UINT32_MAX, &plan->chance, &err);
        } else if (is_fine && strcmp(word, "seed") == 0) {
            is_fine = units_parse_number(value, word, UINT64_MAX, &plan->seed, &err);
        } else if (is_fine && strcmp(word, "error") == 0) {
            uint64_t number = 0;
            is_fine =
                strcmp(value, "short") == 0 || units_parse_number(value, word, 4095, &number, &err);
            plan->error = (int)number;
        } else {
            is_fine = false;
        }
        if (!is_fine) {
            return false;
        }
    }
    return *at + 2 <= argc;
}

int main(int argc, char **argv)
{
    struct plan plan = {.times = 1};
    int at;
    if (!parse(argc, argv, &plan, &at)) {
        fputs("usage: at_call [OPTIONS] DIR PROGRAM [WORD...]\n", stderr);
        return 64;
    }
    plan.under = argv[at];
    return run(&plan, argv + at + 1);
}
#else
int main(void)
{
    fputs("at_call knows the registers of x86-64 only\n", stderr);
    return 77;
}
#endif
