/* SPDX-License-Identifier: MIT */
/* Quitting with a transfer under way: a job is its command line plus a part file, so another
 * process can go on with it. */
#include "engine/engine.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine_internal.h"
#include "engine/job.h"
#include "engine/state_jobs.h"

/* The other process waits for this one's lock, which goes when the job here has stopped. */
#define LEFT_LOCK_TIMEOUT "10m"

static void add_option(struct strings *words, const char *option, const char *value)
{
    if (value) {
        strings_add(words, option);
        strings_add(words, value);
    }
}

static bool is_cache_below_state(const struct engine_config *config)
{
    auto_free char *usual = memory_printf("%s/cache", config->state_dir);
    return !config->cache_dir || strcmp(config->cache_dir, usual) == 0;
}

/* What the other process is told by its words. */
static void fill_words(
    const struct engine_config *config, const struct job *job, struct strings *words)
{
    strings_add(words, config->self_path ? config->self_path : "/proc/self/exe");
    strings_add(words, "--batch");
    for (size_t i = 0; i < job->words.count; i++) {
        strings_add(words, job->words.items[i]);
    }
    strings_add(words, "--quiet");
    add_option(words, "--progress", "none");
    add_option(words, "--lock-timeout", LEFT_LOCK_TIMEOUT);
    add_option(words, "--config", config->config_file);
    add_option(words, "--accel", config->accel);
    add_option(words, "--cacert", config->ca_file);
    if (is_cache_below_state(config)) {
        add_option(words, "--state-dir", config->state_dir);
    }
}

static void set_variable(struct strings *env, const char *name, const char *value)
{
    if (value) {
        strings_printf(env, "%s=%s", name, value);
    }
}

static void set_parent(struct strings *env, const char *name, const char *path)
{
    auto_free char *copy = memory_strdup(path);
    set_variable(env, name, dirname(copy));
}

/* And by its environment: ours, except for what the configuration says. */
static void fill_env(const struct engine_config *config, struct strings *env)
{
    static const char *const replaced[] = {"BANGER_STATE_DIR=", "BANGER_CATALOG=",
        "BANGER_BUILTIN_CATALOG=", "FIRECRACKER_BIN=", "XDG_STATE_HOME=", "XDG_CACHE_HOME="};
    for (char **variable = environ; *variable; variable++) {
        bool is_kept = true;
        for (size_t i = 0; i < array_length(replaced); i++) {
            is_kept = is_kept && !text_has_prefix(*variable, replaced[i]);
        }
        if (is_kept) {
            strings_add(env, *variable);
        }
    }
    set_variable(env, "BANGER_CATALOG", config->catalog);
    set_variable(env, "BANGER_BUILTIN_CATALOG", config->builtin_catalog);
    set_variable(env, "FIRECRACKER_BIN", config->firecracker);
    if (!is_cache_below_state(config)) {
        /* No option names a cache elsewhere: it is where XDG says (FORMATS, "Places"). */
        set_parent(env, "XDG_STATE_HOME", config->state_dir);
        set_parent(env, "XDG_CACHE_HOME", config->cache_dir);
    }
}

bool engine_leave_running(struct engine *engine, uint64_t id, struct error *err)
{
    auto_job struct job *job = state_job_find(engine->state, id);
    if (!job) {
        return error_set(err, ERROR_NOT_FOUND, "there is no job %llu", (unsigned long long)id);
    }
    if (!state_job_is_live(engine->state, job)) {
        return error_set(err, ERROR_NOT_FOUND, "'%s' has ended already", job->line);
    }
    if (job->lane != JOB_LANE_TRANSFER) {
        return error_set(err, ERROR_UNSUPPORTED,
            "'%s' cannot go on without this program: let it end, or cancel it", job->line);
    }
    auto_done(strings) struct strings words = {0};
    auto_done(strings) struct strings env = {0};
    fill_words(&engine->config, job, &words);
    fill_env(&engine->config, &env);
    struct process_spec spec = {
        .argv = (const char *const *)words.items,
        .env = (const char *const *)env.items,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .cwd_fd = -1,
        .is_new_session = true,
    };
    pid_t pid;
    auto_close int pidfd = -1;
    if (!process_spawn(&spec, &pid, &pidfd, err)) {
        return error_wrap(err, "'%s' cannot be left running", job->line);
    }
    /* The other one is there before this one stops: nothing is lost in between. */
    state_job_leave(engine->state, job);
    engine_cancel_own(engine, id);
    return true;
}
