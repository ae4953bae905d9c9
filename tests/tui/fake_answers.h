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
        "[{\"id\":\"vm@old-web@1782823600000\",\"kind\":\"vm\",\"name\":\"old-web\","
        "\"disk_bytes\":251658240,\"trashed_at\":\"2026-06-30T12:46:40Z\","
        "\"restorable_until\":\"2026-07-07T12:46:40Z\"},"
        "{\"id\":\"kernel@test@1782910000000\",\"kind\":\"kernel\",\"name\":\"test\","
        "\"disk_bytes\":19922944,\"trashed_at\":\"2026-07-01T12:46:40Z\","
        "\"restorable_until\":\"2026-07-08T12:46:40Z\"}]"},
    {"host", "doctor",
        "["
        "{\"check\":\"program\",\"status\":\"ok\",\"detail\":\"banger-tui 0.1.0\"},"
        "{\"check\":\"state "
        "directory\",\"status\":\"ok\",\"detail\":\"/home/op/.local/state/banger, 41.0 GiB free\"},"
        "{\"check\":\"configuration\",\"status\":\"ok\",\"detail\":\"no config.ini: defaults\"},"
        "{\"check\":\"catalog "
        "lab\",\"status\":\"warn\",\"detail\":\"https://mirror.example/catalog.json: last fetched "
        "9 days ago\",\"hint\":\"catalog refresh fetches it again\"},"
        "{\"check\":\"QEMU\",\"status\":\"ok\",\"detail\":\"/usr/bin/qemu-system-x86_64: QEMU "
        "emulator version 8.2.2\"},"
        "{\"check\":\"Firecracker\",\"status\":\"ok\",\"detail\":\"not installed (optional: QEMU "
        "does everything)\"},"
        "{\"check\":\"acceleration\",\"status\":\"ok\",\"detail\":\"kvm: /dev/kvm works\"},"
        "{\"check\":\"network: bridge\",\"status\":\"fail\",\"detail\":\"nft is missing: install "
        "nftables\",\"hint\":\"apt-get install nftables\"},"
        "{\"check\":\"memory\",\"status\":\"ok\",\"detail\":\"23.0 GiB, 17.9 GiB available\"}"
        "]"},
    {"host", "df",
        "["
        "{\"what\":\"kernels\",\"entries\":3,\"size_bytes\":56623104,\"disk_bytes\":56623104,"
        "\"reclaimable_bytes\":41943040},"
        "{\"what\":\"images\",\"entries\":2,\"size_bytes\":1083179008,\"disk_bytes\":651165696,"
        "\"reclaimable_bytes\":0},"
        "{\"what\":\"vms\",\"entries\":4,\"size_bytes\":35433480192,\"disk_bytes\":377487360,"
        "\"reclaimable_bytes\":0},"
        "{\"what\":\"cache/"
        "blobs\",\"entries\":11,\"size_bytes\":432013312,\"disk_bytes\":432013312,\"reclaimable_"
        "bytes\":432013312},"
        "{\"what\":\"cache/"
        "downloads\",\"entries\":1,\"size_bytes\":11010048,\"disk_bytes\":11010048,\"reclaimable_"
        "bytes\":11010048},"
        "{\"what\":\"cache/"
        "elf\",\"entries\":2,\"size_bytes\":63963136,\"disk_bytes\":63963136,\"reclaimable_bytes\":"
        "63963136},"
        "{\"what\":\"cache/"
        "initrd\",\"entries\":1,\"size_bytes\":9437184,\"disk_bytes\":9437184,\"reclaimable_"
        "bytes\":9437184},"
        "{\"what\":\"cache/"
        "catalogs\",\"entries\":1,\"size_bytes\":18432,\"disk_bytes\":20480,\"reclaimable_bytes\":"
        "20480},"
        "{\"what\":\"trash\",\"entries\":2,\"size_bytes\":271581184,\"disk_bytes\":271581184,"
        "\"reclaimable_bytes\":271581184}"
        "]"},
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
