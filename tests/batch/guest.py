# SPDX-License-Identifier: MIT
"""Reaching into a guest: copies, ports, many commands at once. The agent is the guest's own, behind
the stand-in for QEMU, and this host's files and ports are the guest's (real_agent.c)."""
import io
import os
import signal
import socket
import subprocess
import tarfile

from echo_server import Echo, exchange, exchange_many
from machine_world import assert_twenty_at_once, clean, prepare, run
from web_world import held_port
from world import PATIENCE_S, PROGRAM, Skip, interrupt, main, sha256_of

MIB = 1 << 20


def start(world, *words):
    prepare(world)
    run(world, "web", "fake.realagent", *words)


def random_file(world, name, size_bytes):
    """Bytes that no stage can guess; one random block repeated with a counter."""
    block = os.urandom(MIB)
    with open(world.path(name), "wb") as file:
        for number in range(size_bytes // MIB):
            file.write(number.to_bytes(8, "little") + block[8:])
        file.write(block[:size_bytes % MIB])
    return world.path(name)


def inside(world, name):
    """A path in the guest, which is this host's."""
    return "web:" + world.path("guest", name)


def test_a_large_file_both_ways(world):
    start(world)
    world.mkdir("guest")
    source = random_file(world, "large", 100 * MIB + 12345)
    result = world.json("vm", "cp", source, inside(world, "copy"))
    assert result["name"] == "web" and result["changed"] is True and result["entries"] == 1
    assert result["size_bytes"] == os.path.getsize(source) and result["skipped"] == 0
    assert result["seconds"] > 0
    world.json("vm", "cp", inside(world, "copy"), world.path("back"))
    assert sha256_of(source) == sha256_of(world.path("guest/copy")) == sha256_of(world.path("back"))
    clean(world)


def test_a_tree_both_ways(world):
    start(world)
    world.mkdir("guest")
    world.write("tree/a/file", "text")
    world.write("tree/empty", "")
    world.mkdir("tree/hollow")
    os.chmod(world.path("tree/a/file"), 0o751)
    os.utime(world.path("tree/a/file"), ns=(5, 1500000000123456789))
    os.symlink("/no/such/place", world.path("tree/link"))
    os.link(world.path("tree/a/file"), world.path("tree/same"))
    with open(world.path("tree/sparse"), "wb") as file:
        file.truncate(64 * MIB)
        file.seek(32 * MIB)
        file.write(b"x")
    world.ok("vm", "cp", world.path("tree"), inside(world, "."))
    world.ok("vm", "cp", inside(world, "tree"), world.path("back"))
    for root in ("guest/tree", "back"):
        there = world.path(root)
        status = os.stat(os.path.join(there, "a/file"))
        assert status.st_mode & 0o7777 == 0o751
        assert status.st_mtime_ns == 1500000000123456789
        assert os.path.samefile(os.path.join(there, "a/file"), os.path.join(there, "same"))
        assert os.readlink(os.path.join(there, "link")) == "/no/such/place"
        assert os.listdir(os.path.join(there, "hollow")) == []
        sparse = os.stat(os.path.join(there, "sparse"))
        assert sparse.st_size == 64 * MIB and sparse.st_blocks * 512 < MIB
        assert sha256_of(os.path.join(there, "sparse")) == sha256_of(world.path("tree/sparse"))
    clean(world)


def test_archives_through_a_pipe(world):
    start(world)
    world.write("guest/dir/f", "inside")
    result = subprocess.run([PROGRAM, "--batch", "vm", "cp", inside(world, "dir"), "-"],
                            env=world.env, stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        assert archive.getnames() == ["dir", "dir/f"]
        assert archive.extractfile("dir/f").read() == b"inside"
    world.mkdir("guest/other")
    subprocess.run([PROGRAM, "--batch", "vm", "cp", "-", inside(world, "other")], env=world.env,
                   input=result.stdout, check=True)
    with open(world.path("guest/other/dir/f"), encoding="utf-8") as file:
        assert file.read() == "inside"
    broken = subprocess.run([PROGRAM, "--batch", "vm", "cp", "-", inside(world, "other")],
                            env=world.env, input=result.stdout[:700], stderr=subprocess.PIPE,
                            check=False)
    assert broken.returncode == 69 and broken.stderr, broken
    clean(world)


def test_copies_that_fail(world):
    start(world)
    world.write("file", "text")
    world.mkdir("guest")
    assert world.fails(66, "vm", "cp", inside(world, "no"), world.path("x"))["code"] == "NOT_FOUND"
    world.fails(66, "vm", "cp", world.path("no"), inside(world, "x"))
    world.fails(66, "vm", "cp", world.path("file"), inside(world, "no/such/place"))
    world.fails(66, "vm", "cp", inside(world, "."), world.path("no/such/place/"))
    world.fails(64, "vm", "cp", world.path("file"), world.path("other"))
    world.fails(64, "vm", "cp", "web:/a", "db:/b")
    world.fails(66, "vm", "cp", "nope:/a", world.path("x"))
    world.ok("vm", "stop", "web")
    world.fails(69, "vm", "cp", world.path("file"), inside(world, "x"))
    assert not os.path.exists(world.path("x"))
    clean(world)


def test_what_tells_no_size(world):
    """As the kernel's own files, one with no size and one with a page's."""
    start(world)
    world.mkdir("guest")
    for source in ("/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/cmdline"):
        if not os.path.exists(source):
            continue
        with open(source, "rb") as file:
            told = file.read()
        world.ok("vm", "cp", source, inside(world, "told"))
        world.ok("vm", "cp", "web:" + source, world.path("back"))
        for copy in (world.path("guest", "told"), world.path("back")):
            with open(copy, "rb") as file:
                assert file.read() == told and told, (source, copy)
    clean(world)


def test_a_target_that_is_full(world):
    """No half of a file: what had its name before stays, on either side."""
    start(world)
    target = world.mkdir("guest")
    world.write("tree/a", b"small")
    world.write("tree/b", os.urandom(3 * MIB))
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", target],
                                           check=False).returncode != 0:
        clean(world)
        raise Skip("no tmpfs can be mounted")
    try:
        world.write("guest/b", "old")
        for source, to in ((world.path("tree/b"), inside(world, "b")),
                           ("web:" + world.path("tree/b"), os.path.join(target, "b")),
                           (world.path("tree") + "/.", inside(world, ".")),
                           ("web:" + world.path("tree") + "/.", target)):
            error = world.fails(74, "vm", "cp", source, to)
            assert error["code"] == "NO_SPACE" and "b" in error["message"], error
            assert set(os.listdir(target)) <= {"a", "b"}, os.listdir(target)
            with open(os.path.join(target, "b"), encoding="utf-8") as file:
                assert file.read() == "old"
        subprocess.run(["mount", "-o", "remount,ro", target], check=True)
        world.fails(77, "vm", "cp", world.path("tree/a"), inside(world, "a"))
        world.fails(77, "vm", "cp", "web:" + world.path("tree/a"), os.path.join(target, "a"))
    finally:
        subprocess.run(["umount", "-l", target], check=True)
    clean(world)


def test_a_copy_is_interrupted(world):
    start(world)
    world.mkdir("guest")
    child = world.start("vm", "cp", "-", inside(world, "."), stdin=subprocess.PIPE)
    begun = io.BytesIO()
    with tarfile.open(fileobj=begun, mode="w") as tar:
        member = tarfile.TarInfo("first")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"whole"))
        member = tarfile.TarInfo("second")
        member.size = 5000
        tar.addfile(member, io.BytesIO(bytes(5000)))
    child.stdin.write(begun.getvalue()[:3000])  # one member whole, one not, and no end
    child.stdin.flush()
    world.wait_until(lambda: len(os.listdir(world.path("guest"))) == 2, "the copy is under way")
    assert interrupt(child, signal.SIGTERM) == 143
    world.wait_until(lambda: os.listdir(world.path("guest")) == ["first"], "what is not whole goes")
    assert world.run("vm", "exec", "web", "--", "true").status == 0
    clean(world)


# ---- ports ----

def forward(world, *ports):
    child = world.start("vm", "forward", "web", *ports, stdout=subprocess.PIPE)
    lines = [child.stdout.readline().decode().split(":") for _ in ports]
    return child, [int(line[1]) for line in lines]


def test_forward(world):
    start(world)
    echo = Echo()
    child, (first, second) = forward(world, f"0:{echo.port}", f":{echo.port}")
    assert exchange(first, b"hello") == b"hello5" and exchange(second, b"") == b"0"
    exchange_many(first)
    taken = world.run("vm", "forward", "web", f"{first}:80")
    assert taken.status == 75 and taken.out == "", str(taken)
    world.fails_streaming(64, "vm", "forward", "web", "x")
    world.fails_streaming(69, "vm", "forward", "web", "0:53/udp")
    assert interrupt(child, signal.SIGTERM) == 143
    clean(world)


def test_forward_to_nobody_and_to_the_end_of_the_machine(world):
    start(world)
    child, (host,) = forward(world, f"0:{held_port(world)}")
    try:  # the end may come before connect() has looked
        with socket.create_connection(("127.0.0.1", host), timeout=PATIENCE_S) as client:
            assert client.recv(1) == b"", "something answered"
    except ConnectionResetError:
        pass
    world.ok("vm", "kill", "web")
    assert child.wait(timeout=PATIENCE_S) == 0
    clean(world)


def test_proxy(world):
    start(world)
    echo = Echo()
    result = world.run("vm", "proxy", "web", str(echo.port), stdin=b"through the pipe")
    assert result.status == 0 and result.out == "through the pipe16", str(result)
    result = world.run("vm", "proxy", "web", str(held_port(world)))
    assert result.status == 69 and result.err, str(result)
    clean(world)


def test_ports(world):
    start(world, "--publish", "127.0.0.1:0:1")
    echo = Echo()
    rows = world.json("vm", "ports", "web")
    (row,) = [row for row in rows if row["port"] == echo.port and row["protocol"] == "tcp"]
    assert row["address"] == "127.0.0.1" and row["process"].startswith("python"), row
    assert "published" not in row
    world.ok("vm", "ports", "web")
    clean(world)


# ---- many at once ----

def test_twenty_commands_at_once(world):
    start(world)
    assert_twenty_at_once(world)
    clean(world)


def test_a_hundred_megabytes_through_exec(world):
    start(world)
    source = random_file(world, "large", 100 * MIB)
    with open(source, "rb") as given, open(world.path("back"), "wb") as taken:
        child = world.start("vm", "exec", "web", "--", "cat", stdin=given, stdout=taken)
        assert child.wait(timeout=PATIENCE_S) == 0
    assert sha256_of(source) == sha256_of(world.path("back"))
    clean(world)


main()
