# SPDX-License-Identifier: MIT
"""What tests about machines share: a kernel, an image, and a stand-in for QEMU that has an agent
(tests/support/fake_qemu.c)."""
import glob
import os
import subprocess

from world import BUILDDIR, Skip, need


def prepare(world):
    need("mkfs.ext4")
    fake = os.path.join(BUILDDIR, "tests", "support", "fake_qemu")
    if not os.path.exists(fake):
        raise Skip(f"{fake} is not built")
    world.env["BANGER_CONFIG"] = world.write("config.ini", f"[paths]\nqemu = {fake}\n")
    world.ok("kernel", "import", "k", "--from", world.kernel_tree())
    disk = world.path("root.ext4")
    with open(disk, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")


def run(world, name="web", append="", *words):
    more = ["--append", append] if append else []
    return world.json("vm", "run", "small", "--name", name, *more, *words)


def state(world, name="web"):
    return world.json("vm", "show", name)["state"]


def clean(world):
    """No machine outlives its test."""
    for row in world.json("vm", "list"):
        world.run("vm", "rm", row["name"], "--force")
    assert world.entries("vms") == []


def find_kernel():
    for place in (os.environ.get("BANGER_TEST_KERNEL"), os.path.join(BUILDDIR, "test-kernel"), "/"):
        if place and glob.glob(os.path.join(place, "boot", "vmlinuz-*")) and \
                glob.glob(os.path.join(place, "lib", "modules", "*")):
            return place
    raise Skip("there is no kernel: see tests/smoke/test_kernel.sh")
