/* SPDX-License-Identifier: MIT */

/* Real boots: the initrd and the disk this program makes, a distribution's kernel, QEMU in software
 * emulation, an image with a single static program in it. Skipped where QEMU, mke2fs or a kernel is
 * not to be had; BANGER_TEST_KERNEL names a directory with boot/vmlinuz-* and lib/modules, as
 * tests/smoke/test_kernel.sh makes it, else this host's own is tried. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "artifact/ext4.h"
#include "artifact/initrd.h"
#include "artifact/kernel_dir.h"
#include "base/cancel.h"
#include "base/limits.h"
#include "base/process.h"
#include "support/scratch.h"
#include "support/wire_peer.h"
#include "vm/accel.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define BOOT_PATIENCE_MS 180000
#define UPPER_BYTES (UINT64_C(256) << 20)

struct world {
    char *dir;
    char *kernel;
    int modules_dir;
    char *qemu;
    struct text guest; /* the program */
    uint64_t tsc_khz;
};

struct machine {
    struct world *world;
    pid_t pid;
    int pidfd;
    struct peer peer;
    bool has_peer;
};

static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 0x47, 8, 0x89};

/* ---- what there is to test with --------------------------------------------------------------- */

static char *path_in(const struct world *world, const char *name)
{
    return memory_printf("%s/%s", world->dir, name);
}

/* The kernel of the highest version below root/boot that we may read, and its modules. */
static bool find_kernel(struct world *world, const char *root)
{
    struct error err = {0};
    auto_done(strings) struct strings names = {0};
    auto_free char *boot = memory_printf("%s/boot", root);
    const char *best = NULL;
    if (!file_list(AT_FDCWD, boot, &names, &err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *path = memory_printf("%s/%s", boot, names.items[i]);
        auto_free char *modules = memory_printf("%s/lib/modules/%s", root, names.items[i] + 8);
        if (text_has_prefix(names.items[i], "vmlinuz-") && access(path, R_OK) == 0 &&
            access(modules, R_OK) == 0 &&
            (best == NULL || text_compare_version(names.items[i], best) > 0)) {
            best = names.items[i];
        }
    }
    if (best == NULL) {
        return false;
    }
    auto_free char *modules = memory_printf("%s/lib/modules/%s", root, best + 8);
    world->kernel = memory_printf("%s/%s", boot, best);
    world->modules_dir = kernel_modules_open(AT_FDCWD, modules, NULL, &err);
    return world->modules_dir >= 0;
}

static bool read_guest(struct world *world)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/src/guest/banger-guest", getenv("BUILDDIR"));
    return file_read_all(AT_FDCWD, path, 16 << 20, &world->guest, &err);
}

static char *find_tool(const char *name)
{
    char *path = process_find(name);
    if (path == NULL) {
        path = memory_printf("/sbin/%s", name);
        if (access(path, X_OK) != 0) {
            free(path);
            return NULL;
        }
    }
    return path;
}

/* An image with /bin/probe, and /etc and /sbin/init where wanted. */
static void make_image(const struct world *world, const char *name, bool has_init)
{
    struct error err = {0};
    auto_free char *mke2fs = find_tool("mke2fs");
    auto_free char *tree = path_in(world, "tree");
    auto_free char *image = path_in(world, name);
    auto_free char *probe = memory_printf("%s/tests/smoke/probe", getenv("BUILDDIR"));
    auto_done(text) struct text program = {0};
    auto_free char *copy = memory_printf("%s/bin/probe", tree);
    int status = -1;
    assert_true(file_read_all(AT_FDCWD, probe, 16 << 20, &program, &err));
    scratch_write(tree, "bin/probe", "");
    scratch_write(tree, "etc/hostname", "image\n");
    scratch_write(tree, "etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:7:8::/bin:/bin/sh\n");
    assert_true(file_replace(AT_FDCWD, copy, program.data, program.len, 0755, &err));
    assert_int_equal(chmod(tree, 0755), 0);
    if (has_init) {
        auto_free char *link = memory_printf("%s/sbin/init", tree);
        scratch_write(tree, "sbin/init", "");
        assert_int_equal(unlink(link), 0);
        assert_int_equal(symlink("/bin/probe", link), 0);
    }
    const char *const argv[] = {
        mke2fs, "-q", "-F", "-t", "ext4", "-m", "0", "-d", tree, image, "24M", NULL};
    assert_true(process_run(argv, 60000, 4096, NULL, NULL, NULL, &status, &err));
    assert_int_equal(status, 0);
    assert_true(file_remove_tree(AT_FDCWD, tree, &err));
}

static void make_upper(const struct world *world)
{
    struct error err = {0};
    auto_free char *path = path_in(world, "upper.ext4");
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(ext4_make_empty(fd, UPPER_BYTES, "upper", uuid, &err));
}

static void make_initrd(const struct world *world, const struct text *facts)
{
    struct error err = {0};
    auto_done(initrd_report) struct initrd_report report = {0};
    auto_free char *path = path_in(world, "initrd.img");
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(initrd_build(world->modules_dir, world->guest.data, world->guest.len, fd, &report,
        &limits_default, NULL, &err));
    assert_true(initrd_append_file(fd, INITRD_FACTS, text_cstr(facts), facts->len, 0600, &err));
}

static char *console(const struct world *world)
{
    char *text = scratch_read(world->dir, "console.log");
    return text != NULL ? text : memory_strdup("");
}

static void assert_console_says(const struct world *world, const char *wanted)
{
    auto_free char *text = console(world);
    if (strstr(text, wanted) == NULL) {
        fail_msg("the console does not say \"%s\":\n%s", wanted, text);
    }
}

/* ---- machines --------------------------------------------------------------------------------- */

static void add_disk(struct strings *argv, const char *file, const char *serial, bool is_readonly)
{
    strings_add(argv, "-drive");
    strings_printf(argv, "id=%s,if=none,format=raw,file=%s%s", serial, file,
        is_readonly ? ",readonly=on" : "");
    strings_add(argv, "-device");
    strings_printf(argv, "virtio-blk-device,drive=%s,serial=%s", serial, serial);
}

static void add_all(struct strings *argv, const char *const *words)
{
    for (; *words != NULL; words++) {
        strings_add(argv, *words);
    }
}

/* disks: file and serial in turn, the first one read-only when there are two. */
static void boot(
    struct machine *machine, struct world *world, const char *append, const char *const *disks)
{
    struct error err = {0};
    auto_done(strings) struct strings argv = {0};
    *machine = (struct machine){.world = world, .pidfd = -1};
    strings_add(&argv, world->qemu);
    add_all(&argv, (const char *const[]){"-M", "microvm,acpi=on", "-accel", "tcg,tb-size=32",
                       "-cpu", "max", "-smp", "1", "-m", "192", "-nodefaults", "-no-user-config",
                       "-display", "none", "-no-reboot", "-sandbox",
                       "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                       "-global", "virtio-mmio.force-legacy=false", "-kernel", world->kernel,
                       "-initrd", "initrd.img", "-append", NULL});
    strings_printf(&argv, "console=ttyS0 quiet reboot=k panic=1 tsc_early_khz=%llu tsc=reliable %s",
        (unsigned long long)world->tsc_khz, append);
    for (size_t i = 0; disks[i] != NULL; i += 2) {
        add_disk(&argv, disks[i], disks[i + 1], i == 0 && disks[2] != NULL);
    }
    add_all(&argv, (const char *const[]){"-device", "virtio-serial-device", "-chardev",
                       "socket,id=agent,path=agent.sock,server=on,wait=off", "-device",
                       "virtserialport,chardev=agent,name=" WIRE_PORT_NAME, "-netdev",
                       "user,id=net,restrict=on", "-device", "virtio-net-device,netdev=net",
                       "-device", "i8042", "-chardev", "file,id=console,path=console.log",
                       "-serial", "chardev:console", NULL});
    auto_close int cwd = file_open_dir(AT_FDCWD, world->dir, &err);
    auto_free char *errors_path = path_in(world, "qemu.log");
    auto_close int errors = open(errors_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct process_spec spec = {
        .argv = (const char *const *)argv.items,
        .stdin_fd = -1,
        .stdout_fd = errors,
        .stderr_fd = errors,
        .cwd_fd = cwd,
    };
    if (!process_spawn(&spec, &machine->pid, &machine->pidfd, &err)) {
        fail_msg("%s", err.text);
    }
}

/* Until QEMU's socket is there; what is said before the agent runs waits in the line. */
static void connect_agent(struct machine *machine)
{
    auto_free char *path = path_in(machine->world, "agent.sock");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
            peer_init(&machine->peer, fd);
            machine->has_peer = true;
            return;
        }
        close(fd);
        struct error err = {0};
        int status = 0;
        if (process_wait(machine->pid, machine->pidfd, 10, NULL, &status, &err)) {
            auto_free char *text = scratch_read(machine->world->dir, "qemu.log");
            fail_msg("QEMU ended: %s", text);
        }
    }
}

/* Waits for the end of QEMU. */
static void await_end(struct machine *machine)
{
    struct error err = {0};
    int status = -1;
    if (!process_wait(machine->pid, machine->pidfd, BOOT_PATIENCE_MS, NULL, &status, &err)) {
        kill(machine->pid, SIGKILL);
        process_wait(machine->pid, machine->pidfd, 5000, NULL, &status, &err);
        auto_free char *text = console(machine->world);
        fail_msg("the machine did not end: %s", text);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (machine->has_peer) {
        peer_done(&machine->peer);
    }
    close(machine->pidfd);
}

/* ext4 superblock, s_feature_incompat: what the journal holds still has to be written. */
static bool needs_recovery(const struct world *world, const char *disk)
{
    auto_free char *path = path_in(world, disk);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t features = 0;
    assert_int_equal(pread(fd, &features, 1, 1024 + 96), 1);
    return (features & 4) != 0;
}

static void request(struct machine *machine, enum wire_kind kind)
{
    struct peer_stream stream = {0};
    struct wire_writer writer;
    peer_open(&machine->peer, &stream, kind, &writer);
    peer_open_finish(&machine->peer, &writer);
    peer_finish(&machine->peer, &stream);
    assert_int_equal(stream.outcome, WIRE_OUTCOME_OK);
    peer_stream_done(&stream);
}

static void assert_fact(const struct machine *machine, const char *key, const char *value)
{
    const char *found = peer_fact(&machine->peer.facts, key);
    if (found == NULL || strcmp(found, value) != 0) {
        auto_free char *all = strings_join(&machine->peer.facts, "\n");
        fail_msg("%s is not %s:\n%s", key, value, all);
    }
}

/* ---- tests ------------------------------------------------------------------------------------ */

static const char *const overlay_disks[] = {"image.ext4", "image", "upper.ext4", "upper", NULL};

static void assert_many_bytes_come_back(struct peer *peer)
{
    size_t len = 1 << 20;
    uint8_t *bytes = memory_alloc(len);
    struct peer_stream streams[3];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)((i * 2654435761u) >> 9);
    }
    for (unsigned i = 0; i < 3; i++) {
        streams[i] = (struct peer_stream){.input = bytes, .input_len = len};
        peer_exec(peer, &streams[i], (const char *const[]){"probe", "cat", NULL});
    }
    for (unsigned i = 0; i < 3; i++) {
        peer_finish(peer, &streams[i]);
        assert_int_equal(streams[i].number, 0);
        assert_int_equal(streams[i].got[0].len, len);
        assert_memory_equal(streams[i].got[0].data, bytes, len);
        peer_stream_done(&streams[i]);
    }
    free(bytes);
}

static void an_image_without_init_runs_its_program(void **state)
{
    struct world *world = *state;
    struct machine machine;
    auto_done(text) struct text facts = {0};
    auto_done(text) struct text before = {0};
    auto_done(text) struct text after = {0};
    struct error err = {0};
    auto_free char *image = path_in(world, "image.ext4");
    make_image(world, "image.ext4", false);
    make_upper(world);
    initrd_put_fact(&facts, "hostname", "web");
    initrd_put_fact(&facts, "arg", "probe");
    initrd_put_fact(&facts, "arg", "say");
    initrd_put_fact(&facts, "arg", "entrypoint");
    initrd_put_fact(&facts, "arg", "3");
    initrd_put_fact(&facts, "env", "GREETING=hello\nworld");
    make_initrd(world, &facts);
    assert_true(file_read_all(AT_FDCWD, image, 64 << 20, &before, &err));

    boot(&machine, world, "", overlay_disks);
    connect_agent(&machine);
    struct peer *peer = &machine.peer;
    peer_greet(peer);
    assert_fact(&machine, "init", "banger-guest");
    assert_fact(&machine, "root", "overlay");
    assert_fact(&machine, "hostname", "web");
    assert_fact(&machine, "network", "eth0 10.0.2.15/24");
    peer_assert_runs(peer, (const char *const[]){"probe", "uname", NULL}, 0, "Linux web\n");
    peer_assert_runs(
        peer, (const char *const[]){"probe", "say", "x", "5", NULL}, 5, "x hello\nworld\n");
    peer_assert_runs(
        peer, (const char *const[]){"probe", "read", "/etc/hostname", NULL}, 0, "web\n");
    peer_assert_runs(peer, (const char *const[]){"probe", "read", "/etc/resolv.conf", NULL}, 0,
        "nameserver 10.0.2.3\n");
    peer_assert_runs(peer, (const char *const[]){"probe", "read", "/etc/hosts", NULL}, 0,
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tweb\n");
    peer_assert_runs(
        peer, (const char *const[]){"probe", "write", "/kept", "by the upper disk", NULL}, 0, "");
    assert_many_bytes_come_back(peer);
    while (peer_fact(&peer->facts, "entrypoint") == NULL ||
           strcmp(peer_fact(&peer->facts, "entrypoint"), "running") == 0) {
        peer_greet(peer);
    }
    assert_fact(&machine, "entrypoint", "exited:3");
    request(&machine, WIRE_KIND_SYNC);
    request(&machine, WIRE_KIND_POWEROFF);
    await_end(&machine);
    assert_console_says(world, "entrypoint hello");
    assert_console_says(world, "the image's program ended with status 3");
    assert_true(file_read_all(AT_FDCWD, image, 64 << 20, &after, &err));
    assert_memory_equal(before.data, after.data, before.len);
    assert_false(needs_recovery(world, "upper.ext4"));

    /* Again, as another host would find it: the line is new, the disk remembers. */
    boot(&machine, world, "banger.init=/bin/probe", overlay_disks);
    connect_agent(&machine);
    peer_greet(&machine.peer);
    assert_fact(&machine, "init", "/bin/probe");
    peer_done(&machine.peer);
    connect_agent(&machine);
    peer_greet(&machine.peer);
    peer_assert_runs(&machine.peer, (const char *const[]){"probe", "read", "/kept", NULL}, 0,
        "by the upper disk");
    request(&machine, WIRE_KIND_REBOOT);
    await_end(&machine);
    assert_console_says(world, "probe: PID 1, init of the image");
}

static void a_copied_root_has_no_overlay(void **state)
{
    struct world *world = *state;
    struct machine machine;
    auto_done(text) struct text facts = {0};
    struct peer_stream stream = {0};
    make_image(world, "root.ext4", true);
    initrd_put_fact(&facts, "root", "copy");
    make_initrd(world, &facts);
    boot(&machine, world, "", (const char *const[]){"root.ext4", "root", NULL});
    connect_agent(&machine);
    peer_greet(&machine.peer);
    assert_fact(&machine, "init", "/sbin/init");
    assert_fact(&machine, "root", "copy");
    peer_exec(&machine.peer, &stream, (const char *const[]){"probe", "read", "/proc/mounts", NULL});
    peer_finish(&machine.peer, &stream);
    assert_non_null(strstr(text_cstr(&stream.got[0]), "/dev/vda / ext4 rw"));
    assert_null(strstr(text_cstr(&stream.got[0]), "overlay"));
    peer_stream_done(&stream);
    request(&machine, WIRE_KIND_POWEROFF); /* an init that cannot be asked */
    await_end(&machine);
    assert_console_says(world, "probe: PID 1, init of the image");
}

static void what_cannot_boot_says_why(void **state)
{
    struct world *world = *state;
    struct machine machine;
    auto_done(text) struct text facts = {0};
    auto_free char *upper = path_in(world, "upper.ext4");
    make_image(world, "image.ext4", false);
    make_initrd(world, &facts);
    make_upper(world);
    assert_int_equal(truncate(upper, 0), 0);
    assert_int_equal(truncate(upper, 1 << 20), 0); /* no file system */
    boot(&machine, world, "", overlay_disks);
    await_end(&machine);
    assert_console_says(world, "banger-guest: cannot mount the disk /dev/vdb as ext4");
    assert_console_says(world, "Kernel panic");
}

static int open_world(void **state)
{
    struct world *world = *state;
    world->dir = scratch_make();
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    scratch_remove(world->dir);
    world->dir = NULL;
    return 0;
}

#define boot_test(name)                                                                            \
    cmocka_unit_test_prestate_setup_teardown(name, open_world, close_world, &world)

int main(void)
{
    static struct world world = {.modules_dir = -1};
    const char *kernel = getenv("BANGER_TEST_KERNEL");
    auto_free char *made = memory_printf("%s/test-kernel", getenv("BUILDDIR"));
    auto_free char *mke2fs = find_tool("mke2fs");
    world.qemu = process_find("qemu-system-x86_64");
    world.tsc_khz = accel_tsc_khz();
    const char *missing = NULL;
    if (world.qemu == NULL || world.tsc_khz == 0) {
        missing = "qemu-system-x86_64 on x86-64";
    } else if (mke2fs == NULL) {
        missing = "mke2fs";
    } else if (kernel != NULL ? !find_kernel(&world, kernel)
                              : !find_kernel(&world, made) && !find_kernel(&world, "")) {
        missing = "a kernel: see tests/smoke/test_kernel.sh";
    }
    if (missing != NULL) {
        printf("skipped: this test needs %s\n", missing);
        return 77;
    }
    assert_true(read_guest(&world));
    printf("kernel %s\n", world.kernel);
    const struct CMUnitTest tests[] = {
        boot_test(an_image_without_init_runs_its_program),
        boot_test(a_copied_root_has_no_overlay),
        boot_test(what_cannot_boot_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
