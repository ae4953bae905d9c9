/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "artifact/kernel_config.h"
#include "base/memory.h"

#define WHOLE                                                                                      \
    "#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_CC_VERSION_TEXT=\"gcc 12\"\n"      \
    "CONFIG_X86_64=y\nCONFIG_VIRTIO_BLK=m\nCONFIG_ACPI=y\n# CONFIG_ACPI_DEBUG is not set\n"        \
    "CONFIG_NR_CPUS=512\nCONFIG_LOCALVERSION=\"\"\nCONFIG_WRONG=n\n"

static void what_a_configuration_says(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        enum kernel_option is;
    } rows[] = {
        {"ACPI", KERNEL_OPTION_BUILTIN},
        {"VIRTIO_BLK", KERNEL_OPTION_MODULE},
        {"ACPI_DEBUG", KERNEL_OPTION_OFF},
        {"NR_CPUS", KERNEL_OPTION_BUILTIN},
        {"WRONG", KERNEL_OPTION_OFF},
        {"VIRTIO", KERNEL_OPTION_OFF}, /* the beginning of another is not it */
        {"ACPI_", KERNEL_OPTION_OFF},
        {"VERSION_TEXT", KERNEL_OPTION_OFF}, /* nor is the end of one */
        {"EXT4_FS", KERNEL_OPTION_OFF},
    };
    assert_true(kernel_config_is_whole(WHOLE));
    for (size_t i = 0; i < array_length(rows); i++) {
        assert_int_equal(kernel_config_look(WHOLE, rows[i].option), rows[i].is);
    }
}

static void a_fragment_says_nothing_of_the_rest(void **state)
{
    (void)state;
    static const char fragment[] = "CONFIG_EXT4_FS=y\n# CONFIG_ACPI is not set\n"
                                   "#CONFIG_X86_64=y\nMY_CONFIG_X86_64=y\n";
    assert_false(kernel_config_is_whole(fragment));
    assert_false(kernel_config_is_whole(""));
    assert_int_equal(kernel_config_look(fragment, "EXT4_FS"), KERNEL_OPTION_BUILTIN);
    assert_int_equal(kernel_config_look(fragment, "ACPI"), KERNEL_OPTION_OFF);
    assert_int_equal(kernel_config_look(fragment, "VIRTIO_BLK"), KERNEL_OPTION_UNKNOWN);
    assert_int_equal(kernel_config_look("", "ACPI"), KERNEL_OPTION_UNKNOWN);
    assert_int_equal(kernel_config_look("CONFIG_", "ACPI"), KERNEL_OPTION_UNKNOWN);
    assert_int_equal(kernel_config_look("CONFIG_ACPI", "ACPI"), KERNEL_OPTION_UNKNOWN);
    assert_int_equal(kernel_config_look("# CONFIG_ACPI=y", "ACPI"), KERNEL_OPTION_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_configuration_says),
        cmocka_unit_test(a_fragment_says_nothing_of_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
