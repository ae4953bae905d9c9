/* SPDX-License-Identifier: MIT */
/* Starting with the host: a unit of the user's own systemd, written on request, that starts the
 * machine and stops it in order (systemd.service(5), systemd.unit(5)). What `systemctl --user enable`
 * does is a link, so no manager has to be there for it. */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define WANTS "default.target.wants"

/* By uuid: a new name is only new content. Caller frees. */
static char *unit_name(const struct machine_spec *spec)
{
    return memory_printf("banger-vm-%s.service", spec->uuid);
}

/* One word of a command line in a unit. */
static void add_word(struct text *unit, const char *word)
{
    text_append(unit, " \"");
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            text_append_char(unit, '\\');
        } else if (*c == '%' || *c == '$') {
            text_append_char(unit, *c);
        }
        text_append_char(unit, *c);
    }
    text_append_char(unit, '"');
}

static void add_command(struct ops *ops, struct text *unit, const char *key, const char *verb,
    const char *name, const char *flag)
{
    char self[PATH_MAX];
    const char *path = ops_self_path(ops);
    ssize_t len = readlink(path, self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
        path = self;
    }
    const char *const words[] = {
        path, "--batch", "--state-dir", store_path(ops->store), "vm", verb, name, flag};
    text_printf(unit, "%s=", key);
    for (size_t i = 0; i < array_length(words) && words[i] != NULL; i++) {
        add_word(unit, words[i]);
    }
    text_append_char(unit, '\n');
}

static bool remove_unit(int dir, const char *name, struct error *err)
{
    auto_free char *link = memory_printf(WANTS "/%s", name);
    if ((unlinkat(dir, link, 0) != 0 && errno != ENOENT && errno != ENOTDIR) ||
        (unlinkat(dir, name, 0) != 0 && errno != ENOENT)) {
        return error_set_errno(err, errno, "cannot remove the unit %s", name);
    }
    return true;
}

static bool write_unit(
    struct ops *ops, int dir, const char *name, const struct machine_spec *spec, struct error *err)
{
    auto_done(text) struct text unit = {0};
    text_printf(&unit,
        "[Unit]\nDescription=VM %s\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n", spec->name);
    add_command(ops, &unit, "ExecStart", "start", spec->name, "--detach");
    add_command(ops, &unit, "ExecStop", "stop", spec->name, NULL);
    text_append(&unit, "TimeoutStartSec=300\nTimeoutStopSec=90\n\n[Install]\n"
                       "WantedBy=default.target\n");
    auto_free char *link = memory_printf(WANTS "/%s", name);
    auto_free char *target = memory_printf("../%s", name);
    if (!file_make_dirs(dir, WANTS, err) ||
        !file_replace(dir, name, unit.data, unit.len, 0644, err)) {
        return false;
    }
    return symlinkat(target, dir, link) == 0 || errno == EEXIST ||
           error_set_errno(err, errno, "cannot enable the unit %s", name);
}

bool ops_vm_autostart(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    const char *place = ops->config->unit_dir;
    auto_free char *name = unit_name(spec);
    if (place == NULL) {
        return !spec->is_autostart ||
               error_set(err, ERROR_CONFIG,
                   "there is no place for units of the user's own: set HOME or XDG_CONFIG_HOME");
    }
    if (spec->is_autostart && !file_make_dirs(AT_FDCWD, place, err)) {
        return false;
    }
    auto_close int dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return !spec->is_autostart || error_set_errno(err, errno, "cannot open %s", place);
    }
    return spec->is_autostart ? write_unit(ops, dir, name, spec, err) : remove_unit(dir, name, err);
}
