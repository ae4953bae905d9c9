#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A change of the store, killed at each of its system calls, and with each of them failing: what has
a final name is always whole, the next start sweeps the rest, and then the same change works. And the
order of the calls: everything is synced before the rename, the parent after it. STORE_FAULTS=all takes
every call, not only those that change something."""
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

DRIVER = os.path.join(os.environ["BUILDDIR"], "tests/support/store_driver")
TRACED = ("openat,mkdirat,write,pwrite64,ftruncate,fsync,syncfs,flock,fstat,newfstatat,"
          "renameat,renameat2,unlinkat,fchmod,close,read,pread64,getdents64,getrandom,getppid")
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", LC_ALL="C")


def drive(state, action, content, strace=None):
    command = [DRIVER, state, action, "k", content]
    if strace is not None:
        command = ["strace", "-o", "/dev/null"] + strace + command
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=60, check=False)


def trace(state, action, content, log):
    """The calls of the change itself, as (name, number of that name since the start, line)."""
    command = ["strace", "-y", "-o", log, "-e", "trace=" + TRACED, DRIVER, state, action, "k", content]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return None
    seen, calls, is_on = collections.Counter(), [], False
    for line in open(log, encoding="utf-8", errors="replace"):
        name = line.split("(", 1)[0]
        seen[name] += 1
        if name == "getppid":
            is_on = True
        elif is_on and re.match(r"^[a-z0-9]+\(", line):
            calls.append((name, seen[name], line.rstrip()))
    return calls


def content_of(state):
    """None when there is no entry, its content when it is whole; anything else is a failure."""
    entry = os.path.join(state, "kernels", "k")
    if not os.path.lexists(entry):
        return None
    found = set()
    for name in ("vmlinux", "modules/kernel/x.ko"):
        with open(os.path.join(entry, name), encoding="ascii") as file:
            found.add(file.read())
    with open(os.path.join(entry, "manifest.json"), encoding="ascii") as file:
        manifest = json.load(file)
    assert manifest["name"] == "k"
    found.add(manifest["distro"])
    assert len(found) == 1, found
    return found.pop()


def leftovers(state):
    return [name for name in os.listdir(os.path.join(state, "kernels")) if name.startswith(".")]


class Scenario:
    def __init__(self, action, before, after):
        self.action, self.before, self.after = action, before, after

    def prepare(self, place):
        state = os.path.join(place, "state")
        shutil.rmtree(state, ignore_errors=True)
        if self.before is None:
            assert drive(state, "sweep", "x").returncode == 0
        else:
            assert drive(state, "publish", self.before).returncode == 0
        return state

    def finish(self, state, why):
        """After whatever happened: sweep, and the change can be made."""
        done = drive(state, "sweep", "x")
        assert done.returncode == 0, (why, done.stderr)
        assert leftovers(state) == [], (why, leftovers(state))
        now = content_of(state)
        assert now in (self.before, self.after), (why, now)
        if now == self.before:
            done = drive(state, self.action, "new")
            assert done.returncode == 0, (why, done.stderr)
        assert content_of(state) == self.after, why
        assert leftovers(state) == [], why


SCENARIOS = [Scenario("publish", None, "new"), Scenario("replace", "old", "new"),
             Scenario("remove", "old", None)]


def is_change(name, line):
    """Between two calls that change nothing, one moment to die is like the other."""
    return name in ("mkdirat", "write", "fsync", "syncfs", "renameat", "renameat2", "unlinkat",
                    "flock", "ftruncate") or "O_CREAT" in line


def kill_everywhere(place, scenario, calls):
    for name, number, line in calls:
        state = scenario.prepare(place)
        done = drive(state, scenario.action, "new",
                     ["-e", f"inject={name}:signal=KILL:when={number}"])
        assert done.returncode == -signal.SIGKILL, (line, done)
        assert content_of(state) in (scenario.before, scenario.after), line
        scenario.finish(state, f"{scenario.action} killed at {line}")
    return len(calls)


def fail_everywhere(place, scenario, calls, error):
    count = 0
    for name, number, line in calls:
        if name in ("close", "getrandom"):
            continue
        state = scenario.prepare(place)
        why = f"{scenario.action} with {error} from {line}"
        done = drive(state, scenario.action, "new", ["-e", f"inject={name}:error={error}:when={number}"])
        now = content_of(state)
        if done.returncode == 0:
            assert now == scenario.after, why
        else:
            assert done.returncode in (66, 70, 73, 74, 75, 77), (why, done.returncode, done.stderr)
            assert done.stderr.strip() != "", why
            # What failed has not happened, even behind the rename.
            assert now == scenario.before or scenario.action == "remove", (why, now)
            assert now in (scenario.before, scenario.after), why
            assert scenario.action == "remove" or leftovers(state) == [] or name == "unlinkat", why
        scenario.finish(state, why)
        count += 1
    return count


def check_order(calls, why):
    """Every file and directory of the staging is synced after its last write and before the rename;
    the kind's directory after it."""
    dirty, renamed, is_parent_synced = set(), False, False
    for name, _, line in calls:
        path = re.search(r"\(\d+<([^>]*)>", line)
        path = path.group(1) if path else ""
        if name == "write" and "/.tmp-" in path:
            dirty.add(path)
            assert not renamed, (why, line)
        elif name == "openat" and "O_CREAT" in line and "/.tmp-" in line:
            dirty.add(re.search(r"= \d+<([^>]*)>", line).group(1))
        elif name == "fsync":
            dirty.discard(path)
            is_parent_synced = is_parent_synced or (renamed and path.endswith("/kernels"))
        elif name == "renameat2" and ".tmp-" in line and "= 0" in line:
            assert not dirty, (why, dirty)
            renamed = True
    assert renamed and is_parent_synced, why
    for part in ("", "/modules", "/modules/kernel"):
        assert any(name == "fsync" and re.search(r"/\.tmp-[0-9a-f]+" + part + ">", line)
                   for name, _, line in calls), (why, "not synced: staging" + part)


def main():
    if shutil.which("strace") is None:
        print("skipped: install strace")
        return 77
    place = tempfile.mkdtemp(prefix="banger-test-")
    try:
        kills = failures = 0
        for scenario in SCENARIOS:
            log = os.path.join(place, "trace")
            calls = trace(scenario.prepare(place), scenario.action, "new", log)
            if not calls:
                print("skipped: strace cannot trace here")
                return 77
            if scenario.action != "remove":
                check_order(calls, scenario.action)
            if os.environ.get("STORE_FAULTS") != "all":
                calls = [call for call in calls if is_change(call[0], call[2])]
            kills += kill_everywhere(place, scenario, calls)
            failures += fail_everywhere(place, scenario, calls, "EIO")
            if scenario.action == "publish":
                failures += fail_everywhere(place, scenario, calls, "ENOSPC")
        print(f"{kills} kill points, {failures} failing calls: nothing half-made ever had a name")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
