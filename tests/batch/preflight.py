#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether a kernel can boot is said before it is tried."""
import glob
import os
import shutil
import struct

from machine_world import clean, find_kernel, prepare, run, \
    small_elf, stand_in, state
from world import Skip, main

# What a guest of ours needs, as a distribution's configuration says it, all of it built in.
NEEDED = ("BLK_DEV_INITRD", "BINFMT_ELF", "DEVTMPFS", "VIRTIO_MMIO", "VIRTIO_BLK", "EXT4_FS",
          "OVERLAY_FS", "ACPI")
HELPFUL = ("VIRTIO_CONSOLE", "VIRTIO_NET", "HW_RANDOM_VIRTIO", "SERIAL_8250_CONSOLE",
           "VIRTIO_VSOCKETS", "SERIO_I8042", "KEYBOARD_ATKBD")


def configure(world, kernel="k", **changed):
    """Gives a kernel that is here a whole configuration: everything, but for what is changed to "m"
    or None."""
    lines = ["CONFIG_X86_64=y"]
    for name in NEEDED + HELPFUL:
        value = changed.get(name, "y")
        lines.append(f"CONFIG_{name}={value}" if value else f"# CONFIG_{name} is not set")
    with open(os.path.join(world.state, "kernels", kernel, "config"), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def verdicts(world, kernel="k"):
    return {row["vmm"]: row for row in world.json("kernel", "show", kernel)["preflight"]}


def test_what_is_shown(world):
    prepare(world)
    configure(world)
    found = verdicts(world)
    assert {vmm: row["verdict"] for vmm, row in found.items()} == \
        {"qemu": "ok", "firecracker": "ok"}, found
    assert all("missing" not in row and "why" not in row for row in found.values()), found
    for name in NEEDED:
        configure(world, **{name: None})
        row = verdicts(world)["qemu"]
        assert (row["verdict"], row["missing"]) == ("refused", [f"CONFIG_{name}"]), row
        assert "k" in row["why"] and name in row["why"] and "qemu" in row["why"], row
        assert name in world.ok("kernel", "show", "k").out
    configure(world, **{name: None for name in HELPFUL})
    row = verdicts(world)["qemu"]
    assert row["verdict"] == "ok" and len(row["notes"]) >= 4, row


def test_without_a_configuration_nothing_is_refused(world):
    prepare(world)
    assert not os.path.exists(os.path.join(world.state, "kernels", "k", "config"))
    for row in verdicts(world).values():
        assert row["verdict"] == "unknown" and "CONFIG_VIRTIO_BLK" in row["unknown"], row
        assert "missing" not in row, row
    assert world.json("vm", "run", "small", "--name", "db", "--dry-run")["preflight"]["verdict"] \
        == "unknown"
    run(world)
    clean(world)


def test_a_module_counts_when_it_is_there(world):
    prepare(world)
    # The tree has other modules only.
    configure(world, VIRTIO_BLK="m")
    assert verdicts(world)["qemu"]["missing"] == ["CONFIG_VIRTIO_BLK"]
    drivers = os.path.join(world.state, "kernels", "k", "modules", "kernel", "drivers")
    for directory, _, files in os.walk(os.path.join(world.state, "kernels", "k", "modules")):
        if any(name.endswith(".ko") for name in files):
            drivers = directory
    with open(os.path.join(drivers, "virtio_blk.ko"), "wb") as file:
        file.write(b"\x7fELF")
    assert verdicts(world)["qemu"]["verdict"] == "ok"
    # One that the guest's initrd is not made of does not help.
    with open(os.path.join(drivers, "atkbd.ko"), "wb") as file:
        file.write(b"\x7fELF")
    configure(world, KEYBOARD_ATKBD="m")
    assert any("KEYBOARD_ATKBD" in note for note in verdicts(world)["firecracker"]["notes"])


def test_refused_before_anything_is_made(world):
    prepare(world)
    configure(world, VIRTIO_BLK=None)
    before = world.tree()
    for words in (["vm", "run", "small", "--name", "web"], ["vm", "create", "small", "--name", "web"],
                  ["vm", "run", "small", "--name", "web", "--dry-run"],
                  ["vm", "run", "small", "--name", "web", "--rm", "-d"][:-1]):
        error = world.fails(69, *words)
        assert error["code"] == "UNSUPPORTED", error
        for word in ("kernel k", "VIRTIO_BLK", "--kernel-ref"):
            assert word in error["message"], error
        assert world.entries("vms") == []
        assert world.tree() == before, words
    # The one vital only for an overlay does not stand in the way of a copy.
    configure(world, OVERLAY_FS=None)
    world.fails(69, "vm", "create", "small", "--name", "web")
    run(world, "web", "", "--root", "copy")
    clean(world)


def test_a_machine_whose_kernel_changed(world):
    prepare(world)
    configure(world)
    world.ok("kernel", "import", "good", "--from", world.kernel_tree(name="other"))
    run(world)
    configure(world, ACPI=None)
    # What could not come up again is not stopped for it.
    world.fails(69, "vm", "restart", "web")
    assert state(world) == "running"
    world.ok("vm", "stop", "web")
    for words in (["vm", "start", "web"], ["vm", "start", "web", "--dry-run"]):
        error = world.fails(69, *words)
        assert "vm set web --kernel-ref" in error["message"], error
        assert state(world) == "stopped"
    before = world.tree()
    world.fails(69, "vm", "set", "web", "--kernel-ref", "k", "--memory", "300M")
    assert world.tree() == before
    world.ok("vm", "set", "web", "--kernel-ref", "good")
    assert world.json("vm", "start", "web")["changed"] is True
    clean(world)


def counted(world, name, program):
    """A program that writes down how it was called, and then is the other one."""
    place = world.mkdir("counted")
    path = world.write(f"counted/{name}", f"""#!/bin/sh
echo "{name} $*" >>{place}/calls
exec {program} "$@"
""")
    os.chmod(path, 0o755)
    return path


def test_the_host_is_asked_once(world):
    """Each program that a decision rests on is run once for all decisions of a command."""
    prepare(world)
    for kernel in glob.glob(os.path.join(world.state, "kernels", "k", "vmlinu*")):
        with open(kernel, "wb") as file:
            file.write(small_elf())
    counted(world, "unshare", shutil.which("unshare"))
    lines = "".join(f"{kind} = {counted(world, kind, stand_in(kind))}\n"
                    for kind in ("qemu", "firecracker"))
    world.env["BANGER_CONFIG"] = world.write("both.ini", f"[paths]\n{lines}")
    world.env["PATH"] = world.path("counted") + ":" + os.environ["PATH"]
    world.env["BANGER_ACCEL"] = "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg"
    for words in (["run", "small", "--name", "web"], ["restart", "web"], ["set", "web", "--vcpu", "2"]):
        if os.path.exists(world.path("counted", "calls")):
            os.unlink(world.path("counted", "calls"))
        world.ok("vm", *words)
        with open(world.path("counted", "calls"), encoding="utf-8") as file:
            calls = file.read().splitlines()
        asked = [line for line in calls if "--version" in line or line.startswith("unshare")]
        assert len(asked) == len(set(asked)), calls
        if world.env["BANGER_ACCEL"] == "kvm":
            assert "firecracker --version" in asked, calls
    clean(world)


def elf(machine, notes):
    """An ELF executable with one program header of notes."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    program = struct.pack("<IIQQQQQQ", 4, 0, 120, 0, 0, len(notes), len(notes), 4)
    return header + program + notes + b"Linux version 6.1.0 (x)\0" + bytes(4096)


def test_what_the_file_says(world):
    prepare(world)
    pvh = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x1000000)
    gnu = struct.pack("<III4sI", 4, 4, 1, b"GNU\0", 0)
    other = struct.pack("<III4sI", 4, 4, 18, b"GNU\0", 0)
    for name, bytes_, verdict, missing in (
            ("entry", elf(62, gnu + pvh), "unknown", None),
            ("none", elf(62, gnu + other), "refused", "PVH"),
            ("arm", elf(183, pvh), "refused", "arch"),
            ("text", b"#!/bin/sh\n" + bytes(4096), "refused", "format")):
        world.ok("kernel", "import", name, "--from",
                 os.path.dirname(world.write(f"{name}-tree/vmlinux", bytes_)))
        row = verdicts(world, name)["qemu"]
        assert row["verdict"] == verdict, row
        assert missing is None or missing in row["missing"], row
        if verdict == "refused":
            status = 65 if missing == "format" else 69
            world.fails(status, "vm", "create", "small", "--name", "web", "--kernel-ref", name)
    # Too old for a machine without KVM.
    tree = os.path.dirname(world.write("old-tree/vmlinux", elf(62, pvh)))
    world.ok("kernel", "import", "old", "--from", tree, "--kernel-version", "4.19.0")
    error = world.fails(69, "vm", "create", "small", "--name", "web", "--kernel-ref", "old",
                        "--accel", "tcg")
    assert "4.19" in error["message"], error
    assert world.entries("vms") == []


def test_an_image_with_a_kernel_of_its_own(world):
    prepare(world)
    kernel = world.write("own/vmlinux", elf(183, b""))
    world.ok("image", "register", "own", "--rootfs", world.path("root.ext4"), "--kernel", kernel)
    error = world.fails(69, "vm", "create", "own", "--name", "web")
    assert kernel in error["message"], error
    assert world.entries("vms") == []


def test_the_distributions_kernel(world):
    place = find_kernel()
    if not os.path.exists(place) or not any(
            name.startswith("config-") for name in os.listdir(os.path.join(place, "boot"))):
        raise Skip("its configuration is not there")
    world.ok("kernel", "import", "deb", "--from", place)
    found = verdicts(world, "deb")
    assert {row["verdict"] for row in found.values()} == {"ok"}, found
    assert "notes" not in found["qemu"], found
    path = os.path.join(world.state, "kernels", "deb", "config")
    with open(path, encoding="utf-8") as file:
        whole = file.read()
    for name in NEEDED:
        less = "".join(line for line in whole.splitlines(True)
                       if not line.startswith(f"CONFIG_{name}="))
        with open(path, "w", encoding="utf-8") as file:
            file.write(less)
        row = verdicts(world, "deb")["qemu"]
        assert (row["verdict"], row["missing"]) == ("refused", [f"CONFIG_{name}"]), row
    # Its drivers are modules: without those there is no disk.
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole)
    shutil.rmtree(os.path.join(world.state, "kernels", "deb", "modules"))
    assert "CONFIG_VIRTIO_BLK" in verdicts(world, "deb")["qemu"]["missing"]


main()
