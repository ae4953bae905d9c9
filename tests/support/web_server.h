/* SPDX-License-Identifier: MIT */
#pragma once

/* Starts tests/support/hostile_http.py for a test and stops it again; that file tells what the
 * server can do. It dies with the test in any case. */

#include <stdbool.h>
#include <sys/types.h>

struct web_server {
    pid_t pid;
    unsigned port;
    char *directory; /* made by web_server_start; holds root/ and log */
    int root;        /* of the directory the files are served from */
};

/* extra: more arguments, NULL-terminated, or NULL. Ends the program with status 77 when there is no
 * python3. */
void web_server_start(struct web_server *server, const char *const *extra);
/* The same with another script of tests/support that takes --root and --log and writes its port. */
void web_server_start_script(
    struct web_server *server, const char *script, const char *const *extra);
/* Also removes the directory. */
void web_server_stop(struct web_server *server);
/* Puts a file below the root. */
void web_server_put(
    const struct web_server *server, const char *name, const void *bytes, size_t len);
/* "http://127.0.0.1:PORT/path", caller frees. */
char *web_server_url(const struct web_server *server, const char *path);
/* Everything logged so far, one JSON object a line, caller frees. */
char *web_server_log(const struct web_server *server);
/* Lines of the log that hold this text. */
unsigned web_server_count(const struct web_server *server, const char *text);
void web_server_forget_log(const struct web_server *server);
