/* SPDX-License-Identifier: MIT */
#pragma once

/* "Did you mean": the words of the command table that look like a mistyped one. Any thread. */

struct strings;
struct verb;

/* The one of candidates that is a few edits away from word, or NULL; borrowed. */
const char *near_best(const char *word, const struct strings *candidates);

/* Every subject once, in the table's order; "" is left out. */
void near_add_subjects(struct strings *words);
/* Names of a subject's verbs that are offered to people. */
void near_add_verbs(const char *subject, struct strings *words);
/* Some verbs are two words, as in `host trash list`: the first words of all, each once, and the
 * second ones behind one first word. */
void near_add_first_words(const char *subject, struct strings *words);
void near_add_second_words(const char *subject, const char *first, struct strings *words);
/* "--from" and so on: the verb's own options and the common ones. verb may be NULL. */
void near_add_options(const struct verb *verb, struct strings *words);
