/* SPDX-License-Identifier: MIT */
#pragma once

/* Keys for getting into guests: a pair of our own and what is known of the guests' keys, both in the
 * state directory's ssh/, readable by their owner alone. Public keys go to a guest with the facts of
 * each start and into nothing else. Workers and streaming threads. */

#include <stdbool.h>

struct error;
struct machine_spec;
struct ops;
struct strings;

/* The one place that decides which public keys a machine's guest gets at a start: those of the
 * operator's --ssh-key file, as it is now, else our own. None where ssh-keygen is not installed. */
bool ops_ssh_public_keys(
    struct ops *ops, const struct machine_spec *spec, struct strings *keys, struct error *err);

/* Absolute path of the private key that goes with them, caller frees; NULL with *err empty when
 * there is only a public one and the operator's ssh agent has to know it. */
char *ops_ssh_identity(struct ops *ops, const struct machine_spec *spec, struct error *err);

/* Absolute path of known_hosts; caller frees. */
char *ops_ssh_known_hosts(struct ops *ops);
/* True when a key of that name is known. */
bool ops_ssh_is_known(struct ops *ops, const char *alias);
/* Replaces what is known of that name by "TYPE BASE64" keys found in the lines; lines that are no
 * keys are passed over. *count: how many were kept; with none nothing changes. */
bool ops_ssh_learn(struct ops *ops, const char *alias, const struct strings *lines, unsigned *count,
    struct error *err);
