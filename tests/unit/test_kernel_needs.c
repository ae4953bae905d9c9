/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "vm/kernel_needs.h"

/* A kernel that has everything but what `lacking` names, and that in the way of `how`. */
struct kernel {
    const char *lacking; /* NULL: nothing */
    enum kernel_has how;
};

static enum kernel_has look(const void *context, const char *option, const char *module)
{
    const struct kernel *kernel = context;
    (void)module;
    return kernel->lacking != NULL && strcmp(kernel->lacking, option) == 0 ? kernel->how
                                                                           : KERNEL_HAS;
}

/* A good kernel: what a test says otherwise it changes. */
static struct kernel_traits traits_of(const struct kernel *kernel)
{
    return (struct kernel_traits){.format = "bzimage",
        .arch = "x86_64",
        .version = "6.1.0-56-cloud-amd64",
        .look = look,
        .context = kernel};
}

static const struct kernel_setting qemu = {.vmm = "qemu", .is_overlay = true, .is_emulated = true};
static const struct kernel_setting firecracker = {.vmm = "firecracker", .is_overlay = true};

static bool is_among(const struct strings *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strstr(list->items[i], word) != NULL) {
            return true;
        }
    }
    return false;
}

static enum kernel_verdict verdict_of(const struct kernel_setting *setting, const char *lacking,
    enum kernel_has how, struct kernel_judgement *judgement)
{
    struct kernel kernel = {.lacking = lacking, .how = how};
    struct kernel_traits traits = traits_of(&kernel);
    kernel_judge(&traits, setting, judgement);
    return judgement->verdict;
}

static void everything_there_is_well(void **state)
{
    (void)state;
    for (size_t i = 0; kernel_vmms[i] != NULL; i++) {
        auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
        struct kernel_setting setting = {.vmm = kernel_vmms[i], .is_overlay = true};
        assert_int_equal(verdict_of(&setting, NULL, KERNEL_HAS, &judgement), KERNEL_OK);
        assert_int_equal(judgement.missing.count, 0);
        assert_int_equal(judgement.unknown.count, 0);
        assert_int_equal(judgement.notes.count, 0);
        assert_null(judgement.why);
    }
}

/* Each vital thing alone: missing it refuses and is named, not knowing it does not. */
static void check_vital(const struct kernel_setting *setting, const char *option)
{
    static const enum kernel_has ways[] = {KERNEL_HAS_OFF, KERNEL_HAS_ABSENT};
    for (size_t i = 0; i < array_length(ways); i++) {
        auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
        assert_int_equal(verdict_of(setting, option, ways[i], &judgement), KERNEL_REFUSED);
        assert_int_equal(judgement.missing.count, 1);
        assert_non_null(strstr(judgement.missing.items[0], option));
        assert_non_null(strstr(judgement.why, option));
    }
    auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
    assert_int_equal(verdict_of(setting, option, KERNEL_HAS_UNKNOWN, &judgement), KERNEL_UNKNOWN);
    assert_true(is_among(&judgement.unknown, option));
    assert_int_equal(judgement.missing.count, 0);
    assert_null(judgement.why);
}

static void each_vital_thing_refuses(void **state)
{
    (void)state;
    static const char *const vital[] = {"BLK_DEV_INITRD", "BINFMT_ELF", "DEVTMPFS", "VIRTIO_MMIO",
        "VIRTIO_BLK", "EXT4_FS", "OVERLAY_FS"};
    for (size_t i = 0; i < array_length(vital); i++) {
        check_vital(&qemu, vital[i]);
        check_vital(&firecracker, vital[i]);
    }
    check_vital(&qemu, "ACPI");
}

static void what_only_helps_is_noted(void **state)
{
    (void)state;
    static const struct {
        const struct kernel_setting *setting;
        const char *option;
    } rows[] = {
        {&qemu, "VIRTIO_CONSOLE"},
        {&qemu, "VIRTIO_NET"},
        {&qemu, "HW_RANDOM_VIRTIO"},
        {&qemu, "SERIAL_8250_CONSOLE"},
        {&firecracker, "VIRTIO_VSOCKETS"},
        {&firecracker, "SERIO_I8042"},
        {&firecracker, "KEYBOARD_ATKBD"},
        {&firecracker, "SERIAL_8250_CONSOLE"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
        assert_int_equal(
            verdict_of(rows[i].setting, rows[i].option, KERNEL_HAS_OFF, &judgement), KERNEL_OK);
        assert_int_equal(judgement.missing.count, 0);
        assert_true(is_among(&judgement.notes, rows[i].option));
    }
    /* What the other VMM needs is no matter. */
    auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
    assert_int_equal(verdict_of(&firecracker, "VIRTIO_NET", KERNEL_HAS_OFF, &judgement), KERNEL_OK);
    assert_int_equal(judgement.notes.count, 0);
}

static void one_of_several_is_enough(void **state)
{
    (void)state;
    static const char *const either[] = {"ACPI", "VIRTIO_MMIO_CMDLINE_DEVICES"};
    for (size_t i = 0; i < array_length(either); i++) {
        auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
        assert_int_equal(
            verdict_of(&firecracker, either[i], KERNEL_HAS_OFF, &judgement), KERNEL_OK);
    }
}

static void a_copy_needs_no_overlay(void **state)
{
    (void)state;
    auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
    struct kernel_setting copy = {.vmm = "qemu"};
    assert_int_equal(verdict_of(&copy, "OVERLAY_FS", KERNEL_HAS_OFF, &judgement), KERNEL_OK);
    assert_true(is_among(&judgement.notes, "OVERLAY_FS"));
}

static enum kernel_verdict judge_file(
    const struct kernel_traits *changed, const struct kernel_setting *setting, const char *word)
{
    auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
    kernel_judge(changed, setting, &judgement);
    assert_true(judgement.verdict != KERNEL_REFUSED || is_among(&judgement.missing, word));
    return judgement.verdict;
}

static void what_the_file_is(void **state)
{
    (void)state;
    struct kernel kernel = {0};
    struct kernel_traits traits = traits_of(&kernel);
    traits.format = "";
    assert_int_equal(judge_file(&traits, &qemu, "format"), KERNEL_REFUSED);
    assert_int_equal(judge_file(&traits, &firecracker, "format"), KERNEL_REFUSED);
    traits.format = NULL;
    assert_int_equal(judge_file(&traits, &qemu, "format"), KERNEL_UNKNOWN);
    /* QEMU enters a vmlinux by its PVH note alone; Firecracker has another way in. */
    traits.format = "elf";
    traits.pvh = KERNEL_HAS_OFF;
    assert_int_equal(judge_file(&traits, &qemu, "PVH"), KERNEL_REFUSED);
    assert_int_equal(judge_file(&traits, &firecracker, "PVH"), KERNEL_OK);
    traits.pvh = KERNEL_HAS_UNKNOWN;
    assert_int_equal(judge_file(&traits, &qemu, "PVH"), KERNEL_OK);
    traits.format = "bzimage";
    traits.pvh = KERNEL_HAS_OFF;
    assert_int_equal(judge_file(&traits, &qemu, "PVH"), KERNEL_OK);
    traits.arch = "aarch64";
    assert_int_equal(judge_file(&traits, &qemu, "arch"), KERNEL_REFUSED);
    traits.arch = NULL;
    assert_int_equal(judge_file(&traits, &qemu, "arch"), KERNEL_OK);
}

static void what_is_too_old(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        bool is_emulated;
        enum kernel_verdict verdict;
    } rows[] = {
        {"5.7.19", true, KERNEL_REFUSED},
        {"5.8.0-rc1", true, KERNEL_OK},
        {"4.19.0-27-amd64", true, KERNEL_REFUSED},
        {"4.19.0-27-amd64", false, KERNEL_OK},
        {"10.2", true, KERNEL_OK},
        {"mine", true, KERNEL_OK},
        {NULL, true, KERNEL_OK},
    };
    struct kernel kernel = {0};
    for (size_t i = 0; i < array_length(rows); i++) {
        struct kernel_traits traits = traits_of(&kernel);
        struct kernel_setting setting = {.vmm = "qemu", .is_emulated = rows[i].is_emulated};
        traits.version = rows[i].version;
        assert_int_equal(judge_file(&traits, &setting, "version"), rows[i].verdict);
    }
}

static enum kernel_has look_nowhere(const void *context, const char *option, const char *module)
{
    (void)context;
    (void)option;
    (void)module;
    return KERNEL_HAS_OFF;
}

static void all_that_is_missing_is_named(void **state)
{
    (void)state;
    auto_done(kernel_judgement) struct kernel_judgement judgement = {0};
    struct kernel_traits traits = {.format = "bzimage", .look = look_nowhere};
    kernel_judge(&traits, &qemu, &judgement);
    assert_int_equal(judgement.verdict, KERNEL_REFUSED);
    assert_true(is_among(&judgement.missing, "CONFIG_ACPI"));
    assert_true(is_among(&judgement.missing, "CONFIG_VIRTIO_BLK"));
    assert_true(is_among(&judgement.missing, "CONFIG_OVERLAY_FS"));
    assert_non_null(strstr(judgement.why, judgement.missing.items[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_there_is_well),
        cmocka_unit_test(each_vital_thing_refuses),
        cmocka_unit_test(what_only_helps_is_noted),
        cmocka_unit_test(one_of_several_is_enough),
        cmocka_unit_test(a_copy_needs_no_overlay),
        cmocka_unit_test(what_the_file_is),
        cmocka_unit_test(what_is_too_old),
        cmocka_unit_test(all_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
