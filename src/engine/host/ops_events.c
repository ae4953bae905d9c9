/* SPDX-License-Identifier: MIT */
/* events: what changes among kernels, images and machines, whoever changes it, and who did what, as
 * lines of JSON or for people. What there is is compared with what there was, and what was done is
 * read from where everybody writes it down; the kernel's notices only say when to look. */
#include "engine/host/ops_events.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/change_log.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/layout.h"
#include "vm/stream_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANGES (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR)
/* A process that died together with its monitor leaves no notice. */
#define LOOK_MS 2000
#define GAP_MS 20 /* a burst of notices is one look */

/* What was last seen of one entry. */
struct seen {
    enum store_kind kind;
    char *name;
    ino_t inode; /* of its directory: another one has taken its name */
    bool is_here;
    enum machine_state state;
    int64_t started_at;
    unsigned restarts;
    bool is_ready;
    bool is_network_lost;
    bool is_no_space;
};

struct events {
    struct ops *ops;
    int out_fd;
    int inotify;
    struct seen *seen;
    size_t count;
    struct change_mark mark; /* up to where deeds were told */
    int64_t since;           /* what was done before is none of it */
    bool is_plain;           /* for people */
    bool is_first;           /* what is there at first is no news */
    bool is_closed;
};

static void events_done(struct events *events)
{
    for (size_t i = 0; i < events->count; i++) {
        free(events->seen[i].name);
    }
    free(events->seen);
    memory_auto_close(&events->inotify);
    memory_auto_close(&events->out_fd);
}

/* ---- telling -------------------------------------------------------------------------------- */

static struct json *event_new(const struct seen *seen, const char *event)
{
    struct json *json = json_new_object();
    ops_put_time(json, "time", clock_wall());
    if (seen != NULL) {
        json_put_string(json, "kind", store_kind_name(seen->kind));
        json_put_string(json, "name", seen->name);
    }
    json_put_string(json, "event", event);
    return json;
}

/* Takes json over. False with *err; a reader that went away is no failure. */
static bool write_event(struct events *events, struct json *json, struct error *err)
{
    auto_json struct json *owned = json;
    auto_done(text) struct text line = {0};
    if (events->is_plain) {
        events_write_plain(owned, &line);
    } else {
        json_write(owned, false, &line);
        text_append_char(&line, '\n');
    }
    return stream_write_all(
        events->out_fd, text_cstr(&line), line.len, events->ops->cancel, &events->is_closed, err);
}

/* The same for one that what is there at first, or the command's words, may leave out. */
static bool tell(struct events *events, struct json *json, struct error *err)
{
    bool is_wanted =
        !events->is_first && events_wants(events->ops->command, json_string(json, "kind", ""),
                                 json_string(json, "name", ""));
    if (!is_wanted) {
        json_free(json);
        return true;
    }
    return write_event(events, json, err);
}

/* ---- deeds ---------------------------------------------------------------------------------- */

struct telling {
    struct events *events;
    struct error *err;
    bool is_fine;
};

static void see_deed(void *context, const struct change *change)
{
    struct telling *telling = context;
    struct events *events = telling->events;
    if (telling->is_fine && !events->is_closed && change->at >= events->since &&
        events_wants_deed(events->ops->command, change)) {
        telling->is_fine = write_event(events, events_deed(change), telling->err);
    }
}

/* What cannot be read is left out, and that is said. */
static bool tell_deeds(struct events *events, bool is_all, struct error *err)
{
    struct telling telling = {.events = events, .err = err, .is_fine = true};
    struct error failure = {0};
    uint64_t passed = is_all ? 0 : events->mark.passed;
    int log = store_area_dir(events->ops->store, STORE_LOG);
    bool is_read = is_all ? change_log_read_all(log, &events->mark, see_deed, &telling, &failure)
                          : change_log_read(log, &events->mark, see_deed, &telling, &failure);
    if (telling.is_fine && !is_read) {
        *err = failure;
    }
    if (!telling.is_fine || !is_read || events->mark.passed == passed) {
        return telling.is_fine && is_read;
    }
    struct json *json = event_new(NULL, "unreadable");
    json_put_integer(json, "lines", (int64_t)(events->mark.passed - passed));
    return write_event(events, json, err);
}

/* ---- looking -------------------------------------------------------------------------------- */

static struct seen *find(struct events *events, enum store_kind kind, const char *name)
{
    for (size_t i = 0; i < events->count; i++) {
        struct seen *seen = &events->seen[i];
        if (seen->kind == kind && strcmp(seen->name, name) == 0) {
            return seen;
        }
    }
    return NULL;
}

static bool tell_state(
    struct events *events, struct seen *seen, const struct vm_hand *hand, struct error *err)
{
    auto_json struct json *facts = ops_vm_json(&hand->spec, &hand->facts);
    struct json *json = event_new(seen, "state");
    json_put_string(json, "state", machine_state_name(hand->facts.state));
    json_put_string(json, "before", machine_state_name(seen->state));
    static const char *const keys[] = {"pid", "exit", "restarts"};
    for (size_t i = 0; i < array_length(keys); i++) {
        const struct json *value = json_get(facts, keys[i]);
        if (value != NULL) {
            json_put(json, keys[i], json_copy(value));
        }
    }
    return tell(events, json, err);
}

/* A machine's own news: another state, another boot under the same state, its agent's answer. */
static bool look_at_machine(struct events *events, struct seen *seen, struct error *err)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    struct error ignored = {0};
    if (!ops_vm_read(events->ops, seen->name, &hand, &ignored) ||
        error_is_blind(&hand.facts.why_unknown)) {
        return true; /* no news, as far as can be seen */
    }
    const struct machine_timeline *timeline = &hand.facts.timeline;
    bool is_ready = hand.facts.state == MACHINE_RUNNING && hand.facts.has_timeline &&
                    machine_timeline_is_ready(timeline);
    int64_t started_at = hand.facts.has_timeline ? timeline->started_at : 0;
    unsigned restarts = hand.facts.has_timeline ? timeline->restarts : 0;
    bool is_again = seen->started_at != 0 &&
                    (started_at != seen->started_at || restarts != seen->restarts) &&
                    hand.facts.state == seen->state && ops_vm_is_up(seen->state);
    bool is_told =
        (hand.facts.state == seen->state && !is_again) || tell_state(events, seen, &hand, err);
    if (is_told && is_ready && (!seen->is_ready || is_again)) {
        struct json *json = event_new(seen, "ready");
        json_put_integer(json, "ready_ms", (int64_t)timeline->at_ms[MACHINE_STAGE_AGENT]);
        is_told = tell(events, json, err);
    }
    bool is_lost = hand.facts.has_timeline && timeline->is_network_lost;
    if (is_told && is_lost != seen->is_network_lost && ops_vm_is_up(hand.facts.state)) {
        is_told = tell(events, event_new(seen, is_lost ? "network-lost" : "network-back"), err);
    }
    seen->is_network_lost = is_lost;
    bool is_full = hand.facts.has_timeline && timeline->is_no_space;
    if (is_told && is_full != seen->is_no_space && ops_vm_is_up(hand.facts.state)) {
        is_told = tell(events, event_new(seen, is_full ? "no-space" : "space-back"), err);
    }
    seen->is_no_space = is_full;
    seen->state = hand.facts.state;
    seen->started_at = started_at;
    seen->restarts = restarts;
    seen->is_ready = is_ready;
    return is_told;
}

static void watch_entry(struct events *events, const struct seen *seen)
{
    if (seen->kind == STORE_VM && events->inotify >= 0) {
        auto_free char *path = store_entry_path(events->ops->store, STORE_VM, seen->name, NULL);
        inotify_add_watch(events->inotify, path, CHANGES | IN_EXCL_UNLINK);
    }
}

static struct seen *add(struct events *events, enum store_kind kind, const char *name, ino_t inode)
{
    events->seen = memory_grow(events->seen, events->count + 1, sizeof *events->seen);
    struct seen *seen = &events->seen[events->count++];
    *seen = (struct seen){.kind = kind,
        .name = memory_strdup(name),
        .inode = inode,
        .is_here = true,
        .state = MACHINE_CREATED};
    watch_entry(events, seen);
    return seen;
}

static bool look_at_entry(
    struct events *events, enum store_kind kind, const char *name, struct error *err)
{
    struct stat status;
    int dir = store_kind_dir(events->ops->store, kind);
    if (name[0] == '.') {
        return true;
    }
    struct seen *seen = find(events, kind, name);
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (seen != NULL) {
            seen->is_here = errno != ENOENT;
        }
        return true;
    }
    if (!S_ISDIR(status.st_mode)) {
        return true;
    }
    bool is_new = seen == NULL;
    bool is_other = !is_new && seen->inode != status.st_ino;
    if (is_new) {
        seen = add(events, kind, name, status.st_ino);
    }
    if (is_other) {
        seen->inode = status.st_ino;
        watch_entry(events, seen);
    }
    seen->is_here = true;
    if ((is_new && !tell(events, event_new(seen, "added"), err)) ||
        (is_other && !tell(events, event_new(seen, "replaced"), err))) {
        return false;
    }
    return kind != STORE_VM || look_at_machine(events, seen, err);
}

static bool tell_removed(struct events *events, struct error *err)
{
    for (size_t i = 0; i < events->count;) {
        struct seen *seen = &events->seen[i];
        if (seen->is_here) {
            i++;
            continue;
        }
        bool is_told = tell(events, event_new(seen, "removed"), err);
        free(seen->name);
        *seen = events->seen[--events->count];
        if (!is_told) {
            return false;
        }
    }
    return true;
}

/* What cannot be listed now is not gone by that. */
static void keep_all(struct events *events, enum store_kind kind)
{
    for (size_t i = 0; i < events->count; i++) {
        events->seen[i].is_here = events->seen[i].is_here || events->seen[i].kind == kind;
    }
}

static bool look(struct events *events, struct error *err)
{
    for (size_t i = 0; i < events->count; i++) {
        events->seen[i].is_here = false;
    }
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        auto_done(strings) struct strings names = {0};
        struct error unseen = {0};
        if (!file_list(
                store_kind_dir(events->ops->store, (enum store_kind)kind), ".", &names, &unseen)) {
            keep_all(events, (enum store_kind)kind);
        }
        for (size_t i = 0; i < names.count; i++) {
            if (!look_at_entry(events, (enum store_kind)kind, names.items[i], err)) {
                return false;
            }
        }
    }
    return tell_removed(events, err) && tell_deeds(events, false, err);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void watch_kinds(struct events *events)
{
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d",
            store_kind_dir(events->ops->store, (enum store_kind)kind));
        inotify_add_watch(events->inotify, path, CHANGES);
    }
    char log[64];
    snprintf(log, sizeof log, "/proc/self/fd/%d", store_area_dir(events->ops->store, STORE_LOG));
    inotify_add_watch(events->inotify, log, CHANGES);
}

/* Until something may have changed. False: the end, with *err unless the reader went away. */
static bool wait_for_change(struct events *events, struct error *err)
{
    char notices[16384];
    struct pollfd fds[] = {{cancel_fd(events->ops->cancel), POLLIN, 0},
        {events->inotify, POLLIN, 0}, {events->out_fd, 0, 0}};
    if (poll(fds, array_length(fds), LOOK_MS) < 0 && errno != EINTR) {
        return error_set_errno(err, errno, "cannot wait for changes");
    }
    if (cancel_check(events->ops->cancel, err) || (fds[2].revents & (POLLERR | POLLHUP)) != 0) {
        return false;
    }
    if ((fds[1].revents & POLLIN) != 0) {
        poll(fds, 1, GAP_MS);
        while (read(events->inotify, notices, sizeof notices) > 0) {
        }
    }
    return true;
}

/* What was done before is told first. False: that is all, with *err unless it went well. */
static bool begin(struct events *events, struct error *err)
{
    const struct command *command = events->ops->command;
    const char *word = command_get(command, "since");
    if (events->out_fd < 0) {
        return error_set(err, ERROR_BUG, "events have nowhere to go");
    }
    if (word == NULL) {
        events->mark = change_log_end(store_area_dir(events->ops->store, STORE_LOG));
        return true;
    }
    return events_read_since(word, clock_wall(), &events->since, err) &&
           tell_deeds(events, true, err) && command_has(command, "follow");
}

static bool follow(struct events *events, struct error *err)
{
    watch_kinds(events);
    bool is_fine = look(events, err);
    events->is_first = false;
    is_fine = is_fine && write_event(events, event_new(NULL, "watching"), err);
    while (is_fine && !events->is_closed && wait_for_change(events, err)) {
        is_fine = look(events, err);
    }
    return is_fine && err->code == ERROR_NONE;
}

bool ops_events(struct ops *ops, struct json **result, struct error *err)
{
    struct events events = {.ops = ops,
        .out_fd = command_take_fd(ops->command, COMMAND_STDOUT),
        .inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK),
        .is_plain = command_has(ops->command, "plain"),
        .is_first = true};
    bool is_fine = begin(&events, err) ? follow(&events, err) : err->code == ERROR_NONE;
    events_done(&events);
    if (!is_fine) {
        return false;
    }
    *result = json_new_object();
    json_put_integer(*result, "exit_status", 0);
    return true;
}
