/* SPDX-License-Identifier: MIT */
#pragma once

/* What the three stores share: entries are directories below their kind's directory, described by a
 * JSON document each. An entry's name never begins with a dot; names that do are ours and not
 * entries. Private to the store; workers. */

#include "base/unread.h"
#include "store/entry_index.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;
struct stat;
struct strings;

#define ENTRIES_STAGING ".tmp-" /* being filled; locked while its maker lives */
#define ENTRIES_DOOMED ".del-"  /* has lost its name; locked while it is being removed */

/* The newest "format" this program writes and understands. */
#define ENTRIES_FORMAT 1

/* A new name behind the prefix, random. Caller frees. */
char *entries_hidden_name(const char *prefix) __attribute__((returns_nonnull));

/* Names of all entries, sorted by bytes. Files and dot names are none. A link was meant as an
 * entry, so it is one, a damaged one: its name is in links as well. */
bool entries_list(int kind_dir, struct strings *names, struct strings *links, struct error *err);
/* The same for a kind; a failure names its directory. */
bool entries_list_kind(const struct store *store, enum store_kind kind, struct strings *names,
    struct strings *links, struct error *err);
/* Looks like an id of the older Go program, whose images and VMs are left alone. */
bool entries_is_foreign_id(const char *name);
/* An entry of that name, whatever is there. */
struct entry_place {
    const struct store *store;
    enum store_kind kind;
    const char *name;
};
/* What has an entry's name: false when nothing has; *damage (owned) when it is no directory. Where the
 * host keeps us from looking, something may have it. */
bool entries_look(const struct entry_place *place, char **damage, struct unread *unread);
/* One of its files, never through a link; false when it is not there, or may be: then *unread. */
bool entries_look_at(
    const struct entry_place *place, const char *file, struct stat *info, struct unread *unread);
/* Keeps what is wrong with an entry: the first thing stays. Takes ownership of told. */
void entries_damage(char **damage, char *told);
/* A name that nobody could have given it is damage. */
void entries_check_name(const char *name, char **damage);
/* That there is none of that name: with those that are nearly called so, else where to look. Always
 * false. */
bool entries_absent(
    const struct store *store, enum store_kind kind, const char *name, struct error *err);
/* The directory of an entry: ERROR_INVALID for a word that is no name, ERROR_NOT_FOUND naming kind
 * and name. -1 on failure, else the caller's to close. */
int entries_open(
    const struct store *store, enum store_kind kind, const char *name, struct error *err);

/* "name/file", relative to the kind's directory. Every name a directory can have fits; file is
 * short. */
#define ENTRIES_PATH_MAX 320
const char *entries_path(const char *name, const char *file, char buffer[ENTRIES_PATH_MAX]);

/* A document as found: any number of things may be wrong with it. */
struct entries_document {
    struct json *json;        /* an object; NULL when absent or unreadable */
    struct entry_stamp stamp; /* of the file it was read from, as it was before it was read */
    bool is_newer;            /* of a format newer than ours */
    char *damage;             /* owned; NULL when absent, well or unread */
    struct unread unread;     /* what kept us from reading it */
};
void entries_document_done(struct entries_document *document);
/* Reads the entry's file that describes it. */
void entries_read_document(
    const struct entry_place *place, const char *file, struct entries_document *document);
/* Hands over why it was not read, unless something else was not read before. */
void entries_take_unread(struct entries_document *document, struct unread *unread);
/* Whether what is wrong with an entry is damage: not as long as something of it could not be read. Then
 * nobody knows, and *damage is freed. */
bool entries_is_damaged(char **damage, const struct unread *unread);
/* A failed look at an entry's file: kept in *unread when it is the host's, and true. */
bool entries_note(
    const struct entry_place *place, const struct error *failure, struct unread *unread);
/* The JSON object in a file; a failure names the file. */
struct json *entries_read_json(int dir, const char *path, const char *shown, struct error *err);

/* Its stamp when an index may tell what it says: it is well and of a format we know; else zero. */
struct entry_stamp entries_document_stamp(const struct entries_document *document);

/* A string of the document as a copy, NULL when absent; another type is damage. */
char *entries_take_string(struct entries_document *document, const char *key);
/* 64 lower-case hex digits; anything else is damage. */
char *entries_take_digest(struct entries_document *document, const char *key);
/* RFC 3339 as wall seconds, 0 when absent or not understood. */
int64_t entries_take_time(const struct entries_document *document, const char *key);
/* A whole number; absent leaves *number alone and is false. */
bool entries_take_size(struct entries_document *document, const char *key, uint64_t *number);

/* Puts a wall time as RFC 3339; 0 puts nothing. */
void entries_put_time(struct json *json, const char *key, int64_t wall_seconds);
/* Puts "format" in and writes the document as a new file, synced. */
bool entries_write_document(int dir, const char *file, struct json *json, struct error *err);
/* Sets ERROR_UNSUPPORTED: the entry is of a newer version and can only be read. */
bool entries_newer_error(enum store_kind kind, const char *name, struct error *err);
/* The same when the entry's document is of a newer format. */
bool entries_refuse_newer(const struct store *store, enum store_kind kind, const char *name,
    const char *file, struct error *err);
