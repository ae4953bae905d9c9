# SPDX-License-Identifier: MIT
"""A real Firecracker where KVM is not real: a machine of ours on QEMU, whose emulated CPU can virtualise,
becomes the host, and real_firecracker.py runs inside it. Only where FIRECRACKER_BIN names one: it takes
minutes."""
import glob
import os
import shutil
import subprocess
import sys
import sysconfig

from machine_world import add_program, clean, find_kernel
from world import BUILDDIR, PROGRAM, SRCDIR, Skip, main, need

PROGRAMS = ("mkfs.ext4", "mke2fs", "python3")
WORDS = ("sh", "insmod", "ls", "cat", "mkdir")
MODULES = ("irqbypass", "kvm", "kvm-amd")
LEFT_OUT = ("test", "idlelib", "site-packages", "dist-packages", "__pycache__", "config-*", "tkinter",
            "ensurepip", "lib2to3", "pydoc_data")


def place(root, path, source):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    shutil.copy(source, root + path)


def module(kernel, name):
    found = glob.glob(f"{kernel}/lib/modules/*/**/{name}.ko", recursive=True)
    if not found:
        raise Skip(f"the kernel has no module {name} that is not compressed")
    return found[0]


def make_host(world):
    """The image of the host: programs, this one, its tests, a kernel to boot and what they need."""
    for program in PROGRAMS + ("busybox", "qemu-system-x86_64"):
        need(program)
    if not os.environ.get("FIRECRACKER_BIN"):
        raise Skip("FIRECRACKER_BIN names none")
    kernel = find_kernel()
    root = world.mkdir("host")
    for folder in ("bin", "root", "tmp", "proc", "sys", "dev", "run", "etc", "opt/kvm"):
        world.mkdir("host", folder)
    for program in PROGRAMS:
        add_program(root, shutil.which(program))
    add_program(root, PROGRAM, "/opt/build/banger-tui")
    add_program(root, os.environ["FIRECRACKER_BIN"], "/opt/firecracker")
    place(root, "/bin/busybox", shutil.which("busybox"))
    for word in WORDS:
        os.symlink("busybox", os.path.join(root, "bin", word))
    library = sysconfig.get_path("stdlib")
    shutil.copytree(os.path.realpath(library), root + library, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(*LEFT_OUT))
    for file in glob.glob(f"{root}{library}/lib-dynload/*.so"):
        add_program(root, file[len(root):])
    for name in MODULES:
        place(root, f"/opt/kvm/{name}.ko", module(kernel, name))
    for folder in ("boot", "lib"):
        shutil.copytree(os.path.join(kernel, folder), f"{root}/opt/kernel/{folder}", symlinks=True)
    shutil.copytree(os.path.join(SRCDIR, "tests", "batch"), f"{root}/opt/src/tests/batch")
    shutil.copytree(os.path.join(SRCDIR, "tests", "support"), f"{root}/opt/src/tests/support")
    world.write("host/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    disk = world.path("host.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", root, disk, "1G"], stdout=subprocess.DEVNULL,
                   check=True)
    return kernel, disk


def test_a_real_one_in_a_machine_of_ours(world):
    kernel, disk = make_host(world)
    world.env["BANGER_ACCEL"] = "tcg"
    world.ok("kernel", "import", "k", "--from", kernel)
    world.ok("image", "register", "host", "--rootfs", disk, "--kernel-ref", "k")
    world.ok("vm", "run", "host", "--name", "host", "--memory", "1500M")
    for name in MODULES:
        world.ok("vm", "exec", "host", "--", "/bin/insmod", f"/opt/kvm/{name}.ko")
    done = subprocess.run(
        [PROGRAM, "--batch", "vm", "exec", "host", "-e", "FIRECRACKER_BIN=/opt/firecracker",
         "-e", "BANGER_TEST_KERNEL=/opt/kernel", "-e", "SRCDIR=/opt/src", "-e", "BUILDDIR=/opt/build",
         "-e", "HOME=/root", "--", shutil.which("python3"), "-B",
         "/opt/src/tests/batch/real_firecracker.py", *sys.argv[2:]],
        env=world.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, text=True)
    assert done.returncode == 0 and "\nskip" not in "\n" + done.stdout, done.stdout
    print(done.stdout)
    clean(world)


main()
