# SPDX-License-Identifier: MIT
"""A real guest on the real QEMU goes back to what it was: files as they were, and with its memory its
processes go on where they stood, on the disks that they had then."""
import datetime
import subprocess
import time

from machine_world import add_program, clean, prepare_probe, state
from world import CLOCK, main, need

COUNT = "i=0; while :; do i=$((i+1)); echo $i >/run/count; sleep 0.1; done"


def prepare(world):
    """The image has a shell beside the probe."""
    prepare_probe(world)
    for program in ("/bin/sh", "/bin/cat", "/bin/sleep", "/bin/date", "/bin/sync"):
        need(program)
        add_program(world.path("tree"), program)
    disk = world.path("shell.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("tree"), disk, "48M"], check=True)
    world.ok("image", "register", "shell", "--rootfs", disk, "--kernel-ref", "k")
    world.ok("vm", "run", "shell", "--name", "web", "--memory", "192M", "--disk", "32M:/data")


def guest(world, words):
    return world.ok("vm", "exec", "web", "--", "/bin/sh", "-c", words).out.strip()


def count(world):
    """Its counter, which is in memory alone: /run is no disk. Empty for a moment while it is written."""
    return int(guest(world, "while c=$(cat /run/count 2>/dev/null); [ -z $c ]; do sleep 0.1; done; "
                            "echo $c"))


def test_it_goes_on_where_it_was(world):
    prepare(world)
    guest(world, f"({COUNT}) </dev/null >/dev/null 2>&1 &")
    guest(world, "echo was >/kept; echo was >/data/kept; echo gone >/gone")
    before = count(world)
    begun = time.monotonic()
    made = world.json("vm", "snapshot", "create", "web", "one", "--memory")
    print(f"kept in {time.monotonic() - begun:.2f} s, stood still for {made['paused_ms']} ms")
    assert made["memory"] is True and made["vmm"] == "qemu" and made["accel"] == "tcg", made
    assert "note" not in made and state(world) == "running" and count(world) >= before, made
    guest(world, "echo is >/kept; echo is >/data/kept; echo new >/new; rm /gone; sync; "
                 "while [ 0$(cat /run/count) -lt 30 ]; do sleep 0.1; done")
    later = count(world)
    assert later >= 30 > before
    seen = world.json("vm", "show", "web")
    begun = time.monotonic()
    back = world.json("vm", "snapshot", "restore", "web", "one", "--force")
    print(f"back in {time.monotonic() - begun:.2f} s, ready after {back['ready_ms']} ms")
    assert back["state"] == "running" and back["pid"] != seen["pid"], back
    now = count(world)
    assert before <= now < later, (before, now, later)
    assert guest(world, "cat /kept /data/kept /gone") == "was\nwas\ngone"
    # Its clock is this program's again, which in a test begins at CLOCK with each process.
    ours = datetime.datetime.fromisoformat(CLOCK.replace("Z", "+00:00")).timestamp()
    assert abs(int(guest(world, "date +%s")) - ours) < 600
    guest(world, f"while [ 0$(cat /run/count) -le {now} ]; do sleep 0.1; done")  # it counts on
    guest(world, "echo said-after-restore >/dev/ttyS0")
    world.ok("vm", "wait", "web", "--for", "text=said-after-restore")
    # Once more from the same one, which nobody wrote to; then its disks alone, with a boot.
    world.ok("vm", "snapshot", "restore", "web", "one", "--force")
    assert before <= count(world) < later
    assert world.json("vm", "snapshot", "restore", "web", "one", "--force",
                      "--no-memory")["state"] != "running"
    world.ok("vm", "start", "web")
    assert guest(world, "cat /kept /data/kept /gone") == "was\nwas\ngone"
    for gone in ("/new", "/run/count"):
        assert world.run("vm", "exec", "web", "--", "/bin/cat", gone).status == 1
    clean(world)


main()
