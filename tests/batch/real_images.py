# SPDX-License-Identifier: MIT
"""Images of a real registry boot on the real QEMU: one without any init, one with busybox's, one with
systemd (BANGER_TEST_SYSTEMD names a tar of its root file system, as tests/smoke/test_image.sh makes
it). What the image says is to be run, where, with what and as whom holds."""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from images_world import assert_as_umoci
from machine_world import clean, find_kernel
from world import SUPPORT, Skip, main, need

sys.path.append(SUPPORT)
import layers  # noqa: E402
import real_registry  # noqa: E402
from layers import Member  # noqa: E402

BUSYBOX = "/bin/busybox"
KIND = "application/vnd.oci.image."
OS_RELEASE = b'ID=tiny\nPRETTY_NAME="Tiny, of a registry"\n'


class Layout:
    """An OCI layout that grows."""

    def __init__(self, place):
        self.place = place
        os.makedirs(os.path.join(place, "blobs", "sha256"))
        pathlib.Path(place, "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def put(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        pathlib.Path(self.place, "blobs", "sha256", digest).write_bytes(data)
        return {"mediaType": KIND + kind, "digest": f"sha256:{digest}", "size": len(data)}

    def write(self, tars, config):
        """tars: bytes, the oldest first."""
        blobs = [self.put(layers.packed(tar, "gzip"), "layer.v1.tar+gzip") for tar in tars]
        document = {"architecture": "amd64", "os": "linux", "config": config, "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + layers.sha256(tar) for tar in tars]}}
        manifest = {"schemaVersion": 2, "mediaType": KIND + "manifest.v1+json", "layers": blobs,
                    "config": self.put(json.dumps(document).encode(), "config.v1+json")}
        entry = self.put(json.dumps(manifest).encode(), "manifest.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": "t"}
        pathlib.Path(self.place, "index.json").write_text(
            json.dumps({"schemaVersion": 2, "manifests": [entry]}))


@contextlib.contextmanager
def pushed(world, tars, config):
    """The image in a docker-registry of its own, put there by skopeo; its reference."""
    for program in ("docker-registry", "skopeo", "qemu-system-x86_64"):
        need(program)
    world.env["BANGER_ACCEL"] = "tcg"
    world.ok("kernel", "import", "k", "--from", find_kernel())
    layout = Layout(world.path("layout"))
    layout.write(tars, config)
    root = pathlib.Path(world.mkdir("registry"))
    with open(root / "log", "wb") as log:
        child, port = real_registry.start(root, log)
        assert child, "docker-registry does not start"
        try:
            reference = f"127.0.0.1:{port}/real/image:t"
            subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                            f"oci:{layout.place}:t", f"docker://{reference}"], check=True)
            shutil.rmtree(layout.place)
            yield reference
        finally:
            clean(world)
            child.kill()
            child.wait()


def busybox():
    """Two layers: the program under all its names, then what makes it a system."""
    if not os.path.exists(BUSYBOX):
        raise Skip("busybox-static is not installed")
    with open(BUSYBOX, "rb") as file:
        program = file.read()
    if b"ld-linux" in program[:4096]:
        raise Skip("this busybox is not static: install busybox-static")
    names = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, check=True,
                           text=True).stdout.split()
    base = [Member("d", path, mode=0o755) for path in (b"", b"usr", b"usr/bin", b"etc", b"srv", b"root")]
    base += [Member("l", b"bin", link=b"usr/bin"),
             Member("f", b"usr/bin/busybox", program, mode=0o755)]
    base += [Member("h", b"usr/bin/" + name.encode(), link=b"usr/bin/busybox")
             for name in names if name not in ("busybox", "init")]
    assert len(base) > 250
    # A layer whose maker did not know that /bin is a link.
    system = [Member("f", b"etc/os-release", OS_RELEASE), Member("d", b"tmp", mode=0o1777),
              Member("f", b"etc/passwd", b"root:x:0:0::/root:/bin/sh\nworker:x:1234:1234::/srv:/bin/sh\n"),
              Member("f", b"bin/told", b"#!/bin/sh\necho told $NAME in $PWD as $(id -u):$(id -g)\n",
                     mode=0o755)]
    return [layers.tar(base), layers.tar(system)]


CONFIG = {"Entrypoint": ["/bin/sh", "-c", "told \"$@\" >/tmp/told; echo \"$0-$1\" >>/tmp/told; sleep 9999"],
          "Cmd": ["first", "second"], "Env": ["PATH=/bin", "NAME=by the image"],
          "WorkingDir": "/srv", "User": "1234:1234"}


def test_an_image_without_init(world):
    with pushed(world, busybox(), CONFIG) as reference:
        # Pulled on the way.
        result = world.ok("vm", "run", reference, "--kernel-ref", "k", "--memory", "192M", "--rm",
                          "--", "cat", "/etc/os-release")
        assert result.out.encode() == OS_RELEASE, str(result)
        (image,) = world.entries("images")
        shown = world.json("image", "show", image)
        assert shown["managed"] is True and reference in shown["source"], shown
        # And by its name, with the entrypoint running.
        world.ok("vm", "run", image, "--name", "web", "--memory", "192M")
        result = world.run("vm", "exec", "web", "--", "sh", "-c", "told; exit 7")
        assert result.status == 7 and result.out == "told by the image in /srv as 1234:1234\n", result
        said = world.ok("vm", "exec", "web", "--", "sh", "-c",
                        "until grep -q - /tmp/told; do sleep 0.1; done; cat /tmp/told").out
        assert said == "told by the image in /srv as 1234:1234\nfirst-second\n", said


def test_an_image_with_busybox_init(world):
    boot = [Member("l", b"usr/bin/init", link=b"busybox"), Member("l", b"sbin", link=b"usr/bin"),
            Member("f", b"etc/inittab", b"::sysinit:/bin/sh -c 'echo up >/run/up'\n"
                                        b"::respawn:/bin/sleep 99999\n")]
    with pushed(world, [*busybox(), layers.tar(boot)], {"Env": ["PATH=/bin"]}) as reference:
        world.ok("vm", "run", reference, "--kernel-ref", "k", "--name", "web", "--memory", "192M")
        said = world.ok("vm", "exec", "web", "--", "sh", "-c",
                        "until grep -q up /run/up; do sleep 0.1; done; cat /proc/1/comm").out
        assert said == "init\n", said


def test_an_image_with_systemd(world):
    tar = os.environ.get("BANGER_TEST_SYSTEMD")
    if not tar or not os.path.exists(tar):
        raise Skip("BANGER_TEST_SYSTEMD names no tar: see tests/smoke/test_image.sh")
    with open(tar, "rb") as file:
        base = file.read()
    more = layers.tar([Member("f", b"etc/os-release", OS_RELEASE),
                       Member("f", b"etc/machine-id", b"uninitialized\n")])
    with pushed(world, [base, more], {"Cmd": ["/sbin/init"]}) as reference:
        world.ok("vm", "run", reference, "--kernel-ref", "k", "--name", "web", "--memory", "384M")
        need("umoci")
        (image,) = world.entries("images")
        assert_as_umoci(world, reference,
                        os.path.join(world.state, "images", image, "rootfs.ext4"))
        said = world.ok("vm", "exec", "web", "--", "readlink", "/proc/1/exe").out
        assert said.endswith("/systemd\n"), said
        assert world.ok("vm", "exec", "web", "--", "cat", "/etc/os-release").out.encode() == OS_RELEASE


main()
