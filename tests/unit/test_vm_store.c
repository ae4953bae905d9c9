/* SPDX-License-Identifier: MIT */
/* Records of VMs: opaque documents, replaced whole, listed whatever state they are in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "base/json.h"
#include "store/entries.h"
#include "store/publish.h"
#include "store/vm_store.h"
#include "support/scratch.h"

struct world {
    char *dir;
    struct store *store;
};

static int setup(void **state)
{
    struct error err = {0};
    struct world *world = memory_zero(1, sizeof(*world));
    world->dir = scratch_make();
    world->store = store_open(world->dir, NULL, &err);
    assert_fine(err);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    store_close(world->store);
    scratch_remove(world->dir);
    free(world);
    return 0;
}

static struct json *object_with(const char *key, const char *value)
{
    struct json *json = json_new_object();
    json_put_string(json, key, value);
    return json;
}

/* Creates a VM the way the engine does. */
static void create(struct world *world, const char *name)
{
    struct error err = {0};
    auto_json struct json *spec = object_with("name", name);
    json_put_string(spec, "image", "debian");
    auto_staging struct staging *staging = staging_begin(world->store, STORE_VM, name, &err);
    assert_fine(err);
    assert_true(vm_store_write_document(staging_dir(staging), VM_DOCUMENT_SPEC, spec, &err));
    assert_true(staging_publish(staging, PUBLISH_NEW, &err));
}

static struct json *read_json(int dir, const char *file, struct error *err)
{
    return entries_read_json(dir, file, file, err);
}

static void test_documents(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    create(world, "web");
    auto_close int dir = vm_store_open(world->store, "web", &err);
    assert_true(dir >= 0);
    assert_null(read_json(dir, "handle.json", &err));
    assert_code(err, ERROR_NOT_FOUND);
    error_clear(&err);

    auto_json struct json *handle = object_with("boot_id", "b");
    assert_true(vm_store_write_document(dir, VM_DOCUMENT_HANDLE, handle, &err));
    json_put_string(handle, "boot_id", "c");
    assert_true(vm_store_write_document(dir, VM_DOCUMENT_HANDLE, handle, &err));
    auto_json struct json *read = read_json(dir, "handle.json", &err);
    assert_string_equal(json_string(read, "boot_id", ""), "c");
    assert_int_equal(json_integer(read, "format", 0), 1);
    assert_int_equal(scratch_mode(world->dir, "vms/web/handle.json"), 0600);
    auto_free char *files = scratch_list(world->dir, "vms/web");
    assert_string_equal(files, "handle.json vm.json");
}

static void test_read_and_list(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    create(world, "web");
    create(world, "db");
    scratch_write(world->dir, "vms/web/exit.json", "{\"reason\":\"panic\"}");
    scratch_write(world->dir, "vms/web/handle.json", "{\"torn");
    scratch_write(world->dir, "vms/broken/vm.json", "{");
    scratch_write(world->dir, "vms/stranger/vm.json", "{\"name\":\"web\"}");
    scratch_write(world->dir, "vms/void/console.log", "x");
    scratch_write(world->dir, "vms/Upper/vm.json", "{\"name\":\"Upper\"}");
    scratch_write(world->dir, "vms/3f9a8c0d5b7e4a12/handles.json", "{}");
    auto_done(vm_list) struct vm_list list = {0};
    assert_true(vm_store_list(world->store, &list, &err));
    static const char *const names[] = {"Upper", "broken", "db", "stranger", "void", "web"};
    static const char *const damage[] = {
        "its name", "not valid JSON", NULL, "names another entry", "vm.json is missing", NULL};
    assert_int_equal(list.count, array_length(names));
    for (size_t i = 0; i < array_length(names); i++) {
        assert_string_equal(list.items[i].name, names[i]);
        assert_int_equal(list.items[i].is_damaged, damage[i] != NULL);
        if (damage[i] != NULL) {
            assert_non_null(strstr(list.items[i].damage, damage[i]));
        }
    }
    assert_string_equal(
        json_string(list.items[5].documents[VM_DOCUMENT_SPEC], "image", ""), "debian");
    assert_null(list.items[5].documents[VM_DOCUMENT_EXIT]);
    /* A torn handle is no damage: it is made anew at the next start. */
    auto_done(vm_record) struct vm_record web = {0};
    assert_true(vm_store_read(world->store, "web", &web, &err));
    assert_false(web.is_damaged);
    assert_string_equal(json_string(web.documents[VM_DOCUMENT_EXIT], "reason", ""), "panic");
    assert_null(web.documents[VM_DOCUMENT_HANDLE]);

    auto_done(strings) struct strings only_names = {0};
    assert_true(vm_store_names(world->store, &only_names, &err));
    assert_int_equal(only_names.count, array_length(names));

    auto_done(vm_record) struct vm_record one = {0};
    assert_true(vm_store_read(world->store, "db", &one, &err));
    assert_false(one.is_damaged);
    auto_done(vm_record) struct vm_record none = {0};
    assert_false(vm_store_read(world->store, "nothing", &none, &err));
    assert_code(err, ERROR_NOT_FOUND);
}

static void test_newer_record_is_read_only(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "vms/web/vm.json", "{\"name\":\"web\",\"format\":2}");
    auto_done(vm_record) struct vm_record record = {0};
    assert_true(vm_store_read(world->store, "web", &record, &err));
    assert_true(record.is_newer);
    auto_close int dir = vm_store_open(world->store, "web", &err);
    assert_false(
        vm_store_write_document(dir, VM_DOCUMENT_SPEC, record.documents[VM_DOCUMENT_SPEC], &err));
    assert_code(err, ERROR_UNSUPPORTED);
    error_clear(&err);
    assert_false(vm_store_remove(world->store, "web", &err));
    assert_code(err, ERROR_UNSUPPORTED);
}

static void test_remove_takes_everything(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    create(world, "web");
    scratch_write(world->dir, "vms/web/upper.ext4", "disk");
    scratch_write(world->dir, "vms/web/console.log", "log");
    assert_true(vm_store_remove(world->store, "web", &err));
    auto_free char *left = scratch_list(world->dir, "vms");
    assert_string_equal(left, "");
    assert_false(vm_store_remove(world->store, "web", &err));
    assert_code(err, ERROR_NOT_FOUND);
}

static void test_rename_moves_the_directory(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    create(world, "web");
    assert_true(store_rename_entry(world->store, STORE_VM, "web", "www", &err));
    /* The record still says the old name until the caller writes it anew. */
    auto_close int dir = vm_store_open(world->store, "www", &err);
    auto_json struct json *spec = read_json(dir, "vm.json", &err);
    json_put_string(spec, "name", "www");
    assert_true(vm_store_write_document(dir, VM_DOCUMENT_SPEC, spec, &err));
    auto_done(vm_record) struct vm_record record = {0};
    assert_true(vm_store_read(world->store, "www", &record, &err));
    assert_false(record.is_damaged);
}

static void test_sweep_of_temporaries(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    uint64_t removed;
    create(world, "web");
    scratch_write(world->dir, "vms/web/handle.json.tmp-00000001", "{\"torn");
    scratch_write(world->dir, "vms/web/handle.json.tmp-00000002", "{\"just now");
    auto_free char *old = memory_printf("%s/vms/web/handle.json.tmp-00000001", world->dir);
    const struct timespec then = {.tv_sec = time(NULL) - 7200};
    const struct timespec both[2] = {then, then};
    assert_int_equal(utimensat(AT_FDCWD, old, both, 0), 0);
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, 1);
    auto_free char *files = scratch_list(world->dir, "vms/web");
    assert_string_equal(files, "handle.json.tmp-00000002 vm.json");
}

struct writer {
    int dir;
    bool is_fine;
};

static void *write_often(void *context)
{
    struct writer *writer = context;
    writer->is_fine = true;
    for (int i = 0; i < 50; i++) {
        struct error err = {0};
        auto_json struct json *json = json_new_object();
        json_put_integer(json, "a", i);
        json_put_integer(json, "b", i);
        writer->is_fine =
            writer->is_fine && vm_store_write_document(writer->dir, VM_DOCUMENT_HANDLE, json, &err);
    }
    return NULL;
}

static void test_readers_never_see_half(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    create(world, "web");
    auto_close int dir = vm_store_open(world->store, "web", &err);
    auto_json struct json *first = object_with("x", "y");
    assert_true(vm_store_write_document(dir, VM_DOCUMENT_HANDLE, first, &err));
    struct writer writer = {.dir = dir};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_often, &writer), 0);
    for (int i = 0; i < 200; i++) {
        auto_json struct json *json = read_json(dir, "handle.json", &err);
        assert_fine(err);
        assert_int_equal(json_integer(json, "a", -1), json_integer(json, "b", -1));
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(writer.is_fine);
}

#define VM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VM_TEST(test_documents),
        VM_TEST(test_read_and_list),
        VM_TEST(test_newer_record_is_read_only),
        VM_TEST(test_remove_takes_everything),
        VM_TEST(test_rename_moves_the_directory),
        VM_TEST(test_sweep_of_temporaries),
        VM_TEST(test_readers_never_see_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
