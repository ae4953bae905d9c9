/* SPDX-License-Identifier: MIT */
#pragma once

/* config.ini (FORMATS, "Configuration and environment"), read once by libinih. Every key is
 * optional. A value that cannot be understood is ERROR_CONFIG naming file, line and key; an unknown
 * section or key is a warning and ignored. Flags and environment, which win over it, are the
 * caller's business. A loaded config does not change; any thread may read it. */

#include "base/limits.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* A key with its value, for sections whose keys are names. */
struct config_pair {
    char *key;
    char *value;
};

struct config_pairs {
    struct config_pair *items; /* in the order of the file */
    size_t count;
};

struct config_trust {
    char *name;
    uint8_t key[32]; /* Ed25519 public key */
};

/* Strings are owned; NULL, 0 and an empty list mean not set. */
struct config {
    char *path; /* of the file read; NULL when there was none */

    char *default_image;
    char *default_kernel;
    uint64_t default_vcpu;
    uint64_t default_memory_bytes;
    uint64_t default_disk_bytes;
    char *default_vmm;     /* auto, firecracker, qemu */
    char *default_accel;   /* auto, kvm, tcg */
    char *default_restart; /* no, on-failure, always */

    char *firecracker; /* [paths]: absolute, or a program to be looked up in PATH */
    char *qemu;
    char *ssh;

    struct config_pairs catalogs; /* name = URL or path */
    struct config_trust *trust;
    size_t trust_count;
    struct config_pairs signatures; /* name = require, prefer or off */
    struct config_pairs network;    /* mode bridge cidr dns forward */
    struct strings insecure;        /* registries that may speak plain HTTP */
    struct config_pairs mirrors;
    struct config_pairs ui; /* theme ascii mouse columns tick */
    struct limits limits;   /* limits_default where nothing is said */

    struct strings warnings; /* "config.ini:12: unknown key 'x' in [ui]; it is ignored" */
};

void config_done(struct config *config);
/* Reads the file into a zeroed config. path NULL, or a file that is not there, gives the defaults.
 * On failure config holds nothing. */
bool config_load(const char *path, struct config *config, struct error *err);
/* Value of a key, or NULL. */
const char *config_pairs_get(const struct config_pairs *pairs, const char *key);
