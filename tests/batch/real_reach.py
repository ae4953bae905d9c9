# SPDX-License-Identifier: MIT
"""What has to hold over the life of a real guest on the real QEMU: its ports over its own reboot, its
clock over a pause, the devices that it is given, as it sees them itself; many commands at once,
terminals, signals, and many bytes."""
import os
import shutil
import signal
import socket
import subprocess
import time

from machine_world import add_program, assert_twenty_at_once, clean, prepare_probe
from seat import Seat
from world import BUILDDIR, PATIENCE_S, SANITIZED, interrupt, main, sha256_of

SERVICE_PORT = 7777
PAUSE_S, HOUR_S = 3, 3600
SLEPT = os.path.join(BUILDDIR, "tests", "support", "slept.so")
MIB = 1 << 20
KEY = "ssh-ed25519 " + "A" * 68


def start(world):
    """A guest whose own init serves on its network card's address and nowhere else."""
    world.mkdir("tree", "sbin")
    world.mkdir("tree", "etc")
    world.write("tree/etc/served", f"10.0.2.15 {SERVICE_PORT}\n")
    probe_file = os.path.join(BUILDDIR, "tests", "smoke", "probe")
    if os.path.exists(probe_file):
        shutil.copy(probe_file, world.path("tree", "sbin", "init"))
    prepare_probe(world)
    del world.env["BANGER_CLOCK"]  # the guest's time is the host's, not the one of the tests
    if os.path.exists(SLEPT) and not SANITIZED:
        world.env.update(LD_PRELOAD=SLEPT, BANGER_TEST_SLEPT=world.path("slept"))
    world.ok("vm", "run", "small", "--name", "web", "--memory", "128M", "--publish",
             f"0:{SERVICE_PORT}")
    return int(world.json("vm", "show", "web")["publish"][0].split(":")[1])


def probe(world, *words):
    return world.ok("vm", "exec", "web", "--", "/bin/probe", *words).out


def echoed(port, words):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while piece := client.recv(100):
            got += piece
        return got


def is_echoed(port, words):
    try:
        return echoed(port, words) == words
    except OSError:  # also that of a client who was given up before it said that it is done
        return False


def ends_cleanly(client):
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def assert_reboot_keeps_ports(world, port):
    """Who was connected is told; the port is never free for somebody else, and leads into the guest
    again by itself. So does one of `vm forward`."""
    child = world.start("vm", "forward", "web", f"0:{SERVICE_PORT}", stdout=subprocess.PIPE)
    forwarded = int(child.stdout.readline().split(b":")[1])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as first, \
            socket.create_connection(("127.0.0.1", forwarded), timeout=PATIENCE_S) as second:
        for client in (first, second):
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        world.run("vm", "exec", "web", "--", "/bin/probe", "reboot")
        assert ends_cleanly(first) and ends_cleanly(second)
    world.wait_until(lambda: is_echoed(port, b"again"), "the published port, after a reboot")
    assert world.json("vm", "show", "web")["restarts"] == 1
    world.wait_until(lambda: is_echoed(forwarded, b"again"), "the forwarded port, after a reboot")
    assert interrupt(child, signal.SIGTERM) == 143


def is_clock_right(world):
    """The guest's time lies between what the host's was before and after it was asked; half of the
    pause is for all that is not exact."""
    slack_ms = PAUSE_S * 1000 // 2
    before = time.time() * 1000
    guest = int(probe(world, "time"))
    after = time.time() * 1000
    return before - slack_ms <= guest <= after + slack_ms


def assert_pause_costs_no_time(world):
    assert is_clock_right(world)
    world.ok("vm", "pause", "web")
    until = time.monotonic() + PAUSE_S
    world.wait_until(lambda: time.monotonic() >= until, "a while")
    world.ok("vm", "resume", "web")
    assert is_clock_right(world)


def assert_a_sleep_of_the_host_costs_no_time(world):
    """The guest's clock stood still for an hour, as it does in a host that sleeps; the monitor sees
    that the host did."""
    if "LD_PRELOAD" not in world.env:
        return
    probe(world, "settime", str(int(time.time()) - HOUR_S))
    assert not is_clock_right(world)
    world.write("slept", str(HOUR_S))
    world.wait_until(lambda: is_clock_right(world), "the guest's clock")


def drivers(world):
    """Of all devices on the guest's virtio bus."""
    found = []
    while True:
        result = world.run("vm", "exec", "web", "--", "/bin/probe", "read",
                           f"/sys/bus/virtio/devices/virtio{len(found)}/uevent")
        if result.status != 0:
            return found
        words = [line[7:] for line in result.out.splitlines() if line.startswith("DRIVER=")]
        found.append(words[0] if words else "")


def assert_devices(world):
    assert probe(world, "read", "/sys/class/misc/hw_random/rng_current").startswith("virtio_rng")
    # The balloon's driver is loaded beside all else.
    world.wait_until(lambda: "virtio_balloon" in drivers(world), "the balloon")
    assert "" not in drivers(world), "a device without a driver"


def test_over_the_life_of_a_guest(world):
    port = start(world)
    assert echoed(port, b"hello") == b"hello"
    assert_devices(world)
    assert_pause_costs_no_time(world)
    assert_a_sleep_of_the_host_costs_no_time(world)
    assert_reboot_keeps_ports(world, port)
    assert world.json("vm", "stop", "web")["exit"]["reason"] in ("guest-poweroff", "guest-reboot")
    clean(world)


# ---- commands and bytes ----

def start_shell(world):
    """A guest with this host's own shell and a few programs."""
    world.mkdir("tree")
    for program in ("/bin/sh", "/bin/cat", "/bin/sleep", "/bin/stty"):
        add_program(world.path("tree"), program)
    prepare_probe(world)
    world.write("seed/root/mine", "at home")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("seed"), os.path.join(
        world.state, "images", "small", "work-seed.ext4"), "32M"], check=True)
    world.ok("vm", "run", "small", "--name", "web", "--memory", "256M", "--ssh-key",
             world.write("key.pub", f"{KEY} of the operator\n"))


def assert_home(world):
    """A seed whose home is nested: put right before the start, so that the key finds its place."""
    def inside(*words):
        return world.run("vm", "exec", "web", "--", *words)
    assert inside("cat", "/root/mine").out == "at home"
    assert KEY in inside("cat", "/root/.ssh/authorized_keys").out
    assert inside("sh", "-c", "test ! -e /root/root").status == 0


def assert_terminal(world):
    """Its size, a new one, and what a program makes of both."""
    script = "trap 'stty size; exit 7' WINCH; stty size; while :; do sleep 0.1; done"
    seat = Seat(world, "vm", "exec", "-t", "web", "--", "sh", "-c", script)
    seat.read_until(b"30 100")
    seat.resize(41, 123)
    seat.read_until(b"41 123")
    assert seat.end() == 7


def assert_signals(world):
    assert world.run("vm", "exec", "web", "--", "sh", "-c", "kill -9 $$").status == 137
    seat = Seat(world, "vm", "exec", "-t", "web", "--", "sh", "-c",
                "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done")
    seat.read_until(b"ready")
    seat.type(b"\x03")
    seat.read_until(b"caught")
    assert seat.end() == 5


def run_long(world, *words, **more):
    """An emulated guest on a busy host takes its time."""
    assert world.start(*words, **more).wait(timeout=PATIENCE_S * 5) == 0


def assert_many_bytes(world):
    large, back = world.path("large"), world.path("back")
    with open(large, "wb") as file:
        for _ in range(100):
            file.write(os.urandom(MIB))
    digest = sha256_of(large)
    with open(large, "rb") as given, open(back, "wb") as taken:
        run_long(world, "vm", "exec", "web", "--", "cat", stdin=given, stdout=taken)
    assert sha256_of(back) == digest
    os.unlink(back)
    run_long(world, "vm", "cp", large, "web:/large", stdin=subprocess.DEVNULL)
    run_long(world, "vm", "cp", "web:/large", back, stdin=subprocess.DEVNULL)
    assert sha256_of(back) == digest


def test_commands_and_bytes(world):
    start_shell(world)
    assert_home(world)
    assert_twenty_at_once(world)
    assert_terminal(world)
    assert_signals(world)
    assert_many_bytes(world)
    world.ok("vm", "kill", "web")
    clean(world)


main()
