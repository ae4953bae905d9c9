# SPDX-License-Identifier: MIT
"""Whether there is room is asked before anything is unpacked, on a small disk (needs root)."""
import json
import os
import subprocess
import sys

from images_world import import_kernel
from world import SUPPORT, Skip, main, need, sha256_of, small_disk

sys.path.insert(0, SUPPORT)
import make_bundle  # noqa: E402

MIB = 1 << 20


def refused(world, kind, *words):
    """For want of room, before anything was unpacked, and in words that say where and how much."""
    result = world.run(*words, "--progress", "jsonl")
    assert result.status == 74, str(result)
    lines = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
    assert all(line.get("phase") != "extract" for line in lines), result.err
    error = world.fails(74, *words)
    assert error["code"] == "NO_SPACE", error
    assert os.path.join(world.state, kind) in error["message"] and "MiB" in error["message"], error
    assert os.listdir(world.state + f"/{kind}") == []


def vmlinux(mib):
    """A kernel that packs well."""
    return make_bundle.elf("6.1.0-test") + b"\xa5" * (mib * MIB)


def pack(world, name, files):
    """A bundle whose frame says how long it is unpacked."""
    need("zstd")
    tar = world.write(f"{name}.tar", make_bundle.tree_members(files) + make_bundle.END)
    path = os.path.join(world.www, f"{name}.tar.zst")
    subprocess.run(["zstd", "-q", "-f", tar, "-o", path], check=True)
    os.unlink(tar)
    return path


def offer(world, url, path, **more):
    return {"name": "big", "distro": "t", "arch": "x86_64", "tarball_sha256": sha256_of(path),
            "tarball_url": f"{url}/{os.path.basename(path)}", "size_bytes": os.path.getsize(path),
            **more}


def test_a_kernel_of_a_catalog(world):
    path = pack(world, "big", {"vmlinux": vmlinux(16)})
    url = world.server()
    world.catalog(kernels=[offer(world, url, path)])
    with small_disk(world):
        refused(world, "kernels", "kernel", "pull", "big")
        assert world.requests() != []
    with small_disk(world, 40):
        assert world.json("kernel", "pull", "big")["changed"] is True


def test_what_the_catalog_says_is_asked_before_the_fetch(world):
    # Streamed, so that its frame says nothing.
    path = os.path.join(world.www, "big.tar.zst")
    make_bundle.write(path, make_bundle.zstd(make_bundle.tree_members({"vmlinux": vmlinux(1)}) +
                                             make_bundle.END))
    image = os.path.join(world.www, "image.tar.zst")
    world.make("image", image, "--mib", "2")
    url = world.server()
    world.catalog(kernels=[offer(world, url, path, disk_bytes=16 * MIB)],
                  images=[offer(world, url, image, disk_bytes=16 * MIB, kernel_ref="lab")])
    with small_disk(world):
        refused(world, "kernels", "kernel", "pull", "big")
        import_kernel(world)
        refused(world, "images", "image", "pull", "big", "--kernel-ref", "lab")
        assert world.requests() == []


def test_a_catalog_of_ours_says_it(world):
    world.ok("kernel", "import", "lab", "--from",
             os.path.dirname(world.write("tree/vmlinux", vmlinux(4))))
    out = world.mkdir("published")
    world.ok("catalog", "publish", out)
    with open(os.path.join(out, "catalog.json"), encoding="utf-8") as file:
        (entry,) = json.load(file)["kernels"]
    assert 4 * MIB <= entry["disk_bytes"] < 6 * MIB and entry["size_bytes"] < MIB, entry


def test_an_image_that_does_not_pack(world):
    """At least what it takes packed: its holes are not counted."""
    image = os.path.join(world.www, "image.tar.zst")
    need("zstd")
    content = bytearray(make_bundle.sparse_image(64))
    content[:7 * MIB] = make_bundle.noise(7 * MIB, 5)
    make_bundle.write(image, make_bundle.zstd(
        make_bundle.member("manifest.json", b'{"name":"big","kernel_ref":"lab"}') +
        make_bundle.member("rootfs.ext4", bytes(content)) + make_bundle.END))
    url = world.server()
    with small_disk(world):
        import_kernel(world)
        world.catalog(images=[offer(world, url, image, kernel_ref="lab")])
        refused(world, "images", "image", "pull", "big", "--kernel-ref", "lab")


def test_imports(world):
    big = vmlinux(16)
    tree = os.path.dirname(world.write("tree/vmlinux", big))
    modules = world.mkdir("with-modules", "modules", "kernel")
    world.write("with-modules/vmlinux", vmlinux(1))
    for i in range(3):
        with open(os.path.join(modules, f"m{i}.ko"), "wb") as file:
            file.write(bytes([i + 1]) * (5 * MIB))
    tar = make_bundle.deb_tar("6.1.0-test", "image")[:-len(make_bundle.END)] + make_bundle.member(
        "./lib/modules/6.1.0-test/kernel/big.ko", b"\x5a" * (16 * MIB), magic=make_bundle.GNU) + \
        make_bundle.END
    deb = world.write("k.deb", make_bundle.deb(tar, "xz"))
    bundle = pack(world, "bundle", {"vmlinux": big})
    assert os.path.getsize(deb) < MIB and os.path.getsize(bundle) < MIB
    for place in (tree, os.path.join(world.place, "with-modules"), deb, bundle):
        with small_disk(world):
            refused(world, "kernels", "kernel", "import", "big", "--from", place)
        with small_disk(world, 40):
            world.ok("kernel", "import", "big", "--from", place)


def test_a_directory_and_a_tar_as_images(world):
    need("mkfs.ext4")
    place = world.mkdir("rootfs", "etc")
    with open(os.path.join(place, "noise"), "wb") as file:
        file.write(make_bundle.noise(16 * MIB, 3))
    with open(os.path.join(place, "holes"), "wb") as file:
        file.truncate(1 << 30)  # takes no room
    for name in ("again", "and-again"):  # nor do more names for the same
        os.link(os.path.join(place, "noise"), os.path.join(place, name))
    tar = world.path("rootfs.tar")
    subprocess.run(["tar", "-C", world.path("rootfs"), "--sparse", "-cf", tar, "."], check=True)
    with small_disk(world):
        import_kernel(world)
        for rootfs in (world.path("rootfs"), tar):
            refused(world, "images", "image", "register", "big", "--rootfs", rootfs,
                    "--kernel-ref", "lab")
    with small_disk(world, 44):
        import_kernel(world)
        world.ok("image", "register", "big", "--rootfs", world.path("rootfs"), "--kernel-ref", "lab")


def test_a_machines_own_copy(world):
    """Of an image elsewhere; its holes take no room."""
    need("mkfs.ext4")
    disk = world.path("root.ext4")
    with open(disk, "wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    with open(disk, "r+b") as file:
        file.seek(512 << 20)
        file.write(make_bundle.noise(16 * MIB, 4))
    words = ("vm", "create", "big", "--name", "web", "--root", "copy", "--disk-size", "1G")
    for mib, status in ((12, 74), (64, 0)):
        with small_disk(world, mib):
            import_kernel(world)
            world.ok("image", "register", "big", "--rootfs", disk, "--kernel-ref", "lab")
            if status != 0:
                refused(world, "vms", *words)
                continue
            world.ok(*words)
            world.ok("vm", "rm", "web")


def test_layers_that_are_here_already(world):
    """Nothing is fetched; what they make needs room all the same."""
    child = subprocess.Popen(
        [sys.executable, "-B", os.path.join(SUPPORT, "registry.py"), "--root",
         world.mkdir("registry"), "--log", world.path("registry.log")], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL)
    world.children.append(child)
    host = f"127.0.0.1:{int(child.stdout.readline())}"
    with small_disk(world, 48):
        import_kernel(world)
        words = ("image", "pull", f"{host}/hub/many:latest", "--name", "many", "--kernel-ref", "lab")
        world.ok(*words)
        world.ok("image", "rm", "many")
        world.ok("host", "trash", "empty")
        room = os.statvfs(world.state)
        with open(os.path.join(world.state, "log", "ballast"), "wb") as file:
            file.write(bytes(room.f_bavail * room.f_frsize - MIB))
        refused(world, "images", *words)
        os.unlink(os.path.join(world.state, "log", "ballast"))
        world.ok(*words)


main()
