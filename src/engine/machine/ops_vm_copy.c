/* SPDX-License-Identifier: MIT */
/* vm cp: files and trees between this host and a guest, through its agent. */
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/tree_stream.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/machine/ops_vm_guest.h"
#include "engine/ops.h"
#include "vm/agent_client.h"

#include <string.h>
#include <unistd.h>

/* One end of a copy, as a word says it. */
struct copy_end {
    char *vm;   /* NULL: this host */
    char *path; /* on this host "-" is the caller's stdin or stdout */
};

static void copy_end_done(struct copy_end *end)
{
    free(end->vm);
    free(end->path);
}

/* "web:/etc" is in a guest; what is no name of a VM before the first colon, or has a slash before
 * it, is a path of this host. A guest's paths begin at its root. */
static struct copy_end parse_end(const char *word)
{
    const char *colon = strchr(word, ':');
    struct error ignored = {0};
    if (colon != NULL) {
        auto_free char *name = memory_strndup(word, (size_t)(colon - word));
        if (name_check_label(name, "VM", &ignored)) {
            const char *path = colon + 1;
            return (struct copy_end){.vm = take_ptr(name),
                .path = path[0] == '/' ? memory_strdup(path) : memory_printf("/%s", path)};
        }
    }
    return (struct copy_end){.path = memory_strdup(word)};
}

bool ops_vm_copy_check(const struct command *command, struct error *err)
{
    auto_done(copy_end) struct copy_end from = parse_end(command_get(command, "source"));
    auto_done(copy_end) struct copy_end to = parse_end(command_get(command, "target"));
    if ((from.vm == NULL) != (to.vm == NULL)) {
        return true;
    }
    return error_set(err, ERROR_INVALID,
        from.vm == NULL ? "neither side names a VM: one of them is NAME:PATH"
                        : "both sides name a VM: copy to this host first, or through a pipe (`vm "
                          "cp A:PATH - | vm cp - B:DIR`)");
}

char *ops_vm_copy_object(const struct command *command)
{
    auto_done(copy_end) struct copy_end from = parse_end(command_get(command, "source"));
    auto_done(copy_end) struct copy_end to = parse_end(command_get(command, "target"));
    const char *vm = from.vm != NULL ? from.vm : to.vm;
    return vm == NULL ? NULL : memory_printf("vm/%s", vm);
}

/* ---- the two ends joined -------------------------------------------------------------------- */

struct copying {
    struct ops *ops;
    struct tree_pack *pack;
    struct tree_take *take;
};

static bool tree_failed(const struct tree_failure *failure, struct error *err)
{
    struct error kind = {0};
    switch (failure->fault) {
    case TREE_FAULT_FORMAT:
        return error_set(err, ERROR_FORMAT, "%s", failure->text);
    case TREE_FAULT_LIMIT:
        return error_set(err, ERROR_LIMIT, "%s", failure->text);
    case TREE_FAULT_IO:
        break;
    }
    error_set_errno(&kind, failure->error, "a file");
    error_set(err, kind.code, "%s", failure->text);
    err->sys_errno = failure->error;
    return false;
}

static void report(const struct copying *copying, const struct tree_count *count)
{
    progress_report(copying->ops->progress, PROGRESS_EXTRACT, PROGRESS_BYTES, count->data_bytes, 0);
}

static ssize_t read_tree(void *context, void *bytes, size_t size, struct error *err)
{
    struct copying *copying = context;
    struct tree_failure failure;
    ssize_t got = tree_pack_read(copying->pack, bytes, size, &failure);
    report(copying, tree_pack_count(copying->pack));
    if (got < 0) {
        tree_failed(&failure, err);
    }
    return got;
}

static bool write_tree(void *context, const void *bytes, size_t len, struct error *err)
{
    struct copying *copying = context;
    struct tree_failure failure;
    bool is_taken = tree_take_feed(copying->take, bytes, len, &failure);
    report(copying, tree_take_count(copying->take));
    return is_taken || tree_failed(&failure, err);
}

static struct json *copy_result(const char *name, const struct tree_count *count, uint64_t since_ms)
{
    struct json *json = json_new_object();
    json_put_string(json, "name", name);
    json_put_bool(json, "changed", true);
    json_put_integer(json, "entries", (int64_t)count->entries);
    json_put_integer(json, "size_bytes", (int64_t)count->data_bytes);
    json_put_integer(json, "skipped", (int64_t)count->skipped);
    json_put_number(json, "seconds", (double)(clock_monotonic_ms() - since_ms) / 1000);
    return json;
}

static bool copy_in(struct ops *ops, int dir, const char *from, const char *to,
    struct tree_count *count, struct error *err)
{
    struct tree_failure failure;
    auto_free char *top = tree_top_name(from);
    struct copying copying = {.ops = ops, .pack = tree_pack_open(from, geteuid() == 0, &failure)};
    if (copying.pack == NULL) {
        return tree_failed(&failure, err);
    }
    struct agent_copy_spec spec = {.is_into_guest = true,
        .path = to,
        .name = top,
        .fd = -1,
        .read = read_tree,
        .context = &copying};
    bool is_done = agent_copy(dir, &spec, ops->cancel, err);
    *count = *tree_pack_count(copying.pack);
    tree_pack_free(copying.pack);
    return is_done;
}

static bool copy_out(struct ops *ops, int dir, const char *from, const char *to,
    struct tree_count *count, struct error *err)
{
    struct tree_failure failure;
    auto_free char *top = tree_top_name(from);
    struct tree_rules rules = {.keeps_owners = geteuid() == 0,
        .entries_max = ops->limits->entries,
        .bytes_max = ops->limits->expanded_bytes};
    struct copying copying = {.ops = ops, .take = tree_take_open(to, top, &rules, &failure)};
    if (copying.take == NULL) {
        return tree_failed(&failure, err);
    }
    struct agent_copy_spec spec = {
        .path = from, .fd = -1, .write = write_tree, .context = &copying};
    bool is_done = agent_copy(dir, &spec, ops->cancel, err) &&
                   (tree_take_finish(copying.take, &failure) || tree_failed(&failure, err));
    *count = *tree_take_count(copying.take);
    tree_take_free(copying.take);
    return is_done;
}

/* The stream itself goes to stdout, or comes from stdin. */
static bool copy_stream(struct ops *ops, int dir, bool is_into_guest, const char *path,
    struct json **result, struct error *err)
{
    auto_close int fd =
        command_take_fd(ops->command, is_into_guest ? COMMAND_STDIN : COMMAND_STDOUT);
    struct agent_copy_spec spec = {.is_into_guest = is_into_guest, .path = path, .fd = fd};
    if (fd < 0) {
        return error_set(err, ERROR_INVALID, "\"-\" stands for %s, and there is none here",
            is_into_guest ? "stdin" : "stdout");
    }
    if (!agent_copy(dir, &spec, ops->cancel, err)) {
        return false;
    }
    *result = json_new_object();
    json_put_integer(*result, "exit_status", 0);
    return true;
}

bool ops_vm_cp(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(copy_end) struct copy_end from = parse_end(command_get(ops->command, "source"));
    auto_done(copy_end) struct copy_end to = parse_end(command_get(ops->command, "target"));
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    bool is_into_guest = to.vm != NULL;
    const char *name = is_into_guest ? to.vm : from.vm;
    const char *local = is_into_guest ? from.path : to.path;
    uint64_t begin = clock_monotonic_ms();
    struct tree_count count = {0};
    if (!ops_vm_reach(ops, name, &hand, err)) {
        return false;
    }
    bool is_done = false;
    if (strcmp(local, "-") == 0) {
        is_done = copy_stream(
            ops, hand.dir, is_into_guest, is_into_guest ? to.path : from.path, result, err);
    } else if (is_into_guest) {
        is_done = copy_in(ops, hand.dir, from.path, to.path, &count, err);
    } else {
        is_done = copy_out(ops, hand.dir, from.path, to.path, &count, err);
    }
    if (!is_done) {
        return error_wrap(err, "VM %s", name);
    }
    if (*result == NULL) {
        *result = copy_result(name, &count, begin);
    }
    return true;
}
