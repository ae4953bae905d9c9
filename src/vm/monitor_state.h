/* SPDX-License-Identifier: MIT */
#pragma once

/* The monitor's state, shared by its files alone: monitor.c (start, loop, end), monitor_lines.c (the
 * VMM's lines), monitor_clients.c (connections) and monitor_publish.c (published ports). One
 * thread. */

#include "base/text.h"
#include "base/wire.h"
#include "vm/agent_relay.h"
#include "vm/boot_watch.h"
#include "vm/forward_table.h"
#include "vm/host_sleep.h"
#include "vm/machine.h"
#include "vm/monitor_launch.h"
#include "vm/monitor_order.h"
#include "vm/serial_log.h"
#include "vm/vsock_dial.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MONITOR_CLIENTS_MAX 128
#define MONITOR_REQUEST_MAX 4096
#define MONITOR_TYPED_MAX (64u << 10)   /* waiting for the guest to read its serial port */
#define MONITOR_TO_GUEST_MAX (1u << 20) /* waiting for the agent; beyond, clients wait */
#define MONITOR_SAID_MAX (64u << 10)    /* of the VMM's own words, per boot */
#define MONITOR_FAREWELL_MS 2000        /* for clients to read what is left for them */
#define MONITOR_CHUNK (64u << 10)
#define MONITOR_EVENTS_AHEAD (128u << 10) /* events waiting for a client that does not read */
#define MONITOR_PUBLISHED_MAX                                                                      \
    96u /* connections: fewer than the agent's streams, so that exec works */

enum client_kind {
    CLIENT_NEW,      /* its request has not come yet */
    CLIENT_EVENTS,   /* a line of JSON for every change */
    CLIENT_CONSOLE,  /* the serial line, as frames of stream 1 */
    CLIENT_WAITING,  /* for the agent line, which is being greeted again */
    CLIENT_AGENT,    /* the agent line */
    CLIENT_FIGURES,  /* waits for what the guest says of itself */
    CLIENT_STOPPING, /* ends the machine, and holds the connection meanwhile */
    CLIENT_LEAVING,  /* hung up on as soon as its bytes are written */
};

struct error;
struct json;

struct monitor_client {
    int fd;
    enum client_kind kind;
    int pid; /* of the peer, for notices */
    struct text request;
    struct wire_buffer out;
    struct wire_decoder decoder; /* console */
    struct relay_client relay;   /* agent */
    uint64_t log_offset;         /* console: next byte of the serial stream */
    bool may_type;
    bool is_behind; /* events: it did not read; it gets the latest once it does */
    bool is_deaf;   /* it closed its reading side */
    bool is_dead;   /* swept after the round */
};

/* Published TCP ports: a client of the relay in the monitor itself. They outlive the boots. */
struct monitor_publish {
    struct forward_table table;
    int listeners[MACHINE_PORT_MAX]; /* -1: not ours to serve */
    struct relay_client client;
    struct wire_decoder decoder; /* of what the relay has for that client */
    struct wire_buffer to_guest;
    struct wire_buffer from_guest;
};

/* What the guest says of itself: a client of the relay in the monitor itself. */
struct monitor_figures {
    struct relay_client client;
    struct wire_decoder decoder;
    struct wire_buffer from_guest;
    uint32_t last_id;  /* of the stream that asks */
    bool is_asked;     /* and has not answered yet */
    struct json *said; /* its last answer: numbers by name; NULL: none in this boot */
    uint64_t said_ms;  /* monotonic */
};

/* Of the server of a network namespace. */
struct monitor_network {
    uint64_t begun_ms; /* monotonic */
    uint64_t due_ms;   /* when it is started again; 0: it need not be */
    unsigned ends;     /* in a row, each right after its start */
};

/* Of the disk that the guest's writes go to. */
struct monitor_room {
    uint64_t begun_ms; /* monotonic: when the guest went on last; 0: it never stood still */
    uint64_t look_ms;  /* between two looks while it stands still */
    uint64_t due_ms;   /* when the next one is; 0: it need not be */
};

struct monitor {
    int vm_dir;
    int lock_fd;
    int channel_fd; /* to the engine that started us; -1 once it knows */
    int signal_fd;
    int record_fd; /* inotify: something was removed from the machine's directory */
    int listen_fd;
    struct host_sleep sleep;
    bool is_clock_due; /* the guest's clock is to be set once its agent answers */
    struct monitor_order order;
    const struct vmm_backend *backend;
    struct launch launch;
    struct machine_handle handle;
    struct machine_timeline timeline;
    uint64_t exec_ms; /* monotonic */
    struct serial_log log;
    struct boot_watch boot;
    struct relay relay;
    struct monitor_publish publish;
    struct monitor_figures figures;
    struct monitor_network network;
    struct monitor_room room;
    struct vsock_dial dial;   /* to the agent, where it is behind a vsock */
    bool is_agent_broken;     /* it broke the rules too often: not dialled any more */
    unsigned init_lines;      /* of its boot, as far as the dial knows */
    uint64_t halted_ms;       /* monotonic: when its kernel said that it ends; 0: it did not */
    bool has_halted;          /* ended by us because its guest had halted */
    struct text events;       /* bytes of the event line that are no whole line yet */
    struct text said;         /* the VMM's stderr */
    struct wire_buffer typed; /* for the guest's serial port */
    enum vmm_event fate;      /* the last event that explains an end */
    bool is_requested;        /* somebody asked for the end */
    bool has_stopper;         /* a process of its own does */
    uint64_t stop_grace_ms;   /* what he had begun may take so long without him */
    uint64_t abandoned_ms;    /* monotonic: his end counts no more from then on; 0: it counts */
    bool has_ended;
    bool is_forgotten;   /* the record was taken away: no file is written any more */
    unsigned restarts;   /* how often it began again by itself */
    unsigned quick_ends; /* ends in a row that came right after the start */
    bool has_given_up;   /* too many of these */
    bool is_adopted;     /* the VMM is not our child: its exit status is not told to us */
    int wait_status;
    struct monitor_client *clients[MONITOR_CLIENTS_MAX];
    size_t client_count;
    struct monitor_client *typist;
};

/* monitor.c: something in the timeline changed; records and tells it. */
void monitor_tell(struct monitor *monitor);
/* The stage is reached now, unless it was before. True when it is new. */
bool monitor_reach(struct monitor *monitor, enum machine_stage stage);

/* The channel to the engine that waits for a start; the last answer closes it. */
void monitor_answer_handle(struct monitor *monitor, const char *key, bool is_last);
void monitor_answer_error(struct monitor *monitor, const struct error *failure);

/* monitor_start.c: true once the guest runs. */
bool monitor_start_vmm(struct monitor *monitor, struct error *err);
/* Of the state directory: two above the machine's. NULL: not to be told. Caller frees. */
char *monitor_state_path(void);
/* True when the engine hung up before it knew: it wants nothing of this any more. */
bool monitor_is_given_up(const struct monitor *monitor);
/* Takes down what was begun, and answers with one sentence why: the VMM's own words where it has
 * any. */
void monitor_fail_start(struct monitor *monitor, struct error *failure);

/* Writes a record of this name durably. */
bool monitor_record(
    const struct monitor *monitor, const char *name, const struct json *json, struct error *err);

/* monitor_adopt.c: takes over a VMM whose monitor died. */
bool monitor_adopt(struct monitor *monitor, struct error *err);

/* One round of serving whoever has something, waiting at most so long (-1: for good). True when the
 * VMM has ended. */
bool monitor_serve_once(struct monitor *monitor, int timeout_ms);

/* monitor_again.c: the VMM has ended. True when the machine began again, by a reboot or its policy.
 * Blocks for the pause before that, serving clients. */
bool monitor_begin_again(struct monitor *monitor);

/* The VMM is gone: reads what is left on its lines, and says how it ended. */
void monitor_explain(struct monitor *monitor, struct machine_exit *exit);
/* monitor_end.c: the VMM is gone. Records how it ended, tells everybody, and leaves nothing of the
 * run but its logs. */
void monitor_finish(struct monitor *monitor, struct machine_exit *exit);
/* The last line the VMM said, which is where a reason stands. */
void monitor_last_words(const struct monitor *monitor, char *buffer, size_t size);
/* Begins what `vm stop` does, in a process of its own that talks to this monitor like any other. */
void monitor_begin_stop(struct monitor *monitor);
/* flags as for waitpid(2). True when it has ended. */
bool monitor_reap(struct monitor *monitor, int flags);
void monitor_signal_vmm(struct monitor *monitor, int number);
/* Ends a VMM that must not go on, and waits for it: freeing a big guest takes a while. */
void monitor_kill_vmm(struct monitor *monitor);

/* monitor_lines.c: bytes came, or room. Each reads what is there, and closes a line that ended. */
void monitor_read_serial(struct monitor *monitor);
void monitor_write_serial(struct monitor *monitor);
void monitor_read_events(struct monitor *monitor);
void monitor_take_events(struct monitor *monitor);
void monitor_read_said(struct monitor *monitor);
/* As write(2) of what waits in the buffer, as far as there is room. */
void monitor_write_line(int fd, struct wire_buffer *buffer);
/* Bytes, 0 at the end of the line, -1 when there is nothing now. */
ssize_t monitor_read_line(int fd, void *bytes, size_t size);

/* monitor_agent.c: the line to the guest's agent. */
/* The VMM runs: the line is there, or is dialled from now on. */
void monitor_begin_agent(struct monitor *monitor);
/* For poll(2): where to wait for the agent; -1: nowhere. */
int monitor_agent_fd(const struct monitor *monitor);
/* For poll(2): until the dial has something to do; -1: it has nothing. */
int monitor_agent_wait_ms(const struct monitor *monitor);
/* It is there, or may be soon. */
bool monitor_has_agent_line(const struct monitor *monitor);
/* Dials on, where there is a vsock and no line. */
void monitor_dial_agent(struct monitor *monitor);
void monitor_read_agent(struct monitor *monitor);
void monitor_write_agent(struct monitor *monitor);

/* monitor_stop.c: the request. True when its client holds the connection until the machine ended. */
bool monitor_stop_note(struct monitor *monitor, const struct json *request);
/* Such a connection is gone. */
void monitor_stop_abandon(struct monitor *monitor);
/* For poll(2): until the machine goes on after all (-1: never), and doing so. */
int monitor_stop_wait_ms(const struct monitor *monitor);
void monitor_stop_go_on(struct monitor *monitor);

/* monitor_publish.c. Listens on the ports of the order: all of them or an error, with ports that
 * were 0 filled in; for a machine that runs already, those that are free. */
bool monitor_publish_begin(struct monitor *monitor, struct error *err);
/* Slots of poll(2), and serving them. */
size_t monitor_publish_poll(const struct monitor *monitor, struct pollfd *fds);
void monitor_publish_serve(struct monitor *monitor, const struct pollfd *fds, size_t used);
/* The line into the guest is gone: no client waits for it. */
void monitor_publish_lose(struct monitor *monitor);
/* Sets the guest's clock after this host slept, as soon as its agent answers. */
void monitor_mend_clock(struct monitor *monitor);
/* Nothing listens any more. */
void monitor_publish_end(struct monitor *monitor);

/* monitor_network.c: the server of a network namespace began; it was begun by another monitor, and may
 * have died since; it ended, and is started again after a
 * pause; how long that is for poll(2) (-1: there is none); and doing so. */
void monitor_network_began(struct monitor *monitor);
void monitor_network_adopt(struct monitor *monitor);
void monitor_network_ended(struct monitor *monitor);
int monitor_network_wait_ms(const struct monitor *monitor);
void monitor_network_go_on(struct monitor *monitor);

/* monitor_room.c: the guest was stopped because the disk is full, and goes on; who calls tells it. */
void monitor_room_lost(struct monitor *monitor);
void monitor_room_back(struct monitor *monitor);
void monitor_room_adopt(struct monitor *monitor);
int monitor_room_wait_ms(const struct monitor *monitor);
void monitor_room_go_on(struct monitor *monitor);

/* monitor_figures.c */
void monitor_figures_begin(struct monitor_figures *figures);
/* The guest is asked, unless it is already. The answer as of now, caller frees; NULL when one that is
 * waiting gets his from monitor_figures_serve. */
struct json *monitor_figures_ask(struct monitor *monitor, bool is_waiting);
/* Takes what came. The answer for all who wait, caller frees; NULL: not yet. */
struct json *monitor_figures_serve(struct monitor *monitor);
/* The line into the guest is gone, and what it said is of before. */
void monitor_figures_lose(struct monitor *monitor);
void monitor_figures_end(struct monitor *monitor);

/* monitor_clients.c */
/* To everybody who waits for figures. */
void monitor_hand_figures(struct monitor *monitor, const struct json *answer);
void monitor_accept(struct monitor *monitor);
/* Events to poll for. */
short monitor_client_wants(const struct monitor *monitor, const struct monitor_client *client);
void monitor_client_ready(struct monitor *monitor, struct monitor_client *client, short revents);
/* Frees clients that are dead or have nothing more to get. */
void monitor_sweep_clients(struct monitor *monitor);
/* One line of JSON to everybody who listens to events. */
void monitor_broadcast(struct monitor *monitor, const struct json *json);
/* The machine ended (has_ended is set): every client gets what is left for it, then the end. */
void monitor_dismiss_clients(struct monitor *monitor, const struct json *farewell);
