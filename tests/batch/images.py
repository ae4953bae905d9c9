# SPDX-License-Identifier: MIT
"""image register, list, show, pull, rm."""
import os

from images_world import import_kernel, rootfs
from world import main, need, sha256_of

FIELDS = {"name", "source", "kernel_ref", "size_bytes", "disk_bytes", "managed", "created_at",
          "state", "used_by"}


def offer_image(world, url, **more):
    need("zstd")
    bundle = os.path.join(world.www, "image.tar.zst")
    world.write("image/manifest.json", '{"name": "small", "kernel_ref": "test"}')
    rootfs(world, "image/rootfs.ext4")
    world.make("pack", bundle, world.path("image"))
    kernel, digest, size = world.kernel_bundle()
    world.catalog(
        kernels=[{"name": "test", "tarball_url": f"{url}/{kernel}", "tarball_sha256": digest,
                  "size_bytes": size}],
        images=[{"name": "small", "distro": "test", "arch": "x86_64", "kernel_ref": "test",
                 "tarball_url": f"{url}/image.tar.zst", "tarball_sha256": sha256_of(bundle),
                 "size_bytes": os.path.getsize(bundle), "description": "an image for tests",
                 **more}])


def test_register_with_a_kernel_of_the_store(world):
    import_kernel(world)
    disk = rootfs(world)
    result = world.json("image", "register", "mine", "--rootfs", disk, "--kernel-ref", "lab")
    assert result["name"] == "mine" and result["changed"] is True
    (row,) = world.json("image", "list")
    assert row["name"] == "mine" and row["kernel_ref"] == "lab" and row["managed"] is False
    assert row["state"] == "ok" and row["size_bytes"] == 4 << 20
    assert row["disk_bytes"] <= row["size_bytes"] and row["created_at"].endswith("Z")
    manifest = world.manifest("images", "mine")
    assert manifest["paths"]["rootfs"] == disk
    shown = world.json("image", "show", "mi")
    assert FIELDS - {"used_by"} <= set(shown), shown


def test_register_with_files(world):
    disk = rootfs(world)
    kernel = world.write("k", b"\x7fELF" + bytes(100))
    initrd = world.write("i", b"initrd")
    modules = world.mkdir("m")
    world.ok("image", "register", "mine", "--rootfs", disk, "--kernel", kernel, "--initrd", initrd,
             "--modules", modules)
    assert world.manifest("images", "mine")["paths"] == {
        "rootfs": disk, "kernel": kernel, "initrd": initrd, "modules": modules}


def test_register_refuses(world):
    disk = rootfs(world)
    import_kernel(world)
    world.fails(66, "image", "register", "x", "--rootfs", world.path("absent"), "--kernel-ref",
                "lab")
    assert world.entries("images") == []
    world.ok("image", "register", "x", "--rootfs", disk, "--kernel-ref", "lab")
    world.fails(73, "image", "register", "x", "--rootfs", disk, "--kernel-ref", "lab")
    world.ok("image", "register", "x", "--rootfs", disk, "--kernel-ref", "lab", "--force")


def test_pull_with_its_kernel_on_the_way(world):
    offer_image(world, world.server())
    (row,) = world.json("image", "list", "--available")
    assert row["name"] == "small" and row["kind"] == "image" and row["state"] == "available"
    assert {"distro", "arch", "size_bytes", "description", "catalog"} <= set(row), row
    assert "kernel_version" not in row, "not known, so not there"
    result = world.json("image", "pull", "small")
    assert result["name"] == "small" and result["changed"] is True
    assert world.entries("images") == ["small"] and world.entries("kernels") == ["test"]
    (row,) = world.json("image", "list")
    assert row["kernel_ref"] == "test" and row["managed"] is True and row["source"]
    assert row["disk_bytes"] < row["size_bytes"], "holes are kept"
    assert world.parts() == []


def test_pull_under_another_name(world):
    import_kernel(world)
    offer_image(world, world.server())
    world.ok("image", "pull", "small", "--name", "other", "--kernel-ref", "lab")
    assert world.manifest("images", "other")["kernel_ref"] == "lab"
    assert world.entries("kernels") == ["lab"]
    world.fails(73, "image", "pull", "small", "--name", "other")
    assert world.json("image", "pull", "small", "--name", "other", "--if-absent")["changed"] is False
    world.ok("image", "pull", "small", "--name", "other", "--kernel-ref", "lab", "--force")


def test_pull_with_a_wrong_digest(world):
    import_kernel(world, "test")
    offer_image(world, world.server(), tarball_sha256="0" * 64)
    assert world.fails(65, "image", "pull", "small")["code"] == "DIGEST"
    assert world.entries("images") == [] and world.parts() == []


def test_unknown_word_names_what_to_type(world):
    world.catalog()
    error = world.fails(66, "image", "pull", "nowhere")
    assert "docker.io/library/nowhere" in error["message"]


def test_rm(world):
    import_kernel(world)
    disk = rootfs(world)
    world.ok("image", "register", "mine", "--rootfs", disk, "--kernel-ref", "lab")
    assert world.fails(75, "kernel", "rm", "lab")["code"] == "IN_USE"
    assert world.json("image", "ls")[0]["name"] == "mine"
    assert world.json("image", "rm", "mine")["changed"] is True
    assert world.entries("images") == [] and os.path.exists(disk)
    world.ok("kernel", "rm", "lab")
    world.fails(66, "image", "delete", "mine")


def test_kernel_in_use_goes_with_force(world):
    import_kernel(world)
    world.ok("image", "register", "mine", "--rootfs", rootfs(world), "--kernel-ref", "lab")
    assert world.json("kernel", "show", "lab")["used_by"] == ["image mine"]
    world.ok("kernel", "rm", "lab", "--force")
    assert world.entries("kernels") == []


def test_table(world):
    header = world.ok("image", "list").out.split()
    assert header[0] == "NAME" and "KERNEL" in header and "STATE" in header


def test_dry_run_changes_nothing(world):
    import_kernel(world)
    offer_image(world, world.server())
    disk = rootfs(world)
    before = world.tree()
    assert world.json("image", "pull", "small", "--dry-run")["plan"]
    assert world.json("image", "register", "x", "--rootfs", disk, "--kernel-ref", "lab",
                      "--dry-run")["plan"]
    assert world.tree() == before


main()
