# SPDX-License-Identifier: MIT
"""A machine that begins again between the look that found it ended and the lock of whoever wants it
gone stays."""
import json
import os
import subprocess
import sys

import faults
import machine_world

OTHER = ["vm", "create", "small", "--name", "other", "--disk-size", "64M"]


def set_ephemeral(place, is_ephemeral):
    file = os.path.join(place.state, "vms", "web", "vm.json")
    with open(file, encoding="utf-8") as record:
        spec = json.load(record)
    spec["ephemeral"] = is_ephemeral
    with open(file, "w", encoding="utf-8") as record:
        json.dump(spec, record)


def start_meanwhile(place):
    """As `vm restart` in another process would; a start of its own would sweep it away first."""
    set_ephemeral(place, False)
    place.ok("vm", "start", "web")
    set_ephemeral(place, True)


def test(place):
    machine_world.prepare(place)
    machine_world.run(place)
    place.ok("vm", "stop", "web")
    set_ephemeral(place, True)
    started = False
    with subprocess.Popen(
            faults.trapped(place, ["--calls", "openat,openat2,flock", "--pause"], OTHER),
            env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True) as child:
        for line in child.stdout:
            if not started and faults.Call(line).path.endswith("locks/vm/web"):
                start_meanwhile(place)
                started = True
            child.stdin.write("\n")
            child.stdin.flush()
        status = child.wait(timeout=60)
    if status == 77:
        raise faults.Skip("no system call can be trapped here")
    assert status == 0 and started, (status, started)
    assert "web" in place.entries("vms")
    assert machine_world.state(place) == "running"
    machine_world.clean(place)


sys.exit(faults.main(test))
