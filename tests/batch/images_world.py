# SPDX-License-Identifier: MIT
"""What tests about images share: a disk and a kernel."""
import json
import os
import shutil
import subprocess
import sys

from world import SUPPORT, need

sys.path.append(os.path.join(os.environ["SRCDIR"], "tests", "unit"))
import flatten_umoci  # noqa: E402


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


def has_zstd(layout):
    def blob(descriptor):
        with open(os.path.join(layout, "blobs", *descriptor["digest"].split(":")), "rb") as file:
            return json.load(file)
    with open(os.path.join(layout, "index.json"), "rb") as file:
        manifest = blob(json.load(file)["manifests"][0])
    return any(layer["mediaType"].endswith("zstd") for layer in manifest["layers"])


def unpacked(world, reference):
    """What umoci makes of it; None where it cannot: Debian 12's reads no zstd."""
    layout, bundle = world.path("layout"), world.path("bundle")
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=" +
                    ("false" if reference.startswith("127.0.0.1:") else "true"),
                    "docker://" + reference, f"oci:{layout}:t"], check=True)
    if has_zstd(layout):
        shutil.rmtree(layout)
        return None
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    subprocess.run(["umoci", "--log=error", "unpack", *rootless, "--image", layout + ":t", bundle],
                   check=True)
    tree = flatten_umoci.host_tree(bundle + "/rootfs")
    for folder in (layout, bundle):
        subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
        shutil.rmtree(folder)
    return tree


def assert_as_umoci(world, reference, disk):
    """The disk holds the tree that umoci makes of the same reference."""
    expected = unpacked(world, reference)
    if expected is not None:
        flatten_umoci.assert_alike(reference, flatten_umoci.disk_tree(disk), expected,
                                   has_directory_times=False)
