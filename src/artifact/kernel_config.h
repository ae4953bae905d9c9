/* SPDX-License-Identifier: MIT */
#pragma once

/* What a kernel was built with, as its .config says (linux Documentation/kbuild/kconfig.rst): lines
 * "CONFIG_X=y", "CONFIG_X=m" and "# CONFIG_X is not set". Pure functions over text that may hold
 * anything. Workers. */

#include <stdbool.h>

enum kernel_option {
    KERNEL_OPTION_UNKNOWN,
    KERNEL_OPTION_OFF,
    KERNEL_OPTION_MODULE,
    KERNEL_OPTION_BUILTIN,
};

/* A whole configuration: one that says which processor it is for. In a mere fragment what is not
 * mentioned is not known; in a whole one it is off. */
bool kernel_config_is_whole(const char *text);
/* option is without "CONFIG_". A number or a string counts as built in. */
enum kernel_option kernel_config_look(const char *text, const char *option);
