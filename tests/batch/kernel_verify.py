# SPDX-License-Identifier: MIT
"""kernel verify finds rot and notes it; kernel export makes a file that another host imports."""
import os
import pwd
import shutil
import subprocess

from world import Skip, main, sha256_of


def fill(world, *names):
    for name in names:
        world.ok("kernel", "import", name, "--from", world.kernel_tree("store", f"tree-{name}"))


def vmlinux(world, name):
    return os.path.join(world.state, "kernels", name, "vmlinux")


def rot(world, name):
    with open(vmlinux(world, name), "r+b") as file:
        file.seek(9)
        byte = file.read(1)[0]
        file.seek(9)
        file.write(bytes([byte ^ 1]))


def verified(world, name):
    return {row["name"]: row["verified"] for row in world.json("kernel", "list")}[name]


def test_well_kernels_change_nothing(world):
    fill(world, "a", "b")
    before = world.tree()
    rows = world.json("kernel", "verify")
    assert [(row["name"], row["verified"]) for row in rows] == [("a", "recorded"), ("b", "recorded")]
    assert all(row["sha256"] and row["changed"] is False for row in rows)
    assert world.json("kernel", "verify", "a")["name"] == "a"
    assert world.tree() == before


def test_rot_is_found_noted_and_forgotten_again(world):
    fill(world, "a", "b")
    rot(world, "b")
    assert verified(world, "b") == "recorded"
    result = world.run("kernel", "verify", "--format", "json")
    assert result.status == 65
    well, bad = result.json()
    assert well["verified"] == "recorded" and bad["verified"] == "mismatch"
    assert bad["found_sha256"] == sha256_of(vmlinux(world, "b")) != bad["sha256"]
    assert verified(world, "b") == "mismatch" and verified(world, "a") == "recorded"
    one = world.run("kernel", "verify", "b", "--format", "json")
    assert one.status == 65 and one.json()["error"]["code"] == "DIGEST"
    both = world.run("kernel", "verify", "b", "a", "--format", "json")
    assert [row["verified"] for row in both.json()] == ["mismatch", "recorded"] and both.status == 2
    # The other fields of the manifest are as they were.
    assert world.manifest("kernels", "b")["source"] == world.manifest("kernels", "a")[
        "source"].replace("tree-a", "tree-b")
    rot(world, "b")  # the same bit once more: well again
    world.ok("kernel", "verify", "b")
    assert verified(world, "b") == "recorded"
    assert "found_sha256" not in world.manifest("kernels", "b")


def test_replacing_forgets_the_rot(world):
    fill(world, "a")
    rot(world, "a")
    assert world.run("kernel", "verify").status == 65
    world.ok("kernel", "import", "a", "--from", world.path("tree-a"), "--force")
    assert verified(world, "a") == "recorded"


def test_a_readonly_seat_looks_and_notes_nothing(world):
    fill(world, "a")
    rot(world, "a")
    before = world.tree()
    assert world.run("kernel", "verify", "--readonly").status == 65
    assert world.tree() == before


def test_unknown_and_damaged(world):
    world.ok("kernel", "list")
    assert world.json("kernel", "verify") == []
    world.fails(66, "kernel", "verify", "nothing")
    fill(world, "a", "b")
    os.unlink(vmlinux(world, "a"))
    result = world.run("kernel", "verify", "--format", "json")
    assert result.status == 65
    broken, well = result.json()
    assert broken["damage"] and well["verified"] == "recorded"


def test_by_hand_without_a_digest(world):
    world.ok("kernel", "list")
    os.mkdir(os.path.join(world.state, "kernels", "mine"), 0o700)
    with open(vmlinux(world, "mine"), "wb") as file:
        file.write(b"\x7fELF")
    row, = world.json("kernel", "verify")
    assert row["verified"] == "none"


def test_exported_and_imported_elsewhere(world):
    fill(world, "a")
    file = world.path("a.tar.zst")
    made = world.json("kernel", "export", "a", "--to", file)
    assert made["sha256"] == sha256_of(file) and made["size_bytes"] == os.path.getsize(file)
    assert made["file"] == file and made["expanded_bytes"] > 0
    before = world.manifest("kernels", "a")
    other = {"BANGER_STATE_DIR": world.path("other")}
    result = world.json("kernel", "import", "b", "--from", file, env=other)
    assert result["sha256"] == before["sha256"] and result["source"] == f"import:{file}"
    shown = world.json("kernel", "show", "b", env=other)
    assert shown["source_sha256"] == made["sha256"]
    assert shown["imported_by"] == pwd.getpwuid(os.geteuid()).pw_name
    left = os.path.join(world.state, "kernels", "a")
    right = world.path("other", "kernels", "b")
    assert subprocess.run(["diff", "-r", "-x", "manifest.json", left, right],
                          check=False).returncode == 0
    # From there it is the same file again.
    again = world.json("kernel", "export", "b", "--to", world.path("b.tar.zst"), env=other)
    assert again["sha256"] == made["sha256"]


def test_exported_into_a_directory(world):
    fill(world, "a")
    out = world.mkdir("out")
    made = world.json("kernel", "export", "a", "--to", out)
    name, = os.listdir(out)
    assert made["file"] == os.path.join(out, name)
    assert name.startswith("a-") and made["sha256"][:16] in name
    world.fails(73, "kernel", "export", "a", "--to", out)
    world.ok("kernel", "export", "a", "--to", out, "--force")
    assert os.listdir(out) == [name]


def test_export_refuses(world):
    fill(world, "a")
    file = world.write("there", "mine")
    world.fails(73, "kernel", "export", "a", "--to", file)
    assert open(file, encoding="utf-8").read() == "mine"
    world.fails(66, "kernel", "export", "b", "--to", world.path("x"))
    world.fails(66, "kernel", "export", "a", "--to", world.path("no", "such", "x"))
    world.fails(64, "kernel", "export", "a")
    assert world.json("kernel", "export", "a", "--to", world.path("x"), "--dry-run")["plan"]
    rot(world, "a")
    world.fails(65, "kernel", "export", "a", "--to", world.path("x"))
    assert not [name for name in os.listdir(world.place) if name.startswith("x")]


def test_a_broken_bundle_leaves_nothing(world):
    fill(world, "a")
    file = world.path("a.tar.zst")
    world.ok("kernel", "export", "a", "--to", file)
    with open(file, "rb") as whole:
        data = whole.read()
    before = world.tree()
    for name, content in (("cut", data[:-5]), ("tail", data + b"x"),
                          ("flipped", data[:40] + bytes([data[40] ^ 0xff]) + data[41:])):
        world.fails(65, "kernel", "import", "b", "--from", world.write(name, content))
    assert world.tree() == before
    world.fails(64, "kernel", "import", "b", "--from", file, "--from", file)


def test_gnu_tar_reads_it(world):
    if shutil.which("zstd") is None:
        raise Skip("zstd is not installed")
    fill(world, "a")
    file = world.path("a.tar.zst")
    world.ok("kernel", "export", "a", "--to", file)
    out = world.mkdir("untarred")
    subprocess.run(["tar", "--zstd", "-xf", file, "-C", out], check=True)
    assert subprocess.run(["diff", "-r", "-x", "manifest.json", out,
                           os.path.join(world.state, "kernels", "a")], check=False).returncode == 0


main()
