/* SPDX-License-Identifier: MIT */
/* vm create: from the command's words to a durable record and an empty disk. */
#include "artifact/ext4.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/host/ops_net.h"
#include "engine/image/ops_image.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/config.h"
#include "store/image_store.h"
#include "store/lock.h"
#include "store/publish.h"
#include "store/vm_store.h"
#include "vm/machine.h"
#include "vm/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define DEFAULT_MEMORY_BYTES (512 * MIB)
#define DEFAULT_DISK_BYTES (8192 * MIB)
#define NAME_ATTEMPTS 64
#define NEXT_KERNEL "choose another one with --kernel-ref"

static const char *const first_words[] = {"amber", "bold", "brisk", "calm", "clear", "crisp",
    "dusty", "early", "fair", "fresh", "gentle", "grand", "keen", "kind", "late", "lively",
    "mellow", "mild", "neat", "noble", "plain", "proud", "quick", "quiet", "rapid", "sharp",
    "silver", "still", "sunny", "swift", "warm", "wise"};
static const char *const second_words[] = {"badger", "beaver", "crane", "deer", "eagle", "falcon",
    "finch", "fox", "gull", "hare", "heron", "ibis", "jay", "kite", "lark", "lynx", "marten",
    "mole", "newt", "otter", "owl", "pika", "raven", "robin", "seal", "stoat", "swan", "tern",
    "toad", "vole", "wolf", "wren"};

/* Two short words that no VM has yet; caller frees. */
static char *invent_name(struct ops *ops, struct error *err)
{
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        unsigned bits = 0;
        if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
            break;
        }
        char *name = memory_printf("%s-%s", first_words[bits % array_length(first_words)],
            second_words[(bits >> 16) % array_length(second_words)]);
        if (!file_exists(store_kind_dir(ops->store, STORE_VM), name)) {
            return name;
        }
        free(name);
    }
    error_set(err, ERROR_EXISTS, "no free name was found: give one with --name");
    return NULL;
}

static uint64_t pick_size(uint64_t given, uint64_t configured, uint64_t fallback)
{
    if (given > 0) {
        return given;
    }
    return configured > 0 ? configured : fallback;
}

static const char *pick_word(const char *given, const char *configured, const char *fallback)
{
    if (given != NULL) {
        return given;
    }
    return configured != NULL ? configured : fallback;
}

/* Kept as a path, so that a key that changes holds from the next start on. */
bool ops_vm_take_key(const char *path, struct machine_spec *spec, struct error *err)
{
    free(spec->ssh_key);
    spec->ssh_key = NULL;
    if (path == NULL || path[0] == '/') {
        spec->ssh_key = memory_strdup(path);
    } else {
        auto_free char *here = getcwd(NULL, 0);
        spec->ssh_key = memory_printf("%s/%s", here != NULL ? here : "", path);
    }
    return spec->ssh_key == NULL || access(spec->ssh_key, R_OK) == 0 ||
           error_set_errno(err, errno, "--ssh-key %s", path);
}

bool ops_vm_take_ports(const struct strings *words, struct machine_spec *spec, struct error *err)
{
    for (size_t i = 0; i < words->count; i++) {
        struct machine_port port;
        if (!net_parse_publish(words->items[i], &port, err)) {
            return false;
        }
        machine_spec_publish(spec, &port);
    }
    return true;
}

/* Everything that needs no image: sizes, choices, ports. */
static bool fill_spec(struct ops *ops, struct machine_spec *spec, struct error *err)
{
    const struct command *command = ops->command;
    const struct config *settings = ops->settings;
    spec->vcpu = pick_size(command_number(command, "vcpu"), settings->default_vcpu, 1);
    spec->memory_mib = pick_size(command_size(command, "memory"), settings->default_memory_bytes,
                           DEFAULT_MEMORY_BYTES) /
                       MIB;
    spec->disk_bytes = pick_size(
        command_size(command, "disk-size"), settings->default_disk_bytes, DEFAULT_DISK_BYTES);
    spec->vmm =
        memory_strdup(pick_word(command_get(command, "vmm"), settings->default_vmm, "auto"));
    spec->accel = memory_strdup(pick_word(ops->config->accel, settings->default_accel, "auto"));
    spec->append = memory_strdup(command_get(command, "append"));
    if (!ops_vm_take_key(command_get(command, "ssh-key"), spec, err) ||
        !ops_vm_take_env(ops, &spec->program, err)) {
        return false;
    }
    spec->created_at = clock_wall();
    spec->is_ephemeral =
        verb_argument(command_verb(command), "rm") != NULL && command_has(command, "rm");
    if (!machine_root_parse(command_get(command, "root"), &spec->root, err) ||
        !machine_restart_parse(pick_word(command_get(command, "restart"),
                                   spec->is_ephemeral ? NULL : settings->default_restart, "no"),
            &spec->restart, err)) {
        return false;
    }
    return ops_vm_take_ports(command_all(command, "publish"), spec, err) &&
           ops_net_choose(ops, spec, true, err) && ops_vm_take_mounts(ops, spec, err);
}

static void copy_list(const struct json *array, struct strings *list)
{
    for (const struct json *item = json_first(array); item != NULL; item = json_next(item)) {
        const char *word = json_string_value(item);
        if (word != NULL) {
            strings_add(list, word);
        }
    }
}

/* What the image says about its program is kept with the machine. */
static void take_program(const struct image_entry *image, struct machine_program *program)
{
    if (image->config == NULL) {
        return;
    }
    copy_list(json_get(image->config, "entrypoint"), &program->entrypoint);
    copy_list(json_get(image->config, "cmd"), &program->cmd);
    auto_done(strings) struct strings given = program->env; /* it wins, so it comes behind */
    program->env = (struct strings){0};
    copy_list(json_get(image->config, "env"), &program->env);
    for (size_t i = 0; i < given.count; i++) {
        strings_add(&program->env, given.items[i]);
    }
    program->workdir = memory_strdup(json_string(image->config, "workdir", NULL));
    program->user = memory_strdup(json_string(image->config, "user", NULL));
}

/* The kernel that is booted with the image: NULL for the image's own. Borrowed. */
static bool choose_kernel(
    struct ops *ops, const struct image_entry *image, const char **kernel, struct error *err)
{
    *kernel = command_get(ops->command, "kernel-ref");
    if (*kernel == NULL && image->kernel_path == NULL && !image->has_kernel) {
        *kernel = pick_word(image->kernel_ref, ops->settings->default_kernel, NULL);
        if (*kernel == NULL) {
            return error_set(err, ERROR_INVALID,
                "image %s has no kernel: give one with --kernel-ref", image->name);
        }
    }
    return *kernel == NULL || name_check_entry(*kernel, "kernel name", err);
}

/* Image and kernel, pulled on the way where absent. */
static bool choose_image(
    struct ops *ops, struct machine_spec *spec, struct image_entry *image, struct error *err)
{
    const char *word =
        pick_word(command_get(ops->command, "image"), ops->settings->default_image, NULL);
    if (word == NULL) {
        return error_set(err, ERROR_INVALID,
            "no image was named: give one (`image list`, `image list --available`), or set image "
            "under [defaults] in config.ini");
    }
    const char *kernel = command_get(ops->command, "kernel-ref");
    if (!ops_image_find(ops, word, kernel, image, err)) {
        return false;
    }
    spec->image = memory_strdup(image->name);
    if (!choose_kernel(ops, image, &kernel, err)) {
        return false;
    }
    spec->kernel_ref = memory_strdup(kernel);
    take_program(image, &spec->program);
    auto_done(boot_kernel) struct boot_kernel found = BOOT_KERNEL_INIT;
    return ops_vm_check_kernel(ops, spec, image, NEXT_KERNEL, &found, NULL, err);
}

static bool make_upper(int dir, const struct machine_spec *spec, struct error *err)
{
    uint8_t uuid[16] = {0};
    ops_vm_uuid_bytes(spec, uuid);
    auto_close int fd = file_create(dir, MACHINE_UPPER_FILE, err);
    return fd >= 0 && ext4_make_empty(fd, spec->disk_bytes, "upper", uuid, err);
}

/* A private copy of the image, holes kept, in a file as large as was asked for: the guest grows the
 * file system to it. */
static bool make_root(struct ops *ops, int dir, const struct machine_spec *spec,
    const struct image_entry *image, struct error *err)
{
    struct stat status;
    auto_free char *path = image_store_rootfs(ops->store, image);
    auto_close int from = file_open_read(AT_FDCWD, path, err);
    if (from < 0 ||
        (!file_copy_shares(from, dir) && !file_need_space(dir, "..", image->disk_bytes, err))) {
        return false;
    }
    auto_close int to = file_create(dir, MACHINE_ROOT_FILE, err);
    if (to < 0 || !file_copy_data(from, to, path, ops->progress, ops->cancel, err)) {
        return false;
    }
    if (fstat(to, &status) != 0 ||
        (status.st_size < (off_t)spec->disk_bytes && ftruncate(to, (off_t)spec->disk_bytes) != 0)) {
        return error_set_errno(err, errno, "cannot make the copy of %s larger", path);
    }
    return true;
}

/* A copy is at least as large as its image: said of a size that was asked for, taken otherwise. */
static bool size_root(
    struct ops *ops, struct machine_spec *spec, const struct image_entry *image, struct error *err)
{
    struct stat status;
    auto_free char *path = image_store_rootfs(ops->store, image);
    if (spec->root != MACHINE_ROOT_COPY || stat(path, &status) != 0 ||
        (uint64_t)status.st_size <= spec->disk_bytes) {
        return true;
    }
    if (command_has(ops->command, "disk-size")) {
        return error_set(err, ERROR_INVALID,
            "--disk-size is less than the %llu MiB of image %s, which --root copy copies",
            (unsigned long long)((uint64_t)status.st_size / MIB), image->name);
    }
    spec->disk_bytes = (uint64_t)status.st_size;
    return true;
}

/* The machine's own copy of the image's work seed, holes kept; it goes to /root. */
static bool make_work(struct ops *ops, int dir, const struct image_entry *image, struct error *err)
{
    if (!image->has_work_seed) {
        return true;
    }
    auto_free char *path = store_entry_path(ops->store, STORE_IMAGE, image->name, IMAGE_WORK_SEED);
    auto_close int from = file_open_read(AT_FDCWD, path, err);
    auto_close int to = from >= 0 ? file_create(dir, MACHINE_WORK_FILE, err) : -1;
    return to >= 0 && file_copy_data(from, to, path, ops->progress, ops->cancel, err);
}

static bool fail_exists(const char *name, struct error *err)
{
    return error_set(err, ERROR_EXISTS, "there is already a VM %s: choose another name", name);
}

static bool publish(
    struct ops *ops, struct machine_spec *spec, const struct image_entry *image, struct error *err)
{
    auto_lock struct lock *network = NULL;
    auto_lock struct lock *lock = ops_lock(ops, STORE_VM, spec->name, "create", err);
    if (lock == NULL || !ops_net_assign(ops, spec, &network, err)) {
        return false;
    }
    auto_staging struct staging *staging = staging_begin(ops->store, STORE_VM, spec->name, err);
    if (staging == NULL) {
        return false;
    }
    int dir = staging_dir(staging);
    auto_json struct json *record = machine_spec_to_json(spec);
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 0, 1);
    bool is_filled = spec->root == MACHINE_ROOT_COPY ? make_root(ops, dir, spec, image, err)
                                                     : make_upper(dir, spec, err);
    if (!is_filled || !ops_vm_make_disks(dir, spec, 0, err) || !make_work(ops, dir, image, err) ||
        !vm_store_write_document(dir, VM_DOCUMENT_SPEC, record, err)) {
        return error_wrap(err, "VM %s was not made", spec->name);
    }
    if (!staging_publish(staging, PUBLISH_NEW, err)) {
        if (err->code == ERROR_EXISTS) {
            error_clear(err);
            fail_exists(spec->name, err);
        }
        return false;
    }
    return true;
}

/* What is wrong whatever the image will be is said before that is fetched. */
static bool rehearse(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    auto_done(machine_spec) struct machine_spec copy = {0};
    machine_spec_copy(spec, &copy);
    copy.image = memory_strdup("image");
    bool is_started = strcmp(command_verb(ops->command)->name, "run") == 0;
    return machine_spec_validate(&copy, err) && ops_vm_check_vmm(ops, &copy, err) &&
           ops_vm_check_host(ops, &copy, ERROR_INVALID, NULL, err) &&
           ops_vm_check_mounts(ops, &copy, err) &&
           (!is_started || ops_vm_check_ports(ops, &copy, err));
}

bool ops_vm_make(struct ops *ops, char **name, struct error *err)
{
    auto_done(machine_spec) struct machine_spec spec = {0};
    auto_done(image_entry) struct image_entry image = {0};
    const char *given = command_get(ops->command, "name");
    spec.name = given != NULL ? memory_strdup(given) : invent_name(ops, err);
    if (spec.name == NULL || !name_check_label(spec.name, "VM name", err)) {
        return false;
    }
    if (file_exists(store_kind_dir(ops->store, STORE_VM), spec.name)) {
        return fail_exists(spec.name, err);
    }
    auto_free char *object = memory_printf("vm/%s", spec.name);
    if ((given == NULL && !ops_claim(ops, object, err)) || !fill_spec(ops, &spec, err) ||
        !machine_spec_identify(&spec, err) || !rehearse(ops, &spec, err) ||
        !choose_image(ops, &spec, &image, err) || !size_root(ops, &spec, &image, err) ||
        !machine_spec_validate(&spec, err) || !publish(ops, &spec, &image, err)) {
        return false;
    }
    *name = take_ptr(spec.name);
    ops_vms_changed(ops);
    return true;
}

bool ops_vm_create(struct ops *ops, struct json **result, struct error *err)
{
    if (command_is_dry_run(ops->command)) {
        return ops_vm_plan(ops, result, err);
    }
    auto_free char *name = NULL;
    if (!ops_vm_make(ops, &name, err)) {
        return false;
    }
    *result = ops_vm_result(ops, name, true);
    return true;
}

/* What is known without fetching anything. */
static bool plan_kernel(struct ops *ops, struct json **verdict, struct error *err)
{
    auto_done(machine_spec) struct machine_spec spec = {0};
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(boot_kernel) struct boot_kernel found = BOOT_KERNEL_INIT;
    struct error unseen = {0};
    const char *kernel = NULL;
    const char *word =
        pick_word(command_get(ops->command, "image"), ops->settings->default_image, NULL);
    if (!fill_spec(ops, &spec, err)) {
        return false;
    }
    if (word == NULL || !image_store_read(ops->store, word, &image, &unseen) || image.is_damaged) {
        *err = error_is_blind(&unseen) ? unseen : *err;
        return err->code == ERROR_NONE;
    }
    if (!choose_kernel(ops, &image, &kernel, err)) {
        return false;
    }
    spec.kernel_ref = memory_strdup(kernel);
    return (kernel != NULL && file_is_absent(store_kind_dir(ops->store, STORE_KERNEL), kernel)) ||
           ops_vm_check_kernel(ops, &spec, &image, NEXT_KERNEL, &found, verdict, err);
}

bool ops_vm_plan(struct ops *ops, struct json **plan, struct error *err)
{
    struct json *verdict = NULL;
    if (!plan_kernel(ops, &verdict, err)) {
        return false;
    }
    const char *given = command_get(ops->command, "name");
    auto_free char *object = memory_printf("vm/%s", given != NULL ? given : "(a new name)");
    *plan = ops_plan(ops);
    ops_plan_add(*plan, "create", object, 0);
    if (strcmp(command_verb(ops->command)->name, "run") == 0) {
        ops_plan_add(*plan, "start", object, 0);
    }
    if (verdict != NULL) {
        json_put(*plan, "preflight", verdict);
    }
    return true;
}

struct json *ops_vm_plan_one(
    struct ops *ops, const char *action, const char *name, uint64_t size_bytes)
{
    auto_free char *object = memory_printf("vm/%s", name);
    struct json *plan = ops_plan(ops);
    ops_plan_add(plan, action, object, size_bytes);
    return plan;
}
