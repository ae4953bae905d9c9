/* SPDX-License-Identifier: MIT */
#include "guest/facts.h"

#include <stdlib.h>
#include <string.h>

/* In place: \n is a line feed, \\ a backslash, anything else stays. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (from[0] == '\\' && (from[1] == 'n' || from[1] == '\\')) {
            *to++ = from[1] == 'n' ? '\n' : '\\';
            from++;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
}

void facts_parse(struct facts *facts, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        if (memchr(text, '=', len) != NULL) {
            char *line = format_text("%.*s", (int)len, text);
            unescape(line);
            list_take(&facts->lines, line);
        }
        text += len + (text[len] == '\n' ? 1 : 0);
    }
}

void facts_parse_command_line(struct facts *facts, const char *text)
{
    while (*text != '\0') {
        text += strspn(text, " \t\n");
        char *word = copy_text(text);
        size_t len = 0;
        bool is_quoted = false;
        for (; *text != '\0' && (is_quoted || strchr(" \t\n", *text) == NULL); text++) {
            if (*text == '"') {
                is_quoted = !is_quoted;
            } else {
                word[len++] = *text;
            }
        }
        word[len] = '\0';
        if (strncmp(word, "banger.", 7) == 0 && strchr(word, '=') != NULL) {
            list_add(&facts->lines, word + 7);
        } else if (strncmp(word, "init=", 5) == 0) {
            list_add(&facts->lines, word);
        }
        free(word);
    }
}

void facts_add(struct facts *facts, const char *key, const char *value)
{
    list_take(&facts->lines, format_text("%s=%s", key, value));
}

void facts_tell(struct facts *facts, const char *key, const char *value)
{
    char *line = format_text(FACTS_TOLD "=%s=%s", key, value);
    size_t len = (size_t)(strchr(strchr(line, '=') + 1, '=') - line) + 1;
    for (size_t i = 0; strcmp(key, "warning") != 0 && i < facts->lines.count; i++) {
        if (strncmp(facts->lines.items[i], line, len) == 0) {
            free(facts->lines.items[i]);
            facts->lines.items[i] = line;
            return;
        }
    }
    list_take(&facts->lines, line);
}

const char *facts_next(const struct facts *facts, const char *key, size_t *at)
{
    size_t len = strlen(key);
    while (*at < facts->lines.count) {
        const char *line = facts->lines.items[(*at)++];
        if (strncmp(line, key, len) == 0 && line[len] == '=') {
            return line + len + 1;
        }
    }
    return NULL;
}

const char *facts_get(const struct facts *facts, const char *key, const char *fallback)
{
    size_t at = 0;
    const char *value = facts_next(facts, key, &at);
    return value != NULL ? value : fallback;
}

char *facts_format(const struct facts *facts)
{
    size_t room = 1;
    for (size_t i = 0; i < facts->lines.count; i++) {
        room += 2 * strlen(facts->lines.items[i]) + 1;
    }
    char *text = grow(NULL, room), *to = text;
    for (size_t i = 0; i < facts->lines.count; i++) {
        for (const char *from = facts->lines.items[i]; *from != '\0'; from++) {
            if (*from == '\n' || *from == '\\') {
                *to++ = '\\';
            }
            *to++ = *from == '\n' ? 'n' : *from;
        }
        *to++ = '\n';
    }
    *to = '\0';
    return text;
}
