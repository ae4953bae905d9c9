# SPDX-License-Identifier: MIT
"""kernel import from directories and packages."""
import json
import os
import subprocess
import threading

from world import PROGRAM, Skip, main, need, sha256_of


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


def test_nothing_is_read_through_a_link_out_of_the_place(world):
    """Neither the kernel nor what stands beside it, and it is said."""
    outside = world.kernel_tree("store", "outside")
    boot = world.kernel_tree("boot", "boot-tree")

    def place(name, **links):
        folder = world.mkdir(name)
        for link, target in links.items():
            os.symlink(target, os.path.join(folder, link.replace("_", ".")))
        return folder

    for name, links, word in (
            ("l1", {"vmlinux": "../outside/vmlinux"}, "vmlinux"),
            ("l2", {"boot": os.path.join(boot, "boot")}, "boot"),
            ("l3", {"metadata_json": "../outside/manifest.json"}, "metadata.json")):
        error = world.fails(65, "kernel", "import", "lab", "--from", place(name, **links))
        assert error["code"] == "FORMAT" and f"{word}" in error["message"], error
        assert "out of the directory" in error["message"], error
    for kernel in ("../outside/vmlinux", os.path.join(outside, "vmlinux"), "link"):
        world.write("l4/metadata.json", json.dumps({"kernel": kernel}))
        if kernel == "link":
            os.symlink("../outside/vmlinux", world.path("l4", "link"))
        assert world.fails(65, "kernel", "import", "lab", "--from", world.path("l4"))["code"] == \
            "FORMAT"
    assert world.entries("kernels") == []
    beside = place("l5", modules="../outside/modules", initrd_img="/etc/hostname")
    world.write("l5/vmlinux", b"\x7fELF" + bytes(100))
    result = world.json("kernel", "import", "lab", "--from", beside)
    assert result["has_modules"] is False and result["has_initrd"] is False, result
    for name in ("modules", "initrd.img"):
        assert any(name in note and "out of" in note for note in result["notes"]), result
    assert os.listdir(os.path.join(world.state, "kernels", "lab")).count("modules") == 0


def test_several_packages(world):
    image, modules = world.path("image.deb"), world.path("modules.deb")
    world.make("deb", image, "--part", "image", "--compress", "zst")
    world.make("deb", modules, "--part", "modules")
    result = world.json("kernel", "import", "deb", "--from", image, "--from", modules)
    assert result["has_modules"] is True and result["format_of_kernel"] == "bzimage", result
    assert world.fails(65, "kernel", "import", "none", "--from", modules)["code"] == "FORMAT"
    tree = world.kernel_tree()
    assert world.fails(64, "kernel", "import", "none", "--from", image, "--from", tree)["code"] == \
        "INVALID"
    assert world.entries("kernels") == ["deb"]


def test_each_format(world):
    for layout, format_ in (("metadata", "bzimage"), ("store", "elf"), ("build", "bzimage")):
        tree = world.kernel_tree(layout, f"tree-{layout}")
        result = world.json("kernel", "import", layout, "--from", tree)
        assert result["format_of_kernel"] == format_, result
        assert world.manifest("kernels", layout)["format_of_kernel"] == format_
        assert result["arch"] == "x86_64" and result["kernel_version"] == "6.1.0-test", result


def in_a_host(world, boot, user, *words):
    """Runs the program where /boot is that directory and lib/modules is empty, as another user."""
    need("unshare")
    need("setpriv")
    if os.geteuid() != 0:
        raise Skip("another /boot needs root")
    state = world.mkdir("others-state")
    os.chmod(world.place, 0o755)
    os.chown(state, user, user)
    script = (f"mount --bind {boot} /boot && exec setpriv --reuid={user} --regid={user} "
              '--clear-groups "$@"')
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", PROGRAM, "--batch", "--state-dir", state,
         *words], env=world.env, cwd="/", capture_output=True, text=True, check=False)
    if "mount" in done.stderr:
        raise Skip(f"no other /boot can be made: {done.stderr.strip()}")
    return done


def test_of_this_host(world):
    """A kernel that root alone may read says so; a directory of that name is another thing."""
    release = os.uname().release
    tree = world.kernel_tree("build", "source")
    boot = world.mkdir("boot")
    kernel = world.path("boot", f"vmlinuz-{release}")
    os.link(os.path.join(tree, "arch", "x86", "boot", "bzImage"), kernel)
    os.chmod(kernel, 0o600)
    done = in_a_host(world, boot, 65534, "kernel", "import", "host", "--from", "host",
                     "--format", "json")
    assert done.returncode == 77, done
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "PERMISSION" and "root" in error["message"], error
    os.chmod(kernel, 0o644)
    done = in_a_host(world, boot, 65534, "kernel", "import", "host", "--from", "host",
                     "--format", "json")
    assert done.returncode == 0, done
    result = json.loads(done.stdout)
    assert result["kernel_version"] == release and result["source"].startswith("import:host"), result
    world.kernel_tree("build", "host")  # in the directory it is run from
    world.ok("kernel", "import", "mine", "--from", "./host")
    assert world.manifest("kernels", "mine")["kernel_version"] == "6.1.0-test"


def test_replaced_while_it_is_read(world):
    """There is never a moment without the entry, and what is read of it is of one piece."""
    trees = [world.kernel_tree("store", "one"), world.kernel_tree("store", "two")]
    with open(os.path.join(trees[1], "vmlinux"), "ab") as file:
        file.write(b"another")
    wanted = {sha256_of(os.path.join(tree, "vmlinux")) for tree in trees}
    world.ok("kernel", "import", "lab", "--from", trees[0])
    entry = os.path.join(world.state, "kernels", "lab")
    seen, problems, is_over = set(), [], threading.Event()

    def read():
        while not is_over.is_set():
            try:
                folder = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                problems.append(error)
                return
            try:
                # The old one is taken apart once it has gone: what is still there fits.
                with open(f"/proc/self/fd/{folder}/manifest.json", encoding="utf-8") as file:
                    seen.add(json.load(file)["sha256"])
            except FileNotFoundError:
                pass
            finally:
                os.close(folder)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(12):
        world.ok("kernel", "import", "lab", "--from", trees[(turn + 1) % 2], "--force")
        row = world.json("kernel", "show", "lab")
        assert row["state"] == "ok" and row["sha256"] in wanted, row
    is_over.set()
    for reader in readers:
        reader.join()
    assert problems == [] and seen == wanted, (problems, seen)
    assert world.entries("kernels") == ["lab"]


main()
