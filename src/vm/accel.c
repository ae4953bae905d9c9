/* SPDX-License-Identifier: MIT */
#include "vm/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/error.h"
#include "base/memory.h"

#define KVM_DEVICE "/dev/kvm"
#define CPUINFO "/proc/cpuinfo"
#define TSC_MEASURE_NS 20000000ULL
#define TSC_MEASURE_MAX_NS 10000000000ULL /* longer ago, the host may have slept in between */

const char *accel_name(enum accel_kind kind)
{
    switch (kind) {
    case ACCEL_KVM:
        return "kvm";
    case ACCEL_TCG:
        return "tcg";
    }
    return "?";
}

#if defined(__x86_64__)
/* The "flags" lines of all CPUs are alike: the first one decides. */
static bool cpu_has_virtualisation(void)
{
    FILE *file = fopen(CPUINFO, "re");
    if (file == NULL) {
        return false;
    }
    bool has_flag = false;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) > 0) {
        if (strncmp(line, "flags", 5) != 0) {
            continue;
        }
        char *rest = NULL;
        for (char *word = strtok_r(line, " \t\n", &rest); word != NULL && !has_flag;
             word = strtok_r(NULL, " \t\n", &rest)) {
            has_flag = strcmp(word, "svm") == 0 || strcmp(word, "vmx") == 0;
        }
        break;
    }
    free(line);
    fclose(file);
    return has_flag;
}
#else
static bool cpu_has_virtualisation(void)
{
    return true;
}
#endif

void accel_probe_host(struct accel_host *host)
{
    *host = (struct accel_host){.kvm_trouble = "", .has_virt_flag = cpu_has_virtualisation()};
    auto_close int fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC | O_NOCTTY);
    host->can_open_kvm = fd >= 0;
    host->has_kvm_device = fd >= 0 || errno != ENOENT;
    if (fd < 0) {
        host->kvm_trouble = errno == EACCES ? "permission denied" : "it cannot be opened";
    }
}

static bool decide_forced_kvm(
    const struct accel_host *host, struct accel_choice *choice, struct error *err)
{
    if (!host->has_kvm_device) {
        return error_set(err, ERROR_UNSUPPORTED,
            "KVM was asked for but this host has no " KVM_DEVICE ": use --accel tcg");
    }
    if (!host->can_open_kvm) {
        return error_set(err, ERROR_UNSUPPORTED,
            "KVM was asked for but " KVM_DEVICE " cannot be used (%s): join the group that owns "
            "it, or use --accel tcg",
            host->kvm_trouble);
    }
    *choice = (struct accel_choice){.kind = ACCEL_KVM, .is_forced = true};
    snprintf(choice->why, sizeof(choice->why), "KVM because it was asked for%s",
        host->has_virt_flag ? "" : ", although the CPU shows neither svm nor vmx");
    return true;
}

static void decide_auto(const struct accel_host *host, struct accel_choice *choice)
{
    *choice = (struct accel_choice){.kind = ACCEL_TCG};
    char *why = choice->why;
    size_t size = sizeof(choice->why);
    if (!host->has_kvm_device) {
        snprintf(why, size, "software emulation because this host has no " KVM_DEVICE);
    } else if (!host->can_open_kvm) {
        snprintf(why, size, "software emulation because " KVM_DEVICE " cannot be used (%s)",
            host->kvm_trouble);
    } else if (!host->has_virt_flag) {
        snprintf(why, size,
            "software emulation because " KVM_DEVICE
            " opens but the CPU shows neither svm nor vmx, so it may not be real");
    } else {
        choice->kind = ACCEL_KVM;
        snprintf(why, size, "KVM because " KVM_DEVICE " opens and the CPU supports it");
    }
}

bool accel_decide(
    const char *mode, const struct accel_host *host, struct accel_choice *choice, struct error *err)
{
    if (mode == NULL || strcmp(mode, "auto") == 0) {
        decide_auto(host, choice);
        return true;
    }
    if (strcmp(mode, "tcg") == 0) {
        *choice = (struct accel_choice){.kind = ACCEL_TCG, .is_forced = true};
        snprintf(choice->why, sizeof(choice->why), "software emulation because it was asked for");
        return true;
    }
    if (strcmp(mode, "kvm") == 0) {
        return decide_forced_kvm(host, choice, err);
    }
    return error_set(
        err, ERROR_INVALID, "accelerator %s is none of \"auto\", \"kvm\", \"tcg\"", mode);
}

bool accel_choose(const char *mode, struct accel_choice *choice, struct error *err)
{
    struct accel_host host;
    accel_probe_host(&host);
    return accel_decide(mode, &host, choice, err);
}

#if defined(__x86_64__)
static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* The counter and the clock read as close together as a busy host allows: of several tries the one
 * with the least time between two reads of the clock. */
void accel_tsc_begin(struct accel_tsc *begin)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 8; i++) {
        uint64_t before = monotonic_ns();
        uint64_t counter = __rdtsc();
        uint64_t after = monotonic_ns();
        if (after - before < best) {
            best = after - before;
            begin->ticks = counter;
            begin->ns = before + (after - before) / 2;
        }
    }
}

uint64_t accel_tsc_since(const struct accel_tsc *begin)
{
    struct accel_tsc first = *begin;
    struct accel_tsc last;
    accel_tsc_begin(&last);
    if (last.ns - first.ns > TSC_MEASURE_MAX_NS) {
        first = last;
    }
    if (last.ns - first.ns < TSC_MEASURE_NS) {
        struct timespec pause = {.tv_nsec = (long)(TSC_MEASURE_NS - (last.ns - first.ns))};
        nanosleep(&pause, NULL);
        accel_tsc_begin(&last);
    }
    if (last.ticks <= first.ticks || last.ns <= first.ns) {
        return 0;
    }
    /* ticks / ns = GHz, times a million = kHz; ten seconds of ticks times a million fit 64 bits. */
    return (last.ticks - first.ticks) * 1000000ULL / (last.ns - first.ns);
}
#else
void accel_tsc_begin(struct accel_tsc *begin)
{
    *begin = (struct accel_tsc){0};
}

uint64_t accel_tsc_since(const struct accel_tsc *begin)
{
    (void)begin;
    return 0;
}
#endif

uint64_t accel_tsc_khz(void)
{
    struct accel_tsc begin;
    accel_tsc_begin(&begin);
    return accel_tsc_since(&begin);
}
