/* SPDX-License-Identifier: MIT */
#include "vm/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "vm/local_socket.h"

enum qmp_kind qmp_classify(const struct json *message)
{
    if (json_get(message, "QMP") != NULL) {
        return QMP_GREETING;
    }
    if (json_get(message, "event") != NULL) {
        return QMP_EVENT;
    }
    if (json_get(message, "error") != NULL) {
        return QMP_ERROR;
    }
    return json_get(message, "return") != NULL ? QMP_RETURN : QMP_OTHER;
}

void qmp_done(struct qmp *qmp)
{
    memory_auto_close(&qmp->fd);
    qmp->fd = -1;
    text_done(&qmp->input);
}

static struct json *read_message(
    struct qmp *qmp, uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    auto_done(text) struct text line = {0};
    if (!local_socket_read_line(
            qmp->fd, &qmp->input, QMP_LINE_MAX, &line, deadline_ms, cancel, err)) {
        return NULL;
    }
    return json_parse(
        text_cstr(&line), line.len, QMP_LINE_MAX, limits_default.json_depth, "QEMU's answer", err);
}

/* Reads on, past events, until a message of another kind comes. */
static struct json *read_reply(
    struct qmp *qmp, uint64_t deadline_ms, const struct cancel *cancel, struct error *err)
{
    for (;;) {
        struct json *message = read_message(qmp, deadline_ms, cancel, err);
        if (message == NULL || qmp_classify(message) != QMP_EVENT) {
            return message;
        }
        json_free(message);
    }
}

/* The next call as a line; takes arguments over. */
static void write_command(
    struct qmp *qmp, const char *command, struct json *arguments, struct text *line)
{
    auto_json struct json *message = json_new_object();
    json_put_string(message, "execute", command);
    if (arguments != NULL) {
        json_put(message, "arguments", arguments);
    }
    qmp->next_id++;
    json_put_integer(message, "id", (int64_t)qmp->next_id);
    json_write(message, false, line);
    if (line->len == 0 || line->data[line->len - 1] != '\n') {
        text_append_char(line, '\n');
    }
}

/* What it answers to the call that was sent last. */
static bool await_return(struct qmp *qmp, const char *command, uint64_t deadline,
    const struct cancel *cancel, struct json **reply, struct error *err)
{
    for (;;) {
        auto_json struct json *message = read_reply(qmp, deadline, cancel, err);
        if (message == NULL) {
            return error_wrap(err, "QEMU, asked for %s", command);
        }
        /* An answer to a call that was given up earlier. */
        if (json_integer(message, "id", -1) != (int64_t)qmp->next_id) {
            continue;
        }
        if (qmp_classify(message) != QMP_RETURN) {
            const char *words = json_string(json_get(message, "error"), "desc", "no reason given");
            return error_set(err, ERROR_VMM, "QEMU refused %s: %s", command, words);
        }
        if (reply != NULL) {
            *reply = json_copy(json_get(message, "return"));
        }
        return true;
    }
}

bool qmp_call(struct qmp *qmp, const char *command, struct json *arguments, uint64_t timeout_ms,
    const struct cancel *cancel, struct json **reply, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    auto_done(text) struct text line = {0};
    write_command(qmp, command, arguments, &line);
    if (!local_socket_send(qmp->fd, line.data, line.len, deadline, cancel, err)) {
        return error_wrap(err, "QEMU, asked for %s", command);
    }
    return await_return(qmp, command, deadline, cancel, reply, err);
}

/* The descriptor travels with the first byte of the line (unix(7), SCM_RIGHTS). */
static bool send_byte_with(int socket_fd, char byte, int fd, uint64_t deadline,
    const struct cancel *cancel, struct error *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    if (!local_socket_wait(socket_fd, POLLOUT, deadline, cancel, err)) {
        return false;
    }
    return sendmsg(socket_fd, &message, MSG_NOSIGNAL) == 1 ||
           error_set_errno(err, errno, "a descriptor cannot be handed over");
}

bool qmp_pass_fd(struct qmp *qmp, const char *name, int fd, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    struct json *arguments = json_new_object();
    json_put_string(arguments, "fdname", name);
    auto_done(text) struct text line = {0};
    write_command(qmp, "getfd", arguments, &line);
    if (!send_byte_with(qmp->fd, line.data[0], fd, deadline, cancel, err) ||
        !local_socket_send(qmp->fd, line.data + 1, line.len - 1, deadline, cancel, err)) {
        return error_wrap(err, "QEMU, asked for getfd");
    }
    return await_return(qmp, "getfd", deadline, cancel, NULL, err);
}

static bool negotiate(
    struct qmp *qmp, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    auto_json struct json *greeting = read_reply(qmp, clock_deadline(timeout_ms), cancel, err);
    if (greeting == NULL) {
        return error_wrap(err, "QEMU's greeting");
    }
    if (qmp_classify(greeting) != QMP_GREETING) {
        return error_set(err, ERROR_VMM, "what answers on QEMU's control socket is not QEMU");
    }
    return qmp_call(qmp, "qmp_capabilities", NULL, timeout_ms, cancel, NULL, err);
}

bool qmp_adopt(
    struct qmp *qmp, int fd, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    *qmp = (struct qmp){.fd = fd};
    if (!negotiate(qmp, timeout_ms, cancel, err)) {
        qmp_done(qmp);
        return false;
    }
    return true;
}

bool qmp_open(struct qmp *qmp, int dir, const char *name, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    *qmp = (struct qmp){.fd = -1};
    int fd = local_socket_connect(dir, name, clock_deadline(timeout_ms), cancel, err);
    return fd >= 0 && qmp_adopt(qmp, fd, timeout_ms, cancel, err);
}
