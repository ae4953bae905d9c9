/* SPDX-License-Identifier: MIT */
/* This host: facts for the front end, and the doctor's rows. */
#include "engine/host/ops_host.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/catalog/ops_catalog.h"
#include "engine/engine.h"
#include "engine/host/ops_net.h"
#include "engine/host/ops_trash.h"
#include "engine/job_file.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/catalog.h"
#include "store/config.h"
#include "store/layout.h"
#include "store/publish.h"
#include "store/trash.h"
#include "vm/accel.h"
#include "vm/vmm_host.h"

#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define QEMU_PROGRAM "qemu-system-x86_64"
#define FIRECRACKER_PROGRAM "firecracker"
#define VERSION_TIMEOUT_MS 5000
#define LOW_DISK_BYTES (UINT64_C(2) << 30)
#define LOW_MEMORY_BYTES (UINT64_C(512) << 20)
#define NFS_MAGIC 0x6969

/* Paths of the VMM programs as configured, else in PATH; NULL when missing. Caller frees. */
static char *find_qemu(const struct ops *ops)
{
    return process_find(ops->settings->qemu != NULL ? ops->settings->qemu : QEMU_PROGRAM);
}

static char *find_firecracker(const struct ops *ops)
{
    const char *chosen =
        ops->config->firecracker != NULL ? ops->config->firecracker : ops->settings->firecracker;
    return process_find(chosen != NULL ? chosen : FIRECRACKER_PROGRAM);
}

/* "auto", "kvm", "tcg" as the flag, environment or configuration say; NULL for auto. */
static const char *accel_mode(const struct ops *ops)
{
    return ops->config->accel != NULL ? ops->config->accel : ops->settings->default_accel;
}

void ops_host_memory(uint64_t *total, uint64_t *available)
{
    auto_done(text) struct text content = {0};
    struct error ignored = {0};
    *total = 0;
    *available = 0;
    if (!file_read_all(AT_FDCWD, "/proc/meminfo", 16384, &content, &ignored)) {
        return;
    }
    const char *line = strstr(text_cstr(&content), "MemTotal:");
    if (line != NULL && sscanf(line, "MemTotal: %" SCNu64, total) == 1) {
        *total *= 1024;
    }
    line = strstr(text_cstr(&content), "MemAvailable:");
    if (line != NULL && sscanf(line, "MemAvailable: %" SCNu64, available) == 1) {
        *available *= 1024;
    }
}

/* The oldest document among the remote catalogs; 0 when none is remote. */
static int64_t oldest_catalog(struct ops *ops)
{
    auto_done(catalog) struct catalog catalog = {0};
    struct error ignored = {0};
    int64_t as_of = 0;
    if (ops_catalog_load(ops, false, &catalog, &ignored)) {
        for (size_t i = 0; i < catalog.source_count; i++) {
            int64_t of_this = catalog.sources[i].as_of;
            as_of = of_this > 0 && (as_of == 0 || of_this < as_of) ? of_this : as_of;
        }
    }
    return as_of;
}

bool ops_refresh_host(struct ops *ops, struct error *err)
{
    char host_name[256] = "";
    gethostname(host_name, sizeof host_name - 1);
    struct accel_choice accel = {.kind = ACCEL_TCG};
    struct error accel_error = {0};
    if (!vmm_host_accel(ops->host, accel_mode(ops), &accel, &accel_error)) {
        snprintf(accel.why, sizeof accel.why, "%.*s", (int)sizeof accel.why - 1, accel_error.text);
    }
    auto_free char *qemu = find_qemu(ops);
    auto_free char *firecracker = find_firecracker(ops);
    struct host_facts facts = {.version = PACKAGE_VERSION,
        .host_name = host_name,
        .state_dir = store_path(ops->store),
        .accel = accel_name(accel.kind),
        .accel_why = accel.why,
        .qemu = qemu != NULL ? qemu : "",
        .firecracker = firecracker != NULL ? firecracker : "",
        .trash_count = trash_count(ops->store),
        .is_readonly = ops->config->is_readonly,
        .catalog_as_of = oldest_catalog(ops)};
    ops_host_memory(&facts.memory_bytes, &facts.memory_free_bytes);
    if (!file_free_space(store_dir_fd(ops->store), ".", &facts.disk_free_bytes, err)) {
        return false;
    }
    state_put_host(ops->state, &facts);
    return true;
}

bool ops_sweep(struct ops *ops, struct error *err)
{
    uint64_t removed = 0;
    ops_trash_sweep(ops);
    if (!store_sweep(ops->store, &removed, err)) {
        return false;
    }
    if (removed > 0) {
        state_log(ops->state, LOG_INFO, "removed %" PRIu64 " unfinished things of dead processes",
            removed);
    }
    ops_vm_sweep(ops);
    job_file_sweep(store_area_dir(ops->store, STORE_JOBS));
    return true;
}

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

static void add_row(struct json *rows, const char *check, enum finding finding, const char *detail,
    const char *next)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    struct json *row = json_new_object();
    json_put_string(row, "check", check);
    json_put_string(row, "status", words[finding]);
    json_put_string(row, "detail", detail);
    json_put_string(row, "hint", next);
    json_append(rows, row);
}

static void check_state_dir(struct ops *ops, struct json *rows)
{
    uint64_t free_bytes = 0;
    struct error failure = {0};
    if (!file_free_space(store_dir_fd(ops->store), ".", &free_bytes, &failure)) {
        add_row(rows, "state directory", FINDING_FAIL, failure.text, NULL);
        return;
    }
    char size[UNITS_MAX];
    auto_free char *detail =
        memory_printf("%s, %s free", store_path(ops->store), units_format_size(free_bytes, size));
    bool is_low = free_bytes < LOW_DISK_BYTES;
    add_row(rows, "state directory", is_low ? FINDING_WARN : FINDING_OK, detail,
        is_low ? "free some space: an image needs a few GiB" : NULL);
    struct statfs status;
    if (fstatfs(store_dir_fd(ops->store), &status) == 0 && status.f_type == NFS_MAGIC) {
        add_row(rows, "file locks", FINDING_WARN, "the state directory is on NFS",
            "keep it on a local disk: --state-dir DIR");
    }
}

static void check_catalogs(struct ops *ops, struct json *rows)
{
    auto_done(catalog) struct catalog catalog = {0};
    struct error failure = {0};
    if (!ops_catalog_load(ops, false, &catalog, &failure)) {
        add_row(rows, "catalogs", FINDING_FAIL, failure.text, NULL);
        return;
    }
    for (size_t i = 0; i < catalog.source_count; i++) {
        const struct catalog_source *source = &catalog.sources[i];
        auto_free char *check = memory_printf("catalog %s", source->name);
        if (source->problem.code != ERROR_NONE) {
            add_row(rows, check, FINDING_WARN, source->problem.text, NULL);
            continue;
        }
        auto_free char *detail =
            memory_printf("%zu kernels, %zu images", source->kernel_count, source->image_count);
        add_row(rows, check, FINDING_OK, detail, NULL);
    }
    auto_done(strings) struct strings idle = {0};
    ops_catalog_idle_trust(ops, &catalog, &idle);
    for (size_t i = 0; i < idle.count; i++) {
        auto_free char *check = memory_printf("trust %s", idle.items[i]);
        add_row(rows, check, FINDING_WARN, "no catalog goes by this name: nothing is checked by it",
            "compare with the names in: catalog list");
    }
}

static void check_accel(struct ops *ops, struct json *rows)
{
    struct accel_choice accel;
    struct error failure = {0};
    if (!vmm_host_accel(ops->host, accel_mode(ops), &accel, &failure)) {
        add_row(rows, "acceleration", FINDING_FAIL, failure.text, "use --accel auto");
        return;
    }
    auto_free char *detail = memory_printf("%s: %s", accel_name(accel.kind), accel.why);
    add_row(rows, "acceleration",
        accel.kind == ACCEL_KVM || accel.is_forced ? FINDING_OK : FINDING_WARN, detail,
        accel.kind == ACCEL_KVM ? NULL : "VMs work in software emulation, several times slower");
}

/* What `--vmm auto` takes for a machine that asks for nothing special. */
static void check_vmm(struct ops *ops, struct json *rows)
{
    char word[] = "auto";
    struct machine_spec spec = {.vmm = word, .accel = ops->settings->default_accel, .vcpu = 1};
    auto_free char *why = ops_vm_why(ops, &spec);
    add_row(rows, "VMM", why != NULL ? FINDING_OK : FINDING_WARN,
        why != NULL ? why : "not decided: see acceleration", NULL);
}

/* First line of `PROGRAM --version`; NULL when it does not run. Caller frees. */
static char *version_of(struct ops *ops, const char *program)
{
    const char *const argv[] = {program, "--version", NULL};
    auto_done(text) struct text out = {0};
    struct error ignored = {0};
    int status = 0;
    if (!process_run(argv, VERSION_TIMEOUT_MS, 4096, ops->cancel, &out, NULL, &status, &ignored) ||
        status != 0) {
        return NULL;
    }
    return memory_strndup(text_cstr(&out), strcspn(text_cstr(&out), "\n"));
}

static void check_program(struct ops *ops, struct json *rows, const char *check, const char *path,
    enum finding when_missing, const char *missing, const char *next)
{
    if (path == NULL) {
        add_row(rows, check, when_missing, missing, next);
        return;
    }
    auto_free char *version = version_of(ops, path);
    auto_free char *detail =
        memory_printf("%s%s%s", path, version != NULL ? ": " : "", version != NULL ? version : "");
    add_row(rows, check, version != NULL ? FINDING_OK : FINDING_FAIL, detail,
        version != NULL ? NULL : "it does not run: install it again");
}

static void check_apt(struct json *rows)
{
    auto_free char *apt = process_find("apt-get");
    if (apt == NULL) {
        add_row(rows, "distribution kernels", FINDING_WARN,
            "apt-get is not here: `debian` and `debian-cloud` cannot be pulled",
            "import a kernel: kernel import NAME --from DIR");
        return;
    }
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    file_list(AT_FDCWD, "/var/lib/apt/lists", &names, &ignored);
    bool has_lists = false;
    for (size_t i = 0; i < names.count; i++) {
        has_lists = has_lists || strstr(names.items[i], "_Packages") != NULL;
    }
    add_row(rows, "distribution kernels", has_lists ? FINDING_OK : FINDING_WARN,
        has_lists ? "apt's package lists are here" : "apt has no package lists",
        has_lists ? NULL : "run: sudo apt-get update");
}

static void check_memory(struct json *rows)
{
    uint64_t total, available;
    char total_text[UNITS_MAX], available_text[UNITS_MAX];
    ops_host_memory(&total, &available);
    auto_free char *detail = memory_printf("%s, %s available", units_format_size(total, total_text),
        units_format_size(available, available_text));
    bool is_low = available < LOW_MEMORY_BYTES;
    add_row(rows, "memory", is_low ? FINDING_WARN : FINDING_OK, detail,
        is_low ? "a default VM takes 512 MiB" : NULL);
}

bool ops_host_doctor(struct ops *ops, struct json **result, struct error *err)
{
    (void)err;
    struct json *rows = json_new_array();
    add_row(rows, "program", FINDING_OK, "banger-tui " PACKAGE_VERSION, NULL);
    check_state_dir(ops, rows);
    const struct strings *warnings = &ops->settings->warnings;
    for (size_t i = 0; i < warnings->count; i++) {
        add_row(rows, "configuration", FINDING_WARN, warnings->items[i], NULL);
    }
    if (warnings->count == 0) {
        add_row(rows, "configuration", FINDING_OK,
            ops->settings->path != NULL ? ops->settings->path : "no config.ini: defaults", NULL);
    }
    ops_store_doctor(ops, rows);
    check_catalogs(ops, rows);
    check_apt(rows);
    auto_free char *qemu = find_qemu(ops);
    check_program(ops, rows, "QEMU", qemu, FINDING_FAIL,
        "qemu-system-x86_64 is not installed: VMs cannot start",
        "run: sudo apt-get install qemu-system-x86");
    auto_free char *firecracker = find_firecracker(ops);
    check_program(ops, rows, "Firecracker", firecracker, FINDING_OK,
        "not installed (optional: QEMU does everything)", NULL);
    check_accel(ops, rows);
    check_vmm(ops, rows);
    ops_net_doctor(ops, rows);
    ops_cgroup_doctor(rows);
    ops_logout_doctor(ops, rows);
    check_memory(rows);
    *result = rows;
    return true;
}
