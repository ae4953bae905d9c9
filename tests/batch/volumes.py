# SPDX-License-Identifier: MIT
"""Directories of this host and further disks in a machine. What is refused, kept and handed to QEMU is
seen with the stand-in for it; that the guest really has them, with the real one and a kernel that has
9p (BANGER_TEST_KERNEL_9P, a directory as tests/smoke/test_kernel.sh DIR full makes it)."""
import glob
import json
import os
import shutil
import subprocess

from machine_world import clean, prepare, run
from world import BUILDDIR, Skip, main, need, sha256_of


def spec(world, name="web"):
    with open(os.path.join(world.state, "vms", name, "vm.json"), encoding="utf-8") as file:
        return json.load(file)


def command_line(pid):
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        return file.read().split("\0")


def raw_disk(world, name="more.ext4", size="16M"):
    subprocess.run(["mkfs.ext4", "-q", "-F", world.path(name), size], stdout=subprocess.DEVNULL,
                   check=True)
    return world.path(name)


def prepare_sharing(world):
    """The kernel of the stand-in says that it has 9p."""
    prepare(world)
    (list_of_builtin,) = glob.glob(os.path.join(world.state, "kernels", "k", "modules", "**",
                                                "modules.builtin"), recursive=True)
    with open(list_of_builtin, "a", encoding="utf-8") as file:
        file.write("kernel/fs/9p/9p.ko\nkernel/net/9p/9pnet_virtio.ko\n")


def create(world, *words, name="web"):
    return world.ok("vm", "create", "small", "--name", name, *words)


def test_what_is_wrong_is_said_before_anything_is_made(world):
    prepare(world)
    world.mkdir("share")
    world.write("file", "x")
    raw_disk(world)
    share, before = world.path("share"), world.tree()
    for word in ("", "share", f"{share}:", ":/x", f"{share}:x", f"{share}:/", f"{share}:/a/../b",
                 f"{share}:/a//b", f"{share}:/a b", f"{share}:/proc/x", f"{share}:/a:wx",
                 f"{world.path('file')}:/x", f"{world.state}:/x", f"{world.state}/vms:/x"):
        world.fails(64, "vm", "create", "small", "--name", "web", "--volume", word)
    world.fails(66, "vm", "create", "small", "--name", "web", "--volume", "nowhere:/x")
    for word in ("x", "1M:/data", "20G:/dev/x", "20G:/data:ro", f"{share}:/x",
                 f"{world.path('file')}:/x", "99999T:/x"):
        world.fails(64, "vm", "create", "small", "--name", "web", "--disk", word)
    world.fails(66, "vm", "create", "small", "--name", "web", "--disk", "./nowhere:/x")
    world.fails(64, "vm", "create", "small", "--name", "web", "--disk", "16M:/x", "--volume",
                f"{share}:/x")
    world.fails(64, "vm", "create", "small", "--name", "web",
                *[word for number in range(9) for word in ("--disk", f"16M:/d{number}")])
    assert world.tree() == before


def test_a_kernel_that_cannot(world):
    """Said when the machine is made, not by a boot that fails."""
    prepare(world)
    tree = world.kernel_tree(name="without")
    (modules,) = glob.glob(os.path.join(tree, "lib", "modules", "*"))
    with open(os.path.join(modules, "modules.builtin"), "w", encoding="utf-8") as file:
        file.write("kernel/fs/ext4/ext4.ko\n")
    world.ok("kernel", "import", "without", "--from", tree)
    world.mkdir("share")
    failure = world.fails(69, "vm", "create", "small", "--name", "web", "--kernel-ref", "without",
                          "--volume", world.path("share") + ":/x")
    assert "without" in failure["message"] and "--kernel-ref" in failure["message"], failure
    assert world.entries("vms") == []


def test_what_a_machine_is_given(world):
    prepare_sharing(world)
    world.mkdir("a,b")
    world.mkdir("other")
    os.symlink("a,b", world.path("link"))
    raw_disk(world)
    pid = run(world, "web", "", "--volume", "link:/srv/a", "-v", world.path("other") + ":/o:ro",
              "--disk", "16M:/data", "--disk", "./more.ext4:/more:ro", "--disk", "32M")["pid"]
    words = command_line(pid)
    shared = [words[i + 1] for i, word in enumerate(words) if word == "-fsdev"]
    real = os.path.realpath(world.path("a,b")).replace(",", ",,")
    assert shared[0].endswith(f",path={real}") and "readonly" not in shared[0], shared
    assert "readonly=on" in shared[1], shared
    nodes = [json.loads(words[i + 1]) for i, word in enumerate(words) if word == "-blockdev"]
    extra = {node["node-name"]: node for node in nodes if node["node-name"].startswith("disk")}
    assert extra["disk1"]["file"]["filename"] == "disk1.ext4" and not extra["disk1"]["read-only"]
    assert extra["disk2"]["file"]["filename"] == os.path.realpath(world.path("more.ext4"))
    assert extra["disk2"]["read-only"] and not extra["disk3"]["read-only"]
    shown = world.json("vm", "show", "web")
    assert len(shown["volumes"]) == 2 and shown["volumes"][1].endswith(":/o:ro"), shown
    assert shown["disks"][0] == "16M:/data" and len(shown["disks"]) == 3
    kept = spec(world)
    assert kept["volumes"] == shown["volumes"] and kept["disks"] == shown["disks"]
    world.ok("vm", "stop", "web")
    world.ok("vm", "clone", "web", "twin")
    names = os.listdir(os.path.join(world.state, "vms", "twin"))
    assert "disk1.ext4" in names and "disk3.ext4" in names and "disk2.ext4" not in names
    world.ok("vm", "set", "web", "--volume", world.path("other") + ":/only")
    assert world.json("vm", "show", "web")["volumes"] == [os.path.realpath(world.path("other")) +
                                                          ":/only"]
    world.fails(66, "vm", "set", "web", "--volume", "nowhere:/x")
    world.ok("vm", "set", "web", "--volume", "none")
    assert "volumes" not in world.json("vm", "show", "web")
    clean(world)


def disk_files(world, name="web"):
    return sorted(file for file in os.listdir(os.path.join(world.state, "vms", name))
                  if file.startswith("disk"))


def test_disks_come_and_go(world):
    """Each keeps its file and serial, whatever becomes of the others; what is on one of the machine's
    own is not lost without --force."""
    prepare(world)
    raw_disk(world)
    create(world, "--disk", "16M:/a", "--disk", "16M:/b")
    assert world.json("vm", "set", "web", "--disk", "32M:/c", "--disk", "./more.ext4:/m:ro",
                      "--dry-run")["plan"]
    assert disk_files(world) == ["disk1.ext4", "disk2.ext4"]
    assert world.json("vm", "set", "web", "--disk", "32M:/c", "--disk",
                      "./more.ext4:/m:ro")["changed"] is True
    assert disk_files(world) == ["disk1.ext4", "disk2.ext4", "disk3.ext4"]
    third = sha256_of(os.path.join(world.state, "vms", "web", "disk3.ext4"))
    before = world.tree()
    for status, *words in ((64, "--no-disk", "/a"), (64, "--no-disk", "/nowhere", "--force"),
                           (64, "--disk", "16M:/b"), (64, "--no-disk", "disk9"), (64, "--force"),
                           (66, "--disk", "./nowhere:/x"), (64, "--no-disk", "/a", "--dry-run")):
        world.fails(status, "vm", "set", "web", *words)
    assert world.tree() == before
    world.ok("vm", "set", "web", "--no-disk", "/a", "--force")
    assert disk_files(world) == ["disk2.ext4", "disk3.ext4"]
    assert [word.split(":")[1] for word in spec(world)["disks"]] == ["/b", "/c", "/m"]
    assert spec(world)["disk_serials"] == ["disk2", "disk3", "disk4"]
    pid = world.json("vm", "start", "web")["pid"]
    words = command_line(pid)
    nodes = [json.loads(words[i + 1]) for i, word in enumerate(words) if word == "-blockdev"]
    assert {node["node-name"]: os.path.basename(node["file"]["filename"]) for node in nodes
            if node["node-name"].startswith("disk")} == {
                "disk2": "disk2.ext4", "disk3": "disk3.ext4", "disk4": "more.ext4"}
    assert sha256_of(os.path.join(world.state, "vms", "web", "disk3.ext4")) == third
    # Of one that runs: somebody's file may go, what the guest has open of ours may not.
    world.fails(75, "vm", "set", "web", "--no-disk", "disk2", "--force")
    assert "next start" in world.json("vm", "set", "web", "--no-disk", "/m")["note"]
    assert "next start" in world.json("vm", "set", "web", "--disk", "16M:/new")["note"]
    assert spec(world)["disk_serials"] == ["disk2", "disk3", "disk1"]
    world.ok("vm", "stop", "web")
    world.ok("vm", "clone", "web", "twin")
    assert spec(world, "twin")["disk_serials"] == ["disk2", "disk3", "disk1"]
    assert disk_files(world, "twin") == ["disk1.ext4", "disk2.ext4", "disk3.ext4"]
    world.fails(64, "vm", "set", "web",
                *[word for number in range(6) for word in ("--disk", f"16M:/d{number}")])
    assert os.path.exists(world.path("more.ext4"))
    clean(world)


def test_serials_that_do_not_fit(world):
    prepare(world)
    create(world, "--disk", "16M:/a", "--disk", "16M:/b")
    for serials in (["disk1"], ["disk1", "disk1"], ["disk1", "disk9"], ["disk1", 2], ["../x", "y"]):
        kept = spec(world)
        kept["disk_serials"] = serials
        with open(os.path.join(world.state, "vms", "web", "vm.json"), "w", encoding="utf-8") as file:
            json.dump(kept, file)
        world.fails(65, "vm", "show", "web")
    clean(world)


def test_what_is_gone_at_the_start(world):
    prepare_sharing(world)
    world.mkdir("share")
    create(world, "--volume", world.path("share") + ":/x")
    os.rmdir(world.path("share"))
    failure = world.fails(66, "vm", "start", "web")
    assert "share" in failure["message"], failure
    world.mkdir("share")
    world.ok("vm", "start", "web")
    clean(world)


# ---- the real thing ----

def full_kernel():
    place = os.environ.get("BANGER_TEST_KERNEL_9P")
    if not place or not glob.glob(os.path.join(place, "lib/modules/*/kernel/fs/9p")):
        raise Skip("there is no kernel with 9p: BANGER_TEST_KERNEL_9P")
    return place


def test_a_guest_shares_directories(world):
    for program in ("qemu-system-x86_64", "mkfs.ext4"):
        need(program)
    place = full_kernel()
    probe = os.path.join(BUILDDIR, "tests", "smoke", "probe")
    world.env["BANGER_ACCEL"] = "tcg"
    world.ok("kernel", "import", "k", "--from", place)
    world.mkdir("tree", "bin")
    shutil.copy(probe, world.path("tree", "bin", "probe"))
    disk = world.path("root.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("tree"), disk, "16M"], check=True)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")
    world.write("share/given", "by the host")
    world.write("fixed/given", "as it is")
    world.write("secret", "of the host")
    os.symlink("../secret", world.path("share/out"))
    os.symlink(world.path("secret"), world.path("share/away"))
    before = sha256_of(world.path("fixed/given"))
    world.ok("vm", "run", "small", "--name", "web", "--memory", "192M", "--volume",
             "share:/srv/share", "--volume", "fixed:/srv/fixed:ro")

    def probe_guest(*words):
        return world.run("vm", "exec", "web", "--", "/bin/probe", *words)

    assert probe_guest("read", "/srv/share/given").out == "by the host"
    assert probe_guest("write", "/srv/share/made", "by the guest").status == 0
    with open(world.path("share/made"), encoding="utf-8") as file:
        assert file.read() == "by the guest"
    assert os.stat(world.path("share/made")).st_uid == os.geteuid()
    for link in ("out", "away"):  # what a link says is looked for in the guest
        assert "of the host" not in probe_guest("read", f"/srv/share/{link}").out
    assert probe_guest("read", "/srv/fixed/given").out == "as it is"
    assert probe_guest("write", "/srv/fixed/given", "x").status != 0
    assert probe_guest("write", "/srv/fixed/more", "x").status != 0
    assert sha256_of(world.path("fixed/given")) == before
    assert sorted(os.listdir(world.path("fixed"))) == ["given"]
    world.write("share/given", "changed")
    assert probe_guest("read", "/srv/share/given").out == "changed"
    world.ok("vm", "stop", "web")
    clean(world)


main()
