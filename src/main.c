/* SPDX-License-Identifier: MIT */
/* From the outside in: the environment is read here, once, and nowhere else; then the words decide
 * between the console and a batch run. Parts of the program that live in processes of their own
 * (extraction, the monitor of a machine) are this same binary under internal first words. */
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "batch/batch.h"
#include "batch/options.h"
#include "batch/output.h"
#include "batch/queue.h"
#include "engine/engine.h"
#include "ui/app.h"
#include "vm/monitor.h"

#include "config.h"

#define MANUAL_OPTION "--internal-manual"
#define JOBS_MAX 64
#define LEAVE_PATIENCE_MS 5000 /* for what was cancelled to notice */

/* What the environment says, with the strings that had to be made for it. */
struct outside {
    struct batch_setup setup;
    bool is_monochrome;
    char *state_dir;
    char *cache_dir;
    char *config_file;
    char *unit_dir;
    char *runtime_dir;
    char *auth_files;
};

static void outside_done(struct outside *outside)
{
    free(outside->state_dir);
    free(outside->cache_dir);
    free(outside->config_file);
    free(outside->unit_dir);
    free(outside->runtime_dir);
    free(outside->auth_files);
}

/* Set and not empty, else NULL. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Keeps 0, 1 and 2 taken, so that no file of ours gets one of these numbers. What was closed stays
 * useless: a write to it fails instead of vanishing. */
static void fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; ++fd) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

/* Where the user's own systemd looks for units; NULL when nothing tells. */
static char *find_unit_dir(void)
{
    const char *base = variable("XDG_CONFIG_HOME");
    const char *home = variable("HOME");
    if (base != NULL && base[0] == '/') {
        return memory_printf("%s/systemd/user", base);
    }
    return home != NULL ? memory_printf("%s/.config/systemd/user", home) : NULL;
}

/* Of this user's own systemd manager. Where nothing tells (su, cron), logind's place. */
static char *find_runtime_dir(void)
{
    const char *place = variable("XDG_RUNTIME_DIR");
    return place != NULL && place[0] == '/' ? memory_strdup(place)
                                            : memory_printf("/run/user/%u", (unsigned)geteuid());
}

/* $XDG_STATE_HOME/banger or ~/.local/state/banger; NULL when nothing tells. A relative path in an
 * XDG variable is to be ignored (XDG Base Directory Specification). */
static char *xdg_place(const char *name, const char *below_home)
{
    const char *base = variable(name);
    const char *home = variable("HOME");
    if (base != NULL && base[0] == '/') {
        return memory_printf("%s/banger", base);
    }
    return home != NULL ? memory_printf("%s/%s/banger", home, below_home) : NULL;
}

static char *absolute(const char *path)
{
    auto_free char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    return here != NULL ? memory_printf("%s/%s", here, path) : memory_strdup(path);
}

static void read_places(struct outside *outside)
{
    const char *state = variable("BANGER_STATE_DIR");
    const char *config = variable("BANGER_CONFIG");
    if (state != NULL) {
        outside->state_dir = absolute(state);
    } else {
        outside->state_dir = xdg_place("XDG_STATE_HOME", ".local/state");
        outside->cache_dir = xdg_place("XDG_CACHE_HOME", ".cache");
    }
    outside->unit_dir = find_unit_dir();
    outside->runtime_dir = find_runtime_dir();
    if (config != NULL) {
        outside->config_file = absolute(config);
    } else {
        auto_free char *place = xdg_place("XDG_CONFIG_HOME", ".config");
        outside->config_file = place != NULL ? memory_printf("%s/config.ini", place) : NULL;
    }
}

/* Where docker and podman keep what registries know us by, in the order podman looks
 * (containers-auth.json(5)): the first one that knows a registry is believed. */
static char *find_auth_files(void)
{
    static const struct {
        const char *variable;
        const char *below;
    } places[] = {
        {"REGISTRY_AUTH_FILE", ""},
        {"XDG_RUNTIME_DIR", "/containers/auth.json"},
        {"XDG_CONFIG_HOME", "/containers/auth.json"},
        {"HOME", "/.config/containers/auth.json"},
        {"DOCKER_CONFIG", "/config.json"},
        {"HOME", "/.docker/config.json"},
        {"HOME", "/.dockercfg"},
    };
    auto_done(strings) struct strings files = {0};
    for (size_t i = 0; i < array_length(places); ++i) {
        const char *base = variable(places[i].variable);
        if (base != NULL) {
            strings_printf(&files, "%s%s", base, places[i].below);
        }
    }
    return strings_join(&files, "\n");
}

/* BANGER_CLOCK: seconds since 1970, or RFC 3339. */
static bool read_clock(struct error *err)
{
    const char *text = variable("BANGER_CLOCK");
    uint64_t seconds = 0;
    int64_t at = 0;
    struct error ignored = {0};
    if (text == NULL) {
        return true;
    }
    if (units_parse_number(text, "BANGER_CLOCK", INT64_MAX, &seconds, &ignored)) {
        at = (int64_t)seconds;
    } else if (!clock_parse(text, &at)) {
        return error_set(err, ERROR_CONFIG,
            "BANGER_CLOCK is neither seconds since 1970 nor a time like 2026-07-01T12:00:00Z: %s",
            text);
    }
    clock_pin_wall(at);
    return true;
}

static bool read_log_level(struct error *err)
{
    const char *word = variable("BANGER_LOG");
    enum log_level level;
    if (word == NULL) {
        return true;
    }
    if (!log_parse_level(word, &level)) {
        return error_set(
            err, ERROR_CONFIG, "BANGER_LOG is debug, info, warning or error, not \"%s\"", word);
    }
    log_set_level(level);
    return true;
}

static bool read_environment(struct outside *outside, struct error *err)
{
    struct engine_config *config = &outside->setup.config;
    read_places(outside);
    config->state_dir = outside->state_dir;
    config->cache_dir = outside->cache_dir;
    config->config_file = outside->config_file;
    config->unit_dir = outside->unit_dir;
    config->runtime_dir = outside->runtime_dir;
    config->catalog = variable("BANGER_CATALOG");
    config->builtin_catalog = variable("BANGER_BUILTIN_CATALOG");
    config->accel = variable("BANGER_ACCEL");
    config->firecracker = variable("FIRECRACKER_BIN");
    config->ca_file = variable("SSL_CERT_FILE");
    outside->auth_files = find_auth_files();
    config->auth_files = outside->auth_files;
    outside->setup.term = getenv("TERM");
    outside->is_monochrome = variable("NO_COLOR") != NULL;
    const char *jobs = variable("BANGER_JOBS");
    uint64_t workers = 0;
    struct error number = {0};
    if (jobs != NULL && !units_parse_number(jobs, "BANGER_JOBS", JOBS_MAX, &workers, &number)) {
        return error_set(err, ERROR_CONFIG, "%s", number.text);
    }
    config->transfer_workers = (unsigned)workers;
    config->local_workers = (unsigned)workers;
    return read_clock(err) && read_log_level(err);
}

static bool is_utf8_locale(void)
{
    const char *codeset = nl_langinfo(CODESET);
    return strcmp(codeset, "UTF-8") == 0 || strcmp(codeset, "utf8") == 0;
}

static int complain(const struct outside *outside, const struct error *err)
{
    output_complain(outside->setup.program, err->text, outside->setup.is_utf8);
    return error_exit_status(err->code);
}

/* Takes --batch out of the words when it stands in front of any command. */
static bool take_batch_word(char **words, size_t *count)
{
    for (size_t at = 0; at < *count;) {
        if (strcmp(words[at], "--batch") == 0) {
            memmove(&words[at], &words[at + 1], (*count - at - 1) * sizeof(words[0]));
            --*count;
            return true;
        }
        auto_done(options) struct options ignored;
        struct error ignored_err = {0};
        options_init(&ignored);
        size_t step = options_read(&ignored, words, *count, at, &ignored_err);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return false;
}

/* The program's log, which takes what would have gone to stderr while the screen is there. -1 when
 * it cannot be opened: a console without a log is better than none. */
static int open_log(const char *state_dir)
{
    struct error ignored = {0};
    auto_free char *dir = memory_printf("%s/log", state_dir);
    auto_free char *path = memory_printf("%s/console.log", dir);
    if (!file_make_dirs(AT_FDCWD, dir, &ignored) || !log_open(AT_FDCWD, path, &ignored)) {
        return -1;
    }
    return open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
}

/* What a write would end the program for is an error of write(2) then. */
static void ignore(int number)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigaction(number, &action, NULL);
}

static int run_console(struct outside *outside, const struct options *options)
{
    ignore(SIGPIPE); /* the other end of a shell, a console, a copy */
    struct error err = {0};
    struct engine_config *config = &outside->setup.config;
    options_apply(options, config);
    config->is_watching = true;
    if (config->state_dir == NULL) {
        error_set(&err, ERROR_CONFIG,
            "nothing says where to keep things: set HOME or BANGER_STATE_DIR, or give --state-dir");
        return complain(outside, &err);
    }
    struct ui_options ui = {.term = outside->setup.term,
        .home = variable("HOME"),
        .is_tmux = variable("TMUX") != NULL,
        .is_ascii = options->is_ascii,
        .is_colorless = options->is_monochrome || outside->is_monochrome,
        .is_readonly = config->is_readonly};
    if (!ui_check(&ui, &err)) {
        return complain(outside, &err);
    }
    struct engine *engine = engine_new(config, &err);
    if (engine == NULL) {
        return complain(outside, &err);
    }
    auto_close int log = open_log(config->state_dir);
    ui.stderr_fd = log;
    int status = ui_run(engine, &ui);
    if (!engine_end(engine, LEAVE_PATIENCE_MS)) {
        output_complain(outside->setup.program,
            "a disk or device does not answer: left without waiting for it; nothing is half-made",
            outside->setup.is_utf8);
        _exit(status);
    }
    return status;
}

/* Words without --batch: options of the console, or what --help and --version ask for. */
static int run_words(struct outside *outside, char **words, size_t count)
{
    auto_done(options) struct options options;
    struct error err = {0};
    options_init(&options);
    for (size_t at = 0; at < count;) {
        size_t step = options_read(&options, words, count, at, &err);
        if (step != 0) {
            at += step;
            continue;
        }
        if (err.code != ERROR_NONE) {
            return complain(outside, &err);
        }
        if (strcmp(words[at], "--help") == 0 || strcmp(words[at], "-h") == 0 ||
            strcmp(words[at], "--version") == 0) {
            return batch_main(&outside->setup, words, count);
        }
        bool is_option = words[at][0] == '-' && words[at][1] != '\0';
        error_set(&err, ERROR_INVALID,
            is_option ? "option \"%s\" is not known here: \"banger-tui --help\" lists those of the "
                        "console"
                      : "\"%s\" is a word of the batch mode: put --batch in front of it",
            words[at]);
        return complain(outside, &err);
    }
    return run_console(outside, &options);
}

int main(int argc, char **argv)
{
    fill_standard_fds();
    ignore(SIGXFSZ); /* a file too large */
    if (argc > 1 && strcmp(argv[1], BUNDLE_CHILD_OPTION) == 0) {
        return bundle_child_main(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], MONITOR_OPTION) == 0) {
        return monitor_main(argc, argv);
    }
    setlocale(LC_CTYPE, "");
    auto_done(outside) struct outside outside = {
        .setup = {.program = "banger-tui", .version = PACKAGE_VERSION, .is_utf8 = is_utf8_locale()},
    };
    if (argc == 2 && strcmp(argv[1], MANUAL_OPTION) == 0) {
        return batch_manual(&outside.setup);
    }
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *called = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
    bool is_alias = strcmp(called, "banger") == 0;
    outside.setup.program = is_alias ? "banger" : "banger-tui";
    struct error err = {0};
    if (!read_environment(&outside, &err)) {
        return complain(&outside, &err);
    }
    if (argc > 1 && strcmp(argv[1], ENGINE_LEFT_OPTION) == 0) {
        ignore(SIGHUP); /* the terminal was somebody else's */
        return queue_main(&outside.setup, argv + 2, (size_t)argc - 2);
    }
    char **words = argc > 0 ? argv + 1 : argv;
    size_t count = argc > 0 ? (size_t)argc - 1 : 0;
    bool is_batch = take_batch_word(words, &count) || is_alias;
    return is_batch ? batch_main(&outside.setup, words, count) : run_words(&outside, words, count);
}
