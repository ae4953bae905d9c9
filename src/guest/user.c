/* SPDX-License-Identifier: MIT */
#include "guest/user.h"

#include <stdlib.h>
#include <string.h>

#include "guest/guest.h"

#define TABLE_MAX ((size_t)4 << 20)
#define ID_MAX 4294967294u /* the last is "no change" to the kernel */
#define FIELDS_MAX 8u

/* Cuts a line at its colons. Returns how many fields there are. */
static unsigned split(char *line, char *fields[FIELDS_MAX])
{
    unsigned count = 0;
    fields[count++] = line;
    for (char *at = line; *at != '\0' && count < FIELDS_MAX; at++) {
        if (*at == ':') {
            *at = '\0';
            fields[count++] = at + 1;
        }
    }
    return count;
}

static bool parse_id(const char *text, unsigned *id)
{
    uint64_t number;
    if (!parse_number(text, ID_MAX, &number)) {
        return false;
    }
    *id = (unsigned)number;
    return true;
}

/* The line of /etc/passwd with that name, or with that number. Fills all but the groups; *name is
 * the caller's to free. */
static bool find_in_passwd(const char *wanted, struct user *user, char **name)
{
    char *table = read_file("/etc/passwd", TABLE_MAX, NULL);
    unsigned wanted_id = 0;
    bool is_number = parse_id(wanted, &wanted_id), is_found = false;
    char *rest = NULL;
    for (char *line = table == NULL ? NULL : strtok_r(table, "\n", &rest);
         line != NULL && !is_found; line = strtok_r(NULL, "\n", &rest)) {
        char *fields[FIELDS_MAX];
        unsigned uid, gid;
        if (split(line, fields) < 6 || !parse_id(fields[2], &uid) || !parse_id(fields[3], &gid)) {
            continue;
        }
        if (strcmp(fields[0], wanted) == 0 || (is_number && uid == wanted_id)) {
            user->uid = uid;
            user->gid = gid;
            user->home = copy_text(fields[5]);
            *name = copy_text(fields[0]);
            is_found = true;
        }
    }
    free(table);
    return is_found;
}

static void add_group(struct user *user, gid_t gid)
{
    if (user->group_count < USER_GROUPS_MAX) {
        user->groups[user->group_count++] = gid;
    }
}

static bool is_member(char *members, const char *name)
{
    char *rest = NULL;
    for (char *member = strtok_r(members, ",", &rest); member != NULL;
         member = strtok_r(NULL, ",", &rest)) {
        if (strcmp(member, name) == 0) {
            return true;
        }
    }
    return false;
}

/* With wanted: the number of that group. Without: adds the groups that name is a member of. */
static bool read_groups(const char *wanted, const char *name, struct user *user)
{
    char *table = read_file("/etc/group", TABLE_MAX, NULL);
    bool is_found = false;
    char *rest = NULL;
    for (char *line = table == NULL ? NULL : strtok_r(table, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *fields[FIELDS_MAX];
        unsigned gid;
        if (split(line, fields) < 4 || !parse_id(fields[2], &gid)) {
            continue;
        }
        if (wanted != NULL) {
            if (!is_found && strcmp(fields[0], wanted) == 0) {
                user->gid = gid;
                is_found = true;
            }
        } else if (gid != user->gid && is_member(fields[3], name)) {
            add_group(user, gid);
        }
    }
    free(table);
    return is_found;
}

bool user_find(const char *spec, struct user *user)
{
    *user = (struct user){0};
    char *wanted = copy_text(spec == NULL || *spec == '\0' ? "0" : spec);
    char *group = strchr(wanted, ':'), *name = NULL;
    unsigned gid;
    if (group != NULL) {
        *group++ = '\0';
    }
    bool is_good = true;
    if (!find_in_passwd(wanted, user, &name)) {
        if (strcmp(wanted, "root") != 0) {
            is_good = parse_id(wanted, &user->uid);
        }
        user->home = copy_text(user->uid == 0 ? "/root" : "/");
    }
    if (is_good && group != NULL && *group != '\0') {
        if (parse_id(group, &gid)) {
            user->gid = gid;
        } else {
            is_good = read_groups(group, NULL, user);
        }
        add_group(user, user->gid);
    } else {
        add_group(user, user->gid);
        read_groups(NULL, name != NULL ? name : wanted, user);
    }
    free(name);
    free(wanted);
    return is_good;
}
