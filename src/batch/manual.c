/* SPDX-License-Identifier: MIT */
#include "batch/manual.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "batch/topics.h"
#include "batch/usage.h"
#include "engine/command.h"

/* Backslashes and hyphens stand for themselves; a dot or quote does not begin a request. */
static void append_escaped(struct text *out, const char *words, size_t len)
{
    if (len > 0 && (words[0] == '.' || words[0] == '\'')) {
        text_append(out, "\\&");
    }
    for (size_t i = 0; i < len; ++i) {
        switch (words[i]) {
        case '\\':
            text_append(out, "\\e");
            break;
        case '-':
            text_append(out, "\\-");
            break;
        default:
            text_append_char(out, words[i]);
        }
    }
}

static void append_line(struct text *out, const char *words)
{
    append_escaped(out, words, strlen(words));
    text_append_char(out, '\n');
}

/* Paragraphs as they are (roff fills them), lines that begin with a blank as examples. */
static void append_body(struct text *out, const char *body)
{
    bool is_example = false;
    while (*body != '\0') {
        size_t len = strcspn(body, "\n");
        bool begins_blank = body[0] == ' ';
        if (begins_blank != is_example) {
            text_append(out, begins_blank ? ".nf\n" : ".fi\n");
            is_example = begins_blank;
        }
        if (len == 0) {
            text_append(out, ".PP\n");
        } else {
            append_escaped(out, body, len);
            text_append_char(out, '\n');
        }
        body += len + (body[len] == '\n');
    }
    text_append(out, is_example ? ".fi\n" : "");
}

static void append_arguments(struct text *out, const struct argument *arguments, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        auto_done(text) struct text option = {0};
        auto_done(text) struct text meaning = {0};
        usage_append_option(&arguments[i], &option);
        usage_append_meaning(&arguments[i], &meaning);
        text_append(out, ".TP\n.B ");
        append_line(out, text_cstr(&option));
        append_line(out, text_cstr(&meaning));
    }
}

static void append_verb(struct text *out, const struct verb *verb)
{
    auto_done(text) struct text synopsis = {0};
    usage_append_synopsis(verb, &synopsis);
    text_append(out, ".SS ");
    append_line(out, text_cstr(&synopsis));
    append_line(out, verb->summary);
    text_append(out, ".PP\n");
    append_body(out, verb->details != NULL ? verb->details : "");
    append_arguments(out, verb->arguments, verb->argument_count);
    if (verb->example != NULL) {
        text_append(out, ".PP\nExample:\n.nf\n");
        append_body(out, verb->example);
        text_append(out, ".fi\n");
    }
}

void manual_append(const char *version, struct text *out)
{
    text_printf(out,
        ".\\\" Written by banger-tui --internal-manual from its command table.\n"
        ".TH BANGER\\-TUI 1 \"\" \"banger\\-tui %s\" \"User Commands\"\n"
        ".nh\n.ad l\n"
        ".SH NAME\n"
        "banger\\-tui \\- console and batch commands for microVMs\n"
        ".SH SYNOPSIS\n"
        ".B banger\\-tui\n"
        "[\\fIOPTION\\fR...]\n"
        ".br\n"
        ".B banger\\-tui \\-\\-batch\n"
        "\\fISUBJECT VERB\\fR [\\fIARGUMENT\\fR...]\n"
        ".br\n"
        ".B banger\\-tui \\-\\-batch\n"
        "[\\-\\-file \\fIFILE\\fR | \\-]\n"
        ".br\n"
        ".B banger\n"
        "\\fISUBJECT VERB\\fR [\\fIARGUMENT\\fR...]\n"
        ".SH DESCRIPTION\n"
        "banger\\-tui fetches kernels and machine images, proves what it fetched, and runs "
        "microVMs\n"
        "on this host. Without \\-\\-batch it opens a console on the terminal; with it, it runs "
        "one\n"
        "command or a script of them. It needs no daemon and no root, and keeps to its own\n"
        "configuration, state and cache directories.\n"
        ".SH COMMANDS\n",
        version);
    for (size_t i = 0; i < verb_count(); ++i) {
        if ((verb_at(i)->flags & VERB_HIDDEN) == 0) {
            append_verb(out, verb_at(i));
        }
    }
    text_append(out, ".SH OPTIONS\nEvery command takes these.\n");
    append_arguments(out, common_arguments, common_argument_count);
    for (size_t i = 0; i < topic_count; ++i) {
        text_printf(out, ".SH %s\n", topics[i].heading);
        for (size_t row = 0; strcmp(topics[i].name, "exit") == 0 && row < exit_row_count; ++row) {
            text_printf(out, ".TP\n.B %d\n", exit_rows[row].status);
            append_line(out, exit_rows[row].meaning);
        }
        text_append(out, ".PP\n");
        append_body(out, topics[i].body);
    }
}
