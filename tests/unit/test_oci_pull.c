/* SPDX-License-Identifier: MIT */
/* Pulling from tests/support/registry.py: what comes from a good registry, and what becomes of
 * every way it can be bad. */
#include "artifact/oci_pull.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "artifact/blob_cache.h"
#include "artifact/hash.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "support/web_server.h"

/* One server for all tests: its repositories do not know each other. */
static struct web_server server;

struct world {
    char path[64];
    struct limits limits;
    struct oci_settings settings;
};

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    strcpy(world->path, "/tmp/banger-test-XXXXXX");
    assert_non_null(mkdtemp(world->path));
    struct error err = {0};
    auto_close int top = file_open_dir(AT_FDCWD, world->path, &err);
    assert_true(file_make_dirs(top, "blobs", &err) && file_make_dirs(top, "downloads", &err));
    world->limits = limits_default;
    world->limits.retries = 2;
    world->settings = (struct oci_settings){
        .blobs_dir = file_open_dir(top, "blobs", &err),
        .downloads_dir = file_open_dir(top, "downloads", &err),
        .limits = &world->limits,
        .platform = "linux/amd64",
        .backoff_ms = 1,
    };
    web_server_forget_log(&server);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    close(world->settings.blobs_dir);
    close(world->settings.downloads_dir);
    assert_true(file_remove_tree(AT_FDCWD, world->path, &err));
    free(world);
    return 0;
}

/* Reference of the repository whose name says how it behaves; caller frees. */
static char *reference_of(const char *words)
{
    return memory_printf("127.0.0.1:%u/t/%s", server.port, words);
}

static bool pull(struct world *world, const char *words, struct oci_image *image, struct error *err)
{
    auto_free char *reference = reference_of(words);
    return oci_pull(&world->settings, reference, NULL, NULL, image, err);
}

/* Every layer is in the cache, of its digest and size. */
static void check_blobs(const struct world *world, const struct oci_image *image)
{
    for (size_t i = 0; i < image->layer_count; i++) {
        const struct oci_layer *layer = &image->layers[i];
        const struct oci_descriptor blob = {layer->digest, layer->size_bytes};
        struct error err = {0};
        struct digest found;
        assert_true(blob_cache_has(world->settings.blobs_dir, &blob));
        auto_close int fd = blob_cache_open(world->settings.blobs_dir, &layer->digest, &err);
        assert_true(hash_fd(fd, "blob", NULL, NULL, &found, &err));
        assert_true(digest_equal(&found, &layer->digest));
    }
}

static void must_pull(struct world *world, const char *words)
{
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    if (!pull(world, words, &image, &err)) {
        fail_msg("%s: %s", words, err.text);
    }
    assert_true(image.layer_count >= 3);
    check_blobs(world, &image);
}

static const char *const good[] = {"plain", "docker", "index", "docker.index", "nested", "redirect",
    "token", "token.redirect.index", "twice", "empty", "many", "busy", "cut", "nodigest",
    "token.shortlived", "sametoken"};

static void test_good_registries(void **state)
{
    for (size_t i = 0; i < array_length(good); i++) {
        must_pull(*state, good[i]);
        struct world *world = *state;
        struct blob_cache_tally tally;
        struct error err = {0};
        assert_true(blob_cache_prune(world->settings.blobs_dir, false, &tally, &err));
        assert_true(tally.blobs >= 4);
        auto_done(strings) struct strings parts = {0};
        assert_true(file_list(world->settings.downloads_dir, ".", &parts, &err));
        assert_int_equal(parts.count, 0);
    }
}

static void test_what_is_known_of_an_image(void **state)
{
    struct world *world = *state;
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    assert_true(pull(world, "index", &image, &err));
    auto_free char *reference = memory_printf("127.0.0.1:%u/t/index:latest", server.port);
    assert_string_equal(image.reference, reference);
    assert_int_equal(image.layer_count, 3);
    assert_int_equal(image.layers[0].compression, OCI_LAYER_GZIP);
    assert_int_equal(image.layers[1].compression, OCI_LAYER_TAR);
    assert_int_equal(image.layers[2].compression, OCI_LAYER_ZSTD);
    assert_true(digest_equal(&image.layers[1].digest, &image.layers[1].diff_id));
    assert_string_equal(image.architecture, "amd64");
    assert_string_equal(image.run.entrypoint.items[0], "/bin/entry");
    assert_int_equal(image.run.cmd.count, 2);
    assert_string_equal(image.run.workdir, "/srv");
    assert_string_equal(image.run.user, "33:33");
    assert_false(digest_equal(&image.pinned_digest, &image.manifest_digest));
    /* The image holds its blobs. */
    struct blob_cache_tally tally;
    assert_false(blob_cache_prune(world->settings.blobs_dir, false, &tally, &err));
    assert_int_equal(err.code, ERROR_BUSY);
}

static void test_nothing_is_fetched_twice(void **state)
{
    struct world *world = *state;
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    must_pull(world, "index");
    assert_true(web_server_count(&server, "/blobs/") == 4);
    web_server_forget_log(&server);
    assert_true(pull(world, "index", &image, &err));
    assert_int_equal(web_server_count(&server, "/blobs/"), 0);
    assert_int_equal(web_server_count(&server, "/manifests/"), 1);
    /* By digest nobody is asked at all. */
    web_server_forget_log(&server);
    char hex[DIGEST_HEX_LEN + 1];
    auto_free char *pinned =
        memory_printf("127.0.0.1:1/t/index@sha256:%s", digest_format(&image.pinned_digest, hex));
    auto_done(oci_image) struct oci_image again = {0};
    assert_true(oci_pull(&world->settings, pinned, NULL, NULL, &again, &err));
    assert_string_equal(again.reference, pinned);
    assert_true(digest_equal(&again.manifest_digest, &image.manifest_digest));
}

/* What the reference promises is what it is, whatever a server says about it. */
static void test_a_digest_is_kept_to(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    char hex[DIGEST_HEX_LEN + 1];
    struct blob_cache_tally tally;
    {
        auto_done(oci_image) struct oci_image image = {0};
        assert_true(pull(world, "nodigest", &image, &err));
        digest_format(&image.pinned_digest, hex);
    }
    assert_true(blob_cache_prune(world->settings.blobs_dir, false, &tally, &err));
    auto_free char *honest = memory_printf("nodigest@sha256:%s", hex);
    auto_free char *lying = memory_printf("nodigest.wrongmanifest@sha256:%s", hex);
    auto_done(oci_image) struct oci_image image = {0};
    assert_false(pull(world, lying, &image, &err));
    assert_int_equal(err.code, ERROR_DIGEST);
    error_clear(&err);
    assert_true(pull(world, honest, &image, &err));
}

static void test_a_cut_layer_is_gone_on_with(void **state)
{
    struct world *world = *state;
    must_pull(world, "cut.redirect");
    assert_true(web_server_count(&server, "\"range\": \"bytes=") >= 3);
}

struct bad {
    const char *words;
    enum error_code code;
};

static const struct bad bad[] = {
    {"absent", ERROR_NOT_FOUND},
    {"gone", ERROR_NOT_FOUND},
    {"wrongmanifest.index", ERROR_DIGEST},
    {"liedigest", ERROR_DIGEST},
    {"wrongmanifest", ERROR_DIGEST},
    {"wrongconfig", ERROR_DIGEST},
    {"wronglayer", ERROR_DIGEST},
    {"wronglayer.redirect", ERROR_DIGEST},
    {"longsize", ERROR_DIGEST},
    {"shortsize", ERROR_DIGEST},
    {"twosizes", ERROR_DIGEST},
    {"twosizesfirst", ERROR_DIGEST},
    {"emptylie", ERROR_DIGEST},
    {"lietype", ERROR_FORMAT},
    {"html", ERROR_FORMAT},
    {"coded", ERROR_FORMAT},
    {"both", ERROR_FORMAT},
    {"junk", ERROR_FORMAT},
    {"big", ERROR_LIMIT},
    {"schema", ERROR_UNSUPPORTED},
    {"index.noplatform", ERROR_UNSUPPORTED},
    {"index.attestations", ERROR_UNSUPPORTED},
    {"arm", ERROR_UNSUPPORTED},
    {"deep", ERROR_FORMAT},
    {"magic", ERROR_FORMAT},
    {"nolayers", ERROR_FORMAT},
    {"unknownlayer", ERROR_FORMAT},
    {"fewids", ERROR_FORMAT},
    {"user", ERROR_FORMAT},
    {"forever", ERROR_NETWORK},
    {"loop", ERROR_NETWORK},
    {"tofile", ERROR_NETWORK},
    {"token.private", ERROR_AUTH},
    {"token.bounce", ERROR_NETWORK},
    {"token.notoken", ERROR_AUTH},
    {"token.bigtoken", ERROR_LIMIT},
    {"token.hugetoken", ERROR_LIMIT},
    {"token.linetoken", ERROR_FORMAT},
    {"token.endless", ERROR_AUTH},
    {"linklocal", ERROR_AUTH},
    {"fileplace", ERROR_AUTH},
    {"userinfo", ERROR_AUTH},
    {"basic", ERROR_AUTH},
    {"oddscheme", ERROR_AUTH},
    {"brokenquote", ERROR_AUTH},
};

static void empty_directory(int dir)
{
    struct error err = {0};
    auto_done(strings) struct strings names = {0};
    assert_true(file_list(dir, ".", &names, &err));
    for (size_t i = 0; i < names.count; i++) {
        assert_true(file_remove_tree(dir, names.items[i], &err));
    }
}

/* Layers that came before another one failed are right, and would be taken from the cache; so is
 * the part of one that had come whole when all were stopped. */
static void empty_cache(const struct world *world)
{
    empty_directory(world->settings.blobs_dir);
    empty_directory(world->settings.downloads_dir);
}

static void test_bad_registries(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < array_length(bad); i++) {
        empty_cache(world);
        auto_done(oci_image) struct oci_image image = {0};
        struct error err = {0};
        if (pull(world, bad[i].words, &image, &err)) {
            fail_msg("%s was pulled", bad[i].words);
        }
        if (err.code != bad[i].code) {
            fail_msg("%s: %s: %s", bad[i].words, error_code_name(err.code), err.text);
        }
        assert_null(image.reference);
        assert_null(strstr(err.text, "signature=secret"));
        /* Nothing wrong got its name. */
        auto_done(strings) struct strings names = {0};
        struct error ignored = {0};
        assert_true(file_list(world->settings.blobs_dir, ".", &names, &ignored));
        for (size_t j = 0; j < names.count; j++) {
            struct digest name, found;
            if (digest_parse(names.items[j], &name)) {
                auto_close int fd = blob_cache_open(world->settings.blobs_dir, &name, &ignored);
                assert_true(hash_fd(fd, "blob", NULL, NULL, &found, &ignored));
                assert_true(digest_equal(&found, &name));
            }
        }
        struct blob_cache_tally tally;
        assert_true(blob_cache_prune(world->settings.blobs_dir, false, &tally, &ignored));
    }
    assert_int_equal(web_server_count(&server, "other"), 0);
}

/* What docker login leaves behind, for the registry as it is named in references. */
static void log_in(struct world *world, const char *entry)
{
    struct error err = {0};
    auto_free char *file = memory_printf("%s/auth.json", world->path);
    auto_free char *json = memory_printf("{\"auths\":{\"127.0.0.1:%u\":{%s}}}", server.port, entry);
    assert_true(file_replace(AT_FDCWD, file, json, strlen(json), 0600, &err));
}

#define USER_AND_PASSWORD "\"auth\":\"dXNlcjp0aGUtcGFzc3dvcmQ=\""

static void test_credentials_go_where_they_belong(void **state)
{
    struct world *world = *state;
    auto_free char *file = memory_printf("%s/auth.json", world->path);
    const char *const files[] = {"/nonexistent/auth.json", file, NULL};
    world->settings.auth_files = files;
    log_in(world, USER_AND_PASSWORD);
    must_pull(world, "basic");
    must_pull(world, "sametoken.private.redirect");
    assert_int_equal(web_server_count(&server, "the-password"), 0);
    log_in(world, "\"identitytoken\":\"the-identity-token\"");
    must_pull(world, "sametoken.private.x");
    assert_true(web_server_count(&server, "refresh_token=the-identity-token") > 0);
    log_in(world, "\"auth\":\"dXNlcjp3cm9uZw==\"");
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    assert_false(pull(world, "basic.x", &image, &err));
    assert_int_equal(err.code, ERROR_AUTH);
    assert_null(strstr(err.text, "wrong"));
    assert_null(strstr(err.text, "d3Jvbmc"));
}

/* The realm is another host: it gets no password, and storage gets no token. */
static void test_no_secret_reaches_another_host(void **state)
{
    struct world *world = *state;
    auto_free char *file = memory_printf("%s/auth.json", world->path);
    const char *const files[] = {file, NULL};
    world->settings.auth_files = files;
    log_in(world, USER_AND_PASSWORD ",\"identitytoken\":\"the-identity-token\"");
    must_pull(world, "token.redirect.index");
    auto_free char *log = web_server_log(&server);
    unsigned tokens = 0;
    unsigned fetches = 0;
    char *rest = NULL;
    for (char *line = strtok_r(log, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const bool is_token = strstr(line, "\"role\": \"token\"") != NULL;
        const bool is_storage = strstr(line, "\"role\": \"storage\"") != NULL;
        tokens += is_token;
        fetches += is_storage;
        if (is_token || is_storage) {
            assert_non_null(strstr(line, "\"authorization\": null"));
            assert_null(strstr(line, "identity-token"));
        }
    }
    assert_int_equal(tokens, 1);
    assert_int_equal(fetches, 4);
}

static void test_mirrors_come_first_and_may_fail(void **state)
{
    struct world *world = *state;
    auto_free char *good_mirror = memory_printf("http://127.0.0.1:%u/mirror", server.port);
    auto_free char *bad_mirror = memory_printf("http://127.0.0.1:%u/broken.absent", server.port);
    auto_free char *liar = memory_printf("http://127.0.0.2:1/");
    const struct oci_mirror mirrors[] = {
        {"registry.invalid", liar}, {"registry.invalid", good_mirror}};
    world->settings.mirrors = mirrors;
    world->settings.mirror_count = 2;
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    if (!oci_pull(&world->settings, "registry.invalid/t/plain:latest", NULL, NULL, &image, &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(image.reference, "registry.invalid/t/plain:latest");
    assert_true(web_server_count(&server, "/v2/mirror/t/plain/manifests/latest") == 1);
    /* A mirror that has it not is no reason to fail. */
    auto_free char *host = memory_printf("127.0.0.1:%u", server.port);
    auto_free char *reference = reference_of("plain.y");
    const struct oci_mirror broken[] = {{host, bad_mirror}};
    world->settings.mirrors = broken;
    world->settings.mirror_count = 1;
    oci_image_done(&image);
    assert_true(oci_pull(&world->settings, reference, NULL, NULL, &image, &err));
    /* Plain http to somebody who was not named. */
    const struct oci_mirror plain[] = {{"registry.invalid", "http://mirror.invalid"}};
    world->settings.mirrors = plain;
    struct oci_image none = {0};
    assert_false(oci_pull(&world->settings, "registry.invalid/t/plain", NULL, NULL, &none, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
}

/* The threads turn to the registry itself all at once. */
static void test_a_mirror_without_blobs(void **state)
{
    struct world *world = *state;
    auto_free char *url = memory_printf("http://127.0.0.1:%u/noblobs", server.port);
    auto_free char *host = memory_printf("127.0.0.1:%u", server.port);
    const struct oci_mirror mirrors[] = {{host, url}};
    world->settings.mirrors = mirrors;
    world->settings.mirror_count = 1;
    must_pull(world, "many.z");
    assert_int_equal(web_server_count(&server, "/v2/noblobs/t/many.z/manifests/latest"), 1);
    assert_int_equal(web_server_count(&server, "/v2/t/many.z/manifests/latest"), 0);
    assert_int_equal(web_server_count(&server, "/v2/t/many.z/blobs/"), 16);
}

#define PULLERS 8

/* Half of them want the same image, the others one each. */
static void test_many_processes_at_once(void **state)
{
    struct world *world = *state;
    pid_t pids[PULLERS];
    for (int i = 0; i < PULLERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            auto_free char *words =
                i % 2 == 0 ? memory_strdup("many.p") : memory_printf("redirect.p%d", i);
            struct oci_image image = {0};
            struct error err = {0};
            if (!pull(world, words, &image, &err)) {
                fprintf(stderr, "%s: %s\n", words, err.text);
                _exit(1);
            }
            _exit(0);
        }
        assert_true(pids[i] > 0);
    }
    for (int i = 0; i < PULLERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    must_pull(world, "many.p");
    auto_done(strings) struct strings parts = {0};
    struct error err = {0};
    assert_true(file_list(world->settings.downloads_dir, ".", &parts, &err));
    assert_int_equal(parts.count, 0);
}

static void test_a_tag_is_resolved_by_head(void **state)
{
    struct world *world = *state;
    static const char *const words[] = {"index", "nodigest", "token.index"};
    for (size_t i = 0; i < array_length(words); i++) {
        auto_done(oci_image) struct oci_image image = {0};
        auto_done(oci_resolution) struct oci_resolution resolution = {0};
        struct error err = {0};
        assert_true(pull(world, words[i], &image, &err));
        web_server_forget_log(&server);
        auto_free char *reference = reference_of(words[i]);
        assert_true(oci_resolve(&world->settings, reference, NULL, &resolution, &err));
        assert_true(digest_equal(&resolution.digest, &image.pinned_digest));
        assert_string_equal(resolution.reference, image.reference);
        bool is_counted = web_server_count(&server, "\"GET\", \"path\": \"/v2/t/") > 0;
        assert_true(is_counted == (i == 1));
    }
}

/* Asks for a stop as soon as the first bytes of a layer are there. */
static void stop_at_once(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    (void)unit;
    (void)total;
    if (phase == PROGRESS_DOWNLOAD && done > 0) {
        cancel_request(context);
    }
}

static void test_a_stop_ends_all_threads(void **state)
{
    struct world *world = *state;
    struct cancel *cancel = cancel_new();
    const struct progress progress = {.context = cancel, .report = stop_at_once};
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    /* The config is slow as well: it must be there already. */
    must_pull(world, "many");
    struct blob_cache_tally tally;
    assert_true(blob_cache_prune(world->settings.blobs_dir, false, &tally, &err));
    auto_free char *reference = reference_of("many");
    assert_false(oci_pull(&world->settings, reference, &progress, cancel, &image, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_true(blob_cache_prune(world->settings.blobs_dir, true, &tally, &err));
    assert_true(tally.blobs < 15);
    cancel_free(cancel);
    /* One that was asked for before does not begin. */
    cancel = cancel_new();
    cancel_request(cancel);
    error_clear(&err);
    assert_false(oci_pull(&world->settings, reference, NULL, cancel, &image, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    cancel_free(cancel);
}

static void keep_furthest(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    (void)unit;
    uint64_t *furthest = context;
    if (phase == PROGRESS_DOWNLOAD) {
        assert_true(done <= total);
        *furthest = done == total ? done : *furthest;
    }
}

static void test_progress_is_of_all_layers_together(void **state)
{
    struct world *world = *state;
    uint64_t furthest = 0;
    const struct progress progress = {.context = &furthest, .report = keep_furthest};
    auto_done(oci_image) struct oci_image image = {0};
    struct error err = {0};
    auto_free char *reference = reference_of("many");
    assert_true(oci_pull(&world->settings, reference, &progress, NULL, &image, &err));
    assert_int_equal(furthest, image.layers_bytes);
}

static bool is_there(const struct world *world, const struct oci_layer *layer)
{
    const struct oci_descriptor blob = {layer->digest, layer->size_bytes};
    return blob_cache_has(world->settings.blobs_dir, &blob);
}

/* The oldest layer is held back by its server: all others can be read meanwhile. */
static void test_layers_are_read_while_older_ones_come(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_free char *reference = reference_of("many.held");
    auto_done(oci_image) struct oci_image image = {0};
    auto_oci_pull struct oci_pull *pull =
        oci_pull_begin(&world->settings, reference, NULL, NULL, &image, &err);
    assert_non_null(pull);
    assert_int_equal(image.layer_count, 15);
    for (size_t i = image.layer_count; --i > 0;) {
        assert_true(oci_pull_wait(pull, i, &err));
        assert_true(is_there(world, &image.layers[i]));
    }
    assert_false(is_there(world, &image.layers[0]));
    web_server_put(&server, "go", "", 0);
    assert_true(oci_pull_wait(pull, 0, &err));
    assert_true(oci_pull_finish(pull, &err));
    check_blobs(world, &image);
    assert_int_equal(unlinkat(server.root, "go", 0), 0);
}

/* Lets the held layer go when nobody has said for long that it is over. */
static void *let_go_late(void *context)
{
    sem_t *is_over = context;
    struct timespec late;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &late), 0);
    late.tv_sec += 20;
    int status = 0;
    while ((status = sem_timedwait(is_over, &late)) != 0 && errno == EINTR) {
    }
    if (status != 0) {
        web_server_put(&server, "go", "", 0);
    }
    return NULL;
}

/* Whoever reads may give up at any time: the end does not wait for what is still to come. */
static void test_an_end_stops_what_still_comes(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_free char *reference = reference_of("many.held");
    auto_done(oci_image) struct oci_image image = {0};
    struct oci_pull *pull = oci_pull_begin(&world->settings, reference, NULL, NULL, &image, &err);
    assert_non_null(pull);
    assert_true(oci_pull_wait(pull, image.layer_count - 1, &err));
    sem_t is_over;
    pthread_t thread;
    assert_int_equal(sem_init(&is_over, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, let_go_late, &is_over), 0);
    oci_pull_end(pull);
    assert_int_equal(sem_post(&is_over), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    bool has_come = is_there(world, &image.layers[0]);
    unlinkat(server.root, "go", 0);
    assert_false(has_come);
    /* Nobody holds it any more. */
    struct blob_cache_tally tally;
    oci_image_done(&image);
    assert_true(blob_cache_prune(world->settings.blobs_dir, false, &tally, &err));
    assert_true(tally.blobs > 0);
}

static void test_a_bad_layer_fails_who_waits_for_any(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_free char *reference = reference_of("wronglayer.held");
    auto_done(oci_image) struct oci_image image = {0};
    auto_oci_pull struct oci_pull *pull =
        oci_pull_begin(&world->settings, reference, NULL, NULL, &image, &err);
    assert_non_null(pull);
    /* The newest is wrong; the oldest will never come, since the failure stops it. */
    assert_false(oci_pull_wait(pull, 0, &err));
    assert_int_equal(err.code, ERROR_DIGEST);
    error_clear(&err);
    assert_false(oci_pull_wait(pull, 2, &err));
    assert_int_equal(err.code, ERROR_DIGEST);
    error_clear(&err);
    assert_false(oci_pull_finish(pull, &err));
    assert_int_equal(err.code, ERROR_DIGEST);
}

/* What both sides said, and never at the same time. */
struct told {
    uint64_t downloaded, extracted;
    bool has_extracted_early;
    bool is_inside;
};

static void note_told(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    struct told *told = context;
    (void)unit;
    assert_false(told->is_inside);
    told->is_inside = true;
    if (phase == PROGRESS_EXTRACT) {
        told->extracted = done;
        told->has_extracted_early |= told->downloaded < total;
    } else if (phase == PROGRESS_DOWNLOAD) {
        told->downloaded = done;
    }
    told->is_inside = false;
}

static void test_reading_is_told_of_once_all_is_here(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    struct told told = {0};
    const struct progress progress = {.context = &told, .report = note_told};
    auto_free char *reference = reference_of("many.held");
    auto_done(oci_image) struct oci_image image = {0};
    auto_oci_pull struct oci_pull *pull =
        oci_pull_begin(&world->settings, reference, &progress, NULL, &image, &err);
    assert_non_null(pull);
    const struct progress *reading = oci_pull_progress(pull);
    for (size_t i = image.layer_count; --i > 0;) {
        assert_true(oci_pull_wait(pull, i, &err));
        progress_report(reading, PROGRESS_EXTRACT, PROGRESS_BYTES, i, image.layers_bytes);
    }
    assert_int_equal(told.extracted, 0);
    web_server_put(&server, "go", "", 0);
    assert_true(oci_pull_finish(pull, &err));
    progress_report(
        reading, PROGRESS_EXTRACT, PROGRESS_BYTES, image.layers_bytes, image.layers_bytes);
    assert_int_equal(told.extracted, image.layers_bytes);
    assert_int_equal(told.downloaded, image.layers_bytes);
    assert_false(told.has_extracted_early);
    assert_int_equal(unlinkat(server.root, "go", 0), 0);
}

static int start(void **state)
{
    (void)state;
    web_server_start_script(&server, "registry.py", NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    web_server_stop(&server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good_registries),
        TEST(test_what_is_known_of_an_image),
        TEST(test_nothing_is_fetched_twice),
        TEST(test_a_digest_is_kept_to),
        TEST(test_a_cut_layer_is_gone_on_with),
        TEST(test_bad_registries),
        TEST(test_credentials_go_where_they_belong),
        TEST(test_no_secret_reaches_another_host),
        TEST(test_mirrors_come_first_and_may_fail),
        TEST(test_a_mirror_without_blobs),
        TEST(test_many_processes_at_once),
        TEST(test_a_tag_is_resolved_by_head),
        TEST(test_a_stop_ends_all_threads),
        TEST(test_progress_is_of_all_layers_together),
        TEST(test_layers_are_read_while_older_ones_come),
        TEST(test_an_end_stops_what_still_comes),
        TEST(test_a_bad_layer_fails_who_waits_for_any),
        TEST(test_reading_is_told_of_once_all_is_here),
    };
    return cmocka_run_group_tests_name("oci_pull", tests, start, stop);
}
