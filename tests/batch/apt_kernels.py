# SPDX-License-Identifier: MIT
"""Kernels that are packages of the distribution: real apt on a small repository of the test's own,
in the shape of Ubuntu's, where a meta package leads to two packages that make one kernel."""
import os
import subprocess

from world import main, need, sha256_of

VERSION = "6.8.0-7-generic"
IMAGE, MODULES = f"linux-image-{VERSION}", f"linux-modules-{VERSION}"
META_SIZE = 20


def package(world, name, depends, part):
    """A paragraph of Packages, with its file made."""
    text = (f"Package: {name}\nVersion: 6.8.0-7.7\nArchitecture: amd64\nDescription: test\n"
            f"Maintainer: nobody <n@example.org>\n{depends}")
    file = f"{name}_6.8.0-7.7_amd64.deb"
    if part is None:
        return f"{text}Filename: ./{file}\nSize: {META_SIZE}\nSHA256: {'c' * 64}\n\n"
    path = world.path("www", "repo", file)
    world.make("deb", path, "--version", VERSION, "--part", part, "--compress", "zst")
    return (f"{text}Filename: ./{file}\nSize: {os.path.getsize(path)}\n"
            f"SHA256: {sha256_of(path)}\n\n")


def machine(world):
    """An apt of its own that knows one repository, and a catalog with one entry."""
    for program in ("apt-get", "apt-cache", "zstd"):
        need(program)
    url = world.server()
    world.mkdir("www", "repo")
    world.write("www/repo/Packages", "".join((
        package(world, "linux-image-virtual", f"Depends: {IMAGE}\n", None),
        package(world, IMAGE, f"Depends: kmod, {MODULES}\n", "image"),
        package(world, MODULES, f"Depends: {IMAGE} | linux-image-unsigned-{VERSION}\n",
                "modules"))))
    for folder in ("etc/sources.list.d", "etc/apt.conf.d", "etc/preferences.d",
                   "var/lists/partial", "cache/archives/partial"):
        world.mkdir("apt", *folder.split("/"))
    world.write("apt/status", "")
    world.write("apt/etc/sources.list", f"deb [trusted=yes] {url}/repo ./\n")
    root = world.path("apt")
    world.env["APT_CONFIG"] = world.write("apt/apt.conf", f"""
Dir "{root}";
Dir::Etc "etc";
Dir::State "var";
Dir::State::lists "lists";
Dir::State::status "{root}/status";
Dir::Cache "cache";
APT::Sandbox::User "";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
Acquire::Languages "none";
""")
    world.catalog(kernels=[{"name": "ubuntu", "distro": "ubuntu", "arch": "x86_64",
                            "apt_package": "linux-image-cloud-amd64",
                            "apt_packages": ["linux-image-virtual"]}])


def update(world):
    subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env={**os.environ, **world.env})


def real_size(world):
    return sum(os.path.getsize(world.path("www", "repo", name))
               for name in os.listdir(world.path("www", "repo")) if name.endswith(".deb"))


def offer(world):
    (row,) = world.json("kernel", "list", "--available")
    return row


def test_offered_as_what_it_really_is(world):
    machine(world)
    row = offer(world)  # no lists yet
    assert row["state"] == "unusable" and "apt-get update" in row["why"]
    assert world.fails(69, "kernel", "pull", "ubuntu")["code"] == "UNSUPPORTED"
    update(world)
    asked = len(world.requests())
    row = offer(world)
    assert row["state"] == "available" and row["kernel_version"] == VERSION
    assert row["size_bytes"] == real_size(world) > META_SIZE
    (plan,) = [action for action in world.json("kernel", "pull", "ubuntu", "--dry-run")["plan"]
               if action["action"] == "download"]
    assert plan["bytes"] == real_size(world)
    assert len(world.requests()) == asked  # no server was asked
    # The answer is kept; it is not asked for again, and not believed once the lists change.
    world.env["PATH"] = world.mkdir("empty")
    assert offer(world)["size_bytes"] == real_size(world)
    world.env["PATH"] = os.environ["PATH"]
    world.write("www/repo/Packages", package(world, "linux-image-other", "", None))
    update(world)
    assert offer(world)["state"] == "unusable"


def test_several_packages_make_one_kernel(world):
    machine(world)
    update(world)
    result = world.json("kernel", "pull", "ubuntu")
    assert result["source"] == f"apt:{IMAGE}=6.8.0-7.7"
    assert result["kernel_version"] == VERSION and result["arch"] == "x86_64"
    assert result["downloaded_bytes"] == real_size(world)
    folder = os.path.join(world.state, "kernels", "ubuntu")
    assert sha256_of(os.path.join(folder, "vmlinux")) == result["sha256"]
    assert any(name.endswith((".ko", ".ko.xz", ".ko.zst"))
               for _, _, names in os.walk(os.path.join(folder, "modules")) for name in names)
    assert world.parts() == []
    assert offer(world)["state"] == "pulled"
    assert world.json("kernel", "list")[0]["verified"] == "pull"


def test_a_package_that_is_not_what_apt_says(world):
    machine(world)
    update(world)
    path = world.path("www", "repo", f"{MODULES}_6.8.0-7.7_amd64.deb")
    with open(path, "r+b") as file:
        file.seek(100)
        file.write(b"\xff\xff")
    assert world.fails(65, "kernel", "pull", "ubuntu")["code"] == "DIGEST"
    assert world.entries("kernels") == []
    assert not any(MODULES in name for name in world.parts())


main()
