# SPDX-License-Identifier: MIT
"""What tests about images share: a disk and a kernel."""
import os
import subprocess
import sys

from world import SUPPORT, need


def rootfs(world, name="rootfs.ext4"):
    """Large enough for a superblock; what is in it is the VM's business."""
    need("mkfs.ext4")
    path = world.path(name)
    with open(path, "wb") as file:
        file.truncate(4 << 20)
    os.system(f"mkfs.ext4 -q -F {path}")
    return path


def import_kernel(world, name="lab"):
    world.ok("kernel", "import", name, "--from", world.kernel_tree(name=f"tree-{name}"))


def registry(world, script):
    """Starts a registry of tests/support; its host:port."""
    child = subprocess.Popen(
        [sys.executable, "-B", os.path.join(SUPPORT, script), "--root", world.mkdir("registry"),
         "--log", world.path("registry.log")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    world.children.append(child)
    port = child.stdout.readline().strip()
    assert port, f"{script} did not start"
    return f"127.0.0.1:{int(port)}"
