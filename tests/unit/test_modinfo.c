/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "artifact/modinfo.h"
#include "base/error.h"
#include "base/text.h"
#include "support/module_maker.h"

static const char info[] = "license=GPL\0depends=virtio-ring,net_failover\0depend=no\0"
                           "softdep=pre: crc32c other-one post: late pre: again\0softdep=pre:\0"
                           "alias=a\0alias=b\0depends=";

static void assert_items(const struct strings *list, const char *expected)
{
    char *joined = strings_join(list, " ");
    assert_string_equal(joined, expected);
    free(joined);
}

static void values_come_in_order(void **state)
{
    (void)state;
    uint8_t module[MODULE_MAKER_MAX];
    size_t len = module_maker(module, info, sizeof info);
    struct strings values = {0};
    struct error err = {0};
    assert_true(modinfo_values(module, len, "alias", "x.ko", &values, &err));
    assert_items(&values, "a b");
    assert_true(modinfo_values(module, len, "nothing", "x.ko", &values, &err));
    assert_int_equal(values.count, 2);
    strings_done(&values);
}

static void dependencies_and_wishes_are_told_apart(void **state)
{
    (void)state;
    uint8_t module[MODULE_MAKER_MAX];
    size_t len = module_maker(module, info, sizeof info);
    struct strings depends = {0}, wishes = {0};
    struct error err = {0};
    assert_true(modinfo_depends(module, len, "x.ko", &depends, &wishes, &err));
    assert_items(&depends, "virtio_ring net_failover");
    assert_items(&wishes, "crc32c other_one again");
    strings_done(&depends);
    strings_done(&wishes);
}

static void assert_refused(const uint8_t *module, size_t len)
{
    struct strings values = {0};
    struct error err = {0};
    assert_false(modinfo_values(module, len, "depends", "bad.ko", &values, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_non_null(strstr(err.text, "bad.ko"));
    strings_done(&values);
}

static void lies_are_refused(void **state)
{
    (void)state;
    uint8_t whole[MODULE_MAKER_MAX], module[MODULE_MAKER_MAX];
    size_t len = module_maker(whole, info, sizeof info);
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)module;
    Elf64_Shdr *sections =
        (Elf64_Shdr *)(void *)(module + ((const Elf64_Ehdr *)(const void *)whole)->e_shoff);

    assert_refused((const uint8_t *)"", 0);
    memcpy(module, whole, sizeof module);
    module[EI_CLASS] = ELFCLASS32;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    header->e_type = ET_EXEC;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    header->e_shstrndx = 3;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    header->e_shoff = UINT64_MAX - 8;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    header->e_shnum = 4;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    sections[2].sh_size = UINT64_MAX;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    sections[1].sh_offset = UINT64_MAX - 2;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    sections[1].sh_type = SHT_NOBITS;
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    sections[1].sh_name = 4; /* no such section any more */
    assert_refused(module, len);
    memcpy(module, whole, sizeof module);
    sections[1].sh_size -= 1; /* the last entry is not ended */
    assert_refused(module, len);
}

static void cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t module[MODULE_MAKER_MAX];
    size_t len = module_maker(module, info, sizeof info);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut > 0 ? cut : 1); /* so that a sanitizer sees every step beyond */
        assert_non_null(copy);
        memcpy(copy, module, cut);
        assert_refused(copy, cut);
        free(copy);
    }
}

static void garbage_is_survived(void **state)
{
    (void)state;
    uint8_t whole[MODULE_MAKER_MAX];
    size_t len = module_maker(whole, info, sizeof info);
    uint32_t seed = 7;
    uint8_t *module = malloc(len);
    assert_non_null(module);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(module, whole, len);
        for (unsigned flips = 0; flips < 1 + round % 6; flips++) {
            seed = seed * 1664525u + 1013904223u;
            module[(seed >> 8) % len] = (uint8_t)(seed >> 24);
        }
        struct strings depends = {0}, wishes = {0};
        struct error err = {0};
        bool is_good = modinfo_depends(module, len, "x.ko", &depends, &wishes, &err);
        assert_true(is_good || err.code == ERROR_FORMAT);
        strings_done(&depends);
        strings_done(&wishes);
    }
    free(module);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_in_order),
        cmocka_unit_test(dependencies_and_wishes_are_told_apart),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(cut_off_anywhere_is_refused),
        cmocka_unit_test(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
