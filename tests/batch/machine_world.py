# SPDX-License-Identifier: MIT
"""What tests about machines share: a kernel, an image, and a stand-in for a VMM that has an agent
(tests/support/fake_qemu.c, fake_firecracker.c)."""
import glob
import os
import shutil
import struct
import subprocess
import threading

from world import BUILDDIR, PATIENCE_S, Skip, need


def use_firecracker():
    """For all tests of this process; the stand-in needs no KVM, but it is asked for."""
    os.environ["BANGER_TEST_VMM"] = "firecracker"


def stand_in(kind):
    fake = os.path.join(BUILDDIR, "tests", "support", f"fake_{kind}")
    if not os.path.exists(fake):
        raise Skip(f"{fake} is not built")
    return fake


def configure(world):
    kind = os.environ.get("BANGER_TEST_VMM", "qemu")
    fake = stand_in(kind)
    words = f"[paths]\n{kind} = {fake}\n"
    if kind == "firecracker":
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise Skip("/dev/kvm cannot be opened")
        words += "[defaults]\nvmm = firecracker\naccel = kvm\n"
    world.env["BANGER_CONFIG"] = world.write("config.ini", words)


def small_elf():
    """What every VMM takes for a kernel until it runs it."""
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 1 << 20, 64, 0, 0, 64,
                       56, 1, 0, 0, 0) + bytes(56)


def prepare(world):
    need("mkfs.ext4")
    configure(world)
    tree = world.kernel_tree()
    if os.environ.get("BANGER_TEST_VMM") == "firecracker":
        for kernel in glob.glob(os.path.join(tree, "boot", "vmlinu*")):
            with open(kernel, "wb") as file:
                file.write(small_elf())
    world.ok("kernel", "import", "k", "--from", tree)
    disk = world.path("root.ext4")
    with open(disk, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")


def run(world, name="web", append="", *words):
    more = ["--append", append] if append else []
    if "fake.realagent" in append and os.environ.get("BANGER_TEST_VMM") == "firecracker":
        # The guest is a process of this host; a namespace would cut it off from a test's servers.
        more += ["--net", "none"]
    return world.json("vm", "run", "small", "--name", name, *more, *words)


def state(world, name="web"):
    return world.json("vm", "show", name)["state"]


def told(world, field, *words):
    """The one row of a list once it has this field: what a guest says is there when it said it soon."""
    rows = []

    def is_there():
        rows[:] = world.json(*words)
        return len(rows) == 1 and field in rows[0]

    world.wait_until(is_there, f"{field} in {' '.join(words)}")
    return rows[0]


def clean(world):
    """No machine outlives its test."""
    for row in world.json("vm", "list"):
        world.run("vm", "rm", row["name"], "--force")
    assert world.entries("vms") == []


def assert_twenty_at_once(world):
    """Commands in the guest: each gets its own bytes back, and its own status."""
    data = [os.urandom(300000) for _ in range(20)]
    children = [world.start("vm", "exec", "web", "--", "sh", "-c", f"cat; exit {number}",
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                for number in range(20)]
    answers = {}

    def talk(number):
        answers[number] = children[number].communicate(data[number], timeout=PATIENCE_S * 3)[0]

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.returncode for child in children] == list(range(20))
    assert all(answers[number] == data[number] for number in range(20))


def find_kernel():
    for place in (os.environ.get("BANGER_TEST_KERNEL"), os.path.join(BUILDDIR, "test-kernel"), "/"):
        if place and glob.glob(os.path.join(place, "boot", "vmlinuz-*")) and \
                glob.glob(os.path.join(place, "lib", "modules", "*")):
            return place
    raise Skip("there is no kernel: see tests/smoke/test_kernel.sh")


def prepare_probe(world):
    """For guests on the real QEMU in software emulation: the kernel k, and the image small with
    tests/smoke/probe.c as its only program. The disk's path."""
    for program in ("qemu-system-x86_64", "mkfs.ext4"):
        need(program)
    probe = os.path.join(BUILDDIR, "tests", "smoke", "probe")
    if not os.path.exists(probe):
        raise Skip("tests/smoke/probe is not built")
    world.env["BANGER_ACCEL"] = "tcg"
    world.ok("kernel", "import", "k", "--from", find_kernel())
    world.mkdir("tree", "bin")
    world.mkdir("tree", "root")
    shutil.copy(probe, world.path("tree", "bin", "probe"))
    disk = world.path("root.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("tree"), disk, "16M"], check=True)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")
    return disk


def libraries(program):
    """None of a program that is linked statically."""
    said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False, text=True).stdout
    return [word for line in said.splitlines() for word in line.split() if word.startswith("/")]


def add_program(root, program, path=""):
    """With all that it is linked with, at its own path or another."""
    for file, place in [(program, path or program)] + [(name, name) for name in libraries(program)]:
        os.makedirs(os.path.dirname(root + place), exist_ok=True)
        if not os.path.exists(root + place):
            shutil.copy(file, root + place)
