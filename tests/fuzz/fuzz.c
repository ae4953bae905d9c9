/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char *place;

const struct fuzz_target *fuzz_target_at(size_t index)
{
    const struct fuzz_target *const tables[] = {
        fuzz_base, fuzz_archive, fuzz_disk, fuzz_registry, fuzz_store, fuzz_vm};
    for (size_t i = 0; i < array_length(tables); i++) {
        for (const struct fuzz_target *target = tables[i]; target->name; target++) {
            if (index-- == 0) {
                return target;
            }
        }
    }
    return NULL;
}

void fuzz_broken(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

char *fuzz_text(const uint8_t *bytes, size_t len)
{
    size_t used = strnlen((const char *)bytes, len);
    char *text = memory_alloc(used + 1);
    memcpy(text, bytes, used);
    text[used] = '\0';
    return text;
}

const char *fuzz_place(void)
{
    if (place == NULL) {
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        place = memory_printf("%s/banger-test-XXXXXX", parent);
        fuzz_check(mkdtemp(place) != NULL);
    }
    return place;
}

void fuzz_place_remove(void)
{
    struct error ignored = {0};
    if (place != NULL) {
        file_remove_tree(AT_FDCWD, place, &ignored);
        free(take_ptr(place));
    }
}

void fuzz_put(const char *name, const uint8_t *bytes, size_t len)
{
    auto_free char *path = memory_printf("%s/%s", fuzz_place(), name);
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_check(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
}

int fuzz_fd(const uint8_t *bytes, size_t len)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    fuzz_check(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}
