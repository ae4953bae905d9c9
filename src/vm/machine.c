/* SPDX-License-Identifier: MIT */
#include "vm/machine.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "vm/net.h"
#include "vm/vmm.h"

static const char *const root_names[] = {"overlay", "copy"};
static const char *const restart_names[] = {"no", "on-failure", "always"};
static const char *const accel_words[] = {"auto", "kvm", "tcg"};

/* Keys this program writes itself; all others are kept as they were. */
static const char *const known_keys[] = {"format", "name", "uuid", "mac", "created_at", "image",
    "kernel_ref", "append", "ssh_key", "vmm", "accel", "vcpu", "memory_mib", "disk_bytes", "root",
    "restart", "publish", "volumes", "disks", "disk_serials", "config", "ephemeral", "autostart",
    "was", "net", "address"};

static bool word_index(
    const char *word, const char *const *words, size_t count, size_t *index_of_word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            *index_of_word = i;
            return true;
        }
    }
    return false;
}

const char *machine_root_name(enum machine_root root)
{
    return root_names[root];
}

bool machine_root_parse(const char *word, enum machine_root *root, struct error *err)
{
    size_t found = 0;
    if (!word_index(word, root_names, array_length(root_names), &found)) {
        return error_set(err, ERROR_INVALID, "--root %s is neither \"overlay\" nor \"copy\"", word);
    }
    *root = (enum machine_root)found;
    return true;
}

const char *machine_restart_name(enum machine_restart restart)
{
    return restart_names[restart];
}

bool machine_restart_parse(const char *word, enum machine_restart *restart, struct error *err)
{
    size_t found = 0;
    if (!word_index(word, restart_names, array_length(restart_names), &found)) {
        return error_set(
            err, ERROR_INVALID, "--restart %s is none of \"no\", \"on-failure\", \"always\"", word);
    }
    *restart = (enum machine_restart)found;
    return true;
}

static void program_done(struct machine_program *program)
{
    strings_done(&program->entrypoint);
    strings_done(&program->cmd);
    strings_done(&program->env);
    free(program->workdir);
    free(program->user);
    *program = (struct machine_program){0};
}

void machine_spec_done(struct machine_spec *spec)
{
    free(spec->name);
    free(spec->image);
    free(spec->kernel_ref);
    free(spec->append);
    free(spec->ssh_key);
    free(spec->vmm);
    free(spec->accel);
    free(spec->ports);
    machine_mounts_done(spec);
    program_done(&spec->program);
    json_free(spec->unknown);
    *spec = (struct machine_spec){0};
}

static void copy_strings(const struct strings *from, struct strings *to)
{
    *to = (struct strings){0};
    for (size_t i = 0; i < from->count; i++) {
        strings_add(to, from->items[i]);
    }
}

void machine_spec_copy(const struct machine_spec *spec, struct machine_spec *to)
{
    *to = *spec;
    to->name = memory_strdup(spec->name);
    to->image = memory_strdup(spec->image);
    to->kernel_ref = memory_strdup(spec->kernel_ref);
    to->append = memory_strdup(spec->append);
    to->ssh_key = memory_strdup(spec->ssh_key);
    to->vmm = memory_strdup(spec->vmm);
    to->accel = memory_strdup(spec->accel);
    to->ports = NULL;
    to->port_count = 0;
    for (size_t i = 0; i < spec->port_count; i++) {
        machine_spec_publish(to, &spec->ports[i]);
    }
    machine_mounts_copy(spec, to);
    copy_strings(&spec->program.entrypoint, &to->program.entrypoint);
    copy_strings(&spec->program.cmd, &to->program.cmd);
    copy_strings(&spec->program.env, &to->program.env);
    to->program.workdir = memory_strdup(spec->program.workdir);
    to->program.user = memory_strdup(spec->program.user);
    to->unknown = spec->unknown != NULL ? json_copy(spec->unknown) : NULL;
}

void machine_spec_publish(struct machine_spec *spec, const struct machine_port *port)
{
    struct machine_port added = *port; /* may be one of the list that moves */
    spec->ports = memory_grow(spec->ports, spec->port_count + 1, sizeof(*spec->ports));
    spec->ports[spec->port_count] = added;
    spec->port_count++;
}

bool machine_spec_identify(struct machine_spec *spec, struct error *err)
{
    uint8_t bytes[16 + 5];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return error_set_errno(err, errno, "no random bytes for the machine's uuid");
    }
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* RFC 4122, 4.4: version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            spec->uuid[at++] = '-';
        }
        static const char digits[] = "0123456789abcdef";
        spec->uuid[at++] = digits[bytes[i] >> 4];
        spec->uuid[at++] = digits[bytes[i] & 15];
    }
    spec->uuid[at] = '\0';
    snprintf(spec->mac, sizeof(spec->mac), "02:%02x:%02x:%02x:%02x:%02x", bytes[16], bytes[17],
        bytes[18], bytes[19], bytes[20]);
    return true;
}

/* "-" stands for a hyphen or colon that must be there, "x" for a hex digit. */
static bool matches_shape(const char *text, const char *shape)
{
    size_t len = strlen(shape);
    if (strlen(text) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool is_hex = isdigit((unsigned char)text[i]) || (text[i] >= 'a' && text[i] <= 'f');
        if (shape[i] == 'x' ? !is_hex : text[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

static bool check_identity(const struct machine_spec *spec, struct error *err)
{
    if (!matches_shape(spec->uuid, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")) {
        return error_set(err, ERROR_INVALID, "the machine's uuid \"%s\" is none", spec->uuid);
    }
    if (!matches_shape(spec->mac, "xx:xx:xx:xx:xx:xx")) {
        return error_set(
            err, ERROR_INVALID, "the machine's hardware address \"%s\" is none", spec->mac);
    }
    return true;
}

static bool check_sizes(const struct machine_spec *spec, struct error *err)
{
    if (spec->vcpu < 1 || spec->vcpu > MACHINE_VCPU_MAX) {
        return error_set(err, ERROR_INVALID, "--vcpu %llu is outside 1 to %d",
            (unsigned long long)spec->vcpu, MACHINE_VCPU_MAX);
    }
    if (spec->memory_mib < MACHINE_MEMORY_MIB_MIN || spec->memory_mib > MACHINE_MEMORY_MIB_MAX) {
        return error_set(err, ERROR_INVALID, "--memory of %llu MiB is outside %d MiB to 4 TiB",
            (unsigned long long)spec->memory_mib, MACHINE_MEMORY_MIB_MIN);
    }
    if (spec->disk_bytes < MACHINE_DISK_BYTES_MIN) {
        return error_set(err, ERROR_INVALID,
            "--disk-size of %llu bytes is too small for a file system: give at least 16M",
            (unsigned long long)spec->disk_bytes);
    }
    return true;
}

static bool check_words(const struct machine_spec *spec, struct error *err)
{
    size_t found = 0;
    if (spec->vmm == NULL || (strcmp(spec->vmm, "auto") != 0 && vmm_find(spec->vmm) == NULL)) {
        return error_set(err, ERROR_INVALID,
            "--vmm %s is not known: give \"auto\", \"firecracker\" or \"qemu\"",
            spec->vmm == NULL ? "(none)" : spec->vmm);
    }
    if (spec->accel == NULL ||
        !word_index(spec->accel, accel_words, array_length(accel_words), &found)) {
        return error_set(err, ERROR_INVALID, "--accel %s is none of \"auto\", \"kvm\", \"tcg\"",
            spec->accel == NULL ? "(none)" : spec->accel);
    }
    if (spec->append == NULL) {
        return true;
    }
    if (strlen(spec->append) > MACHINE_APPEND_MAX) {
        return error_set(err, ERROR_INVALID,
            "--append is longer than the %d bytes there is room for", MACHINE_APPEND_MAX);
    }
    for (const char *c = spec->append; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7e) {
            return error_set(err, ERROR_INVALID,
                "--append holds byte 0x%02x: kernel arguments are printable ASCII",
                (unsigned char)*c);
        }
    }
    return true;
}

static bool check_ports(const struct machine_spec *spec, struct error *err)
{
    if (spec->port_count > MACHINE_PORT_MAX) {
        return error_set(err, ERROR_INVALID, "--publish is given %zu times, %d is the limit",
            spec->port_count, MACHINE_PORT_MAX);
    }
    for (size_t i = 0; i < spec->port_count; i++) {
        const struct machine_port *a = &spec->ports[i];
        for (size_t j = 0; j < i; j++) {
            const struct machine_port *b = &spec->ports[j];
            if (net_ports_clash(a, b)) {
                return error_set(
                    err, ERROR_INVALID, "--publish names host port %u twice", a->host_port);
            }
        }
    }
    return true;
}

bool machine_spec_validate(const struct machine_spec *spec, struct error *err)
{
    return name_check_label(spec->name == NULL ? "" : spec->name, "machine name", err) &&
           name_check_entry(spec->image == NULL ? "" : spec->image, "image name", err) &&
           (spec->kernel_ref == NULL || name_check_entry(spec->kernel_ref, "kernel name", err)) &&
           check_identity(spec, err) && check_sizes(spec, err) && check_words(spec, err) &&
           check_ports(spec, err) && net_check_udp(spec, err) && machine_mounts_check(spec, err);
}

static struct json *strings_to_json(const struct strings *list)
{
    if (list->count == 0) {
        return NULL;
    }
    struct json *array = json_new_array();
    for (size_t i = 0; i < list->count; i++) {
        json_append(array, json_new_string(list->items[i]));
    }
    return array;
}

static void put_owned(struct json *object, const char *key, struct json *owned)
{
    if (owned != NULL) {
        json_put(object, key, owned);
    }
}

static struct json *program_to_json(const struct machine_program *program)
{
    struct json *json = json_new_object();
    put_owned(json, "entrypoint", strings_to_json(&program->entrypoint));
    put_owned(json, "cmd", strings_to_json(&program->cmd));
    put_owned(json, "env", strings_to_json(&program->env));
    json_put_string(json, "workdir", program->workdir);
    json_put_string(json, "user", program->user);
    return json;
}

struct json *machine_spec_to_json(const struct machine_spec *spec)
{
    struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    json_put_string(json, "name", spec->name);
    json_put_string(json, "uuid", spec->uuid);
    json_put_string(json, "mac", spec->mac);
    char created[CLOCK_TEXT_LEN];
    json_put_string(json, "created_at", clock_format(spec->created_at, created));
    json_put_string(json, "image", spec->image);
    json_put_string(json, "kernel_ref", spec->kernel_ref);
    json_put_string(json, "append", spec->append);
    json_put_string(json, "ssh_key", spec->ssh_key);
    json_put_string(json, "vmm", spec->vmm);
    json_put_string(json, "accel", spec->accel);
    json_put_integer(json, "vcpu", (int64_t)spec->vcpu);
    json_put_integer(json, "memory_mib", (int64_t)spec->memory_mib);
    json_put_integer(json, "disk_bytes", (int64_t)spec->disk_bytes);
    json_put_string(json, "root", machine_root_name(spec->root));
    json_put_string(json, "restart", machine_restart_name(spec->restart));
    net_spec_to_json(spec, json);
    if (spec->is_ephemeral) {
        json_put_bool(json, "ephemeral", true);
    }
    if (spec->is_autostart) {
        json_put_bool(json, "autostart", true);
    }
    if (spec->port_count > 0) {
        struct json *ports = json_new_array();
        for (size_t i = 0; i < spec->port_count; i++) {
            char text[NET_PUBLISH_MAX];
            json_append(ports, json_new_string(net_format_publish(&spec->ports[i], text)));
        }
        json_put(json, "publish", ports);
    }
    machine_mounts_to_json(spec, json);
    json_put(json, "config", program_to_json(&spec->program));
    for (size_t i = 0; spec->unknown != NULL && i < json_count(spec->unknown); i++) {
        json_put(json, json_key_at(spec->unknown, i), json_copy(json_at(spec->unknown, i)));
    }
    return json;
}

static bool read_copy(const struct json *json, const char *key, bool is_required, const char *what,
    char **out, struct error *err)
{
    const char *borrowed = NULL;
    if (!json_read_string(json, key, is_required, what, &borrowed, err)) {
        return false;
    }
    *out = memory_strdup(borrowed);
    return true;
}

static bool read_fixed(const struct json *json, const char *key, const char *what, char *out,
    size_t size, struct error *err)
{
    const char *borrowed = NULL;
    if (!json_read_string(json, key, true, what, &borrowed, err)) {
        return false;
    }
    if (strlen(borrowed) >= size) {
        return error_set(err, ERROR_FORMAT, "%s: \"%s\" is too long", what, key);
    }
    memcpy(out, borrowed, strlen(borrowed) + 1);
    return true;
}

static bool read_strings(const struct json *object, const char *key, const char *what,
    struct strings *list, struct error *err)
{
    const struct json *array = json_get(object, key);
    if (array == NULL) {
        return true;
    }
    if (!json_is_array(array)) {
        return error_set(err, ERROR_FORMAT, "%s: \"%s\" is not a list", what, key);
    }
    for (size_t i = 0; i < json_count(array); i++) {
        const struct json *item = json_at(array, i);
        if (!json_is_string(item)) {
            return error_set(
                err, ERROR_FORMAT, "%s: \"%s\" holds something that is no text", what, key);
        }
        strings_add(list, json_string_value(item));
    }
    return true;
}

static bool read_program(
    const struct json *json, const char *what, struct machine_program *program, struct error *err)
{
    const struct json *config = json_get(json, "config");
    if (config == NULL) {
        return true;
    }
    if (!json_is_object(config)) {
        return error_set(err, ERROR_FORMAT, "%s: \"config\" is not an object", what);
    }
    return read_strings(config, "entrypoint", what, &program->entrypoint, err) &&
           read_strings(config, "cmd", what, &program->cmd, err) &&
           read_strings(config, "env", what, &program->env, err) &&
           read_copy(config, "workdir", false, what, &program->workdir, err) &&
           read_copy(config, "user", false, what, &program->user, err);
}

/* A word that would be wrong on the command line is wrong content in a file. */
static bool wrong_content(const char *what, struct error *err)
{
    err->code = ERROR_FORMAT;
    return error_wrap(err, "%s", what);
}

static bool read_ports(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    if (!read_strings(json, "publish", what, &words, err)) {
        return false;
    }
    for (size_t i = 0; i < words.count; i++) {
        struct machine_port port;
        if (!net_parse_publish(words.items[i], &port, err)) {
            return wrong_content(what, err);
        }
        machine_spec_publish(spec, &port);
    }
    return true;
}

static bool read_mounts(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err)
{
    return machine_mounts_from_json(json, spec, err) || wrong_content(what, err);
}

static bool read_choices(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err)
{
    const char *word = json_string(json, "root", root_names[MACHINE_ROOT_OVERLAY]);
    if (!machine_root_parse(word, &spec->root, err)) {
        return wrong_content(what, err);
    }
    word = json_string(json, "restart", restart_names[MACHINE_RESTART_NO]);
    if (!machine_restart_parse(word, &spec->restart, err)) {
        return wrong_content(what, err);
    }
    const char *created = NULL;
    if (!json_read_string(json, "created_at", true, what, &created, err)) {
        return false;
    }
    if (!clock_parse(created, &spec->created_at)) {
        return error_set(err, ERROR_FORMAT, "%s: \"created_at\" is not a time", what);
    }
    spec->is_ephemeral = json_bool(json, "ephemeral", false);
    spec->is_autostart = json_bool(json, "autostart", false);
    return net_spec_from_json(json, what, spec, err);
}

static void keep_unknown(const struct json *json, struct machine_spec *spec)
{
    for (size_t i = 0; i < json_count(json); i++) {
        size_t found = 0;
        const char *key = json_key_at(json, i);
        if (word_index(key, known_keys, array_length(known_keys), &found)) {
            continue;
        }
        if (spec->unknown == NULL) {
            spec->unknown = json_new_object();
        }
        json_put(spec->unknown, key, json_copy(json_at(json, i)));
    }
}

bool machine_spec_from_json(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err)
{
    if (!json_is_object(json)) {
        return error_set(err, ERROR_FORMAT, "%s is not a JSON object", what);
    }
    auto_done(machine_spec) struct machine_spec read = {0};
    bool is_read = read_copy(json, "name", true, what, &read.name, err) &&
                   read_copy(json, "image", true, what, &read.image, err) &&
                   read_copy(json, "kernel_ref", false, what, &read.kernel_ref, err) &&
                   read_copy(json, "append", false, what, &read.append, err) &&
                   read_copy(json, "ssh_key", false, what, &read.ssh_key, err) &&
                   read_copy(json, "vmm", true, what, &read.vmm, err) &&
                   read_copy(json, "accel", true, what, &read.accel, err) &&
                   read_fixed(json, "uuid", what, read.uuid, sizeof(read.uuid), err) &&
                   read_fixed(json, "mac", what, read.mac, sizeof(read.mac), err) &&
                   json_read_size(json, "vcpu", true, what, &read.vcpu, err) &&
                   json_read_size(json, "memory_mib", true, what, &read.memory_mib, err) &&
                   json_read_size(json, "disk_bytes", true, what, &read.disk_bytes, err) &&
                   read_choices(json, what, &read, err) && read_ports(json, what, &read, err) &&
                   read_mounts(json, what, &read, err) &&
                   read_program(json, what, &read.program, err);
    if (!is_read) {
        return false;
    }
    keep_unknown(json, &read);
    if (!machine_spec_validate(&read, err)) {
        return wrong_content(what, err);
    }
    *spec = read;
    read = (struct machine_spec){0};
    return true;
}
