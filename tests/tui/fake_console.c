/* SPDX-License-Identifier: MIT */

/* The console in front of a world that never moves: an engine whose snapshot is written down here,
 * with a wall clock that stands. It is what docs/screens is rendered with, and what tests of drawing
 * run; everything that is done rather than shown is tested with the real program.
 *
 * usage: fake_console WORLD [--ascii] [--no-color] [--readonly] [--rest=FILE]
 * WORLD: empty, half, gone, mismatch, busy, history, hostile, many; evil, with --seed=N */

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "tui/fake_answers.h"
#include "tui/fake_hostile.h"
#include "tui/fake_rest.h"
#include "ui/app.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* 2026-07-01 14:02 UTC. */
#define NOW 1782914520
#define MINUTES(n) (NOW - (n)*60)
#define HOURS(n) MINUTES((n)*60)
#define DAYS(n) HOURS((n)*24)
#define MIB(n) ((uint64_t)((n)*1024.0 * 1024.0))

/* The two copies are handed out in turn, so that what is drawn is always news: nothing grows old,
 * and a boot under way stands still at its 1.4 seconds. */
struct engine {
    struct snapshot snapshot;
    struct snapshot other;
    bool is_other;
    int wake_fd; /* a timer's: rings while something is under way */
};

#define HEX_CLOUD "3f9c41d2a0b84c57e1930fd2746ab8c5901e3d77f2a46b8cc013579bdf02468a"
#define HEX_VOID "9b02c1de4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e"
#define HEX_OTHER "77aa03be915c2d3e4f50617283940a1b2c3d4e5f60718293a4b5c6d7e8f90a1b"

static const struct offer_item offers[] = {
    {.name = "debian-cloud",
        .kind = OFFER_KERNEL,
        .distro = "debian",
        .arch = "x86_64",
        .kernel_version = "6.1.0-44",
        .size_bytes = MIB(14),
        .description = "Debian's kernel for virtual machines",
        .kernel_ref = "",
        .catalog = "builtin",
        .origin = "apt:linux-image-cloud-amd64",
        .expected_sha256 = "",
        .why_unusable = ""},
    {.name = "generic-6.12",
        .kind = OFFER_KERNEL,
        .distro = "generic",
        .arch = "x86_64",
        .kernel_version = "6.12.31",
        .size_bytes = MIB(21),
        .description = "Everything built in, no modules needed",
        .kernel_ref = "",
        .catalog = "lab",
        .origin = "https://mirror.example/generic-6.12-x86_64-3f9c41d2.tar.zst",
        .expected_sha256 = HEX_CLOUD,
        .why_unusable = ""},
    {.name = "debian",
        .kind = OFFER_IMAGE,
        .distro = "debian",
        .arch = "x86_64",
        .kernel_version = "",
        .size_bytes = MIB(151),
        .description = "Debian 12, small",
        .kernel_ref = "debian-cloud",
        .catalog = "lab",
        .origin = "https://mirror.example/debian-x86_64-9b02c1de.tar.zst",
        .expected_sha256 = HEX_VOID,
        .why_unusable = ""},
};
static struct offer_item offers_pulled[array_length(offers)];

static const struct kernel_item kernels[] = {
    {.name = "debian-cloud",
        .distro = "debian",
        .arch = "x86_64",
        .kernel_version = "6.1.0-44",
        .sha256 = HEX_CLOUD,
        .source = "apt:linux-image-6.1.0-44-cloud-amd64=6.1.170-1",
        .fetched_from = "",
        .source_sha256 = HEX_OTHER,
        .imported_at = DAYS(12),
        .size_bytes = MIB(14),
        .verified = VERIFIED_PULL,
        .damage = ""},
    {.name = "lab",
        .distro = "",
        .arch = "x86_64",
        .kernel_version = "6.13-rc2",
        .sha256 = HEX_OTHER,
        .source = "import:/home/op/linux",
        .fetched_from = "",
        .source_sha256 = "",
        .imported_at = HOURS(3),
        .size_bytes = MIB(19),
        .verified = VERIFIED_RECORDED,
        .damage = ""},
    {.name = "void-6.12",
        .distro = "void",
        .arch = "x86_64",
        .kernel_version = "6.12.3",
        .sha256 = HEX_VOID,
        .source = "pull:https://mirror.example/void.tar.zst",
        .fetched_from = "",
        .source_sha256 = HEX_VOID,
        .imported_at = DAYS(40),
        .size_bytes = MIB(21),
        .state = ENTRY_DAMAGED,
        .verified = VERIFIED_MISMATCH,
        .damage = "vmlinux is not what its manifest records"},
};

static const char *const debian_users[] = {"ci-1", "web"};
static const char *const alpine_users[] = {"db"};
static const struct image_item images[] = {
    {.name = "alpine",
        .source = "register:/srv/alpine.ext4",
        .digest = "",
        .kernel_ref = "debian-cloud",
        .size_bytes = MIB(9.1),
        .disk_bytes = MIB(9.1),
        .created_at = DAYS(3),
        .damage = "",
        .used_by_count = 1,
        .used_by = alpine_users},
    {.name = "debian",
        .source = "pull:https://mirror.example/debian-x86_64-9b02c1de.tar.zst",
        .digest = "sha256:" HEX_VOID,
        .kernel_ref = "debian-cloud",
        .size_bytes = MIB(1024),
        .disk_bytes = MIB(612),
        .is_managed = true,
        .created_at = DAYS(12),
        .damage = "",
        .used_by_count = 2,
        .used_by = debian_users},
};

static const struct stage_item web_stages[] = {
    {"vmm", 41}, {"kernel", 380}, {"init", 1120}, {"network", 1490}, {"agent", 1710}};
static const struct stage_item booting_stages[] = {{"vmm", 44}, {"kernel", 391}};
static const struct vm_snapshot_item web_snapshots[] = {
    {"before-upgrade", DAYS(2), false, ""}, {"warm", HOURS(1), true, ""}};
static const struct vm_item vms[] = {
    {.name = "ci-1",
        .state = VM_STATE_RUNNING,
        .image = "debian",
        .kernel_ref = "debian-cloud",
        .vmm = "qemu",
        .accel = "kvm",
        .vcpu = 2,
        .memory_mib = 2048,
        .pid = 4711,
        .created_at = MINUTES(5),
        .started_at = MINUTES(4),
        .exit_text = "",
        .is_ready = true,
        .stage_count = array_length(web_stages),
        .snapshot_count = array_length(web_snapshots),
        .snapshots = web_snapshots,
        .stages = web_stages,
        .rss_bytes = MIB(1126),
        .cpu_permille = 1800,
        .cpu_history = {400, 900, 1400, 1900, 1500, 1100, 1600, 1900, 1200, 1800},
        .cpu_history_count = 10,
        .disk_bytes = MIB(88),
        .has_net = true,
        .net_received_bytes = MIB(341),
        .net_sent_bytes = MIB(12),
        .net_received_rate = MIB(1.2),
        .net_sent_rate = MIB(0.05)},
    {.name = "ci-2",
        .state = VM_STATE_STARTING,
        .image = "debian",
        .kernel_ref = "debian-cloud",
        .vmm = "qemu",
        .accel = "kvm",
        .vcpu = 1,
        .memory_mib = 512,
        .pid = 4790,
        .created_at = MINUTES(0),
        .started_at = NOW - 2,
        .exit_text = "",
        .stage_count = array_length(booting_stages),
        .stages = booting_stages,
        .rss_bytes = MIB(95),
        .cpu_permille = 970,
        .disk_bytes = MIB(1)},
    {.name = "db",
        .state = VM_STATE_STOPPED,
        .image = "alpine",
        .kernel_ref = "debian-cloud",
        .vmm = "qemu",
        .accel = "",
        .vcpu = 1,
        .memory_mib = 512,
        .created_at = DAYS(2),
        .started_at = DAYS(1),
        .exit_text = "powered off by the guest",
        .disk_bytes = MIB(240)},
    {.name = "web",
        .state = VM_STATE_RUNNING,
        .image = "debian",
        .kernel_ref = "debian-cloud",
        .vmm = "qemu",
        .accel = "kvm",
        .vcpu = 1,
        .memory_mib = 512,
        .pid = 3120,
        .created_at = HOURS(3),
        .started_at = HOURS(3),
        .exit_text = "",
        .is_ready = true,
        .stage_count = array_length(web_stages),
        .snapshot_count = array_length(web_snapshots),
        .snapshots = web_snapshots,
        .stages = web_stages,
        .rss_bytes = MIB(212),
        .cpu_permille = 340,
        .cpu_history = {20, 60, 120, 340, 510, 240, 130, 80, 410, 340},
        .cpu_history_count = 10,
        .disk_bytes = MIB(31),
        .has_net = true,
        .net_received_bytes = MIB(2.5),
        .net_sent_bytes = MIB(9.4)},
};

static struct job_item jobs[32];
static size_t job_count;

static struct job_item *add_job(const char *verb, const char *title, const char *object)
{
    struct job_item *job = &jobs[job_count++];
    auto_done(strings) struct strings words = {0};
    strings_split(&words, verb, " ");
    *job = (struct job_item){.id = job_count,
        .verb = verb_find(words.items[0], words.items[1]),
        .title = title,
        .object = object,
        .line = title,
        .note = ""};
    return job;
}

static void set_digests(struct job_item *job, const char *expected, const char *found)
{
    job->has_expected = digest_parse(expected, &job->expected);
    job->has_found = found != NULL && digest_parse(found, &job->found);
}

static void add_running_pull(void)
{
    struct job_item *job = add_job("kernel pull", "pull generic-6.12", "kernel/generic-6.12");
    job->line = "kernel pull generic-6.12";
    job->state = JOB_RUNNING;
    job->phase = PROGRESS_DOWNLOAD;
    job->unit = PROGRESS_BYTES;
    job->done = MIB(10.5);
    job->total = MIB(21);
    job->permille = 500;
    job->rate = MIB(8.2);
    job->elapsed_ms = 1300;
    job->transferred = job->done;
    set_digests(job, HEX_CLOUD, NULL);
}

static void add_done_pull(void)
{
    struct job_item *job = add_job("kernel pull", "pull debian-cloud", "kernel/debian-cloud");
    job->line = "kernel pull debian-cloud";
    job->state = JOB_OK;
    job->permille = 1000;
    job->rate = MIB(9.6);
    job->elapsed_ms = 2100;
    job->transferred = MIB(14);
    job->finished_at = MINUTES(12);
    set_digests(job, HEX_OTHER, HEX_OTHER);
}

static void add_mismatch(void)
{
    struct job_item *job = add_job("kernel pull", "pull void-6.13", "kernel/void-6.13");
    struct error err = {0};
    job->line = "kernel pull void-6.13";
    job->state = JOB_FAILED;
    job->elapsed_ms = 2900;
    job->transferred = MIB(20);
    job->finished_at = MINUTES(2);
    set_digests(job, HEX_VOID, HEX_OTHER);
    error_set(&err, ERROR_DIGEST,
        "kernel void-6.13: SHA-256 of what https://mirror.example/void-6.13.tar.zst served is "
        "%s, the catalog promises %s; nothing was kept",
        HEX_OTHER, HEX_VOID);
    job->error = err;
}

static void add_boot(void)
{
    struct job_item *job = add_job("vm run", "run ci-2", "vm/ci-2");
    job->line = "vm run debian --name ci-2";
    job->state = JOB_RUNNING;
    job->phase = PROGRESS_WAIT;
    job->unit = PROGRESS_STEPS;
    job->permille = 700;
    job->elapsed_ms = 1400;
}

static void use_host(struct engine *engine)
{
    engine->snapshot.is_reconciled = true;
    engine->snapshot.host = (struct host_facts){.version = "0.1.0",
        .host_name = "atlas",
        .state_dir = "/home/op/.local/state/banger",
        .accel = "kvm",
        .accel_why = "/dev/kvm works",
        .qemu = "/usr/bin/qemu-system-x86_64",
        .firecracker = "",
        .disk_free_bytes = MIB(41.0 * 1024),
        .memory_bytes = MIB(23.0 * 1024),
        .memory_free_bytes = MIB(17.9 * 1024),
        .catalog_as_of = DAYS(1)};
    engine->snapshot.offers = offers;
    engine->snapshot.offers_count = array_length(offers);
}

static void use_everything(struct engine *engine)
{
    memcpy(offers_pulled, offers, sizeof(offers));
    offers_pulled[0].state = OFFER_PULLED;
    offers_pulled[2].state = OFFER_PULLED;
    engine->snapshot.offers = offers_pulled;
    engine->snapshot.kernels = kernels;
    engine->snapshot.kernels_count = array_length(kernels);
    engine->snapshot.images = images;
    engine->snapshot.images_count = array_length(images);
    engine->snapshot.vms = vms;
    engine->snapshot.vms_count = array_length(vms);
}

/* Text from outside that tries to leave its cell: escapes, bidi, wide and combining characters. */
static void use_hostile(struct engine *engine)
{
    static struct kernel_item bad[array_length(kernels)];
    memcpy(bad, kernels, sizeof(kernels));
    bad[0].name = "\x1b[2J\x1b]0;owned\x07";
    bad[1].name = "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97";
    bad[2].name = "a\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xe2\x80\xae"
                  "b\xff\nc\td";
    engine->snapshot.kernels = bad;
}

static void use_many(struct engine *engine)
{
    static struct kernel_item many[10000];
    for (size_t i = 0; i < array_length(many); i++) {
        many[i] = kernels[i % array_length(kernels)];
        many[i].name = memory_printf("kernel-%05zu", i);
        many[i].kernel_version = memory_printf("6.%zu.%zu", i / 100, i % 100);
    }
    engine->snapshot.kernels = many;
    engine->snapshot.kernels_count = array_length(many);
}

/* What every command would do here, as the engine tells it. */
#define PLAN_JOB 97
static char plan_result[256];
static void add_plan(void)
{
    struct job_item *job = add_job("kernel rm", "plan", "");
    job->id = PLAN_JOB;
    job->state = JOB_OK;
    job->is_quiet = true;
    job->result = plan_result;
}

/* What was done, more than there is room for, and one job under way. */
static void add_history(void)
{
    static const struct {
        const char *verb, *title, *object;
    } done[] = {{"host trash", "trash restore vm@web@1782914000000", ""},
        {"vm rm", "rm web", "vm/web"}, {"vm run", "run debian", "vm/ci-2"},
        {"vm stop", "stop db", "vm/db"}, {"vm start", "start db", "vm/db"},
        {"vm stop", "stop db", "vm/db"}, {"vm start", "start db", "vm/db"}};
    for (size_t i = array_length(done); i-- > 0;) {
        struct job_item *job = add_job(done[i].verb, done[i].title, done[i].object);
        if (strcmp(done[i].verb, "host trash") == 0) {
            job->verb = verb_find("host", "trash restore");
        }
        job->state = JOB_OK;
        job->elapsed_ms = 12;
        job->finished_at = MINUTES(i + 3);
    }
}

static const struct fake_answer *answers = fake_answers;

/* Every text of it, drawn by a seed; the jobs are those of a busy world. */
static uint32_t evil_seed;
static void use_evil(struct engine *engine)
{
    struct snapshot *snapshot = &engine->snapshot;
    add_done_pull();
    add_mismatch();
    add_running_pull();
    add_boot();
    add_mismatch();
    jobs[job_count - 1].has_found = false;
    hostile_offers(snapshot, &evil_seed);
    hostile_store(snapshot, &evil_seed);
    hostile_vms(snapshot, &evil_seed);
    hostile_words(snapshot, jobs, job_count, &evil_seed);
    answers = hostile_answers;
}

/* Jobs that have answered already, one for each verb that is asked about. */
#define ANSWER_JOBS 60
static void add_answers(void)
{
    for (size_t i = 0; i < FAKE_ANSWER_COUNT; i++) {
        struct job_item *job = add_job("kernel list", "answer", "");
        job->verb = verb_find(answers[i].subject, answers[i].verb);
        job->id = ANSWER_JOBS + i;
        job->state = JOB_OK;
        job->is_quiet = true;
        job->result = answers[i].result;
    }
}

/* 0: the verb is none of those. */
static uint64_t answer_of(const struct verb *verb)
{
    for (size_t i = 0; i < FAKE_ANSWER_COUNT; i++) {
        if (verb_find(answers[i].subject, answers[i].verb) == verb) {
            return ANSWER_JOBS + i;
        }
    }
    return 0;
}

/* Of each kind the first cannot be read. */
static void use_closed(struct engine *engine)
{
    static struct kernel_item closed_kernels[array_length(kernels)];
    static struct image_item closed_images[array_length(images)];
    static struct vm_item closed_vms[array_length(vms)];
    memcpy(closed_kernels, kernels, sizeof(kernels));
    memcpy(closed_images, images, sizeof(images));
    memcpy(closed_vms, vms, sizeof(vms));
    closed_kernels[0].state = closed_images[0].state = ENTRY_UNREADABLE;
    closed_vms[0] = (struct vm_item){.name = vms[0].name,
        .state = VM_STATE_UNKNOWN,
        .image = "",
        .kernel_ref = "",
        .vmm = "",
        .accel = "",
        .exit_text = ""};
    closed_kernels[0].reason = closed_images[0].reason = closed_vms[0].reason = "it is closed";
    closed_kernels[0].hint = closed_images[0].hint = closed_vms[0].hint = "open it";
    engine->snapshot.kernels = closed_kernels;
    engine->snapshot.images = closed_images;
    engine->snapshot.vms = closed_vms;
}

static bool use_world(struct engine *engine, const char *world)
{
    use_host(engine);
    if (strcmp(world, "empty") == 0) {
        return true;
    }
    use_everything(engine);
    if (strcmp(world, "half") == 0 || strcmp(world, "gone") == 0) {
        add_done_pull();
        add_running_pull();
        engine->snapshot.host.trash_count = strcmp(world, "gone") == 0 ? 2 : 0;
    } else if (strcmp(world, "mismatch") == 0) {
        add_done_pull();
        add_mismatch();
    } else if (strcmp(world, "busy") == 0) {
        add_done_pull();
        add_mismatch();
        add_running_pull();
        add_boot();
    } else if (strcmp(world, "history") == 0) {
        add_history();
        add_running_pull();
    } else if (strcmp(world, "hostile") == 0) {
        use_hostile(engine);
    } else if (strcmp(world, "evil") == 0) {
        use_evil(engine);
    } else if (strcmp(world, "closed") == 0) {
        use_closed(engine);
    } else if (strcmp(world, "many") == 0) {
        use_many(engine);
    } else {
        return false;
    }
    add_plan();
    add_answers();
    engine->snapshot.jobs = jobs;
    engine->snapshot.jobs_count = job_count;
    return true;
}

/* ---- the clock ---- */

/* Nothing grows older, however long a test takes. */
int64_t clock_wall_ms(void)
{
    return (int64_t)NOW * 1000;
}

int64_t clock_wall(void)
{
    return NOW;
}

/* ---- the door ---- */

/* What a machine of this world has printed. Its line stays open, as that of a running one does. */
static void write_log(struct command *command)
{
    static const char log[] =
        "[    0.000000] Linux version 6.1.0-44-cloud-amd64 (debian-kernel@lists.debian.org)\r\n"
        "[    0.000000] Command line: console=ttyS0 root=/dev/vda ro\r\n"
        "[    0.212114] virtio_blk virtio1: [vda] 2097152 512-byte logical blocks\r\n"
        "[    0.380221] Run /init as init process\r\n"
        "\x1b[0;32m[  OK  ]\x1b[0m Reached target \x1b[0;1;39mMulti-User System\x1b[0m.\r\n"
        "Debian GNU/Linux 12 ci-1 ttyS0\r\n"
        "\r\n"
        "ci-1 login: ";
    int fd = command_take_fd(command, COMMAND_STDOUT);
    if (fd >= 0 && write(fd, log, sizeof(log) - 1) < 0) {
        close(fd);
        return;
    }
    for (int i = 0; fd >= 0 && evil_seed != 0 && i < HOSTILE_ROWS; i++) {
        const char *text = hostile_text(&evil_seed);
        if (write(fd, text, strlen(text)) < 0 || write(fd, "\r\n", 2) < 0) {
            return;
        }
    }
}

/* A guest's program that leaves the terminal in every state it can think of. */
static void leave_a_mess(struct command *command)
{
    static const char mess[] =
        "guest speaking\r\n\x1b[?1049h\x1b[?25h\x1b[31;44m\x1b[?1000h\x1b[?2004h"
        "\x1b[4h\x1b[3;9r\x1b[?6h\x1b(0\x0e\x1b]0;mine\x07";
    int fd = command_take_fd(command, COMMAND_STDOUT);
    if (fd >= 0 && write(fd, mess, sizeof(mess) - 1) > 0) {
        close(fd);
    }
}

/* A well-behaved one. */
static void speak(struct command *command)
{
    static const char words[] = "first line of the guest\r\nlast line of the guest\r\n";
    int fd = command_take_fd(command, COMMAND_STDOUT);
    if (fd >= 0 && write(fd, words, sizeof(words) - 1) > 0) {
        close(fd);
    }
}

bool engine_submit(struct engine *engine, struct command *command, uint64_t *id, struct error *err)
{
    (void)engine;
    auto_done(text) struct text line = {0};
    command_line(command, &line);
    if (strcmp(command_verb(command)->name, "logs") == 0) {
        write_log(command);
        command_free(command);
        *id = 99;
        return true;
    }
    if (strcmp(command_verb(command)->name, "console") == 0) {
        leave_a_mess(command);
        command_free(command);
        *id = 98; /* in no snapshot: it has ended */
        return true;
    }
    if (strcmp(command_verb(command)->name, "exec") == 0) {
        speak(command);
        command_free(command);
        *id = 98;
        return true;
    }
    if (answer_of(command_verb(command)) != 0) {
        *id = answer_of(command_verb(command));
        command_free(command);
        return true;
    }
    bool is_plan = command_is_dry_run(command);
    bool is_undo = strcmp(command_verb(command)->name, "trash restore") == 0;
    auto_free char *object = is_undo ? memory_strdup("kernel/test") : command_object(command);
    snprintf(plan_result, sizeof(plan_result),
        "{\"plan\":[{\"action\":\"%s\",\"object\":\"%s\",\"bytes\":14680064}],"
        "\"free_bytes\":44023414784}",
        (command_verb(command)->flags & VERB_DESTROYS) != 0 ? "remove"
        : is_undo                                           ? "restore"
                                                            : "publish",
        object != NULL ? object : "");
    command_free(command);
    if (is_plan) {
        *id = PLAN_JOB;
        return true;
    }
    return error_set(err, ERROR_BUSY, "submitted: %s", text_cstr(&line));
}

bool engine_cancel(struct engine *engine, uint64_t id)
{
    (void)engine;
    (void)id;
    return false;
}

void engine_forget(struct engine *engine, uint64_t id)
{
    (void)engine;
    (void)id;
}

int engine_wake_fd(const struct engine *engine)
{
    return engine->wake_fd;
}

const struct snapshot *engine_snapshot(struct engine *engine)
{
    uint64_t rings = 0;
    if (read(engine->wake_fd, &rings, sizeof(rings)) > 0) {
        engine->is_other = !engine->is_other;
    }
    return engine->is_other ? &engine->other : &engine->snapshot;
}

void engine_release(const struct snapshot *snapshot)
{
    (void)snapshot;
}

void engine_log(struct engine *engine, const char *sentence)
{
    (void)engine;
    (void)sentence;
}

/* --theme=NAME */
static const char *theme;
const char *engine_setting(const struct engine *engine, const char *key)
{
    (void)engine;
    return strcmp(key, "theme") == 0 ? theme : NULL;
}

const char *engine_setting_key(const struct engine *engine, size_t index)
{
    (void)engine;
    (void)index;
    return NULL;
}

const char *engine_kept(const struct engine *engine, const char *key)
{
    (void)engine;
    (void)key;
    return NULL;
}

void engine_keep(struct engine *engine, const char *key, const char *value)
{
    (void)engine;
    (void)key;
    (void)value;
}

bool engine_leave_running(struct engine *engine, struct error *err)
{
    (void)engine;
    (void)err;
    return true;
}

int main(int argc, char **argv)
{
    struct engine engine = {0};
    struct ui_options options = {.term = getenv("TERM"), .stderr_fd = -1};
    setlocale(LC_CTYPE, "");
    for (int i = 2; i < argc; i++) {
        options.is_ascii |= strcmp(argv[i], "--ascii") == 0;
        options.is_colorless |= strcmp(argv[i], "--no-color") == 0;
        if (strncmp(argv[i], "--seed=", 7) == 0) {
            evil_seed = (uint32_t)strtoul(argv[i] + 7, NULL, 10) | 1;
        }
        if (strncmp(argv[i], "--rest=", 7) == 0 && !fake_rest_share(argv[i] + 7)) {
            fprintf(stderr, "fake_console: %s cannot be shared\n", argv[i] + 7);
            return 74;
        }
        if (strncmp(argv[i], "--theme=", 8) == 0) {
            theme = argv[i] + 8;
        }
        options.is_readonly |= strcmp(argv[i], "--readonly") == 0;
    }
    if (argc < 2 || !use_world(&engine, argv[1])) {
        fprintf(stderr, "usage: fake_console "
                        "empty|half|gone|mismatch|busy|history|hostile|evil|closed|many "
                        "[OPTION]...\n");
        return 64;
    }
    engine.other = engine.snapshot;
    engine.wake_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (strcmp(argv[1], "busy") == 0 || strcmp(argv[1], "half") == 0 ||
        strcmp(argv[1], "gone") == 0 || strcmp(argv[1], "evil") == 0) {
        struct itimerspec tick = {.it_interval.tv_nsec = 100000000, .it_value.tv_nsec = 1};
        timerfd_settime(engine.wake_fd, 0, &tick, NULL);
    }
    int status = ui_run(&engine, &options);
    close(engine.wake_fd);
    return status;
}
