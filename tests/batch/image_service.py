# SPDX-License-Identifier: MIT
"""image promote, verify, history, export; register from a directory and from a tar; the work seed."""
import io
import os
import shutil
import subprocess
import tarfile

from images_world import import_kernel, rootfs
from world import main, need, sha256_of

MIB = 1 << 20


def entry(world, name, *parts):
    return os.path.join(world.state, "images", name, *parts)


def listing(disk, path):
    """Names in a directory of an ext4 file."""
    done = subprocess.run(["debugfs", "-R", f"ls -p {path}", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True)
    return {line.split("/")[5] for line in done.stdout.decode().splitlines() if "/" in line}


def content(disk, path):
    return subprocess.run(["debugfs", "-R", f"cat {path}", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


def clean_disk(disk):
    done = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout


def root_tree(world):
    """A root directory with a home, links and a hole."""
    world.write("root/etc/os-release", "ID=test\n")
    world.write("root/root/.profile", "umask 022\n")
    world.write("root/bin/sh", "#!")
    os.link(world.path("root/bin/sh"), world.path("root/bin/ash"))
    os.symlink("/bin/sh", world.path("root/bin/link"))
    with open(world.write("root/sparse", ""), "wb") as file:
        file.truncate(20 * MIB)
        file.seek(10 * MIB)
        file.write(b"middle")
    return world.path("root")


def modules_tree(world):
    """lib/modules/<version>, as a distribution lays it."""
    world.write("lib/modules/6.1.0-t/modules.order", "kernel/a.ko\n")
    world.write("lib/modules/6.1.0-t/kernel/a.ko", b"\x7fELF module")
    return world.path("lib/modules/6.1.0-t")


def test_promote_takes_everything_in(world):
    disk = rootfs(world)
    kernel = world.write("k", b"\x7fELF" + bytes(100))
    initrd = world.write("i", b"initrd")
    world.ok("image", "register", "mine", "--rootfs", disk, "--kernel", kernel, "--initrd", initrd,
             "--modules", modules_tree(world))
    plan = world.json("image", "promote", "mine", "--dry-run")
    assert {"copy", "publish"} <= {step["action"] for step in plan["plan"]}, plan
    assert world.manifest("images", "mine")["managed"] is False, "nothing changed"
    digest = sha256_of(disk)
    result = world.json("image", "promote", "mine")
    assert result["changed"] is True and result["managed"] is True, result
    assert world.json("image", "promote", "mine")["changed"] is False
    for gone in ("rootfs.ext4", "k", "i"):
        os.unlink(world.path(gone))
    shutil.rmtree(world.path("lib"))
    assert sha256_of(entry(world, "mine", "rootfs.ext4")) == digest
    assert os.path.exists(entry(world, "mine", "kernel", "vmlinux"))
    assert os.path.exists(entry(world, "mine", "kernel", "initrd.img"))
    # Contents, not the directory of that name.
    assert sorted(os.listdir(entry(world, "mine", "kernel", "modules"))) == [
        "kernel", "modules.order"]
    assert "paths" not in world.manifest("images", "mine")
    assert world.json("image", "verify", "mine")[0]["verified"] in ("recorded", "pull")
    assert world.json("image", "list")[0]["state"] == "ok"


def test_promote_of_what_is_gone(world):
    import_kernel(world)
    disk = rootfs(world)
    world.ok("image", "register", "mine", "--rootfs", disk, "--kernel-ref", "lab")
    os.unlink(disk)
    before = world.tree()
    world.run("image", "promote", "mine")
    assert world.fails(65, "image", "promote", "mine")["message"]
    assert world.tree() == before
    world.fails(66, "image", "promote", "nobody")


def test_verify_finds_rot(world):
    import_kernel(world)
    for name in ("good", "rotten"):
        world.ok("image", "register", name, "--rootfs", rootfs(world, f"{name}.ext4"),
                 "--kernel-ref", "lab")
        world.ok("image", "promote", name)
    with open(entry(world, "rotten", "rootfs.ext4"), "r+b") as file:
        file.seek(3 * MIB)
        file.write(b"rot")
    (row,) = world.json("image", "verify", "good")
    assert row["name"] == "good" and row["verified"] != "mismatch" and "damage" not in row, row
    result = world.run("image", "verify", "rotten", "--format", "json")
    assert result.status == 65 and result.err.strip(), str(result)
    (row,) = result.json()
    assert row["name"] == "rotten" and row["verified"] == "mismatch", row
    assert row["content_sha256"], row


def test_export_is_what_catalogs_offer(world):
    need("zstd")
    import_kernel(world)
    world.ok("image", "register", "mine", "--rootfs", rootfs(world), "--kernel-ref", "lab")
    world.ok("image", "promote", "mine")
    result = world.json("image", "export", "mine", "--to", world.path("one.tar.zst"))
    assert result["sha256"] == sha256_of(world.path("one.tar.zst")), result
    again = world.json("image", "export", "mine", "--to", world.path("two.tar.zst"))
    assert again["sha256"] == result["sha256"], "the same image is the same file"
    world.fails(73, "image", "export", "mine", "--to", world.path("two.tar.zst"))
    named = world.json("image", "export", "mine", "--to", world.mkdir("into"))
    assert os.path.basename(named["file"]).startswith("mine-"), named
    shutil.copy(world.path("one.tar.zst"), world.www)
    world.catalog(images=[{
        "name": "offered", "kernel_ref": "lab", "arch": "x86_64",
        "tarball_url": f"{world.server()}/one.tar.zst", "tarball_sha256": result["sha256"],
        "size_bytes": result["size_bytes"]}])
    world.ok("image", "pull", "offered")
    assert sha256_of(entry(world, "offered", "rootfs.ext4")) == sha256_of(
        entry(world, "mine", "rootfs.ext4"))


def test_register_a_directory(world):
    for program in ("debugfs", "e2fsck"):
        need(program)
    import_kernel(world)
    result = world.json("image", "register", "tree", "--rootfs", root_tree(world), "--kernel-ref",
                        "lab", "--size", "256M")
    assert result["managed"] is True and result["size_bytes"] == 256 * MIB, result
    disk = entry(world, "tree", "rootfs.ext4")
    clean_disk(disk)
    assert content(disk, "/etc/os-release") == b"ID=test\n"
    assert {"sh", "ash", "link"} <= listing(disk, "/bin")
    assert result["disk_bytes"] < 20 * MIB, "holes are holes"
    # The home becomes the template of work disks.
    seed = entry(world, "tree", "work-seed.ext4")
    clean_disk(seed)
    assert content(seed, "/.profile") == b"umask 022\n"
    world.ok("image", "register", "again", "--rootfs", world.path("root"), "--kernel-ref", "lab",
             "--size", "256M")
    for name in ("rootfs.ext4", "work-seed.ext4"):
        assert sha256_of(entry(world, "again", name)) == sha256_of(entry(world, "tree", name)), name


def test_register_a_tar(world):
    for program in ("debugfs", "e2fsck", "zstd"):
        need(program)
    import_kernel(world)
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        for name, data in (("etc/os-release", b"ID=tar\n"), ("root/a", b"home")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.uid = 1234
            tar.addfile(member, io.BytesIO(data))
    plain = world.write("root.tar", body.getvalue())
    subprocess.run(["gzip", "-k", plain], check=True)
    subprocess.run(["zstd", "-q", "-k", plain], check=True)
    for name, path in (("t", "root.tar"), ("g", "root.tar.gz"), ("z", "root.tar.zst")):
        world.ok("image", "register", name, "--rootfs", world.path(path), "--kernel-ref", "lab")
        disk = entry(world, name, "rootfs.ext4")
        clean_disk(disk)
        assert content(disk, "/etc/os-release") == b"ID=tar\n"
    world.ok("image", "register", "t2", "--rootfs", plain, "--kernel-ref", "lab")
    assert sha256_of(entry(world, "t2", "rootfs.ext4")) == sha256_of(entry(world, "t", "rootfs.ext4"))
    world.ok("image", "rm", "t2")
    world.write("half.tar", body.getvalue()[:700])
    world.fails(65, "image", "register", "half", "--rootfs", world.path("half.tar"),
                "--kernel-ref", "lab")
    assert world.entries("images") == ["g", "t", "z"]


def test_nested_home_is_put_right(world):
    """A home that was copied one level too deep."""
    for program in ("debugfs", "e2fsck"):
        need(program)
    import_kernel(world)
    world.write("root/root/root/.ssh/config", "nested")
    world.write("root/root/here", "outside")
    world.ok("image", "register", "nested", "--rootfs", world.path("root"), "--kernel-ref", "lab")
    seed = entry(world, "nested", "work-seed.ext4")
    clean_disk(seed)
    assert {".ssh", "here"} <= listing(seed, "/") and "root" not in listing(seed, "/")


def test_history(world):
    import_kernel(world)
    world.ok("image", "register", "mine", "--rootfs", rootfs(world), "--kernel-ref", "lab")
    world.ok("image", "promote", "mine")
    rows = world.json("image", "history", "mine")
    assert [row["created_by"] for row in rows][0] == "image promote", rows
    assert all(row["created_at"].endswith("Z") for row in rows)
    assert all("size_bytes" not in row and "digest" not in row for row in rows), "no layers"


main()
