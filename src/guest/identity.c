/* SPDX-License-Identifier: MIT */
#include "guest/boot_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest/facts.h"
#include "guest/guest.h"

#define DEFAULT_DNS "10.0.2.3" /* of QEMU's user networking */
#define ETC_FILE_MAX ((size_t)1 << 20)

/* A machine whose clock runs from the epoch would refuse every certificate. */
static void set_clock(const struct facts *facts)
{
    uint64_t wanted = 0;
    struct timespec now = {0};
    const char *text = facts_get(facts, "time", NULL);
    if (text == NULL || !parse_number(text, INT64_MAX, &wanted)) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec < (time_t)wanted) {
        struct timespec later = {.tv_sec = (time_t)wanted};
        clock_settime(CLOCK_REALTIME, &later);
    }
}

/* Writes a file of the image unless it is a link, which means that a program of the image keeps it,
 * or says the same already. */
static void keep_file(const char *path, const char *text)
{
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        return;
    }
    char *old = read_file(path, ETC_FILE_MAX, NULL);
    if (old == NULL || strcmp(old, text) != 0) {
        mount_make_dir("/etc", 0755);
        if (!write_file(path, text)) {
            say("cannot write %s: %m", path);
        }
    }
    free(old);
}

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == text || strchr(" \t\n", at[-1]) != NULL) &&
            strchr(" \t\n", at[len]) != NULL) { /* also at the end */
            return true;
        }
    }
    return false;
}

static void set_hosts(const char *hostname)
{
    char *old = read_file("/etc/hosts", ETC_FILE_MAX, NULL);
    if (old != NULL && has_word(old, hostname)) {
        free(old);
        return;
    }
    bool is_new = old == NULL || *old == '\0';
    bool is_ended = !is_new && old[strlen(old) - 1] == '\n';
    char *text = format_text("%s%s127.0.1.1\t%s\n",
        is_new ? "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" : old,
        is_new || is_ended ? "" : "\n", hostname);
    keep_file("/etc/hosts", text);
    free(text);
    free(old);
}

static void set_hostname(const struct facts *facts)
{
    const char *hostname = facts_get(facts, "hostname", "");
    if (*hostname == '\0') {
        return;
    }
    if (sethostname(hostname, strlen(hostname)) != 0) {
        say("cannot set the host name %s: %m", hostname);
    }
    char *line = format_text("%s\n", hostname);
    keep_file("/etc/hostname", line);
    set_hosts(hostname);
    free(line);
}

static void set_resolver(const struct facts *facts)
{
    char *text = copy_text("");
    size_t at = 0;
    const char *server = facts_next(facts, "dns", &at);
    if (strcmp(facts_get(facts, "address", ""), "none") == 0 && server == NULL) {
        free(text);
        return;
    }
    for (server = server != NULL ? server : DEFAULT_DNS; server != NULL;
         server = facts_next(facts, "dns", &at)) {
        char *longer = format_text("%snameserver %s\n", text, server);
        free(text);
        text = longer;
    }
    keep_file("/etc/resolv.conf", text);
    free(text);
}

void identity_set(const struct facts *facts)
{
    set_clock(facts);
    set_hostname(facts);
    set_resolver(facts);
}
