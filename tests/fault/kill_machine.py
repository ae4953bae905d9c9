# SPDX-License-Identifier: MIT
"""The real program killed while it makes a machine, at each of its calls that concern the store, and
while it starts one, at any moment: afterwards there is a machine that is known and can be managed, or
nothing, and no process that nobody knows of."""
import os
import subprocess
import sys
import time

import faults
import machine_world
import seed

SAMPLED_CALLS = 14
SAMPLED_MOMENTS = 14
CREATE = ["vm", "create", "small", "--name", "web", "--disk-size", "64M"]
START = ["vm", "start", "web"]


def processes(place):
    """What works below the state directory."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            where = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if where.startswith(place.state + "/"):
            found.append(int(entry))
    return found


def check_create(place, why):
    """The record is there as a whole or not at all, and the name can be used either way."""
    names = place.entries("vms")
    named = [name for name in names if name[0] != "."]
    assert named in ([], ["web"]), (why, names)
    rows = place.json("vm", "list")
    assert [(row["name"], row["state"]) for row in rows] == [(name, "created") for name in named], why
    if named:
        disk = os.path.join(place.state, "vms", "web", "upper.ext4")
        assert subprocess.run(["e2fsck", "-fn", disk], capture_output=True,
                              check=False).returncode == 0, why
        place.ok("vm", "rm", "web")
    else:
        place.ok(*CREATE)
        place.ok("vm", "rm", "web")
    assert place.entries("vms") == [], why


def kill_creates(place, chance):
    log = place.path("calls")
    done = subprocess.run(faults.trapped(place, ["--log", log], CREATE), env=place.env,
                          cwd=place.place, capture_output=True, timeout=120, check=False)
    if done.returncode == 77:
        raise faults.Skip("no system call can be trapped here")
    assert done.returncode == 0, done.stderr
    with open(log, encoding="utf-8", errors="replace") as file:
        calls = [faults.Call(line) for line in file]
    place.ok("vm", "rm", "web")
    points = calls if faults.IS_ALL else [call for call in calls if call.changes()]
    chosen = faults.sample(chance, points, SAMPLED_CALLS)
    killed = 0
    for call in chosen:
        done = subprocess.run(
            faults.trapped(place, ["--kill", str(call.number)], CREATE), env=place.env,
            cwd=place.place, capture_output=True, timeout=60, check=False)
        assert done.returncode in (137, 0), (call, done)
        killed += done.returncode == 137
        check_create(place, f"create killed at {call}")
    print(f"create: {len(calls)} calls, {len(chosen)} kill points, {killed} times killed", flush=True)
    assert killed > len(chosen) // 2


def settled(place, why):
    """The state in which nothing changes any more by itself."""
    end = time.monotonic() + 60
    while True:
        shown = place.json("vm", "show", "web")["state"]
        here = processes(place)
        if shown == "running" and here:
            return shown
        if shown in ("created", "stopped", "crashed") and not here:
            return shown
        assert time.monotonic() < end, f"{why}: {shown} with processes {here}"
        time.sleep(0.02)


def kill_starts(place, chance):
    begin = time.monotonic()
    place.ok(*START)
    took = time.monotonic() - begin
    place.ok("vm", "stop", "web")
    seen = {}
    for _ in range(200 if faults.IS_ALL else SAMPLED_MOMENTS):
        moment = chance.uniform(0, took)
        child = place.start(*START, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        child.kill()
        child.wait()
        place.children.remove(child)
        why = f"start killed after {moment * 1000:.1f} ms"
        state = settled(place, why)
        seen[state] = seen.get(state, 0) + 1
        if state == "running":
            place.ok("vm", "wait", "web")
            assert place.run("vm", "exec", "web", "--", "exit", "5").status == 5, why
        assert place.json("host", "gc")["processes"] == [], why
        place.ok("vm", "restart", "web")
        place.ok("vm", "stop", "web")
        assert processes(place) == [], why
    print(f"start: {seen}", flush=True)


def test(place):
    chance = seed.chance()
    machine_world.prepare(place)
    kill_creates(place, chance)
    place.ok(*CREATE)
    kill_starts(place, chance)
    place.ok("vm", "rm", "web")


sys.exit(faults.main(test))
