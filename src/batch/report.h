/* SPDX-License-Identifier: MIT */
#pragma once

/* What one request came to: results and errors in the chosen format, and the exit status.
 * Results go to stdout; the sentence of each failure goes to stderr in every format, and with
 * json and jsonl as an error object to stdout as well, because there it is the result. Main
 * thread. */

#include "base/digest.h"
#include "base/error.h"
#include "batch/listing.h"
#include "batch/options.h"

#include <stdbool.h>
#include <stddef.h>

struct column;
struct json;

/* One command's end. */
struct outcome {
    char *name;         /* of the object it was about; NULL for none; owned */
    struct json *value; /* its result; NULL for none; owned */
    char *rows;         /* the result as compact JSON text when it is an array; owned */
    bool is_ok;
    struct error error; /* when not ok */
    bool has_expected, has_found;
    struct digest expected, found;
};

void outcome_done(struct outcome *outcome);

struct report {
    const char *program;
    const char *place;            /* "FILE:LINE" in a script; NULL elsewhere */
    const struct column *columns; /* of a list; NULL for none */
    size_t column_count;
    const struct options *options;
    struct listing_style style;
    bool is_stream; /* stdout belongs to a guest: nothing of ours goes there */
    bool is_many;   /* several operands: an array, failures in their places */
};

/* Prints. False when stdout would not take it. */
bool report_print(
    const struct report *report, const struct outcome *outcomes, size_t count, struct error *err);
/* 0; 2 when some are ok and some are not; else the first failure's. */
int report_exit_status(const struct outcome *outcomes, size_t count);
