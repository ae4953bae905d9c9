/* SPDX-License-Identifier: MIT */
#include "vm/qemu_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "vm/qmp.h"
#include "vm/vmm.h"

#define CALL_TIMEOUT_MS 10000
#define SAVE_TIMEOUT_MS (30u * 60 * 1000)
#define LOOK_MS 2
#define FD_NAME "memory"
/* Unlimited, where the default is made to spare a network. */
#define BYTES_PER_SECOND (INT64_C(1) << 40)

bool qemu_memory_version(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel,
    char *version, size_t size, struct error *err)
{
    struct qmp qmp;
    struct json *reply = NULL;
    if (!qmp_open(&qmp, vm_dir, vmm_line_socket(VMM_LINE_CONTROL), timeout_ms, cancel, err)) {
        return false;
    }
    bool is_told = qmp_call(&qmp, "query-version", NULL, timeout_ms, cancel, &reply, err);
    qmp_done(&qmp);
    if (is_told) {
        const struct json *parts = json_get(reply, "qemu");
        snprintf(version, size, "%lld.%lld.%lld", (long long)json_integer(parts, "major", 0),
            (long long)json_integer(parts, "minor", 0), (long long)json_integer(parts, "micro", 0));
        json_free(reply);
    }
    return is_told;
}

/* Until the stream has ended, on either side of it. */
static bool await_end(
    struct qmp *qmp, uint64_t deadline, const struct cancel *cancel, struct error *err)
{
    for (;;) {
        struct json *reply = NULL;
        uint64_t left_ms = (uint64_t)clock_left_ms(deadline);
        if (!qmp_call(qmp, "query-migrate", NULL, left_ms, cancel, &reply, err)) {
            return false;
        }
        auto_json struct json *said = reply;
        const char *status = json_string(said, "status", "");
        if (strcmp(status, "completed") == 0) {
            return true;
        }
        if (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0) {
            return error_set(err, ERROR_VMM, "QEMU: %s",
                json_string(said, "error-desc", "the stream of its memory broke off"));
        }
        poll(NULL, 0, LOOK_MS);
    }
}

static bool call_with(struct qmp *qmp, const char *command, const char *key, const char *value,
    uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    struct json *arguments = json_new_object();
    json_put_string(arguments, key, value);
    return qmp_call(qmp, command, arguments, timeout_ms, cancel, NULL, err);
}

static bool save(struct qmp *qmp, int fd, const struct cancel *cancel, struct error *err)
{
    struct json *limits = json_new_object();
    json_put_integer(limits, "max-bandwidth", BYTES_PER_SECOND);
    if (!qmp_call(qmp, "migrate-set-parameters", limits, CALL_TIMEOUT_MS, cancel, NULL, err) ||
        !qmp_pass_fd(qmp, FD_NAME, fd, CALL_TIMEOUT_MS, cancel, err) ||
        !call_with(qmp, "migrate", "uri", "fd:" FD_NAME, CALL_TIMEOUT_MS, cancel, err)) {
        return false;
    }
    if (await_end(qmp, clock_deadline(SAVE_TIMEOUT_MS), cancel, err)) {
        return true;
    }
    struct error ignored = {0};
    qmp_call(qmp, "migrate_cancel", NULL, CALL_TIMEOUT_MS, NULL, NULL, &ignored);
    return false;
}

bool qemu_memory_save(int vm_dir, const char *where, const struct cancel *cancel, struct error *err)
{
    struct qmp qmp;
    auto_free char *path = memory_printf("%s/" VMM_MEMORY_FILE, where);
    auto_close int fd = file_create(vm_dir, path, err);
    if (fd < 0 ||
        !qmp_open(&qmp, vm_dir, vmm_line_socket(VMM_LINE_CONTROL), CALL_TIMEOUT_MS, cancel, err)) {
        return false;
    }
    bool is_saved = save(&qmp, fd, cancel, err);
    qmp_done(&qmp);
    return is_saved || error_wrap(err, "its memory cannot be kept");
}

bool qemu_memory_load(
    struct qmp *qmp, int vm_dir, const char *where, uint64_t timeout_ms, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    auto_free char *path = memory_printf("%s/" VMM_MEMORY_FILE, where);
    auto_close int fd = file_open_read(vm_dir, path, err);
    return fd >= 0 && qmp_pass_fd(qmp, FD_NAME, fd, timeout_ms, NULL, err) &&
           call_with(qmp, "migrate-incoming", "uri", "fd:" FD_NAME, timeout_ms, NULL, err) &&
           await_end(qmp, deadline, NULL, err);
}
