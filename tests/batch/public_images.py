# SPDX-License-Identifier: MIT
"""Images as they are published: pulled by the real program from registries of the world, and the tree
beside what skopeo and umoci make of the same reference. In --all where there is a network;
BANGER_TEST_REFERENCES names others (of registries with TLS, or of 127.0.0.1)."""
import os
import socket
import subprocess

from images_world import assert_as_umoci, import_kernel
from world import Skip, main, need, sha256_of

PUBLISHED = ("docker.io/library/busybox:1.36", "docker.io/library/debian:bookworm-slim",
             "quay.io/libpod/alpine:3.10.2", "ghcr.io/distroless/static:latest",
             "registry.k8s.io/pause:3.9")
HOSTS = {"docker.io": "registry-1.docker.io"}
REACH_S = 5


def is_reachable(reference):
    host, _, port = reference.split("/")[0].partition(":")
    try:
        with socket.create_connection((HOSTS.get(host, host), int(port or 443)), REACH_S):
            return True
    except OSError:
        return False


def references():
    given = os.environ.get("BANGER_TEST_REFERENCES", "").split()
    if not given and os.environ.get("BANGER_CHECK_ALL") != "yes":
        raise Skip("registries of the world are asked in --all only")
    for program in ("skopeo", "umoci", "e2fsck"):
        need(program)
    there = [reference for reference in given or PUBLISHED if is_reachable(reference)]
    if not there:
        raise Skip("no registry of the world can be reached")
    return there


def test_as_published(world):
    import_kernel(world)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        world.env[name] = os.environ[name]
    for reference in references():
        words = ("image", "pull", reference, "--kernel-ref", "lab", "--name")
        result = world.json(*words, "one")
        assert result["changed"] is True and result["digest"].startswith("sha256:"), result
        disk = os.path.join(world.state, "images", "one", "rootfs.ext4")
        subprocess.run(["e2fsck", "-fn", disk], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        assert_as_umoci(world, reference, disk)
        assert world.json("image", "refresh", "one")[0]["moved"] is False
        world.ok("image", "cache", "prune")
        world.ok(*words, "again")
        assert sha256_of(disk) == sha256_of(
            os.path.join(world.state, "images", "again", "rootfs.ext4")), reference
        world.ok("image", "rm", "one", "again")
        print("   as published:", reference)


main()
