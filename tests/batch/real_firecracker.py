# SPDX-License-Identifier: MIT
"""Machines on a real Firecracker with a distribution's kernel, through the real program: what the
stand-in of the other tests promises. Wants FIRECRACKER_BIN and a KVM that is real; where there is
none, nested_firecracker.py makes one."""
import json
import os
import shutil
import subprocess

import firecracker_calls
from machine_world import clean, find_kernel, state
from world import Skip, main, need, sha256_of

MIB = 1 << 20
WORDS = ("sh", "cat", "echo", "kill", "mount", "grep", "sleep", "uname", "dd", "sync")


def prepare(world):
    need("mkfs.ext4")
    need("busybox")
    if not os.environ.get("FIRECRACKER_BIN"):
        raise Skip("FIRECRACKER_BIN names none")
    kernel = find_kernel()
    rows = world.run("host", "doctor", "--format", "json").json()
    if not any(row["check"] == "acceleration" and row["detail"].startswith("kvm") for row in rows):
        raise Skip("KVM is not real here")
    world.env["FIRECRACKER_BIN"] = os.environ["FIRECRACKER_BIN"]
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[defaults]\nvmm = firecracker\n")
    world.ok("kernel", "import", "k", "--from", kernel)
    for folder in ("bin", "root", "tmp", "proc", "sys", "dev", "run", "etc"):
        world.mkdir("tree", folder)
    shutil.copy(shutil.which("busybox"), world.path("tree/bin/busybox"))
    for word in WORDS:
        os.symlink("busybox", world.path("tree/bin", word))
    disk = world.path("root.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("tree"), disk, "16M"], check=True)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")
    return disk


def run(world, *words):
    """With the patience that a KVM below another one wants."""
    return world.json("vm", "run", "small", "--name", "web", "--memory", "192M", "--timeout", "200s",
                      *words)


def start(world):
    return world.json("vm", "start", "web", "--timeout", "200s")


def inside(world, script):
    return world.run("vm", "exec", "web", "--", "/bin/sh", "-c", script)


def handle(world):
    with open(os.path.join(world.state, "vms", "web", "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def test_life(world):
    """Exec, copies, console; and a stop that loses nothing that was written just before."""
    image = prepare(world)
    digest = sha256_of(image)
    made = run(world)
    assert made["vmm"] == "firecracker" and made["accel"] == "kvm", made
    stages = [row["stage"] for row in made["timeline"] if row["stage"] != "network"]
    assert stages == ["vmm", "kernel", "init", "root", "agent"], stages
    result = inside(world, "uname -r; exit 7")
    assert result.status == 7 and result.out.startswith(made_of(world)), str(result)
    assert inside(world, "cat /sys/class/misc/hw_random/rng_current").out.startswith("virtio_rng")
    # The balloon's driver is loaded beside all else.
    world.wait_until(lambda: "DRIVER=virtio_balloon\n" in inside(
        world, "cat /sys/bus/virtio/devices/*/uevent").out, "the balloon")
    with open(world.path("large"), "wb") as file:
        file.write(os.urandom(8 * MIB))
    world.ok("vm", "cp", world.path("large"), "web:/root/large")
    world.ok("vm", "cp", "web:/root/large", world.path("back"))
    assert sha256_of(world.path("large")) == sha256_of(world.path("back"))
    log = world.ok("vm", "logs", "web").out
    assert "Firecracker" not in log and "the root is ready" in log, log
    assert inside(world, "echo precious >/root/kept").status == 0
    ended = world.json("vm", "stop", "web")
    assert ended["exit"]["reason"] == "guest-poweroff" and ended["exit"]["code"] == 0, ended
    start(world)
    assert inside(world, "cat /root/kept").out == "precious\n"
    world.ok("vm", "stop", "web")
    assert sha256_of(image) == digest
    clean(world)


def made_of(world):
    return world.json("kernel", "show", "k").get("kernel_version", "")


def test_pause_and_a_new_monitor(world):
    prepare(world)
    run(world)
    for _ in range(2):
        assert world.json("vm", "pause", "web")["state"] == "paused"
        assert world.json("vm", "resume", "web")["state"] == "running"
        assert inside(world, "exit 4").status == 4
    before = handle(world)
    world.kill(before["monitor"]["pid"])
    assert inside(world, "exit 3").status == 3
    assert handle(world)["vmm"] == before["vmm"]
    world.ok("vm", "stop", "web")
    clean(world)


def test_the_guests_own_ends(world):
    """Its power-off only halts Firecracker, its reboot ends it."""
    prepare(world)
    first = run(world, "--disk", "32M:/data", "--root", "copy")["pid"]
    assert inside(world, "mount | grep -q ' /data ' && echo kept >/data/file").status == 0
    inside(world, "kill -INT 1")
    world.wait_until(lambda: world.json("vm", "show", "web").get("restarts") == 1, "a restart")
    world.ok("vm", "wait", "web", "--timeout", "200s")
    assert world.json("vm", "show", "web")["pid"] != first
    assert inside(world, "cat /data/file").out == "kept\n"
    inside(world, "kill -USR2 1")
    world.ok("vm", "wait", "web", "--for", "exit", "--timeout", "100s")
    shown = world.json("vm", "show", "web")
    assert shown["state"] == "stopped" and shown["exit"]["reason"] == "guest-poweroff", shown
    clean(world)


def test_a_guest_without_an_agent(world):
    prepare(world)
    run(world, "--detach", "--append", "banger.agent=none")
    world.ok("vm", "wait", "web", "--for", "text=the root is ready", "--timeout", "200s")
    ended = world.json("vm", "stop", "web")
    assert ended["exit"]["reason"] == "guest-poweroff", ended  # by ctrl-alt-del
    assert state(world) == "stopped"
    clean(world)


def test_the_interface_after_a_start(world):
    """The rest of what is held against the stand-in."""
    prepare(world)
    run(world)
    kernel = world.path("elf")
    place = os.path.join(world.state, "cache", "elf")
    shutil.copy(os.path.join(place, os.listdir(place)[0]), kernel)
    world.ok("vm", "rm", "web", "--force")
    machine = firecracker_calls.Machine(world, os.environ["FIRECRACKER_BIN"], "real")
    try:
        shutil.copy(kernel, os.path.join(machine.place, "vmlinux"))
        firecracker_calls.hold(machine, firecracker_calls.BEFORE)
        firecracker_calls.hold(machine, [("PUT", "/actions", firecracker_calls.START,
                                        firecracker_calls.DONE)])
        firecracker_calls.hold(machine, firecracker_calls.AFTER)
    finally:
        machine.close()


main()
