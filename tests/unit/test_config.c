/* SPDX-License-Identifier: MIT */
/* config.ini: every key, what is refused and where, what is only reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/config.h"
#include "support/scratch.h"

#define KEY_AA "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
/* 0x00 0x01 … 0x1f */
#define KEY_COUNT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static int setup(void **state)
{
    *state = scratch_make();
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    return 0;
}

static bool load(void **state, const char *content, struct config *config, struct error *err)
{
    auto_free char *path = memory_printf("%s/config.ini", (char *)*state);
    scratch_write(*state, "config.ini", content);
    return config_load(path, config, err);
}

static void test_defaults(void **state)
{
    auto_free char *path = memory_printf("%s/none.ini", (char *)*state);
    const char *const places[] = {NULL, path};
    for (size_t i = 0; i < array_length(places); i++) {
        struct error err = {0};
        auto_done(config) struct config config = {0};
        assert_true(config_load(places[i], &config, &err));
        assert_null(config.path);
        assert_null(config.default_image);
        assert_int_equal(config.default_vcpu, 0);
        assert_memory_equal(&config.limits, &limits_default, sizeof(limits_default));
        assert_int_equal(config.warnings.count, 0);
    }
}

static void test_every_key(void **state)
{
    struct error err = {0};
    auto_done(config) struct config config = {0};
    assert_true(load(state,
        "# a comment\n"
        "[defaults]\n"
        "image = debian:bookworm\n"
        "kernel = debian-cloud\n"
        "vcpu = 4\n"
        "memory = 2G\n"
        "disk_size=16GiB\n"
        "vmm = qemu\n"
        "accel = tcg\n"
        "restart = on-failure\n"
        "; another comment\n"
        "\n"
        "[paths]\n"
        "firecracker = /opt/firecracker\n"
        "qemu = qemu-system-x86_64\n"
        "ssh = /usr/bin/ssh\n"
        "[catalogs]\n"
        "mine = https://example.org/catalog.json?a=b\n"
        "local = /srv/catalog.json\n"
        "[trust]\n"
        "me = " KEY_COUNT "\n"
        "[signatures]\n"
        "me = require\n"
        "other.example.org = off\n"
        "[network]\n"
        "mode = bridge\n"
        "bridge = br0\n"
        "cidr = 10.0.0.0/24\n"
        "dns = 1.1.1.1\n"
        "[registries]\n"
        "insecure = reg.local:5000, other.local\n"
        "[mirrors]\n"
        "docker.io = https://mirror.example.org\n"
        "[ui]\n"
        "theme = mono\n"
        "ascii = yes\n"
        "mouse = no\n"
        "columns = NAME,SIZE\n"
        "tick = 1s\n"
        "[limits]\n"
        "download_bytes = 1G\n"
        "path_bytes = 1024\n"
        "retries = 0\n"
        "low_speed_bytes = 500\n",
        &config, &err));
    assert_fine(err);
    assert_string_equal(config.default_image, "debian:bookworm");
    assert_string_equal(config.default_kernel, "debian-cloud");
    assert_int_equal(config.default_vcpu, 4);
    assert_int_equal(config.default_memory_bytes, UINT64_C(2) << 30);
    assert_int_equal(config.default_disk_bytes, UINT64_C(16) << 30);
    assert_string_equal(config.default_vmm, "qemu");
    assert_string_equal(config.default_accel, "tcg");
    assert_string_equal(config.default_restart, "on-failure");
    assert_string_equal(config.firecracker, "/opt/firecracker");
    assert_string_equal(config.qemu, "qemu-system-x86_64");
    assert_string_equal(config.ssh, "/usr/bin/ssh");
    assert_int_equal(config.catalogs.count, 2);
    assert_string_equal(config.catalogs.items[0].key, "mine");
    assert_string_equal(
        config_pairs_get(&config.catalogs, "mine"), "https://example.org/catalog.json?a=b");
    assert_int_equal(config.trust_count, 1);
    assert_string_equal(config.trust[0].name, "me");
    for (int i = 0; i < 32; i++) {
        assert_int_equal(config.trust[0].key[i], i);
    }
    assert_string_equal(config_pairs_get(&config.signatures, "me"), "require");
    assert_string_equal(config_pairs_get(&config.signatures, "other.example.org"), "off");
    assert_string_equal(config_pairs_get(&config.network, "cidr"), "10.0.0.0/24");
    assert_int_equal(config.insecure.count, 2);
    assert_string_equal(config.insecure.items[0], "reg.local:5000");
    assert_string_equal(
        config_pairs_get(&config.mirrors, "docker.io"), "https://mirror.example.org");
    assert_string_equal(config_pairs_get(&config.ui, "columns"), "NAME,SIZE");
    assert_null(config_pairs_get(&config.ui, "nothing"));
    assert_int_equal(config.limits.download_bytes, UINT64_C(1) << 30);
    assert_int_equal(config.limits.path_bytes, 1024);
    assert_int_equal(config.limits.retries, 0);
    assert_int_equal(config.limits.low_speed_bytes, 500);
    assert_int_equal(config.limits.entries, limits_default.entries);
    assert_int_equal(config.warnings.count, 0);
}

static void test_every_limit_is_a_key(void **state)
{
    for (unsigned i = 0; i < limits_row_count; i++) {
        struct error err = {0};
        auto_done(config) struct config config = {0};
        auto_free char *content = memory_printf("[limits]\n%s = 7\n", limits_rows[i].key);
        assert_true(load(state, content, &config, &err));
        assert_int_equal(config.warnings.count, 0);
        assert_int_equal(
            *(uint64_t *)((char *)&config.limits + limits_rows[i].offset), UINT64_C(7));
    }
}

static void test_unknown_is_reported_and_ignored(void **state)
{
    struct error err = {0};
    auto_done(config) struct config config = {0};
    assert_true(load(state,
        "stray = 1\n"
        "[defaults]\n"
        "vcpu = 2\n"
        "colour = red\n"
        "\n"
        "[future]\n"
        "thing = 1\n"
        "[ui]\n"
        "font = 12\n"
        "theme = dark\n",
        &config, &err));
    assert_int_equal(config.default_vcpu, 2);
    assert_string_equal(config_pairs_get(&config.ui, "theme"), "dark");
    static const char *const wanted[] = {":1: unknown key 'stray' in []",
        ":4: unknown key 'colour' in [defaults]", ":7: unknown key 'thing' in [future]",
        ":9: unknown key 'font' in [ui]"};
    assert_int_equal(config.warnings.count, array_length(wanted));
    for (size_t i = 0; i < array_length(wanted); i++) {
        assert_non_null(strstr(config.warnings.items[i], "config.ini"));
        assert_non_null(strstr(config.warnings.items[i], wanted[i]));
    }
}

struct refusal {
    const char *content;
    const char *said; /* behind the file's name */
};

static const struct refusal refusals[] = {
    {"[defaults]\nvcpu = many\n", ":2: vcpu"},
    {"[defaults]\nvcpu = 0\n", ":2: vcpu"},
    {"[defaults]\nvcpu = -1\n", ":2: vcpu"},
    {"\n\n[defaults]\n\nmemory = 0\n", ":5: memory"},
    {"[defaults]\nmemory = 99999999999T\n", ":2: memory"},
    {"[defaults]\ndisk_size =\n", ":2: disk_size"},
    {"[defaults]\nvmm = vmware\n", ":2: vmm is one of auto|firecracker|qemu"},
    {"[defaults]\nrestart = maybe\n", ":2: restart"},
    {"[defaults]\nkernel = ../x\n", ":2: kernel"},
    {"[paths]\nqemu = ./qemu\n", ":2: qemu must be an absolute path"},
    {"[catalogs]\nmine =\n", ":2: mine has no value"},
    {"[trust]\nme = short\n", ":2: the key of me"},
    {"[trust]\nme = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", ":2: the key of me"},
    {"[trust]\nme = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!=\n", ":2: the key of me"},
    {"[signatures]\nme = yes\n", ":2: me is one of"},
    {"[signatures]\nme =\n", ":2: me is one of"},
    {"[limits]\nentries = 1G\n", ":2: entries"},
    {"[limits]\nzstd_window_log = 32\n", ":2: zstd_window_log"},
    {"[limits]\npax_bytes = 1G\n", ":2: pax_bytes"},
    {"[defaults\nvcpu = 1\n", ":1: neither"},
    {"[defaults]\nvcpu = 1\nnonsense\n", ":3: neither"},
};

static void test_refusals_name_file_and_line(void **state)
{
    for (size_t i = 0; i < array_length(refusals); i++) {
        struct error err = {0};
        auto_done(config) struct config config = {0};
        if (load(state, refusals[i].content, &config, &err)) {
            fail_msg("accepted: %s", refusals[i].content);
        }
        assert_code(err, ERROR_CONFIG);
        auto_free char *wanted = memory_printf("/config.ini%s", refusals[i].said);
        if (strstr(err.text, wanted) == NULL) {
            fail_msg("\"%s\" does not say %s", err.text, wanted);
        }
        assert_null(config.path);
    }
}

/* A line of a given length: "theme = xxxx". */
static char *line_of(size_t len)
{
    struct text line = {0};
    text_append(&line, "[ui]\ntheme = ");
    while (line.len < len + strlen("[ui]\n")) {
        text_append_char(&line, 'x');
    }
    return text_take(&line);
}

static void test_long_lines(void **state)
{
    struct error err = {0};
    auto_done(config) struct config fits = {0};
    auto_free char *longest = line_of(198);
    assert_true(load(state, longest, &fits, &err));
    assert_int_equal(strlen(config_pairs_get(&fits.ui, "theme")), 198 - strlen("theme = "));
    auto_done(config) struct config cut = {0};
    auto_free char *longer = line_of(199);
    assert_false(load(state, longer, &cut, &err));
    assert_code(err, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "config.ini:2: the line has 199 bytes"));
}

static void test_shapes_of_lines(void **state)
{
    struct error err = {0};
    auto_done(config) struct config config = {0};
    /* A byte order mark, CRLF, indentation, no newline at the end; the later value counts. */
    assert_true(load(state, "\xef\xbb\xbf[defaults]\r\n\tvcpu = 2\r\n    memory = 1G\r\n  vcpu = 3",
        &config, &err));
    assert_fine(err);
    assert_int_equal(config.default_vcpu, 3);
    assert_int_equal(config.default_memory_bytes, UINT64_C(1) << 30);
    assert_int_equal(config.warnings.count, 0);
}

static void test_later_values_replace(void **state)
{
    struct error err = {0};
    auto_done(config) struct config config = {0};
    assert_true(load(state,
        "[catalogs]\na = /1\na = /2\n[trust]\nme = " KEY_AA "\nme = " KEY_COUNT
        "\n[registries]\ninsecure = a\ninsecure = b c\n",
        &config, &err));
    assert_int_equal(config.catalogs.count, 1);
    assert_string_equal(config.catalogs.items[0].value, "/2");
    assert_int_equal(config.trust_count, 1);
    assert_int_equal(config.trust[0].key[31], 31);
    assert_int_equal(config.insecure.count, 2);
}

static void test_what_is_no_file(void **state)
{
    struct error err = {0};
    auto_done(config) struct config config = {0};
    assert_false(config_load(*state, &config, &err));
    assert_code(err, ERROR_CONFIG);
    assert_non_null(strstr(err.text, *state));
}

static void test_nul_byte(void **state)
{
    struct error err = {0};
    auto_done(config) struct config config = {0};
    auto_free char *path = memory_printf("%s/nul.ini", (char *)*state);
    FILE *file = fopen(path, "we");
    assert_int_equal(fwrite("[ui]\nth\0eme = x\n", 1, 16, file), 16);
    assert_int_equal(fclose(file), 0);
    assert_false(config_load(path, &config, &err));
    assert_non_null(strstr(err.text, "nul.ini:2:"));
}

/* The example's lines with the '#' taken away from every setting. */
static char *uncommented(const char *example)
{
    struct text out = {0};
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, example, "\n");
    for (size_t i = 0; i < lines.count; i++) {
        const char *line = lines.items[i];
        bool is_setting = line[0] == '#' && line[1] != ' ' && strstr(line, " = ") != NULL;
        text_printf(&out, "%s\n", is_setting ? line + 1 : line);
    }
    return text_take(&out);
}

static void test_example_file(void **state)
{
    const char *source = getenv("SRCDIR");
    if (source == NULL) {
        skip();
    }
    struct error err = {0};
    auto_free char *example = scratch_read(source, "data/config.ini");
    assert_non_null(example);
    auto_free char *content = uncommented(example);
    auto_done(config) struct config config = {0};
    assert_true(load(state, content, &config, &err));
    assert_fine(err);
    assert_int_equal(config.warnings.count, 0);
    /* The limits shown are all there are, with their defaults. */
    assert_memory_equal(&config.limits, &limits_default, sizeof(limits_default));
    for (unsigned i = 0; i < limits_row_count; i++) {
        auto_free char *line = memory_printf("\n#%s = ", limits_rows[i].key);
        assert_non_null(strstr(example, line));
    }
    assert_string_equal(config.default_restart, "no");
    assert_int_equal(config.trust_count, 1);
    /* As delivered it changes nothing. */
    auto_done(config) struct config plain = {0};
    assert_true(load(state, example, &plain, &err));
    assert_null(plain.default_image);
    assert_int_equal(plain.catalogs.count, 0);
}

#define CONFIG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(test_defaults),
        CONFIG_TEST(test_every_key),
        CONFIG_TEST(test_every_limit_is_a_key),
        CONFIG_TEST(test_unknown_is_reported_and_ignored),
        CONFIG_TEST(test_refusals_name_file_and_line),
        CONFIG_TEST(test_long_lines),
        CONFIG_TEST(test_shapes_of_lines),
        CONFIG_TEST(test_later_values_replace),
        CONFIG_TEST(test_what_is_no_file),
        CONFIG_TEST(test_nul_byte),
        CONFIG_TEST(test_example_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
