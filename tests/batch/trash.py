# SPDX-License-Identifier: MIT
"""What is removed goes to the trash: what it is called there, how it comes back, when it goes."""
import datetime
import os

from world import main


def trash(world, *words):
    return world.json("host", "trash", "list", *words)


def fill(world, *names):
    for name in names:
        world.ok("kernel", "import", name, "--from", world.kernel_tree(name=f"tree-{name}"))


def days_kept(row):
    """What lies between going into the trash and leaving it; the clock runs while a test does."""
    went, until = (datetime.datetime.fromisoformat(row[key].replace("Z", "+00:00"))
                   for key in ("trashed_at", "restorable_until"))
    return (until - went) / datetime.timedelta(days=1)


def shifted(text, seconds):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_kernel_comes_back_as_it_was(world):
    fill(world, "a")
    before = world.tree()
    removed = world.json("kernel", "rm", "a")
    assert world.entries("kernels") == []
    row, = trash(world)
    assert (row["id"], row["kind"], row["name"]) == (removed["trash_id"], "kernel", "a")
    assert row["trashed_at"].startswith("2026-07-01T12:0") and row["disk_bytes"] > 0
    assert days_kept(row) == 7
    assert row["restorable_until"] == removed["restorable_until"]
    back = world.json("host", "trash", "restore", removed["trash_id"])
    assert back["name"] == "a" and back["kind"] == "kernel" and back["changed"] is True
    assert world.tree() == before and trash(world) == []


def test_a_name_means_the_last_one(world):
    for day, version in enumerate(("6.1.0", "6.2.0"), 1):
        world.env["BANGER_CLOCK"] = f"2026-07-0{day}T12:00:00Z"
        world.ok("kernel", "import", "a", "--from", world.kernel_tree(), "--kernel-version", version)
        world.ok("kernel", "rm", "a")
    world.ok("host", "trash", "restore", "kernel/a")
    assert world.manifest("kernels", "a")["kernel_version"] == "6.2.0"
    # The name is taken now.
    world.fails(73, "host", "trash", "restore", "a")
    world.fails(73, "host", "trash", "restore", "a", "--dry-run")  # the console asks with this
    assert len(trash(world)) == 1
    world.env["BANGER_CLOCK"] = "2026-07-03T12:00:00Z"
    world.ok("kernel", "rm", "a")
    world.ok("host", "trash", "restore", "a")
    assert world.manifest("kernels", "a")["kernel_version"] == "6.2.0"


def test_what_was_never_there(world):
    world.fails(66, "host", "trash", "restore", "a")
    world.fails(66, "host", "trash", "restore", "kernel@../../a@1")
    world.fails(64, "host", "trash", "restore")
    world.fails(64, "host", "trash")
    assert world.run("host", "trash", "ls").status == 0


def test_several_and_partly(world):
    fill(world, "a", "b")
    world.ok("kernel", "rm", "a", "b")
    result = world.run("host", "trash", "restore", "b", "c", "a", "--format", "json")
    assert result.status == 2
    assert [row["changed"] for row in result.json()] == [True, False, True]
    assert world.entries("kernels") == ["a", "b"]


def test_it_goes_after_its_days(world):
    fill(world, "a", "b")
    world.ok("kernel", "rm", "a")
    until = trash(world)[0]["restorable_until"]
    # Looking changes nothing; the next change cleans up, and not too early: it has a minute here.
    world.ok("kernel", "rm", "b", env={"BANGER_CLOCK": shifted(until, -60)})
    assert [row["name"] for row in trash(world)] == ["a", "b"]
    fill(world, "c")
    later = {"BANGER_CLOCK": shifted(until, 1)}
    world.ok("kernel", "list", env=later)
    assert [row["name"] for row in trash(world)] == ["a", "b"]
    world.ok("kernel", "import", "d", "--from", world.kernel_tree(), env=later)
    assert [row["name"] for row in trash(world)] == ["b"]


def test_the_configured_days_and_bytes_hold(world):
    config = world.write("config.ini", "[limits]\ntrash_days = 1\ntrash_bytes = 400000\n")
    fill(world, "a", "b")
    removed = world.json("kernel", "rm", "a", "--config", config)
    row, = trash(world, "--config", config)
    assert days_kept(row) == 1 and row["restorable_until"] == removed["restorable_until"]
    world.ok("kernel", "import", "big", "--from",
             os.path.dirname(world.write("big/vmlinux", b"\x7fELF" + os.urandom(500000))))
    # It is more than the trash may hold: gone for good, and nothing is promised.
    # Later than the other by its clock too, which begins anew with each process: the oldest goes first.
    big = world.json("kernel", "rm", "big", "--config", config,
                     env={"BANGER_CLOCK": shifted(row["trashed_at"], 60)})
    assert big["changed"] is True and "trash_id" not in big and "restorable_until" not in big
    assert trash(world) == []


def test_empty(world):
    fill(world, "a", "b")
    world.ok("kernel", "rm", "a", "b")
    before = world.tree()
    plan = world.json("host", "trash", "empty", "--dry-run")["plan"]
    assert len(plan) == 2 and world.tree() == before
    assert world.run("host", "trash", "empty", "--readonly").status == 77
    emptied = world.json("host", "trash", "empty")
    assert emptied["changed"] is True and emptied["freed_bytes"] > 0
    assert trash(world) == [] and os.listdir(os.path.join(world.state, "trash")) == []
    assert world.json("host", "trash", "empty")["changed"] is False


def test_an_image_comes_back(world):
    fill(world, "k")
    rootfs = world.write("rootfs.ext4", bytes(1080) + b"\x53\xef" + bytes(8000))
    world.ok("image", "register", "i", "--rootfs", rootfs, "--kernel-ref", "k")
    # The kernel is in use; the image is not.
    error = world.fails(75, "kernel", "rm", "k")
    assert error["code"] == "IN_USE"
    before = world.tree()
    removed = world.json("image", "rm", "i")
    assert removed["trash_id"].startswith("image@i@")
    assert world.entries("images") == []
    world.ok("host", "trash", "restore", "image/i")
    assert world.tree() == before


def test_a_machine_comes_back_with_its_disk(world):
    fill(world, "k")
    rootfs = world.write("rootfs.ext4", bytes(1080) + b"\x53\xef" + bytes(8000))
    world.ok("image", "register", "i", "--rootfs", rootfs, "--kernel-ref", "k")
    world.ok("vm", "create", "i", "--name", "web")
    before = world.tree()
    disk = os.path.join(world.state, "vms", "web", "upper.ext4")
    inode = os.stat(disk).st_ino
    removed = world.json("vm", "rm", "web")
    assert world.entries("vms") == [] and removed["restorable_until"]
    # What is in the trash uses nothing.
    world.ok("image", "rm", "i")
    world.ok("host", "trash", "restore", "i")
    world.ok("host", "trash", "restore", removed["trash_id"])
    assert os.stat(disk).st_ino == inode
    assert world.tree() == before
    assert world.json("vm", "show", "web")["state"] == "created"
    world.ok("vm", "rm", "web")


main()
