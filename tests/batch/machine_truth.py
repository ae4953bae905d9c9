# SPDX-License-Identifier: MIT
"""What is said of machines is true, and what belongs to nobody is found: stats, gc, many at once."""
import json
import os
import shutil
import signal
import subprocess
import time

from machine_world import clean, prepare, run, state, told
from world import PATIENCE_S, interrupt, main

STATS_FIELDS = {"name", "state", "cpu_percent", "rss_bytes", "memory_bytes", "disk_bytes",
                "read_bytes", "written_bytes", "pid"}


def processes(world):
    """Everything that works below the state directory: pid -> where."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                place = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if place.startswith(world.state + "/"):
                found[int(entry)] = place
    return found


def test_stats(world):
    prepare(world)
    assert world.json("vm", "stats") == []
    pid = run(world)["pid"]
    world.ok("vm", "create", "small", "--name", "still")
    (row,) = world.json("vm", "stats")
    assert STATS_FIELDS <= set(row), row
    assert row["pid"] == pid and row["rss_bytes"] > 0 and row["cpu_percent"] >= 0
    assert row["memory_bytes"] == 512 << 20 and 0 < row["disk_bytes"] < 16 << 20
    rows = world.json("vm", "stats", "still", "web")
    assert [row["name"] for row in rows] == ["still", "web"]
    assert rows[0]["state"] == "created" and "cpu_percent" not in rows[0]
    world.fails(66, "vm", "stats", "nope")
    clean(world)


def test_a_machine_that_does_nothing_uses_nothing(world):
    prepare(world)
    pid = run(world)["pid"]
    os.kill(pid, signal.SIGSTOP)
    (row,) = world.json("vm", "stats", "web")
    assert row["cpu_percent"] == 0
    os.kill(pid, signal.SIGCONT)
    clean(world)


def test_what_the_guest_says(world):
    """Its network where this host does not see it, its load and memory; nothing once it is paused."""
    prepare(world)
    run(world, "web", "fake.realagent")
    row = told(world, "load", "vm", "stats", "web")
    assert row["sources"]["network"] == "guest" and row["sources"]["memory"] == "process", row
    assert row["net_received_rate"] >= 0 and row["net_sent_rate"] >= 0, row
    assert row["load"] >= 0 and 0 < row["guest_used_bytes"] < row["guest_memory_bytes"], row
    listed = told(world, "net_received_bytes", "vm", "list")
    assert listed["net_received_bytes"] >= row["net_received_bytes"], (row, listed)
    world.ok("vm", "pause", "web")
    (row,) = world.json("vm", "stats", "web")
    assert row["state"] == "paused" and not {"load", "net_received_rate"} & set(row), row
    clean(world)


def seconds(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def is_within(limit_s, call):
    """One of several is: load may slow each of them down."""
    return any(seconds(call) < limit_s for _ in range(5))


def ask_figures(world, *names):
    assert [row["name"] for row in world.json("vm", "stats", *names)] == list(names)


def test_silent_guests_are_waited_for_together(world):
    prepare(world)
    names = ["one", "three", "two"]
    pids = [run(world, name, "fake.realagent")["pid"] for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    alone_s = seconds(lambda: ask_figures(world, "one"))
    assert is_within(2 * alone_s, lambda: ask_figures(world, *names)), alone_s
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    clean(world)


def test_stats_watched(world):
    prepare(world)
    run(world)
    child = world.start("vm", "stats", "--watch", "--format", "jsonl", stdout=subprocess.PIPE)
    for _ in range(2):
        assert json.loads(child.stdout.readline())["name"] == "web"
    assert interrupt(child) == 130
    clean(world)


def test_gc_of_a_tidy_world(world):
    prepare(world)
    pid = run(world)["pid"]
    assert world.json("host", "gc", "--dry-run")["plan"] == []
    done = world.json("host", "gc")
    assert done["changed"] is False and done["processes"] == [] and done["freed_bytes"] == 0
    assert state(world) == "running" and world.json("vm", "show", "web")["pid"] == pid
    clean(world)


def test_gc_ends_what_no_record_owns(world):
    """The record is gone and the monitor dead: only the VMM is left. A person's process that stands
    in the same place, and one elsewhere that looks like a VMM, are not ours."""
    prepare(world)
    run(world)
    vmm = run(world, "lost")["pid"]
    place = os.path.join(world.state, "vms", "lost")
    with open(os.path.join(place, "handle.json"), encoding="utf-8") as file:
        monitor = json.load(file)["monitor"]["pid"]
    world.kill(monitor)
    strangers = [subprocess.Popen(["sleep", "600"], cwd=place),
                 subprocess.Popen(["sh", "-c", "read line; :", "-uuid", "0" * 36],
                                  stdin=subprocess.PIPE)]
    shutil.rmtree(place)
    try:
        plan = world.json("host", "gc", "--dry-run")["plan"]
        assert len(plan) == 1 and str(vmm) in plan[0]["object"], plan
        assert vmm in processes(world)
        done = world.json("host", "gc")
        assert [row["pid"] for row in done["processes"]] == [vmm], done
        world.wait_until(lambda: vmm not in processes(world), "the end of the VMM")
        assert state(world) == "running" and all(one.poll() is None for one in strangers)
        assert world.json("host", "gc", "--dry-run")["plan"] == []
    finally:
        for one in strangers:
            one.kill()
            one.wait()
    clean(world)


def test_gc_settles_what_nobody_saw_end(world):
    prepare(world)
    run(world)
    with open(os.path.join(world.state, "vms", "web", "handle.json"), encoding="utf-8") as file:
        handle = json.load(file)
    for who in ("monitor", "vmm"):
        os.kill(handle[who]["pid"], signal.SIGKILL)
    world.wait_until(lambda: not processes(world), "the end of both")
    assert world.json("host", "gc", "--dry-run")["plan"][0]["object"] == "vm/web"
    assert world.json("host", "gc")["settled"] == ["web"]
    assert world.json("vm", "show", "web")["state"] == "crashed"
    left = os.listdir(os.path.join(world.state, "vms", "web"))
    assert "handle.json" not in left and not [name for name in left if name.endswith(".sock")]
    clean(world)


def test_gc_leaves_what_cannot_be_read(world):
    prepare(world)
    os.makedirs(os.path.join(world.state, "vms", "odd"))
    assert world.json("host", "gc")["damaged"] == ["odd"]
    assert world.entries("vms") == ["odd"]
    world.ok("vm", "rm", "odd", "--force")


def test_fifty_records_and_six_machines(world):
    """List, stats and stop stay quick, several are started and stopped at the same time, and
    afterwards there is nothing that was not there before."""
    prepare(world)
    before = processes(world)
    names = [f"vm-{number:02}" for number in range(50)]
    script = "".join(f"vm create small --name {name} --disk-size 64M --memory 64M\n"
                     for name in names)
    world.ok("--file", world.write("create.banger", script))
    assert world.entries("vms") == names
    up = names[:6]
    one = seconds(lambda: world.ok("vm", "start", names[7]))
    world.ok("vm", "stop", names[7])
    assert seconds(lambda: world.ok("vm", "start", *up)) < 6 * one + PATIENCE_S / 2
    assert is_within(PATIENCE_S / 30, lambda: world.json("vm", "list"))
    assert [row["name"] for row in world.json("vm", "list", "--running")] == up
    assert is_within(PATIENCE_S / 20, lambda: world.json("vm", "stats"))
    assert len(world.json("vm", "stats")) == 6
    rows = world.json("vm", "stop", *up)
    assert all(row["state"] == "stopped" and row["changed"] for row in rows)
    assert processes(world) == before
    assert sorted(world.json("vm", "prune")["removed"]) == sorted(up + [names[7]])
    world.ok("vm", "rm", *[name for name in names if name not in up + [names[7]]])
    assert world.entries("vms") == [] and processes(world) == before


def handle_of(world, name="web"):
    with open(os.path.join(world.state, "vms", name, "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def lose_monitor(world):
    monitor = handle_of(world)["monitor"]["pid"]
    os.kill(monitor, signal.SIGKILL)
    world.wait_until(lambda: world.json("vm", "show", "web").get("unmonitored"), "it is told")


def test_gc_gives_a_new_monitor(world):
    """And until then lists say that there is none."""
    prepare(world)
    run(world)
    assert "unmonitored" not in world.json("vm", "list")[0]
    lose_monitor(world)
    assert "unmonitored" in world.ok("vm", "list").out
    assert {"action": "adopt", "object": "vm/web"}.items() <= \
        world.json("host", "gc", "--dry-run")["plan"][0].items()
    done = world.json("host", "gc")
    assert done["adopted"] == ["web"] and done["changed"] is True, done
    assert "unmonitored" not in world.json("vm", "list")[0]
    assert "adopted" not in world.json("host", "gc")
    world.ok("vm", "stop", "web")
    clean(world)


def test_a_new_monitor_keeps_the_policy(world):
    """A reboot of the guest is one, and a VMM that dies is begun again, as by the first monitor."""
    prepare(world)
    run(world, "web", "", "--restart", "on-failure")
    for boot in range(1, 3):
        lose_monitor(world)
        world.ok("host", "gc")
        vmm = handle_of(world)["vmm"]["pid"]
        os.kill(vmm, signal.SIGKILL)
        world.wait_until(lambda: world.json("vm", "show", "web").get("restarts") == boot and
                         world.json("vm", "show", "web")["state"] == "running", "it begins again")
        assert handle_of(world)["vmm"]["pid"] != vmm
        world.ok("vm", "wait", "web")
    world.ok("vm", "stop", "web")
    row = world.json("vm", "show", "web")
    assert row["state"] == "stopped" and row["exit"]["reason"] == "guest-poweroff", row
    assert not os.path.exists(os.path.join(world.state, "vms", "web", "order.json"))
    clean(world)


def test_a_monitor_that_stands_still(world):
    """It keeps nobody from ending its machine."""
    prepare(world)
    run(world)
    record = handle_of(world)
    os.kill(record["monitor"]["pid"], signal.SIGSTOP)
    row = world.json("vm", "kill", "web")
    assert row["state"] == "stopped" and row["exit"]["reason"] == "killed", row
    assert not {record[part]["pid"] for part in ("monitor", "vmm")} & set(processes(world))
    assert not os.path.exists(os.path.join(world.state, "vms", "web", "handle.json"))
    world.ok("vm", "start", "web")
    world.ok("vm", "rm", "web", "--force")
    clean(world)


main()
