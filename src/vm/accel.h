/* SPDX-License-Identifier: MIT */
#pragma once

/* KVM or software emulation, and why. /dev/kvm that opens proves nothing: on some hosts it makes
 * machines in which a stock kernel spins for ever, so on x86 `auto` also asks for the svm or vmx
 * flag of the CPU (VM design notes, "KVM that is not real"). Any thread. */

#include <stdbool.h>
#include <stdint.h>

struct error;

enum accel_kind { ACCEL_KVM, ACCEL_TCG };

struct accel_choice {
    enum accel_kind kind;
    bool is_forced; /* the operator said so */
    char why[200];  /* one sentence for `host doctor` and `vm show` */
};

/* What this host says; a value so that tests can make one up. */
struct accel_host {
    bool has_kvm_device; /* /dev/kvm exists */
    bool can_open_kvm;   /* and we may open it read-write */
    bool has_virt_flag;  /* svm or vmx in /proc/cpuinfo; true where the question makes no sense */
    const char *kvm_trouble; /* strerror of the open that failed; "" else */
};

void accel_probe_host(struct accel_host *host);
/* mode: "auto", "kvm", "tcg" (NULL is auto). Forced kvm without a usable device is
 * ERROR_UNSUPPORTED; an unknown word ERROR_INVALID. */
bool accel_decide(const char *mode, const struct accel_host *host, struct accel_choice *choice,
    struct error *err);
/* accel_probe_host and accel_decide. */
bool accel_choose(const char *mode, struct accel_choice *choice, struct error *err);
/* "kvm" or "tcg". */
const char *accel_name(enum accel_kind kind);

/* Rate of this CPU's time stamp counter in kHz, timed against CLOCK_MONOTONIC for some 20 ms; under
 * TCG the guest reads this very counter and cannot calibrate it on a microvm. 0 where there is
 * none. */
uint64_t accel_tsc_khz(void);
/* The same between two moments, without a pause of its own when they are far enough apart. */
struct accel_tsc {
    uint64_t ticks, ns;
};
void accel_tsc_begin(struct accel_tsc *begin);
uint64_t accel_tsc_since(const struct accel_tsc *begin);
