/* SPDX-License-Identifier: MIT */
#pragma once

/* Help as plain text of at most 80 columns, from the command table and the topics. `call` is what
 * stands in front of a verb: "banger" or "banger-tui --batch". Any thread. */

struct argument;
struct text;
struct topic;
struct verb;

/* Everything there is, one line a verb. */
void usage_append_overview(const char *call, struct text *out);
/* The verbs of one subject. */
void usage_append_subject(const char *call, const char *subject, struct text *out);
void usage_append_verb(const char *call, const struct verb *verb, struct text *out);
void usage_append_topic(const struct topic *topic, struct text *out);

/* "kernel import NAME --from PLACE [--force]". */
void usage_append_synopsis(const struct verb *verb, struct text *out);
/* "-f, --from PLACE", or "NAME" for what is given by its place. */
void usage_append_option(const struct argument *argument, struct text *out);
/* The help sentence with choices and fallback. */
void usage_append_meaning(const struct argument *argument, struct text *out);
