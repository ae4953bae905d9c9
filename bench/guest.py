# SPDX-License-Identifier: MIT
"""Reaching into a guest beside ssh and scp, and the initrd beside mkinitramfs."""
import glob
import os
import shutil
import subprocess
import sys
import time

import boot as boots
from harness import RUNS, TOP

sys.path.insert(0, os.path.join(TOP, "tests", "batch"))
COPY_MIB = 64
PATIENCE_S = 120
MARK = "INIT-REACHED"
BOOTS = "root=/dev/vda rw banger.root=copy banger.agent=none banger.address=none"


def kernel_place():
    for place in (os.environ.get("BENCH_KERNEL"), "/"):
        if place and glob.glob(os.path.join(place, "boot", "vmlinuz-*")) and \
                glob.glob(os.path.join(place, "lib", "modules", "*")):
            return place
    return None


def start(bench):
    """A guest with an ssh server; (state directory, options of ssh), or None where that is not
    possible here."""
    from ssh_tree import PROGRAMS, fill_tree  # of the tests
    place = kernel_place()
    if not place or not os.path.exists(PROGRAMS[0]) or not shutil.which("scp"):
        print("   no kernel (BENCH_KERNEL) or no openssh-server here: not measured")
        return None
    state, tree = os.path.join(bench.place, "state"), os.path.join(bench.place, "tree")
    disk, key = os.path.join(bench.place, "root.ext4"), os.path.join(bench.place, "key")
    os.makedirs(os.path.join(fill_tree(tree), "sbin"), exist_ok=True)
    with open(os.path.join(tree, "sbin", "init"), "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\necho {MARK} >/dev/console\nwhile :; do read line; done\n")
    os.chmod(os.path.join(tree, "sbin", "init"), 0o755)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, disk, "64M"], check=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)

    def banger(*words):
        subprocess.run(bench.banger(state, *words), check=True, stdout=subprocess.DEVNULL)
    banger("kernel", "import", "k", "--from", place)
    banger("image", "register", "i", "--rootfs", disk, "--kernel-ref", "k")
    banger("vm", "run", "i", "--name", "web", "--memory", "256M", "--append",
           "banger.init=none", "--ssh-key", key + ".pub", "--publish", "0:22")
    banger("vm", "exec", "web", "--", "/bin/sh", "-c",
           "mkdir -p /run/sshd; ssh-keygen -q -A; exec /usr/sbin/sshd")
    shown = subprocess.run([bench.program, "--batch", "--state-dir", state, "vm", "show", "web",
                            "--format", "json"], stdout=subprocess.PIPE, check=True, text=True)
    port = shown.stdout.split('"publish": [')[1].split(":")[1]
    options = ["-q", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="
               "/dev/null", "-o", "IdentitiesOnly=yes"]
    return state, options, port


def reach(bench):
    """A command and 64 MiB into a guest and out of it, beside ssh and scp (same guest, same line)"""
    made = start(bench)
    if made is None:
        return []
    state, options, port = made
    large, back = os.path.join(bench.place, "large"), os.path.join(bench.place, "back")
    with open(large, "wb") as file:
        for _ in range(COPY_MIB):
            file.write(os.urandom(1 << 20))
    ssh = ["ssh", "-n", *options, "-p", port, "root@127.0.0.1"]
    scp = ["scp", *options, "-P", port]
    there = "root@127.0.0.1:/srv/theirs"
    missed = []
    for name, ours, peer in (
            ("exec", ("vm", "exec", "-n", "web", "--", "/bin/sh", "-c", ":"), [*ssh, ":"]),
            ("cp in", ("vm", "cp", large, "web:/srv/ours"), [*scp, large, there]),
            ("cp out", ("vm", "cp", "web:/srv/ours", back), [*scp, there, back])):
        missed += bench.pairs(f"{name}, of ssh's time", 1.0, (
            f"banger {' '.join(ours[:2])}",
            lambda side, _, words=ours: bench.run(side, bench.banger(state, *words))), (
            peer[0], lambda side, _, words=peer: bench.run(side, words)))[0]
    arguments = boots.command_line(state, "web")[1].replace("banger.init=none", "")
    subprocess.run(bench.banger(state, "vm", "kill", "web"), check=True, stdout=subprocess.DEVNULL)
    return missed + boots.starts(bench, state) + boots.create(bench, state) + \
        initrds(bench, state, arguments)


# ---- the initrd ----

def by_mkinitramfs(bench, place):
    """Debian's own for the same kernel; None where that cannot be made."""
    if not shutil.which("mkinitramfs") or os.geteuid() != 0:
        print("   no mkinitramfs, or not root: the initrds are not compared")
        return None
    version = sorted(os.listdir(os.path.join(place, "lib", "modules")))[-1]
    made = os.path.join(bench.place, "theirs.img")
    missing = [path for path in ("/lib/modules", "/boot") if not os.path.isdir(path)]
    for path in missing:
        os.mkdir(path)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount --bind "$1/lib/modules" /lib/modules && '
         'mount --bind "$1/boot" /boot && mkinitramfs -o "$2" "$3"', "sh", place, made, version],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for path in missing:
        os.rmdir(path)
    if done.returncode != 0:
        print("   mkinitramfs failed:", done.stdout[-300:].decode("utf-8", "replace"))
        return None
    return made


def boot(side, kernel, initrd, arguments, disk):
    """Until the image's own init says that it was reached."""
    began = time.monotonic()
    child = subprocess.Popen(
        ["qemu-system-x86_64", "-M", "microvm,acpi=on", "-accel", "tcg,tb-size=64", "-cpu", "max",
         "-m", "512", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-global",
         "virtio-mmio.force-legacy=false", "-kernel", kernel, "-initrd", initrd, "-append",
         f"{arguments} {BOOTS}", "-drive",
         f"id=r,if=none,format=raw,file={disk},snapshot=on", "-device",
         "virtio-blk-device,drive=r,serial=root", "-device", "i8042", "-serial", "stdio"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        errors="replace")
    said = []
    for line in child.stdout:
        said.append(line)
        if MARK in line or time.monotonic() - began > PATIENCE_S:
            break
    side.seconds.append(time.monotonic() - began)
    child.kill()
    child.wait()
    side.cpu.append(0)
    if not said or MARK not in said[-1]:
        raise SystemExit("the guest did not come up:\n" + "".join(said[-20:]))


def initrds(bench, state, arguments):
    """With the kernel arguments that our machines have, both."""
    place = kernel_place()
    theirs = by_mkinitramfs(bench, place)
    if theirs is None:
        return []
    kernel = os.path.join(state, "kernels", "k", "vmlinux")
    ours = os.path.join(state, "vms", "web", "initrd.img")
    disk = os.path.join(bench.place, "root.ext4")
    for name, path in (("ours", ours), ("mkinitramfs", theirs)):
        print(f"   {name}: {os.path.getsize(path) / 1024:.0f} KiB")
    return bench.pairs("to the image's init, of mkinitramfs's time", 0.5, (
        "our initrd", lambda side, _: boot(side, kernel, ours, arguments, disk)), (
        "the one of mkinitramfs", lambda side, _: boot(side, kernel, theirs, arguments, disk)),
        min(RUNS, 3))[0]
