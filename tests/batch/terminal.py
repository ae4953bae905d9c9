# SPDX-License-Identifier: MIT
"""A guest's shell and serial line on the caller's terminal, which is given back as it was."""
import json
import os
import signal

from machine_world import clean, prepare, run
from seat import Seat
from world import main


def test_exec_with_a_terminal(world):
    prepare(world)
    run(world)
    seat = Seat(world, "vm", "exec", "-t", "web", "--", "cat")
    world.wait_until(seat.is_raw, "the terminal is raw")
    seat.type(b"hello\r")
    seat.read_until(b"hello")
    seat.child.send_signal(signal.SIGTERM)
    assert seat.end() == 143
    seat = Seat(world, "vm", "exec", "-t", "web", "--", "exit", "3")
    assert seat.end() == 3
    clean(world)


def test_console(world):
    prepare(world)
    run(world)
    seat = Seat(world, "vm", "console", "web")
    world.wait_until(seat.is_raw, "the terminal is raw")
    seat.type(b"hello\n")
    seat.read_until(b"got hello")
    seat.type(b"\x1d")
    assert seat.end() == 0
    clean(world)


def test_console_is_left_by_the_key_one_chose(world):
    prepare(world)
    run(world)
    with open(world.env["BANGER_CONFIG"], "a", encoding="utf-8") as file:
        file.write("[ui]\ndetach_keys = ctrl-t\n")
    for words, key in ((["--detach-keys", "^a"], b"\x01"), ([], b"\x14")):
        seat = Seat(world, "vm", "console", "web", *words)
        world.wait_until(seat.is_raw, "the terminal is raw")
        seat.type(b"a\x1db\n")  # the usual key is the guest's now
        seat.read_until(b"got a\x1db")
        seat.type(key)
        assert seat.end() == 0
    assert Seat(world, "vm", "console", "web", "--detach-keys", "x").end() == 64
    clean(world)


def test_failure_gives_the_terminal_back(world):
    prepare(world)
    assert Seat(world, "vm", "console", "nope").end() == 66
    assert Seat(world, "vm", "exec", "-t", "nope", "--", "sh").end() == 125
    clean(world)


def test_killed_by_a_fault(world):
    """A crash of ours does not leave the terminal raw."""
    prepare(world)
    run(world)
    seat = Seat(world, "vm", "exec", "-t", "web", "--", "cat")
    world.wait_until(seat.is_raw, "the terminal is raw")
    seat.child.send_signal(signal.SIGQUIT)
    assert seat.end() != 0
    clean(world)


def handle(world, name):
    with open(os.path.join(world.state, "vms", name, "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def test_the_console_finds_its_machines_again(world):
    """One whose monitor died gets a new one at once, one that ended unseen is settled."""
    prepare(world)
    run(world)
    run(world, "gone")
    before = handle(world, "web")
    for process in (handle(world, "gone")["monitor"], handle(world, "gone")["vmm"],
                    before["monitor"]):
        os.kill(process["pid"], signal.SIGKILL)
    seat = Seat(world, program_words=["--ascii"], TERM="xterm")
    world.wait_until(lambda: handle(world, "web")["monitor"] != before["monitor"], "a monitor")
    place = os.path.join(world.state, "vms", "gone")
    world.wait_until(lambda: "exit.json" in os.listdir(place), "the end of the other")
    assert handle(world, "web")["vmm"] == before["vmm"]
    seat.read_until(b"crashed")
    seat.type(b"q")
    assert seat.end() == 0
    clean(world)


def test_progress_on_a_terminal(world):
    """One line that rewrites itself and is gone in the end; no escape sequence is needed for it."""
    world.env["TERM"] = "xterm"
    world.offer_kernel(world.server())
    seat = Seat(world, "kernel", "pull", "lab", "--progress", "auto", "--format", "jsonl")
    seat.read_until(b'"changed":true')
    assert b"\x1b" not in seat.shown and b"\r" in seat.shown
    assert seat.end() == 0


main()
