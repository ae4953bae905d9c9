/* SPDX-License-Identifier: MIT */
/* Every archive of tests/data/must-fail gets its verdict, and none of them changes anything outside
 * of its staging directory. BANGER_CHECK_ALL=yes takes the large ones along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "artifact/bundle.h"
#include "base/limits.h"
#include "base/process.h"
#include "support/no_openat2.h"
#include "support/scratch.h"

#define SELF "/proc/self/exe" /* see main */
#define SECONDS_MAX 10
#define RSS_MAX_KIB (256 * 1024)

/* One line of the index. */
struct row {
    char file[128], verdict[16], kind[16];
    uint64_t hardlinks, devices, fifos, xattrs;
};

struct corpus {
    char *path; /* archives, and the sentinels around the staging directories */
    struct strings lines;
    bool has_sanitizer, is_full;
    unsigned refused, accepted, wrong;
};

static void outside_is_untouched(const struct corpus *corpus, const char *file)
{
    auto_free char *names = scratch_list(corpus->path, "world");
    auto_free char *sentinel = scratch_read(corpus->path, "world/vmlinux");
    auto_free char *other = scratch_read(corpus->path, "world/other/manifest.json");
    if (strcmp(names, "other staging vmlinux") != 0 || !sentinel || !other ||
        strcmp(sentinel, "untouched") != 0 || strcmp(other, "untouched") != 0 ||
        access("/tmp/probe", F_OK) == 0) {
        fail_msg("%s changed something outside", file);
    }
}

static bool parse_row(const char *line, struct row *row)
{
    return sscanf(line, "%127s %15s %15s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, row->file,
               row->verdict, row->kind, &row->hardlinks, &row->devices, &row->fifos,
               &row->xattrs) == 7;
}

static bool has_counts(const struct row *row, const struct bundle_report *report)
{
    return report->skipped_hardlinks == row->hardlinks && report->skipped_devices == row->devices &&
           report->skipped_fifos == row->fifos && report->skipped_xattrs == row->xattrs;
}

/* Processor time of this process and its children: what others do on the machine does not count. */
static uint64_t used_ms(void)
{
    uint64_t sum = 0;
    static const int who[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    for (size_t i = 0; i < array_length(who); i++) {
        struct rusage usage;
        assert_int_equal(getrusage(who[i], &usage), 0);
        sum += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000;
        sum += (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    }
    return sum;
}

/* Extracts one archive into a fresh directory and compares with what the index says. */
static void judge(struct corpus *corpus, const struct row *row, const char *self_path)
{
    struct error err = {0};
    struct error none = {0};
    struct limits limits = limits_default;
    auto_done(bundle_report) struct bundle_report report = {0};
    auto_free char *archive = memory_printf("%s/%s", corpus->path, row->file);
    auto_free char *stage = memory_printf("%s/world/staging", corpus->path);
    limits.expanded_bytes = (uint64_t)64 << 20;
    limits.entries = 5000;
    assert_int_equal(mkdir(stage, 0700), 0);
    auto_close int staging = file_open_dir(AT_FDCWD, stage, &none);
    auto_close int blob = file_open_read(AT_FDCWD, archive, &none);
    assert_fine(none);
    uint64_t start = used_ms();
    bool is_accepted = bundle_extract(blob, staging,
        strcmp(row->kind, "image") == 0 ? BUNDLE_IMAGE : BUNDLE_KERNEL, &limits, self_path, NULL,
        NULL, &report, &err);
    uint64_t took_ms = used_ms() - start;
    bool is_wanted = strcmp(row->verdict, "accept") == 0;
    bool is_content = err.code == ERROR_FORMAT || err.code == ERROR_LIMIT;
    if (is_accepted != is_wanted || (!is_accepted && !is_content)) {
        print_message("%s: wanted %s, got %s %s\n", row->file, row->verdict,
            is_accepted ? "accepted" : error_code_name(err.code), err.text);
        corpus->wrong++;
    } else if (is_accepted && !has_counts(row, &report)) {
        print_message("%s: wrong count of skipped members\n", row->file);
        corpus->wrong++;
    } else if (took_ms > SECONDS_MAX * 1000 && !corpus->has_sanitizer) {
        print_message("%s: took %" PRIu64 " ms\n", row->file, took_ms);
        corpus->wrong++;
    }
    *(is_wanted ? &corpus->accepted : &corpus->refused) += 1;
    outside_is_untouched(corpus, row->file);
    assert_true(file_remove_tree(AT_FDCWD, stage, &none));
}

static void judge_all(struct corpus *corpus, const char *self_path, size_t step)
{
    corpus->refused = corpus->accepted = corpus->wrong = 0;
    for (size_t i = 0; i < corpus->lines.count; i += step) {
        struct row row;
        assert_true(parse_row(corpus->lines.items[i], &row));
        judge(corpus, &row, self_path);
    }
    print_message("%u archives to refuse, %u to accept, %u wrong\n", corpus->refused,
        corpus->accepted, corpus->wrong);
    assert_int_equal(corpus->wrong, 0);
}

static void verdicts_in_this_process(void **state)
{
    struct corpus *corpus = *state;
    struct rusage usage;
    judge_all(corpus, NULL, 1);
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    if (!corpus->has_sanitizer && usage.ru_maxrss > RSS_MAX_KIB) {
        fail_msg("reading them took %ld KiB", usage.ru_maxrss);
    }
}

/* Starting a process for each is most of the time, so a plain run takes some of them. */
static void verdicts_in_the_child(void **state)
{
    struct corpus *corpus = *state;
    judge_all(corpus, SELF, corpus->is_full ? 1 : corpus->has_sanitizer ? 20 : 5);
}

/* The writer's other way, for kernels without openat2: the same verdicts. */
static void verdicts_without_openat2(void **state)
{
    struct corpus *corpus = *state;
    pid_t pid = fork();
    if (pid == 0) {
        if (!no_openat2()) {
            _exit(77);
        }
        judge_all(corpus, NULL, corpus->is_full ? 1 : corpus->has_sanitizer ? 20 : 8);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Makes the archives; without Python or zstd there is nothing to judge. */
static bool make_corpus(struct corpus *corpus)
{
    struct error err = {0};
    auto_free char *maker = memory_printf("%s/tests/support/make_bundle.py", getenv("SRCDIR"));
    const char *argv[] = {
        "python3", "-B", maker, "corpus", corpus->path, corpus->is_full ? "--full" : NULL, NULL};
    auto_done(text) struct text complaint = {0};
    auto_free char *python = process_find("python3");
    auto_free char *zstd = process_find("zstd");
    int status = -1;
    if (!python || !zstd) {
        return false;
    }
    if (!process_run(argv, 600000, 8192, NULL, NULL, &complaint, &status, &err) || status != 0) {
        fail_msg("cannot make the archives: %s%s", err.text, text_cstr(&complaint));
    }
    auto_free char *index = scratch_read(corpus->path, "index");
    assert_non_null(index);
    strings_split(&corpus->lines, index, "\n");
    return true;
}

static int setup(void **state)
{
    struct corpus *corpus = memory_zero(1, sizeof *corpus);
    const char *sanitizers = getenv("SANITIZERS");
    const char *all = getenv("BANGER_CHECK_ALL");
    corpus->has_sanitizer = sanitizers && strcmp(sanitizers, "no") != 0;
    corpus->is_full = all && strcmp(all, "yes") == 0;
    corpus->path = scratch_make();
    *state = corpus;
    if (!make_corpus(corpus)) {
        scratch_remove(corpus->path);
        exit(77);
    }
    scratch_write(corpus->path, "world/vmlinux", "untouched");
    scratch_write(corpus->path, "world/other/manifest.json", "untouched");
    return 0;
}

static int teardown(void **state)
{
    struct corpus *corpus = *state;
    strings_done(&corpus->lines);
    scratch_remove(corpus->path);
    free(corpus);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], BUNDLE_CHILD_OPTION) == 0) {
        return bundle_child_main(argc, argv);
    }
    if (!getenv("SRCDIR")) {
        fputs("SRCDIR is not set: run this by make check\n", stderr);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_in_this_process),
        cmocka_unit_test(verdicts_in_the_child),
        cmocka_unit_test(verdicts_without_openat2),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
