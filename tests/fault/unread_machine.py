# SPDX-License-Identifier: MIT
"""Each file of a machine that runs, and of its processes, cannot be opened or looked at in turn, by
what a host may answer: no command ends the machine for that, calls it ended, damaged or nobody's, or
takes its record away."""
import errno
import json
import os
import subprocess
import sys

import faults
import machine_world
import seed

# Commands that put right what crashes left, and the statuses they have for a machine that is up.
COMMANDS = [(["host", "gc"], 0), (["vm", "start", "web"], 0), (["vm", "rm", "web"], 75)]
ERRORS = ["EMFILE", "EIO"]
REFUSED = {74, 75}
SAMPLED = 30
CALLS = "openat,newfstatat"


def handle_of(place):
    with open(os.path.join(place.state, "vms", "web", "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def trap(place, options, below, words):
    try:
        return subprocess.run(
            [faults.AT_CALL, *options, below, faults.PROGRAM, "--batch", *words, "--format", "json"],
            env=place.env, cwd=place.place, capture_output=True, text=True,
            timeout=faults.world.PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as hang:
        raise AssertionError(f"{words} with {options} below {below}: hangs") from hang


def count_calls(place, below, words, status):
    log = place.path("calls")
    done = trap(place, ["--calls", CALLS, "--log", log], below, words)
    if done.returncode == 77:
        raise faults.Skip("no system call can be trapped here")
    assert done.returncode == status, done
    with open(log, encoding="utf-8", errors="replace") as file:
        return len(file.readlines())


def check(place, handle, why):
    assert handle_of(place) == handle, why
    assert not os.path.exists(os.path.join(place.state, "vms", "web", "exit.json")), why
    assert os.listdir(os.path.join(place.state, "trash")) == [], why
    for who in ("monitor", "vmm"):
        with open(f"/proc/{handle[who]['pid']}/stat", encoding="utf-8", errors="replace") as file:
            assert file.read().rsplit(")", 1)[1].split()[0] not in "ZX", (why, who)


def points_of(place, handle):
    """Every call of every command: (words, status, folder, number)."""
    folders = [os.path.join(place.state, "vms", "web")]
    folders += [f"/proc/{handle[who]['pid']}" for who in ("monitor", "vmm")]
    return [(words, status, below, number)
            for words, status in COMMANDS for below in folders
            for number in range(1, count_calls(place, below, words, status) + 1)]


def fail_at(place, handle, point, error):
    words, status, below, number = point
    why = f"{' '.join(words)}, {error} from call {number} below {below}"
    done = trap(place, ["--calls", CALLS, "--fail", str(number), "--error",
                        str(getattr(errno, error))], below, words)
    assert done.returncode in REFUSED | {status}, (why, done)
    answer = json.loads(done.stdout)
    assert answer.get("error", {}).get("code") != "FORMAT", (why, answer)
    assert not any(answer.get(key) for key in ("damaged", "settled", "processes")), (why, answer)
    check(place, handle, why)


def test(place):
    chance = seed.chance()
    machine_world.prepare(place)
    machine_world.run(place)
    handle = handle_of(place)
    check(place, handle, "at the start")
    points = points_of(place, handle)
    chosen = faults.sample(chance, points, SAMPLED)
    try:
        for number, point in enumerate(chosen):
            fail_at(place, handle, point, ERRORS[number % len(ERRORS)])
        assert machine_world.state(place) == "running"
    finally:
        machine_world.clean(place)
    print(f"{len(chosen)} of {len(points)} calls failed, and the machine runs")


sys.exit(faults.main(test))
