/* SPDX-License-Identifier: MIT */
#pragma once

/* What verbs answer in the worlds of fake_console.c: by verb, as the engine would write it. */

#include <stddef.h>

struct fake_answer {
    const char *subject, *verb;
    const char *result;
};

static const struct fake_answer fake_answers[] = {
    {"host", "files",
        "{\"dir\":\"/srv/disks\",\"more\":false,\"entries\":["
        "{\"name\":\"old\",\"kind\":\"directory\",\"plain\":true},"
        "{\"name\":\".keep\",\"kind\":\"file\",\"size_bytes\":0,\"plain\":true},"
        "{\"name\":\"alpine.ext4\",\"kind\":\"file\",\"size_bytes\":9542041,\"plain\":true},"
        "{\"name\":\"debian-12.ext4\",\"kind\":\"file\",\"size_bytes\":1073741824,\"plain\":true},"
        "{\"name\":\"rescue.tar.zst\",\"kind\":\"file\",\"size_bytes\":41943040,\"plain\":true}]}"},
    {"host", "trash list",
        "[{\"id\":\"kernel@test@1782910000000\",\"kind\":\"kernel\",\"name\":\"test\","
        "\"disk_bytes\":19922944,\"trashed_at\":\"2026-07-01T12:46:40Z\","
        "\"restorable_until\":\"2026-07-08T12:46:40Z\"},"
        "{\"id\":\"vm@old-web@1782823600000\",\"kind\":\"vm\",\"name\":\"old-web\","
        "\"disk_bytes\":251658240,\"trashed_at\":\"2026-06-30T12:46:40Z\","
        "\"restorable_until\":\"2026-07-07T12:46:40Z\"}]"},
    {"host", "doctor",
        "[{\"check\":\"program\",\"status\":\"ok\",\"detail\":\"banger-tui 0.1.0\"},"
        "{\"check\":\"state directory\",\"status\":\"ok\",\"detail\":"
        "\"/home/op/.local/state/banger, 41.0 GiB free\"},"
        "{\"check\":\"acceleration\",\"status\":\"ok\",\"detail\":\"/dev/kvm works\"},"
        "{\"check\":\"QEMU\",\"status\":\"ok\",\"detail\":\"/usr/bin/qemu-system-x86_64 8.2.2\"},"
        "{\"check\":\"Firecracker\",\"status\":\"warning\",\"detail\":\"not found\",\"hint\":"
        "\"install it to run machines with it; QEMU is enough otherwise\"}]"},
    {"host", "df",
        "[{\"what\":\"kernels\",\"entries\":3,\"size_bytes\":56623104,\"disk_bytes\":56623104,"
        "\"reclaimable_bytes\":41943040}]"},
};
#define FAKE_ANSWER_COUNT (sizeof(fake_answers) / sizeof(fake_answers[0]))

/* The same where everything comes from somebody who means harm. */
#define EVIL "\\u001b[2J\\u001b]0;owned\\u0007\\u202e\\u009b31m\\u0301\\u6f22\\ud83d\\udc69\\u200d"
static const struct fake_answer hostile_answers[] = {
    {"host", "files",
        "{\"dir\":\"/" EVIL "\",\"more\":true,\"entries\":["
        "{\"name\":\"" EVIL "\",\"kind\":\"directory\",\"plain\":false},"
        "{\"name\":\".." EVIL "\",\"kind\":\"other\",\"plain\":false},"
        "{\"name\":\"x" EVIL "\",\"kind\":\"file\",\"size_bytes\":-1,\"plain\":false}]}"},
    {"host", "trash list",
        "[{\"id\":\"kernel@" EVIL "@1\",\"kind\":\"" EVIL "\",\"name\":\"" EVIL "\","
        "\"disk_bytes\":-5,\"trashed_at\":\"" EVIL "\",\"restorable_until\":\"" EVIL "\"}]"},
    {"host", "doctor",
        "[{\"check\":\"" EVIL "\",\"status\":\"" EVIL "\",\"detail\":\"" EVIL "\",\"hint\":\"" EVIL
        "\"}]"},
    {"host", "df", "[{\"what\":\"" EVIL "\",\"entries\":\"" EVIL "\",\"size_bytes\":{}}]"},
};
