/* SPDX-License-Identifier: MIT */
/* The verbs that reach into a machine's guest. */
#include "engine/verbs/verbs.h"

#include "engine/machine/ops_vm_guest.h"
#include "engine/ops.h"

/* clang-format off */

static const struct column vm_port_columns[] = {
    {"PROTOCOL", "protocol", COLUMN_TEXT}, {"ADDRESS", "address", COLUMN_TEXT},
    {"PORT", "port", COLUMN_NUMBER}, {"PROCESS", "process", COLUMN_TEXT},
    {"PUBLISHED", "published", COLUMN_TEXT},
};

static const struct argument vm_cp_arguments[] = {
    {"source", 0, ARGUMENT_PLACE, .is_positional = true, .is_required = true, .value_name = "SRC",
        .help = "File or directory, NAME:PATH in a VM, or - for a tar archive on stdin"},
    {"target", 0, ARGUMENT_PLACE, .is_positional = true, .is_required = true, .value_name = "DST",
        .help = "Where to, NAME:PATH in a VM, or - for a tar archive on stdout"},
};
static const struct argument vm_forward_arguments[] = {
    NAME_OF("VM to forward to"),
    {"port", 0, ARGUMENT_WORD, .is_positional = true, .is_required = true, .is_many = true,
        .value_name = "HOST:GUEST",
        .help = "[ADDRESS:]HOST:GUEST; HOST 0 or empty takes a free port"},
};
static const struct argument vm_ports_arguments[] = {NAME_OF("VM to ask")};
static const struct argument vm_ssh_arguments[] = {
    NAME_OF("VM to log in to"),
    {"user", 'u', ARGUMENT_WORD, .value_name = "USER", .fallback = "root",
        .help = "User of the guest to log in as"},
    {"port", 0, ARGUMENT_NUMBER, .value_name = "PORT", .max = UINT16_MAX, .fallback = "22",
        .help = "Port of the guest that its ssh server listens on"},
    {"tty", 't', ARGUMENT_FLAG, .help = "Give the command a terminal"},
    {"command", 0, ARGUMENT_REST, .value_name = "CMD",
        .help = "Command and its arguments, behind --; without one a shell"},
};
static const struct argument vm_proxy_arguments[] = {
    NAME_OF("VM to connect to"),
    {"port", 0, ARGUMENT_NUMBER, .is_positional = true, .is_required = true, .value_name = "PORT",
        .max = UINT16_MAX, .help = "TCP port of the guest"},
};

static const struct verb rows[] = {
    {"vm", "cp", NULL, VERB_STREAMS | VERB_PIPES, "Copy files into and out of a VM",
        "Copies a file or a tree through the guest's agent: no network and no ssh. Modes, times,\n"
        "links, holes and user attributes are kept, owners where this program runs as root. A\n"
        "directory that is there already gets the copy inside it; SRC/. copies what is in SRC.\n"
        "With - the other side is a tar archive on stdin or stdout.",
        "banger-tui --batch vm cp site web:/srv\n"
        "banger-tui --batch vm cp web:/var/log - | tar t",
        ROWS(vm_cp_arguments), .check = ops_vm_copy_check, .object = ops_vm_copy_object,
        .run = ops_vm_cp},
    {"vm", "ports", NULL, VERB_READS | VERB_STREAMS, "List the ports a guest listens on",
        "Lists the sockets that programs in the guest listen on, with the ports of this host that\n"
        "lead to them.",
        "banger-tui --batch vm ports web", ROWS(vm_ports_arguments), COLUMNS(vm_port_columns),
        .run = ops_vm_ports},
    {"vm", "forward", NULL, VERB_STREAMS | VERB_CARRIES, "Forward ports of this host into a VM",
        "Connections to the ports of this host reach the guest's own ports through its agent,\n"
        "until it is interrupted or the machine ends. Each port is written to stdout as\n"
        "ADDRESS:HOST:GUEST once it listens.",
        "banger-tui --batch vm forward web 8080:80 5432:5432",
        ROWS(vm_forward_arguments), .check = ops_vm_forward_check, .run = ops_vm_forward},
    {"vm", "ssh", NULL, VERB_STREAMS | VERB_CARRIES | VERB_TERMINAL, "Log in to a VM with ssh",
        "Runs ssh over a connection through the guest's agent, so the guest needs an ssh server\n"
        "and no network. The key is given to the guest when it starts; the guest's own key is\n"
        "learnt through the agent, so the first connection is checked like every other. Each word\n"
        "behind -- is quoted for the remote shell.",
        "banger-tui --batch vm ssh web\n"
        "banger-tui --batch vm ssh web -- ls -l '/some dir'",
        ROWS(vm_ssh_arguments), .run = ops_vm_ssh},
    {"vm", "proxy", NULL, VERB_STREAMS | VERB_CARRIES | VERB_PIPES | VERB_HIDDEN,
        "Connect stdin and stdout with a port of a guest", NULL,
        "banger-tui --batch vm proxy web 22",
        ROWS(vm_proxy_arguments), .run = ops_vm_proxy},
};
const struct verb_group vm_guest_verbs = VERB_GROUP(rows);
