/* SPDX-License-Identifier: MIT */
#include "artifact/kernel_config.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

#define PREFIX "CONFIG_"
#define UNSET " is not set"

/* What stands behind the name in the first line that sets it, or NULL. */
static const char *find_value(const char *text, const char *option)
{
    size_t len = strlen(option);
    for (const char *at = text; (at = strstr(at, PREFIX)) != NULL; at += strlen(PREFIX)) {
        bool is_line = at == text || at[-1] == '\n';
        bool is_comment = at - text >= 2 && memcmp(at - 2, "# ", 2) == 0;
        const char *behind = at + strlen(PREFIX);
        if ((is_line || is_comment) && strncmp(behind, option, len) == 0) {
            behind += len;
            if (is_line ? *behind == '=' : strncmp(behind, UNSET, strlen(UNSET)) == 0) {
                return behind;
            }
        }
    }
    return NULL;
}

bool kernel_config_is_whole(const char *text)
{
    static const char *const processors[] = {"X86_64", "X86_32", "ARM64", "ARM", "RISCV", "S390"};
    for (size_t i = 0; i < array_length(processors); i++) {
        const char *value = find_value(text, processors[i]);
        if (value != NULL && strncmp(value, "=y", 2) == 0) {
            return true;
        }
    }
    return false;
}

enum kernel_option kernel_config_look(const char *text, const char *option)
{
    const char *value = find_value(text, option);
    if (value == NULL) {
        return kernel_config_is_whole(text) ? KERNEL_OPTION_OFF : KERNEL_OPTION_UNKNOWN;
    }
    if (value[0] != '=' || strncmp(value, "=n", 2) == 0) {
        return KERNEL_OPTION_OFF;
    }
    return strncmp(value, "=m", 2) == 0 ? KERNEL_OPTION_MODULE : KERNEL_OPTION_BUILTIN;
}
