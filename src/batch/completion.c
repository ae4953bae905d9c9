/* SPDX-License-Identifier: MIT */
#include "batch/completion.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "batch/near.h"
#include "batch/topics.h"
#include "engine/command.h"

static bool is_offered(const struct verb *verb)
{
    return (verb->flags & VERB_HIDDEN) == 0;
}

static bool takes_value(const struct argument *argument)
{
    return argument->kind != ARGUMENT_FLAG && argument->kind != ARGUMENT_REST;
}

/* Lists what belongs to the word before. */
#define SNAPSHOTS "vm snapshot list"

/* The words of the command that lists what may stand for this argument; NULL when nothing can.
 * A name that is about to be made here has no list, one to be fetched is in the catalogs. */
static const char *names_command(const struct verb *verb, const struct argument *argument)
{
    bool is_fetch = strcmp(verb->name, "pull") == 0;
    bool is_new = strcmp(verb->name, "import") == 0 || strcmp(verb->name, "register") == 0 ||
                  !argument->is_positional;
    switch (argument->kind) {
    case ARGUMENT_KERNEL:
        return "kernel list";
    case ARGUMENT_IMAGE:
        return is_fetch ? "image list --available" : "image list";
    case ARGUMENT_NAME:
        if (is_new) {
            return NULL;
        }
        if (strcmp(verb->subject, "kernel") == 0) {
            return is_fetch ? "kernel list --available" : "kernel list";
        }
        return strcmp(verb->subject, "image") == 0 ? "image list" : "vm list";
    case ARGUMENT_WORD: /* one that need not be named is a new one */
        return strcmp(argument->name, "snapshot") == 0 && argument->is_required ? SNAPSHOTS : NULL;
    case ARGUMENT_TEXT:
    case ARGUMENT_FILE:
    case ARGUMENT_PLACE:
    case ARGUMENT_SIZE:
    case ARGUMENT_NUMBER:
    case ARGUMENT_DURATION:
    case ARGUMENT_CHOICE:
    case ARGUMENT_FLAG:
    case ARGUMENT_REST:
        return NULL;
    }
    return NULL;
}

static bool is_of_word_before(const struct verb *verb, const struct argument *argument)
{
    const char *list = names_command(verb, argument);
    return list != NULL && strcmp(list, SNAPSHOTS) == 0;
}

static const struct argument *positional(const struct verb *verb, size_t index)
{
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (verb->arguments[i].is_positional && index-- == 0) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

/* "a|b" as "a b". */
static void append_choices(struct text *out, const char *choices)
{
    for (const char *at = choices; *at != '\0'; ++at) {
        text_append_char(out, *at == '|' ? ' ' : *at);
    }
}

static void append_joined(struct text *out, const struct strings *words)
{
    auto_free char *joined = strings_join(words, " ");
    text_append(out, joined);
}

/* ---- bash ---- */

static void append_bash_values(
    struct text *out, const char *pattern, const struct verb *verb, const struct argument *argument)
{
    if (!takes_value(argument) || argument->is_positional) {
        return;
    }
    const char *list = verb != NULL ? names_command(verb, argument) : NULL;
    text_printf(out, "    '%s --%s'", pattern, argument->name);
    if (argument->letter != 0) {
        text_printf(out, "|'%s -%c'", pattern, argument->letter);
    }
    if (argument->choices != NULL) {
        text_append(out, ") words=\"");
        append_choices(out, argument->choices);
        text_append(out, "\" ;;\n");
    } else if (list != NULL) {
        text_printf(
            out, ") words=$(\"$program\" --batch %s -q \"${place[@]}\" 2>/dev/null) ;;\n", list);
    } else if (argument->kind == ARGUMENT_FILE || argument->kind == ARGUMENT_PLACE) {
        text_append(out, ") kind=file ;;\n");
    } else {
        text_append(out, ") kind=none ;;\n");
    }
}

static void append_bash_verb(struct text *out, const struct verb *verb)
{
    text_printf(out, "    '%s %s'", verb->subject, verb->name);
    auto_done(strings) struct strings aliases = {0};
    strings_split(&aliases, verb->alias != NULL ? verb->alias : "", "|");
    for (size_t i = 0; i < aliases.count; ++i) {
        text_printf(out, "|'%s %s'", verb->subject, aliases.items[i]);
    }
    text_append(out, ")\n        options=\"");
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (verb->arguments[i].kind != ARGUMENT_REST && !verb->arguments[i].is_positional) {
            text_printf(out, "--%s ", verb->arguments[i].name);
        }
    }
    text_append(out, "$common\"\n");
    const struct argument *argument = positional(verb, 0);
    const struct argument *second = positional(verb, 1);
    const char *list = argument != NULL ? names_command(verb, argument) : NULL;
    if (list != NULL) {
        text_printf(
            out, "        words=$(\"$program\" --batch %s -q \"${place[@]}\" 2>/dev/null)\n", list);
    } else if (argument != NULL && argument->choices != NULL) {
        text_append(out, "        words=\"");
        append_choices(out, argument->choices);
        text_append(out, "\"\n");
    } else if (strcmp(verb->name, "help") == 0) {
        text_append(out, "        words=\"$subjects");
        for (size_t i = 0; i < topic_count; ++i) {
            text_printf(out, " %s", topics[i].name);
        }
        text_append(out, "\"\n");
    }
    if (second != NULL && is_of_word_before(verb, second)) {
        text_append(out, "        if ((${#objects[@]} > 0)); then\n"
                         "            words=$(\"$program\" --batch " SNAPSHOTS
                         " \"${objects[0]}\" -q \"${place[@]}\" 2>/dev/null)\n"
                         "        fi\n");
    }
    text_append(out, "        ;;\n");
}

/* Options whose next word is their value, so that it is not taken for a subject or a name. */
static void append_valued(struct text *out)
{
    auto_done(strings) struct strings seen = {0};
    for (size_t v = 0; v <= verb_count(); ++v) {
        const struct argument *arguments =
            v < verb_count() ? verb_at(v)->arguments : common_arguments;
        size_t count = v < verb_count() ? verb_at(v)->argument_count : common_argument_count;
        for (size_t i = 0; i < count; ++i) {
            auto_free char *word = memory_printf("--%s", arguments[i].name);
            if (takes_value(&arguments[i]) && !strings_contain(&seen, word)) {
                strings_add(&seen, word);
            }
        }
    }
    auto_free char *joined = strings_join(&seen, "|");
    text_append(out, joined);
}

static const char bash_head[] =
    "_banger_tui()\n"
    "{\n"
    "    local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]}\n"
    "    local previous=${COMP_WORDS[COMP_CWORD-1]} subject='' verb='' kind=words words='' "
    "options=''\n"
    "    local i word\n"
    "    local -a place=() objects=()\n";

static const char bash_scan[] =
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        --state-dir|--config)\n"
    "            if ((i + 1 < COMP_CWORD)); then place+=(\"$word\" \"${COMP_WORDS[i+1]}\"); fi\n"
    "            i=$((i + 1)) ;;\n"
    "        --) COMPREPLY=(); return ;;\n";

static const char bash_scan_end[] =
    "        -*) ;;\n"
    "        *)  if [[ -n $subject ]]; then\n"
    "                if [[ -z $verb ]]; then\n"
    "                    verb=$word\n"
    "                elif [[ \"$pairs\" == *\"|$subject $verb|\"* ]]; then\n"
    "                    verb+=\" $word\"\n"
    "                else\n"
    "                    objects+=(\"$word\")\n"
    "                fi\n"
    "            elif [[ \" $subjects \" == *\" $word \"* ]]; then\n"
    "                subject=$word\n"
    "            elif [[ -z $verb ]]; then\n"
    "                verb=$word\n"
    "            fi ;;\n"
    "        esac\n"
    "    done\n";

static const char bash_tail[] = "    if [[ $kind == file ]]; then\n"
                                "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
                                "    elif [[ $kind == words && $current == -* ]]; then\n"
                                "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
                                "    elif [[ $kind == words ]]; then\n"
                                "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                                "    else\n"
                                "        COMPREPLY=()\n"
                                "    fi\n"
                                "}\n"
                                "complete -o filenames -F _banger_tui banger-tui banger\n";

/* "host trash|image cache|": the verbs of two words begin so. */
static void append_joined_pairs(const struct strings *subjects, struct text *out)
{
    for (size_t i = 0; i < subjects->count; ++i) {
        auto_done(strings) struct strings firsts = {0};
        near_add_first_words(subjects->items[i], &firsts);
        for (size_t j = 0; j < firsts.count; ++j) {
            auto_done(strings) struct strings seconds = {0};
            near_add_second_words(subjects->items[i], firsts.items[j], &seconds);
            if (seconds.count > 0) {
                text_printf(out, "%s %s|", subjects->items[i], firsts.items[j]);
            }
        }
    }
}

static void append_bash_subject(struct text *out, const char *subject)
{
    auto_done(strings) struct strings firsts = {0};
    near_add_first_words(subject, &firsts);
    text_printf(out, "    '%s ') words=\"", subject);
    append_joined(out, &firsts);
    text_append(out, "\" options=\"$common\" ;;\n");
    for (size_t i = 0; i < firsts.count; ++i) {
        auto_done(strings) struct strings seconds = {0};
        near_add_second_words(subject, firsts.items[i], &seconds);
        if (seconds.count > 0) {
            text_printf(out, "    '%s %s') words=\"", subject, firsts.items[i]);
            append_joined(out, &seconds);
            text_append(out, "\" options=\"$common\" ;;\n");
        }
    }
}

static void append_bash(struct text *out)
{
    auto_done(strings) struct strings subjects = {0};
    auto_done(strings) struct strings plain = {0};
    auto_done(strings) struct strings common = {0};
    near_add_subjects(&subjects);
    near_add_verbs("", &plain);
    near_add_options(NULL, &common);
    text_append(out, bash_head);
    text_append(out, "    local subjects=\"");
    append_joined(out, &subjects);
    text_append(out, "\"\n    local pairs=\"|");
    append_joined_pairs(&subjects, out);
    text_append(out, "\"\n    local common=\"");
    append_joined(out, &common);
    text_append(out, " --help\"\n");
    text_append(out, bash_scan);
    text_append(out, "        ");
    append_valued(out);
    text_append(out, ") i=$((i + 1)) ;;\n");
    text_append(out, bash_scan_end);
    text_append(out, "    case \"$subject $verb\" in\n    ' ') words=\"$subjects ");
    append_joined(out, &plain);
    text_append(out, "\" options=\"--batch --file $common\" ;;\n");
    for (size_t i = 0; i < subjects.count; ++i) {
        append_bash_subject(out, subjects.items[i]);
    }
    for (size_t i = 0; i < verb_count(); ++i) {
        if (is_offered(verb_at(i))) {
            append_bash_verb(out, verb_at(i));
        }
    }
    text_append(out, "    esac\n    case \"$subject $verb $previous\" in\n");
    for (size_t v = 0; v < verb_count(); ++v) {
        auto_free char *pattern = memory_printf("%s %s", verb_at(v)->subject, verb_at(v)->name);
        for (size_t i = 0; is_offered(verb_at(v)) && i < verb_at(v)->argument_count; ++i) {
            append_bash_values(out, pattern, verb_at(v), &verb_at(v)->arguments[i]);
        }
    }
    text_append(out, "    esac\n    case \" $previous\" in\n");
    for (size_t i = 0; i < common_argument_count; ++i) {
        append_bash_values(out, "", NULL, &common_arguments[i]);
    }
    text_append(out, "    esac\n");
    text_append(out, bash_tail);
}

/* ---- fish ---- */

static void append_fish_quoted(struct text *out, const char *words)
{
    text_append_char(out, '\'');
    for (const char *at = words; *at != '\0'; ++at) {
        if (*at == '\'' || *at == '\\') {
            text_append_char(out, '\\');
        }
        text_append_char(out, *at);
    }
    text_append_char(out, '\'');
}

static void append_fish_options(struct text *out, const char *condition, const struct verb *verb,
    const struct argument *arguments, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        const struct argument *argument = &arguments[i];
        const char *list = verb != NULL ? names_command(verb, argument) : NULL;
        if (argument->kind == ARGUMENT_REST) {
            continue;
        }
        text_printf(out, "complete -c banger-tui%s", condition);
        if (!argument->is_positional) {
            text_printf(out, " -l %s", argument->name);
            if (argument->letter != 0) {
                text_printf(out, " -s %c", argument->letter);
            }
            text_append(out, takes_value(argument) ? " -r" : "");
        }
        if (argument->kind == ARGUMENT_FILE || argument->kind == ARGUMENT_PLACE) {
            text_append(out, " -F");
        } else if (argument->choices != NULL) {
            text_append(out, " -f -a '");
            append_choices(out, argument->choices);
            text_append_char(out, '\'');
        } else if (list != NULL) {
            text_printf(out, " -f -a '(banger-tui --batch %s%s -q 2>/dev/null)'", list,
                is_of_word_before(verb, argument) ? " (commandline -opc)[-1]" : "");
        }
        text_append(out, " -d ");
        append_fish_quoted(out, argument->help);
        text_append_char(out, '\n');
    }
}

/* One word where it may stand: behind those that were seen, before any of its siblings. */
static void append_fish_word(struct text *out, const char *seen, const struct strings *siblings,
    const char *word, const char *help)
{
    auto_free char *others = strings_join(siblings, " ");
    text_printf(out, "complete -c banger-tui -n '%s; and not __fish_seen_subcommand_from %s' -a %s",
        seen, others, word);
    text_append(out, " -d ");
    append_fish_quoted(out, help);
    text_append_char(out, '\n');
}

static void append_fish_verb(struct text *out, const struct verb *verb)
{
    auto_done(text) struct text seen = {0};
    if (verb->subject[0] != '\0') {
        auto_done(strings) struct strings firsts = {0};
        auto_done(strings) struct strings seconds = {0};
        auto_free char *first = memory_strndup(verb->name, strcspn(verb->name, " "));
        const char *second =
            verb->name[strlen(first)] != '\0' ? verb->name + strlen(first) + 1 : "";
        near_add_first_words(verb->subject, &firsts);
        near_add_second_words(verb->subject, first, &seconds);
        text_printf(&seen, "__fish_seen_subcommand_from %s", verb->subject);
        append_fish_word(out, text_cstr(&seen), &firsts, first, verb->summary);
        text_printf(&seen, "; and __fish_seen_subcommand_from %s", first);
        if (second[0] != '\0') {
            append_fish_word(out, text_cstr(&seen), &seconds, second, verb->summary);
            text_printf(&seen, "; and __fish_seen_subcommand_from %s", second);
        }
    } else {
        text_printf(&seen, "__fish_seen_subcommand_from %s", verb->name);
    }
    auto_free char *condition = memory_printf(" -n '%s'", text_cstr(&seen));
    append_fish_options(out, condition, verb, verb->arguments, verb->argument_count);
}

static void append_fish(struct text *out)
{
    auto_done(strings) struct strings firsts = {0};
    near_add_subjects(&firsts);
    near_add_verbs("", &firsts);
    auto_free char *all = strings_join(&firsts, " ");
    text_append(out, "complete -c banger-tui -f\n");
    text_append(out, "complete -c banger -f -w 'banger-tui --batch'\n");
    text_printf(
        out, "complete -c banger-tui -n 'not __fish_seen_subcommand_from %s' -a '%s'\n", all, all);
    for (size_t v = 0; v < verb_count(); ++v) {
        const struct verb *verb = verb_at(v);
        if (!is_offered(verb)) {
            continue;
        }
        append_fish_verb(out, verb);
    }
    append_fish_options(out, "", NULL, common_arguments, common_argument_count);
    text_append(out, "complete -c banger-tui -l batch -d 'Run one command or a script'\n");
}

void completion_append(const char *shell, struct text *out)
{
    if (strcmp(shell, "fish") == 0) {
        append_fish(out);
        return;
    }
    if (strcmp(shell, "zsh") == 0) {
        text_append(
            out, "#compdef banger-tui banger\nautoload -U +X bashcompinit && bashcompinit\n");
    }
    append_bash(out);
}
