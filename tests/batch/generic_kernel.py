#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The recipe of the generic kernel: that a dropped option is found and its parent named; with
BANGER_CHECK_ALL=yes also the build itself (10 minutes), its resumption and a boot."""
import os
import shutil
import subprocess
import time

from world import BUILDDIR, SRCDIR, Skip, main, need

KERNELS = os.path.join(SRCDIR, "data", "kernels")

# A source tree with what makes finding a parent hard: files in files, blocks, texts.
KCONFIG = {
    "Kconfig": 'mainmenu "Test"\nsource "arch/$(SRCARCH)/Kconfig"\nsource "fs/Kconfig"\n',
    "arch/x86/Kconfig": 'config X86\n\tdef_bool y\n\tdepends on 64BIT && \\\n\t\t!UML\n',
    "fs/Kconfig": """menu "File systems"
config BLOCK
\tbool "Block"
\thelp
\t  if this is off
\t  config NONSENSE is not an option

\t  endif of it
menuconfig MISC_FILESYSTEMS
\tbool "More"
if MISC_FILESYSTEMS
source "fs/squashfs/Kconfig"
endif
menu "Others"
\tdepends on BLOCK
config OTHER_FS
\ttristate "Other"
endmenu
config ALONE
\tbool "Alone"
endmenu
""",
    "fs/squashfs/Kconfig": """config SQUASHFS
\ttristate "SquashFS"
\tdepends on BLOCK
config SQUASHFS_ZSTD
\tbool "zstd"
\tdepends on SQUASHFS
\thelp
\t  text
""",
}


def check(world, asked, config, with_tree=True):
    words = [os.path.join(KERNELS, "check-config.sh"), world.write("fragment", asked),
             world.write("config", config)]
    if with_tree:
        for name, text in KCONFIG.items():
            world.write(f"tree/{name}", text)
        words.append(world.path("tree"))
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def complaints(done):
    """option -> parents that are named, in order."""
    found = {}
    for line in done.stdout.splitlines()[:-1]:
        option, rest = line.split(":", 1)
        found[option] = [word.strip(",") for word in rest.split() if word.startswith("CONFIG_")]
    return found


def test_all_as_asked(world):
    done = check(world, '# a comment\nCONFIG_BLOCK=y\n\nCONFIG_NAME="a b=c"\nCONFIG_MD=n\nCONFIG_OFF=n\n',
                 'CONFIG_BLOCK=y\nCONFIG_NAME="a b=c"\n# CONFIG_MD is not set\n')
    assert done.returncode == 0 and complaints(done) == {}, done.stdout


def test_dropped_option_and_its_parents(world):
    done = check(world, "CONFIG_SQUASHFS=y\nCONFIG_SQUASHFS_ZSTD=y\nCONFIG_BLOCK=y\n", "CONFIG_BLOCK=y\n")
    assert done.returncode == 65
    assert complaints(done) == {
        "CONFIG_SQUASHFS": ["CONFIG_MISC_FILESYSTEMS"],
        "CONFIG_SQUASHFS_ZSTD": ["CONFIG_MISC_FILESYSTEMS", "CONFIG_SQUASHFS"]}, done.stdout


def test_condition_of_a_menu_ends_with_it(world):
    done = check(world, "CONFIG_OTHER_FS=y\nCONFIG_ALONE=y\nCONFIG_X86=y\n", "")
    assert complaints(done) == {"CONFIG_OTHER_FS": ["CONFIG_BLOCK"], "CONFIG_ALONE": [],
                                "CONFIG_X86": ["CONFIG_64BIT"]}, done.stdout


def test_other_values_are_other_values(world):
    done = check(world, "CONFIG_BLOCK=y\nCONFIG_NR=64\nCONFIG_MD=n\nCONFIG_NONE=y\n",
                 "CONFIG_BLOCK=m\nCONFIG_NR=8\nCONFIG_MD=y\n", with_tree=False)
    assert done.returncode == 65
    assert list(complaints(done)) == ["CONFIG_BLOCK", "CONFIG_NR", "CONFIG_MD", "CONFIG_NONE"]


def test_nothing_asked_is_an_error(world):
    assert check(world, "# nothing\n", "CONFIG_BLOCK=y\n").returncode == 65
    absent = subprocess.run([os.path.join(KERNELS, "check-config.sh"), world.path("absent"),
                             world.path("absent")], stderr=subprocess.DEVNULL, check=False)
    assert absent.returncode == 66


def test_fragment_asks_each_option_once(_):
    with open(os.path.join(KERNELS, "generic.config"), encoding="utf-8") as file:
        options = [line.split("=")[0] for line in file if line.startswith("CONFIG_")]
    assert len(options) > 100
    twice = [option for option in options if options.count(option) > 1]
    assert not twice, twice


def build(*words, **env):
    return subprocess.run([os.path.join(KERNELS, "build-generic.sh"), *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, env={**os.environ, **env})


def test_help_and_wrong_words(world):
    done = build("--help")
    assert done.returncode == 0
    for flag in ("--out", "--jobs", "--source", "--name", "--no-import", "--force", "BANGER"):
        assert flag in done.stdout
    for words in (("--bogus",), ("--jobs", "many"), ("--jobs", "0"), ("--out",)):
        assert build(*words).returncode == 64, words
    out = world.path("out")
    assert build("--out", out, "--source", world.path("absent"), "--no-import").returncode in (66, 69)
    assert not os.path.exists(os.path.join(out, "vmlinux"))


# ---- the real thing ----

def small_image(world):
    """An image with one static program and nothing else, registered for the kernel."""
    need("mke2fs")
    probe = os.path.join(BUILDDIR, "tests", "smoke", "probe")
    if not os.path.exists(probe):
        raise Skip(f"{probe} is not built")
    for name in ("bin", "dev", "proc", "sys", "run", "tmp", "etc", "root"):
        world.mkdir("root", name)
    shutil.copy(probe, world.path("root", "bin", "probe"))
    disk = world.path("root.ext4")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", world.path("root"), disk, "64M"], check=True)
    return disk


def test_build_resumed_and_booted(world):
    if os.environ.get("BANGER_CHECK_ALL") != "yes":
        raise Skip("a kernel takes 10 minutes: BANGER_CHECK_ALL=yes")
    need("qemu-system-x86_64")
    out = os.environ.get("BANGER_TEST_GENERIC") or world.path("generic")
    world.write("banger", f'#!/bin/sh\nexec {os.path.join(BUILDDIR, "banger-tui")} --batch "$@"\n')
    os.chmod(world.path("banger"), 0o755)
    env = {**world.env, "BANGER": world.path("banger")}
    done = build("--out", out, "--name", "generic", **env)
    if done.returncode == 69:
        raise Skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    built = os.stat(os.path.join(out, "vmlinux"))
    began = time.monotonic()
    assert build("--out", out, "--no-import").returncode == 0
    again = os.stat(os.path.join(out, "vmlinux"))
    assert (built.st_ino, built.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
    print(f"again: {time.monotonic() - began:.1f} s")
    world.ok("image", "register", "small", "--rootfs", small_image(world), "--kernel-ref", "generic")
    machine = world.json("vm", "run", "small", "--name", "web")
    print(f"ready after {machine['ready_ms']} ms: {machine['timeline']}")
    assert machine["state"] == "running"
    world.ok("vm", "rm", "web", "--force")


if __name__ == "__main__":
    main()
