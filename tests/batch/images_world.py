# SPDX-License-Identifier: MIT
"""What tests about images share: a disk and a kernel."""
import os

from world import need


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
