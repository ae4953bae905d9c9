/* SPDX-License-Identifier: MIT */
#include "base/name.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alphanumeric(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

static bool check_not_empty(const char *name, const char *what, struct error *err)
{
    return name[0] != '\0' || error_set(err, ERROR_INVALID, "%s is empty", what);
}

bool name_check_entry(const char *name, const char *what, struct error *err)
{
    if (!check_not_empty(name, what, err)) {
        return false;
    }
    size_t len = strlen(name);
    bool is_good = len <= NAME_ENTRY_MAX && is_alphanumeric(name[0]);
    for (size_t i = 1; is_good && i < len; i++) {
        is_good = is_alphanumeric(name[i]) || strchr("._-", name[i]) != NULL;
    }
    if (is_good) {
        return true;
    }
    auto_free char *shown = text_safe(name, true);
    return error_set(err, ERROR_INVALID,
        "%s \"%.80s\" is not allowed: use 1 to 64 letters, digits, '.', '_' or '-', "
        "beginning with a letter or digit",
        what, shown);
}

bool name_check_label(const char *name, const char *what, struct error *err)
{
    if (!check_not_empty(name, what, err)) {
        return false;
    }
    size_t len = strlen(name);
    bool is_good = len <= NAME_LABEL_MAX && name[0] != '-' && name[len - 1] != '-';
    for (size_t i = 0; is_good && i < len; i++) {
        is_good = is_lower_or_digit(name[i]) || name[i] == '-';
    }
    if (is_good) {
        return true;
    }
    auto_free char *shown = text_safe(name, true);
    return error_set(err, ERROR_INVALID,
        "%s \"%.80s\" is not allowed: use 1 to 63 of a-z, 0-9 and '-', with no '-' at either end",
        what, shown);
}
