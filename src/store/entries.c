/* SPDX-License-Identifier: MIT */
#include "store/entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"

/* A name somebody chose is hardly ever this long and all hexadecimal. */
#define FOREIGN_ID_MIN 12
#define NEAR_MOST 3

char *entries_hidden_name(const char *prefix)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        /* Only uniqueness is asked for, and whoever makes the name notices a taken one. */
        random = (uint64_t)getpid() << 32 ^ (uint64_t)clock_wall_ms() ^ (uintptr_t)&random;
    }
    return memory_printf("%s%016" PRIx64, prefix, random);
}

/* The type of a directory's member as DT_*, also where the file system does not tell at once. */
static unsigned char type_of(int kind_dir, const struct dirent *item)
{
    struct stat info;
    if (item->d_type != DT_UNKNOWN) {
        return item->d_type;
    }
    if (fstatat(kind_dir, item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? DT_UNKNOWN : DT_DIR; /* looked at again, and told */
    }
    return IFTODT(info.st_mode);
}

static void close_stream(DIR **stream)
{
    if (*stream != NULL) {
        closedir(*stream);
    }
}

bool entries_list(int kind_dir, struct strings *names, struct strings *links, struct error *err)
{
    auto_close int fd = file_open_dir(kind_dir, ".", err);
    if (fd < 0) {
        return false;
    }
    __attribute__((cleanup(close_stream))) DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        return error_set_errno(err, errno, "cannot list the store");
    }
    take_fd(&fd);
    errno = 0;
    for (const struct dirent *item; (item = readdir(stream)) != NULL; errno = 0) {
        if (item->d_name[0] == '.') {
            continue;
        }
        unsigned char type = type_of(kind_dir, item);
        if (type == DT_DIR || type == DT_LNK) {
            strings_add(names, item->d_name);
        }
        if (type == DT_LNK) {
            strings_add(links, item->d_name);
        }
    }
    if (errno != 0) {
        return error_set_errno(err, errno, "cannot list the store");
    }
    strings_sort(names);
    return true;
}

bool entries_list_kind(const struct store *store, enum store_kind kind, struct strings *names,
    struct strings *links, struct error *err)
{
    return entries_list(store_kind_dir(store, kind), names, links, err) ||
           error_wrap(err, "%s/%s cannot be listed", store_path(store), store_kind_folder(kind));
}

bool entries_is_foreign_id(const char *name)
{
    size_t len = strlen(name);
    return len >= FOREIGN_ID_MIN && strspn(name, "0123456789abcdef-") == len;
}

/* errno says why it is not seen. */
static void note_errno(
    const struct entry_place *place, const char *what, int errnum, struct unread *unread)
{
    auto_free char *path = store_entry_path(place->store, place->kind, place->name, NULL);
    unread_note_errno(unread, errnum, what, path);
}

bool entries_note(
    const struct entry_place *place, const struct error *failure, struct unread *unread)
{
    auto_free char *path = store_entry_path(place->store, place->kind, place->name, NULL);
    return unread_note(unread, failure, path);
}

bool entries_look(const struct entry_place *place, char **damage, struct unread *unread)
{
    struct stat info;
    if (fstatat(store_kind_dir(place->store, place->kind), place->name, &info,
            AT_SYMLINK_NOFOLLOW) != 0) {
        note_errno(place, "it", errno, unread);
        return unread->errnum != 0;
    }
    if (!S_ISDIR(info.st_mode)) {
        *damage = memory_strdup(
            S_ISLNK(info.st_mode) ? "it is a link, not a directory" : "it is not a directory");
    }
    return true;
}

const char *entries_path(const char *name, const char *file, char buffer[ENTRIES_PATH_MAX])
{
    int len = snprintf(buffer, ENTRIES_PATH_MAX, "%s/%s", name, file);
    if (len < 0 || len >= ENTRIES_PATH_MAX) {
        buffer[0] = '\0'; /* no such file */
    }
    return buffer;
}

bool entries_look_at(
    const struct entry_place *place, const char *file, struct stat *info, struct unread *unread)
{
    char path[ENTRIES_PATH_MAX];
    if (fstatat(store_kind_dir(place->store, place->kind), entries_path(place->name, file, path),
            info, AT_SYMLINK_NOFOLLOW) == 0) {
        return true;
    }
    note_errno(place, file, errno, unread);
    return false;
}

void entries_damage(char **damage, char *told)
{
    if (*damage == NULL) {
        *damage = told;
    } else {
        free(told);
    }
}

bool entries_is_damaged(char **damage, const struct unread *unread)
{
    if (unread->errnum != 0) {
        free(take_ptr(*damage));
    }
    return *damage != NULL;
}

void entries_check_name(const char *name, char **damage)
{
    struct error failure = {0};
    if (!name_check_entry(name, "its name", &failure)) {
        entries_damage(damage, memory_strdup(failure.text));
    }
}

/* One slip of the finger, two in a longer name; or the name was not typed to its end. */
static bool is_near(const char *name, const char *word)
{
    return (strlen(word) > 1 && text_has_prefix(name, word)) ||
           text_distance(name, word) <= (strlen(word) < 3 ? 1 : 2);
}

bool entries_absent(
    const struct store *store, enum store_kind kind, const char *name, struct error *err)
{
    struct error ignored = {0};
    auto_done(strings) struct strings names = {0};
    auto_done(strings) struct strings links = {0};
    auto_done(strings) struct strings near = {0};
    const char *what = kind == STORE_VM ? "VM" : store_kind_name(kind);
    entries_list(store_kind_dir(store, kind), &names, &links, &ignored);
    for (size_t i = 0; i < names.count && near.count < NEAR_MOST; i++) {
        if (is_near(names.items[i], name)) {
            strings_add(&near, names.items[i]);
        }
    }
    auto_free char *all = strings_join(&near, ", ");
    if (near.count > 0) {
        return error_set(
            err, ERROR_NOT_FOUND, "there is no %s named %s: did you mean %s?", what, name, all);
    }
    return error_set(err, ERROR_NOT_FOUND, "there is no %s named %s: see `%s list`", what, name,
        store_kind_name(kind));
}

int entries_open(
    const struct store *store, enum store_kind kind, const char *name, struct error *err)
{
    const char *what = store_kind_name(kind);
    if (!name_check_entry(name, what, err)) {
        return -1;
    }
    int dir =
        openat(store_kind_dir(store, kind), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 && errno == ENOENT) {
        entries_absent(store, kind, name, err);
    } else if (dir < 0) {
        struct error failure = {0};
        auto_done(unread) struct unread unread = {0};
        const struct entry_place place = {store, kind, name};
        error_set_errno(&failure, errno, "cannot open %s %s", what, name);
        if (!entries_note(&place, &failure, &unread)) {
            *err = failure;
        } else {
            unread_error(&unread, what, name, err);
        }
    }
    return dir;
}
