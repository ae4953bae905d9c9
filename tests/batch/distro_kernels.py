#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scripts that stage Void's and Alpine's kernels and make images with them, against repositories
of those shapes."""
import json
import os
import subprocess
import sys

from world import BUILDDIR, PROGRAM, SRCDIR, SUPPORT, Skip, main, need, sha256_of

sys.path.insert(0, SUPPORT)
import distro_repo  # noqa: E402

VERSION = {"void": "6.12.9_1", "alpine": "6.12.40-0-virt"}


def script(world, name, *words, **env):
    """Runs a script as an operator would, from a directory of the operator's."""
    for tool in ("curl", "zstd"):
        need(tool)
    banger = world.path("banger")
    if not os.path.exists(banger):
        world.write("banger", f'#!/bin/sh\nexec {PROGRAM} --batch "$@"\n')
        os.chmod(banger, 0o755)
    return subprocess.run(
        ["/bin/sh", os.path.join(SRCDIR, "scripts", name), *words], cwd=world.place,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False, env={**world.env, "BANGER": banger, "BANGER_MANUAL_DIR": world.path("manual"),
                          **env})


def make(world, distro, url, *words, **env):
    return script(world, f"make-{distro}-kernel.sh", *words, **{
        "VOID_REPOSITORY": f"{url}/current", "VOID_ARCH": "x86_64",
        "ALPINE_REPOSITORY": f"{url}/alpine/", "ALPINE_RELEASE": "3.22", "ALPINE_ARCH": "x86_64",
        **env})


def serve(world, distro, **more):
    """The kernel of a distribution in a repository: the directory that went into the package."""
    tree = world.path(f"{distro}-source")
    if not os.path.exists(tree):
        world.make("tree", tree, "--layout", "alpine", "--version", VERSION[distro])
        boot = os.path.join(tree, "boot")
        os.unlink(os.path.join(boot, "initramfs-virt"))
        if distro == "void":
            os.rename(os.path.join(boot, "vmlinuz-virt"),
                      os.path.join(boot, f"vmlinuz-{VERSION[distro]}"))
        world.write(f"{distro}-source/boot/config-{VERSION[distro]}", "CONFIG_EXT4_FS=m\n")
        os.symlink("/usr/src/kernel-headers", os.path.join(tree, "lib", "modules", VERSION[distro],
                                                           "build"))
    if distro == "void":
        distro_repo.void(os.path.join(world.www, "current"), tree, **more)
    else:
        distro_repo.alpine(os.path.join(world.www, "alpine"), tree, **more)
    return tree


def staged(world, distro):
    return world.path("manual", f"{distro}-kernel")


def assert_nothing_staged(world):
    """Neither a half-made directory nor what it was made from."""
    assert not os.path.exists(world.path("manual")) or os.listdir(world.path("manual")) == []


def each_distro(test):
    def both(world):
        url = world.server()
        for distro in ("void", "alpine"):
            test(world, distro, url)
    return both


@each_distro
def test_staged_and_imported(world, distro, url):
    tree = serve(world, distro)
    done = make(world, distro, url)
    assert done.returncode == 0, done.stderr
    place = staged(world, distro)
    with open(os.path.join(place, "metadata.json"), encoding="utf-8") as file:
        metadata = json.load(file)
    kernel = os.path.join(place, metadata["kernel"])
    source = os.path.join(tree, "boot", os.path.basename(kernel))
    assert sha256_of(kernel) == sha256_of(source)
    assert os.listdir(os.path.dirname(place)).count(f"{distro}-kernel") == 1
    assert f"config-{VERSION[distro]}" in os.listdir(os.path.join(place, "boot"))
    result = world.json("kernel", "import", distro, "--from", place)
    assert result["sha256"] == sha256_of(source)
    manifest = world.manifest("kernels", distro)
    assert (manifest["distro"], manifest["arch"], manifest["kernel_version"]) == (
        distro, "x86_64", VERSION[distro])
    modules = os.listdir(os.path.join(world.state, "kernels", distro, "modules"))
    assert "kernel" in modules and "build" not in modules
    with open(os.path.join(world.state, "kernels", distro, "config"), encoding="utf-8") as file:
        assert "CONFIG_EXT4_FS=m" in file.read()


@each_distro
def test_another_directory(world, distro, url):
    serve(world, distro)
    done = make(world, distro, url, "--out-dir", world.path(f"else-{distro}"))
    assert done.returncode == 0, done.stderr
    assert os.path.exists(world.path(f"else-{distro}", "metadata.json"))
    assert_nothing_staged(world)


@each_distro
def test_again_changes_nothing_until_there_is_a_newer_one(world, distro, url):
    serve(world, distro)
    assert make(world, distro, url).returncode == 0
    inode = os.stat(staged(world, distro)).st_ino
    asked = len(world.requests())
    assert make(world, distro, url).returncode == 0
    assert os.stat(staged(world, distro)).st_ino == inode
    assert len(world.requests()) == asked + 1, "only the index"
    if distro == "void":
        serve(world, distro, pkgver="linux6.13-6.13.1_1")
    else:
        serve(world, distro, version="6.13.1-r0")
    assert make(world, distro, url).returncode == 0
    assert os.stat(staged(world, distro)).st_ino != inode
    assert f"{distro}-kernel" in os.listdir(world.path("manual"))
    assert not [name for name in os.listdir(world.path("manual")) if name.startswith(".")]


def test_void_package_that_is_not_what_the_index_promises(world):
    url = world.server()
    serve(world, "void", sha256="ab" * 32)
    assert make(world, "void", url).returncode == 65
    assert_nothing_staged(world)


def test_alpine_package_with_other_content(world):
    url = world.server()
    serve(world, "alpine", datahash="ab" * 32)
    assert make(world, "alpine", url).returncode == 65
    assert_nothing_staged(world)


def test_alpine_package_with_another_description(world):
    url = world.server()
    serve(world, "alpine", checksum="Q1" + "C" * 27 + "=")
    assert make(world, "alpine", url).returncode == 65
    assert_nothing_staged(world)


@each_distro
def test_what_is_staged_survives_a_bad_update(world, distro, url):
    serve(world, distro)
    assert make(world, distro, url).returncode == 0
    if distro == "void":
        serve(world, distro, pkgver="linux6.13-6.13.1_1", sha256="ab" * 32)
    else:
        serve(world, distro, version="6.13.1-r0", datahash="ab" * 32)
    assert make(world, distro, url).returncode == 65
    world.ok("kernel", "import", distro, "--from", staged(world, distro))


@each_distro
def test_package_that_is_not_there_is_named(world, distro, url):
    serve(world, distro)
    done = make(world, distro, url, VOID_KERNEL="linux5.4", ALPINE_KERNEL="linux-asahi")
    assert done.returncode == 66
    asked, there = ("linux5.4", "linux6.12") if distro == "void" else ("linux-asahi", "linux-virt")
    assert asked in done.stderr and there in done.stderr
    if distro == "void":
        serve(world, distro, names=False)
        assert make(world, distro, url).returncode == 66
    assert_nothing_staged(world)


@each_distro
def test_no_repository_there(world, distro, url):
    done = make(world, distro, f"{url}/absent")
    assert done.returncode == 69 and done.stderr
    world.write("www/current/x86_64-repodata", "a page about something else\n")
    world.write("www/alpine/v3.22/main/x86_64/APKINDEX.tar.gz", "a page about something else\n")
    assert make(world, distro, url).returncode == 65
    assert_nothing_staged(world)


def test_credentials_are_not_shown(world):
    url = world.server().replace("//", "//user:secret@")
    serve(world, "void")
    done = make(world, "void", url)
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stderr + done.stdout
    with open(os.path.join(staged(world, "void"), "metadata.json"), encoding="utf-8") as file:
        assert "secret" not in file.read()


def test_help_lists_every_variable(world):
    common = ("BANGER_MANUAL_DIR",)
    register = common + ("BANGER", "KERNEL_NAME", "ROOTFS")
    for name, variables in (
            ("make-void-kernel.sh", common + ("VOID_REPOSITORY", "VOID_ARCH", "VOID_KERNEL")),
            ("make-alpine-kernel.sh", common + ("ALPINE_REPOSITORY", "ALPINE_RELEASE",
                                                "ALPINE_ARCH", "ALPINE_KERNEL")),
            ("register-void-image.sh", register + ("VOID_IMAGE_NAME",)),
            ("register-alpine-image.sh", register + ("ALPINE_IMAGE_NAME",))):
        done = script(world, name, "--help")
        assert done.returncode == 0
        listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")
                  and line.split()[0].isupper()]
        assert sorted(listed) == sorted(variables), name
        assert script(world, name, "--bogus").returncode == 64


def test_make_targets_from_the_build_directory(world):
    need("make")
    url = world.server()
    serve(world, "void")
    env = {"BANGER_MANUAL_DIR": world.path("manual"), "VOID_REPOSITORY": f"{url}/current",
           "VOID_ARCH": "x86_64"}
    subprocess.run(["make", "-s", "-C", BUILDDIR, "void-kernel"], env={**world.env, **env},
                   stdout=subprocess.DEVNULL, check=True)
    assert os.path.exists(os.path.join(staged(world, "void"), "metadata.json"))
    for target in ("alpine-kernel", "void-register", "alpine-register", "generic-kernel"):
        dry = subprocess.run(["make", "-n", "-C", BUILDDIR, target], env=world.env,
                             stdout=subprocess.PIPE, text=True, check=True)
        scripts = [word for word in dry.stdout.split() if word.endswith(".sh")]
        assert scripts and all(os.path.exists(os.path.join(BUILDDIR, path)) for path in scripts)


# ---- images ----

def disk(world, name):
    need("mkfs.ext4")
    path = world.write(name, "")
    with open(path, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True)
    return path


def can_promote(world):
    return world.run("image", "promote", "--help").status == 0


def register(world, distro, **env):
    return script(world, f"register-{distro}-image.sh", **env)


@each_distro
def test_image_without_an_argument(world, distro, url):
    if not can_promote(world):
        raise Skip("this program has no image promote")
    serve(world, distro)
    image = {"void": "void-exp", "alpine": "alpine"}[distro]
    assert register(world, distro).returncode == 66, "no kernel staged"
    assert make(world, distro, url).returncode == 0
    assert register(world, distro).returncode == 66, "no root file system"
    disk(world, f"manual/{distro}-rootfs.ext4")
    done = register(world, distro)
    assert done.returncode == 0, done.stderr
    shown = world.json("image", "show", image)
    assert shown["managed"] is True
    assert shown["kernel_ref"] == f"{distro}-{VERSION[distro]}"
    before = world.tree()
    assert register(world, distro).returncode == 0, "again"
    assert world.tree() == before


@each_distro
def test_image_by_the_environment(world, distro, url):
    if not can_promote(world):
        raise Skip("this program has no image promote")
    serve(world, distro)
    assert make(world, distro, url).returncode == 0
    env = {"VOID_IMAGE_NAME": "mine-void", "ALPINE_IMAGE_NAME": "mine-alpine",
           "KERNEL_NAME": f"k-{distro}", "ROOTFS": disk(world, "elsewhere.ext4")}
    done = register(world, distro, **env)
    assert done.returncode == 0, done.stderr
    assert world.json("image", "show", f"mine-{distro}")["kernel_ref"] == f"k-{distro}"
    assert register(world, distro, **{**env, "KERNEL_NAME": "other"}).returncode == 73


if __name__ == "__main__":
    main()
