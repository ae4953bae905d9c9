# SPDX-License-Identifier: MIT
"""The real program killed while it makes, restores and removes a snapshot of a machine, at each of its
calls that concern the store, and failing there: afterwards, as soon as somebody does something with
the machine, it is what it was or what it was to become, with all its disks and its settings, and one
that was made to stand still goes on."""
import errno
import json
import os
import shutil
import subprocess
import sys

import faults
import machine_world
import seed

SAMPLED = 12
SAMPLED_RUNNING = 6
SAMPLED_ERRORS = 4
DISKS = ("upper.ext4", "disk1.ext4", "disk2.ext4")


def machine(place):
    """What it is: each disk that it has, and its settings."""
    folder = os.path.join(place.state, "vms", "web")
    found = {name: faults.digest_of(os.path.join(folder, name)) for name in DISKS
             if os.path.exists(os.path.join(folder, name))}
    with open(os.path.join(folder, "vm.json"), encoding="utf-8") as file:
        found["spec"] = json.load(file)
    return found


def snapshots(place):
    """Of each all that is in it, and nothing hidden."""
    folder = os.path.join(place.state, "vms", "web", "snapshots")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    assert not [name for name in names if name[0] == "."], names
    return {name: faults.entry_of(os.path.join(folder, name)) for name in names}


def write(place, word, *files):
    for name in files:
        with open(os.path.join(place.state, "vms", "web", name), "r+b") as disk:
            disk.seek(1 << 20)
            disk.write(word)


def prepare(place):
    """A machine that was one thing when its snapshot was made and is another one now."""
    shutil.rmtree(place.state, ignore_errors=True)
    machine_world.prepare(place)
    place.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M", "--disk", "16M:/a",
             "--append", "was=1")
    write(place, b"was", "upper.ext4", "disk1.ext4")
    place.ok("vm", "snapshot", "create", "web", "one")
    place.ok("vm", "set", "web", "--append", "is=1", "--no-disk", "/a", "--force")
    place.ok("vm", "set", "web", "--disk", "16M:/x", "--disk", "16M:/b")
    write(place, b"is", "upper.ext4", "disk1.ext4", "disk2.ext4")


class Change:
    def __init__(self, place, words, again):
        self.words, self.again = ["vm", "snapshot", *words], again
        prepare(place)
        self.template = place.path("template")
        shutil.rmtree(self.template, ignore_errors=True)
        subprocess.run(["cp", "-a", place.state, self.template], check=True)
        self.before = machine(place), snapshots(place)
        place.ok(*self.words)
        self.after = machine(place), snapshots(place)
        assert self.before != self.after

    def reset(self, place):
        shutil.rmtree(place.state)
        subprocess.run(["cp", "-a", self.template, place.state], check=True)

    def trap(self, place, options):
        self.reset(place)
        done = subprocess.run(faults.trapped(place, options, self.words), env=place.env,
                              cwd=place.place, capture_output=True, timeout=120, check=False)
        if done.returncode == 77:
            raise faults.Skip("no system call can be trapped here")
        return done

    def calls(self, place):
        log = place.path("calls")
        done = self.trap(place, ["--log", log])
        assert done.returncode == 0, done.stderr
        with open(log, encoding="utf-8", errors="replace") as file:
            return [faults.Call(line) for line in file]

    def check(self, place, why):
        """The next one who takes it settles it, whatever he wanted."""
        assert place.run("vm", "snapshot", "rm", "web", "never-there").status == 66, why
        now = machine(place), snapshots(place)
        assert now in (self.before, self.after), (why, now, self.before, self.after)
        wanted = 0 if now == self.before else self.again
        result = place.run(*self.words)
        assert result.status == wanted, f"{why}: again: {result}"
        assert (machine(place), snapshots(place)) == self.after, f"{why}: again"


def disturb(place, chance, words, again):
    change = Change(place, words, again)
    calls = change.calls(place)
    points = calls if faults.IS_ALL else [call for call in calls if call.changes()]
    killed = 0
    for call in faults.sample(chance, points, SAMPLED):
        why = f"{words} killed at {call}"
        done = change.trap(place, ["--kill", str(call.number)])
        assert done.returncode in (137, 0), (why, done)
        killed += done.returncode == 137
        change.check(place, why)
    assert killed, words
    for call in faults.sample(chance, [call for call in calls if call.changes()], SAMPLED_ERRORS):
        error = chance.choice(("ENOSPC", "EIO"))
        why = f"{words} with {error} at {call}"
        done = change.trap(place, ["--fail", str(call.number), "--error",
                                   str(getattr(errno, error)), "--times", "1"])
        assert done.returncode in faults.HONEST | {0}, (why, done)
        change.check(place, why)
    print(f"{words[0]}: {len(calls)} calls, {killed} times killed", flush=True)


def kill_while_it_runs(place, chance):
    """It never stands still for ever."""
    prepare(place)
    place.ok("vm", "start", "web")
    words = ["vm", "snapshot", "create", "web", "two", "--memory"]
    log = place.path("calls")
    done = subprocess.run(faults.trapped(place, ["--log", log], words), env=place.env,
                          cwd=place.place, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done
    place.ok("vm", "snapshot", "rm", "web", "two")
    with open(log, encoding="utf-8", errors="replace") as file:
        calls = [call for call in map(faults.Call, file) if faults.IS_ALL or call.changes()]
    for call in faults.sample(chance, calls, SAMPLED_RUNNING):
        subprocess.run(faults.trapped(place, ["--kill", str(call.number)], words), env=place.env,
                       cwd=place.place, capture_output=True, timeout=120, check=False)
        place.run("vm", "snapshot", "rm", "web", "two")
        assert place.json("vm", "show", "web")["state"] == "running", call
        assert place.run("vm", "exec", "web", "--", "exit", "5").status == 5, call
        assert set(snapshots(place)) == {"one"}, call
    place.ok("vm", "rm", "web", "--force")


def test(place):
    chance = seed.chance()
    disturb(place, chance, ["create", "web", "two"], 73)
    disturb(place, chance, ["restore", "web", "one"], 0)
    disturb(place, chance, ["rm", "web", "one"], 66)
    kill_while_it_runs(place, chance)


sys.exit(faults.main(test))
