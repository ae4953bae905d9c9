# SPDX-License-Identifier: MIT
"""Who works on a machine dies over it, its VMM does, or the disk under it fills up or fails: what is
said afterwards is true, and the machine can be worked with, and ended."""
import errno
import json
import os
import resource
import signal
import subprocess

from machine_world import clean, prepare, run, stand_in, state
from seat import Seat
from world import PATIENCE_S, Skip, main, small_disk


def record(world, kind):
    with open(os.path.join(world.state, "vms", "web", f"{kind}.json"), encoding="utf-8") as file:
        return json.load(file)


def handle(world):
    return record(world, "handle")


def stop_and_die(world):
    """A stop that its guest does not listen to, killed at work."""
    child = world.start("vm", "stop", "web", "--timeout", "4s", stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    # Read here: to run the program for it may take as long as the stop.
    world.wait_until(lambda: record(world, "boot").get("stopping"), "it is stopped")
    child.kill()
    child.wait(timeout=PATIENCE_S)


def test_a_stop_that_died(world):
    """The machine runs on, says so, and its restart policy holds as before."""
    prepare(world)
    run(world, "web", "fake.stubborn", "--restart", "on-failure")
    vmm = handle(world)["vmm"]["pid"]
    stop_and_die(world)
    world.wait_until(lambda: state(world) == "running", "it goes on")
    assert handle(world)["vmm"]["pid"] == vmm
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    os.kill(vmm, signal.SIGKILL)
    world.wait_until(lambda: state(world) == "running" and handle(world)["vmm"]["pid"] != vmm,
                     "it begins again")
    clean(world)


def test_a_stop_and_its_monitor_died(world):
    """The next command gives it a new monitor, for which nobody stops it."""
    prepare(world)
    run(world, "web", "fake.stubborn")
    stop_and_die(world)
    world.kill(handle(world)["monitor"]["pid"])
    world.ok("vm", "set", "web", "--memory", "64M")
    assert state(world) == "running"
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    clean(world)


def test_a_stop_that_died_is_given_again(world):
    prepare(world)
    run(world, "web", "fake.stubborn", "--restart", "always")
    stop_and_die(world)
    result = world.json("vm", "stop", "web", "--timeout", "1s")
    assert result["state"] == "stopped" and result["changed"] is True, result
    assert result["exit"]["reason"] == "killed", result
    clean(world)


def configure_vmm(world, words):
    """A shell script in front of the stand-in, where it is to run a machine."""
    world.write("qemu", f'#!/bin/sh\ncase "$*" in *-uuid*) {words};; esac\n'
                        f'exec {stand_in("qemu")} "$@"\n')
    os.chmod(world.path("qemu"), 0o755)
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"[paths]\nqemu = {world.path('qemu')}\n")


def test_a_vmm_that_ends_at_its_start(world):
    """Killed by a host that has no memory, or without a word: that is what is told, not which of its
    lines ended."""
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web")
    for words, told in (("kill -9 $$", "9 (KILL)"), ("exit 7", "status 7"), ("exit 0", "ended")):
        configure_vmm(world, words)
        error = world.fails(69, "vm", "start", "web")
        assert error["code"] == "VMM" and told in error["message"], error
        assert state(world) == "crashed"
    clean(world)


def test_few_descriptors(world):
    """Half of what a shell gives on a narrow host."""
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web")
    few = (64, 64)
    world.ok("vm", "start", "web",
             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few))
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    clean(world)


def test_what_a_vmm_leaves_behind(world):
    """Such as a script around it does: it ends with the machine."""
    prepare(world)
    configure_vmm(world, f"sleep 1000 & echo $! >{world.path('left')}")
    run(world)
    with open(world.path("left"), encoding="utf-8") as file:
        left = int(file.read())
    has_group = world.control_groups() != []
    if has_group:
        world.ok("vm", "stop", "web")
        assert world.control_groups() == [] and not os.path.exists(f"/proc/{left}/cwd")
    else:
        os.kill(left, signal.SIGKILL)
    clean(world)
    if not has_group:
        raise Skip("a machine has no control group here")


def fill(world):
    """Not a byte is free on the disk of the state directory."""
    file = os.open(os.path.join(world.state, "filler"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for size in (1 << 16, 1 << 12):
        try:
            while True:
                os.write(file, bytes(size))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
    os.close(file)


def test_a_stop_on_a_full_disk(world):
    """How it ended has its room."""
    with small_disk(world, 24):
        prepare(world)
        run(world)
        fill(world)
        assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
        result = world.json("vm", "stop", "web")
        assert result["state"] == "stopped" and result["exit"]["reason"] == "guest-poweroff", result
        assert world.json("host", "gc", "--dry-run")["plan"] == []
        clean(world)


def test_a_crash_on_a_full_disk(world):
    """What makes room again goes on: nobody saw the end, and the machine can be removed."""
    with small_disk(world, 24):
        prepare(world)
        run(world)
        fill(world)
        ends = handle(world)
        for who in ("monitor", "vmm"):
            os.kill(ends[who]["pid"], signal.SIGKILL)
        world.wait_until(lambda: state(world) == "crashed", "it is seen")
        world.ok("vm", "rm", "web", "--force")
        world.ok("host", "trash", "empty")
        assert world.entries("vms") == []


def test_a_guest_that_fills_the_disk(world):
    """It stands still, which is told although not a byte can be written, and goes on by itself once
    there is room."""
    with small_disk(world, 64):
        prepare(world)
        run(world)
        fill(world)
        seat = Seat(world, "vm", "console", "web")
        world.wait_until(seat.is_raw, "the terminal is raw")
        seat.type(b"full\n")
        world.wait_until(lambda: state(world) == "paused", "it stands still")
        row = world.json("vm", "list")[0]
        assert row["state"] == "paused" and row["no_space"] is True, row
        world.fails_streaming(125, "vm", "exec", "web", "--", "exit", "3")
        world.fails(74, "vm", "start", "web")
        os.unlink(os.path.join(world.state, "filler"))
        world.wait_until(lambda: state(world) == "running", "it goes on")
        assert "no_space" not in world.json("vm", "show", "web")
        assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
        seat.type(b"\x1d")
        assert seat.end() == 0
        clean(world)


def test_a_disk_that_is_read_only(world):
    """As after an error of it: what runs there can be reached, and stopped."""
    with small_disk(world, 24):
        prepare(world)
        run(world)
        done = subprocess.run(["mount", "--bind", world.state, world.state], check=False)
        if done.returncode != 0:
            raise Skip("no directory can be mounted over itself")
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", world.state], check=True)
            assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
            assert world.json("vm", "stop", "web")["state"] == "stopped"
            world.fails(77, "vm", "start", "web")
        finally:
            subprocess.run(["umount", world.state], check=True)
        assert state(world) == "stopped"
        clean(world)


main()
