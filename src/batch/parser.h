/* SPDX-License-Identifier: MIT */
#pragma once

/* The first half of reading a request: which verb the words mean, what they give for its arguments,
 * which common options and which script they name. Checks the words against the table's shape, not
 * the values. Used by request.c alone. Main thread. */

#include <stdbool.h>
#include <stddef.h>

struct argument;
struct error;
struct request;
struct verb;

struct assignment {
    const struct argument *argument;
    const char *value; /* NULL for a flag; borrowed from the words */
};

struct parser {
    struct request *request; /* verb, subject, help, script and options are put here */
    char *const *words;
    size_t count;
    size_t at; /* the next word to read */
    bool is_line;
    struct assignment *assignments;
    size_t assignment_count;
    size_t positional_count; /* positional words read so far */
};

bool parser_read(struct parser *parser, struct error *err);
void parser_done(struct parser *parser);

/* An option of the verb itself, by name, or by letter when name is NULL; NULL for none. */
const struct argument *parser_own_option(const struct verb *verb, const char *name, char letter);
/* The argument that takes everything behind "--", or NULL. */
const struct argument *parser_rest_argument(const struct verb *verb);
