/* SPDX-License-Identifier: MIT */
#include "guest/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/guest.h"
#include "guest/launch.h"

#define FACTS_MAX ((size_t)2 << 20)
#define FIXED_POLLS 3u
#define OUT_STOP ((size_t)1 << 20) /* a host that asks and never listens is not heard any more */

/* Whoever was there is gone, or broke the rules. */
static void hang_up(struct agent *agent)
{
    stream_close(agent, 0);
    wire_buffer_consume(&agent->out, agent->out.len);
    agent->is_greeted = false;
    agent->last_id = 0;
}

/* The rules of the frames are the decoder's; those of streams and credit are ours. */
static void refuse(struct agent *agent, const char *fault)
{
    say("the host broke the protocol: %s", fault);
    hang_up(agent);
    wire_decoder_done(&agent->decoder);
    wire_decoder_init(&agent->decoder, true);
}

/* What begins a stream that is not answered at once; NULL for the other kinds. */
static void (*lasting_kind(unsigned kind))(struct agent *, const struct wire_frame *)
{
    switch (kind) {
    case WIRE_KIND_EXEC:
        return stream_open_exec;
    case WIRE_KIND_SYNC:
        return stream_open_sync;
    case WIRE_KIND_COPY:
        return stream_open_copy;
    case WIRE_KIND_TCP:
        return stream_open_tcp;
    }
    return NULL;
}

static void open_stream(struct agent *agent, const struct wire_frame *frame)
{
    if (frame->stream <= agent->last_id) {
        refuse(agent, "a stream's id is not new");
        return;
    }
    agent->last_id = frame->stream;
    void (*open_lasting)(struct agent *, const struct wire_frame *) = lasting_kind(frame->code);
    if (open_lasting == NULL) {
        request_simple(agent, frame);
    } else if (agent->stream_count >= AGENT_STREAMS_MAX) {
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, EAGAIN,
            "too many commands are running in the machine");
    } else {
        open_lasting(agent, frame);
    }
}

static void take_frame(struct agent *agent, const struct wire_frame *frame)
{
    switch (frame->type) {
    case WIRE_HELLO:
        request_hello(agent, frame);
        return;
    case WIRE_OPEN:
        open_stream(agent, frame);
        return;
    case WIRE_DATA:
    case WIRE_END:
    case WIRE_CREDIT:
    case WIRE_SIGNAL:
    case WIRE_RESIZE:
    case WIRE_CLOSE: {
        struct stream *stream = stream_find(agent, frame->stream);
        if (stream == NULL && frame->stream > agent->last_id) {
            refuse(agent, "a frame belongs to a stream that was never opened");
        } else if (stream != NULL && !stream_frame(agent, stream, frame)) {
            refuse(agent, "more was sent or allowed than there is credit for");
        }
        return;
    }
    case WIRE_STARTED:
    case WIRE_RESULT:
    case WIRE_EVENT:
        refuse(agent, "a frame came that only the guest sends");
        return;
    }
}

static void take_bytes(struct agent *agent, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct wire_frame frame;
        size_t taken = 0;
        switch (wire_decode(&agent->decoder, bytes, len, &taken, &frame)) {
        case WIRE_MORE:
            break;
        case WIRE_FRAME:
            take_frame(agent, &frame);
            break;
        case WIRE_RESET:
            hang_up(agent);
            break;
        case WIRE_BAD:
            say("the host broke the protocol: %s", wire_decoder_fault(&agent->decoder));
            hang_up(agent);
            break;
        }
        bytes += taken;
        len -= taken;
    }
}

static void serve_line(struct agent *agent)
{
    static uint8_t bytes[32 << 10];
    while (agent->line.can_write && agent->out.len > 0) {
        ssize_t done = line_write(&agent->line, wire_buffer_bytes(&agent->out), agent->out.len);
        wire_buffer_consume(&agent->out, (size_t)done);
    }
    if (agent->line.can_read && agent->out.len < OUT_STOP) {
        ssize_t got = line_read(&agent->line, bytes, sizeof bytes);
        if (got < 0) {
            hang_up(agent);
            wire_decoder_done(&agent->decoder);
            wire_decoder_init(&agent->decoder, true);
        } else {
            take_bytes(agent, bytes, (size_t)got);
        }
    }
}

static void reap(struct agent *agent)
{
    struct signalfd_siginfo ignored[16];
    while (read(agent->signals, ignored, sizeof ignored) > 0) {
    }
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        stream_reaped(agent, pid, status);
    }
}

/* Lines "key=value" from PID 1, each written in one piece. */
static void take_events(struct agent *agent)
{
    char bytes[1024];
    ssize_t got = read(agent->events, bytes, sizeof bytes - 1);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            close(agent->events);
            agent->events = -1;
        }
        return;
    }
    bytes[got] = '\0';
    char *rest = NULL;
    for (char *line = strtok_r(bytes, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strchr(line, '=');
        if (equals != NULL) {
            request_event(agent, line);
            *equals = '\0';
            facts_tell(&agent->facts, line, equals + 1);
        }
    }
}

static void serve_streams(struct agent *agent, const struct pollfd *polls)
{
    struct stream *next;
    for (struct stream *stream = agent->streams; stream != NULL; stream = next) {
        next = stream_next(stream);
        stream_serve(agent, stream, polls);
        polls += STREAM_POLLS;
    }
}

static void run_once(struct agent *agent)
{
    struct pollfd polls[FIXED_POLLS + STREAM_POLLS * AGENT_STREAMS_MAX];
    size_t used = FIXED_POLLS;
    int timeout_ms = -1;
    polls[0] = (struct pollfd){.fd = agent->line.epoll, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = agent->signals, .events = POLLIN};
    polls[2] = (struct pollfd){.fd = agent->events, .events = POLLIN};
    for (struct stream *stream = agent->streams; stream != NULL; stream = stream_next(stream)) {
        stream_poll(stream, agent, polls + used, &timeout_ms);
        used += STREAM_POLLS;
    }
    bool is_busy = (agent->line.can_write && agent->out.len > 0) ||
                   (agent->line.can_read && agent->out.len < OUT_STOP);
    if (poll(polls, used, is_busy ? 0 : timeout_ms) < 0) {
        return; /* EINTR; nothing else can happen */
    }
    if (polls[0].revents != 0) {
        line_look(&agent->line);
    }
    if (polls[1].revents != 0) {
        reap(agent);
    }
    if (polls[2].revents != 0) {
        take_events(agent);
    }
    serve_streams(agent, polls + FIXED_POLLS);
    serve_line(agent);
}

static void start(struct agent *agent)
{
    sigset_t signals;
    char *text = read_fd(LAUNCH_FACTS_FD, FACTS_MAX, NULL);
    if (text != NULL) {
        facts_parse(&agent->facts, text);
    }
    free(text);
    close(LAUNCH_FACTS_FD);
    agent->events = fcntl(LAUNCH_EVENTS_FD, F_DUPFD_CLOEXEC, 10);
    close(LAUNCH_EVENTS_FD);
    /* Whoever ends all processes politely does not mean us; SIGKILL still works. */
    sigfillset(&signals);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    agent->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (agent->signals < 0) {
        die("cannot wait for children: %m");
    }
    write_file("/proc/self/oom_score_adj", "-1000\n");
    wire_decoder_init(&agent->decoder, true);
}

void agent_main(void)
{
    static struct agent agent;
    char stage[24];
    start(&agent);
    if (!line_open(&agent.line)) {
        say("this machine has neither a port " WIRE_PORT_NAME " nor a vsock: the host cannot reach "
            "the agent");
        _exit(0);
    }
    snprintf(stage, sizeof stage, "%" PRIu64, uptime_ms());
    facts_tell(&agent.facts, "stage_agent_ms", stage);
    for (;;) {
        run_once(&agent);
    }
}
