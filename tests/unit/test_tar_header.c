/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "artifact/tar_block.h"
#include "artifact/tar_header.h"
#include "artifact/tar_pax.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "support/tar_maker.h"

/* Any bit beyond what a number holds would be another number for somebody else. */
static void large_numbers_are_whole_or_none(void **state)
{
    (void)state;
    for (size_t i = 1; i < 4; i++) {
        uint8_t plus[12] = {0x80}, minus[12];
        int64_t number = 0;
        memset(minus, 0xff, sizeof minus);
        plus[11] = 7;
        assert_int_equal(tar_block_number(plus, sizeof plus, &number), TAR_NUMBER_OK);
        assert_int_equal(number, 7);
        assert_int_equal(tar_block_number(minus, sizeof minus, &number), TAR_NUMBER_OK);
        assert_int_equal(number, -1);
        plus[i] = 2;
        minus[i] = 0xfe;
        assert_int_equal(tar_block_number(plus, sizeof plus, &number), TAR_NUMBER_RANGE);
        assert_int_equal(tar_block_number(minus, sizeof minus, &number), TAR_NUMBER_RANGE);
    }
}

/* What lies behind the body in memory is not looked at. */
static void a_record_ends_with_its_body(void **state)
{
    (void)state;
    static const char body[] = "12 path=abc\n13 path=abcd\n";
    for (size_t len = 1; len < sizeof body - 1; len++) {
        struct error err = {0};
        struct tar_pax pax = {0};
        bool is_whole = tar_pax_parse(&pax, body, len, TAR_BUNDLE, false, &limits_default, &err);
        tar_pax_done(&pax);
        assert_int_equal(is_whole, len == 12);
    }
}

/* Walks the archive in pieces of `step` bytes; members become "type path size;" in *found. */
static bool walk(const struct text *tar, enum tar_profile profile, const struct limits *limits,
    size_t step, struct text *found, struct error *err)
{
    struct tar_scan *scan = tar_scan_new(profile, limits);
    bool is_fine = true;
    for (size_t at = 0; is_fine && at < tar->len; at += step) {
        size_t len = tar->len - at < step ? tar->len - at : step;
        is_fine = tar_scan_feed(scan, tar->data + at, len, err);
        struct tar_member member;
        while (found && tar_scan_take(scan, &member)) {
            text_printf(found, "%s %s%s%s %llu;", tar_type_name(member.type), member.path,
                member.link ? " -> " : "", member.link ? member.link : "",
                (unsigned long long)member.size_bytes);
            tar_member_done(&member);
        }
    }
    is_fine = is_fine && tar_scan_finish(scan, err);
    tar_scan_free(scan);
    return is_fine;
}

static void accept(struct text *tar, const char *wanted)
{
    for (size_t step = 1; step <= 4096; step = step * 3 + 1) {
        auto_done(text) struct text found = {0};
        struct error err = {0};
        bool is_fine = walk(tar, TAR_BUNDLE, &limits_default, step, &found, &err);
        assert_string_equal(err.text, "");
        assert_true(is_fine);
        assert_string_equal(text_cstr(&found), wanted);
    }
}

static void refuse_as(
    const struct text *tar, enum tar_profile profile, enum error_code code, const char *hint)
{
    struct error err = {0};
    if (walk(tar, profile, &limits_default, 512, NULL, &err)) {
        fail_msg("accepted, wanted a refusal with \"%s\"", hint);
    }
    if (err.code != code || !strstr(err.text, hint)) {
        fail_msg(
            "refused with \"%s\" (%s), wanted \"%s\"", err.text, error_code_name(err.code), hint);
    }
}

static void refuse(const struct text *tar, const char *hint)
{
    refuse_as(tar, TAR_BUNDLE, ERROR_FORMAT, hint);
}

static void members_of_every_type(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    static const struct tar_fields rows[] = {
        {.name = "dir/", .typeflag = '5'},
        {.name = "dir/link", .typeflag = '2', .link = "../file"},
        {.name = "dir/hard", .typeflag = '1', .link = "file"},
        {.name = "char", .typeflag = '3'},
        {.name = "block", .typeflag = '4'},
        {.name = "fifo", .typeflag = '6'},
        {.name = "below", .prefix = "some/prefix"},
    };
    tar_put_file(&tar, "file", "content");
    for (size_t i = 0; i < array_length(rows); i++) {
        tar_put(&tar, &rows[i], "", 0);
    }
    tar_put_end(&tar);
    accept(&tar, "file file 7;directory dir/ 0;symlink dir/link -> ../file 0;"
                 "hard link dir/hard -> file 0;character device char 0;block device block 0;"
                 "fifo fifo 0;file some/prefix/below 0;");
}

static void names_from_pax_and_gnu_headers(void **state)
{
    (void)state;
    auto_done(text) struct text posix = {0};
    static const char body[] = "18 path=long/name\n17 linkpath=a/bc\n19 mtime=-1.250000\n";
    tar_put_pax(&posix, 'x', body, sizeof body - 1);
    tar_put(&posix, &(struct tar_fields){.name = "short", .typeflag = '2', .link = "s"}, "", 0);
    tar_put_file(&posix, "next", "");
    tar_put_end(&posix);
    accept(&posix, "symlink long/name -> a/bc 0;file next 0;");

    auto_done(text) struct text gnu = {0};
    struct tar_fields longlink = {.name = "././@LongLink", .typeflag = 'L', .magic = TAR_MAGIC_GNU};
    tar_put(&gnu, &longlink, "long/gnu/name", 14);
    tar_put(&gnu, &(struct tar_fields){.name = "short", .magic = TAR_MAGIC_GNU}, "xy", 2);
    tar_put_end(&gnu);
    accept(&gnu, "file long/gnu/name 2;");
}

static void size_beyond_the_octal_field(void **state)
{
    (void)state;
    static const char pax[] = "20 size=12884901888\n";
    static const char binary[12] = {(char)0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0};
    for (int form = 0; form < 2; form++) {
        struct tar_scan *scan = tar_scan_new(TAR_BUNDLE, &limits_default);
        auto_done(text) struct text tar = {0};
        uint8_t block[512];
        if (form == 0) {
            tar_put_pax(&tar, 'x', pax, sizeof pax - 1);
        }
        tar_block(block, &(struct tar_fields){.name = "big"});
        if (form == 1) {
            memcpy(block + 124, binary, sizeof binary);
            tar_sum(block, 0);
        }
        text_append_bytes(&tar, block, sizeof block);
        struct error err = {0};
        assert_true(tar_scan_feed(scan, tar.data, tar.len, &err));
        struct tar_member member;
        assert_true(tar_scan_take(scan, &member));
        assert_int_equal(member.size_bytes, 12884901888);
        tar_member_done(&member);
        tar_scan_free(scan);
    }
}

/* Changes one thing about an otherwise fine header. */
static void broken_header_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct tar_fields fields;
        const char *hint;
    } rows[] = {
        {{.name = "a", .sum_off_by = 1}, "checksum"},
        {{.name = "a", .magic = "\0\0\0\0\0\0\0\0"}, "ustar"},
        {{.name = "a",
             .magic = "ustar\0"
                      "01"},
            "ustar"},
        {{.name = "a", .size_text = "0000000000x"}, "size"},
        {{.name = "a", .size_text = "            "}, "size"},
        {{.name = "a", .size_text = "\377\377\377\377\377\377\377\377\377\377\377\377"}, "size"},
        {{.name = "a", .size_text = "-0000000001"}, "size"},
        {{.name = "a", .uid_text = "12x"}, "number"},
        {{.name = "a", .mode_text = "999"}, "number"},
        {{.name = "a", .typeflag = 'S'}, "sparse"},
        {{.name = "a", .typeflag = 'N'}, "unknown type"},
        {{.name = "a", .typeflag = 'V'}, "unknown type"},
        {{.name = "a", .typeflag = 'Z'}, "unknown type"},
        {{.name = "a/"}, "slash"},
        {{.name = "a", .link = "b"}, "link target"},
        {{.name = "a", .typeflag = '2'}, "without a name"},
        {{.name = ""}, "without a name"},
        {{.name = "a", .prefix = "b/"}, "prefix"},
        {{.name = "a/", .typeflag = '5', .size_text = "00000000007"}, "with data"},
        {{.name = "a", .typeflag = '2', .link = "b", .size_text = "00000000007"}, "with data"},
        {{.name = "a", .typeflag = '1', .link = "b", .size_text = "00000000007"}, "with data"},
        {{.name = "a", .typeflag = '6', .size_text = "00000000007"}, "with data"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        uint8_t block[512];
        tar_block(block, &rows[i].fields);
        text_append_bytes(&tar, block, sizeof block);
        tar_put_end(&tar);
        refuse(&tar, rows[i].hint);
    }
}

static void bytes_behind_a_nul_are_refused(void **state)
{
    (void)state;
    static const size_t places[] = {5, 157 + 5, 265 + 5, 297 + 5, 345 + 5, 505};
    for (size_t i = 0; i < array_length(places); i++) {
        auto_done(text) struct text tar = {0};
        uint8_t block[512];
        tar_block(block, &(struct tar_fields){.name = "abc"});
        block[places[i]] = 'x';
        tar_sum(block, 0);
        text_append_bytes(&tar, block, sizeof block);
        tar_put_end(&tar);
        refuse(&tar, i == 5 ? "unused" : "behind its end");
    }
}

static void broken_pax_record_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *hint;
    } rows[] = {
        {"0 path=a\n", "length"},
        {"-9 path=a\n", "length"},
        {"x path=a\n", "length"},
        {"010 path=a\n", "length"},
        {"0000000010 path=a\n", "length"},
        {"10path=abc\n", "length"},
        {"99 path=a\n", "impossible"},
        {"4 a=", "impossible"},
        {"99999999999999999999 path=a\n", "length"},
        {"8 path=a\n", "newline"},
        {"11 path=a\n\n\n", "length"},
        {"11 path=abcd", "newline"},
        {"12 pathabcd\n", "no key"},
        {"10 =abcdef\n", "newline"},
        {"11 =abcdef\n", "no key"},
        {"\n", "length"},
        {" ", "length"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        tar_put_pax(&tar, 'x', rows[i].body, strlen(rows[i].body));
        tar_put_file(&tar, "file", "");
        tar_put_end(&tar);
        refuse(&tar, rows[i].hint);
    }
}

static void unusable_pax_value_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        size_t value_len; /* 0: strlen */
        const char *hint; /* NULL: accepted */
    } rows[] = {
        {"comment", "anything", 0, NULL},
        {"mtime", "-1.5000000000000000000000000000000000000001", 0, NULL},
        {"mtime", "99999999999999999999", 0, NULL},
        {"uid", "-1", 0, NULL},
        {"size", "0", 0, NULL},
        {"hdrcharset", "ISO-IR 10646 2000 UTF-8", 0, NULL},
        {"SCHILY.xattr.user.a", "b\0c", 3, NULL},
        {"SCHILY.acl.access", "user::rwx", 0, NULL},
        {"LIBARCHIVE.creationtime", "1.5", 0, NULL},
        {"path", "", 0, "path"},
        {"path", "a\0b", 3, "path"},
        {"linkpath", "a\0", 2, "linkpath"},
        {"size", "-1", 0, "size"},
        {"size", "1", 0, "two sizes"},
        {"size", "", 0, "size"},
        {"size", "99999999999999999999", 0, "size"},
        {"size", "9223372036854775808", 0, "size"},
        {"uid", "1x", 0, "uid"},
        {"gid", "", 0, "gid"},
        {"mtime", "1.x", 0, "mtime"},
        {"mtime", "now", 0, "mtime"},
        {"hdrcharset", "BINARY", 0, "character set"},
        {"GNU.sparse.major", "1", 0, "sparse"},
        {"GNU.sparse.name", "x", 0, "sparse"},
        {"SCHILY.realsize", "1", 0, "sparse"},
        {"VENDOR.x", "1", 0, "unknown key"},
        {"Path", "a", 0, "unknown key"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text tar = {0};
        auto_done(text) struct text body = {0};
        size_t len = rows[i].value_len ? rows[i].value_len : strlen(rows[i].value);
        tar_put_record(&body, rows[i].key, rows[i].value, len);
        tar_put_pax(&tar, 'x', body.data, body.len);
        tar_put_file(&tar, "file", "");
        tar_put_end(&tar);
        if (rows[i].hint) {
            refuse(&tar, rows[i].hint);
        } else {
            accept(&tar, "file file 0;");
        }
    }
    auto_done(text) struct text twice = {0};
    tar_put_pax(&twice, 'x', "10 path=b\n10 path=c\n", 20);
    tar_put_file(&twice, "file", "");
    tar_put_end(&twice);
    refuse(&twice, "twice");
}

static void extensions_that_compete_are_refused(void **state)
{
    (void)state;
    static const char first[] = "10 path=a\n";
    for (int form = 0; form < 4; form++) {
        auto_done(text) struct text tar = {0};
        struct tar_fields longname = {.name = "././@LongLink", .typeflag = 'L'};
        switch (form) {
        case 0:
            tar_put_pax(&tar, 'x', first, sizeof first - 1);
            tar_put_pax(&tar, 'x', first, sizeof first - 1);
            break;
        case 1:
            tar_put_pax(&tar, 'x', first, sizeof first - 1);
            tar_put(&tar, &longname, "b", 2);
            break;
        case 2:
            tar_put(&tar, &longname, "b", 2);
            tar_put_pax(&tar, 'x', first, sizeof first - 1);
            break;
        case 3:
            tar_put(&tar, &longname, "b", 2);
            tar_put(&tar, &longname, "c", 2);
            break;
        }
        tar_put_file(&tar, "file", "");
        tar_put_end(&tar);
        refuse_as(&tar, TAR_FOREIGN, ERROR_FORMAT, "two header extensions");
    }
}

static void an_extension_needs_its_member(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "file", "");
    tar_put_pax(&tar, 'x', "9 path=a\n", 9);
    tar_put_end(&tar);
    refuse(&tar, "ends behind a header extension");
}

static void formats_do_not_mix_in_a_bundle(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "a", "");
    tar_put(&tar, &(struct tar_fields){.name = "b", .magic = TAR_MAGIC_GNU}, "", 0);
    tar_put_end(&tar);
    refuse(&tar, "format");
    struct error err = {0};
    assert_true(walk(&tar, TAR_FOREIGN, &limits_default, 512, NULL, &err));
}

static void only_comments_may_be_global(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        auto_done(text) struct text tar = {0};
        const char *body = form == 0 ? "17 comment=hello\n" : "10 path=a\n";
        tar_put_pax(&tar, 'g', body, strlen(body));
        tar_put_file(&tar, "file", "");
        tar_put_end(&tar);
        if (form == 0) {
            accept(&tar, "file file 0;");
        } else {
            refuse(&tar, "global");
        }
    }
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    tar_put_pax(&tar, 'x', "10 path=a\n", 10);
    tar_put_file(&tar, "file", "content");
    tar_put_file(&tar, "other", "more content");
    tar_put_end(&tar);
    size_t whole = tar.len;
    for (size_t len = 0; len < whole; len++) {
        struct error err = {0};
        tar.len = len;
        assert_false(walk(&tar, TAR_BUNDLE, &limits_default, 512, NULL, &err));
        assert_int_equal(err.code, ERROR_FORMAT);
    }
    tar.len = whole;
    accept(&tar, "file a 7;file other 12;");
}

static void only_zeros_may_follow_the_end(void **state)
{
    (void)state;
    static const char zeros[512 * 18];
    auto_done(text) struct text tar = {0};
    tar_put_file(&tar, "file", "");
    tar_put_end(&tar);
    text_append_bytes(&tar, zeros, sizeof zeros);
    accept(&tar, "file file 0;");
    tar_put_file(&tar, "behind", "");
    refuse(&tar, "end mark");

    auto_done(text) struct text endless = {0};
    auto_free char *mebibyte = memory_zero(1, 1024 * 1024 + 512);
    tar_put_end(&endless);
    text_append_bytes(&endless, mebibyte, 1024 * 1024 + 512);
    refuse_as(&endless, TAR_BUNDLE, ERROR_LIMIT, "zeros");

    auto_done(text) struct text lone = {0};
    text_append_bytes(&lone, zeros, 512);
    tar_put_file(&lone, "file", "");
    tar_put_end(&lone);
    refuse(&lone, "end mark");
}

static void limits_have_names(void **state)
{
    (void)state;
    struct limits small = limits_default;
    small.entries = 2;
    small.path_bytes = 10;
    small.pax_bytes = 100;
    small.expanded_bytes = 1000;
    static const char zeros[600];
    for (int form = 0; form < 4; form++) {
        auto_done(text) struct text tar = {0};
        static const char *const hints[] = {"entries", "path_bytes", "pax_bytes", "expanded_bytes"};
        switch (form) {
        case 0:
            for (int i = 0; i < 3; i++) {
                tar_put_file(&tar, "file", "");
            }
            break;
        case 1:
            tar_put_file(&tar, "12345678901", "");
            break;
        case 2:
            tar_put_pax(&tar, 'x', zeros, 101);
            tar_put_file(&tar, "file", "");
            break;
        case 3:
            tar_put(&tar, &(struct tar_fields){.name = "file"}, zeros, sizeof zeros);
            tar_put(&tar, &(struct tar_fields){.name = "next"}, zeros, sizeof zeros);
            break;
        }
        tar_put_end(&tar);
        struct error err = {0};
        assert_false(walk(&tar, TAR_BUNDLE, &small, 512, NULL, &err));
        assert_int_equal(err.code, ERROR_LIMIT);
        assert_non_null(strstr(err.text, hints[form]));
    }
}

static void facts_of_a_foreign_member(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    static const char body[] = "25 SCHILY.xattr.user.a=1\n22 mtime=1700000000.5\n12 uid=1000\n"
                               "11 gid=100\n12 VENDOR=k\n";
    tar_put_pax(&tar, 'x', body, sizeof body - 1);
    tar_put(&tar, &(struct tar_fields){.name = "file", .mode_text = "0104755"}, "", 0);
    tar_put_end(&tar);
    struct tar_scan *scan = tar_scan_new(TAR_FOREIGN, &limits_default);
    struct error err = {0};
    tar_scan_feed(scan, tar.data, tar.len, &err);
    assert_string_equal(err.text, "");
    auto_done(tar_member) struct tar_member member = {0};
    assert_true(tar_scan_take(scan, &member));
    assert_int_equal(member.uid, 1000);
    assert_int_equal(member.gid, 100);
    assert_int_equal(member.mtime, 1700000000);
    assert_int_equal(member.mtime_nanoseconds, 500000000);
    assert_int_equal(member.mode, 04755);
    assert_int_equal(member.xattr_count, 1);
    assert_string_equal(member.xattrs[0].name, "user.a");
    assert_int_equal(member.xattrs[0].len, 1);
    tar_scan_free(scan);
}

/* Whatever the bytes: no crash, no endless loop, and the same verdict in any pieces. */
static void any_single_byte_may_be_anything(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    tar_put_pax(&tar, 'x', "10 path=a\n", 10);
    tar_put_file(&tar, "file", "content");
    tar_put_end(&tar);
    static const uint8_t values[] = {0x00, 0xff, 0x80, '9', '='};
    for (size_t at = 0; at < 4 * 512; at++) {
        char before = tar.data[at];
        for (size_t i = 0; i < array_length(values); i++) {
            struct error once = {0}, pieces = {0};
            tar.data[at] = (char)values[i];
            bool is_fine = walk(&tar, TAR_FOREIGN, &limits_default, tar.len, NULL, &once);
            assert_int_equal(walk(&tar, TAR_FOREIGN, &limits_default, 100, NULL, &pieces), is_fine);
            assert_string_equal(once.text, pieces.text);
        }
        tar.data[at] = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_every_type),
        cmocka_unit_test(large_numbers_are_whole_or_none),
        cmocka_unit_test(a_record_ends_with_its_body),
        cmocka_unit_test(names_from_pax_and_gnu_headers),
        cmocka_unit_test(size_beyond_the_octal_field),
        cmocka_unit_test(broken_header_is_refused),
        cmocka_unit_test(bytes_behind_a_nul_are_refused),
        cmocka_unit_test(broken_pax_record_is_refused),
        cmocka_unit_test(unusable_pax_value_is_refused),
        cmocka_unit_test(extensions_that_compete_are_refused),
        cmocka_unit_test(an_extension_needs_its_member),
        cmocka_unit_test(formats_do_not_mix_in_a_bundle),
        cmocka_unit_test(only_comments_may_be_global),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(only_zeros_may_follow_the_end),
        cmocka_unit_test(limits_have_names),
        cmocka_unit_test(facts_of_a_foreign_member),
        cmocka_unit_test(any_single_byte_may_be_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
