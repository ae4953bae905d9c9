/* SPDX-License-Identifier: MIT */
#include "support/web_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define LOG_MAX ((size_t)16 << 20)

static void fail(const char *what)
{
    fprintf(stderr, "web_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static _Noreturn void run(int output, char *const *argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDOUT_FILENO);
    execvp(argv[0], argv);
    _exit(127);
}

void web_server_start_script(
    struct web_server *server, const char *script, const char *const *extra)
{
    auto_free char *python = process_find("python3");
    if (python == NULL) {
        fprintf(stderr, "skipped: python3 is missing\n");
        exit(77);
    }
    char directory[] = "/tmp/banger-test-XXXXXX";
    if (mkdtemp(directory) == NULL) {
        fail("mkdtemp");
    }
    server->directory = memory_strdup(directory);
    auto_free char *root = memory_printf("%s/root", directory);
    if (mkdir(root, 0700) != 0) {
        fail("mkdir");
    }
    server->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *source = getenv("SRCDIR");
    auto_done(strings) struct strings argv = {0};
    strings_add(&argv, python);
    strings_printf(&argv, "%s/tests/support/%s", source != NULL ? source : ".", script);
    strings_add(&argv, "--root");
    strings_add(&argv, root);
    strings_add(&argv, "--log");
    strings_printf(&argv, "%s/log", directory);
    for (; extra != NULL && *extra != NULL; extra++) {
        strings_add(&argv, *extra);
    }
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0) {
        fail("pipe");
    }
    server->pid = fork();
    if (server->pid == 0) {
        run(output[1], argv.items);
    }
    close(output[1]);
    FILE *lines = fdopen(output[0], "r");
    if (lines == NULL || fscanf(lines, "%u", &server->port) != 1) {
        fail("the server did not start");
    }
    fclose(lines);
}

void web_server_start(struct web_server *server, const char *const *extra)
{
    web_server_start_script(server, "hostile_http.py", extra);
}

void web_server_stop(struct web_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    close(server->root);
    struct error err = {0};
    if (!file_remove_tree(AT_FDCWD, server->directory, &err)) {
        fail(err.text);
    }
    free(server->directory);
    *server = (struct web_server){.root = -1};
}

void web_server_put(
    const struct web_server *server, const char *name, const void *bytes, size_t len)
{
    struct error err = {0};
    if (!file_replace(server->root, name, bytes, len, 0600, &err)) {
        fail(err.text);
    }
}

char *web_server_url(const struct web_server *server, const char *path)
{
    return memory_printf("http://127.0.0.1:%u/%s", server->port, path);
}

char *web_server_log(const struct web_server *server)
{
    auto_free char *path = memory_printf("%s/log", server->directory);
    auto_done(text) struct text text = {0};
    struct error err = {0};
    if (!file_read_all(AT_FDCWD, path, LOG_MAX, &text, &err)) {
        fail(err.text);
    }
    return text_take(&text);
}

unsigned web_server_count(const struct web_server *server, const char *text)
{
    auto_free char *log = web_server_log(server);
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, log, "\n");
    unsigned count = 0;
    for (size_t i = 0; i < lines.count; i++) {
        count += strstr(lines.items[i], text) != NULL;
    }
    return count;
}

void web_server_forget_log(const struct web_server *server)
{
    auto_free char *path = memory_printf("%s/log", server->directory);
    if (truncate(path, 0) != 0) {
        fail("truncate");
    }
}
