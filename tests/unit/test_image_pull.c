/* SPDX-License-Identifier: MIT */
/* How images are made and get their names, with the slow steps replaced: who waits for whom, who
 * wins, which kernel it is, and that nothing half-made stays. Two engines on one state directory
 * stand for two processes. */
#include "engine/image/ops_image_draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "store/publish.h"
#include "support/engine_world.h"

#include <sys/stat.h>

#define DISK_BYTES (1 << 20)
#define KERNEL "\177ELF............\2"

static atomic_int step_runs;
static atomic_bool is_finalize_failing;

static bool write_disk(const struct image_draft *draft, struct error *err)
{
    static const char magic[] = {0x53, (char)0xef};
    auto_close int fd = file_create(staging_dir(draft->staging), "rootfs.ext4", err);
    return fd >= 0 && ftruncate(fd, DISK_BYTES) == 0 &&
           pwrite(fd, magic, sizeof magic, 1024 + 56) == (ssize_t)sizeof magic;
}

static bool fake_flatten(struct ops *ops, const struct image_request *request,
    struct image_draft *draft, struct error *err)
{
    atomic_fetch_add(&step_runs, 1);
    draft->entry.digest = memory_strdup("sha256:"
                                        "00000000000000000000000000000000"
                                        "00000000000000000000000000000000");
    return gate_pass(ops, request->name, err) && write_disk(draft, err);
}

static bool fake_finalize(struct ops *ops, struct image_draft *draft, struct error *err)
{
    return !is_finalize_failing ? image_draft_finalize(ops, draft, err)
                                : error_set(err, ERROR_IO, "as it was told");
}

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world_init(world);
    step_runs = 0;
    is_finalize_failing = false;
    world->config.image_steps = (struct image_steps){.bundle_fetch = fake_flatten,
        .pull_and_flatten = fake_flatten,
        .finalize_rootfs = fake_finalize};
    /* Enough of an ELF executable for who looks whether it could boot: elf(5), up to e_type. */
    scratch_write(world->dir, "kernels/lab/vmlinux", KERNEL);
    scratch_write(world->dir, "kernels/other/vmlinux", KERNEL);
    scratch_write(world->dir, "disk/rootfs.ext4", "");
    chmod(world->dir, 0700);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    world_done(world);
    free((char *)world->config.catalog);
    free((char *)world->config.config_file);
    free(world);
    return 0;
}

static void offer(struct world *world, const char *image)
{
    auto_free char *text = memory_printf("{\"version\":1,\"images\":[{\"name\":\"offered\",%s"
                                         "\"tarball_url\":\"https://example.org/i.tar.zst\","
                                         "\"tarball_sha256\":\"%064d\",\"size_bytes\":10}]}",
        image, 1);
    scratch_write(world->dir, "catalog.json", text);
    world->config.catalog = memory_printf("%s/catalog.json", world->dir);
}

/* `words` are options and their values, the first one the operand; a flag has the value "". */
static uint64_t submit(struct engine *engine, const char *subject, const char *name, ...)
{
    struct error err = {0};
    uint64_t id = 0;
    struct command *command = command_new(verb_find(subject, name));
    va_list words;
    va_start(words, name);
    for (const char *word = va_arg(words, const char *); word != NULL;
         word = va_arg(words, const char *)) {
        const char *value = va_arg(words, const char *);
        command_set(command, word, value[0] != '\0' ? value : NULL, &err);
        assert_fine(err);
    }
    va_end(words);
    engine_submit(engine, command, &id, &err);
    assert_fine(err);
    return id;
}

#define PULL(engine, reference)                                                                    \
    submit(engine, "image", "pull", "image", reference, "kernel-ref", "lab", NULL)

/* The world of a second process. */
static struct world second_of(const struct world *world)
{
    struct world second = *world;
    struct error err = {0};
    second.engine = engine_new(&world->config, &err);
    assert_fine(err);
    return second;
}

static void assert_ended(struct world *world, uint64_t id, enum error_code code)
{
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    const struct job_item *job = snapshot_job(snapshot, id);
    if (job->error.code != code) {
        fail_msg("%s: %s", error_code_name(job->error.code), job->error.text);
    }
    engine_release(snapshot);
}

static char *result_of(struct world *world, uint64_t id)
{
    assert_ended(world, id, ERROR_NONE);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    char *result = memory_strdup(snapshot_job(snapshot, id)->result);
    engine_release(snapshot);
    return result;
}

static void assert_images(struct world *world, const char *names)
{
    auto_free char *list = scratch_list(world->dir, "images");
    assert_string_equal(list, names);
}

static char *manifest_of(struct world *world, const char *name)
{
    auto_free char *path = memory_printf("images/%s/manifest.json", name);
    return scratch_read(world->dir, path);
}

static void different_names_never_wait_for_each_other(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("slow-1");
    uint64_t slow = PULL(world->engine, "example.org/slow:1");
    gate_wait(gate);
    assert_ended(world, PULL(world->engine, "example.org/quick:1"), ERROR_NONE);
    struct world second = second_of(world);
    assert_ended(&second, PULL(second.engine, "example.org/quick:2"), ERROR_NONE);
    engine_free(second.engine);
    gate_open(gate);
    assert_ended(world, slow, ERROR_NONE);
    assert_images(world, "quick-1 quick-2 slow-1");
}

static void a_name_clash_at_publishing_has_one_winner(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("x");
    uint64_t slow = submit(world->engine, "image", "pull", "image", "example.org/a:1", "name", "x",
        "kernel-ref", "lab", NULL);
    gate_wait(gate);
    auto_free char *disk = memory_printf("%s/disk/rootfs.ext4", world->dir);
    auto_close int fd = open(disk, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
    assert_int_equal(pwrite(fd, "\x53\xef", 2, 1024 + 56), 2);
    struct world second = second_of(world);
    uint64_t quick = submit(
        second.engine, "image", "register", "name", "x", "rootfs", disk, "kernel-ref", "lab", NULL);
    assert_ended(&second, quick, ERROR_NONE);
    engine_free(second.engine);
    gate_open(gate);
    assert_ended(world, slow, ERROR_EXISTS);
    assert_images(world, "x");
    auto_free char *manifest = manifest_of(world, "x");
    assert_non_null(strstr(manifest, "register:"));
}

/* It has looked and found nothing, and stands behind the one who makes it: one that only runs may
 * look when that is done already. */
static bool is_behind_another(const struct snapshot *snapshot, const void *context)
{
    const struct job_item *job = snapshot_job(snapshot, *(const uint64_t *)context);
    return job != NULL && text_has_prefix(job->note, "waiting for");
}

static void a_peers_finished_pull_is_success(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("a-1");
    uint64_t first = PULL(world->engine, "example.org/a:1");
    gate_wait(gate);
    struct world second = second_of(world);
    uint64_t other = PULL(second.engine, "example.org/a:1");
    world_await_once(&second, is_behind_another, &other);
    gate_open(gate);
    auto_free char *made = result_of(world, first);
    auto_free char *taken = result_of(&second, other);
    engine_free(second.engine);
    assert_non_null(strstr(made, "\"changed\":true"));
    assert_non_null(strstr(taken, "\"changed\":false"));
    assert_int_equal(step_runs, 1);
}

static void another_reference_of_that_name_is_no_success(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("a-1");
    uint64_t first = PULL(world->engine, "example.org/a:1");
    gate_wait(gate);
    struct world second = second_of(world);
    uint64_t other = PULL(second.engine, "example.org/other/a:1");
    world_await_once(&second, is_behind_another, &other);
    gate_open(gate);
    assert_ended(world, first, ERROR_NONE);
    assert_ended(&second, other, ERROR_EXISTS);
    engine_free(second.engine);
    assert_images(world, "a-1");
}

static void what_fails_leaves_nothing(void **state)
{
    struct world *world = *state;
    world_start(world);
    is_finalize_failing = true;
    assert_ended(world, PULL(world->engine, "example.org/a:1"), ERROR_IO);
    assert_images(world, "");
}

static void the_kernel_is_the_flags(void **state)
{
    struct world *world = *state;
    offer(world, "\"kernel_ref\":\"other\",");
    world_start(world);
    assert_ended(world, PULL(world->engine, "offered"), ERROR_NONE);
    auto_free char *manifest = manifest_of(world, "offered");
    assert_non_null(strstr(manifest, "\"kernel_ref\": \"lab\""));
}

static void else_the_catalogs(void **state)
{
    struct world *world = *state;
    offer(world, "\"kernel_ref\":\"other\",");
    world->config.config_file = memory_printf("%s/config.ini", world->dir);
    scratch_write(world->dir, "config.ini", "[defaults]\nkernel = lab\n");
    world_start(world);
    assert_ended(
        world, submit(world->engine, "image", "pull", "image", "offered", NULL), ERROR_NONE);
    auto_free char *manifest = manifest_of(world, "offered");
    assert_non_null(strstr(manifest, "\"kernel_ref\": \"other\""));
}

static void else_the_configured_one(void **state)
{
    struct world *world = *state;
    world->config.config_file = memory_printf("%s/config.ini", world->dir);
    scratch_write(world->dir, "config.ini", "[defaults]\nkernel = other\n");
    world_start(world);
    assert_ended(world, submit(world->engine, "image", "pull", "image", "example.org/a:1", NULL),
        ERROR_NONE);
    auto_free char *manifest = manifest_of(world, "a-1");
    assert_non_null(strstr(manifest, "\"kernel_ref\": \"other\""));
}

static void else_it_is_refused_before_anything_is_fetched(void **state)
{
    struct world *world = *state;
    world_start(world);
    assert_ended(world, submit(world->engine, "image", "pull", "image", "example.org/a:1", NULL),
        ERROR_INVALID);
    assert_int_equal(step_runs, 0);
    assert_images(world, "");
}

static void an_absent_image_is_pulled_on_the_way(void **state)
{
    struct world *world = *state;
    world_start(world);
    assert_ended(world,
        submit(world->engine, "vm", "create", "image", "example.org/a:1", "name", "web",
            "kernel-ref", "lab", NULL),
        ERROR_NONE);
    assert_images(world, "a-1");
    assert_ended(world,
        submit(world->engine, "vm", "create", "image", "example.org/a:1", "name", "web2", NULL),
        ERROR_NONE);
    assert_int_equal(step_runs, 1);
}

static void a_damaged_image_is_that_error_and_not_pulled(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "images/a-1/manifest.json",
        "{\"name\":\"a-1\",\"source\":\"pull:example.org/a:1\"}");
    world_start(world);
    assert_ended(world,
        submit(world->engine, "vm", "create", "image", "example.org/a:1", "name", "web",
            "kernel-ref", "lab", NULL),
        ERROR_FORMAT);
    assert_int_equal(step_runs, 0);
}

static void an_image_of_something_else_is_not_mistaken_for_it(void **state)
{
    struct world *world = *state;
    world_start(world);
    assert_ended(world, PULL(world->engine, "example.org/a:1"), ERROR_NONE);
    assert_ended(world,
        submit(world->engine, "vm", "create", "image", "example.org/other/a:1", "name", "web",
            "kernel-ref", "lab", NULL),
        ERROR_EXISTS);
}

#define PULL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PULL_TEST(different_names_never_wait_for_each_other),
        PULL_TEST(a_name_clash_at_publishing_has_one_winner),
        PULL_TEST(a_peers_finished_pull_is_success),
        PULL_TEST(another_reference_of_that_name_is_no_success),
        PULL_TEST(what_fails_leaves_nothing),
        PULL_TEST(the_kernel_is_the_flags),
        PULL_TEST(else_the_catalogs),
        PULL_TEST(else_the_configured_one),
        PULL_TEST(else_it_is_refused_before_anything_is_fetched),
        PULL_TEST(an_absent_image_is_pulled_on_the_way),
        PULL_TEST(a_damaged_image_is_that_error_and_not_pulled),
        PULL_TEST(an_image_of_something_else_is_not_mistaken_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
