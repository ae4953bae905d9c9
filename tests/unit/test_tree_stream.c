/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/process.h"
#include "base/tree_stream.h"
#include "support/scratch.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

static const struct tree_rules plain = {.entries_max = 1000, .bytes_max = UINT64_C(1) << 40};

static char *scratch;

static int set_up(void **state)
{
    (void)state;
    scratch = scratch_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(scratch);
    return 0;
}

static char *place(const char *name)
{
    return memory_printf("%s/%s", scratch, name);
}

/* The stream of a path below the scratch directory. */
static void pack(const char *name, struct text *stream)
{
    struct tree_failure failure = {0};
    auto_free char *path = place(name);
    struct tree_pack *packing = tree_pack_open(path, false, &failure);
    if (packing == NULL) {
        fail_msg("%s", failure.text);
    }
    char bytes[777];
    ssize_t got;
    while ((got = tree_pack_read(packing, bytes, sizeof bytes, &failure)) > 0) {
        text_append_bytes(stream, bytes, (size_t)got);
    }
    assert_int_equal(got, 0);
    tree_pack_free(packing);
}

/* Feeds the stream in pieces of that many bytes. */
static bool take_in_pieces(const char *name, const char *top, const struct tree_rules *rules,
    const char *bytes, size_t len, size_t piece, struct tree_failure *failure)
{
    auto_free char *path = place(name);
    *failure = (struct tree_failure){0};
    struct tree_take *taking = tree_take_open(path, top, rules, failure);
    bool is_fine = taking != NULL;
    for (size_t at = 0; is_fine && at < len; at += piece) {
        is_fine = tree_take_feed(taking, bytes + at, len - at < piece ? len - at : piece, failure);
    }
    is_fine = is_fine && tree_take_finish(taking, failure);
    tree_take_free(taking);
    return is_fine;
}

static void take(const char *name, const char *top, const struct text *stream)
{
    struct tree_failure failure;
    if (!take_in_pieces(name, top, &plain, stream->data, stream->len, 1000, &failure)) {
        fail_msg("%s", failure.text);
    }
}

static void copy(const char *from, const char *to)
{
    auto_done(text) struct text stream = {0};
    auto_free char *top = tree_top_name(from);
    pack(from, &stream);
    take(to, top, &stream);
}

static void make_dir(const char *name)
{
    auto_free char *path = place(name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void run(const char *const *argv)
{
    struct error err = {0};
    auto_done(text) struct text errors = {0};
    int status = -1;
    assert_true(process_run(argv, 60000, 65536, NULL, NULL, &errors, &status, &err));
    if (status != 0) {
        fail_msg("%s: %s", argv[0], text_cstr(&errors));
    }
}

static void set_time(const char *name, int64_t seconds, long nanoseconds)
{
    auto_free char *path = place(name);
    struct timespec times[2] = {
        {.tv_sec = seconds, .tv_nsec = nanoseconds}, {.tv_sec = seconds, .tv_nsec = nanoseconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static struct stat look(const char *name)
{
    auto_free char *path = place(name);
    struct stat status;
    if (lstat(path, &status) != 0) {
        fail_msg("%s: %s", name, strerror(errno));
    }
    return status;
}

/* A file of 3 MiB with so many islands of data that the map of its holes is longer than a block. */
static void make_sparse(const char *name)
{
    auto_free char *path = place(name);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(pwrite(fd, "island", 6, (1 << 20) + i * (16 << 10)), 6);
    }
    assert_int_equal(ftruncate(fd, 3 << 20), 0);
}

#define LONG                                                                                       \
    "a-name-that-is-much-longer-than-the-hundred-bytes-which-a-header-block-has-room-for-and-"     \
    "that-needs-an-extended-one"

static void make_tree(void)
{
    auto_free char *link = place("tree/link");
    auto_free char *file = place("tree/file");
    auto_free char *other = place("tree/sub/other-name");
    auto_free char *odd = place("tree/odd\xff\nname");
    auto_free char *locked = place("tree/locked");
    scratch_write(scratch, "tree/file", "content\n");
    scratch_write(scratch, "tree/empty", "");
    scratch_write(scratch, "tree/sub/" LONG, "far away");
    scratch_write(scratch, "tree/locked/inside", "x");
    make_sparse("tree/sparse");
    assert_int_equal(symlink("/somewhere/" LONG "/" LONG, link), 0);
    assert_int_equal(link == NULL || linkat(AT_FDCWD, file, AT_FDCWD, other, 0), 0);
    auto_close int fd = open(odd, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    setxattr(file, "user.note", "v\0w", 3, 0);
    assert_int_equal(chmod(file, 0751), 0);
    set_time("tree/file", 1500000000, 123456789);
    set_time("tree/empty", -2, 250000000);
    set_time("tree/link", 1400000000, 5);
    assert_int_equal(chmod(locked, 0500), 0);
    set_time("tree/locked", 1300000000, 7);
}

static void open_locked(const char *name)
{
    auto_free char *path = place(name);
    chmod(path, 0700);
}

static void assert_same_stat(const char *a, const char *b)
{
    struct stat left = look(a);
    struct stat right = look(b);
    assert_int_equal(left.st_mode, right.st_mode);
    assert_int_equal(left.st_size, S_ISDIR(left.st_mode) ? left.st_size : right.st_size);
    assert_int_equal(left.st_mtim.tv_sec, right.st_mtim.tv_sec);
    assert_int_equal(left.st_mtim.tv_nsec, right.st_mtim.tv_nsec);
}

static void assert_tree(const char *root)
{
    static const char *const names[] = {
        "file", "empty", "link", "locked", "sub/" LONG, "sparse", "odd\xff\nname", "locked/inside"};
    for (size_t i = 0; i < array_length(names); i++) {
        auto_free char *from = memory_printf("tree/%s", names[i]);
        auto_free char *to = memory_printf("%s/%s", root, names[i]);
        assert_same_stat(from, to);
    }
    auto_free char *file = memory_printf("%s/file", root);
    auto_free char *other = memory_printf("%s/sub/other-name", root);
    auto_free char *sparse = memory_printf("%s/sparse", root);
    auto_free char *link = memory_printf("%s/%s/link", scratch, root);
    auto_free char *content = scratch_read(scratch, file);
    assert_string_equal(content, "content\n");
    assert_int_equal(look(file).st_ino, look(other).st_ino);
    assert_true(look(sparse).st_blocks <= look("tree/sparse").st_blocks);
    char target[4096] = "";
    assert_true(readlink(link, target, sizeof target - 1) > 0);
    assert_string_equal(target, "/somewhere/" LONG "/" LONG);
    auto_free char *left = place("tree/sparse");
    auto_free char *right = place(sparse);
    run((const char *const[]){"cmp", left, right, NULL});
}

static void a_tree_comes_out_as_it_went_in(void **state)
{
    (void)state;
    char value[8];
    make_tree();
    make_dir("out");
    auto_done(text) struct text stream = {0};
    pack("tree", &stream);
    assert_true(stream.len < 512 << 10); /* holes are not sent */
    static const size_t pieces[] = {1, 511, 513, 1 << 20};
    for (size_t i = 0; i < array_length(pieces); i++) {
        struct tree_failure failure;
        auto_free char *root = memory_printf("out/%zu", i);
        if (!take_in_pieces(root, "tree", &plain, stream.data, stream.len, pieces[i], &failure)) {
            fail_msg("%s", failure.text);
        }
        assert_tree(root);
        auto_free char *file = memory_printf("%s/%s/file", scratch, root);
        auto_free char *locked = memory_printf("%s/locked", root);
        auto_free char *original = place("tree/file");
        if (getxattr(original, "user.note", value, sizeof value) == 3) {
            assert_int_equal(getxattr(file, "user.note", value, sizeof value), 3);
            assert_memory_equal(value, "v\0w", 3);
        }
        open_locked(locked);
    }
    open_locked("tree/locked");
}

static void places_are_found_as_cp_finds_them(void **state)
{
    (void)state;
    scratch_write(scratch, "src/a/b", "1");
    scratch_write(scratch, "file", "2");
    make_dir("there");
    copy("src", "there");      /* into a directory that is there */
    copy("src", "new");        /* under a new name */
    copy("src/.", "contents"); /* what is in it, into a new directory */
    copy("src/a/.", "there");  /* and into one that is there */
    copy("file", "there");
    copy("file", "there/named");
    copy("file", "new/a/b"); /* a file is replaced */
    assert_true(scratch_has(scratch, "there/src/a/b"));
    assert_true(scratch_has(scratch, "contents/a/b"));
    assert_true(scratch_has(scratch, "there/b"));
    auto_free char *replaced = scratch_read(scratch, "new/a/b");
    auto_free char *named = scratch_read(scratch, "there/named");
    assert_string_equal(replaced, "2");
    assert_string_equal(named, "2");

    struct tree_failure failure;
    auto_done(text) struct text stream = {0};
    pack("file", &stream);
    assert_false(take_in_pieces("no/such", "file", &plain, stream.data, stream.len, 99, &failure));
    assert_int_equal(failure.error, ENOENT);
    assert_false(take_in_pieces("slash/", "file", &plain, stream.data, stream.len, 99, &failure));
    assert_int_equal(failure.error, ENOTDIR);
    assert_false(take_in_pieces("there/src", "a", &plain, stream.data, stream.len, 99, &failure));
    assert_int_equal(failure.fault, TREE_FAULT_FORMAT);
    static const char *const absent[] = {"/no/such/file", "/absent", "./absent", "absent"};
    for (size_t i = 0; i < array_length(absent); i++) {
        assert_null(tree_pack_open(absent[i], false, &failure));
        assert_non_null(strstr(failure.text, absent[i]));
    }
    assert_int_equal(failure.error, ENOENT);
}

static void a_link_is_copied_and_a_slash_follows_it(void **state)
{
    (void)state;
    auto_free char *link = place("link");
    scratch_write(scratch, "src/f", "1");
    make_dir("out");
    assert_int_equal(symlink("src", link), 0);
    copy("link", "out");
    copy("link/", "out/followed");
    assert_true(S_ISLNK(look("out/link").st_mode));
    assert_true(scratch_has(scratch, "out/followed/f"));
}

static void tar_understands_us_and_we_understand_tar(void **state)
{
    (void)state;
    static const char *const formats[] = {"gnu", "pax", "ustar", "v7"};
    make_tree();
    auto_done(text) struct text stream = {0};
    struct error err = {0};
    auto_free char *archive = place("archive.tar");
    auto_free char *out = place("by-tar");
    pack("tree", &stream);
    make_dir("by-tar");
    assert_true(file_replace(AT_FDCWD, archive, stream.data, stream.len, 0600, &err));
    run((const char *const[]){"tar", "-x", "-p", "-f", archive, "-C", out, NULL});
    assert_tree("by-tar/tree");
    open_locked("by-tar/tree/locked");
    for (size_t i = 0; i < 3; i++) {
        auto_free char *format = memory_printf("--format=%s", formats[i]);
        auto_free char *to = memory_printf("from-%s", formats[i]);
        auto_done(text) struct text theirs = {0};
        bool is_pax = strcmp(formats[i], "pax") == 0;
        /* ustar cannot say what these need */
        run((const char *const[]){"tar", "-c", format, is_pax ? "--sparse" : "--no-recursion",
            is_pax ? "--totals" : "--recursion", "--exclude=tree/link", "-f", archive, "-C",
            scratch, strcmp(formats[i], "ustar") == 0 ? "tree/file" : "tree", NULL});
        assert_true(file_read_all(AT_FDCWD, archive, 64 << 20, &theirs, &err));
        make_dir(to);
        take(to, NULL, &theirs);
        auto_free char *file = memory_printf("%s/tree/file", to);
        auto_free char *far = memory_printf("%s/tree/sub/" LONG, to);
        auto_free char *sparse = memory_printf("%s/tree/sparse", to);
        auto_free char *content = scratch_read(scratch, file);
        assert_string_equal(content, "content\n");
        if (i < 2) {
            auto_free char *locked = memory_printf("%s/tree/locked", to);
            assert_true(scratch_has(scratch, far));
            assert_int_equal(look(sparse).st_size, 3 << 20);
            open_locked(locked);
        }
        if (is_pax) {
            auto_free char *left = place("tree/sparse");
            auto_free char *right = place(sparse);
            run((const char *const[]){"cmp", left, right, NULL});
        }
    }
    open_locked("tree/locked");
}

/* ---- streams that mean harm ------------------------------------------------------------------- */

static void put_checksum(char *block)
{
    unsigned sum = 0;
    memset(block + 148, ' ', 8);
    for (unsigned i = 0; i < 512; i++) {
        sum += (unsigned char)block[i];
    }
    snprintf(block + 148, 8, "%06o", sum & 0777777);
}

static void add_member(
    struct text *stream, char type, const char *name, const char *link, const char *data)
{
    char block[512] = {0};
    snprintf(block, 100, "%s", name);
    snprintf(block + 100, 24, "%07o", 0644);
    snprintf(block + 108, 8, "%07o", 0);
    snprintf(block + 116, 8, "%07o", 0);
    snprintf(block + 124, 12, "%011o", (unsigned)strlen(data));
    snprintf(block + 136, 12, "%011o", 1);
    block[156] = type;
    snprintf(block + 157, 100, "%s", link);
    memcpy(block + 257, "ustar", 6);
    memcpy(block + 263, "00", 2);
    snprintf(block + 329, 8, "%07o", 0);
    snprintf(block + 337, 8, "%07o", 0);
    put_checksum(block);
    text_append_bytes(stream, block, sizeof block);
    if (*data != '\0') {
        char padded[512] = {0};
        snprintf(padded, sizeof padded, "%s", data);
        text_append_bytes(stream, padded, sizeof padded);
    }
}

static void end_stream(struct text *stream)
{
    static const char zeros[1024];
    text_append_bytes(stream, zeros, sizeof zeros);
}

static void assert_refused(const struct text *stream, enum tree_fault fault)
{
    struct tree_failure failure;
    assert_false(take_in_pieces("dst", NULL, &plain, stream->data, stream->len, 100, &failure));
    assert_int_equal(failure.fault, fault);
    assert_true(failure.text[0] != '\0');
    auto_free char *outside = scratch_list(scratch, "outside");
    assert_string_equal(outside, "secret");
    auto_free char *secret = scratch_read(scratch, "outside/secret");
    assert_string_equal(secret, "kept");
}

static void nothing_leaves_the_directory(void **state)
{
    (void)state;
    static const struct {
        const char *name, *link, *second;
        char type;
    } rows[] = {
        {"../outside/new", "", NULL, '0'},
        {"a/../../outside/new", "", NULL, '0'},
        {"/tmp/banger-absolute", "", NULL, '0'},
        {"way", "../outside", "way/new", '2'},
        {"way", "../outside/secret", "way/new", '2'},
        {"way", ".", "way/../../outside/new", '2'},
        {"hard", "../outside/secret", NULL, '1'},
        {"dir/..", "", NULL, '5'},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text stream = {0};
        auto_free char *dst = place("dst");
        struct error err = {0};
        scratch_write(scratch, "outside/secret", "kept");
        make_dir("dst");
        add_member(&stream, rows[i].type, rows[i].name, rows[i].link, "");
        if (rows[i].second != NULL) {
            add_member(&stream, '0', rows[i].second, "", "evil");
        }
        end_stream(&stream);
        assert_refused(&stream, TREE_FAULT_FORMAT);
        assert_true(file_remove_tree(AT_FDCWD, dst, &err));
    }
}

static void a_file_is_never_written_through_a_link(void **state)
{
    (void)state;
    auto_done(text) struct text stream = {0};
    auto_free char *link = place("dst/f");
    scratch_write(scratch, "outside/secret", "kept");
    make_dir("dst");
    assert_int_equal(symlink("../outside/secret", link), 0);
    add_member(&stream, '0', "f", "", "new");
    add_member(&stream, '2', "g", "../outside/secret", "");
    add_member(&stream, '0', "g", "", "newer");
    end_stream(&stream);
    take("dst", NULL, &stream);
    auto_free char *secret = scratch_read(scratch, "outside/secret");
    auto_free char *f = scratch_read(scratch, "dst/f");
    auto_free char *g = scratch_read(scratch, "dst/g");
    assert_string_equal(secret, "kept");
    assert_string_equal(f, "new");
    assert_string_equal(g, "newer");
}

static void set_id_bits_and_nodes_need_root_at_both_ends(void **state)
{
    (void)state;
    auto_done(text) struct text stream = {0};
    struct tree_failure failure;
    make_dir("dst");
    add_member(&stream, '0', "f", "", "x");
    memcpy(stream.data + 100, "0006755", 7);
    put_checksum(stream.data);
    add_member(&stream, '3', "null", "", "");
    add_member(&stream, '6', "pipe", "", "");
    end_stream(&stream);
    auto_free char *dst = place("dst");
    struct tree_take *taking = tree_take_open(dst, NULL, &plain, &failure);
    assert_true(tree_take_feed(taking, stream.data, stream.len, &failure));
    assert_true(tree_take_finish(taking, &failure));
    assert_int_equal(tree_take_count(taking)->skipped, 2);
    assert_int_equal(tree_take_count(taking)->entries, 3);
    tree_take_free(taking);
    assert_int_equal(scratch_mode(scratch, "dst/f"), 0755);
    auto_free char *names = scratch_list(scratch, "dst");
    assert_string_equal(names, "f");
}

static void limits_hold(void **state)
{
    (void)state;
    struct tree_failure failure;
    auto_done(text) struct text many = {0};
    auto_done(text) struct text headers = {0};
    auto_done(text) struct text tail = {0};
    const struct tree_rules two = {.entries_max = 2, .bytes_max = 5};
    make_dir("dst");
    add_member(&many, '0', "a", "", "1");
    add_member(&many, '0', "b", "", "2");
    add_member(&many, '0', "c", "", "3");
    assert_false(take_in_pieces("dst", NULL, &two, many.data, many.len, 100, &failure));
    assert_int_equal(failure.fault, TREE_FAULT_LIMIT);
    text_done(&many);
    add_member(&many, '0', "a", "", "123456");
    assert_false(take_in_pieces("dst", NULL, &two, many.data, many.len, 100, &failure));
    assert_int_equal(failure.fault, TREE_FAULT_LIMIT);
    for (unsigned i = 0; i < 100; i++) { /* extended headers for ever */
        add_member(&headers, 'x', "x", "", "12 user.a=b\n");
    }
    assert_false(take_in_pieces("dst", NULL, &plain, headers.data, headers.len, 100, &failure));
    for (unsigned i = 0; i < 2000; i++) { /* an end that never comes */
        end_stream(&tail);
    }
    assert_false(take_in_pieces("dst", NULL, &plain, tail.data, tail.len, 9999, &failure));
    assert_false(take_in_pieces("dst", NULL, &plain, "", 0, 1, &failure));
}

/* Bytes changed at random: refused or taken, but nothing outside is touched. */
static void damaged_streams_do_no_harm(void **state)
{
    (void)state;
    unsigned seed = (unsigned)getpid();
    const char *all = getenv("BANGER_CHECK_ALL");
    unsigned rounds = all != NULL && strcmp(all, "yes") == 0 ? 20000 : 400;
    auto_done(text) struct text stream = {0};
    struct error err = {0};
    auto_free char *dst = place("dst");
    printf("seed %u, %u rounds\n", seed, rounds);
    make_tree();
    pack("tree", &stream);
    scratch_write(scratch, "outside/secret", "kept");
    for (unsigned i = 0; i < rounds; i++) {
        auto_free char *bytes = memory_alloc(stream.len);
        struct tree_failure failure;
        memcpy(bytes, stream.data, stream.len);
        for (unsigned j = 0; j <= (unsigned)rand_r(&seed) % 8; j++) {
            size_t at = (size_t)rand_r(&seed) % stream.len;
            bytes[at] = (char)rand_r(&seed);
            if (rand_r(&seed) % 2 == 0 && at / 512 * 512 + 512 <= stream.len) {
                put_checksum(bytes + at / 512 * 512);
            }
        }
        make_dir("dst");
        take_in_pieces("dst", "tree", &plain, bytes, stream.len, 3000, &failure);
        auto_free char *names = scratch_list(scratch, ".");
        assert_string_equal(names, "dst outside tree");
        assert_true(file_remove_tree(AT_FDCWD, dst, &err));
    }
    open_locked("tree/locked");
}

static void sockets_are_left_out(void **state)
{
    (void)state;
    auto_free char *path = place("src/s");
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct tree_failure failure;
    char bytes[4096];
    scratch_write(scratch, "src/f", "1");
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    auto_free char *from = place("src");
    struct tree_pack *packing = tree_pack_open(from, false, &failure);
    while (tree_pack_read(packing, bytes, sizeof bytes, &failure) > 0) {
    }
    assert_int_equal(tree_pack_count(packing)->skipped, 1);
    assert_int_equal(tree_pack_count(packing)->entries, 2);
    tree_pack_free(packing);
}

/* Its header has promised more: no zeros in the place of what is gone. */
static void a_file_that_becomes_shorter_is_no_copy(void **state)
{
    (void)state;
    char bytes[2048];
    struct tree_failure failure = {0};
    auto_free char *path = place("log");
    auto_free char *lines = memory_zero(100001, 1);
    memset(lines, 'x', 100000);
    scratch_write(scratch, "log", lines);
    struct tree_pack *packing = tree_pack_open(path, false, &failure);
    assert_non_null(packing);
    assert_int_equal(tree_pack_read(packing, bytes, sizeof bytes, &failure), sizeof bytes);
    assert_int_equal(truncate(path, 3000), 0);
    ssize_t got;
    while ((got = tree_pack_read(packing, bytes, sizeof bytes, &failure)) > 0) {
    }
    assert_int_equal(got, -1);
    assert_int_equal(failure.error, ESTALE);
    assert_non_null(strstr(failure.text, "log became shorter while it was copied"));
    tree_pack_free(packing);
}

#define tree_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        tree_test(a_tree_comes_out_as_it_went_in),
        tree_test(places_are_found_as_cp_finds_them),
        tree_test(a_link_is_copied_and_a_slash_follows_it),
        tree_test(tar_understands_us_and_we_understand_tar),
        tree_test(nothing_leaves_the_directory),
        tree_test(a_file_is_never_written_through_a_link),
        tree_test(set_id_bits_and_nodes_need_root_at_both_ends),
        tree_test(limits_hold),
        tree_test(damaged_streams_do_no_harm),
        tree_test(sockets_are_left_out),
        tree_test(a_file_that_becomes_shorter_is_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
