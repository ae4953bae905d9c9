/* SPDX-License-Identifier: MIT */
#pragma once

/* What the host says about this machine: "key=value" lines, as documented in artifact/initrd.h, and
 * words "banger.key=value" of the kernel's command line, which come first. init passes them on to
 * the agent in the same form, with what it found out itself. */

#include <stdbool.h>
#include <stddef.h>

#include "guest/guest.h"

struct facts {
    struct list lines; /* unescaped */
};

/* Lines of a file. */
void facts_parse(struct facts *facts, const char *text);
/* Words of /proc/cmdline, in double quotes where they hold blanks; init=X counts as well. */
void facts_parse_command_line(struct facts *facts, const char *text);
void facts_add(struct facts *facts, const char *key, const char *value);

/* The first value, or fallback. */
const char *facts_get(const struct facts *facts, const char *key, const char *fallback);
/* The values one after the other: *at begins with 0. NULL at the end. */
const char *facts_next(const struct facts *facts, const char *key, size_t *at);

/* Notes something the agent tells the host: a fact of wire.h. A later value of a key replaces the
 * earlier one, except of "warning". */
void facts_tell(struct facts *facts, const char *key, const char *value);
#define FACTS_TOLD "told" /* the key under which they are kept, as "key=value" */

/* The whole as text that facts_parse reads. Caller frees. */
char *facts_format(const struct facts *facts);
