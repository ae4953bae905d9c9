/* SPDX-License-Identifier: MIT */
#pragma once

/* An agent behind the stand-ins for VMMs (fake_qemu.c, fake_firecracker.c): as much of the protocol
 * as tests of the host's side need. Its exec knows: cat, exit N, kill N, spew N, env, missing,
 * denied, and systemctl where there is one. What it does is said by words:
 *     fake.stubborn    ignores power-off and reboot
 *     fake.systemd     systemctl says that the system comes up
 *     fake.hungsystemd systemctl never ends
 *     fake.liar        sends more than it has credit for
 *     fake.events      never stops telling of changes once it is greeted
 *     fake.chaos=N     answers with frames, half-frames and archives that nobody should send, drawn
 *                      from the seed N */

#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_STREAMS 64

struct fake_stream {
    uint32_t id; /* 0: free */
    bool is_cat;
    bool has_eof;               /* of stdin */
    uint64_t spew_left;         /* bytes of output to come */
    struct wire_buffer waiting; /* output without credit */
    struct wire_credit out;
    struct wire_credit in;
};

struct fake_agent {
    int fd;                                          /* a socket; -1: nobody is there */
    const char *words;                               /* the kernel's command line */
    void (*print)(void *machine, const char *words); /* on the serial port */
    void (*end)(void *machine, bool is_reboot);
    void *machine;
    unsigned asked; /* how far its systemd is */
    bool is_greeted;
    uint64_t chaos; /* state of the generator; 0: not begun */
    struct wire_decoder decoder;
    struct wire_buffer out;
    struct fake_stream streams[FAKE_STREAMS];
};

void fake_agent_init(struct fake_agent *agent);
/* There is something to read. */
void fake_agent_read(struct fake_agent *agent);
/* As far as there is room. */
void fake_agent_write(struct fake_agent *agent);
/* The descriptor is the guest's own agent's from now on (real_agent.c), which lies beside this
 * program. */
void fake_agent_become_real(struct fake_agent *agent);
void fake_agent_flush(int fd, struct wire_buffer *buffer);
