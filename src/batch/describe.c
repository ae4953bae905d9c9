/* SPDX-License-Identifier: MIT */
#include "batch/describe.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/topics.h"
#include "engine/command.h"

static const char *kind_name(enum argument_kind kind)
{
    switch (kind) {
    case ARGUMENT_NAME:
        return "name";
    case ARGUMENT_KERNEL:
        return "kernel";
    case ARGUMENT_IMAGE:
        return "image";
    case ARGUMENT_WORD:
        return "word";
    case ARGUMENT_TEXT:
        return "text";
    case ARGUMENT_FILE:
        return "file";
    case ARGUMENT_PLACE:
        return "place";
    case ARGUMENT_SIZE:
        return "size";
    case ARGUMENT_NUMBER:
        return "number";
    case ARGUMENT_DURATION:
        return "duration";
    case ARGUMENT_CHOICE:
        return "choice";
    case ARGUMENT_FLAG:
        return "flag";
    case ARGUMENT_REST:
        return "rest";
    }
    return "";
}

static struct json *split_words(const char *joined)
{
    auto_done(strings) struct strings words = {0};
    strings_split(&words, joined, "|");
    struct json *array = json_new_array();
    for (size_t i = 0; i < words.count; ++i) {
        json_append(array, json_new_string(words.items[i]));
    }
    return array;
}

static struct json *arguments_json(const struct argument *arguments, size_t count)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < count; ++i) {
        const struct argument *argument = &arguments[i];
        struct json *row = json_new_object();
        char letter[] = {argument->letter, '\0'};
        json_put_string(row, "name", argument->name);
        json_put_string(row, "letter", argument->letter != 0 ? letter : NULL);
        json_put_string(row, "kind", kind_name(argument->kind));
        json_put_bool(row, "positional", argument->is_positional);
        json_put_bool(row, "required", argument->is_required);
        json_put_bool(row, "many", argument->is_many);
        if (argument->choices != NULL) {
            json_put(row, "choices", split_words(argument->choices));
        }
        json_put_string(row, "default", argument->fallback);
        json_put_string(row, "help", argument->help);
        json_append(array, row);
    }
    return array;
}

static struct json *fields_json(const struct column *columns, size_t count)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < count; ++i) {
        json_append(array, json_new_string(columns[i].field));
    }
    return array;
}

static struct json *verb_json(const struct verb *verb)
{
    struct json *row = json_new_object();
    json_put_known(row, "subject", verb->subject);
    json_put_string(row, "name", verb->name);
    if (verb->alias != NULL) {
        json_put(row, "aliases", split_words(verb->alias));
    }
    json_put_string(row, "summary", verb->summary);
    json_put_bool(row, "reads", (verb->flags & VERB_READS) != 0);
    json_put(row, "arguments", arguments_json(verb->arguments, verb->argument_count));
    if (verb->column_count > 0) {
        json_put(row, "columns", fields_json(verb->columns, verb->column_count));
    }
    if (verb->variant_flag != NULL) {
        json_put_string(row, "variant", verb->variant_flag);
        json_put(
            row, "variant_columns", fields_json(verb->variant_columns, verb->variant_column_count));
    }
    return row;
}

static struct json *topics_json(void)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < topic_count; ++i) {
        struct json *row = json_new_object();
        json_put_string(row, "name", topics[i].name);
        json_put_string(row, "summary", topics[i].summary);
        json_append(array, row);
    }
    return array;
}

static struct json *exits_json(void)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < exit_row_count; ++i) {
        struct json *row = json_new_object();
        json_put_integer(row, "status", exit_rows[i].status);
        json_put_string(row, "meaning", exit_rows[i].meaning);
        json_append(array, row);
    }
    return array;
}

struct json *describe_json(void)
{
    struct json *rows = json_new_array();
    for (size_t i = 0; i < verb_count(); ++i) {
        if ((verb_at(i)->flags & VERB_HIDDEN) == 0) {
            json_append(rows, verb_json(verb_at(i)));
        }
    }
    struct json *whole = json_new_object();
    json_put(whole, "verbs", rows);
    json_put(whole, "options", arguments_json(common_arguments, common_argument_count));
    json_put(whole, "topics", topics_json());
    json_put(whole, "exit_statuses", exits_json());
    return whole;
}
