# SPDX-License-Identifier: MIT
"""The control group of a machine, where this host lets us make one: what is in it, what it counts, and
that none is left behind, whoever is killed."""
import json
import os
import signal
import subprocess
import uuid

from machine_world import clean, prepare, run, state
from world import Skip, main


def own_group():
    """Of this test, in the hierarchy of version 2; groups can be made in it."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        places = [line.split()[4] for line in file if " - cgroup2 " in line]
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        paths = [line.strip()[3:] for line in file if line.startswith("0::")]
    if not places or not paths:
        raise Skip("no control groups of version 2 here")
    group = places[0] + paths[0].rstrip("/")
    if not os.access(group, os.W_OK) or not os.access(group + "/cgroup.procs", os.W_OK):
        raise Skip(f"{group} is not this user's")
    return group


def members(group):
    with open(os.path.join(group, "cgroup.procs"), encoding="utf-8") as file:
        return {int(line) for line in file}


def handle(world, name="web"):
    with open(os.path.join(world.state, "vms", name, "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def begin(world):
    parent = own_group()
    prepare(world)
    run(world, "web", "fake.realagent")
    record = handle(world)
    assert record["cgroup"] == os.path.join(parent, "banger-" + record["uuid"]), record
    return record


def test_monitor_and_vmm_are_in_it_until_the_end(world):
    record = begin(world)
    group = record["cgroup"]
    assert {record["monitor"]["pid"], record["vmm"]["pid"]} <= members(group)
    (row,) = world.json("vm", "stats", "web")
    assert row["sources"]["cpu"] == "cgroup" and row["cgroup"] == group, row
    assert world.json("host", "gc", "--dry-run")["plan"] == []
    # In its next boot the machine counts from 0 again.
    world.ok("vm", "exec", "web", "--", "sh", "-c", "i=0; while [ $i -lt 200000 ]; do "
             "i=$((i+1)); done")
    (used,) = world.json("vm", "stats", "web")
    world.ok("vm", "restart", "web")
    assert handle(world)["cgroup"] == group
    (row,) = world.json("vm", "stats", "web")
    assert row["cpu_ms"] < used["cpu_ms"] and row["sources"]["cpu"] == "cgroup", (used, row)
    world.ok("vm", "stop", "web")
    assert not os.path.exists(group)
    clean(world)


def test_an_end_by_itself_leaves_none(world):
    record = begin(world)
    os.kill(record["vmm"]["pid"], signal.SIGKILL)
    world.ok("vm", "wait", "web", "--for", "exit")
    world.wait_until(lambda: not os.path.exists(record["cgroup"]), "it is gone")
    clean(world)


def test_a_new_monitor_goes_where_the_old_one_was(world):
    record = begin(world)
    os.kill(record["monitor"]["pid"], signal.SIGKILL)
    world.wait_until(lambda: record["monitor"]["pid"] not in members(record["cgroup"]), "it is dead")
    world.ok("vm", "exec", "web", "--", "true")
    now = handle(world)
    assert now["cgroup"] == record["cgroup"] and now["vmm"] == record["vmm"], (record, now)
    assert {now["monitor"]["pid"], now["vmm"]["pid"]} <= members(now["cgroup"])
    world.ok("vm", "stop", "web")
    assert not os.path.exists(record["cgroup"])
    clean(world)


def test_all_killed(world):
    """gc settles the machine, and what else was in its group ends."""
    record = begin(world)
    group = record["cgroup"]
    other = subprocess.Popen(["sleep", "3600"])
    world.children.append(other)
    with open(os.path.join(group, "cgroup.procs"), "w", encoding="utf-8") as file:
        file.write(str(other.pid))
    for part in ("monitor", "vmm"):
        os.kill(record[part]["pid"], signal.SIGKILL)
    world.wait_until(lambda: not {record[part]["pid"] for part in ("monitor", "vmm")} &
                     members(group), "both are dead")
    world.ok("host", "gc")
    assert other.wait(timeout=60) == -signal.SIGKILL
    assert not os.path.exists(group) and state(world) == "crashed"
    clean(world)


def fill(world, group, owner):
    """A process of nobody's in a group; the process."""
    os.makedirs(group, exist_ok=True)
    os.setxattr(group, "user.banger.state", owner.encode())
    child = subprocess.Popen(["sleep", "3600"])
    world.children.append(child)
    with open(group + "/cgroup.procs", "w", encoding="utf-8") as file:
        file.write(str(child.pid))
    return child


def test_gc_finds_what_is_nobodys(world):
    """What is in the group of a machine that is down ends. One of ours without a record goes when it
    is empty, and those of another state directory stay in any case."""
    record = begin(world)
    ours, filled, others = record["cgroup"], *(
        os.path.join(os.path.dirname(record["cgroup"]), f"banger-{uuid.uuid4()}") for _ in range(2))
    world.ok("vm", "stop", "web")
    left, kept = fill(world, ours, world.state), fill(world, filled, world.state)
    os.mkdir(others)
    os.setxattr(others, "user.banger.state", b"/elsewhere")
    assert [row["object"] for row in world.json("host", "gc", "--dry-run")["plan"]] == \
        [f"control group {ours}"]
    done = world.json("host", "gc")
    assert done["cgroups"] == [ours] and done["changed"] is True, done
    assert left.wait(timeout=60) == -signal.SIGKILL and kept.poll() is None
    kept.kill()
    kept.wait()
    assert world.json("host", "gc")["cgroups"] == [filled]
    assert os.path.isdir(others) and not os.path.exists(filled)
    os.rmdir(others)
    clean(world)


main()
