/* SPDX-License-Identifier: MIT */
#pragma once

/* The operations behind verbs_vm_guest.c. Streaming threads; the checks in any. */

#include <stdbool.h>

struct command;
struct error;
struct json;
struct ops;

bool ops_vm_copy_check(const struct command *command, struct error *err);
char *ops_vm_copy_object(const struct command *command);
bool ops_vm_cp(struct ops *ops, struct json **result, struct error *err);

bool ops_vm_forward_check(const struct command *command, struct error *err);
bool ops_vm_forward(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_ports(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_ssh(struct ops *ops, struct json **result, struct error *err);
bool ops_vm_proxy(struct ops *ops, struct json **result, struct error *err);
