/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "artifact/hash.h"
#include "artifact/http.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/progress.h"
#include "support/scratch.h"
#include "support/web_server.h"

#define BLOB_LEN ((size_t)3 << 20)
#define PART "blob.part"

/* What the tests have in common. */
struct world {
    struct web_server server;
    struct web_server tls; /* pid 0 when there is no openssl */
    char *certificates;    /* directory */
    unsigned char *blob;
    struct http_blob expected;
    char *directory;
    int dir;
    struct limits limits;
};

/* One call and everything it gave. */
struct fetch {
    struct http_request request;
    const char *part;
    struct http_result result;
    struct error err;
    int fd;
    struct cancel *cancel;
    char *urls[4];
    const char *shown_urls[4];
    uint64_t cancel_at; /* bytes */
    uint64_t cancelled_at_ms;
    uint64_t last_done, last_total;
    struct text notes;
    struct digest digest_found;
    bool has_digest_found;
    unsigned mismatches;
    atomic_bool *is_waiting;             /* set with the first note; NULL */
    const struct web_server *lets_go_of; /* what is held there goes on with the first note; NULL */
};

static void see_progress(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    struct fetch *fetch = context;
    assert_int_equal(unit, PROGRESS_BYTES);
    if (phase == PROGRESS_DOWNLOAD) {
        fetch->last_done = done;
        fetch->last_total = total;
    }
    if (fetch->cancel_at != 0 && done >= fetch->cancel_at) {
        fetch->cancelled_at_ms = clock_monotonic_ms();
        cancel_request(fetch->cancel);
    }
}

static void see_note(void *context, const char *sentence)
{
    struct fetch *fetch = context;
    text_printf(&fetch->notes, "%s\n", sentence);
    if (fetch->is_waiting != NULL) {
        atomic_store(fetch->is_waiting, true);
    }
    if (fetch->lets_go_of != NULL) {
        web_server_put(fetch->lets_go_of, "go", "", 0);
    }
}

static void see_digest(void *context, const struct digest *expected, const struct digest *found)
{
    struct fetch *fetch = context;
    assert_non_null(expected);
    if (found != NULL) {
        fetch->digest_found = *found;
        fetch->has_digest_found = true;
        fetch->mismatches += !digest_equal(expected, found);
    }
}

/* Prepares a fetch of what these paths of the server give; the second may be NULL. */
static void fetch_init(
    struct fetch *fetch, const struct world *world, const char *path, const char *mirror)
{
    *fetch = (struct fetch){.fd = -1, .part = PART, .cancel = cancel_new()};
    const char *paths[] = {path, mirror};
    for (size_t i = 0; i < array_length(paths) && paths[i] != NULL; i++) {
        fetch->urls[i] = strstr(paths[i], "://") != NULL || paths[i][0] == ':'
                             ? memory_strdup(paths[i])
                             : web_server_url(&world->server, paths[i]);
        fetch->shown_urls[i] = fetch->urls[i];
        fetch->request.url_count++;
    }
    fetch->request.urls = fetch->shown_urls;
    fetch->request.expected = world->expected;
    fetch->request.settings.limits = &world->limits;
    fetch->request.settings.backoff_ms = 1;
}

static bool fetch_run(struct fetch *fetch, const struct world *world)
{
    struct progress progress = {
        .context = fetch, .report = see_progress, .note = see_note, .digest = see_digest};
    return http_download(world->dir, fetch->part, &fetch->request, &progress, fetch->cancel,
        &fetch->fd, &fetch->result, &fetch->err);
}

static void fetch_done(struct fetch *fetch)
{
    for (size_t i = 0; i < array_length(fetch->urls); i++) {
        free(fetch->urls[i]);
    }
    http_result_done(&fetch->result);
    text_done(&fetch->notes);
    cancel_free(fetch->cancel);
    if (fetch->fd >= 0) {
        close(fetch->fd);
    }
}

static void assert_is_blob(const struct world *world, int fd)
{
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    struct digest found;
    struct error err = {0};
    assert_true(hash_fd(fd, "blob", NULL, NULL, &found, &err));
    assert_true(digest_equal(&found, &world->expected.digest));
}

static uint64_t part_size(const struct world *world)
{
    struct stat status;
    return fstatat(world->dir, PART, &status, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)status.st_size
                                                                        : UINT64_MAX;
}

static void assert_nothing_left(const struct world *world)
{
    auto_done(strings) struct strings names = {0};
    struct error err = {0};
    assert_true(file_list(world->dir, ".", &names, &err));
    if (names.count > 0) {
        fail_msg("left behind: %s", names.items[0]);
    }
}

/* Fetches and expects the blob; what the server was asked stays in its log. */
static void expect_blob(const struct world *world, const char *path)
{
    struct fetch fetch;
    fetch_init(&fetch, world, path, NULL);
    if (!fetch_run(&fetch, world)) {
        fail_msg("%s: %s", path, fetch.err.text);
    }
    assert_is_blob(world, fetch.fd);
    assert_int_equal(fetch.result.size_bytes, BLOB_LEN);
    struct error err = {0};
    assert_true(http_part_remove(world->dir, PART, fetch.fd, &err));
    assert_nothing_left(world);
    fetch_done(&fetch);
}

/* Fetches and expects this failure, with a sentence that names the URL's path, and nothing left. */
static void expect_failure(const struct world *world, const char *path, enum error_code code)
{
    struct fetch fetch;
    fetch_init(&fetch, world, path, NULL);
    if (fetch_run(&fetch, world)) {
        fail_msg("%s: fetched", path);
    }
    if (fetch.err.code != code || strstr(fetch.err.text, "blob") == NULL) {
        fail_msg("%s: %s: %s", path, error_code_name(fetch.err.code), fetch.err.text);
    }
    assert_int_equal(fetch.fd, -1);
    assert_null(fetch.result.fetched_from);
    assert_nothing_left(world);
    fetch_done(&fetch);
}

/* --- plain fetching --- */

static void a_blob_arrives(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    assert_true(fetch_run(&fetch, world));
    assert_is_blob(world, fetch.fd);
    assert_string_equal(fetch.result.fetched_from, fetch.urls[0]);
    assert_int_equal(fetch.result.downloaded_bytes, BLOB_LEN);
    assert_int_equal(fetch.result.resumed_bytes, 0);
    assert_false(fetch.result.was_shared);
    assert_int_equal(fetch.last_done, BLOB_LEN);
    assert_int_equal(fetch.last_total, BLOB_LEN);
    assert_true(fetch.has_digest_found);
    auto_done(strings) struct strings names = {0};
    assert_true(file_list(world->dir, ".", &names, &fetch.err));
    assert_int_equal(names.count, 1);
    struct stat status;
    assert_int_equal(fstatat(world->dir, PART, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    fetch_done(&fetch);
}

/* However it comes, no byte of an earlier request is counted: none is asked for once more. */
static void a_large_blob_takes_no_more_requests_than_it_must(void **state)
{
    static const struct {
        const char *path;
        enum error_code code;
        uint64_t requests;
    } cases[] = {{"blob-large", ERROR_NONE, 1}, {"cut=5000000/blob-large", ERROR_NONE, 2},
        {"first=1+etag=none+cut=5100000/blob-large", ERROR_NONE, 2},
        {"first=1+etag=weak+cut=100000/blob-large", ERROR_NONE, 2},
        {"first=1+flip=9000000/blob-large", ERROR_NONE, 2},
        {"flip=4999999/blob-large", ERROR_DIGEST, 2}};
    struct world large = *(const struct world *)*state;
    const size_t len = 3 * BLOB_LEN;
    auto_free unsigned char *bytes = memory_alloc(len);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (unsigned char)(large.blob[i % BLOB_LEN] + i / BLOB_LEN);
    }
    hash_bytes(bytes, len, &large.expected.digest);
    large.expected.size_bytes = len;
    web_server_put(&large.server, "blob-large", bytes, len);
    for (size_t i = 0; i < array_length(cases); i++) {
        struct fetch fetch;
        fetch_init(&fetch, &large, cases[i].path, NULL);
        web_server_forget_log(&large.server);
        fetch_run(&fetch, &large);
        if (fetch.err.code != cases[i].code) {
            fail_msg("%s: %s", cases[i].path, fetch.err.text);
        }
        assert_int_equal(web_server_count(&large.server, "\"method\""), cases[i].requests);
        if (fetch.fd >= 0) {
            assert_is_blob(&large, fetch.fd);
            assert_true(http_part_remove(large.dir, PART, fetch.fd, &fetch.err));
        }
        assert_nothing_left(&large);
        fetch_done(&fetch);
    }
}

static void what_servers_may_do(void **state)
{
    const struct world *world = *state;
    expect_blob(world, "chunked/blob");
    expect_blob(world, "no-length/blob");
    expect_blob(world, "no-length+etag=none/blob");
    expect_blob(world, "redirect=10/blob");
    expect_blob(world, "redirect=host/blob");
    expect_blob(world, "headers=20/blob");
    expect_blob(world, "etag=twice/blob");
}

static void nothing_but_identity_is_asked_for(void **state)
{
    const struct world *world = *state;
    expect_blob(world, "blob");
    assert_int_equal(web_server_count(&world->server, "\"accept-encoding\": \"identity\""), 1);
    assert_int_equal(web_server_count(&world->server, "authorization"), 0);
}

static void an_unknown_size_is_found(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "no-length/blob", NULL);
    fetch.request.expected.size_bytes = 0;
    assert_true(fetch_run(&fetch, world));
    assert_int_equal(fetch.result.size_bytes, BLOB_LEN);
    assert_int_equal(fetch.last_total, 0);
    fetch_done(&fetch);
}

static void a_local_file(void **state)
{
    const struct world *world = *state;
    auto_free char *url = memory_printf("file://%s/root/%%62lob", world->server.directory);
    expect_blob(world, url);
    auto_free char *missing = memory_printf("file://%s/root/no-blob", world->server.directory);
    expect_failure(world, missing, ERROR_NOT_FOUND);
    struct fetch fetch;
    fetch_init(&fetch, world, "file:///", NULL);
    assert_false(fetch_run(&fetch, world));
    assert_int_equal(fetch.err.code, ERROR_FORMAT);
    fetch_done(&fetch);
}

/* --- refusals --- */

static void statuses_have_their_codes(void **state)
{
    const struct world *world = *state;
    expect_failure(world, "404/blob", ERROR_NOT_FOUND);
    expect_failure(world, "410/blob", ERROR_NOT_FOUND);
    expect_failure(world, "401/blob", ERROR_AUTH);
    expect_failure(world, "403/blob", ERROR_AUTH);
    expect_failure(world, "407/blob", ERROR_AUTH);
    expect_failure(world, "400/blob", ERROR_NETWORK);
    expect_failure(world, "204/blob", ERROR_NETWORK);
    expect_failure(world, "304/blob", ERROR_NETWORK);
    expect_failure(world, "416/blob", ERROR_NETWORK);
    /* None of them is worth a second try. */
    assert_int_equal(web_server_count(&world->server, "\"method\""), 9);
}

static void transient_statuses_are_tried_again(void **state)
{
    const struct world *world = *state;
    static const char *const paths[] = {"408/blob", "429/blob", "500/blob", "502/blob", "503/blob",
        "504/blob", "522/blob", "close/blob"};
    for (size_t i = 0; i < array_length(paths); i++) {
        web_server_forget_log(&world->server);
        expect_failure(world, paths[i], ERROR_NETWORK);
        assert_int_equal(web_server_count(&world->server, "\"method\""), world->limits.retries + 1);
    }
    expect_blob(world, "first=2+503/blob");
}

static void a_refused_connection(void **state)
{
    const struct world *world = *state;
    /* Port 1 of loopback: nobody listens there. */
    expect_failure(world, "http://127.0.0.1:1/blob", ERROR_NETWORK);
}

static void retry_after_is_waited_for(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "first=1+503+retry-after=1/blob", NULL);
    uint64_t before_ms = clock_monotonic_ms();
    assert_true(fetch_run(&fetch, world));
    assert_true(clock_monotonic_ms() - before_ms >= 900);
    assert_non_null(strstr(text_cstr(&fetch.notes), "trying again"));
    fetch_done(&fetch);
}

static void lying_sizes(void **state)
{
    const struct world *world = *state;
    expect_failure(world, "length=12/blob", ERROR_DIGEST);
    expect_failure(world, "short=1/blob", ERROR_DIGEST);
    expect_failure(world, "length=99999999999/blob", ERROR_DIGEST);
    expect_failure(world, "short=1+chunked+etag=none/blob", ERROR_NETWORK);
    expect_failure(world, "endless/blob", ERROR_DIGEST);
}

static void a_flipped_bit(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "flip=1000000/blob", NULL);
    assert_false(fetch_run(&fetch, world));
    assert_int_equal(fetch.err.code, ERROR_DIGEST);
    char hex[DIGEST_HEX_LEN + 1];
    assert_non_null(strstr(fetch.err.text, digest_format(&world->expected.digest, hex)));
    assert_true(fetch.has_digest_found);
    assert_non_null(strstr(fetch.err.text, digest_format(&fetch.digest_found, hex)));
    assert_non_null(strstr(fetch.err.text, fetch.urls[0]));
    assert_non_null(strstr(fetch.err.text, "3145728"));
    assert_nothing_left(world);
    /* Once more and no oftener. */
    assert_int_equal(web_server_count(&world->server, "\"method\""), 2);
    fetch_done(&fetch);
    expect_blob(world, "first=1+flip=5/blob");
}

static void a_forgotten_digest_matches_nothing(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    fetch.request.expected = (struct http_blob){0};
    assert_false(fetch_run(&fetch, world));
    assert_int_equal(fetch.err.code, ERROR_DIGEST);
    assert_nothing_left(world);
    fetch_done(&fetch);
}

static void content_codings_are_refused(void **state)
{
    const struct world *world = *state;
    expect_failure(world, "gzip/blob", ERROR_FORMAT);
    expect_failure(world, "fake-gzip/blob", ERROR_FORMAT);
}

/* Somebody else began anew under the name while this blob was being unpacked. */
static void a_part_of_somebody_else_is_not_removed(void **state)
{
    const struct world *world = *state;
    struct error err = {0};
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    assert_true(fetch_run(&fetch, world));
    assert_int_equal(unlinkat(world->dir, PART, 0), 0);
    static const char *const theirs[] = {PART, PART ".json", PART ".json.tmp-0123456789abcdef"};
    for (size_t i = 0; i < array_length(theirs); i++) {
        auto_close int fd = file_create(world->dir, theirs[i], &err);
        assert_true(fd >= 0);
    }
    assert_true(http_part_remove(world->dir, PART, fetch.fd, &err));
    for (size_t i = 0; i < array_length(theirs); i++) {
        assert_true(file_exists(world->dir, theirs[i]));
        assert_int_equal(unlinkat(world->dir, theirs[i], 0), 0);
    }
    fetch_done(&fetch);
}

static void a_signed_query_is_used_and_not_told(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "redirect=to:%2fblob%3fsignature=secret/blob?a=b", NULL);
    assert_true(fetch_run(&fetch, world));
    auto_free char *shown = web_server_url(&world->server, "blob");
    assert_string_equal(fetch.result.fetched_from, shown);
    assert_int_equal(web_server_count(&world->server, "\"/blob?signature=secret\""), 1);
    struct error err = {0};
    assert_true(http_part_remove(world->dir, PART, fetch.fd, &err));
    fetch_done(&fetch);
    fetch_init(&fetch, world, "redirect=to:%2f404%2fblob%3fsignature=secret/blob?a=b", NULL);
    assert_false(fetch_run(&fetch, world));
    assert_null(strstr(fetch.err.text, "secret"));
    fetch_done(&fetch);
}

static void redirects_that_are_refused(void **state)
{
    const struct world *world = *state;
    expect_failure(world, "redirect=loop/blob", ERROR_NETWORK);
    assert_int_equal(web_server_count(&world->server, "redirect=loop"), HTTP_REDIRECTS_MAX + 1);
    expect_failure(world, "redirect=11/blob", ERROR_NETWORK);
    expect_failure(world, "redirect=file/blob", ERROR_NETWORK);
    expect_failure(world, "redirect=userinfo/blob", ERROR_NETWORK);
    expect_failure(world, "redirect=nowhere/blob", ERROR_NETWORK);
    expect_failure(world, "redirect=to:ftp:%2f%2f127.0.0.1%2fblob/blob", ERROR_NETWORK);
}

static void what_is_not_http(void **state)
{
    const struct world *world = *state;
    expect_failure(world, "garbage/blob", ERROR_NETWORK);
    expect_failure(world, "headers=400/blob", ERROR_NETWORK);
    expect_failure(world, "ftp://127.0.0.1/blob", ERROR_INVALID);
    expect_failure(world, "://blob", ERROR_INVALID);
    expect_failure(world, "file://elsewhere/blob", ERROR_INVALID);
    expect_failure(world, "http://me:secret@127.0.0.1/blob", ERROR_INVALID);
}

static void the_cap_counts_bytes(void **state)
{
    struct world *world = *state;
    static const char *const paths[] = {"endless/blob", "blob", "chunked/blob", "no-length/blob"};
    uint64_t before = world->limits.download_bytes;
    world->limits.download_bytes = 1000000;
    for (size_t i = 0; i < array_length(paths); i++) {
        struct fetch fetch;
        fetch_init(&fetch, world, paths[i], NULL);
        fetch.request.expected.size_bytes = 0;
        assert_false(fetch_run(&fetch, world));
        assert_int_equal(fetch.err.code, ERROR_LIMIT);
        assert_true(fetch.last_done <= 1000000);
        assert_nothing_left(world);
        fetch_done(&fetch);
    }
    expect_failure(world, "blob", ERROR_LIMIT);
    world->limits.download_bytes = before;
}

/* Seconds are what is set, and a busy machine takes its time. */
#define STUCK_MOST_MS 60000

/* A transfer that does not get on, in a thread of its own. */
struct stuck {
    pthread_t id;
    const struct world *world;
    const char *path;
    uint64_t low_speed_bytes;
    struct error err;
    uint64_t took_ms;
};

static void *be_stuck(void *context)
{
    struct stuck *stuck = context;
    struct limits limits = stuck->world->limits;
    limits.retries = 0;
    limits.connect_seconds = 1;
    limits.low_speed_bytes = stuck->low_speed_bytes;
    struct fetch fetch;
    fetch_init(&fetch, stuck->world, stuck->path, NULL);
    auto_free char *part = memory_printf("%p.part", context);
    fetch.part = part;
    fetch.request.settings.limits = &limits;
    uint64_t before_ms = clock_monotonic_ms();
    fetch_run(&fetch, stuck->world);
    stuck->took_ms = clock_monotonic_ms() - before_ms;
    stuck->err = fetch.err;
    fetch_done(&fetch);
    return NULL;
}

static void stuck_transfers_end(void **state)
{
    struct stuck all[] = {
        {.path = "hang/blob", .low_speed_bytes = 1000},
        {.path = "hang-body=1000/blob", .low_speed_bytes = 1000},
        {.path = "drip/blob", .low_speed_bytes = 1000},
        {.path = "rate=100/blob", .low_speed_bytes = 1000},
        {.path = "hang-body=1000/blob", .low_speed_bytes = 0}, /* no lowest speed: silence */
    };
    for (size_t i = 0; i < array_length(all); i++) {
        all[i].world = *state;
        assert_int_equal(pthread_create(&all[i].id, NULL, be_stuck, &all[i]), 0);
    }
    for (size_t i = 0; i < array_length(all); i++) {
        pthread_join(all[i].id, NULL);
    }
    for (size_t i = 0; i < array_length(all); i++) {
        if (all[i].err.code != ERROR_NETWORK || all[i].took_ms > STUCK_MOST_MS) {
            fail_msg("%s: %llu ms: %s", all[i].path, (unsigned long long)all[i].took_ms,
                all[i].err.text);
        }
    }
}

static void a_full_disk_is_said_before(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    uint64_t free_bytes = 0;
    assert_true(file_free_space(world->dir, ".", &free_bytes, &fetch.err));
    struct limits generous = world->limits;
    generous.download_bytes = UINT64_MAX / 4;
    fetch.request.settings.limits = &generous;
    auto_free char *path = memory_printf(
        "length=%llu/blob", (unsigned long long)free_bytes + ((unsigned long long)1 << 30));
    free(fetch.urls[0]);
    fetch.shown_urls[0] = fetch.urls[0] = web_server_url(&world->server, path);
    fetch.request.expected.size_bytes = 0;
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_NO_SPACE);
    assert_nothing_left(world);
    fetch_done(&fetch);
}

/* --- going on --- */

static void a_cut_body_goes_on(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "first=1+cut=2000000/blob", NULL);
    assert_true(fetch_run(&fetch, world));
    assert_is_blob(world, fetch.fd);
    assert_int_equal(fetch.result.resumed_bytes, 2000000);
    assert_int_equal(fetch.result.downloaded_bytes, BLOB_LEN);
    assert_int_equal(web_server_count(&world->server, "\"range\": \"bytes=2000000-\""), 1);
    assert_int_equal(web_server_count(&world->server, "\"if-range\": \"\\\""), 1);
    fetch_done(&fetch);
}

static void without_a_strong_tag_it_begins_anew(void **state)
{
    const struct world *world = *state;
    static const char *const paths[] = {"first=1+etag=weak+cut=2000000/blob",
        "first=1+etag=none+cut=2000000/blob", "first=1+etag=twice+cut=2000000/blob"};
    for (size_t i = 0; i < array_length(paths); i++) {
        expect_blob(world, paths[i]);
    }
    assert_int_equal(web_server_count(&world->server, "\"range\""), 0);
}

/* Leaves a part with a strong tag behind, as a cancelled call does. */
static void leave_part(const struct world *world, const char *path, uint64_t len)
{
    struct fetch fetch;
    auto_free char *cut = memory_printf("hang-body=%llu/%s", (unsigned long long)len, path);
    fetch_init(&fetch, world, cut, NULL);
    fetch.cancel_at = len;
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_CANCELLED);
    assert_int_equal(part_size(world), len);
    fetch_done(&fetch);
    /* What was set aside for the rest is free again. */
    struct stat status;
    assert_int_equal(fstatat(world->dir, PART, &status, AT_SYMLINK_NOFOLLOW), 0);
    assert_true((uint64_t)status.st_blocks * 512 < len + ((uint64_t)256 << 10));
    web_server_forget_log(&world->server);
}

static void a_cancelled_call_is_taken_up_by_the_next(void **state)
{
    const struct world *world = *state;
    leave_part(world, "blob", 1234567);
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    assert_true(fetch_run(&fetch, world));
    assert_is_blob(world, fetch.fd);
    assert_int_equal(fetch.result.resumed_bytes, 1234567);
    assert_int_equal(fetch.result.downloaded_bytes, BLOB_LEN - 1234567);
    fetch_done(&fetch);
}

static void servers_that_are_bad_at_ranges(void **state)
{
    const struct world *world = *state;
    static const char *const paths[] = {"no-range/blob", "bad-range/blob", "lying-range/blob",
        "first=1+416/blob", "etag=changing/blob"};
    for (size_t i = 0; i < array_length(paths); i++) {
        leave_part(world, "blob", 1000000);
        expect_blob(world, paths[i]);
    }
    expect_failure(world, "force-range/blob", ERROR_NETWORK);
}

/* A range that is not the one asked for is known by its header, before a byte of it is taken. */
static void a_wrong_range_is_not_taken(void **state)
{
    const struct world *world = *state;
    static const char *const paths[] = {"bad-range/blob", "short-range/blob"};
    for (size_t i = 0; i < array_length(paths); i++) {
        leave_part(world, "blob", 1000000);
        struct fetch fetch;
        fetch_init(&fetch, world, paths[i], NULL);
        assert_true(fetch_run(&fetch, world));
        assert_int_equal(fetch.mismatches, 0);
        assert_int_equal(fetch.result.downloaded_bytes, BLOB_LEN);
        assert_int_equal(fetch.result.resumed_bytes, 0);
        struct error err = {0};
        assert_true(http_part_remove(world->dir, PART, fetch.fd, &err));
        fetch_done(&fetch);
    }
}

static void bytes_that_rotted_do_not_survive(void **state)
{
    const struct world *world = *state;
    leave_part(world, "blob", 1000000);
    auto_close int fd = openat(world->dir, PART, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "rot", 3, 500000), 3);
    expect_blob(world, "blob");
    assert_int_equal(web_server_count(&world->server, "\"method\""), 2);
}

static void what_is_beside_the_part_may_be_anything(void **state)
{
    const struct world *world = *state;
    static const char *const sidecars[] = {"", "{", "[]", "{\"format\":2,\"etag\":\"\\\"x\\\"\"}",
        "{\"etag\":\"W/\\\"x\\\"\"}", "{\"etag\":\"\\\"x\\r\\ny: z\\\"\"}", "{\"etag\":7}"};
    for (size_t i = 0; i < array_length(sidecars); i++) {
        leave_part(world, "blob", 1000000);
        scratch_write(world->directory, PART ".json", sidecars[i]);
        expect_blob(world, "blob");
        assert_int_equal(web_server_count(&world->server, "\"range\""), 0);
    }
}

static void a_complete_part_needs_no_network(void **state)
{
    const struct world *world = *state;
    struct error err = {0};
    assert_true(file_replace(world->dir, PART, world->blob, BLOB_LEN, 0600, &err));
    expect_blob(world, "http://127.0.0.1:1/blob");
    /* One byte more or one other is no complete part. */
    assert_true(file_replace(world->dir, PART, world->blob, BLOB_LEN - 1, 0600, &err));
    expect_blob(world, "blob");
    world->blob[7] ^= 1;
    assert_true(file_replace(world->dir, PART, world->blob, BLOB_LEN, 0600, &err));
    world->blob[7] ^= 1;
    expect_blob(world, "blob");
}

static void a_link_in_the_parts_place(void **state)
{
    const struct world *world = *state;
    assert_int_equal(symlinkat("elsewhere", world->dir, PART), 0);
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    assert_false(fetch_run(&fetch, world));
    assert_false(file_exists(world->dir, "elsewhere"));
    fetch_done(&fetch);
}

/* Nobody else may have a hand in what is proved and published. */
static void something_odd_in_the_parts_place(void **state)
{
    const struct world *world = *state;
    for (int how = 0; how < 2; how++) {
        struct fetch fetch;
        if (how == 0) {
            assert_int_equal(mkfifoat(world->dir, PART, 0600), 0);
        } else {
            auto_close int fd = openat(world->dir, PART, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
            assert_true(fd >= 0);
            if (fchown(fd, geteuid() + 1, (gid_t)-1) != 0) {
                assert_int_equal(unlinkat(world->dir, PART, 0), 0);
                break; /* only root can give files away */
            }
        }
        fetch_init(&fetch, world, "blob", NULL);
        assert_false(fetch_run(&fetch, world));
        assert_code(fetch.err, ERROR_PERMISSION);
        fetch_done(&fetch);
        assert_int_equal(unlinkat(world->dir, PART, 0), 0);
    }
}

static void mirrors_in_turn(void **state)
{
    const struct world *world = *state;
    static const char *const bad[] = {"404/blob", "503/blob", "flip=9/blob", "cut=900000/blob",
        "gzip/blob", "http://127.0.0.1:1/blob", "length=5/blob"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct fetch fetch;
        fetch_init(&fetch, world, bad[i], "ok/blob");
        if (!fetch_run(&fetch, world)) {
            fail_msg("%s: %s", bad[i], fetch.err.text);
        }
        assert_is_blob(world, fetch.fd);
        assert_string_equal(fetch.result.fetched_from, fetch.urls[1]);
        /* Which one is tried is shown. */
        assert_non_null(strstr(text_cstr(&fetch.notes), fetch.urls[0]));
        assert_non_null(strstr(text_cstr(&fetch.notes), fetch.urls[1]));
        struct error err = {0};
        assert_true(http_part_remove(world->dir, PART, fetch.fd, &err));
        fetch_done(&fetch);
    }
    struct fetch fetch;
    fetch_init(&fetch, world, "flip=1/blob", "404/blob");
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_DIGEST);
    fetch_done(&fetch);
}

/* --- cancelling and sharing --- */

/* How long the thread took that was told to stop. */
static uint64_t cancel_once(const struct world *world)
{
    struct fetch fetch;
    fetch_init(&fetch, world, "rate=400000/blob", NULL);
    fetch.cancel_at = 1;
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_CANCELLED);
    uint64_t took_ms = clock_monotonic_ms() - fetch.cancelled_at_ms;
    assert_true(part_size(world) > 0 && part_size(world) < BLOB_LEN);
    assert_false(http_part_is_held(world->dir, PART));
    fetch_done(&fetch);
    return took_ms;
}

/* The quickest of several: load may slow each of them down. */
static void cancel_within_a_second(void **state)
{
    uint64_t took_ms = UINT64_MAX;
    for (int attempt = 0; attempt < 5 && took_ms >= 1000; attempt++) {
        took_ms = cancel_once(*state);
    }
    assert_true(took_ms < 1000);
}

/* Bytes that keep coming make up for every failure before them: a line that breaks all the time
 * still brings a large file, one that brings nearly nothing does not. */
static void progress_makes_up_for_failures(void **state)
{
    const struct world *world = *state;
    struct world impatient = *world;
    impatient.limits.retries = 0;
    expect_blob(&impatient, "cut=1200000/blob");
    assert_int_equal(web_server_count(&world->server, "\"method\""), 3);
    struct fetch fetch;
    fetch_init(&fetch, &impatient, "cut=900000/blob", NULL);
    assert_false(fetch_run(&fetch, &impatient));
    assert_code(fetch.err, ERROR_NETWORK);
    assert_int_equal(part_size(world), 900000); /* and is gone on from the next time */
    fetch_done(&fetch);
}

/* A socket that nobody takes calls from: its queue is full, so connecting takes for ever. */
struct deaf {
    int listener, callers[2];
    char *url;
};

static void deaf_begin(struct deaf *deaf)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    deaf->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(deaf->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(deaf->listener, 0), 0);
    assert_int_equal(getsockname(deaf->listener, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < array_length(deaf->callers); i++) {
        deaf->callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(deaf->callers[i], (struct sockaddr *)&address, len);
    }
    deaf->url = memory_printf("http://127.0.0.1:%u/blob", ntohs(address.sin_port));
}

static void deaf_end(struct deaf *deaf)
{
    close(deaf->listener);
    for (size_t i = 0; i < array_length(deaf->callers); i++) {
        close(deaf->callers[i]);
    }
    free(deaf->url);
}

static void nobody_takes_the_call(void **state)
{
    struct world world = *(struct world *)*state;
    struct deaf deaf;
    deaf_begin(&deaf);
    world.limits.connect_seconds = 1;
    world.limits.retries = 0;
    struct fetch fetch;
    fetch_init(&fetch, &world, deaf.url, NULL);
    uint64_t start_ms = clock_monotonic_ms();
    assert_false(fetch_run(&fetch, &world));
    assert_code(fetch.err, ERROR_NETWORK);
    assert_in_range(clock_monotonic_ms() - start_ms, 900, 60000);
    assert_nothing_left(&world);
    fetch_done(&fetch);
    deaf_end(&deaf);
}

/* Asks the fetch to stop once the server was asked, or a little later where it never is. */
static void *stop_later(void *context)
{
    struct fetch *fetch = context;
    poll(NULL, 0, 300);
    fetch->cancelled_at_ms = clock_monotonic_ms();
    cancel_request(fetch->cancel);
    return NULL;
}

/* How long it took to stop. */
static uint64_t cancel_later(const struct world *world, const char *path)
{
    struct fetch fetch;
    fetch_init(&fetch, world, path, NULL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_later, &fetch), 0);
    assert_false(fetch_run(&fetch, world));
    uint64_t now_ms = clock_monotonic_ms();
    pthread_join(thread, NULL);
    if (fetch.err.code != ERROR_CANCELLED) {
        fail_msg("%s: %s", path, fetch.err.text);
    }
    assert_false(http_part_is_held(world->dir, PART));
    unlinkat(world->dir, PART, 0);
    unlinkat(world->dir, PART ".json", 0);
    uint64_t took_ms = now_ms - fetch.cancelled_at_ms;
    fetch_done(&fetch);
    return took_ms;
}

/* The quickest of several: load may slow each of them down. */
static void cancel_in_every_phase(void **state)
{
    struct deaf deaf;
    deaf_begin(&deaf);
    /* Connecting; waiting for an answer, for its header, for its body; between two tries. */
    const char *const paths[] = {deaf.url, "hang/blob", "drip/blob", "hang-body=1000/blob",
        "503+retry-after=30/blob", "redirect=to:%2fhang%2fblob/blob"};
    for (size_t i = 0; i < array_length(paths); i++) {
        uint64_t took_ms = UINT64_MAX;
        for (int attempt = 0; attempt < 5 && took_ms >= 1000; attempt++) {
            took_ms = cancel_later(*state, paths[i]);
        }
        if (took_ms >= 1000) {
            fail_msg("%s: stopped after %llu ms", paths[i], (unsigned long long)took_ms);
        }
    }
    deaf_end(&deaf);
}

static void a_part_that_cannot_be_resumed_is_not_kept(void **state)
{
    const struct world *world = *state;
    struct fetch fetch;
    fetch_init(&fetch, world, "hang-body=1000000+etag=none/blob", NULL);
    fetch.cancel_at = 1000000;
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_CANCELLED);
    assert_nothing_left(world);
    fetch_done(&fetch);
}

/* Runs a fetch in a process of its own; it holds the blob until told to end. */
static pid_t fetch_elsewhere(const struct world *world, const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct fetch fetch;
        fetch_init(&fetch, world, path, NULL);
        _exit(fetch_run(&fetch, world) ? 0 : 1);
    }
    while (!http_part_is_held(world->dir, PART)) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    }
    return pid;
}

static void two_processes_share_one_transfer(void **state)
{
    const struct world *world = *state;
    pid_t pid = fetch_elsewhere(world, "held=1000000/blob");
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    fetch.lets_go_of = &world->server;
    assert_true(fetch_run(&fetch, world));
    unlinkat(world->server.root, "go", 0);
    assert_is_blob(world, fetch.fd);
    assert_true(fetch.result.was_shared);
    assert_int_equal(fetch.result.downloaded_bytes, 0);
    auto_free char *note = memory_printf("being fetched by pid %d", (int)pid);
    assert_non_null(strstr(text_cstr(&fetch.notes), note));
    assert_int_equal(fetch.last_total, BLOB_LEN);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(web_server_count(&world->server, "\"method\""), 1);
    fetch_done(&fetch);
}

static void who_waited_goes_on_when_the_other_dies(void **state)
{
    const struct world *world = *state;
    pid_t pid = fetch_elsewhere(world, "hang-body=400000/blob");
    while (part_size(world) < 300000) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    }
    pid_t killer = fork();
    if (killer == 0) {
        usleep(100000);
        kill(pid, SIGKILL);
        _exit(0);
    }
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    assert_true(fetch_run(&fetch, world));
    assert_is_blob(world, fetch.fd);
    assert_false(fetch.result.was_shared);
    assert_true(fetch.result.resumed_bytes >= 300000);
    waitpid(pid, NULL, 0);
    waitpid(killer, NULL, 0);
    fetch_done(&fetch);
}

static void what_was_published_meanwhile_is_taken(void **state)
{
    const struct world *world = *state;
    struct fetch first;
    fetch_init(&first, world, "blob", NULL);
    assert_true(fetch_run(&first, world));
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(first.fd);
        close(ready[1]);
        struct fetch second;
        fetch_init(&second, world, "404/blob", NULL);
        bool is_fine = fetch_run(&second, world) && second.result.was_shared;
        _exit(is_fine ? 0 : 1);
    }
    close(ready[1]);
    char nothing;
    assert_int_equal(read(ready[0], &nothing, 1), 0);
    close(ready[0]);
    /* The child waits for the lock once it has a descriptor of the part again. */
    auto_free char *proc = memory_printf("/proc/%d/fd", (int)pid);
    for (bool is_open = false; !is_open;) {
        auto_done(strings) struct strings names = {0};
        struct error err = {0};
        assert_true(file_list(AT_FDCWD, proc, &names, &err));
        for (size_t i = 0; i < names.count; i++) {
            auto_free char *link = memory_printf("%s/%s", proc, names.items[i]);
            char target[512] = "";
            ssize_t len = readlink(link, target, sizeof target - 1);
            is_open = is_open || (len > 0 && strstr(target, PART) != NULL);
        }
    }
    assert_int_equal(unlinkat(world->dir, PART, 0), 0);
    fetch_done(&first);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_nothing_left(world);
}

struct thread {
    pthread_t id;
    const struct world *world;
    bool is_fine;
    bool was_shared;
    atomic_bool is_waiting;
};

static void *fetch_in_thread(void *context)
{
    struct thread *thread = context;
    struct fetch fetch;
    fetch_init(&fetch, thread->world, "rate=6000000/blob", NULL);
    fetch.is_waiting = &thread->is_waiting;
    thread->is_fine = fetch_run(&fetch, thread->world);
    thread->was_shared = fetch.result.was_shared;
    fetch_done(&fetch);
    return NULL;
}

static void who_waited_begins_anew_when_the_other_gave_up(void **state)
{
    const struct world *world = *state;
    struct error err = {0};
    assert_true(file_replace(world->dir, PART, "abc", 3, 0600, &err));
    int holder = openat(world->dir, PART, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(holder, LOCK_EX), 0);
    struct thread thread = {.world = world};
    assert_int_equal(pthread_create(&thread.id, NULL, fetch_in_thread, &thread), 0);
    while (!thread.is_waiting) {
        sched_yield();
    }
    assert_int_equal(unlinkat(world->dir, PART, 0), 0);
    close(holder);
    pthread_join(thread.id, NULL);
    assert_true(thread.is_fine);
    assert_false(thread.was_shared);
    assert_int_equal(part_size(world), BLOB_LEN);
}

static void waiting_can_be_cancelled(void **state)
{
    const struct world *world = *state;
    struct error err = {0};
    assert_true(file_replace(world->dir, PART, "abc", 3, 0600, &err));
    auto_close int holder = openat(world->dir, PART, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(holder, LOCK_EX), 0);
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    fetch.cancel_at = 1;
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_CANCELLED);
    assert_non_null(strstr(text_cstr(&fetch.notes), "another job"));
    assert_int_equal(part_size(world), 3);
    fetch_done(&fetch);
}

static void threads_share_one_transfer_too(void **state)
{
    struct thread threads[4];
    for (size_t i = 0; i < array_length(threads); i++) {
        threads[i] = (struct thread){.world = *state};
        assert_int_equal(pthread_create(&threads[i].id, NULL, fetch_in_thread, &threads[i]), 0);
    }
    unsigned shared = 0;
    for (size_t i = 0; i < array_length(threads); i++) {
        pthread_join(threads[i].id, NULL);
        assert_true(threads[i].is_fine);
        shared += threads[i].was_shared;
    }
    const struct world *world = *state;
    assert_int_equal(web_server_count(&world->server, "\"method\""), 1);
    /* Who came when all was done found it complete, without having waited. */
    assert_in_range(shared, 0, 3);
}

/* The limit of a file's size stands for a disk that fills up on the way. */
static void a_disk_that_fills_up(void **state)
{
    const struct world *world = *state;
    static const char *const paths[] = {"blob", "no-length/blob"};
    for (size_t i = 0; i < array_length(paths); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct rlimit limit = {.rlim_cur = 1000000, .rlim_max = 1000000};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &limit);
            struct fetch fetch;
            fetch_init(&fetch, world, paths[i], NULL);
            fetch.request.expected.size_bytes = 0;
            bool is_fetched = fetch_run(&fetch, world);
            _exit(!is_fetched && fetch.err.code == ERROR_NO_SPACE ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_false(http_part_is_held(world->dir, PART));
    }
    /* What was there by then is gone on from. */
    uint64_t size = part_size(world);
    assert_in_range(size, 1, 1000000);
    struct fetch fetch;
    fetch_init(&fetch, world, "blob", NULL);
    assert_true(fetch_run(&fetch, world));
    assert_int_equal(fetch.result.resumed_bytes, size);
    fetch_done(&fetch);
}

static void a_proxy_of_the_environment(void **state)
{
    const struct world *world = *state;
    auto_free char *proxy = web_server_url(&world->server, "");
    setenv("http_proxy", proxy, 1);
    expect_blob(world, "http://example.invalid/blob");
    assert_int_equal(web_server_count(&world->server, "http://example.invalid/blob"), 1);
    setenv("no_proxy", "127.0.0.1", 1);
    web_server_forget_log(&world->server);
    expect_blob(world, "blob");
    assert_int_equal(web_server_count(&world->server, "\"target\": \"/blob\""), 1);
    unsetenv("http_proxy");
    unsetenv("no_proxy");
}

/* --- small documents --- */

static bool get_small(const struct world *world, const char *path, uint64_t max_bytes,
    struct text *body, struct http_reply *reply, struct error *err)
{
    auto_free char *url = web_server_url(&world->server, path);
    struct http_small request = {.url = url,
        .max_bytes = max_bytes,
        .settings = {.limits = &world->limits, .backoff_ms = 1}};
    *err = (struct error){0};
    return http_get_small(&request, NULL, body, reply, err);
}

static void a_document_arrives(void **state)
{
    const struct world *world = *state;
    auto_done(text) struct text body = {0};
    struct error err;
    assert_true(get_small(world, "catalog.json", 100, &body, NULL, &err));
    assert_string_equal(text_cstr(&body), "{\"version\": 1}");
    assert_true(get_small(world, "first=2+503/catalog.json", 100, &body, NULL, &err));
    assert_string_equal(text_cstr(&body), "{\"version\": 1}");
    assert_true(get_small(world, "catalog.json", 14, &body, NULL, &err));
    assert_false(get_small(world, "catalog.json", 13, &body, NULL, &err));
    assert_code(err, ERROR_LIMIT);
    assert_int_equal(body.len, 0);
    assert_false(get_small(world, "endless/catalog.json", 100, &body, NULL, &err));
    assert_code(err, ERROR_LIMIT);
    assert_false(get_small(world, "404/catalog.json", 100, &body, NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    assert_false(get_small(world, "cut=3/catalog.json", 100, &body, NULL, &err));
    assert_code(err, ERROR_NETWORK);
    assert_int_equal(body.len, 0);
    assert_false(get_small(world, "gzip/catalog.json", 100, &body, NULL, &err));
    assert_code(err, ERROR_FORMAT);
}

static void an_answer_with_its_headers(void **state)
{
    const struct world *world = *state;
    auto_done(text) struct text body = {0};
    auto_done(http_reply) struct http_reply reply = {0};
    struct error err = {0};
    auto_free char *url = web_server_url(&world->server, "auth/catalog.json");
    struct http_small request = {.url = url,
        .max_bytes = 100,
        .is_any_status_ok = true,
        .settings = {.limits = &world->limits}};
    assert_true(http_get_small(&request, NULL, &body, &reply, &err));
    assert_int_equal(reply.status, 401);
    assert_string_equal(http_reply_header(&reply, "www-authenticate"), "Basic realm=\"test\"");
    assert_null(http_reply_header(&reply, "www"));
    http_reply_done(&reply);
    request.settings.authorization = "Bearer token";
    assert_true(http_get_small(&request, NULL, &body, &reply, &err));
    assert_int_equal(reply.status, 200);
    http_reply_done(&reply);
    request.is_head = true;
    assert_true(http_get_small(&request, NULL, &body, &reply, &err));
    assert_int_equal(body.len, 0);
    assert_string_equal(http_reply_header(&reply, "content-length"), "14");
}

static void credentials_stay_at_home(void **state)
{
    const struct world *world = *state;
    auto_done(text) struct text body = {0};
    struct error err = {0};
    auto_free char *url = web_server_url(&world->server, "redirect=host/catalog.json");
    struct http_small request = {.url = url,
        .max_bytes = 100,
        .settings = {.limits = &world->limits, .authorization = "Bearer token"}};
    assert_true(http_get_small(&request, NULL, &body, NULL, &err));
    assert_int_equal(web_server_count(&world->server, "\"authorization\": \"Bearer token\""), 1);
    assert_int_equal(web_server_count(&world->server, "\"host\": \"localhost:"), 1);

    web_server_forget_log(&world->server);
    auto_free char *same = web_server_url(&world->server, "redirect=2/catalog.json");
    request.url = same;
    assert_true(http_get_small(&request, NULL, &body, NULL, &err));
    assert_int_equal(web_server_count(&world->server, "\"authorization\": \"Bearer token\""), 3);

    web_server_forget_log(&world->server);
    auto_free char *with_user = memory_printf(
        "http://me:sec%%20ret@127.0.0.1:%u/redirect=host/catalog.json", world->server.port);
    request = (struct http_small){.url = with_user,
        .max_bytes = 100,
        .settings = {.limits = &world->limits, .is_userinfo_ok = true}};
    auto_done(http_reply) struct http_reply reply = {0};
    assert_true(http_get_small(&request, NULL, &body, &reply, &err));
    assert_int_equal(
        web_server_count(&world->server, "\"authorization\": \"Basic bWU6c2VjIHJldA==\""), 1);
    assert_int_equal(web_server_count(&world->server, "\"authorization\""), 1);
    assert_null(strstr(reply.fetched_from, "sec"));
}

static void a_form_is_posted(void **state)
{
    const struct world *world = *state;
    auto_done(text) struct text body = {0};
    struct error err = {0};
    auto_free char *url = web_server_url(&world->server, "catalog.json");
    struct http_small request = {.url = url,
        .max_bytes = 100,
        .form = "grant_type=refresh_token&scope=a%20b",
        .settings = {.limits = &world->limits}};
    assert_true(http_get_small(&request, NULL, &body, NULL, &err));
    assert_int_equal(web_server_count(&world->server, "grant_type=refresh_token&scope=a%20b"), 1);
}

static void a_local_document(void **state)
{
    const struct world *world = *state;
    auto_done(text) struct text body = {0};
    struct error err = {0};
    auto_free char *url = memory_printf("file:%s/root/catalog.json", world->server.directory);
    struct http_small request = {.url = url, .max_bytes = 100};
    assert_true(http_get_small(&request, NULL, &body, NULL, &err));
    assert_string_equal(text_cstr(&body), "{\"version\": 1}");
    request.max_bytes = 13;
    assert_false(http_get_small(&request, NULL, &body, NULL, &err));
    assert_code(err, ERROR_LIMIT);
}

/* --- TLS --- */

static char *tls_url(const struct world *world, const char *host, const char *path)
{
    return memory_printf("https://%s:%u/%s", host, world->tls.port, path);
}

static void only_a_trusted_server_is_asked(void **state)
{
    const struct world *world = *state;
    if (world->tls.pid == 0) {
        skip();
    }
    auto_free char *ca = memory_printf("%s/ca.pem", world->certificates);
    auto_free char *right = tls_url(world, "localhost", "blob");
    auto_free char *wrong_name = tls_url(world, "127.0.0.1", "blob");
    struct fetch fetch;
    fetch_init(&fetch, world, right, NULL);
    fetch.request.settings.ca_file = ca;
    assert_true(fetch_run(&fetch, world));
    struct error err = {0};
    assert_true(http_part_remove(world->dir, PART, fetch.fd, &err));
    fetch_done(&fetch);
    /* The system does not know the test's authority; the name must be the certificate's. */
    expect_failure(world, right, ERROR_NETWORK);
    fetch_init(&fetch, world, wrong_name, NULL);
    fetch.request.settings.ca_file = ca;
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_NETWORK);
    fetch_done(&fetch);
    fetch_init(&fetch, world, right, NULL);
    fetch.request.settings.ca_file = "/nonexistent/ca.pem";
    assert_false(fetch_run(&fetch, world));
    assert_code(fetch.err, ERROR_CONFIG);
    fetch_done(&fetch);
}

static void https_never_falls_to_http(void **state)
{
    const struct world *world = *state;
    if (world->tls.pid == 0) {
        skip();
    }
    auto_free char *ca = memory_printf("%s/ca.pem", world->certificates);
    /* A plain server would gladly answer there. */
    auto_free char *path =
        memory_printf("redirect=to:http:%%2f%%2f127.0.0.1:%u%%2fblob/blob", world->server.port);
    auto_free char *down = tls_url(world, "localhost", path);
    auto_free char *up_path = memory_printf(
        "redirect=to:https:%%2f%%2flocalhost:%u%%2fredirect=http%%2fblob/blob", world->tls.port);
    auto_free char *up_and_down = web_server_url(&world->server, up_path);
    const char *urls[] = {down, up_and_down};
    for (size_t i = 0; i < array_length(urls); i++) {
        struct fetch fetch;
        fetch_init(&fetch, world, urls[i], NULL);
        fetch.request.settings.ca_file = ca;
        assert_false(fetch_run(&fetch, world));
        assert_code(fetch.err, ERROR_NETWORK);
        assert_non_null(strstr(fetch.err.text, "https to plain http"));
        fetch_done(&fetch);
    }
    auto_free char *up =
        memory_printf("redirect=to:https:%%2f%%2flocalhost:%u%%2fblob/blob", world->tls.port);
    struct fetch fetch;
    fetch_init(&fetch, world, up, NULL);
    fetch.request.settings.ca_file = ca;
    assert_true(fetch_run(&fetch, world));
    fetch_done(&fetch);
}

/* --- the world --- */

static bool make_certificates(struct world *world)
{
    world->certificates = scratch_make();
    static const char request[] = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                                  "-nodes -days 2";
    auto_free char *command = memory_printf(
        "cd %s && exec 2>/dev/null && %s -x509 -keyout ca.key -out ca.pem -subj /CN=test-ca && "
        "%s -keyout key.pem -out csr.pem -subj /CN=localhost && "
        "echo subjectAltName=DNS:localhost >ext && openssl x509 -req -in csr.pem -CA ca.pem "
        "-CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem",
        world->certificates, request, request);
    return system(command) == 0;
}

static int make_world(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    struct world *world = memory_zero(1, sizeof *world);
    world->limits = limits_default;
    world->limits.retries = 2;
    world->limits.low_speed_seconds = 1;
    world->limits.connect_seconds = 2;
    world->blob = memory_alloc(BLOB_LEN);
    uint32_t random = 1;
    for (size_t i = 0; i < BLOB_LEN; i++) {
        random = random * 1664525U + 1013904223U;
        world->blob[i] = (unsigned char)(random >> 24);
    }
    hash_bytes(world->blob, BLOB_LEN, &world->expected.digest);
    world->expected.size_bytes = BLOB_LEN;
    web_server_start(&world->server, NULL);
    web_server_put(&world->server, "blob", world->blob, BLOB_LEN);
    web_server_put(&world->server, "catalog.json", "{\"version\": 1}", 14);
    if (make_certificates(world)) {
        auto_free char *cert = memory_printf("%s/cert.pem", world->certificates);
        auto_free char *key = memory_printf("%s/key.pem", world->certificates);
        const char *extra[] = {"--cert", cert, "--key", key, NULL};
        web_server_start(&world->tls, extra);
        web_server_put(&world->tls, "blob", world->blob, BLOB_LEN);
    }
    *state = world;
    return 0;
}

static int remove_world(void **state)
{
    struct world *world = *state;
    web_server_stop(&world->server);
    if (world->tls.pid != 0) {
        web_server_stop(&world->tls);
    }
    scratch_remove(world->certificates);
    free(world->blob);
    free(world);
    return 0;
}

static int enter(void **state)
{
    struct world *world = *state;
    world->directory = scratch_make();
    world->dir = open(world->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    web_server_forget_log(&world->server);
    return world->dir < 0;
}

static int leave(void **state)
{
    struct world *world = *state;
    close(world->dir);
    scratch_remove(world->directory);
    return 0;
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_blob_arrives),
        test(a_large_blob_takes_no_more_requests_than_it_must),
        test(what_servers_may_do),
        test(nothing_but_identity_is_asked_for),
        test(an_unknown_size_is_found),
        test(a_local_file),
        test(statuses_have_their_codes),
        test(transient_statuses_are_tried_again),
        test(a_refused_connection),
        test(retry_after_is_waited_for),
        test(lying_sizes),
        test(a_flipped_bit),
        test(a_forgotten_digest_matches_nothing),
        test(content_codings_are_refused),
        test(a_part_of_somebody_else_is_not_removed),
        test(a_signed_query_is_used_and_not_told),
        test(redirects_that_are_refused),
        test(what_is_not_http),
        test(the_cap_counts_bytes),
        test(stuck_transfers_end),
        test(a_full_disk_is_said_before),
        test(a_cut_body_goes_on),
        test(without_a_strong_tag_it_begins_anew),
        test(a_cancelled_call_is_taken_up_by_the_next),
        test(servers_that_are_bad_at_ranges),
        test(a_wrong_range_is_not_taken),
        test(bytes_that_rotted_do_not_survive),
        test(what_is_beside_the_part_may_be_anything),
        test(a_complete_part_needs_no_network),
        test(a_link_in_the_parts_place),
        test(something_odd_in_the_parts_place),
        test(mirrors_in_turn),
        test(progress_makes_up_for_failures),
        test(nobody_takes_the_call),
        test(cancel_within_a_second),
        test(cancel_in_every_phase),
        test(a_part_that_cannot_be_resumed_is_not_kept),
        test(two_processes_share_one_transfer),
        test(who_waited_goes_on_when_the_other_dies),
        test(what_was_published_meanwhile_is_taken),
        test(who_waited_begins_anew_when_the_other_gave_up),
        test(waiting_can_be_cancelled),
        test(threads_share_one_transfer_too),
        test(a_disk_that_fills_up),
        test(a_proxy_of_the_environment),
        test(a_document_arrives),
        test(an_answer_with_its_headers),
        test(credentials_stay_at_home),
        test(a_form_is_posted),
        test(a_local_document),
        test(only_a_trusted_server_is_asked),
        test(https_never_falls_to_http),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
