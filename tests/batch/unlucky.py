# SPDX-License-Identifier: MIT
"""Who works on a machine dies over it, or its VMM does: what is said afterwards is true, and the
machine can be worked with."""
import json
import os
import signal
import subprocess

from machine_world import clean, prepare, run, stand_in, state
from world import PATIENCE_S, main


def handle(world, name="web"):
    with open(os.path.join(world.state, "vms", name, "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def stop_and_die(world):
    """A stop that its guest does not listen to, killed at work."""
    child = world.start("vm", "stop", "web", "--timeout", "2s", stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    world.wait_until(lambda: state(world) == "stopping", "it is stopped")
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
    os.kill(handle(world)["monitor"]["pid"], signal.SIGKILL)
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


def test_a_vmm_that_is_killed_at_its_start(world):
    """Such as by a host that has no memory: that is what is told, not which of its lines ended."""
    prepare(world)
    world.write("qemu", f'#!/bin/sh\ncase "$*" in *-uuid*) kill -9 $$;; esac\n'
                        f'exec {stand_in("qemu")} "$@"\n')
    os.chmod(world.path("qemu"), 0o755)
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"[paths]\nqemu = {world.path('qemu')}\n")
    world.ok("vm", "create", "small", "--name", "web")
    error = world.fails(69, "vm", "start", "web")
    assert error["code"] == "VMM" and "9 (KILL)" in error["message"], error
    assert state(world) == "crashed"
    clean(world)


main()
