/* SPDX-License-Identifier: MIT */
#include "base/file_draft.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_PATH_SIZE 64
/* In front of ".tmp-" and digits. */
#define NEW_NAME "new"

/* A file without a name gets one by way of /proc, which may be missing. */
static const char *own_path(int fd, char path[OWN_PATH_SIZE])
{
    snprintf(path, OWN_PATH_SIZE, "/proc/self/fd/%d", fd);
    return path;
}

static bool begin_unnamed(struct file_draft *draft)
{
    char own[OWN_PATH_SIZE];
    draft->fd = open(draft->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (draft->fd >= 0 && access(own_path(draft->fd, own), F_OK) != 0) {
        close(take_fd(&draft->fd));
    }
    return draft->fd >= 0;
}

/* The directory itself, or the one that the path is in. */
static char *folder_of(const char *to)
{
    struct stat status;
    const char *slash = strrchr(to, '/');
    if (stat(to, &status) == 0 && S_ISDIR(status.st_mode)) {
        return memory_strdup(to);
    }
    return slash == NULL ? memory_strdup(".")
                         : memory_strndup(to, slash == to ? 1 : (size_t)(slash - to));
}

bool file_draft_begin(struct file_draft *draft, const char *to, struct error *err)
{
    draft->folder = folder_of(to);
    if (begin_unnamed(draft)) {
        return true;
    }
    auto_free char *inside = memory_printf("%s/" NEW_NAME, draft->folder);
    draft->temporary = file_temporary_name(inside, err);
    draft->fd = draft->temporary != NULL ? file_create(AT_FDCWD, draft->temporary, err) : -1;
    if (draft->fd < 0) {
        free(take_ptr(draft->temporary));
    }
    return draft->fd >= 0;
}

static bool fail_taken(const char *path, struct error *err)
{
    return errno == EEXIST ? error_set(err, ERROR_EXISTS,
                                 "%s is there already: choose another name, or remove it", path)
                           : error_set_errno(err, errno, "cannot give %s its name", path);
}

static bool link_to(struct file_draft *draft, const char *path)
{
    char own[OWN_PATH_SIZE];
    return linkat(AT_FDCWD, own_path(draft->fd, own), AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

/* In one step from the temporary name. Some file systems know no flags. */
static bool rename_to(const char *temporary, const char *path, bool is_replacing)
{
    if (is_replacing) {
        return rename(temporary, path) == 0;
    }
    return renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ||
           ((errno == EINVAL || errno == ENOSYS) && !file_exists(AT_FDCWD, path) &&
               rename(temporary, path) == 0);
}

static bool give_name(
    struct file_draft *draft, const char *path, bool is_replacing, struct error *err)
{
    if (draft->temporary == NULL && link_to(draft, path)) {
        return true;
    }
    if (draft->temporary == NULL && (errno != EEXIST || !is_replacing)) {
        return fail_taken(path, err);
    }
    /* A link never replaces: one that does takes a name beside it first, for a moment. */
    if (draft->temporary == NULL) {
        draft->temporary = file_temporary_name(path, err);
        if (draft->temporary == NULL) {
            return false;
        }
        if (!link_to(draft, draft->temporary)) {
            free(take_ptr(draft->temporary));
            return error_set_errno(err, errno, "cannot give %s its name", path);
        }
    }
    if (!rename_to(draft->temporary, path, is_replacing)) {
        return fail_taken(path, err);
    }
    free(take_ptr(draft->temporary));
    return true;
}

bool file_draft_finish(
    struct file_draft *draft, const char *path, bool is_replacing, struct error *err)
{
    return file_sync(draft->fd, path, err) && give_name(draft, path, is_replacing, err) &&
           file_sync_dir(AT_FDCWD, draft->folder, err);
}

void file_draft_done(struct file_draft *draft)
{
    if (draft->temporary != NULL) {
        unlink(draft->temporary);
    }
    memory_auto_close(&draft->fd);
    free(draft->folder);
    free(draft->temporary);
    *draft = (struct file_draft){.fd = -1};
}
