/* SPDX-License-Identifier: MIT */
#include "vm/net_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define TIMEOUT_MS 30000
#define OUTPUT_MAX ((size_t)8 << 20)
#define CAPABILITY_NET_ADMIN 12 /* capabilities(7) */

char *net_tools_find(const char *program)
{
    static const char *const folders[] = {"/usr/sbin", "/sbin"};
    char *found = process_find(program);
    for (size_t i = 0; found == NULL && i < array_length(folders); i++) {
        auto_free char *path = memory_printf("%s/%s", folders[i], program);
        found = process_find(path);
    }
    return found;
}

bool net_tools_are_permitted(void)
{
    auto_done(text) struct text status = {0};
    struct error ignored = {0};
    uint64_t effective = 0;
    if (!file_read_all(AT_FDCWD, "/proc/self/status", 65536, &status, &ignored)) {
        return false;
    }
    const char *line = strstr(text_cstr(&status), "\nCapEff:");
    return line != NULL && sscanf(line, "\nCapEff: %" SCNx64, &effective) == 1 &&
           (effective >> CAPABILITY_NET_ADMIN & 1) != 0;
}

bool net_tools_check(struct error *err)
{
    static const struct {
        const char *program;
        const char *package;
    } rows[] = {{"ip", "iproute2"}, {"nft", "nftables"}};
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_free char *path = net_tools_find(rows[i].program);
        if (path == NULL) {
            return error_set(err, ERROR_UNSUPPORTED,
                "%s is not installed, and a network with a bridge needs it: apt install %s, or use "
                "--net user",
                rows[i].program, rows[i].package);
        }
    }
    return net_tools_are_permitted() ||
           error_set(err, ERROR_PERMISSION,
               "a network with a bridge needs the right to change this host's (CAP_NET_ADMIN): run "
               "as root, or use --net user");
}

/* Runs it with the script for stdin (NULL: none); false also for a status other than 0. */
static bool run(
    const char *const *words, const struct text *script, struct text *out, struct error *err)
{
    const char *argv[8] = {0};
    auto_free char *program = net_tools_find(words[0]);
    if (program == NULL) {
        return error_set(err, ERROR_UNSUPPORTED, "%s is not installed", words[0]);
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[i] = i == 0 ? program : words[i];
    }
    auto_close int input = memfd_create("script", MFD_CLOEXEC);
    if (input < 0 || (script != NULL && !file_write_all(input, script->data, script->len, err)) ||
        lseek(input, 0, SEEK_SET) != 0) {
        return err->code != ERROR_NONE || error_set_errno(err, errno, "no room for a script");
    }
    auto_done(text) struct text said = {0};
    int status = -1;
    if (!process_run_input(argv, input, TIMEOUT_MS, OUTPUT_MAX, NULL, out, &said, &status, err)) {
        return false;
    }
    if (status != 0) {
        const char *words_said = text_cstr(&said);
        return error_set(err, strstr(words_said, "not permitted") ? ERROR_PERMISSION : ERROR_IO,
            "%s failed: %.*s", words[0], (int)strcspn(words_said, "\n"), words_said);
    }
    return true;
}

bool net_tools_ip(const struct text *script, struct error *err)
{
    static const char *const words[] = {"ip", "-batch", "-", NULL};
    return run(words, script, NULL, err);
}

bool net_tools_nft(const struct text *script, struct error *err)
{
    static const char *const words[] = {"nft", "-f", "-", NULL};
    return run(words, script, NULL, err);
}

struct json *net_tools_links(struct error *err)
{
    static const char *const words[] = {"ip", "-json", "link", "show", NULL};
    auto_done(text) struct text out = {0};
    if (!run(words, NULL, &out, err)) {
        return NULL;
    }
    return json_parse(
        text_cstr(&out), out.len, OUTPUT_MAX, limits_default.json_depth, "the answer of ip", err);
}

/* The array of an answer of nft's; NULL when it gave none. */
static struct json *ask_nft(const char *const *words)
{
    auto_done(text) struct text out = {0};
    struct error ignored = {0};
    if (!run(words, NULL, &out, &ignored)) {
        return NULL;
    }
    auto_json struct json *answer = json_parse(text_cstr(&out), out.len, OUTPUT_MAX,
        limits_default.json_depth, "the answer of nft", &ignored);
    const struct json *list = answer != NULL ? json_get(answer, "nftables") : NULL;
    return list != NULL ? json_copy(list) : NULL;
}

struct json *net_tools_table(const char *name)
{
    const char *words[] = {"nft", "-j", "list", "table", "inet", name, NULL};
    return ask_nft(words);
}

struct json *net_tools_chains(void)
{
    static const char *const words[] = {"nft", "-j", "list", "chains", NULL};
    return ask_nft(words);
}
