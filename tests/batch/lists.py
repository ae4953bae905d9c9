# SPDX-License-Identifier: MIT
"""Long lists and the index that makes them quick: what is printed is what the manifests say, with an
index, without one, with a broken one, and whatever happened to the entries since it was written."""
import json
import os
import shutil
import struct
import time

from world import main
import seed

MANY = 520
FORMS = (["--format", "table"], ["--format", "json"], ["--format", "jsonl"], ["-q"])
HEADER = struct.Struct("=7Q")
RECORD_WORDS = {"kernels": 5 + 13, "images": 5 + 14}


def manifest(kind, name, number):
    if kind == "kernels":
        return {"name": name, "distro": "debian", "arch": "x86_64", "kernel_version": f"6.{number}",
                "sha256": f"{number:064x}", "source": f"pull:https://example.org/{name}.tar.zst",
                "imported_at": "2026-01-02T03:04:05Z", "format": 1}
    return {"name": name, "source": f"docker.io/library/{name}", "kernel_ref": "k", "managed": True,
            "created_at": "2026-01-02T03:04:05Z", "format": 1}


def entry(world, kind, name, *parts):
    return os.path.join(world.state, kind, name, *parts)


def make(world, kind, name, number=0):
    os.makedirs(entry(world, kind, name))
    payload = "vmlinux" if kind == "kernels" else "rootfs.ext4"
    with open(entry(world, kind, name, payload), "w", encoding="utf-8") as file:
        file.write("content")
    write_manifest(world, kind, name, manifest(kind, name, number))


def write_manifest(world, kind, name, content):
    with open(entry(world, kind, name, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(content, file)


def make_many(world, kind):
    for number in range(MANY):
        make(world, kind, f"e{number:04}", number)


def index_path(world, kind):
    return os.path.join(world.state, "cache", "lists", kind)


def known(world, kind):
    """How many entries the index tells of."""
    try:
        with open(index_path(world, kind), "rb") as file:
            return HEADER.unpack(file.read(HEADER.size))[4]
    except FileNotFoundError:
        return 0


def settle(world, kind):
    """Lists until the entries have all been at rest for long enough to be in the index."""
    end = time.monotonic() + 60
    while known(world, kind) != MANY:
        assert time.monotonic() < end, "no index was written"
        if known(world, kind):
            os.unlink(index_path(world, kind))
        time.sleep(0.1)
        world.ok(kind[:-1], "list", "-q")


def printed(world, kind):
    return [world.ok(kind[:-1], "list", *form).out for form in FORMS]


def without_index(world, kind):
    """What is printed when every manifest is read."""
    saved = index_path(world, kind) + ".saved"
    os.rename(index_path(world, kind), saved)
    said = [world.ok("--readonly", kind[:-1], "list", *form).out for form in FORMS]
    assert not os.path.exists(index_path(world, kind)), "a read-only seat wrote an index"
    os.rename(saved, index_path(world, kind))
    return said


def assert_truth(world, kind):
    assert printed(world, kind) == without_index(world, kind)
    return {row["name"]: row for row in world.json(kind[:-1], "list")}


def test_every_change_of_an_entry_is_seen(world):
    for kind in ("kernels", "images"):
        make_many(world, kind)
    for kind in ("kernels", "images"):
        settle(world, kind)
        assert len(assert_truth(world, kind)) == MANY
    place = index_path(world, "kernels")
    before = os.stat(place).st_ino
    # In place, with the same length and the old time: only the time of change tells.
    path = entry(world, "kernels", "e0001", "manifest.json")
    old = os.stat(path)
    with open(path, "r+", encoding="utf-8") as file:
        text = file.read().replace("debian", "fedora")
        file.seek(0)
        file.write(text)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert os.stat(path).st_size == old.st_size
    # Replaced, removed, added, renamed, broken, made a link, its kernel gone or empty.
    write_manifest(world, "kernels", "e0002", {"name": "e0002", "found_sha256": "ab" * 32, "sha256": "cd" * 32})
    shutil.rmtree(entry(world, "kernels", "e0003"))
    make(world, "kernels", "a-new-one")
    os.rename(entry(world, "kernels", "e0004"), entry(world, "kernels", "renamed"))
    write_manifest(world, "kernels", "e0005", ["no object"])
    os.rename(entry(world, "kernels", "e0006"), world.path("elsewhere"))
    os.symlink(world.path("elsewhere"), entry(world, "kernels", "e0006"))
    os.unlink(entry(world, "kernels", "e0007", "vmlinux"))
    open(entry(world, "kernels", "e0008", "vmlinux"), "w", encoding="utf-8").close()
    os.unlink(entry(world, "kernels", "e0009", "manifest.json"))
    with open(entry(world, "kernels", "e0010", "vmlinux"), "a", encoding="utf-8") as file:
        file.write("and more")
    rows = assert_truth(world, "kernels")
    assert os.stat(place).st_ino == before, "a few changes are no reason to write it again"
    assert rows["e0001"]["distro"] == "fedora"
    assert rows["e0002"]["verified"] == "mismatch" and "distro" not in rows["e0002"]
    assert "e0003" not in rows and "e0004" not in rows
    assert rows["a-new-one"]["state"] == "ok"
    for name in ("renamed", "e0005", "e0006", "e0007", "e0008"):
        assert rows[name]["state"] == "damaged", rows[name]
    assert rows["e0009"]["verified"] == "none" and "distro" not in rows["e0009"]
    assert rows["e0010"]["size_bytes"] == len("contentand more")
    # Two exchange their places.
    os.rename(entry(world, "kernels", "e0020"), world.path("x"))
    os.rename(entry(world, "kernels", "e0021"), entry(world, "kernels", "e0020"))
    os.rename(world.path("x"), entry(world, "kernels", "e0021"))
    rows = assert_truth(world, "kernels")
    assert rows["e0020"]["state"] == rows["e0021"]["state"] == "damaged"
    # Many changes are: the index follows, and stays true.
    for number in range(300, 500):
        write_manifest(world, "kernels", f"e{number:04}", manifest("kernels", f"e{number:04}", 7))
    end = time.monotonic() + 60
    while os.stat(place).st_ino == before and time.monotonic() < end:
        assert world.json("kernel", "list")[450]["state"] == "ok"
        time.sleep(0.1)
    assert os.stat(place).st_ino != before
    assert assert_truth(world, "kernels")["e0400"]["kernel_version"] == "6.7"
    # So does that of images.
    os.unlink(entry(world, "images", "e0001", "rootfs.ext4"))
    write_manifest(world, "images", "e0002", {"name": "e0002", "managed": "?", "paths": {"rootfs": "x"}})
    make(world, "images", "0-first")
    rows = assert_truth(world, "images")
    assert rows["e0001"]["state"] == rows["e0002"]["state"] == "damaged" and "0-first" in rows


def checksum(data):
    total = len(data)
    for at in range(0, len(data) // 8 * 8, 8):
        total = (total ^ int.from_bytes(data[at:at + 8], "little")) * 0x9e3779b97f4a7c15 % (1 << 64)
        total ^= total >> 29
    rest = int.from_bytes(data[len(data) // 8 * 8:], "little")
    return (total ^ rest) * 0x9e3779b97f4a7c15 % (1 << 64)


def sealed(data):
    """With the checksum it should have."""
    return data[:8] + checksum(bytes(data[16:])).to_bytes(8, "little") + data[16:]


def broken_ones(whole, chance):
    """Torn, flipped, foreign; the last ones with a checksum that is right."""
    yield b""
    for length in (1, HEADER.size - 1, HEADER.size, len(whole) // 2, len(whole) - 1):
        yield whole[:length]
    yield whole + b"more"
    for _ in range(20):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        yield bytes(flipped)
    assert sealed(whole) == whole, "the checksum is not what this test thinks it is"
    for word in (0, 2, 3, 5, 6):
        other = bytearray(whole)
        other[word * 8] ^= 1
        yield sealed(bytes(other))
    for count in (1 << 63, (1 << 64) - 1, MANY * 2):
        other = bytearray(whole)
        other[4 * 8:5 * 8] = count.to_bytes(8, "little")
        yield sealed(bytes(other))
    for record, field, value in ((0, 0, 0), (3, 1, 1 << 40), (MANY - 1, 4, (1 << 64) - 1)):
        other = bytearray(whole)
        at = HEADER.size + (record * RECORD_WORDS["kernels"] + 5 + field) * 8
        other[at:at + 8] = value.to_bytes(8, "little")
        yield sealed(bytes(other))
    yield sealed(whole[:-1] + b"x")


def test_a_broken_index_is_ignored(world):
    make_many(world, "kernels")
    settle(world, "kernels")
    truth = without_index(world, "kernels")
    place = index_path(world, "kernels")
    with open(place, "rb") as file:
        whole = file.read()
    for number, data in enumerate(broken_ones(whole, seed.chance())):
        with open(place, "wb") as file:
            file.write(data)
        form = number % len(FORMS)
        result = world.ok("--readonly", "kernel", "list", *FORMS[form])
        assert result.out == truth[form] and result.err == "", f"{number}: {result}"
        with open(place, "rb") as file:
            assert file.read() == data, "a read-only seat wrote the index"
    # A seat that may write puts it right; what is no file of ours stays and harms nobody.
    assert world.ok("kernel", "list", *FORMS[0]).out == truth[0]
    with open(place, "rb") as file:
        assert file.read() == whole
    os.unlink(place)
    os.mkdir(place)
    assert world.ok("kernel", "list", *FORMS[0]).out == truth[0]
    os.rmdir(place)
    os.rmdir(os.path.dirname(place))
    with open(os.path.dirname(place), "w", encoding="utf-8"):
        assert world.ok("kernel", "list", *FORMS[0]).out == truth[0]
    os.unlink(os.path.dirname(place))
    # Many processes that find none: each writes one, the last one stays, and nothing beside it.
    running = [world.start("kernel", "list", "--format", "json", stdout=open(world.path(f"out{i}"), "wb"))
               for i in range(6)]
    for number, child in enumerate(running):
        assert child.wait(120) == 0
        with open(world.path(f"out{number}"), encoding="utf-8") as file:
            assert file.read() == truth[1]
    assert os.listdir(os.path.dirname(place)) == ["kernels"]
    with open(place, "rb") as file:
        assert file.read() == whole


def test_a_short_list_has_none(world):
    for number in range(20):
        make(world, "kernels", f"e{number:04}", number)
    assert len(world.json("kernel", "list")) == 20
    assert not os.path.exists(os.path.dirname(index_path(world, "kernels")))


main()
