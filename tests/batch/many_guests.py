# SPDX-License-Identifier: MIT
"""Several real guests at once: started, used and stopped by one command each, beside a list that stays
responsive, and nothing is left of them. Six with BANGER_CHECK_ALL=yes, else two."""
import glob
import os
import subprocess
import threading
import time

from machine_world import clean, prepare_probe
from world import BUILDDIR, PATIENCE_S, Skip, main, sha256_of

COUNT = 6 if os.environ.get("BANGER_CHECK_ALL") == "yes" else 2
MEMORY_MIB = 128
MIB = 1 << 20


def prepare(world):
    with open("/proc/meminfo", encoding="utf-8") as file:
        available_mib = [int(line.split()[1]) // 1024 for line in file if "MemAvailable" in line][0]
    if available_mib < COUNT * MEMORY_MIB * 2:
        raise Skip(f"{available_mib} MiB of memory are too few for {COUNT} guests")
    return prepare_probe(world)


def leftovers(world):
    """Processes below the state directory, and files of a run that ended."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{entry}/cwd").startswith(world.state + "/"):
                found.append(entry)
        except OSError:
            pass
    return found + glob.glob(os.path.join(world.state, "vms", "*", "*.sock")) + \
        glob.glob(os.path.join(world.state, "vms", "*", "handle.json"))


def everywhere(names, action):
    """The action on each at the same time; what they returned, by name."""
    results = {}
    threads = [threading.Thread(target=lambda name=name: results.update({name: action(name)}))
               for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S * 3)
    return results


def seconds(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def test_many_guests_at_once(world):
    disk = prepare(world)
    digest = sha256_of(disk)
    names = [f"vm-{number}" for number in range(COUNT)]
    for name in names:
        world.ok("vm", "create", "small", "--name", name, "--memory", f"{MEMORY_MIB}M")
    rows = world.json("vm", "start", *names)
    assert [row["name"] for row in rows] == names and all(row["ready_ms"] > 0 for row in rows)
    assert len({row["pid"] for row in rows}) == COUNT
    assert [row["name"] for row in world.json("vm", "list", "--running")] == names
    assert len(world.json("vm", "stats")) == COUNT
    assert seconds(lambda: world.json("vm", "list")) < PATIENCE_S / 2
    for name, row in everywhere(names, lambda name: world.run(
            "vm", "exec", name, "--", "/bin/probe", "write", "/mine", name)).items():
        assert row.status == 0, (name, str(row))
    data = {name: os.urandom(MIB) for name in names}
    echoed = everywhere(names, lambda name: subprocess.run(
        [os.path.join(BUILDDIR, "banger"), "vm", "exec", name, "--", "/bin/probe", "cat"],
        env=world.env, input=data[name], stdout=subprocess.PIPE, check=True).stdout)
    assert echoed == data
    ended = world.json("vm", "stop", *names)
    assert [row["exit"]["reason"] for row in ended] == ["guest-poweroff"] * COUNT, ended
    assert leftovers(world) == []
    for name in names:  # each has what was written to it, right before, and nothing of the others
        upper = os.path.join(world.state, "vms", name, "upper.ext4")
        said = subprocess.run(["debugfs", "-R", "cat /upper/mine", upper], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True, text=True).stdout
        assert said == name, (name, said)
    assert sha256_of(disk) == digest
    clean(world)
    assert leftovers(world) == []


main()
