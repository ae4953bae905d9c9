/* SPDX-License-Identifier: MIT */
#include "guest/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX ((size_t)4 << 20)
#define LISTED_MAX 1000u /* rows; what is told has to fit into one frame */
#define TCP_LISTEN 0x0au
#define UDP_UNCONNECTED 0x07u

struct socket_row {
    const char *protocol;
    char address[INET6_ADDRSTRLEN];
    unsigned port;
    unsigned long inode;
    char process[64];
};

struct table {
    struct socket_row *rows;
    size_t count;
};

/* Words of 8 hexadecimal digits, each a number in the machine's byte order. */
static bool read_address(const char *hex, bool is_v6, char text[INET6_ADDRSTRLEN])
{
    uint32_t words[4] = {0};
    for (unsigned i = 0; i < (is_v6 ? 4u : 1u); i++) {
        if (sscanf(hex + 8 * (size_t)i, "%8" SCNx32, &words[i]) != 1) {
            return false;
        }
    }
    return inet_ntop(is_v6 ? AF_INET6 : AF_INET, words, text, INET6_ADDRSTRLEN) != NULL;
}

static void read_row(struct table *table, const char *line, const char *protocol, bool is_v6)
{
    struct socket_row row = {.protocol = protocol};
    char local[40];
    unsigned state = 0;
    unsigned remote_port = 0;
    if (sscanf(line, " %*u: %39[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %x %*s %*s %*s %*u %*u %lu", local,
            &row.port, &remote_port, &state, &row.inode) != 5 ||
        strlen(local) != (is_v6 ? 32u : 8u) || remote_port != 0 ||
        state != (protocol[0] == 't' ? TCP_LISTEN : UDP_UNCONNECTED) ||
        !read_address(local, is_v6, row.address) || table->count == LISTED_MAX) {
        return;
    }
    table->rows = grow(table->rows, (table->count + 1) * sizeof *table->rows);
    table->rows[table->count++] = row;
}

static bool read_table(struct table *table, const char *path, const char *protocol, bool is_v6)
{
    char *text = read_file(path, TABLE_MAX, NULL);
    char *rest = NULL;
    if (text == NULL) {
        return false;
    }
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        read_row(table, line, protocol, is_v6);
    }
    free(text);
    return true;
}

static void name_rows(struct table *table, unsigned long inode, const char *pid)
{
    for (size_t i = 0; i < table->count; i++) {
        struct socket_row *row = &table->rows[i];
        if (row->inode != inode || row->process[0] != '\0') {
            continue;
        }
        char *path = format_text("/proc/%s/comm", pid);
        char *name = read_file(path, sizeof row->process - 1, NULL);
        snprintf(row->process, sizeof row->process, "%s", name != NULL ? trim(name) : "");
        free(name);
        free(path);
    }
}

static void search_process(struct table *table, const char *pid)
{
    char *path = format_text("/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    free(path);
    for (struct dirent *entry = dir == NULL ? NULL : readdir(dir); entry != NULL;
         entry = readdir(dir)) {
        char target[64];
        unsigned long inode = 0;
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        if (sscanf(target, "socket:[%lu]", &inode) == 1) {
            name_rows(table, inode, pid);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void find_processes(struct table *table)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *entry = proc == NULL ? NULL : readdir(proc); entry != NULL;
         entry = readdir(proc)) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
            search_process(table, entry->d_name);
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}

bool ports_list(struct list *lines)
{
    struct table table = {0};
    bool is_read = read_table(&table, "/proc/net/tcp", "tcp", false);
    if (is_read) {
        read_table(&table, "/proc/net/tcp6", "tcp", true);
        read_table(&table, "/proc/net/udp", "udp", false);
        read_table(&table, "/proc/net/udp6", "udp", true);
        find_processes(&table);
    }
    for (size_t i = 0; i < table.count; i++) {
        const struct socket_row *row = &table.rows[i];
        list_take(lines, format_text("%s=%s %u%s%s", row->protocol, row->address, row->port,
                             row->process[0] != '\0' ? " " : "", row->process));
    }
    free(table.rows);
    return is_read;
}
