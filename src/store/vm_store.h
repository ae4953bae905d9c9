/* SPDX-License-Identifier: MIT */
#pragma once

/* Records of VMs: vms/<name>/{vm.json,handle.json,exit.json} beside their disks, sockets and log.
 * What is in the documents is vm/machine's business; here they are opaque JSON objects that are
 * read whole and replaced whole (temporary file, sync, rename, sync). Several processes may read
 * while one writes. The caller holds the VM's exclusive lock for everything that changes a
 * directory; the VM's own monitor may replace handle.json and exit.json without it. Directories
 * that are named by an id and have no vm.json are the older Go program's and are left alone unseen.
 * Workers only.
 */

#include "base/unread.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>

struct error;
struct json;
struct strings;

enum vm_document {
    VM_DOCUMENT_SPEC,   /* vm.json: what was asked for; durable */
    VM_DOCUMENT_HANDLE, /* handle.json: what is true now */
    VM_DOCUMENT_EXIT,   /* exit.json: how the last run ended */
};
#define VM_DOCUMENT_COUNT 3

struct vm_record {
    char *name;
    struct json *documents[VM_DOCUMENT_COUNT]; /* NULL: not there or not readable */
    bool is_damaged; /* vm.json is missing or broken, or names another VM */
    char *damage;
    struct unread unread; /* what kept us from looking: then nobody knows, is_damaged is false */
    bool is_newer;
};

struct vm_list {
    struct vm_record *items; /* by name */
    size_t count;
};

void vm_record_done(struct vm_record *record);
void vm_list_done(struct vm_list *list);

/* Something has that name, readable or not. */
bool vm_store_exists(const struct store *store, const char *name);
/* Renaming: vm.json is written with the new name and the old one as "was", then the directory gets
 * its new name (store_rename_entry); killed in between, it is still the old one's. */

/* Name and documents of one VM; a damaged one is a success, one that the host keeps us from
 * reading is that error (error_is_blind). ERROR_NOT_FOUND. */
bool vm_store_read(
    const struct store *store, const char *name, struct vm_record *record, struct error *err);
/* All of them, sorted by name, damaged ones included, with vm.json alone. */
bool vm_store_list(const struct store *store, struct vm_list *list, struct error *err);
/* Names only, sorted. */
bool vm_store_names(const struct store *store, struct strings *names, struct error *err);

/* Replaces one document of a VM whose directory is open, durably; "format" is put in. */
bool vm_store_write_document(
    int entry_dir, enum vm_document document, const struct json *json, struct error *err);

/* A descriptor of the VM's directory, the caller's to close. ERROR_NOT_FOUND. */
int vm_store_open(const struct store *store, const char *name, struct error *err);
/* Creating: staging_begin(STORE_VM), vm_store_write_document on staging_dir, staging_publish.
 * Removing takes disks, log and records with it; the caller has made sure that nothing runs. */
bool vm_store_remove(const struct store *store, const char *name, struct error *err);
/* The same, but to the trash, where it is *trash_id (NULL: not wanted). */
bool vm_store_trash(
    const struct store *store, const char *name, char **trash_id, struct error *err);
