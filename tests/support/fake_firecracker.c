/* SPDX-License-Identifier: MIT */
/* A stand-in for firecracker, as strict as its published API description: a socket that is there
 * already ends it, fields it does not know are refused, what is configured before the start is
 * refused after it and the other way round, and a start wants a kernel, which must be an ELF. The
 * serial port is stdin and stdout, and stdin is only read when it is a terminal. Behind the vsock
 * is an agent (fake_agent.h, whose words count too) on port 1022. What it does is said by words in
 * boot_args:
 *     fake.die=N      complains and exits with N right after the start
 *     fake.flood=N    N bytes of numbered lines on the serial port
 *     fake.panic      a kernel panic, then the end by reboot
 *     fake.noagent    nobody listens behind the vsock
 *     fake.late       the agent listens from the third connection on
 *     fake.stubborn   ignores ctrl-alt-del and TERM
 *     fake.realagent  the guest's own agent, in this host's world (real_agent.c)
 * On the serial port: "reboot" ends it as a guest's reboot does, "off" halts (and the process
 * stays), "crash" exits with 3, "exit N" with N; anything else is echoed as "got …". A name that
 * ends with -1.3.0 or -1.16.1 makes it that version; the last one never hears its vsock again after
 * it was paused by a call. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/wire.h"
#include "support/fake_agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 16

enum slot { STDIN, API, VSOCK, SLOTS };
enum when { BEFORE, AFTER, ANY };

struct peer {
    int fd;
    bool is_vsock;
    struct text input;
};

struct fake {
    const char *version;
    const char *id;
    int fds[SLOTS];
    struct peer peers[PEERS];
    struct text serial;
    struct fake_agent agent;
    char *boot_args; /* NULL: no boot source */
    char *kernel;
    bool has_machine;
    bool is_running;
    bool is_paused;
    bool is_deaf;
    bool has_talked;
    unsigned connects;
    unsigned drives;
};

static volatile sig_atomic_t is_reboot_asked;
static volatile sig_atomic_t is_power_off_asked;

static void note_reboot(int number)
{
    (void)number;
    is_reboot_asked = 1;
}

static void note_power_off(int number)
{
    (void)number;
    is_power_off_asked = 1;
}

static void print(const char *words)
{
    (void)!write(1, words, strlen(words));
}

static bool has_word(const struct fake *fake, const char *word)
{
    return fake->boot_args != NULL && strstr(fake->boot_args, word) != NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    return is_bound && listen(fd, 16) == 0 ? fd : -1;
}

/* ---- what each call wants ------------------------------------------------------------------- */

typedef const char *handler(struct fake *fake, const struct json *body, const char *id);

static const char *put_machine(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    int64_t vcpus = json_integer(body, "vcpu_count", 0);
    fake->has_machine = true;
    int64_t mib = json_integer(body, "mem_size_mib", 0);
    return vcpus < 1 || vcpus > 32 || mib < 1 || mib > 1024 * 1024
               ? "The vCPU number or the memory size is invalid."
               : NULL;
}

static const char *put_boot(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    const char *initrd = json_string(body, "initrd_path", NULL);
    const char *kernel = json_string(body, "kernel_image_path", "");
    if (initrd != NULL && access(initrd, R_OK) != 0) {
        return "The initrd file cannot be opened.";
    }
    if (access(kernel, R_OK) != 0) {
        return "The kernel file cannot be opened.";
    }
    free(fake->kernel);
    fake->kernel = memory_strdup(kernel);
    free(fake->boot_args);
    fake->boot_args = memory_strdup(json_string(body, "boot_args", "reboot=k panic=1 nomodule"));
    return NULL;
}

/* Looked at by the start alone. */
static bool is_elf(const char *kernel)
{
    char magic[4] = "";
    int fd = open(kernel, O_RDONLY | O_CLOEXEC);
    bool is_one = fd >= 0 && read(fd, magic, 4) == 4 && memcmp(magic, "\177ELF", 4) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_one;
}

static const char *put_drive(struct fake *fake, const struct json *body, const char *id)
{
    struct stat status;
    const char *path = json_string(body, "path_on_host", "");
    bool is_readonly = json_bool(body, "is_read_only", false);
    fake->drives++;
    if (strcmp(json_string(body, "drive_id", ""), id) != 0) {
        return "The id from the path does not match the id from the body!";
    }
    const char *cache = json_string(body, "cache_type", "Unsafe");
    if (strcmp(cache, "Unsafe") != 0 && strcmp(cache, "Writeback") != 0) {
        return "unknown variant";
    }
    return stat(path, &status) != 0 || !S_ISREG(status.st_mode) ||
                   access(path, is_readonly ? R_OK : R_OK | W_OK) != 0
               ? "The drive's file cannot be opened."
               : NULL;
}

static const char *put_card(struct fake *fake, const struct json *body, const char *id)
{
    (void)fake;
    return strcmp(json_string(body, "iface_id", ""), id) != 0
               ? "The id from the path does not match the id from the body!"
               : NULL;
}

static const char *put_vsock(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    const char *path = json_string(body, "uds_path", "");
    if (fake->fds[VSOCK] >= 0) { /* its own of before is replaced */
        close(fake->fds[VSOCK]);
        unlink(path);
    }
    fake->fds[VSOCK] = listen_at(path);
    return fake->fds[VSOCK] < 0 ? "Cannot bind the vsock: Address in use" : NULL;
}

static const char *put_device(struct fake *fake, const struct json *body, const char *id)
{
    (void)fake;
    (void)body;
    (void)id;
    return NULL;
}

static const char *start(struct fake *fake)
{
    if (fake->is_running) {
        return "The requested operation is not supported after starting the microVM.";
    }
    if (fake->boot_args == NULL) {
        return "Cannot start microvm without kernel configuration.";
    }
    if (!is_elf(fake->kernel)) {
        return "Cannot load kernel due to invalid memory configuration or invalid kernel image.";
    }
    if (has_word(fake, "fake.stubborn")) {
        signal(SIGTERM, SIG_IGN);
    }
    fake->is_running = true;
    return NULL;
}

static const char *act(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    const char *action = json_string(body, "action_type", "");
    if (strcmp(action, "InstanceStart") == 0) {
        return start(fake);
    }
    if (strcmp(action, "SendCtrlAltDel") != 0 && strcmp(action, "FlushMetrics") != 0) {
        return "The action is not known.";
    }
    if (!fake->is_running) {
        return "The requested operation is not supported before starting the microVM.";
    }
    is_reboot_asked = strcmp(action, "SendCtrlAltDel") == 0 && !has_word(fake, "fake.stubborn");
    return NULL;
}

static const char *patch_vm(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    const char *state = json_string(body, "state", "");
    if (strcmp(state, "Paused") != 0 && strcmp(state, "Resumed") != 0) {
        return "The state is not known.";
    }
    fake->is_paused = strcmp(state, "Paused") == 0;
    fake->is_deaf = fake->is_deaf || (fake->is_paused && strcmp(fake->version, "1.16.1") == 0);
    return NULL;
}

static bool write_file(const char *path, const char *words)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write(fd, words, strlen(words)) == (ssize_t)strlen(words);
    if (fd >= 0) {
        close(fd);
    }
    return is_written;
}

static bool read_file(const char *path, char *words, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, words, size - 1) : -1;
    words[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return got > 0;
}

/* Its state is what it was told; its memory is a mark. */
static const char *put_snapshot(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    const char *type = json_string(body, "snapshot_type", "Full");
    if (strcmp(type, "Full") != 0 && strcmp(type, "Diff") != 0) {
        return "unknown variant";
    }
    if (!fake->is_paused) {
        return "Cannot create a snapshot of a microVM that is not paused.";
    }
    auto_free char *state =
        memory_printf("%s\n%s\n%s", fake->version, fake->kernel, fake->boot_args);
    return write_file(json_string(body, "snapshot_path", ""), state) &&
                   write_file(json_string(body, "mem_file_path", ""), "fake memory")
               ? NULL
               : "The snapshot's files cannot be written.";
}

/* The real one ends when that fails. */
static _Noreturn void end_load(const char *why)
{
    fprintf(stderr, "fake-firecracker: %s\n", why);
    exit(1);
}

static const char *load_snapshot(struct fake *fake, const struct json *body, const char *id)
{
    (void)id;
    char state[8192];
    char memory[64];
    const struct json *backend = json_get(body, "mem_backend");
    if (fake->has_machine || fake->boot_args != NULL || fake->drives > 0 || fake->fds[VSOCK] >= 0) {
        return "Loading a microVM snapshot not allowed after configuring boot-specific resources.";
    }
    if (strcmp(json_string(backend, "backend_type", ""), "File") != 0) {
        return "unknown variant";
    }
    if (!read_file(json_string(body, "snapshot_path", ""), state, sizeof state) ||
        !read_file(json_string(backend, "backend_path", ""), memory, sizeof memory) ||
        strcmp(memory, "fake memory") != 0) {
        end_load("the snapshot cannot be read");
    }
    char *kernel = strchr(state, '\n');
    char *words = kernel != NULL ? strchr(kernel + 1, '\n') : NULL;
    if (words == NULL || strncmp(state, fake->version, (size_t)(kernel - state)) != 0) {
        end_load("the snapshot is of another version");
    }
    *words = '\0';
    fake->kernel = memory_strdup(kernel + 1);
    fake->boot_args = memory_strdup(words + 1);
    fake->fds[VSOCK] = listen_at("vsock.sock");
    fake->is_running = fake->has_talked = true;
    fake->is_paused = !json_bool(body, "resume_vm", false);
    print("[   99.000000] goes on\r\n");
    return fake->fds[VSOCK] < 0 ? "Cannot bind the vsock: Address in use" : NULL;
}

static const struct row {
    const char *method;
    const char *path; /* one that ends with / is followed by an id */
    enum when when;
    const char *fields;   /* all it knows, each between spaces */
    const char *required; /* the same, of those it must have */
    handler *take;
} rows[] = {
    {"PUT", "/machine-config", BEFORE,
        " vcpu_count mem_size_mib smt track_dirty_pages cpu_template ", "vcpu_count mem_size_mib",
        put_machine},
    {"PUT", "/boot-source", BEFORE, " kernel_image_path initrd_path boot_args ",
        "kernel_image_path", put_boot},
    {"PUT", "/drives/", BEFORE,
        " drive_id is_root_device path_on_host is_read_only partuuid cache_type io_engine "
        "rate_limiter socket ",
        "drive_id is_root_device", put_drive},
    {"PUT", "/network-interfaces/", BEFORE,
        " iface_id host_dev_name guest_mac rx_rate_limiter tx_rate_limiter ",
        "iface_id host_dev_name", put_card},
    {"PUT", "/vsock", BEFORE, " guest_cid uds_path vsock_id ", "guest_cid uds_path", put_vsock},
    {"PUT", "/entropy", BEFORE, " rate_limiter ", "", put_device},
    {"PUT", "/balloon", BEFORE, " amount_mib deflate_on_oom stats_polling_interval_s ",
        "amount_mib deflate_on_oom", put_device},
    {"PUT", "/snapshot/create", AFTER, " snapshot_path mem_file_path snapshot_type ",
        "snapshot_path mem_file_path", put_snapshot},
    {"PUT", "/snapshot/load", BEFORE,
        " snapshot_path mem_backend mem_file_path resume_vm enable_diff_snapshots "
        "track_dirty_pages ",
        "snapshot_path", load_snapshot},
    {"PUT", "/actions", ANY, " action_type ", "action_type", act},
    {"PATCH", "/vm", AFTER, " state ", "state", patch_vm},
};

static const char *check_fields(const struct row *row, const struct json *body)
{
    if (!json_is_object(body)) {
        return "The body is no JSON object.";
    }
    for (const struct json *member = json_first(body); member != NULL; member = json_next(member)) {
        auto_free char *word = memory_printf(" %s ", json_key(member));
        if (strstr(row->fields, word) == NULL) {
            return "unknown field";
        }
    }
    auto_free char *words = memory_strdup(row->required);
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (json_get(body, word) == NULL) {
            return "missing field";
        }
    }
    return NULL;
}

static const char *obey(
    struct fake *fake, const char *method, const char *path, const struct json *body)
{
    for (size_t i = 0; i < array_length(rows); i++) {
        const struct row *row = &rows[i];
        size_t len = strlen(row->path);
        bool has_id = row->path[len - 1] == '/';
        bool is_met = has_id ? strncmp(path, row->path, len) == 0 : strcmp(path, row->path) == 0;
        if (!is_met || strcmp(method, row->method) != 0) {
            continue;
        }
        if (strcmp(path, "/entropy") == 0 && strcmp(fake->version, "1.3.0") == 0) {
            break;
        }
        const char *fault = check_fields(row, body);
        if (fault == NULL && row->when == BEFORE && fake->is_running) {
            fault = "The requested operation is not supported after starting the microVM.";
        }
        if (fault == NULL && row->when == AFTER && !fake->is_running) {
            fault = "The requested operation is not supported before starting the microVM.";
        }
        return fault != NULL ? fault : row->take(fake, body, path + len);
    }
    return "Invalid request method and/or path.";
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

static void answer(int fd, unsigned status, const char *body)
{
    auto_free char *text = status == 204
                               ? memory_printf("HTTP/1.1 204 \r\nServer: Firecracker API\r\n"
                                               "Connection: keep-alive\r\n\r\n")
                               : memory_printf("HTTP/1.1 %u \r\nServer: Firecracker API\r\n"
                                               "Content-Type: application/json\r\n"
                                               "Content-Length: %zu\r\n\r\n%s",
                                     status, strlen(body), body);
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void serve_get(const struct fake *fake, int fd, const char *path)
{
    const char *state = fake->is_paused ? "Paused" : (fake->is_running ? "Running" : "Not started");
    auto_free char *info = memory_printf("{\"id\":\"%s\",\"state\":\"%s\",\"vmm_version\":\"%s\","
                                         "\"app_name\":\"Firecracker\"}",
        fake->id, state, fake->version);
    auto_free char *version = memory_printf("{\"firecracker_version\":\"%s\"}", fake->version);
    if (strcmp(path, "/") == 0) {
        answer(fd, 200, info);
    } else if (strcmp(path, "/version") == 0) {
        answer(fd, 200, version);
    } else {
        answer(fd, 400, "{\"fault_message\":\"Invalid request method and/or path.\"}");
    }
}

static void serve(struct fake *fake, int fd, const char *method, const char *path, const char *body)
{
    struct error ignored = {0};
    if (strcmp(method, "GET") == 0) {
        serve_get(fake, fd, path);
        return;
    }
    auto_json struct json *json = json_parse(body, strlen(body), 1 << 20, 32, "the body", &ignored);
    const char *fault = obey(fake, method, path, json);
    if (fault == NULL) {
        answer(fd, 204, "");
        return;
    }
    auto_free char *text = memory_printf("{\"fault_message\":\"%s\"}", fault);
    answer(fd, 400, text);
}

/* True when a whole request was there, which is gone from the input then. */
static bool take_request(struct fake *fake, struct peer *peer)
{
    char method[16] = "";
    char path[256] = "";
    const char *input = text_cstr(&peer->input);
    const char *end = strstr(input, "\r\n\r\n");
    if (end == NULL || sscanf(input, "%15s %255s", method, path) != 2) {
        return false;
    }
    const char *length = strcasestr(input, "\r\nContent-Length:");
    size_t body_len = length != NULL && length < end
                          ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10)
                          : 0;
    size_t head_len = (size_t)(end - input) + 4;
    if (peer->input.len < head_len + body_len) {
        return false;
    }
    auto_free char *body = memory_strndup(end + 4, body_len);
    memmove(peer->input.data, peer->input.data + head_len + body_len,
        peer->input.len - head_len - body_len);
    peer->input.len -= head_len + body_len;
    peer->input.data[peer->input.len] = '\0';
    serve(fake, peer->fd, method, path, body);
    return true;
}

/* ---- vsock ---------------------------------------------------------------------------------- */

static void hang_up(struct peer *peer)
{
    close(peer->fd);
    text_done(&peer->input);
    *peer = (struct peer){.fd = -1};
}

/* Nobody listens in the guest: hung up on without a word. */
static void take_connect(struct fake *fake, struct peer *peer)
{
    unsigned port = 0;
    if (strchr(text_cstr(&peer->input), '\n') == NULL) {
        return;
    }
    fake->connects++;
    bool is_there = sscanf(text_cstr(&peer->input), "CONNECT %u\n", &port) == 1 &&
                    port == WIRE_VSOCK_PORT && fake->is_running &&
                    !has_word(fake, "fake.noagent") &&
                    (fake->connects > 2 || !has_word(fake, "fake.late"));
    if (!is_there) {
        hang_up(peer);
        return;
    }
    (void)!send(peer->fd, "OK 1073741824\n", 14, MSG_NOSIGNAL);
    if (fake->agent.fd >= 0) {
        close(fake->agent.fd); /* the newest host counts */
    }
    fake->agent.fd = peer->fd;
    text_done(&peer->input);
    *peer = (struct peer){.fd = -1};
    if (has_word(fake, "fake.realagent")) {
        fake_agent_become_real(&fake->agent);
    }
}

static void read_peer(struct fake *fake, struct peer *peer)
{
    char chunk[4096];
    ssize_t got = recv(peer->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got <= 0) {
        hang_up(peer);
        return;
    }
    text_append_bytes(&peer->input, chunk, (size_t)got);
    if (peer->is_vsock) {
        take_connect(fake, peer);
        return;
    }
    while (peer->fd >= 0 && take_request(fake, peer)) {
    }
}

static void accept_peer(struct fake *fake, int listener, bool is_vsock)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < PEERS; i++) {
        if (fake->peers[i].fd < 0) {
            fake->peers[i] = (struct peer){.fd = fd, .is_vsock = is_vsock};
            return;
        }
    }
    close(fd);
}

/* ---- serial port and life ------------------------------------------------------------------- */

static void halt(void)
{
    print("[    9.000000] reboot: Power down\r\n");
}

static void take_serial(const char *line)
{
    int status = 0;
    if (strcmp(line, "reboot") == 0) {
        exit(0);
    } else if (strcmp(line, "off") == 0) {
        halt();
    } else if (strcmp(line, "crash") == 0) {
        (void)!write(2, "fake-firecracker: crashed\n", 26);
        exit(3);
    } else if (sscanf(line, "exit %d", &status) == 1) {
        exit(status);
    } else {
        auto_free char *echo = memory_printf("got %s\r\n", line);
        print(echo);
    }
}

static void print_for_agent(void *machine, const char *words)
{
    (void)machine;
    print(words);
}

static void end_for_agent(void *machine, bool is_reboot)
{
    (void)machine;
    if (is_reboot) {
        exit(0);
    }
    halt();
}

static void read_serial(struct fake *fake)
{
    char chunk[4096];
    char *feed;
    ssize_t got = read(0, chunk, sizeof chunk);
    if (got <= 0) {
        fake->fds[STDIN] = -1;
        return;
    }
    text_append_bytes(&fake->serial, chunk, (size_t)got);
    while (fake->serial.len > 0 &&
           (feed = memchr(fake->serial.data, '\n', fake->serial.len)) != NULL) {
        size_t len = (size_t)(feed - fake->serial.data);
        auto_free char *line = memory_strndup(fake->serial.data, len);
        memmove(fake->serial.data, feed + 1, fake->serial.len - len - 1);
        fake->serial.len -= len + 1;
        take_serial(line);
    }
}

static void talk(const struct fake *fake)
{
    const char *status = fake->boot_args == NULL ? NULL : strstr(fake->boot_args, "fake.die=");
    if (status != NULL) {
        fprintf(stderr, "fake-firecracker: something is wrong\n");
        exit(atoi(status + strlen("fake.die=")));
    }
    print("[    0.000000] Linux version 6.1.0-fake\r\n");
    print("[    0.100000] banger-guest: init\r\n");
    const char *flood = strstr(fake->boot_args, "fake.flood=");
    unsigned long bytes = flood == NULL ? 0 : strtoul(flood + strlen("fake.flood="), NULL, 10);
    for (unsigned long i = 0; i * 16 < bytes; i++) {
        auto_free char *line = memory_printf("line %08lu\r\n", i);
        print(line);
    }
    if (has_word(fake, "fake.panic")) {
        print("[    0.200000] Kernel panic - not syncing: VFS: no root\r\n");
        exit(0);
    }
}

static void run(struct fake *fake)
{
    for (;;) {
        struct pollfd fds[SLOTS + PEERS + 1];
        if (is_reboot_asked) {
            exit(0);
        }
        if (is_power_off_asked) {
            is_power_off_asked = 0;
            halt();
        }
        if (fake->is_running && !fake->has_talked) {
            fake->has_talked = true;
            fake->agent.words = fake->boot_args;
            talk(fake);
        }
        for (size_t i = 0; i < SLOTS; i++) {
            fds[i] = (struct pollfd){fake->fds[i], POLLIN, 0};
        }
        fds[STDIN].fd = fake->is_running ? fake->fds[STDIN] : -1;
        for (size_t i = 0; i < PEERS; i++) {
            fds[SLOTS + i] = (struct pollfd){fake->peers[i].fd, POLLIN, 0};
        }
        short wants = fake->agent.out.len > 0 ? POLLIN | POLLOUT : POLLIN;
        bool is_heard = !fake->is_paused && !fake->is_deaf;
        fds[SLOTS + PEERS] = (struct pollfd){is_heard ? fake->agent.fd : -1, wants, 0};
        if (poll(fds, SLOTS + PEERS + 1, -1) < 0) {
            continue;
        }
        if (fds[SLOTS + PEERS].revents != 0) {
            fake_agent_read(&fake->agent);
            fake_agent_write(&fake->agent);
        }
        for (size_t i = 0; i < PEERS; i++) {
            if (fds[SLOTS + i].revents != 0) {
                read_peer(fake, &fake->peers[i]);
            }
        }
        if (fds[STDIN].revents != 0) {
            read_serial(fake);
        }
        if (fds[API].revents != 0) {
            accept_peer(fake, fake->fds[API], false);
        }
        if (fds[VSOCK].revents != 0) {
            accept_peer(fake, fake->fds[VSOCK], true);
        }
    }
}

static const char *version_of(const char *program)
{
    const char *dash = strrchr(program, '-');
    bool is_told = dash != NULL && (strcmp(dash, "-1.3.0") == 0 || strcmp(dash, "-1.16.1") == 0);
    return is_told ? dash + 1 : "1.12.0";
}

int main(int argc, char **argv)
{
    static struct fake fake;
    const char *socket = "/run/firecracker.socket";
    const char *logs = NULL;
    const char *level = "Info";
    fake.version = version_of(argv[0]);
    fake.id = "anonymous-instance";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("Firecracker v%s\n\nSupported snapshot data format versions: 5.0.0\n",
                fake.version);
            return 0;
        }
        if (i + 1 < argc && strcmp(argv[i], "--api-sock") == 0) {
            socket = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--id") == 0) {
            fake.id = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--log-path") == 0) {
            logs = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--level") == 0) {
            level = argv[++i];
        } else {
            fprintf(stderr, "Arguments parsing error: found argument '%s'\n", argv[i]);
            return 153;
        }
    }
    if (logs != NULL && access(logs, W_OK) != 0) {
        fprintf(stderr, "Could not initialize logger: %s\n", strerror(errno));
        return 1;
    }
    if (logs == NULL && strcasecmp(level, "Info") == 0) {
        /* Into the serial port, as the real one's. */
        printf("2026-01-01T00:00:00 [%s:main] Running Firecracker v%s\n", fake.id, fake.version);
        fflush(stdout);
    }
    for (size_t i = 0; i < PEERS; i++) {
        fake.peers[i].fd = -1;
    }
    fake.fds[STDIN] = isatty(0) ? 0 : -1;
    fake.fds[VSOCK] = -1;
    fake.fds[API] = listen_at(socket);
    if (fake.fds[API] < 0) {
        fprintf(stderr, "RunWithApiError: Failed to open the API socket: %s\n", strerror(errno));
        return 1;
    }
    fake.agent =
        (struct fake_agent){.print = print_for_agent, .end = end_for_agent, .machine = &fake};
    fake_agent_init(&fake.agent);
    signal(SIGUSR1, note_power_off);
    signal(SIGUSR2, note_reboot);
    signal(SIGCHLD, SIG_IGN);
    run(&fake);
    return 0;
}
