/* SPDX-License-Identifier: MIT */
/* --env-file: what is added to the environment of every command of a machine. */
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"

#define ENV_FILE_MAX ((size_t)64 << 10) /* it travels to the guest with the initrd */

static bool is_utf8(const char *line)
{
    unsigned code_point;
    int step;
    while ((step = text_decode_utf8(line, strlen(line), &code_point)) > 0) {
        line += step;
    }
    return step == 0;
}

/* One line as docker and podman read it: what is behind the first `=` is the value, to the letter;
 * empty lines and lines that begin with # are nothing. */
static bool take_line(const char *path, size_t number, const char *line,
    struct machine_program *program, struct error *err)
{
    line += strspn(line, " \t");
    size_t len = strcspn(line, "=");
    if (line[0] == '\0' || line[0] == '#') {
        return true;
    }
    if (len == 0 || line[len] != '=' || strcspn(line, " \t") < len || !is_utf8(line)) {
        return error_set(err, ERROR_INVALID,
            "line %zu of the environment file %s is not NAME=VALUE in UTF-8: correct it there",
            number, path);
    }
    for (size_t i = program->env.count; i-- > 0;) {
        if (strncmp(program->env.items[i], line, len + 1) == 0) {
            strings_remove(&program->env, i);
        }
    }
    strings_add(&program->env, line);
    return true;
}

bool ops_vm_take_env(struct ops *ops, struct machine_program *program, struct error *err)
{
    const char *path = command_get(ops->command, "env-file");
    auto_done(text) struct text text = {0};
    if (path == NULL) {
        return true;
    }
    if (!file_read_all(AT_FDCWD, path, ENV_FILE_MAX, &text, err)) {
        return false;
    }
    if (text.len > 0 && strlen(text_cstr(&text)) != text.len) {
        return error_set(err, ERROR_INVALID, "--env-file %s is no text: a NUL byte is in it", path);
    }
    char *at = text.data;
    for (size_t number = 1; at != NULL; number++) {
        char *line = strsep(&at, "\n");
        size_t len = strlen(line);
        if (len > 0 && line[len - 1] == '\r') {
            line[len - 1] = '\0';
        }
        if (!take_line(path, number, line, program, err)) {
            return false;
        }
    }
    return true;
}
