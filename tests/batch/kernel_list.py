# SPDX-License-Identifier: MIT
"""kernel list, kernel show: fields, tables, prefixes, hand-made and damaged entries."""
import json
import os

from world import main

LIST_FIELDS = {"name", "distro", "arch", "kernel_version", "sha256", "source", "imported_at",
               "size_bytes", "state", "verified"}


def import_one(world, name="lab", **flags):
    words = [word for key, value in flags.items() for word in (f"--{key}", value)]
    return world.json("kernel", "import", name, "--from", world.kernel_tree(name=f"tree-{name}"),
                      *words)


def test_fields(world):
    import_one(world, distro="debian", arch="x86_64")
    (row,) = world.json("kernel", "list")
    assert set(row) >= LIST_FIELDS, row
    assert row["name"] == "lab" and row["distro"] == "debian" and row["arch"] == "x86_64"
    assert row["state"] == "ok" and row["verified"] == "recorded"
    assert row["size_bytes"] > 0 and len(row["sha256"]) == 64
    assert row["imported_at"].startswith("2026-07-01T12:0") and row["imported_at"].endswith("Z")
    shown = world.json("kernel", "show", "lab")
    assert {key: shown[key] for key in row} == row
    assert os.path.exists(shown["path"])


def test_tables_and_names(world):
    import_one(world, "b")
    import_one(world, "a")
    lines = world.ok("kernel", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "DISTRO", "ARCH", "VERSION", "SIZE", "SHA256", "SOURCE",
                                "AGE", "STATE"]
    assert [line.split()[0] for line in lines[1:]] == ["a", "b"]
    assert world.ok("kernel", "list", "-q").out == "a\nb\n"
    assert world.ok("kernel", "ls", "-q").out == "a\nb\n"
    assert [row["name"] for row in world.ok("kernel", "list", "--format", "jsonl").lines()] == [
        "a", "b"]


def test_prefix_is_enough_for_reading(world):
    import_one(world, "debian-cloud")
    assert world.json("kernel", "show", "debi")["name"] == "debian-cloud"
    import_one(world, "debian")
    assert world.json("kernel", "show", "debian")["name"] == "debian"
    assert "debian-cloud" in world.fails(64, "kernel", "show", "debi")["message"]


def test_unknown_name_tells_the_near_ones(world):
    import_one(world, "debian")
    error = world.fails(66, "kernel", "show", "debain")
    assert error["code"] == "NOT_FOUND" and "debian" in error["message"]


def test_directory_made_by_hand(world):
    """At least a vmlinux: a valid entry that nobody verified."""
    world.ok("kernel", "list")
    folder = os.path.join(world.state, "kernels", "mine")
    os.makedirs(folder)
    with open(os.path.join(folder, "vmlinux"), "wb") as file:
        file.write(b"\x7fELF" + bytes(100))
    (row,) = world.json("kernel", "list")
    assert row["name"] == "mine" and row["state"] == "ok" and row["verified"] == "none"


def test_damaged_entries_are_shown_and_harm_nobody(world):
    import_one(world, "good")
    for name, manifest in (("broken", "{"), ("other", json.dumps({"name": "else"})),
                           ("newer", json.dumps({"name": "newer", "format": 99}))):
        folder = os.path.join(world.state, "kernels", name)
        os.makedirs(folder)
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
            file.write(manifest)
    states = {row["name"]: row["state"] for row in world.json("kernel", "list")}
    assert states["good"] == "ok" and states["broken"] == "damaged"
    assert states["other"] == "damaged"
    assert set(states) == {"good", "broken", "other", "newer"}
    assert world.json("kernel", "show", "good")["state"] == "ok"


main()
