/* SPDX-License-Identifier: MIT */
#include "vm/kernel_needs.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum weight {
    VITAL,   /* without it no guest comes up */
    OVERLAY, /* vital when the root is an overlay, else a note */
    NOTE,    /* without it something does not work */
};

struct need {
    const char *option; /* without CONFIG_; "A|B": one of them */
    const char *module; /* NULL: it cannot be one */
    enum weight weight;
    const char *without; /* what happens then, as the end of a sentence */
};

/* Of the program that is /init, on whatever VMM. */
static const struct need guest_needs[] = {
    {"BLK_DEV_INITRD", NULL, VITAL, "the initrd that mounts the root is not unpacked"},
    {"BINFMT_ELF", NULL, VITAL, "no program starts"},
    {"DEVTMPFS", NULL, VITAL, "no disk can be opened"},
    {"VIRTIO_MMIO", "virtio_mmio", VITAL, "the guest finds none of its devices"},
    {"VIRTIO_BLK", "virtio_blk", VITAL, "the guest sees no disk"},
    {"EXT4_FS", "ext4", VITAL, "no disk can be mounted"},
    {"OVERLAY_FS", "overlay", OVERLAY,
        "a root of its own over the image cannot be made; --root copy works without"},
    {"SERIAL_8250_CONSOLE", NULL, NOTE, "nothing is written to the log and the console is dead"},
    {"HW_RANDOM_VIRTIO", "virtio_rng", NOTE,
        "programs that want random numbers may wait for some seconds"},
    {NULL, NULL, NOTE, NULL},
};

/* -M microvm,acpi=on, all devices behind virtio-mmio: vmm_qemu.c. */
static const struct need qemu_needs[] = {
    {"ACPI", NULL, VITAL, "the guest finds none of its devices"},
    {"VIRTIO_CONSOLE", "virtio_console", NOTE,
        "the agent cannot answer: no exec, shell, copy or orderly stop, and only `-d` returns"},
    {"VIRTIO_NET", "virtio_net", NOTE, "the guest has no network"},
    {NULL, NULL, NOTE, NULL},
};

/* Devices by ACPI from 1.8 on, by the command line before; the agent over vsock:
 * vmm_firecracker.c. */
static const struct need firecracker_needs[] = {
    {"ACPI|VIRTIO_MMIO_CMDLINE_DEVICES", NULL, VITAL, "the guest finds none of its devices"},
    {"VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport", NOTE,
        "the agent cannot answer: no exec, shell, copy or orderly stop, and only `-d` returns"},
    {"SERIO_I8042", "i8042", NOTE, "ctrl-alt-del does not stop it"},
    {"KEYBOARD_ATKBD", "atkbd", NOTE, "ctrl-alt-del does not stop it"},
    {NULL, NULL, NOTE, NULL},
};

static const struct vmm_needs {
    const char *vmm;
    const struct need *needs;
    bool is_pvh_vital; /* for ELF kernels; without it Firecracker uses the 64-bit entry */
    /* QEMU's microvm has no timer to measure the time stamp counter with; tsc_early_khz, which says
     * its rate in software emulation, came with Linux 5.8. 0: any. */
    unsigned emulated_major, emulated_minor;
} tables[] = {
    {"qemu", qemu_needs, true, 5, 8},
    {"firecracker", firecracker_needs, false, 0, 0},
};

const char *const kernel_vmms[] = {"qemu", "firecracker", NULL};

void kernel_judgement_done(struct kernel_judgement *judgement)
{
    strings_done(&judgement->missing);
    strings_done(&judgement->unknown);
    strings_done(&judgement->notes);
    free(judgement->why);
    *judgement = (struct kernel_judgement){0};
}

const char *kernel_verdict_name(enum kernel_verdict verdict)
{
    static const char *const names[] = {"ok", "refused", "unknown"};
    return names[verdict];
}

/* One kernel under one table. */
struct trial {
    const struct kernel_traits *traits;
    const struct kernel_setting *setting;
    struct kernel_judgement *judgement;
};

/* Takes why over; the first reason is the one that is told. */
static void miss(struct trial *trial, const char *what, char *why)
{
    struct kernel_judgement *judgement = trial->judgement;
    strings_add(&judgement->missing, what);
    if (judgement->why == NULL) {
        judgement->why = why;
        return;
    }
    strings_add(&judgement->notes, why);
    free(why);
}

/* The best of the alternatives; *option names them all and is the caller's. */
static enum kernel_has look_any(
    const struct kernel_traits *traits, const struct need *need, char **option)
{
    auto_done(strings) struct strings words = {0};
    strings_split(&words, need->option, "|");
    static const int ranks[] = {
        [KERNEL_HAS_OFF] = 0, [KERNEL_HAS_ABSENT] = 1, [KERNEL_HAS_UNKNOWN] = 2, [KERNEL_HAS] = 3};
    enum kernel_has best = KERNEL_HAS_OFF;
    for (size_t i = 0; i < words.count; i++) {
        enum kernel_has has = traits->look(traits->context, words.items[i], need->module);
        best = ranks[has] > ranks[best] ? has : best;
    }
    auto_free char *all = strings_join(&words, " or CONFIG_");
    *option = memory_printf("CONFIG_%s", all);
    return best;
}

static void try_need(struct trial *trial, const struct need *need)
{
    auto_free char *option = NULL;
    enum kernel_has has = look_any(trial->traits, need, &option);
    bool is_vital =
        need->weight == VITAL || (need->weight == OVERLAY && trial->setting->is_overlay);
    if (has == KERNEL_HAS) {
        return;
    }
    if (has == KERNEL_HAS_UNKNOWN) {
        if (is_vital) {
            strings_add(&trial->judgement->unknown, option);
        }
        return;
    }
    auto_free char *fact =
        has == KERNEL_HAS_OFF || need->module == NULL
            ? memory_printf("it is built without %s", option)
            : memory_printf("%s is a module (%s) that the initrd made for it would not hold",
                  option, need->module);
    char *sentence = memory_printf("%s, so %s", fact, need->without);
    if (is_vital) {
        miss(trial, option, sentence);
    } else {
        strings_add(&trial->judgement->notes, sentence);
        free(sentence);
    }
}

static void try_list(struct trial *trial, const struct need *needs)
{
    for (const struct need *need = needs; need->option != NULL; need++) {
        try_need(trial, need);
    }
}

/* What the file itself says. */
static void try_file(struct trial *trial, const struct vmm_needs *table)
{
    const struct kernel_traits *traits = trial->traits;
    if (traits->format == NULL) {
        strings_add(&trial->judgement->unknown, "format");
    } else if (traits->format[0] == '\0') {
        miss(trial, "format", memory_strdup("it is neither an uncompressed vmlinux nor a bzImage"));
    }
    if (traits->arch != NULL && strcmp(traits->arch, "x86_64") != 0 &&
        strcmp(traits->arch, "amd64") != 0) {
        miss(trial, "arch",
            memory_printf("it is built for %s, and machines here are x86_64", traits->arch));
    }
    bool is_elf = traits->format != NULL && strcmp(traits->format, "elf") == 0;
    if (is_elf && table->is_pvh_vital && traits->pvh == KERNEL_HAS_OFF) {
        miss(trial, "PVH",
            memory_strdup("it is an uncompressed vmlinux without an entry for VMMs "
                          "(CONFIG_PVH); its bzImage would do"));
    }
}

static void try_version(struct trial *trial, const struct vmm_needs *table)
{
    unsigned major, minor;
    const char *version = trial->traits->version;
    if (!trial->setting->is_emulated || table->emulated_major == 0 || version == NULL ||
        sscanf(version, "%u.%u", &major, &minor) != 2) {
        return;
    }
    if (major < table->emulated_major ||
        (major == table->emulated_major && minor < table->emulated_minor)) {
        miss(trial, "version",
            memory_printf("it is Linux %u.%u, and without KVM one before %u.%u finds no clock and "
                          "hangs",
                major, minor, table->emulated_major, table->emulated_minor));
    }
}

void kernel_judge(const struct kernel_traits *traits, const struct kernel_setting *setting,
    struct kernel_judgement *judgement)
{
    struct trial trial = {.traits = traits, .setting = setting, .judgement = judgement};
    for (size_t i = 0; i < array_length(tables); i++) {
        if (strcmp(tables[i].vmm, setting->vmm) == 0) {
            try_file(&trial, &tables[i]);
            try_version(&trial, &tables[i]);
            try_list(&trial, tables[i].needs);
            try_list(&trial, guest_needs);
        }
    }
    if (judgement->unknown.count > 0) {
        strings_printf(&judgement->notes, "%zu things that a guest needs are not known of it",
            judgement->unknown.count);
    }
    judgement->verdict = judgement->missing.count > 0   ? KERNEL_REFUSED
                         : judgement->unknown.count > 0 ? KERNEL_UNKNOWN
                                                        : KERNEL_OK;
}
