/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/qmp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* All that QEMU says, then it hangs up: a greeting, and answers to what it is asked. */
static void run_qmp(const uint8_t *bytes, size_t len)
{
    int pair[2];
    struct error err = {0};
    struct qmp qmp = {0};
    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    len = len > 65536 ? 65536 : len;
    fuzz_check(write(pair[1], bytes, len) == (ssize_t)len);
    shutdown(pair[1], SHUT_WR);
    if (qmp_adopt(&qmp, pair[0], 1000, NULL, &err)) {
        auto_json struct json *reply = NULL;
        if (!qmp_call(&qmp, "query-status", NULL, 1000, NULL, &reply, &err)) {
            fuzz_check(err.code != ERROR_NONE);
        }
    } else {
        fuzz_check(err.code != ERROR_NONE);
    }
    qmp_done(&qmp);
    close(pair[1]);
}

static void run_process_stat(const uint8_t *bytes, size_t len)
{
    auto_free char *text = fuzz_text(bytes, len);
    struct process_stat stat;
    process_parse_stat(text, &stat);
}

const struct fuzz_target fuzz_vm[] = {
    {"qmp", run_qmp},
    {"process_stat", run_process_stat},
    {NULL, NULL},
};
