/* SPDX-License-Identifier: MIT */
#pragma once

/* What the parts of `catalog publish` share: entries made of what is here, and the document they go
 * into. Workers only. */

#include "base/text.h"

#include <stdbool.h>

struct error;
struct json;
struct ops;
struct signature_key;

#define PUBLISH_DOCUMENT "catalog.json"

/* Zero-initialise, then publication_open. */
struct publication {
    int dir;                   /* locked against other publishers */
    const char *shown;         /* borrowed */
    struct json *document;     /* what is there, and then what is going to be; an object */
    struct signature_key *key; /* owned; NULL: not signed */
    struct strings notes;      /* for the operator */
};

/* Opens the directory, made where it is missing, waits for another publisher, removes what a killed
 * one left, and reads its catalog. ERROR_FORMAT when that is none; ERROR_INVALID when it is signed
 * and there is no key to sign the new one with. */
bool publication_open(
    struct ops *ops, const char *place, struct publication *publication, struct error *err);
void publication_done(struct publication *publication);
/* Puts an entry (taken over) into a list ("kernels", "images") in place of those of its name, whose
 * description and foreign keys it inherits. */
void publication_put(struct publication *publication, const char *list, struct json *entry);
/* Writes signature and document, the document last. *is_changed: they were not there before. */
bool publication_write(
    struct ops *ops, struct publication *publication, bool *is_changed, struct error *err);

/* The private key in a PEM file. NULL on failure. */
struct signature_key *ops_read_key(const char *path, struct strings *notes, struct error *err);
