# SPDX-License-Identifier: MIT
"""Machines on the real QEMU with a distribution's kernel, through the real program: what a person does
with one. BANGER_TEST_KERNEL names a directory with boot/vmlinuz-* and lib/modules, as
tests/smoke/test_kernel.sh makes it."""
import json
import os
import subprocess

from machine_world import clean, prepare_probe, state, told
from world import interrupt, main, need, sha256_of

SECTOR = 512
SLACK_MS = 100  # what was used on the way into the group, and rounding


def prepare(world):
    for program in ("dumpe2fs", "e2fsck", "debugfs"):
        need(program)
    return prepare_probe(world)


def seed_work(world):
    seed = os.path.join(world.state, "images", "small", "work-seed.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", seed, "32M"], check=True)


def given_disk(world):
    world.write("given/file", "given")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("given"), world.path("given.ext4"),
                    "16M"], check=True)


def size_of_file_system(disk):
    said = subprocess.run(["dumpe2fs", "-h", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True, text=True).stdout
    fields = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
    return int(fields["Block count"]) * int(fields["Block size"])


def assert_clean(disk):
    done = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, text=True)
    assert done.returncode == 0, done.stdout
    assert "recovery" not in done.stdout, done.stdout


def file_in(disk, path):
    return subprocess.run(["debugfs", "-R", f"cat {path}", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True, text=True).stdout


def host_figures(pid):
    """Processor time and memory of a process, as ps has them."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    rss = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], stdout=subprocess.PIPE, check=True,
                         text=True).stdout
    return (int(fields[11]) + int(fields[12])) * 1000 // ticks, int(rss) * 1024


def machine_cpu_ms(pid, row):
    """What ps says of all that is counted together; each time is rounded on its own."""
    if row["sources"]["cpu"] != "cgroup":
        return host_figures(pid)[0]
    with open(os.path.join(row["cgroup"], "cgroup.procs"), encoding="utf-8") as file:
        return sum(host_figures(int(line))[0] for line in file)


def guest_figures(world):
    counters = "/sys/class/net/eth0/statistics/"
    table = dict(line.split(":") for line in probe(world, "read", "/proc/meminfo").splitlines())
    return [int(probe(world, "read", counters + name)) for name in ("rx_bytes", "tx_bytes")] + \
        [int(table[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable")]


def assert_figures(world):
    """Each lies between what host and guest say of themselves before and after."""
    need("ps")
    pid = world.json("vm", "show", "web")["pid"]
    (row,) = world.json("vm", "stats", "web")
    place = os.path.join(world.state, "vms", "web")
    cpu_before, rss_before = machine_cpu_ms(pid, row), host_figures(pid)[1]
    received, sent, _, free_before = guest_figures(world)
    row = told(world, "load", "vm", "stats", "web")
    received_after, sent_after, memory, free_after = guest_figures(world)
    cpu_after, rss_after = machine_cpu_ms(pid, row), host_figures(pid)[1]
    assert cpu_before - SLACK_MS <= row["cpu_ms"] <= cpu_after + SLACK_MS and row["cpu_percent"] >= 0, row
    smaller, larger = sorted((rss_before, rss_after))
    assert smaller * 0.9 <= row["rss_bytes"] <= larger * 1.1, (row, rss_before, rss_after)
    assert received <= row["net_received_bytes"] <= received_after, row
    assert sent <= row["net_sent_bytes"] <= sent_after and row["load"] >= 0, row
    assert row["sources"]["network"] == "guest" and row["net_sent_rate"] >= 0, row
    listed = told(world, "net_sent_bytes", "vm", "list")
    assert sent <= listed["net_sent_bytes"] and received <= listed["net_received_bytes"], listed
    assert row["guest_memory_bytes"] == memory <= 128 << 20, row
    assert memory - max(free_before, free_after) - (8 << 20) <= row["guest_used_bytes"] <= \
        memory - min(free_before, free_after) + (8 << 20), row
    disks = [os.path.join(place, name) for name in os.listdir(place) if name.endswith(".ext4")]
    used = subprocess.run(["du", "-cB1", *disks], stdout=subprocess.PIPE, check=True, text=True)
    total = int(used.stdout.splitlines()[-1].split()[0])
    assert abs(row["disk_bytes"] - total) <= 1 << 20, (row, total)
    child = world.start("vm", "stats", "web", "--watch", "--format", "jsonl",
                        stdout=subprocess.PIPE)
    first, second = [json.loads(child.stdout.readline()) for _ in range(2)]
    assert first.keys() == row.keys() and row["cpu_ms"] <= first["cpu_ms"] <= second["cpu_ms"]
    assert interrupt(child) == 130


def probe(world, *words):
    return world.ok("vm", "exec", "web", "--", "/bin/probe", *words).out


def test_disks_of_a_machine(world):
    """Made small, grown, written to, stopped right after the last write, started again: nothing is
    lost, every file system is in order, and the shared image is what it was."""
    image = prepare(world)
    seed_work(world)
    given_disk(world)
    given = sha256_of(world.path("given.ext4"))
    digest = sha256_of(image)
    world.ok("vm", "create", "small", "--name", "web", "--memory", "128M", "--disk-size", "64M",
             "--disk", "64M:/srv/data", "--disk", "./given.ext4:/srv/given:ro")
    world.ok("vm", "set", "web", "--disk-size", "700M")
    upper = os.path.join(world.state, "vms", "web", "upper.ext4")
    work = os.path.join(world.state, "vms", "web", "work.ext4")
    assert size_of_file_system(upper) == 64 << 20
    result = world.json("vm", "start", "web")
    assert [stage["stage"] for stage in result["timeline"]] == \
        ["vmm", "kernel", "init", "root", "network", "agent"]
    times = [stage["ms"] for stage in result["timeline"]]
    assert times == sorted(times), times
    assert " /root ext4 rw" in probe(world, "read", "/proc/mounts")
    assert_figures(world)
    probe(world, "write", "/root/mine", "on the work disk")
    probe(world, "write", "/kept", "on the upper disk")
    probe(world, "write", "/srv/data/mine", "on a disk of its own")
    assert probe(world, "read", "/srv/given/file") == "given"
    assert world.run("vm", "exec", "web", "--", "/bin/probe", "write", "/srv/given/file",
                     "x").status != 0
    assert world.json("vm", "stop", "web")["exit"]["reason"] == "guest-poweroff"
    assert size_of_file_system(upper) == 700 << 20
    assert os.stat(upper).st_blocks * SECTOR < 32 << 20
    more = os.path.join(world.state, "vms", "web", "disk1.ext4")
    for disk in (upper, work, more, world.path("given.ext4")):
        assert_clean(disk)
    assert file_in(more, "/mine") == "on a disk of its own"
    assert sha256_of(world.path("given.ext4")) == given
    assert file_in(work, "/mine") == "on the work disk"
    assert file_in(upper, "/upper/kept") == "on the upper disk"
    again = world.ok("vm", "start", "web")
    assert "work disk" not in again.err, again
    assert probe(world, "read", "/root/mine") == "on the work disk"
    assert probe(world, "read", "/kept") == "on the upper disk"
    world.ok("vm", "pause", "web")
    assert state(world) == "paused" and "load" not in world.json("vm", "stats", "web")[0]
    world.ok("vm", "resume", "web")
    world.ok("vm", "pause", "web")
    assert world.json("vm", "stop", "web")["exit"]["reason"] == "guest-poweroff"
    assert sha256_of(image) == digest
    clean(world)


def test_a_boot_that_fails_says_why(world):
    prepare(world)
    result = world.run("vm", "run", "small", "--name", "web", "--memory", "128M",
                       "--append", "init=/nowhere", "--format", "json")
    assert result.status == 69 and "/nowhere" in result.json()["error"]["message"], str(result)
    shown = world.json("vm", "show", "web")
    assert shown["state"] == "crashed" and "/nowhere" in shown["exit"]["text"], shown
    assert "/nowhere" in world.ok("vm", "logs", "web").out
    clean(world)


def test_a_copied_root_grows(world):
    image = prepare(world)
    world.ok("vm", "run", "small", "--name", "web", "--memory", "128M", "--root", "copy",
             "--disk-size", "300M")
    probe(world, "write", "/kept", "in the copy")
    world.ok("vm", "stop", "web")
    disk = os.path.join(world.state, "vms", "web", "root.ext4")
    assert size_of_file_system(disk) > 299 << 20
    assert_clean(disk)
    assert file_in(disk, "/kept") == "in the copy" and file_in(image, "/kept") == ""
    clean(world)


main()
