/* SPDX-License-Identifier: MIT */
#pragma once

/* Who a command runs as: /etc/passwd and /etc/group of the image read as files, since a static
 * program has no name service. Without those files there are root and numbers. */

#include <stdbool.h>
#include <sys/types.h>

#define USER_GROUPS_MAX 64

struct user {
    uid_t uid;
    gid_t gid;
    gid_t groups[USER_GROUPS_MAX]; /* supplementary, the main one among them */
    unsigned group_count;
    char *home;
};

/* spec is "name|uid[:group|gid]"; NULL or "" is root. False when there is no such name. */
bool user_find(const char *spec, struct user *user);
