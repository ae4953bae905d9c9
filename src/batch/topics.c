/* SPDX-License-Identifier: MIT */
#include "batch/topics.h"

#include <string.h>

#include "base/memory.h"

/* clang-format off */
const struct exit_row exit_rows[] = {
    {0, "done; also when it already was so (\"changed\": false)"},
    {2, "some of many operands or script lines done, some not"},
    {64, "a word on the command line is wrong or missing"},
    {65, "content is not what was promised or cannot be read: digest, signature, format, limit"},
    {66, "there is no such name, catalog entry or file"},
    {69, "server, VMM or feature not available; the guest died before it was ready"},
    {70, "a fault of this program, or no memory left"},
    {73, "the name is taken"},
    {74, "the disk failed or is full"},
    {75, "somebody else holds or needs it: try again"},
    {77, "not permitted"},
    {78, "the configuration, the environment or a catalog source is wrong"},
    {124, "time ran out"},
    {125, "a failure of ours where a guest's command was to run"},
    {126, "the guest's command is not executable"},
    {127, "the guest has no such command"},
    {129, "ended by SIGHUP"},
    {130, "ended by SIGINT; what can be resumed is kept"},
    {143, "ended by SIGTERM; what can be resumed is kept"},
};
const size_t exit_row_count = array_length(exit_rows);

const struct topic topics[] = {
    {
        .name = "exit",
        .heading = "EXIT STATUS",
        .summary = "what the exit status tells",
        .body =
            "Commands that run something in a guest (vm exec, vm ssh, vm run -- CMD) end with "
            "the status of what ran, 128 + N when signal N killed it.\n",
    },
    {
        .name = "scripts",
        .heading = "SCRIPTS",
        .summary = "many commands from a file or from stdin",
        .body =
            "--batch --file FILE, --batch - and --batch alone (stdin) read one command per "
            "line. Words are quoted as in a shell ('...', \"...\", \\), # begins a comment, "
            "and nothing else of a shell is there: no variables, no globbing, no pipes. CRLF "
            "line ends and a missing last line end are fine.\n"
            "\n"
            "The first failing line ends the script with its exit status and is named as "
            "FILE:LINE; with --keep-going the rest runs as well, and the status is 2 when some "
            "lines were done. Options behind --batch hold for every line; --format, --quiet, "
            "--timeout, --progress, --progress-fd and --dry-run may also stand on a line. "
            "Results follow each other on stdout, one JSON document per line of the script "
            "with --format json.\n"
            "\n"
            "    kernel pull debian-cloud --if-absent\n"
            "    vm run debian --name web -d   # the kernel is there by now\n",
    },
    {
        .name = "output",
        .heading = "OUTPUT",
        .summary = "tables, JSON, names, errors",
        .body =
            "stdout carries the result and nothing else. --format table is for people. "
            "--format json prints one document: an array for lists, an object for one thing, "
            "and for a verb with several names an array in their order. --format jsonl prints "
            "one object per line. --quiet prints names only.\n"
            "\n"
            "Sizes are bytes, times are RFC 3339 in UTC, a key that is absent means not known, "
            "and nothing is ever null. A failure is a sentence on stderr; with json and jsonl "
            "it is also {\"error\": {\"code\", \"message\", \"hint\", \"exit_status\"}} on "
            "stdout, because there it is the result. Verbs that carry a guest's stream never "
            "print JSON on it.\n",
    },
    {
        .name = "progress",
        .heading = "PROGRESS",
        .summary = "how long work reports how far it is",
        .body =
            "--progress auto shows one line that rewrites itself when the descriptor is a "
            "terminal, and nothing otherwise; plain prints lines; none prints nothing. jsonl "
            "prints objects with schema (1), time, job, object, phase (resolve, download, "
            "verify, extract, publish, boot, wait), done, total and unit (bytes, entries, "
            "steps), total being absent while it is not known; a few lines a second for each "
            "job, and then exactly one that also has result (ok, failed, cancelled), code, "
            "exit_status and for failures message. --progress-fd N writes to descriptor N "
            "instead of stderr.\n",
    },
    {
        .name = "environment",
        .heading = "ENVIRONMENT",
        .summary = "variables that are read",
        .body =
            "    BANGER_STATE_DIR        state directory; the cache is then below it\n"
            "    BANGER_CONFIG           configuration file\n"
            "    BANGER_CATALOG          catalog sources, separated by blanks or line ends\n"
            "    BANGER_BUILTIN_CATALOG  file that replaces the built-in catalog\n"
            "    BANGER_ACCEL            auto, kvm or tcg\n"
            "    BANGER_JOBS             jobs that run at a time in each lane\n"
            "    BANGER_CLOCK            where the wall clock starts, for tests of ages\n"
            "    BANGER_LOG              level of the log: debug, info, warning, error\n"
            "    FIRECRACKER_BIN         the Firecracker program\n"
            "    NO_COLOR, TERM          as everywhere\n"
            "    http_proxy, https_proxy, no_proxy, SSL_CERT_FILE\n"
            "    XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME, HOME\n",
    },
    {
        .name = "files",
        .heading = "FILES",
        .summary = "where things are kept",
        .body =
            "    ~/.config/banger/config.ini   configuration\n"
            "    ~/.local/state/banger/        kernels, images, machines, job records, log\n"
            "    ~/.cache/banger/              partial downloads and verified blobs\n"
            "\n"
            "--state-dir DIR keeps state in DIR and the cache in DIR/cache, so that a second "
            "world needs one word. Everything is removed with these directories; nothing else "
            "is touched.\n",
    },
    {
        .name = "names",
        .heading = "NAMES AND SIZES",
        .summary = "how things may be called",
        .body =
            "Kernels and images: a letter or digit, then letters, digits, '.', '_' and '-', at "
            "most 64. Machines: 1 to 63 of a-z, 0-9 and '-', no '-' at either end. Verbs that "
            "only read take a unique beginning of a name; the others want all of it.\n"
            "\n"
            "Sizes are 4G, 4GiB, 512M, 512MiB, 4K; a bare number is MiB. Durations are 90, "
            "90s, 500ms, 2m, 1h; a bare number is seconds.\n",
    },
};
const size_t topic_count = array_length(topics);
/* clang-format on */

const struct topic *topic_find(const char *name)
{
    for (size_t i = 0; i < topic_count; ++i) {
        if (strcmp(topics[i].name, name) == 0) {
            return &topics[i];
        }
    }
    return NULL;
}
