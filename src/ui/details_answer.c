/* SPDX-License-Identifier: MIT */
#include "ui/details.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "ui/pager.h"

/* One line for each string of a list; nothing for an empty one. */
static void add_strings(struct page *page, const char *label, const struct json *list)
{
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        page_add(page, ROLE_TEXT, label, json_string_value(one));
        label = "";
    }
}

/* ---- kernels ---- */

static void add_verdict(struct page *page, const char *label, const struct json *row, int width)
{
    const char *verdict = json_string(row, "verdict", "");
    const char *why = json_string(row, "why", NULL);
    enum role role = strcmp(verdict, "ok") == 0        ? ROLE_GOOD
                     : strcmp(verdict, "refused") == 0 ? ROLE_BAD
                                                       : ROLE_ATTENTION;
    auto_free char *line = memory_printf("%s: %s", json_string(row, "vmm", ""), verdict);
    page_add(page, role, label, line);
    if (why != NULL) {
        page_wrap(page, role, "", why, width);
    }
    for (const struct json *note = json_first(json_get(row, "notes")); note != NULL;
         note = json_next(note)) {
        page_wrap(page, ROLE_TEXT, "", json_string_value(note), width);
    }
}

static void add_kernel(struct page *page, const struct json *shown, int width)
{
    page_print(page, ROLE_TEXT, "has", "vmlinux%s%s",
        json_bool(shown, "has_initrd", false) ? ", initrd" : "",
        json_bool(shown, "has_modules", false) ? ", modules" : "");
    const char *label = "boots on";
    for (const struct json *row = json_first(json_get(shown, "preflight")); row != NULL;
         row = json_next(row)) {
        add_verdict(page, label, row, width);
        label = "";
    }
    page_add_known(page, ROLE_TEXT, "brought by", json_string(shown, "imported_by", ""));
    add_strings(page, "used by", json_get(shown, "used_by"));
}

/* ---- machines ---- */

static void append_part(struct text *line, const char *before, const char *value)
{
    if (value[0] != '\0') {
        text_printf(line, "%s%s", before, value);
    }
}

static void add_network(struct page *page, const struct json *shown, int width)
{
    auto_done(text) struct text line = {0};
    append_part(&line, "", json_string(shown, "net", ""));
    append_part(&line, ", address ", json_string(shown, "address", ""));
    append_part(&line, ", gateway ", json_string(shown, "gateway", ""));
    append_part(&line, ", MAC ", json_string(shown, "mac", ""));
    page_wrap(page, ROLE_TEXT, "network", text_cstr(&line), width);
}

static void add_root(struct page *page, const struct json *shown)
{
    char buffer[UNITS_MAX];
    uint64_t most = (uint64_t)json_integer(shown, "size_bytes", 0);
    page_print(page, ROLE_TEXT, "root", "%s, %s at most", json_string(shown, "root", ""),
        units_format_size(most, buffer));
}

/* How long it took to be ready, the latest boot first: a slower one is seen beside the others. */
static void add_boots(struct page *page, const struct json *shown, int width)
{
    auto_done(text) struct text line = {0};
    for (const struct json *boot = json_first(json_get(shown, "boots")); boot != NULL;
         boot = json_next(boot)) {
        char buffer[UNITS_MAX];
        int64_t ready_ms = json_integer(boot, "ready_ms", -1);
        text_printf(&line, "%s%s", line.len > 0 ? ", before that " : "",
            ready_ms < 0 ? "never" : units_format_duration((uint64_t)ready_ms, buffer));
    }
    if (line.len > 0) {
        page_wrap(page, ROLE_TEXT, "ready after", text_cstr(&line), width);
    }
}

static void add_vm(struct page *page, const struct json *shown, int width)
{
    add_boots(page, shown, width);
    add_network(page, shown, width);
    add_strings(page, "ports", json_get(shown, "publish"));
    add_root(page, shown);
    add_strings(page, "disks", json_get(shown, "disks"));
    add_strings(page, "volumes", json_get(shown, "volumes"));
    page_add_known(page, ROLE_TEXT, "restart", json_string(shown, "restart", ""));
    page_add_known(page, ROLE_TEXT, "append", json_string(shown, "append", ""));
    page_add_known(page, ROLE_TEXT, "uuid", json_string(shown, "uuid", ""));
    page_add_known(page, ROLE_TEXT, "directory", json_string(shown, "directory", ""));
}

void details_add_answer(struct page *page, enum pane pane, const char *result, int width)
{
    struct error ignored = {0};
    auto_json struct json *shown = json_parse(result, strlen(result), limits_default.json_bytes,
        limits_default.json_depth, "result", &ignored);
    if (pane == PANE_KERNELS) {
        add_kernel(page, shown, width);
    } else if (pane == PANE_VMS) {
        add_vm(page, shown, width);
    }
}
