/* SPDX-License-Identifier: MIT */
/* Quitting with transfers under way: a job is its command line plus a part file, so another process
 * can go on with it, and a queue is a list of them. */
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

/* As a batch line. What ends here before it is stopped is not failed for that over there. */
static void add_job(struct state *state, const struct job *job, struct strings *words)
{
    bool is_tolerant =
        state_job_is_queued(state, job) || verb_argument(job->verb, "if-absent") == NULL ||
        strings_contain(&job->words, "--force") || strings_contain(&job->words, "--if-absent");
    strings_printf(words, "%s%s", job->line, is_tolerant ? "" : " --if-absent");
}

/* What the other process is told by its words. */
static void fill_words(const struct engine_config *config, struct strings *words)
{
    strings_add(words, config->self_path ? config->self_path : "/proc/self/exe");
    strings_add(words, ENGINE_LEFT_OPTION);
    add_option(words, "--lock-timeout", LEFT_LOCK_TIMEOUT);
    add_option(words, "--config", config->config_file);
    add_option(words, "--accel", config->accel);
    add_option(words, "--cacert", config->ca_file);
    if (is_cache_below_state(config)) {
        add_option(words, "--state-dir", config->state_dir);
    }
    strings_add(words, "--");
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

static bool start_other(
    const struct engine_config *config, const struct strings *words, struct error *err)
{
    auto_done(strings) struct strings env = {0};
    fill_env(config, &env);
    struct process_spec spec = {
        .argv = (const char *const *)words->items,
        .env = (const char *const *)env.items,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = -1,
        .cwd_fd = -1,
        .is_new_session = true,
    };
    pid_t pid;
    auto_close int pidfd = -1;
    return process_spawn(&spec, &pid, &pidfd, err);
}

bool engine_leave_running(struct engine *engine, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    size_t count = 0;
    auto_free struct job **jobs = state_live_transfers(engine->state, &count);
    fill_words(&engine->config, &words);
    for (size_t i = 0; i < count; i++) {
        add_job(engine->state, jobs[i], &words);
    }
    bool is_there = count == 0 || start_other(&engine->config, &words, err) ||
                    error_wrap(err, "'%s' cannot be left running", jobs[0]->line);
    /* The other one is there before this one stops: nothing is lost in between. What waits is stopped
     * first, so that none of it begins here. */
    for (size_t i = count; i-- > 0;) {
        if (is_there) {
            state_job_leave(engine->state, jobs[i]);
            engine_cancel_own(engine, jobs[i]->id);
        }
        job_release(jobs[i]);
    }
    return is_there;
}
