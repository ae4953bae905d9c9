# SPDX-License-Identifier: MIT
"""A guest whose agent lies: half-frames, frames out of turn, archives that lead elsewhere, changes
without end. Whatever it says, the commands end, the monitor lives and stays small, and nothing on this
host changes but where a copy was to go. Seeds are printed; BANGER_SEED repeats one,
BANGER_CHECK_ALL=yes takes more of them."""
import json
import os
import signal
import subprocess

from machine_world import clean, prepare
from world import PATIENCE_S, SANITIZED, main
import seed

IS_ALL = os.environ.get("BANGER_CHECK_ALL") == "yes"
COUNT = 60 if IS_ALL else 4
MONITOR_KIB = (400 if SANITIZED else 48) << 10
GROWTH_KIB = (400 << 10) if SANITIZED else 512  # a sanitizer keeps what was freed


def monitor_of(world, name):
    with open(os.path.join(world.state, "vms", name, "handle.json"), encoding="utf-8") as file:
        return json.load(file)["monitor"]["pid"]


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def outside(world):
    """What a copy must leave alone."""
    found = {}
    for folder, _, names in os.walk(world.path("outside")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.read()
    return found, os.path.lexists("/tmp/banger-evil"), sorted(os.listdir(world.place))


def lie(world, seed):
    name = f"vm-{seed}"
    print(f"seed {seed}", flush=True)
    world.ok("vm", "run", "small", "--name", name, "--append", f"fake.chaos={seed}", "--publish",
             "0:80")
    monitor = monitor_of(world, name)
    world.mkdir("out", name)
    before = outside(world)
    commands = [("vm", "cp", f"{name}:/x", world.path("out", name)),
                ("vm", "cp", f"{name}:/y", world.path("out", name, "new")),
                ("vm", "exec", "-n", name, "--", "cat"), ("vm", "ports", name),
                ("vm", "cp", f"{name}:/z", world.path("out", name)),
                ("vm", "stats", name), ("vm", "proxy", name, "80")]
    children = [world.start(*command[:2], "--timeout", "3s", *command[2:], stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for command in commands]
    for command, child in zip(commands, children):
        said = child.communicate(timeout=PATIENCE_S)[1].decode("utf-8", "replace")
        assert 0 <= child.returncode < 256 and child.returncode not in (70, 139, 134), \
            (command, child.returncode, said)
        assert "Sanitizer" not in said and "runtime error" not in said, (command, said)
    assert outside(world) == before, (before, outside(world))
    assert world.json("vm", "show", name)["state"] == "running"
    assert monitor_of(world, name) == monitor and resident_kib(monitor) < MONITOR_KIB
    world.ok("vm", "kill", name)


def test_lies(world):
    prepare(world)
    world.write("outside/secret", "kept")
    first = seed.first()
    for number in range(first, first + (1 if seed.IS_TOLD else COUNT)):
        lie(world, number)
    clean(world)


def test_changes_without_end(world):
    """A listener that stands still costs the monitor nothing, and hears the end when it goes on."""
    prepare(world)
    world.ok("vm", "run", "small", "--name", "web", "--append", "fake.events")
    monitor = monitor_of(world, "web")
    waiting = world.start("vm", "wait", "web", "--for", "exit")
    world.wait_until(lambda: len(os.listdir(f"/proc/{waiting.pid}/fd")) > 6, "it listens")
    os.kill(waiting.pid, signal.SIGSTOP)
    before, small = ticks(monitor), resident_kib(monitor)
    world.wait_until(lambda: ticks(monitor) > before + 100, "the monitor has had a lot to tell")
    grown = resident_kib(monitor) - small
    assert grown < GROWTH_KIB, grown
    os.kill(waiting.pid, signal.SIGCONT)
    world.ok("vm", "kill", "web")
    assert waiting.wait(timeout=PATIENCE_S) == 0
    clean(world)


def ticks(pid):
    """Processor time of a process, in hundredths of a second."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


main()
