/* SPDX-License-Identifier: MIT */
/* The operator's public keys in root's authorized_keys, as each start says them. */
#include "guest/boot_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"
#include "guest/user.h"

#define FILE_NAME "authorized_keys"
#define FRESH_NAME FILE_NAME ".banger"
#define FILE_MAX ((size_t)1 << 20)
#define MARK                                                                                       \
    " banger-operator" /* at the end of lines that are ours: the next start replaces them */

static bool is_ours(const char *line, size_t len)
{
    size_t mark_len = strlen(MARK);
    return len >= mark_len && memcmp(line + len - mark_len, MARK, mark_len) == 0;
}

/* The image's lines and the operator's own, without those of the start before. Caller frees. */
static char *other_lines(const char *old)
{
    char *kept = copy_text("");
    for (const char *line = old; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (!is_ours(line, len)) {
            char *longer = format_text("%s%.*s\n", kept, (int)len, line);
            free(kept);
            kept = longer;
        }
        line += len + (line[len] == '\n');
    }
    return kept;
}

static char *with_keys(char *text, const struct facts *facts)
{
    size_t at = 0;
    for (const char *key = facts_next(facts, "ssh_key", &at); key != NULL;
         key = facts_next(facts, "ssh_key", &at)) {
        if (strchr(key, '\n') == NULL) {
            char *longer = format_text("%s%s" MARK "\n", text, key);
            free(text);
            text = longer;
        }
    }
    return text;
}

static char *read_old(int dir)
{
    int fd = openat(dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char *old = fd < 0 ? NULL : read_fd(fd, FILE_MAX, NULL);
    if (fd >= 0) {
        close(fd);
    }
    return old;
}

/* A file of its own, renamed over the old one: half a list would lock people out. */
static bool replace_file(int dir, const char *text)
{
    unlinkat(dir, FRESH_NAME, 0);
    int fd = openat(dir, FRESH_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write_all(fd, text, strlen(text)) && fchmod(fd, 0600) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_written && renameat(dir, FRESH_NAME, dir, FILE_NAME) == 0;
}

/* root's .ssh, made where it is missing and anything is to be put there. -1 with errno. */
static int open_place(const char *home, bool is_made)
{
    int at = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0 && errno == ENOENT && is_made && mkdir(home, 0700) == 0) {
        at = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (at < 0) {
        return -1;
    }
    if (is_made && mkdirat(at, ".ssh", 0700) != 0 && errno != EEXIST) {
        close(at);
        return -1;
    }
    int place = openat(at, ".ssh", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    close(at);
    errno = error;
    return place;
}

void keys_set_in(const char *home, const struct facts *facts)
{
    bool has_keys = facts_get(facts, "ssh_key", NULL) != NULL;
    int dir = open_place(home, has_keys);
    if (dir < 0) {
        if (has_keys) {
            say("cannot put the ssh key into %s/.ssh: %m", home);
        }
        return;
    }
    char *old = read_old(dir);
    char *text = with_keys(other_lines(old != NULL ? old : ""), facts);
    bool is_same = strcmp(old != NULL ? old : "", text) == 0;
    if (!is_same && !replace_file(dir, text)) {
        say("cannot write %s/.ssh/" FILE_NAME ": %m", home);
    }
    free(text);
    free(old);
    close(dir);
}

void keys_set(const struct facts *facts)
{
    struct user root = {0};
    bool is_found = user_find("", &root);
    keys_set_in(is_found && root.home != NULL ? root.home : "/root", facts);
    free(root.home);
}
