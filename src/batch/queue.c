/* SPDX-License-Identifier: MIT */
#include "batch/queue.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/batch.h"
#include "batch/options.h"
#include "batch/request.h"
#include "batch/runner.h"
#include "batch/words.h"
#include "engine/command.h"

/* Those in front of "--"; false for anything else there. */
static bool read_options(
    struct options *options, char *const *words, size_t count, size_t *at, struct error *err)
{
    while (*at < count && strcmp(words[*at], "--") != 0) {
        size_t step = options_read(options, words, count, *at, err);
        if (step == 0) {
            return err->code != ERROR_NONE ||
                   error_set(err, ERROR_INVALID, "\"%s\" is no option of a queue", words[*at]);
        }
        *at += step;
    }
    *at += *at < count;
    return true;
}

/* Moves the commands of one line behind those that are there. */
static bool add_line(struct request *queue, const char *line, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    auto_done(request) struct request request;
    request_init(&request);
    if (!words_split(line, strlen(line), &words, err) ||
        !request_parse(&request, words.items, words.count, &queue->options, true, err)) {
        return error_wrap(err, "%s", line);
    }
    queue->verb = request.verb;
    queue->commands =
        memory_grow(queue->commands, queue->count + request.count, sizeof(queue->commands[0]));
    for (size_t i = 0; i < request.count; ++i) {
        queue->commands[queue->count++] = take_ptr(request.commands[i]);
    }
    return true;
}

static bool read_queue(struct request *queue, char *const *words, size_t count, struct error *err)
{
    size_t at = 0;
    if (!read_options(&queue->options, words, count, &at, err)) {
        return false;
    }
    while (at < count) {
        if (!add_line(queue, words[at++], err)) {
            return false;
        }
    }
    return queue->count > 0 || error_set(err, ERROR_INVALID, "an empty queue");
}

int queue_main(const struct batch_setup *setup, char *const *words, size_t count)
{
    struct error err = {0};
    auto_done(request) struct request queue;
    request_init(&queue);
    queue.options.is_quiet = true;
    queue.options.progress = PROGRESS_MODE_NONE;
    bool is_read = read_queue(&queue, words, count, &err);
    auto_done(runner) struct runner runner;
    runner_init(&runner, setup, &queue.options, false);
    runner.is_left = true;
    return is_read ? runner_run(&runner, &queue, NULL) : runner_refuse(&runner, &queue, NULL, &err);
}
