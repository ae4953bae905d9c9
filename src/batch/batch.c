/* SPDX-License-Identifier: MIT */
#include "batch/batch.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/manual.h"
#include "batch/options.h"
#include "batch/output.h"
#include "batch/request.h"
#include "batch/runner.h"
#include "batch/script.h"
#include "engine/command.h"

/* A script from a terminal would be a prompt, and there are none. */
static bool check_script(
    const struct batch_setup *setup, const struct request *request, struct error *err)
{
    bool is_stdin = request->script != NULL && strcmp(request->script, "-") == 0;
    if (!is_stdin || !isatty(STDIN_FILENO)) {
        return true;
    }
    bool is_alias = strcmp(setup->program, "banger") == 0;
    return error_set(err, ERROR_INVALID,
        "there is no command: \"%s help\" lists all there are, --file FILE runs a script",
        is_alias ? "banger" : "banger-tui --batch");
}

int batch_main(const struct batch_setup *setup, char *const *words, size_t count)
{
    struct error err = {0};
    auto_done(request) struct request request;
    auto_done(options) struct options defaults;
    options_init(&defaults);
    request_init(&request);
    bool is_parsed = request_parse(&request, words, count, &defaults, false, &err) &&
                     check_script(setup, &request, &err);
    auto_done(runner) struct runner runner;
    runner_init(&runner, setup, &request.options, request.script != NULL);
    if (!is_parsed) {
        return runner_refuse(&runner, &request, NULL, &err);
    }
    return request.script != NULL ? script_run(&runner, &request)
                                  : runner_run(&runner, &request, NULL);
}

int batch_manual(const struct batch_setup *setup)
{
    auto_done(text) struct text page = {0};
    struct error err = {0};
    manual_append(setup->version, &page);
    if (!output_result(&page, &err)) {
        output_complain(setup->program, err.text, setup->is_utf8);
        return error_exit_status(err.code);
    }
    return 0;
}
