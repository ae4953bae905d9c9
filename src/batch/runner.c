/* SPDX-License-Identifier: MIT */
#include "batch/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "batch/local.h"
#include "batch/output.h"
#include "batch/rawtty.h"
#include "batch/report.h"
#include "batch/request.h"
#include "batch/run.h"
#include "engine/command.h"

#define EXIT_OURS_IN_EXEC 125
/* Between two rounds of --watch. */
#define WATCH_GAP_MS 1500

/* ---- engine ---- */

static bool start_engine(struct runner *runner, bool has_many, struct error *err)
{
    if (runner->engine != NULL) {
        return true;
    }
    struct engine_config config = runner->setup->config;
    options_apply(runner->options, &config);
    /* Of one that is alone, what asks to stop is a signal. */
    config.is_answering = has_many || runner->is_script || runner->is_left;
    config.is_left = runner->is_left;
    if (config.state_dir == NULL) {
        return error_set(err, ERROR_CONFIG,
            "there is no place to keep state in: set HOME, or name one with --state-dir");
    }
    runner->engine = engine_new(&config, err);
    return runner->engine != NULL;
}

/* ---- descriptors ---- */

static bool hand_over_fd(struct command *command, enum command_fd which, int fd, struct error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        return error_set_errno(err, errno, "cannot hand descriptor %d over", fd);
    }
    command_set_fd(command, which, copy);
    return true;
}

static bool open_window(struct run *run, struct command *command, struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set_errno(err, errno, "cannot make a pipe");
    }
    command_set_fd(command, COMMAND_WINDOW, ends[0]);
    run->window_fd = ends[1];
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    rawtty_send_size(STDIN_FILENO, run->window_fd);
    return true;
}

static bool has_no_input(const struct request *request)
{
    return verb_argument(request->verb, "no-stdin") != NULL &&
           command_has(request->commands[0], "no-stdin");
}

static bool check_terminal(const struct run *run, struct error *err)
{
    if (!request_wants_terminal(run->request)) {
        return true;
    }
    if (run->runner->is_script) {
        return error_set(err, ERROR_INVALID, "a script has no terminal to give to a guest");
    }
    return isatty(STDIN_FILENO) ||
           error_set(err, ERROR_INVALID,
               "stdin is not a terminal: this needs one (a command behind \"--\" without -t does "
               "not)");
}

/* Gives a streaming verb the caller's descriptors, and makes the terminal raw for it. */
static bool hand_over_stdio(struct run *run, struct error *err)
{
    struct request *request = run->request;
    struct command *command = request->commands[0];
    bool wants_terminal = request_wants_terminal(request);
    if (wants_terminal && run->runner->is_script) {
        return error_set(err, ERROR_INVALID, "a script has no terminal to give to a guest");
    }
    if (wants_terminal && !isatty(STDIN_FILENO)) {
        return error_set(err, ERROR_INVALID,
            "stdin is not a terminal: this needs one (a command behind \"--\" without -t does "
            "not)");
    }
    bool is_reading =
        request_runs_command(request) || wants_terminal || (request->verb->flags & VERB_PIPES) != 0;
    if (is_reading && !run->runner->is_script && !has_no_input(request) &&
        !hand_over_fd(command, COMMAND_STDIN, STDIN_FILENO, err)) {
        return false;
    }
    bool is_for_people = request->options.format == OUTPUT_TABLE && isatty(STDOUT_FILENO);
    if (is_for_people && verb_argument(request->verb, "plain") != NULL &&
        !command_has(command, "plain") && !command_set(command, "plain", NULL, err)) {
        return false;
    }
    if (!hand_over_fd(command, COMMAND_STDOUT, STDOUT_FILENO, err) ||
        !hand_over_fd(command, COMMAND_STDERR, STDERR_FILENO, err)) {
        return false;
    }
    return !wants_terminal || (open_window(run, command, err) && rawtty_enter(STDIN_FILENO, err));
}

/* ---- one request ---- */

/* What the result of one command is about, for its place in an array. */
static char *object_name(const struct command *command)
{
    const struct verb *verb = command_verb(command);
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (verb->arguments[i].is_positional) {
            return memory_strdup(command_get(command, verb->arguments[i].name));
        }
    }
    return NULL;
}

static void submit_all(struct run *run)
{
    struct request *request = run->request;
    for (size_t i = 0; i < request->count; ++i) {
        struct outcome *outcome = &run->outcomes[i];
        outcome->name = object_name(request->commands[i]);
        run->pending[i].is_submitted = engine_submit(run->runner->engine,
            take_ptr(request->commands[i]), &run->pending[i].id, &outcome->error);
        if (!run->pending[i].is_submitted) {
            gauge_refused(&run->gauge, outcome->name, &outcome->error);
        }
    }
}

/* What was left is told at the end of the engine. */
static void forget_all(struct run *run)
{
    for (size_t i = 0; !run->runner->is_left && i < run->request->count; ++i) {
        if (run->pending[i].is_submitted) {
            engine_forget(run->runner->engine, run->pending[i].id);
        }
    }
}

static bool prepare(struct run *run, struct error *err)
{
    struct request *request = run->request;
    /* A line that rewrites itself and a guest's stream would share the terminal. */
    if (request->carries_stream && request->options.progress == PROGRESS_MODE_AUTO) {
        request->options.progress = PROGRESS_MODE_NONE;
    }
    return gauge_init(&run->gauge, &request->options, run->runner->setup->term,
               run->runner->is_utf8, err) &&
           check_terminal(run, err) && start_engine(run->runner, request->count > 1, err) &&
           (!request->carries_stream || hand_over_stdio(run, err));
}

/* The status of what ran in the guest, or our own. */
static int stream_status(const struct run *run, bool runs_command)
{
    const struct outcome *outcome = &run->outcomes[0];
    if (outcome->is_ok) {
        return (int)json_integer(outcome->value, "exit_status", 0);
    }
    bool is_ours = runs_command && outcome->error.code != ERROR_INVALID;
    return is_ours ? EXIT_OURS_IN_EXEC : error_exit_status(outcome->error.code);
}

static int end_status(const struct run *run, bool is_stream, bool runs_command)
{
    int status = is_stream ? stream_status(run, runs_command)
                           : report_exit_status(run->outcomes, run->request->count);
    bool is_cancelled = false;
    for (size_t i = 0; i < run->request->count; ++i) {
        const struct outcome *outcome = &run->outcomes[i];
        is_cancelled = is_cancelled || (!outcome->is_ok && outcome->error.code == ERROR_CANCELLED);
    }
    int asked = run->runner->signals.asked;
    return asked != 0 && is_cancelled ? 128 + asked : status;
}

static int run_jobs(struct runner *runner, struct request *request, const char *place)
{
    bool is_stream = request->carries_stream;
    bool runs_command = request_runs_command(request);
    struct report report = {
        .program = runner->setup->program,
        .place = place,
        .options = &request->options,
        .style = {runner->is_utf8 && !request->options.is_ascii, output_columns(STDOUT_FILENO)},
        .is_stream = is_stream,
        .is_many = request->count > 1,
    };
    report.columns = command_columns(request->commands[0], &report.column_count);
    struct error err = {0};
    auto_done(run) struct run run = {.runner = runner, .request = request, .window_fd = -1};
    run.pending = memory_zero(request->count, sizeof(run.pending[0]));
    run.outcomes = memory_zero(request->count, sizeof(run.outcomes[0]));
    if (prepare(&run, &err)) {
        submit_all(&run);
        run_wait(&run);
        forget_all(&run);
    } else {
        for (size_t i = 0; i < request->count; ++i) {
            run.outcomes[i].name = object_name(request->commands[i]);
            run.outcomes[i].error = err;
        }
    }
    rawtty_restore();
    gauge_clear(&run.gauge);
    struct error print_err = {0};
    bool is_printed = report_print(&report, run.outcomes, request->count, &print_err);
    int status = end_status(&run, is_stream, runs_command);
    if (!is_printed) {
        output_complain(runner->setup->program, print_err.text, runner->is_utf8);
        status = status != 0 ? status : error_exit_status(print_err.code);
    }
    return status;
}

/* True when the next round is due, false when a signal came before. */
static bool wait_round(struct runner *runner)
{
    uint64_t deadline = clock_deadline(WATCH_GAP_MS);
    while (runner->signals.asked == 0 && clock_left_ms(deadline) > 0) {
        struct pollfd fd = {.fd = runner->signals.fd, .events = POLLIN};
        if (poll(&fd, 1, clock_left_ms(deadline)) > 0) {
            signals_read(&runner->signals);
        }
    }
    return runner->signals.asked == 0;
}

/* --watch: the same again and again, until it fails or somebody asks to stop. */
static int run_watching(struct runner *runner, struct request *request, const char *place)
{
    for (;;) {
        struct request round = *request;
        __attribute__((cleanup(command_auto_free))) struct command *command =
            command_each(request->commands[0], 0);
        round.commands = &command;
        int status = run_jobs(runner, &round, place);
        if (status != 0) {
            return status;
        }
        if (!wait_round(runner)) {
            return 128 + runner->signals.asked;
        }
    }
}

int runner_run(struct runner *runner, struct request *request, const char *place)
{
    if (request->wants_help || (request->verb->flags & VERB_LOCAL) != 0) {
        return local_run(runner, request, place);
    }
    bool is_watching = verb_argument(request->verb, "watch") != NULL && request->count == 1 &&
                       command_has(request->commands[0], "watch");
    return is_watching ? run_watching(runner, request, place) : run_jobs(runner, request, place);
}

int runner_refuse(const struct runner *runner, const struct request *request, const char *place,
    const struct error *error)
{
    struct report report = {
        .program = runner->setup->program,
        .place = place,
        .options = &request->options,
        .style.is_utf8 = runner->is_utf8,
        .is_stream = request->carries_stream,
    };
    struct outcome outcome = {.error = *error};
    struct error ignored = {0};
    report_print(&report, &outcome, 1, &ignored);
    return error_exit_status(error->code);
}

void runner_init(struct runner *runner, const struct batch_setup *setup,
    const struct options *options, bool is_script)
{
    *runner = (struct runner){
        .setup = setup,
        .options = options,
        .is_utf8 = setup->is_utf8 && !options->is_ascii,
        .is_script = is_script,
    };
    signals_init(&runner->signals);
}

void runner_done(struct runner *runner)
{
    rawtty_restore();
    signals_done(&runner->signals);
    if (runner->engine != NULL) {
        engine_free(take_ptr(runner->engine));
    }
}
