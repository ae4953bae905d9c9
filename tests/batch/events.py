# SPDX-License-Identifier: MIT
"""What changes here, as it happens, whoever changes it."""
import json
import os
import signal
import subprocess
import threading
import time

from machine_world import clean, prepare, run
from world import PATIENCE_S, interrupt, main


class Listener:
    """Reads the stream to its end, in a thread of its own."""

    def __init__(self, world, *words):
        self.child = world.start("events", *words, stdout=subprocess.PIPE)
        self.events = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        self.wait(event="watching")

    def read(self):
        for line in self.child.stdout:
            with self.changed:
                self.events.append(json.loads(line))
                self.changed.notify_all()

    def wait(self, **wanted):
        """The first event that says all of this, behind those that were waited for before."""
        end = time.monotonic() + PATIENCE_S
        with self.changed:
            while True:
                for number, event in enumerate(self.events):
                    if all(event.get(key) == value for key, value in wanted.items()):
                        del self.events[:number + 1]
                        return event
                assert time.monotonic() < end, (wanted, self.events)
                self.changed.wait(1)


def test_a_life(world):
    """From the first record to its removal, in this order, by other processes."""
    prepare(world)
    listener = Listener(world)
    world.ok("vm", "create", "small", "--name", "web")
    listener.wait(kind="vm", name="web", event="added")
    pid = world.json("vm", "start", "web")["pid"]
    assert listener.wait(name="web", event="state", state="running")["pid"] == pid
    assert listener.wait(name="web", event="ready")["ready_ms"] >= 0
    world.ok("vm", "pause", "web")
    assert listener.wait(name="web", state="paused")["before"] == "running"
    world.ok("vm", "resume", "web")
    listener.wait(name="web", state="running", before="paused")
    world.ok("vm", "stop", "web")
    ended = listener.wait(name="web", state="stopped")
    assert ended["exit"]["reason"] == "guest-poweroff" and "time" in ended, ended
    world.ok("vm", "rm", "web")
    listener.wait(kind="vm", name="web", event="removed")
    world.ok("kernel", "import", "other", "--from", world.kernel_tree(name="other"))
    listener.wait(kind="kernel", name="other", event="added")
    world.ok("kernel", "import", "other", "--from", world.kernel_tree(name="again"), "--force")
    listener.wait(kind="kernel", name="other", event="replaced")
    world.ok("kernel", "rm", "other")
    listener.wait(kind="kernel", name="other", event="removed")
    world.ok("image", "rm", "small")
    listener.wait(kind="image", name="small", event="removed")
    assert interrupt(listener.child) == 130
    clean(world)


def test_what_nobody_asked_for(world):
    """A machine that begins again by itself, and one that dies with its monitor."""
    prepare(world)
    first = run(world, "web", "", "--restart", "on-failure")["pid"]
    listener = Listener(world)
    os.kill(first, signal.SIGKILL)
    again = listener.wait(name="web", event="state", restarts=1)
    listener.wait(name="web", event="ready")
    assert again["state"] in ("starting", "running"), again
    with open(os.path.join(world.state, "vms", "web", "handle.json"), encoding="utf-8") as file:
        handle = json.load(file)
    os.kill(handle["monitor"]["pid"], signal.SIGKILL)
    os.kill(handle["vmm"]["pid"], signal.SIGKILL)
    listener.wait(name="web", state="crashed")
    assert interrupt(listener.child, signal.SIGTERM) == 143
    clean(world)


def test_the_end_of_the_stream(world):
    prepare(world)
    assert world.run("events", "--timeout", "1s").status == 124
    child = world.start("events", stdout=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(timeout=PATIENCE_S) == 0


main()
