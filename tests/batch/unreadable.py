# SPDX-License-Identifier: MIT
"""What the host keeps us from reading is not damaged: lists say so with the reason and the next step,
and nothing of it is replaced, removed, put right or called gone before somebody could look."""
import os
import shutil
import subprocess
from contextlib import contextmanager

from world import PROGRAM, main, need

NOBODY = 65534
LIMITS = [3, 10, *range(22, 40)]


class Seat:
    """The program as a user whom permissions hold, also where the test is root's."""

    def __init__(self, world):
        self.world, self.prefix = world, []
        self.program = PROGRAM
        if os.geteuid() == 0:
            need("setpriv")
            self.program = world.path("program")
            shutil.copy(PROGRAM, self.program)
            self.prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            os.chmod(world.place, 0o755)
            self.own(world.place)

    def own(self, place):
        for folder, folders, names in os.walk(place):
            for path in [folder] + [os.path.join(folder, name) for name in folders + names]:
                os.lchown(path, NOBODY, NOBODY)

    def run(self, *words, limit=None):
        """limit: of open files."""
        argv = self.prefix + [self.program, "--batch", *words]
        if limit is not None:
            argv = ["prlimit", f"--nofile={limit}:{limit}"] + argv
        return self.world.run(*argv[1:], program=argv[0])

    def json(self, *words):
        result = self.run(*words, "--format", "json")
        assert result.status == 0, str(result)
        return result.json()

    def row(self, subject, name):
        """That row of the list; the others are as they were."""
        rows = {row["name"]: row for row in self.json(subject, "list")}
        return rows[name]

    def refuses(self, *words):
        """For want of permission: whoever reads it is told where to look."""
        result = self.run(*words, "--format", "json")
        assert result.status == 77, str(result)
        error = result.json()["error"]
        assert error["code"] == "PERMISSION" and self.world.state in error["message"], error

    def prepare(self):
        """Two kernels, two images, a machine."""
        need("mkfs.ext4")
        world = self.world
        tree = world.kernel_tree()
        disk = world.path("root.ext4")
        with open(disk, "wb") as file:
            file.truncate(4 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
        if self.prefix:
            self.own(world.place)
        for name in ("k", "spare"):
            self.json("kernel", "import", name, "--from", tree)
        for name in ("small", "lonely"):
            self.json("image", "register", name, "--rootfs", disk, "--kernel-ref", "k")
        self.json("vm", "create", "small", "--name", "web")


    def clean(self):
        self.json("vm", "rm", "web")


@contextmanager
def closed(path):
    mode = os.stat(path).st_mode
    os.chmod(path, 0)
    try:
        yield
    finally:
        os.chmod(path, mode)


def assert_unreadable(row, state="unreadable"):
    assert row["state"] == state, row
    assert row["reason"] and row["hint"] and "damage" not in row, row


def test_kernels(world):
    seat = Seat(world)
    seat.prepare()
    before = world.tree()
    folder = os.path.join(world.state, "kernels", "spare")
    for path in (folder, os.path.join(folder, "manifest.json")):
        with closed(path):
            assert_unreadable(seat.row("kernel", "spare"))
            assert seat.row("kernel", "k")["state"] == "ok"
            for words in (["show", "spare"], ["rm", "spare"], ["rm", "spare", "--force"],
                          ["pull", "spare", "--force"], ["pull", "spare", "--if-absent"],
                          ["export", "spare", "--to", world.path("out.tar.zst")],
                          ["import", "spare", "--from", world.path("tree"), "--force"]):
                seat.refuses("kernel", *words)
            seat.refuses("vm", "create", "small", "--name", "db", "--kernel-ref", "spare")
            result = seat.run("kernel", "verify", "--format", "json")
            assert result.status == 77, str(result)
    assert world.tree() == before
    assert seat.row("kernel", "spare")["state"] == "ok"
    seat.clean()


def test_images(world):
    seat = Seat(world)
    seat.prepare()
    before = world.tree()
    folder = os.path.join(world.state, "images", "lonely")
    for path in (folder, os.path.join(folder, "manifest.json")):
        with closed(path):
            row = seat.row("image", "lonely")
            assert_unreadable(row)
            assert "managed" not in row, row
            assert seat.row("image", "small")["state"] == "ok"
            for words in (["show", "lonely"], ["rm", "lonely"], ["promote", "lonely"],
                          ["register", "lonely", "--rootfs", world.path("root.ext4"),
                           "--kernel-ref", "k", "--force"]):
                seat.refuses("image", *words)
            result = seat.run("image", "verify", "--format", "json")
            assert result.status == 77, str(result)
            seat.refuses("vm", "create", "lonely", "--name", "db")
            # It may boot with any kernel.
            seat.refuses("kernel", "rm", "spare")
            assert seat.json("kernel", "show", "spare").get("used_by") is None
    assert world.tree() == before
    seat.clean()


def test_a_disk_elsewhere(world):
    """Of a registered image; its directory may be another disk, which is not there to be looked at."""
    seat = Seat(world)
    seat.prepare()
    place = world.mkdir("disks")
    shutil.move(world.path("root.ext4"), place)
    os.symlink(os.path.join(place, "root.ext4"), world.path("root.ext4"))
    seat.own(place)
    with closed(place):
        assert_unreadable(seat.row("image", "small"))
    assert seat.row("image", "small")["state"] == "ok"
    os.unlink(os.path.join(place, "root.ext4"))
    assert seat.row("image", "small")["state"] == "damaged"
    seat.clean()


def test_machines(world):
    seat = Seat(world)
    seat.prepare()
    seat.json("vm", "snapshot", "create", "web", "before")
    before = world.tree()
    folder = os.path.join(world.state, "vms", "web")
    for path in (folder, os.path.join(folder, "vm.json")):
        with closed(path):
            assert_unreadable(seat.row("vm", "web"), "unknown")
            for words in (["show", "web"], ["start", "web"], ["stop", "web"], ["rm", "web"],
                          ["rm", "web", "--force"], ["set", "web", "--memory", "64M"],
                          ["snapshot", "list", "web"]):
                seat.refuses("vm", *words)
            # Whatever it uses is not known to be unused.
            seat.refuses("image", "rm", "lonely")
            seat.refuses("kernel", "rm", "spare")
            assert seat.json("host", "gc")["unreadable"] == ["web"]
            (row,) = [row for row in seat.run("host", "doctor", "--format", "json").json()
                      if row["check"] == "store"]
            assert row["status"] == "warn" and world.state in row["hint"], row
            assert seat.json("vm", "prune")["removed"] == []
            seat.json("host", "df")
    # A whole kind: nothing is known, and nothing is called empty.
    with closed(os.path.join(world.state, "vms")):
        for words in (["vm", "list"], ["vm", "prune"], ["vm", "show", "web"], ["image", "rm", "lonely"]):
            result = seat.run(*words, "--format", "json")
            assert result.status == 77, str(result)
    with closed(os.path.join(folder, "snapshots", "before")):
        (row,) = seat.json("vm", "snapshot", "list", "web")
        assert_unreadable(row)
        seat.refuses("kernel", "rm", "spare")
    assert world.tree() == before
    assert seat.row("vm", "web")["state"] == "created"
    seat.clean()


def test_few_descriptors(world):
    """With each limit there is: a list is true, or refused as a whole."""
    need("prlimit")
    seat = Seat(world)
    seat.prepare()
    before = world.tree()
    seen = set()
    for limit in LIMITS:
        for subject, well in (("kernel", "ok"), ("image", "ok"), ("vm", "created")):
            result = seat.run(subject, "list", "--format", "json", limit=limit)
            assert result.status in (0, 74, 78, 127), str(result)
            if result.status == 74:
                assert result.json()["error"]["hint"], str(result)
            for row in result.json() if result.status == 0 else []:
                seen.add(row["state"])
                if row["state"] != well:
                    assert_unreadable(row, "unknown" if subject == "vm" else "unreadable")
    assert {"ok", "created", "unknown"} <= seen, seen
    assert world.tree() == before
    seat.clean()


main()
