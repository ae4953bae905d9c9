# SPDX-License-Identifier: MIT
"""kernel import from directories and packages."""
import json
import os

from world import main, sha256_of


def test_each_layout(world):
    for layout in ("metadata", "store", "boot", "alpine", "build"):
        tree = world.kernel_tree(layout, f"tree-{layout}")
        result = world.json("kernel", "import", layout, "--from", tree)
        assert result["name"] == layout and result["changed"] is True
        manifest = world.manifest("kernels", layout)
        vmlinux = os.path.join(world.state, "kernels", layout, "vmlinux")
        assert manifest["sha256"] == sha256_of(vmlinux) == result["sha256"]
        assert manifest["source"] == f"import:{tree}"
        assert manifest["format"] == 1 and manifest["imported_at"]
    assert len(world.json("kernel", "list")) == 5


def test_from_a_package(world):
    deb = world.path("k.deb")
    world.make("deb", deb)
    result = world.json("kernel", "import", "deb", "--from", deb)
    assert result["changed"] is True
    assert world.manifest("kernels", "deb")["source"].startswith("import:")
    # What it was built with is kept beside it.
    with open(os.path.join(world.state, "kernels", "deb", "config"), encoding="utf-8") as file:
        assert "CONFIG_EXT4_FS=y" in file.read()


def test_flags_win(world):
    tree = world.kernel_tree("metadata")
    world.ok("kernel", "import", "lab", "--from", tree, "--distro", "mine", "--arch", "aarch64",
             "--kernel-version", "9.9")
    manifest = world.manifest("kernels", "lab")
    assert (manifest["distro"], manifest["arch"], manifest["kernel_version"]) == (
        "mine", "aarch64", "9.9")


def test_contents_are_copied_not_the_directory(world):
    tree = world.kernel_tree("store")
    world.ok("kernel", "import", "lab", "--from", tree)
    entry = os.path.join(world.state, "kernels", "lab")
    assert "vmlinux" in os.listdir(entry)
    assert os.path.basename(tree) not in os.listdir(entry)
    again = world.json("kernel", "import", "again", "--from", entry)
    assert again["sha256"] == world.manifest("kernels", "lab")["sha256"]


def test_existing_name_is_kept_without_force(world):
    tree = world.kernel_tree()
    world.ok("kernel", "import", "lab", "--from", tree, "--distro", "one")
    before = world.tree()
    assert world.fails(73, "kernel", "import", "lab", "--from", tree)["code"] == "EXISTS"
    assert world.tree() == before
    world.ok("kernel", "import", "lab", "--from", tree, "--distro", "two", "--force")
    assert world.manifest("kernels", "lab")["distro"] == "two"


def test_no_kernel_leaves_nothing(world):
    empty = world.mkdir("empty")
    before = world.tree()
    world.fails(65, "kernel", "import", "lab", "--from", empty)
    world.fails(66, "kernel", "import", "lab", "--from", world.path("absent"))
    assert world.entries("kernels") == [] and world.tree() == before


def test_broken_metadata_is_no_fallback(world):
    for text in ("{", json.dumps({"kernel": "absent"}), json.dumps({"kernel": "../../etc/passwd"})):
        tree = world.kernel_tree("boot", f"tree-{len(text)}")
        with open(os.path.join(tree, "metadata.json"), "w", encoding="utf-8") as file:
            file.write(text)
        world.fails(65, "kernel", "import", "lab", "--from", tree)
        assert world.entries("kernels") == []


def test_dry_run_changes_nothing(world):
    tree = world.kernel_tree()
    world.ok("kernel", "list")
    before = world.tree()
    plan = world.json("kernel", "import", "lab", "--from", tree, "--dry-run")
    assert plan["plan"] and plan["free_bytes"] > 0
    assert world.tree() == before


main()
