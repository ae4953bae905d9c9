# SPDX-License-Identifier: MIT
"""What has to hold over the life of a real guest on the real QEMU: its ports over its own reboot, its
clock over a pause, and the devices that it is given, as it sees them itself."""
import os
import shutil
import signal
import socket
import subprocess
import time

from machine_world import clean, prepare_probe
from world import BUILDDIR, PATIENCE_S, interrupt, main

SERVICE_PORT = 7777
PAUSE_S = 3


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
    except ConnectionError:
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


def assert_clock(world):
    """The guest's time lies between what the host's was before and after it was asked; half of the
    pause is for all that is not exact."""
    slack_ms = PAUSE_S * 1000 // 2
    before = time.time() * 1000
    guest = int(probe(world, "time"))
    after = time.time() * 1000
    assert before - slack_ms <= guest <= after + slack_ms, (before, guest, after)


def assert_pause_costs_no_time(world):
    assert_clock(world)
    world.ok("vm", "pause", "web")
    until = time.monotonic() + PAUSE_S
    world.wait_until(lambda: time.monotonic() >= until, "a while")
    world.ok("vm", "resume", "web")
    assert_clock(world)


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
    assert_reboot_keeps_ports(world, port)
    assert world.json("vm", "stop", "web")["exit"]["reason"] in ("guest-poweroff", "guest-reboot")
    clean(world)


main()
