/* SPDX-License-Identifier: MIT */
#include "batch/local.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/completion.h"
#include "batch/describe.h"
#include "batch/near.h"
#include "batch/output.h"
#include "batch/request.h"
#include "batch/runner.h"
#include "batch/topics.h"
#include "batch/usage.h"
#include "engine/command.h"

/* What stands in front of a verb where this program was called. */
static const char *call_of(const struct runner *runner)
{
    return strcmp(runner->setup->program, "banger") == 0 ? "banger" : "banger-tui --batch";
}

/* Prints the text, or with json the object (or an object around the text). */
static int print(const struct runner *runner, const struct options *options,
    const struct text *text, struct json *object)
{
    auto_done(text) struct text out = {0};
    if (options->format == OUTPUT_TABLE) {
        text_append_bytes(&out, text_cstr(text), text->len);
    } else {
        json_write(object, options->format == OUTPUT_JSON, &out);
        text_append(&out, options->format == OUTPUT_JSON ? "" : "\n");
    }
    json_free(object);
    struct error err = {0};
    if (!output_result(&out, &err)) {
        output_complain(runner->setup->program, err.text, runner->is_utf8);
        return error_exit_status(err.code);
    }
    return 0;
}

static struct json *text_object(const char *key, const struct text *text)
{
    struct json *object = json_new_object();
    json_put_string(object, key, text_cstr(text));
    return object;
}

static int run_version(const struct runner *runner, const struct options *options)
{
    auto_done(text) struct text text = {0};
    text_printf(&text, "%s%s\n", options->is_quiet ? "" : "banger-tui ", runner->setup->version);
    struct json *object = json_new_object();
    json_put_string(object, "name", "banger-tui");
    json_put_string(object, "version", runner->setup->version);
    json_put_integer(object, "schema", 1);
    return print(runner, options, &text, object);
}

static int run_completion(const struct runner *runner, const struct request *request)
{
    auto_done(text) struct text text = {0};
    completion_append(command_get(request->commands[0], "shell"), &text);
    return print(runner, &request->options, &text, text_object("script", &text));
}

/* "kernel", "kernel pull", "exit", "pull" of no subject: whatever the words name. */
static bool append_help(
    const char *call, const struct strings *words, struct text *text, struct error *err)
{
    const char *first = words->items[0];
    const struct topic *topic = topic_find(first);
    const struct verb *verb = verb_find("", first);
    if (words->count == 1 && (verb != NULL || topic != NULL)) {
        if (verb != NULL) {
            usage_append_verb(call, verb, text);
        } else {
            usage_append_topic(topic, text);
        }
        return true;
    }
    auto_done(strings) struct strings known = {0};
    near_add_subjects(&known);
    if (!strings_contain(&known, first)) {
        for (size_t i = 0; i < topic_count; ++i) {
            strings_add(&known, topics[i].name);
        }
        near_add_verbs("", &known);
        const char *near = near_best(first, &known);
        return error_set(err, ERROR_INVALID, "there is no help about \"%s\"%s%s%s", first,
            near != NULL ? ": did you mean \"" : ": \"help\" alone lists the topics",
            near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    if (words->count == 1) {
        usage_append_subject(call, first, text);
        return true;
    }
    auto_free char *name = words->count == 2
                               ? memory_strdup(words->items[1])
                               : memory_printf("%s %s", words->items[1], words->items[2]);
    verb = verb_find(first, name);
    if (verb == NULL) {
        return error_set(err, ERROR_INVALID, "%s has no verb \"%s\": \"help %s\" lists them", first,
            name, first);
    }
    usage_append_verb(call, verb, text);
    return true;
}

static int run_help(const struct runner *runner, const struct request *request, const char *place)
{
    auto_done(text) struct text text = {0};
    const char *call = call_of(runner);
    if (request->wants_help && request->verb != NULL) {
        usage_append_verb(call, request->verb, &text);
    } else if (request->wants_help && request->subject[0] != '\0') {
        usage_append_subject(call, request->subject, &text);
    } else if (request->wants_help || !command_has(request->commands[0], "topic")) {
        usage_append_overview(call, &text);
        return print(runner, &request->options, &text, describe_json());
    } else {
        struct error err = {0};
        if (!append_help(call, command_all(request->commands[0], "topic"), &text, &err)) {
            return runner_refuse(runner, request, place, &err);
        }
    }
    return print(runner, &request->options, &text, text_object("text", &text));
}

int local_run(const struct runner *runner, const struct request *request, const char *place)
{
    if (!request->wants_help && strcmp(request->verb->name, "version") == 0) {
        return run_version(runner, &request->options);
    }
    if (!request->wants_help && strcmp(request->verb->name, "completion") == 0) {
        return run_completion(runner, request);
    }
    return run_help(runner, request, place);
}
