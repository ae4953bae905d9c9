# SPDX-License-Identifier: MIT
"""What changes here, as it happens, whoever changes it."""
import json
import os
import signal
import subprocess
import threading
import time

from machine_world import clean, prepare, run
from seat import Seat
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


def deeds(world, *words):
    return [line for line in world.ok("events", *words).lines() if line["event"] == "change"]


def make_deeds(world):
    """Two imports, one of them forced, and a removal."""
    for extra in ((), ("--force",)):
        world.ok("kernel", "import", "lab", "--from", world.kernel_tree(), *extra)
    world.ok("kernel", "import", "other", "--from", world.kernel_tree())
    world.ok("kernel", "rm", "lab")
    world.fails(66, "kernel", "rm", "nobody")  # changed nothing


def test_who_did_what(world):
    """The one question after the fact: who removed it, when, from which terminal."""
    make_deeds(world)
    told = deeds(world, "--since", "all")
    assert [line["command"].split()[:3] for line in told] == [
        ["kernel", "import", "lab"], ["kernel", "import", "lab"], ["kernel", "import", "other"],
        ["kernel", "rm", "lab"]], told
    assert [line.get("forced", False) for line in told] == [False, True, False, False]
    last = told[-1]
    assert (last["kind"], last["name"]) == ("kernel", "lab") and last["login"] and last["pid"] > 1
    assert last["time"].endswith("Z")
    for words, count in ((("kernel/lab",), 3), (("lab",), 3), (("other", "lab"), 4), (("kernel",), 4),
                         (("image",), 0), (("image/lab",), 0), (("--by", last["login"]), 4),
                         (("--by", "nobody-at-all"), 0)):
        assert len(deeds(world, "--since", "all", *words)) == count, words


def test_since(world):
    """The log's own moments, whatever the time is now."""
    log = world.path("state", "log", "changes.jsonl")
    world.ok("kernel", "list")
    moments = ("2026-06-28T09:00:00Z", "2026-06-30T09:00:00Z", "2026-07-01T00:00:00Z", "2026-07-01T11:30:00Z")
    with open(log, "w", encoding="utf-8") as file:
        for number, moment in enumerate(moments):
            line = {"format": 1, "time": moment, "login": "kim", "terminal": "pts/3", "pid": 1,
                    "subject": "image", "verb": "rm", "object": f"image/n{number}",
                    "command": f"image rm n{number}"}
            file.write(json.dumps(line) + "\n")
    world.env["BANGER_CLOCK"] = "2026-07-01T12:00:00Z"
    for since, count in (("all", 4), ("1h", 1), ("45m", 1), ("today", 2), ("yesterday", 3), ("2d", 3),
                         ("1w", 4), ("2026-06-30", 3), ("2026-07-01T11:30:00Z", 1),
                         ("2026-07-01T13:45:00+02:00", 0)):
        told = deeds(world, "--since", since)
        assert len(told) == count, (since, told)
        assert all(line["terminal"] == "pts/3" for line in told)
    for wrong in ("someday", "2026-13-01", "-1d", "d", ""):
        world.fails_streaming(64, "events", "--since", wrong)


def test_lines_that_cannot_be_read(world):
    """They hide no other line, and it is said how many they are."""
    make_deeds(world)
    log = world.path("state", "log", "changes.jsonl")
    with open(log, "rb") as file:
        good = file.read()
    hostile = (b"\0\xff\n", b"[]\n", b"{\"format\":2}\n", b"{\"time\":\"no\"}\n", b"x" * 200000 + b"\n",
               b"[" * 5000 + b"\n")
    with open(log, "wb") as file:
        file.write(hostile[0] + good + b"".join(hostile[1:]) + good + good[:40])
    told = world.ok("events", "--since", "all").lines()
    assert len([line for line in told if line["event"] == "change"]) == 8
    (left_out,) = [line for line in told if line["event"] == "unreadable"]
    assert left_out["lines"] >= len(hostile), left_out
    # The cut one at the end swallows none that comes after it.
    world.ok("kernel", "rm", "other")
    assert deeds(world, "--since", "all")[-1]["command"] == "kernel rm other"


def test_what_was_done_and_then_what_comes(world):
    make_deeds(world)
    listener = Listener(world, "--since", "all", "--follow", "kernel")
    world.ok("kernel", "rm", "other")
    listener.wait(event="removed", name="other")
    assert interrupt(listener.child) == 130
    listener.thread.join(PATIENCE_S)
    listener = Listener(world)
    world.ok("kernel", "import", "again", "--from", world.kernel_tree())
    assert listener.wait(event="change", name="again")["login"]
    assert interrupt(listener.child) == 130


def test_for_people(world):
    """No JSON and no control character, whatever somebody wrote into the log."""
    make_deeds(world)
    with open(world.path("state", "log", "changes.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps({"format": 1, "time": "2026-07-01T09:00:00Z", "login": "\x1b[2J\x07",
                               "terminal": "\r\n", "subject": "vm", "verb": "prune", "object": "vm/\x9b1m",
                               "command": "vm \x1b]0;x\x07", "names": ["\x1b[31m", "web"]}) + "\n")
    with open(world.path("state", "log", "changes.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps({"time": "2026-07-01T09:00:00Z", "login": 7, "subject": [], "verb": {},
                               "names": [7, None]}) + "\n")
    text = world.ok("events", "--since", "all", "--plain").out
    assert len(text.splitlines()) == 6 and "kernel rm lab" in text and "web" in text, text
    assert not text.lstrip().startswith("{")
    assert all(char == "\n" or char >= " " and not "\x7f" <= char < "\xa0" for char in text), text
    seat = Seat(world, "events", "--since", "all", "kernel")
    seat.read_until(b"kernel rm lab")
    assert seat.end() == 0 and b"{" not in seat.shown, seat.shown
    seat = Seat(world, "events", "--since", "all", "--format", "jsonl")
    seat.read_until(b'"command":"kernel rm lab"')
    assert seat.end() == 0


def test_the_end_of_the_stream(world):
    prepare(world)
    assert world.run("events", "--timeout", "1s").status == 124
    child = world.start("events", stdout=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(timeout=PATIENCE_S) == 0


main()
