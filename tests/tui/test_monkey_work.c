/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The real program under random keys, new sizes and jobs, while everything around it goes wrong:
 * servers that hang, break off and lie; machines (on the stand-in for QEMU) that do not start, die,
 * stand still and talk nonsense; files that are spoiled under its hands; other seats; descriptors
 * and room that run out; calls that fail. After each step it is alive and has written nothing but
 * its own bytes; now and then it is led home and must answer `?`; however it ends, the terminal is
 * as it was. MONKEY_SEED repeats a run as far as time allows, MONKEY_SECONDS makes it longer. */

#include "tui/catalog_world.h"
#include "tui/guest_world.h"
#include "tui/monkey_world.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#define CALLS_SHARE 4 /* one part of the time goes to calls that fail */

#define SECONDS_ALL 600
#if defined(__SANITIZE_ADDRESS__)
#define SECONDS 60
#else
#define SECONDS 20
#endif

struct at_work {
    struct console_world world;
    struct monkey monkey;
    struct seats seats;
    char *catalog, *config; /* as they were at first */
    char *reports;          /* directory for what sanitizers found, in any process */
    unsigned endings, homes, slowest_ms;
    bool is_traced; /* runs below at_call */
    int limited;    /* steps until limits are as before; 0: they are */
};

/* Words of the console, by keys: what random letters would hardly find. */
static const char *const deeds[] = {
    ":kernel pull fine\r",
    ":kernel pull slow\r",
    ":kernel pull wrong\r",
    ":kernel pull gone\r",
    ":kernel pull hanging\r",
    ":kernel pull cut\r",
    ":kernel pull garbage\r",
    ":kernel pull fine --force\r",
    ":kernel verify\r",
    ":image pull 127.0.0.1:9/no/such:1\r",
    ":vm run small --name m1\r",
    ":vm run small --name m2 --append fake.panic\r",
    ":vm run small --name m3 --append fake.die=3\r",
    ":vm run small --name m4 --append fake.noagent --detach\r",
    ":vm run small --name m5 --append fake.mute --detach\r",
    ":vm run small --name m6 --append fake.chaos=7 --detach\r",
    ":vm run small --name m7 --append fake.flood=100000 --restart always\r",
    ":vm create small --name m8\r",
    ":vm restart m1\r",
    ":vm prune\r",
    ":catalog refresh\r",
    ":host df\r",
    ":host gc\r",
    ":host trash empty\r",
    ":image verify\r",
    "1g",
    "2g",
    "3g",
    "4g",
    "5g",
    "4gs",
    "4gc",
    "4gL",
    "4jt",
    "4jK",
    "4gx",
    "4*x",
    "4jr",
    "4jp",
    "3gr",
    "3gn\t\x1bOR",
    "2gx",
    "2gv",
    "5gc",
    "5gr",
    "5jd",
    "5jE",
    "5gn",
    "uu",
    "U",
    "M",
    "d",
    "C",
    "/m\r",
    "zH",
    "\x1d",
    "\x04",
    "off\n",
    "reboot\n",
    "crash\n",
    "exit\n",
    "y",
    "y",
    "y",
    "\r",
    "\r",
    "\x1b\x1b",
    "\x1b\x1b",
};

/* Below a program that lets calls about its files fail, one of so many. */
static void open_traced(struct at_work *work)
{
    struct console_world *world = &work->world;
    auto_free char *tracer = memory_printf("%s/tests/fault/at_call", getenv("BUILDDIR"));
    auto_free char *seed = memory_printf("%u", (unsigned)monkey_draw(&work->monkey, 1 << 30) + 1);
    const char *const argv[] = {
        tracer, "--chance", "60", "--seed", seed, world->dir, getenv("BANGER_TUI"), NULL};
    size_t kept = world->env_count;
    world_env(world, "TERM", "xterm-256color");
    world_env(world, "LC_ALL", "C.UTF-8");
    world->pty = pty_start(argv, (const char *const *)world->env, 24, 80, false);
    while (world->env_count > kept) {
        free(world->env[--world->env_count]);
        world->env[world->env_count] = NULL;
    }
}

/* A call that fails at the start ends it with a sentence, then one tries again. */
static bool has_opened(struct at_work *work)
{
    struct pty_vterm *pty = work->monkey.pty;
    uint64_t deadline = clock_deadline(PTY_WAIT_MS);
    while (!pty_shows(pty, "Help") && !(work->is_traced && pty_has_ended(pty))) {
        if (clock_left_ms(deadline) == 0) {
            fail_msg("the first screen does not come");
        }
        pty_settle(pty, 10, 100);
    }
    return pty_shows(pty, "Help");
}

static void open_console(struct at_work *work)
{
    struct console_world *world = &work->world;
    /* With settings that cannot be read it does not open, and says so. */
    put_back(world, "config.ini", work->config);
    if (work->is_traced) {
        open_traced(work);
    } else {
        world_open_as(world, "xterm-256color", "C.UTF-8", NULL, 24, 80, true);
    }
    work->monkey.pty = world->pty;
    work->monkey.rows = 24;
    work->monkey.columns = 80;
    work->monkey.own = (struct own_bytes){0};
    work->monkey.has_asked_to_quit = false;
    work->limited = 0;
    monkey_note(&work->monkey, "<open>");
    if (!has_opened(work)) {
        monkey_assert_given_back(&work->monkey);
        pty_stop(world->pty);
        open_console(work);
    }
}

/* It has ended: as asked for, with the terminal as it was. */
static void assert_ended(struct at_work *work, int expected)
{
    int status = pty_wait_exit(work->monkey.pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
    own_bytes_check(&work->monkey.own, work->monkey.pty, "at the end");
    monkey_assert_given_back(&work->monkey);
    pty_stop(work->monkey.pty);
    work->world.pty = NULL;
    work->endings++;
}

/* It has ended, which only its user may have brought about. */
static void assert_asked_to_quit(struct at_work *work)
{
    if (!work->monkey.has_asked_to_quit) {
        fail_msg("it ended by itself: wait status %#x", pty_wait_exit(work->monkey.pty));
    }
}

/* The terminal is given back and no guest has it: it is about to end. */
static bool is_leaving(struct at_work *work)
{
    struct termios now = pty_termios(work->monkey.pty);
    bool is_cooked = (now.c_lflag & ICANON) != 0;
    return is_cooked && !pty_is_alternate(work->monkey.pty);
}

/* What the first screen answers to ^C. The page of messages shows it, too, but not on the last
 * line. */
static bool is_home(struct pty_vterm *pty)
{
    const char *found = NULL;
    for (const char *at = pty_screen(pty); (at = strstr(at, "Press q to quit")) != NULL; at++) {
        found = at;
    }
    return found != NULL && strcmp(strchrnul(found, '\n'), "\n") == 0;
}

/* Out of every dialog, viewer and guest. False: it has ended on the way, which q may ask for. */
static bool go_home(struct at_work *work)
{
    struct pty_vterm *pty = work->monkey.pty;
    uint64_t deadline = clock_deadline(PTY_WAIT_MS);
    monkey_resize(&work->monkey, 24, 80);
    while (!pty_has_ended(pty) && !is_home(pty)) {
        if (clock_left_ms(deadline) == 0) {
            fprintf(stderr, "%s\n", pty_screen(pty));
            fail_msg("there is no way back to the first screen");
        }
        bool is_deaf = work->monkey.has_asked_to_quit && is_leaving(work);
        monkey_send(&work->monkey, is_deaf ? "" : pty_is_alternate(pty) ? "\x03" : "\x1d\x1d\x1d");
        pty_settle(pty, 100, 1000);
    }
    work->homes++;
    return !pty_has_ended(pty);
}

/* Help comes while everything else is stuck. */
static void ask_for_help(struct at_work *work)
{
    if (!go_home(work)) {
        return;
    }
    uint64_t before_ms = clock_monotonic_ms();
    monkey_send(&work->monkey, "?");
    pty_wait_text(work->monkey.pty, "Keys for");
    unsigned took_ms = (unsigned)(clock_monotonic_ms() - before_ms);
    work->slowest_ms = took_ms > work->slowest_ms ? took_ms : work->slowest_ms;
    monkey_send(&work->monkey, "\x1b");
}

/* ^Z and fg: meanwhile the shell has the terminal as it was. */
static void stop_and_continue(struct at_work *work)
{
    if (work->is_traced || !go_home(work)) {
        return;
    }
    monkey_send(&work->monkey, "\x1a");
    pty_wait_stopped(work->monkey.pty);
    own_bytes_check(&work->monkey.own, work->monkey.pty, "stopped");
    monkey_assert_given_back(&work->monkey);
    pty_continue(work->monkey.pty);
    pty_wait_text(work->monkey.pty, "1 Catalog");
}

/* Ends it in one of the ways there are, and opens another one. */
static void end_somehow(struct at_work *work)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    if (work->is_traced) {
        return;
    }
    if (monkey_draw(&work->monkey, 4) == 0) {
        monkey_note(&work->monkey, "<hang up>");
        pty_hang_up(work->monkey.pty);
        pty_wait_exit(work->monkey.pty);
        pty_stop(work->monkey.pty);
        work->world.pty = NULL;
        work->endings++;
    } else {
        int number = monkey_pick(&work->monkey, signals);
        monkey_note(&work->monkey, "<signal>");
        kill(pty_pid(work->monkey.pty), number);
        assert_ended(work, 128 + number);
    }
    open_console(work);
}

/* No more descriptors, or no more room in files, until it is lifted again. */
static void limit(struct at_work *work)
{
    pid_t pid = pty_pid(work->monkey.pty);
    int what = monkey_draw(&work->monkey, 2) == 0 ? RLIMIT_NOFILE : RLIMIT_FSIZE;
    struct rlimit now;
    if (work->is_traced || prlimit(pid, what, NULL, &now) != 0) {
        return;
    }
    now.rlim_cur = what == RLIMIT_NOFILE ? 8 + monkey_draw(&work->monkey, 32)
                                         : monkey_draw(&work->monkey, 65536);
    monkey_note(&work->monkey, what == RLIMIT_NOFILE ? "<few descriptors>" : "<little room>");
    prlimit(pid, what, &now, NULL);
    work->limited = 30;
}

static void lift_limits(struct at_work *work)
{
    static const int limits[] = {RLIMIT_NOFILE, RLIMIT_FSIZE};
    for (size_t i = 0; i < array_length(limits); i++) {
        struct rlimit now;
        if (prlimit(pty_pid(work->monkey.pty), limits[i], NULL, &now) == 0) {
            now.rlim_cur = limits[i] == RLIMIT_NOFILE && now.rlim_max > 1024 ? 1024 : now.rlim_max;
            prlimit(pty_pid(work->monkey.pty), limits[i], &now, NULL);
        }
    }
    work->limited = 0;
}

static void disturb(struct at_work *work)
{
    switch (monkey_draw(&work->monkey, 8)) {
    case 0:
    case 1:
        spoil_a_file(&work->world, work->catalog, &work->monkey);
        return;
    case 2:
    case 3:
        if (!work->is_traced) { /* there the console is one of them */
            hit_a_process(&work->world, &work->monkey);
        }
        return;
    case 4:
        limit(work);
        return;
    default:
        sit_down_elsewhere(&work->world, &work->seats, &work->monkey);
        return;
    }
}

static void step(struct at_work *work)
{
    struct monkey *monkey = &work->monkey;
    if (monkey->has_asked_to_quit && is_leaving(work)) {
        return; /* whatever is typed now is not for it */
    }
    unsigned kind = monkey_draw(monkey, 256);
    if (kind < 4) {
        ask_for_help(work);
    } else if (kind < 6) {
        stop_and_continue(work);
    } else if (kind < 8) {
        end_somehow(work);
    } else if (kind < 20) {
        monkey_resize_somehow(monkey);
    } else if (kind < 32) {
        monkey_resize(monkey, 24, 80);
    } else if (kind < 48) {
        disturb(work);
    } else if (kind < 112) {
        monkey_send(monkey, monkey_pick(monkey, deeds));
    } else {
        monkey_press(monkey, true);
    }
}

static void work_for(struct at_work *work, uint64_t ms)
{
    uint64_t until = clock_deadline(ms);
    open_console(work);
    while (clock_left_ms(until) > 0) {
        step(work);
        pty_settle(work->monkey.pty, 10, 100);
        own_bytes_check(&work->monkey.own, work->monkey.pty, "at work");
        if (work->limited > 0 && --work->limited == 0) {
            lift_limits(work);
        }
        if (pty_has_ended(work->monkey.pty)) {
            assert_asked_to_quit(work);
            assert_ended(work, 0);
            open_console(work);
        }
    }
}

/* At last all limits are lifted, and what is under way is given up. */
static void leave(struct at_work *work)
{
    if (!work->is_traced) {
        lift_limits(work);
    }
    ask_for_help(work);
    if (go_home(work)) {
        pty_send(work->monkey.pty, "q");
        while (!pty_has_ended(work->monkey.pty)) {
            pty_settle(work->monkey.pty, 100, 1000);
            pty_send(work->monkey.pty, pty_shows(work->monkey.pty, "Under way") ? "c" : "q");
        }
    }
    assert_ended(work, 0);
}

static void run(struct at_work *work, uint64_t ms)
{
    assert_int_equal(chdir(work->world.dir), 0); /* what it saves and exports goes there */
    work_for(work, ms);
    leave(work);
    printf("%u steps, %u endings, %u times home, help after %u ms at most\n", work->monkey.steps,
        work->endings, work->homes, work->slowest_ms);
}

static uint64_t time_ms(void)
{
    const char *longer = getenv("MONKEY_SECONDS");
    const char *all = getenv("BANGER_CHECK_ALL");
    uint64_t seconds = all != NULL && strcmp(all, "yes") == 0 ? SECONDS_ALL : SECONDS;
    return (longer != NULL ? strtoull(longer, NULL, 10) : seconds) * 1000;
}

static void test_everything_goes_wrong(void **state)
{
    struct at_work *work = *state;
    run(work, time_ms() / CALLS_SHARE * (CALLS_SHARE - 1));
}

static void test_calls_fail(void **state)
{
    struct at_work *work = *state;
    run(work, time_ms() / CALLS_SHARE);
}

/* One good kernel and others from servers that are not, with texts that mean harm. */
static void offer_kernels(struct console_world *world)
{
    static const char *const rate[] = {"--rate", "300000", NULL};
    static const struct {
        const char *name, *path;
    } offers[] = {{"fine", "k.tar.zst"}, {"slow", "slow/k.tar.zst"},
        {"wrong", "flip=5000/k.tar.zst"}, {"gone", "404/k.tar.zst"},
        {"hanging", "hang-body=100000/k.tar.zst"}, {"cut", "cut=100000/k.tar.zst"},
        {"garbage", "garbage/k.tar.zst"}};
    web_server_start(&world->server, rate);
    world->has_server = true;
    long long size_bytes = 0;
    auto_free char *bundle = memory_printf("%s/root/k.tar.zst", world->server.directory);
    auto_free char *sha256 = make_kernel_bundle(world, bundle, &size_bytes);
    auto_done(text) struct text kernels = {0};
    for (size_t i = 0; i < array_length(offers); i++) {
        add_entry(&kernels, world, offers[i].name, offers[i].path, sha256, size_bytes);
    }
    text_append(&kernels, ",{\"name\":\"evil\",\"distro\":\"\\u001b[7777m\",\"arch\":\"x86_64\","
                          "\"tarball_url\":\"http://127.0.0.1:9/\\u009b7777m\",\"description\":"
                          "\"\\u001b]0;7777\\u0007\\u202e\\r\\n\"}");
    auto_free char *catalog =
        memory_printf("{\"version\":1,\"kernels\":[%s],\"images\":[]}", text_cstr(&kernels));
    scratch_write(world->dir, "catalog.json", catalog);
}

/* Not on the terminal, and from monitors and other seats too. No search for leaks under a tracer:
 * it would trace the program itself. */
static void collect_reports(struct at_work *work)
{
    static const char *const names[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    work->reports = scratch_make();
    for (size_t i = 0; i < array_length(names); i++) {
        const char *already = getenv(names[i]);
        auto_free char *words = memory_printf("%s%slog_path=%s/report%s",
            already != NULL ? already : "", already != NULL ? ":" : "", work->reports,
            i == 0 && work->is_traced ? ":detect_leaks=0" : "");
        size_t at = 0;
        while (at < work->world.env_count &&
               strncmp(work->world.env[at], names[i], strlen(names[i])) != 0) {
            at++;
        }
        if (at < work->world.env_count) {
            free(work->world.env[at]);
            work->world.env[at] = memory_printf("%s=%s", names[i], words);
        } else {
            world_env(&work->world, names[i], words);
        }
    }
}

/* LeakSanitizer stops the program at its end and looks at it from outside: of one that the monkey
 * kills meanwhile it sees no registers, and what only those hold is no leak. */
static bool is_of_a_killed_search(const char *report)
{
    return strstr(report, "Unable to get registers from thread") != NULL &&
           strstr(report, "ERROR: AddressSanitizer") == NULL &&
           strstr(report, "runtime error:") == NULL;
}

static void assert_no_reports(const struct at_work *work)
{
    auto_free char *names = scratch_list(work->reports, ".");
    auto_done(strings) struct strings all = {0};
    size_t count = 0;
    strings_split(&all, names, " ");
    for (size_t i = 0; i < all.count && all.items[i][0] != '\0'; i++) {
        auto_free char *report = scratch_read(work->reports, all.items[i]);
        if (report == NULL || !is_of_a_killed_search(report)) {
            fprintf(stderr, "%s\n", report != NULL ? report : "");
            count++;
        }
    }
    assert_int_equal(count, 0);
}

static int make_world(void **state, bool is_traced)
{
    struct at_work *work = memory_zero(1, sizeof(*work));
    work->is_traced = is_traced;
    world_make(&work->world, NULL);
    collect_reports(work);
    offer_kernels(&work->world);
    world_add_guests(&work->world);
    work->catalog = scratch_read(work->world.dir, "catalog.json");
    work->config = scratch_read(work->world.dir, "config.ini");
    work->monkey.seed = seed_first("MONKEY_SEED");
    *state = work;
    return 0;
}

static int set_up(void **state)
{
    return make_world(state, false);
}

static int set_up_traced(void **state)
{
    return make_world(state, true);
}

static int tear_down(void **state)
{
    struct at_work *work = *state;
    if (work->world.pty != NULL) { /* it failed */
        monkey_tell(&work->monkey);
        auto_free char *log = scratch_read(work->world.dir, "state/log/console.log");
        fprintf(stderr, "%s\n", log != NULL ? log : "");
        fprintf(stderr, "%s", pty_screen(work->world.pty));
        pty_stop(work->world.pty);
        work->world.pty = NULL;
    }
    end_kin(&work->world, &work->seats);
    assert_no_reports(work);
    scratch_remove(work->reports);
    assert_int_equal(chdir("/"), 0);
    world_remove(&work->world);
    free(work->catalog);
    free(work->config);
    free(work);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_goes_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls_fail, set_up_traced, tear_down),
    };
    if (!guest_world_is_possible()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
