# SPDX-License-Identifier: MIT
"""host df: what everything takes and what of it can be had back."""
import os

from world import main

PLACES = ["kernels", "images", "vms", "cache/blobs", "cache/downloads", "cache/elf", "cache/initrd",
          "cache/catalogs", "cache/lists", "trash"]


def df(world):
    rows = world.json("host", "df")
    assert [row["what"] for row in rows] == PLACES, rows
    for row in rows:
        assert row["reclaimable_bytes"] <= row["disk_bytes"], row
    return {row["what"]: row for row in rows}


def add_kernel(world, name, size):
    folder = world.mkdir(f"from-{name}")
    with open(os.path.join(folder, "vmlinux"), "wb") as file:
        file.write(b"\177ELF\2\1\1" + b"\0" * 9 + b"\2\0" + b"k" * (size - 18))
    world.ok("kernel", "import", name, "--from", folder)


def allocated(*parts):
    """What du says, in bytes."""
    total = 0
    for folder, _, names in os.walk(os.path.join(*parts)):
        total += sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
                     for name in [".", *names])
    return total


def test_empty(world):
    """Nothing is there yet, and every place says so."""
    for row in df(world).values():
        assert (row["entries"], row["size_bytes"], row["disk_bytes"]) == (0, 0, 0), row


def test_counts(world):
    """Numbers are those of the files; what an image uses is not to be had back, what is in the trash
    and in the cache is."""
    add_kernel(world, "used", 100000)
    add_kernel(world, "free", 300000)
    rootfs = world.path("rootfs.ext4")
    with open(rootfs, "wb") as file:
        file.truncate(8 << 20)
    os.system(f"/sbin/mke2fs -q -t ext4 {rootfs}")
    world.ok("image", "register", "web", "--rootfs", rootfs, "--kernel-ref", "used")
    held = df(world)
    kernels = held["kernels"]
    assert kernels["entries"] == 2 and held["images"]["entries"] == 1, held
    assert 400000 < kernels["size_bytes"] < 410000, kernels
    folder = os.path.join(world.state, "kernels")
    assert kernels["disk_bytes"] == allocated(folder, "used") + allocated(folder, "free"), kernels
    assert kernels["reclaimable_bytes"] == allocated(folder, "free"), kernels
    assert held["images"]["reclaimable_bytes"] == held["images"]["disk_bytes"], held

    world.ok("kernel", "rm", "free")
    kept = df(world)
    assert kept["kernels"]["entries"] == 1 and kept["kernels"]["reclaimable_bytes"] == 0, kept
    assert kept["trash"]["entries"] == 1, kept
    assert kept["trash"]["reclaimable_bytes"] == kept["trash"]["disk_bytes"] > 300000, kept


def test_holes(world):
    """A hole has a size and takes no room."""
    world.ok("kernel", "list")
    with open(os.path.join(world.state, "cache", "downloads", "part"), "wb") as file:
        file.truncate(1 << 30)
    row = df(world)["cache/downloads"]
    assert row["entries"] == 1 and row["size_bytes"] == 1 << 30 and row["disk_bytes"] < 1 << 20, row


main()
