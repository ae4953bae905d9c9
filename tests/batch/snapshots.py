# SPDX-License-Identifier: MIT
"""Snapshots of machines: the disks and the settings come back, whatever was done in between, and what
cannot come back is refused before anything is changed."""
import json
import os
import shutil
import signal
import subprocess

from machine_world import clean, prepare, run, state
from world import main, sha256_of, small_disk

AT = 1 << 20  # somewhere in a disk


def place(world, *names, name="web"):
    return os.path.join(world.state, "vms", name, *names)


def write(world, word, file="upper.ext4", name="web"):
    """As the guest would."""
    with open(place(world, file, name=name), "r+b") as disk:
        disk.seek(AT)
        disk.write(word.encode().ljust(16))


def read(world, file="upper.ext4", name="web"):
    with open(place(world, file, name=name), "rb") as disk:
        disk.seek(AT)
        return disk.read(16).decode().strip("\0 ")


def spec(world, name="web"):
    with open(place(world, "vm.json", name=name), encoding="utf-8") as file:
        return json.load(file)


def snapshot(world, name, vm="web", *words):
    return world.json("vm", "snapshot", "create", vm, name, *words)


def restore(world, name, vm="web", *words):
    return world.json("vm", "snapshot", "restore", vm, name, *words)


def names(world, vm="web"):
    return [row["name"] for row in world.json("vm", "snapshot", "list", vm)]


def test_back_to_what_it_was(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M", "--disk", "16M:/a",
             "--append", "a=1")
    write(world, "first")
    write(world, "data", "disk1.ext4")
    before, identity = spec(world), sha256_of(place(world, "upper.ext4"))
    made = snapshot(world, "one")
    assert made["name"] == "one" and made["vm"] == "web" and made["changed"] is True, made
    assert made["memory"] is False and made["state"] == "created" and "paused_ms" not in made, made
    assert made["size_bytes"] == 80 << 20 and 0 < made["disk_bytes"] < 20 << 20, made
    world.ok("vm", "set", "web", "--append", "b=2", "--memory", "1G", "--disk-size", "128M",
             "--disk", "16M:/b", "--no-disk", "/a", "--force")
    write(world, "second")
    snapshot(world, "two")
    back = restore(world, "one")
    assert back["changed"] is True and back["snapshot"] == "one" and back["state"] == "created", back
    assert spec(world) == before and sha256_of(place(world, "upper.ext4")) == identity
    assert read(world) == "first" and read(world, "disk1.ext4") == "data"
    assert not os.path.exists(place(world, "disk2.ext4"))
    # And forward again: what was restored from is as it was.
    restore(world, "two")
    assert read(world) == "second" and not os.path.exists(place(world, "disk1.ext4"))
    assert os.path.getsize(place(world, "upper.ext4")) == 128 << 20
    assert spec(world)["append"] == "b=2"
    assert sorted(names(world)) == ["one", "two"]  # each process begins at the same time of a test
    assert sorted(os.listdir(place(world, "snapshots"))) == ["one", "two"]
    clean(world)


def test_it_needs_the_kernel_it_was_made_with(world):
    """Who removes it is told so, also where the machine itself has gone over to another."""
    prepare(world)
    world.ok("kernel", "import", "old", "--from", world.path("tree"))
    world.ok("vm", "create", "small", "--name", "web", "--kernel-ref", "old")
    snapshot(world, "one")
    assert world.json("kernel", "show", "old")["used_by"] == ["VM web"]
    world.ok("vm", "set", "web", "--kernel-ref", "k")
    user = "snapshot one of VM web"
    assert world.json("kernel", "show", "old")["used_by"] == [user]
    for words in ([], ["--dry-run"]):
        error = world.fails(75, "kernel", "rm", "old", *words)
        assert error["code"] == "IN_USE" and user in error["message"], error
    plan = world.json("kernel", "rm", "old", "--force", "--dry-run")["plan"]
    assert [row["object"] for row in plan] == ["kernel/old", user], plan
    (row,) = [row for row in world.json("host", "df") if row["what"] == "kernels"]
    assert row["reclaimable_bytes"] == 0, row
    world.ok("vm", "snapshot", "rm", "web", "one")
    world.ok("kernel", "rm", "old")
    clean(world)


def test_one_that_runs(world):
    """It stands still for the copy only, and goes back only when what it did since may go."""
    prepare(world)
    run(world)
    write(world, "first")
    made = snapshot(world, "one")
    assert made["paused_ms"] >= 0 and made["state"] == "running" and "note" not in made, made
    assert state(world) == "running"
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    write(world, "second")
    assert world.fails(75, "vm", "snapshot", "restore", "web", "one")["code"] == "IN_USE"
    assert read(world) == "second" and state(world) == "running"
    plan = world.json("vm", "snapshot", "restore", "web", "one", "--force", "--dry-run")["plan"]
    assert [step["action"] for step in plan] == ["kill", "restore"], plan
    assert restore(world, "one", "web", "--force")["state"] != "running"
    assert read(world) == "first"
    world.ok("vm", "start", "web")
    world.ok("vm", "pause", "web")
    assert "paused_ms" not in snapshot(world, "asleep")
    assert state(world) == "paused"
    clean(world)


def test_a_guest_that_does_not_answer(world):
    """Its disks are kept as they are, which is said."""
    prepare(world)
    world.ok("vm", "run", "small", "--name", "web", "--append", "fake.noagent", "--detach")
    assert "power cut" in snapshot(world, "one")["note"]
    assert names(world) == ["one"]
    clean(world)


def test_list_show_and_rm(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
    assert world.json("vm", "snapshot", "list", "web") == []
    assert "snapshots" not in world.json("vm", "show", "web")
    made = world.json("vm", "snapshot", "create", "web")
    assert len(made["name"]) == len("20261127-115301"), made
    for name, day in (("b", 2), ("a", 4), ("c", 3)):
        world.ok("vm", "snapshot", "create", "web", name,
                 env={"BANGER_CLOCK": f"2030-01-0{day}T12:00:00Z"})
    world.ok("vm", "snapshot", "rm", "web", "c")
    assert names(world) == [made["name"], "b", "a"]  # the oldest first
    first = world.json("vm", "snapshot", "list", "web")[0]
    assert {"name", "created_at", "state", "memory", "kernel_ref",
            "size_bytes", "disk_bytes"} == set(first), first
    shown = world.json("vm", "snapshot", "show", "web", "a")
    assert shown["image"] == "small" and shown["kernel_ref"] == "k" and shown["vm"] == "web", shown
    assert shown["disks"] == [{"file": "upper.ext4", "size_bytes": 64 << 20}], shown
    assert shown["memory_mib"] == 512 and shown["vcpu"] == 1, shown
    machine = world.json("vm", "show", "web")
    assert len(machine["snapshots"]) == 3 and machine["snapshot_bytes"] > 0, machine
    (vms,) = [row for row in world.json("host", "df") if row["what"] == "vms"]
    assert vms["disk_bytes"] >= machine["snapshot_bytes"] + machine["disk_bytes"], vms
    gone = world.run("vm", "snapshot", "rm", "web", "a", "nope", "b", "--format", "json")
    assert gone.status == 2 and [row["changed"] for row in json.loads(gone.out)] == [
        True, False, True], gone.out
    assert names(world) == [made["name"]]
    assert world.json("vm", "snapshot", "ls", "web") == world.json("vm", "snapshot", "list", "web")
    assert world.json("vm", "snapshot", "delete", "web", made["name"], "--dry-run")["plan"]
    assert world.json("vm", "snapshot", "rm", "web", made["name"])["freed_bytes"] > 0
    assert os.listdir(place(world, "snapshots")) == []
    clean(world)


def test_where_they_go_with_their_machine(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
    write(world, "first")
    snapshot(world, "one")
    write(world, "second")
    world.ok("vm", "clone", "web", "twin")
    assert names(world, "twin") == []
    world.ok("vm", "rename", "web", "www")
    restore(world, "one", "www")
    assert read(world, name="www") == "first" and spec(world, "www")["name"] == "www"
    world.ok("vm", "rm", "www")
    world.ok("host", "trash", "restore", "www")
    assert names(world, "www") == ["one"]
    clean(world)


def test_what_is_refused(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
    snapshot(world, "one")
    write(world, "second")
    before = world.tree()
    for status, *words in ((73, "create", "web", "one"), (64, "create", "web", "a/b"),
                           (64, "create", "web", ".new"), (66, "create", "nope", "x"),
                           (66, "restore", "web", "two"), (64, "restore", "web", "../x"),
                           (66, "rm", "web", "two"), (64, "rm", "web", ".."),
                           (66, "show", "web", "two"), (66, "list", "nope"), (64, "rm", "web")):
        world.fails(status, "vm", "snapshot", *words)
    for words in (("create", "web", "two"), ("restore", "web", "one"), ("rm", "web", "one")):
        assert world.json("vm", "snapshot", *words, "--dry-run")["plan"]
    assert world.tree() == before
    clean(world)


def test_what_it_stood_on_is_not_what_it_was(world):
    """What was written over one image is nothing over another."""
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
    world.ok("vm", "create", "small", "--name", "own", "--root", "copy", "--disk-size", "64M")
    snapshot(world, "one")
    snapshot(world, "one", "own")
    with open(world.path("root.ext4"), "r+b") as file:
        file.seek(AT)
        file.write(b"other")
    before = world.tree()
    failure = world.fails(69, "vm", "snapshot", "restore", "web", "one")
    assert "small" in failure["message"], failure
    assert world.tree() == before
    assert restore(world, "one", "own")["changed"] is True  # has nothing of the image's any more
    clean(world)


def test_snapshots_that_were_tampered_with(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
    world.write("victim", "mine")
    write(world, "now")

    def manifest(change):
        snapshot(world, "bad")
        path = place(world, "snapshots", "bad", "manifest.json")
        with open(path, encoding="utf-8") as file:
            words = json.load(file)
        change(words)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(words, file)

    def names_another(words):
        words["disks"].append({"file": "../../../../victim", "size_bytes": 4})

    def names_none(words):
        words["disks"] = []

    def is_longer(words):
        words["disks"][0]["size_bytes"] += 1

    for change in (names_another, names_none, is_longer):
        manifest(change)
        world.fails(65, "vm", "snapshot", "restore", "web", "bad")
        world.ok("vm", "snapshot", "rm", "web", "bad")
    snapshot(world, "bad")
    os.unlink(place(world, "snapshots", "bad", "upper.ext4"))
    os.symlink(world.path("victim"), place(world, "snapshots", "bad", "upper.ext4"))
    world.fails(65, "vm", "snapshot", "restore", "web", "bad")
    world.ok("vm", "snapshot", "rm", "web", "bad")
    snapshot(world, "bad")
    os.unlink(place(world, "snapshots", "bad", "manifest.json"))
    (row,) = world.json("vm", "snapshot", "list", "web")
    assert row["state"] == "damaged" and row["damage"], row
    world.fails(66, "vm", "snapshot", "restore", "web", "bad")
    world.ok("vm", "snapshot", "rm", "web", "bad")
    assert read(world) == "now" and os.path.exists(world.path("victim"))
    clean(world)


def console(world):
    return world.ok("vm", "logs", "web").out


def started_with(world):
    """The command line of its VMM."""
    with open(f"/proc/{world.json('vm', 'show', 'web')['pid']}/cmdline", encoding="utf-8") as file:
        return file.read().split("\0")


def test_memory(world):
    """It goes on where it was, without a boot; a boot after that is one."""
    prepare(world)
    before = run(world, "web", "", "--restart", "always", "--publish", "0:80")
    write(world, "first")
    made = snapshot(world, "one", "web", "--memory")
    assert made["memory"] is True and made["vmm"] == before["vmm"], made
    assert made["accel"] == before["accel"] and made["vmm_version"], made
    assert state(world) == "running" and console(world).count("Linux version") == 1
    write(world, "second")
    plan = world.json("vm", "snapshot", "restore", "web", "one", "--force", "--dry-run")["plan"]
    assert [step["action"] for step in plan] == ["kill", "restore", "resume"], plan
    back = restore(world, "one", "web", "--force")
    assert back["state"] == "running" and back["pid"] != before["pid"], back
    assert back["ready_ms"] >= 0 and read(world) == "first", back
    assert console(world).count("goes on") == 1
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    assert ":80" in world.json("vm", "show", "web")["publish"][0]
    (row,) = world.json("vm", "snapshot", "list", "web")
    assert row["memory"] is True, row
    talked = console(world).count("Linux version")
    os.kill(back["pid"], signal.SIGKILL)
    world.wait_until(lambda: console(world).count("Linux version") == talked + 1, "it boots again")
    assert "-incoming" not in started_with(world)
    world.ok("vm", "wait", "web")
    assert console(world).count("goes on") == 1
    assert restore(world, "one", "web", "--force")["state"] == "running"
    assert restore(world, "one", "web", "--force", "--no-memory")["state"] != "running"
    clean(world)


def test_memory_of_a_paused_one(world):
    prepare(world)
    run(world)
    world.ok("vm", "pause", "web")
    assert snapshot(world, "one", "web", "--memory")["state"] == "paused"
    assert state(world) == "paused"
    world.ok("vm", "rm", "web", "--force")
    clean(world)


def test_memory_that_cannot_be_kept(world):
    """Refused while the machine runs on, and nothing is left."""
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
    assert world.fails(64, "vm", "snapshot", "create", "web", "one", "--memory")["message"]
    with open(world.path("more.img"), "wb") as file:
        file.truncate(1 << 20)
    world.ok("vm", "set", "web", "--disk", "./more.img")
    world.ok("vm", "start", "web")
    assert "--memory" in world.fails(69, "vm", "snapshot", "create", "web", "one",
                                     "--memory")["message"]
    assert snapshot(world, "disks")["memory"] is False
    world.ok("vm", "stop", "web")
    world.ok("vm", "set", "web", "--no-disk", "disk1", "--append", "fake.nosave")
    if world.json("vm", "start", "web")["vmm"] == "qemu":
        failure = world.fails(69, "vm", "snapshot", "create", "web", "one", "--memory")
        assert "No space left" in failure["message"], failure
        assert state(world) == "running" and names(world) == ["disks"]
        assert os.listdir(place(world, "snapshots")) == ["disks"]
    clean(world)


def test_memory_that_nobody_here_can_go_on_from(world):
    """Another version, another accelerator, another kernel: said before anything is changed."""
    prepare(world)
    run(world)
    snapshot(world, "one", "web", "--memory")
    world.ok("vm", "stop", "web")
    write(world, "second")
    path = place(world, "snapshots", "one", "manifest.json")
    with open(path, encoding="utf-8") as file:
        sound = json.load(file)
    for key, value in (("vmm_version", "1.0.0"), ("vmm", "other"), ("kernel_identity", "other"),
                       ("accel", "kvm" if sound["accel"] == "tcg" else "tcg")):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**sound, key: value}, file)
        result = world.run("vm", "snapshot", "restore", "web", "one", "--format", "json")
        assert result.status in (65, 69), str(result)
        assert "--no-memory" in json.loads(result.out)["error"]["message"], str(result)
        assert read(world) == "second" and state(world) == "stopped"
    # A stream that is none: its disks are what they were, and it can be booted.
    with open(path, "w", encoding="utf-8") as file:
        json.dump(sound, file)
    with open(place(world, "snapshots", "one", "memory"), "r+b") as file:
        file.write(b"nonsense")
    assert "vm start web" in world.fails(69, "vm", "snapshot", "restore", "web", "one")["message"]
    assert state(world) in ("stopped", "crashed") and read(world) != "second"
    world.ok("vm", "start", "web")
    clean(world)


def test_files_of_others_are_not_part_of_it(world):
    prepare(world)
    subprocess.run(["mkfs.ext4", "-q", "-F", world.path("more.ext4"), "16M"], check=True,
                   stdout=subprocess.DEVNULL)
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M", "--disk",
             "./more.ext4:/m")
    made = snapshot(world, "one")
    assert made["left_out"] == [os.path.realpath(world.path("more.ext4"))], made
    before = sha256_of(world.path("more.ext4"))
    restore(world, "one")
    assert sha256_of(world.path("more.ext4")) == before
    clean(world)


def test_no_room(world):
    """Asked before a byte is copied; what there was stays."""
    with small_disk(world, 24):
        prepare(world)
        world.ok("vm", "create", "small", "--name", "web", "--disk-size", "64M")
        with open(place(world, "upper.ext4"), "r+b") as disk:
            disk.seek(AT)
            disk.write(os.urandom(8 << 20))
        snapshot(world, "one")
        write(world, "second")
        before = sha256_of(place(world, "upper.ext4"))
        assert world.fails(74, "vm", "snapshot", "create", "web", "two")["code"] == "NO_SPACE"
        assert world.fails(74, "vm", "snapshot", "restore", "web", "one")["code"] == "NO_SPACE"
        assert sha256_of(place(world, "upper.ext4")) == before and names(world) == ["one"]
        assert os.listdir(place(world, "snapshots")) == ["one"]
        world.ok("vm", "start", "web")
        clean(world)
        world.ok("host", "trash", "empty")
        shutil.rmtree(os.path.join(world.state, "cache"), ignore_errors=True)


main()
