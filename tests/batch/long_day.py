# SPDX-License-Identifier: MIT
"""The console through a long day: a hundred machines that run, tick after tick and change after
change, without growing; nearly no processor time while nothing happens; a log of a gibibyte."""
import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time

from world import PATIENCE_S, PROGRAM, SANITIZED, Skip, main

MACHINES = 100
# A tick is two seconds: a quarter of an hour, or a day.
TICKS = 43200 if os.environ.get("BANGER_CHECK_ALL") == "yes" else 500
GROWTH_KIB = 4096
LOG_BYTES = 1 << 30
REPAINT = b"\x0c"


class Screen:
    """The console on a terminal of its own. What it writes is thrown away, but for what is waited for."""

    def __init__(self, world, tick=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        config = world.write("ui.ini", f"[ui]\ntick = {tick}\n" if tick else "")
        env = {**world.env, "TERM": "xterm", "BANGER_CONFIG": config}
        self.child = subprocess.Popen([PROGRAM, "--ascii"], env=env, stdin=slave, stdout=slave,
                                      stderr=slave, start_new_session=True, cwd=world.place)
        world.children.append(self.child)
        os.close(slave)

    def read(self, seconds):
        """What comes within the time."""
        got, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                got += os.read(self.master, 1 << 16)
        return got

    def wait_for(self, text):
        """Where some of its characters stood already, only the others are written: after a while the
        whole screen is asked for."""
        shown, end, quiet = b"", time.monotonic() + PATIENCE_S, 0
        while text not in shown:
            assert time.monotonic() < end, f"{text!r} did not come: {shown[-3000:]!r}"
            got = self.read(0.02)
            shown += got
            quiet = quiet + 1 if not got else 0
            if quiet == 20:
                self.key(REPAINT)
                quiet = 0

    def key(self, key):
        os.write(self.master, key)

    def status(self, field):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(field))

    def io(self, field):
        with open(f"/proc/{self.child.pid}/io", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(field + ":"))

    def cpu_s(self):
        """Of all its threads, those that have ended too."""
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.key(b"q")
        end = time.monotonic() + PATIENCE_S
        while self.child.poll() is None:
            assert time.monotonic() < end, "it does not end"
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    os.read(self.master, 1 << 16)
                except OSError:
                    self.child.wait(PATIENCE_S)
        os.close(self.master)
        assert self.child.returncode == 0


def write(path, content):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.rename(path + ".new", path)


def spec(number):
    return {"format": 1, "name": f"vm{number:03}", "uuid": uuid(number), "vmm": "qemu", "accel": "tcg",
            "mac": f"52:54:00:00:00:{number:02x}", "image": "none", "kernel_ref": "k", "vcpu": 1,
            "memory_mib": 512, "disk_bytes": 8 << 30, "root": "overlay", "restart": "no",
            "created_at": "2026-01-01T00:00:00Z"}


def uuid(number):
    return f"00000000-0000-4000-8000-{number:012x}"


def make_machine(world, number):
    place = os.path.join(world.state, "vms", f"vm{number:03}")
    os.makedirs(place, mode=0o700)
    write(os.path.join(place, "vm.json"), spec(number))
    return place


def run_machines(world):
    """Records of machines that run: one process that is monitor and VMM of all of them."""
    holder = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()",
                               *(uuid(number) for number in range(MACHINES))], stdin=subprocess.PIPE)
    world.children.append(holder)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot_id = file.read().strip()
    with open(f"/proc/{holder.pid}/stat", encoding="ascii") as file:
        start_time = int(file.read().rsplit(")", 1)[1].split()[19])
    process = {"pid": holder.pid, "start_time": start_time}
    for number in range(MACHINES):
        place = make_machine(world, number)
        write(os.path.join(place, "handle.json"), {
            "format": 1, "boot_id": boot_id, "uuid": uuid(number), "kind": "qemu", "accel": "tcg",
            "monitor": process, "vmm": process, "started_at": "2026-01-01T00:00:00Z"})
        write(os.path.join(place, "boot.json"), {
            "format": 1, "started_at": "2026-01-01T00:00:00Z",
            "stages": [{"stage": "vmm", "ms": 40}, {"stage": "agent", "ms": 900}]})
    return holder


def stop_machines(world, holder):
    holder.communicate()
    shutil.rmtree(os.path.join(world.state, "vms"))


def change_something(world, turn):
    """What another seat does now and then: a record written again, a kernel that comes and goes."""
    number = turn % MACHINES
    write(os.path.join(world.state, "vms", f"vm{number:03}", "vm.json"), spec(number))
    place = os.path.join(world.state, "kernels", f"k{turn // 2 % 7}")
    if turn % 2 == 0:
        os.makedirs(place, exist_ok=True)
        write(os.path.join(place, "manifest.json"), {"name": os.path.basename(place)})
    elif os.path.isdir(place):
        os.unlink(os.path.join(place, "manifest.json"))
        os.rmdir(place)


def test_t46_a_day_does_not_grow(world):
    if SANITIZED:
        raise Skip("sanitizers keep what was freed")
    holder = run_machines(world)
    screen = Screen(world, tick="10ms")
    screen.wait_for(b"vm000")
    screen.key(b"4")
    # A tick reads a file of each machine's process, and little else reads anything.
    began, warm_kib, turn = screen.io("syscr"), 0, 0
    ticks = 0
    end = time.monotonic() + TICKS * 0.4 + PATIENCE_S
    while ticks < TICKS:
        assert time.monotonic() < end, f"only {ticks} ticks"
        screen.read(0.05)
        if turn % 4 == 0:
            change_something(world, turn // 4)
        screen.key((b"j", b"k", b"o", b"\t")[turn % 4])
        turn += 1
        ticks = (screen.io("syscr") - began) // (2 * MACHINES)
        if warm_kib == 0 and ticks >= TICKS // 5:
            warm_kib = screen.status("VmRSS")
    grown_kib = screen.status("VmRSS") - warm_kib
    print(f"{ticks} ticks and {turn // 4} changes: {warm_kib} KiB, then {grown_kib} more")
    assert warm_kib > 0 and grown_kib < GROWTH_KIB, (warm_kib, grown_kib)
    screen.end()
    stop_machines(world, holder)


def test_t46_idle_costs_less_than_a_hundredth(world):
    if SANITIZED:
        raise Skip("sanitizers are slow")
    holder = run_machines(world)
    screen = Screen(world)
    screen.wait_for(b"vm000")
    # Until it is idle: what it has to do first takes longer where the machine is busy.
    share, rest = 1.0, 5
    while share >= 0.01 and rest > 0:
        cpu_s, began = screen.cpu_s(), time.monotonic()
        screen.read(8)
        share = (screen.cpu_s() - cpu_s) / (time.monotonic() - began)
        rest -= 1
    print(f"idle with {MACHINES} machines that run: {share:.2%} of a processor")
    assert share < 0.01, share
    screen.end()
    stop_machines(world, holder)


def test_t30_a_log_of_a_gibibyte(world):
    """Its end is there at once, for what is far above is not read; what is kept of it is bounded."""
    place = make_machine(world, 0)
    write(os.path.join(place, "exit.json"), {"format": 1, "reason": "guest-poweroff", "code": 0,
                                             "at": "2026-01-01T00:00:00Z", "requested": True})
    log = os.path.join(place, "console.log")
    lines = b"".join(b"[%12.6f] line %07d of what a guest says in a long life\n" % (i / 1000, i)
                     for i in range(100000))
    with open(log, "wb") as file:
        file.truncate(LOG_BYTES - len(lines))
        file.seek(0, os.SEEK_END)
        file.write(lines)
    assert os.path.getsize(log) == LOG_BYTES
    screen = Screen(world)
    screen.wait_for(b"vm000")
    screen.key(b"4")
    screen.read(1)
    read, rss_kib = screen.io("rchar"), screen.status("VmRSS")
    began = time.monotonic()
    screen.key(b"L")
    screen.wait_for(b"line 0099999")
    took = time.monotonic() - began
    read, grown_kib = screen.io("rchar") - read, screen.status("VmRSS") - rss_kib
    print(f"1 GiB of log: its end after {took * 1000:.0f} ms, {read >> 10} KiB read, {grown_kib} KiB more memory")
    assert read < LOG_BYTES // 32
    assert SANITIZED or grown_kib < 32 << 10
    # What was kept can be searched.
    screen.key(b"/line 0091000\r")
    screen.wait_for(b"line 0091003")  # what was typed stands there in any case
    screen.key(b"\x1b\x1b")
    screen.wait_for(b"stopped")
    screen.end()
    shutil.rmtree(os.path.join(world.state, "vms"))


main()
