/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "artifact/archive.h"
#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "support/tar_maker.h"

/* Bytes in memory, handed out in pieces; after fail_at of them the source fails. */
struct memory_source {
    const struct text *bytes;
    size_t at, piece, fail_at;
};

static ssize_t read_memory(void *context, void *buffer, size_t len, struct error *err)
{
    struct memory_source *source = context;
    size_t left = source->bytes->len - source->at;
    size_t now = left < source->piece ? left : source->piece;
    now = now < len ? now : len;
    if (source->fail_at && source->at >= source->fail_at) {
        error_set(err, ERROR_IO, "the disk is on fire");
        return -1;
    }
    if (now > 0) {
        memcpy(buffer, source->bytes->data + source->at, now);
    }
    source->at += now;
    return (ssize_t)now;
}

static bool read_all(struct archive_reader *reader, struct text *found, struct error *err)
{
    for (;;) {
        const struct tar_member *member = NULL;
        int got = archive_reader_next(reader, &member, err);
        if (got <= 0) {
            return got == 0;
        }
        text_printf(found, "%s %s:", tar_type_name(member->type), member->path);
        for (;;) {
            const void *bytes = NULL;
            ssize_t len = archive_reader_block(reader, &bytes, err);
            if (len < 0) {
                return false;
            }
            if (len == 0) {
                break;
            }
            text_append_bytes(found, bytes, (size_t)len);
        }
        text_append_char(found, ';');
    }
}

/* Names and contents of all members. */
static bool list(enum archive_format format, const struct text *bytes, size_t piece, size_t fail_at,
    struct text *found, struct error *err)
{
    struct memory_source source = {.bytes = bytes, .piece = piece, .fail_at = fail_at};
    auto_archive_reader struct archive_reader *reader =
        archive_reader_new(format, read_memory, &source, &limits_default, err);
    return reader && read_all(reader, found, err);
}

static void put_tar(struct text *tar)
{
    static const char pax[] = "20 path=dir/\xc3\xa4\xc3\xb6.ko\n";
    tar_put(tar, &(struct tar_fields){.name = "dir/", .typeflag = '5'}, "", 0);
    tar_put_file(tar, "dir/file", "some content");
    tar_put_pax(tar, 'x', pax, sizeof pax - 1);
    tar_put_file(tar, "dir/ascii", "more");
    tar_put(tar, &(struct tar_fields){.name = "link", .typeflag = '2', .link = "dir"}, "", 0);
    tar_put_end(tar);
}

static void tar_round_trip(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    put_tar(&tar);
    static const size_t pieces[] = {1, 511, 512, 1 << 20};
    for (size_t i = 0; i < array_length(pieces); i++) {
        struct error err = {0};
        auto_done(text) struct text found = {0};
        list(ARCHIVE_TAR_BUNDLE, &tar, pieces[i], 0, &found, &err);
        assert_string_equal(err.text, "");
        assert_string_equal(text_cstr(&found),
            "directory dir/:;file dir/file:some content;file dir/\xc3\xa4\xc3\xb6.ko:more;"
            "symlink link:;");
    }
}

static void data_may_be_passed_over(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    put_tar(&tar);
    struct memory_source source = {.bytes = &tar, .piece = 700};
    struct error err = {0};
    auto_archive_reader struct archive_reader *reader =
        archive_reader_new(ARCHIVE_TAR_BUNDLE, read_memory, &source, &limits_default, &err);
    const struct tar_member *member = NULL;
    int count = 0;
    int got;
    while ((got = archive_reader_next(reader, &member, &err)) > 0) {
        count++;
    }
    assert_string_equal(err.text, "");
    assert_int_equal(got, 0);
    assert_int_equal(count, 4);
    assert_int_equal(archive_reader_bytes(reader), tar.len);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    put_tar(&tar);
    size_t whole = tar.len;
    for (size_t len = 0; len < whole; len += 64) {
        struct error err = {0};
        auto_done(text) struct text found = {0};
        tar.len = len;
        assert_false(list(ARCHIVE_TAR_BUNDLE, &tar, 4096, 0, &found, &err));
        assert_int_equal(err.code, ERROR_FORMAT);
    }
}

static void something_behind_the_end_is_noticed(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    put_tar(&tar);
    tar_put_file(&tar, "behind", "");
    struct error err = {0};
    auto_done(text) struct text found = {0};
    assert_false(list(ARCHIVE_TAR_BUNDLE, &tar, 512, 0, &found, &err));
    assert_non_null(strstr(err.text, "end mark"));
}

/* Our own reader keeps any bytes of a foreign name; libarchive does not, and then nobody knows. */
static void a_name_that_is_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"caf\xe9", "cafe\xcc\x81", "\xed\xa0\x80"};
    for (size_t i = 0; i < array_length(names); i++) {
        auto_done(text) struct text tar = {0};
        auto_done(text) struct text pax = {0};
        auto_done(text) struct text found = {0};
        struct error err = {0};
        tar_put_record(&pax, "path", names[i], strlen(names[i]));
        tar_put_pax(&tar, 'x', pax.data, pax.len);
        tar_put_file(&tar, "short", "");
        tar_put_end(&tar);
        if (list(ARCHIVE_TAR_FOREIGN, &tar, 4096, 0, &found, &err)) {
            fail_msg("row %zu was accepted as %s", i, text_cstr(&found));
        }
        assert_int_equal(err.code, ERROR_FORMAT);
    }
}

static void expanded_bytes_is_a_limit(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    put_tar(&tar);
    struct memory_source source = {.bytes = &tar, .piece = 512};
    struct limits limits = limits_default;
    struct error err = {0};
    auto_done(text) struct text found = {0};
    limits.expanded_bytes = 1500;
    auto_archive_reader struct archive_reader *reader =
        archive_reader_new(ARCHIVE_TAR_BUNDLE, read_memory, &source, &limits, &err);
    assert_false(reader && read_all(reader, &found, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
}

static void failure_of_the_source_is_passed_on(void **state)
{
    (void)state;
    auto_done(text) struct text tar = {0};
    put_tar(&tar);
    for (size_t at = 1; at < tar.len; at += 512) {
        struct error err = {0};
        auto_done(text) struct text found = {0};
        assert_false(list(ARCHIVE_TAR_BUNDLE, &tar, 512, at, &found, &err));
        assert_int_equal(err.code, ERROR_IO);
        assert_string_equal(err.text, "the disk is on fire");
    }
}

static void put_ar(struct text *ar, const char *name, const char *content)
{
    size_t len = strlen(content);
    if (ar->len == 0) {
        text_append(ar, "!<arch>\n");
    }
    text_printf(ar, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n%s%s", name, 1700000000, 0, 0, "100644", len,
        content, len % 2 ? "\n" : "");
}

static void ar_round_trip(void **state)
{
    (void)state;
    auto_done(text) struct text ar = {0};
    put_ar(&ar, "debian-binary", "2.0\n");
    put_ar(&ar, "control.tar.gz", "odd");
    put_ar(&ar, "data.tar.xz", "even");
    struct error err = {0};
    auto_done(text) struct text found = {0};
    list(ARCHIVE_AR, &ar, 7, 0, &found, &err);
    assert_string_equal(err.text, "");
    assert_string_equal(text_cstr(&found),
        "file debian-binary:2.0\n;file control.tar.gz:odd;file data.tar.xz:even;");
    ar.len -= 2;
    text_clear(&found);
    assert_false(list(ARCHIVE_AR, &ar, 4096, 0, &found, &err));
}

static void formats_do_not_stand_in_for_each_other(void **state)
{
    (void)state;
    static const char cpio[] = "070701"
                               "00000001"
                               "000081a4"
                               "00000000"
                               "00000000"
                               "00000001"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "00000000"
                               "0000000b"
                               "00000000"
                               "TRAILER!!!\0";
    auto_done(text) struct text tar = {0};
    auto_done(text) struct text ar = {0};
    auto_done(text) struct text other = {0};
    auto_done(text) struct text found = {0};
    put_tar(&tar);
    put_ar(&ar, "debian-binary", "2.0\n");
    text_append_bytes(&other, cpio, sizeof cpio);
    struct error as_ar = {0}, as_tar = {0}, as_tar_again = {0};
    assert_false(list(ARCHIVE_AR, &tar, 4096, 0, &found, &as_ar));
    assert_false(list(ARCHIVE_TAR_FOREIGN, &ar, 4096, 0, &found, &as_tar));
    assert_false(list(ARCHIVE_TAR_FOREIGN, &other, 4096, 0, &found, &as_tar_again));
    assert_int_equal(as_ar.code, ERROR_FORMAT);
    assert_int_equal(as_tar.code, ERROR_FORMAT);
    assert_int_equal(as_tar_again.code, ERROR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar_round_trip),
        cmocka_unit_test(data_may_be_passed_over),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(something_behind_the_end_is_noticed),
        cmocka_unit_test(a_name_that_is_read_in_two_ways_is_refused),
        cmocka_unit_test(expanded_bytes_is_a_limit),
        cmocka_unit_test(failure_of_the_source_is_passed_on),
        cmocka_unit_test(ar_round_trip),
        cmocka_unit_test(formats_do_not_stand_in_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
