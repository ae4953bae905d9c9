# SPDX-License-Identifier: MIT
"""A registry's image pulled into a disk, beside the tools that do parts of it."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                             "tests", "support"))
import real_registry  # noqa: E402
from measures import CONTENT_MIB, RSS_MIB, fill, keep_last  # noqa: E402

DISK_MIB = 4096
LAYERS = 5
NAME = "bench/image:t"


def add_layer(layout, members, base):
    """One gzip layer of the files in base, as gzip makes it."""
    tar = os.path.join(layout, "layer.tar")
    with open(os.path.join(layout, "names"), "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("".join(name + "\0" for name in members))
    subprocess.run(["tar", "--format=pax", "--no-recursion", "-cf", tar, "-C", base, "--null",
                    "-T", os.path.join(layout, "names")], check=True)
    with open(tar, "rb") as file:
        diff_id = hashlib.file_digest(file, "sha256").hexdigest()
    subprocess.run(["gzip", "-6", "-n", tar], check=True)
    with open(tar + ".gz", "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = os.path.getsize(tar + ".gz")
    os.rename(tar + ".gz", os.path.join(layout, "blobs", "sha256", digest))
    return f"sha256:{diff_id}", {"digest": f"sha256:{digest}", "size": size, "mediaType":
                                 "application/vnd.oci.image.layer.v1.tar+gzip"}


def add_document(layout, document, kind):
    data = json.dumps(document).encode()
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs", "sha256", digest), "wb") as file:
        file.write(data)
    return {"digest": f"sha256:{digest}", "size": len(data),
            "mediaType": f"application/vnd.oci.image.{kind}.v1+json"}


def write_image(bench):
    """An OCI layout of LAYERS layers of this host's files; the newer ones replace a quarter of what the
    oldest has, as upgrades do."""
    layout, base = os.path.join(bench.place, "layout"), os.path.join(bench.place, "content")
    os.makedirs(os.path.join(layout, "blobs", "sha256"))
    fill(base, CONTENT_MIB)
    paths = sorted(os.path.relpath(os.path.join(place, name), base)
                   for place, _, names in os.walk(base) for name in names)
    random.Random(1).shuffle(paths)
    folders = sorted(os.path.relpath(place, base) for place, _, _ in os.walk(base))
    parts = [paths[i * len(paths) // LAYERS:(i + 1) * len(paths) // LAYERS] for i in range(LAYERS)]
    ids, layers = [], []
    for i, part in enumerate(parts):
        again = parts[0][::4 * (LAYERS - 1)] if i > 0 else folders
        diff_id, layer = add_layer(layout, again + part, base)
        ids.append(diff_id)
        layers.append(layer)
    shutil.rmtree(base)
    config = add_document(layout, {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": ids}}, "config")
    manifest = add_document(layout, {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": layers}, "manifest")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "t"}
    with open(os.path.join(layout, "index.json"), "w", encoding="ascii") as file:
        json.dump({"schemaVersion": 2, "manifests": [manifest]}, file)
    with open(os.path.join(layout, "oci-layout"), "w", encoding="ascii") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)
    print(f"   {LAYERS} layers, {sum(layer['size'] for layer in layers) >> 20} MiB of gzip, "
          f"{len(paths)} files, {CONTENT_MIB} MiB")
    return layout


SKOPEO = 'skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$2" "oci:$1.oci:t"'
WHOLE = (SKOPEO + ' && umoci --log=error unpack --image "$1.oci:t" "$1" && '
         f'mke2fs -q -F -t ext4 -d "$1/rootfs" "$1/rootfs.ext4" {DISK_MIB}M')
PODMAN = ('podman --root "$1.root" --runroot "$1.run" pull -q --tls-verify=false "$2"')


def compare(bench, gate, target, reference, script, label):
    place = bench.fresh()

    def ours(side, number):
        state = os.path.join(place, f"ours-{number}")
        kernel = os.path.join(place, f"k-{number}")
        os.makedirs(kernel)
        with open(os.path.join(kernel, "vmlinux"), "wb") as file:
            file.write(b"\x7fELF" + bytes(4096))
        subprocess.run(bench.banger(state, "kernel", "import", "k", "--from", kernel), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench.run(side, bench.banger(state, "image", "pull", reference, "--kernel-ref", "k", "--name",
                                     "b", "--size", f"{DISK_MIB}M"))
        keep_last(state, number, place, "ours")

    def peer(side, number):
        folder = os.path.join(place, f"peer-{number}")
        os.mkdir(folder)
        bench.run(side, ["bash", "-c", script, "bash", os.path.join(folder, "b"), reference])
        keep_last(folder, number, place, "peer")

    missed, sides = bench.pairs(gate, target, ("banger image pull", ours), (label, peer))
    missed += bench.verdict("P7 peak MiB of the pull", sides[0].peak_kib / 1024, RSS_MIB)
    if script == WHOLE:
        missed += check_disk(bench, place)
    return missed


def check_disk(bench, place):
    ours = os.path.join(place, "ours", "images", "b", "rootfs.ext4")
    peer = os.path.join(place, "peer", "b", "rootfs.ext4")
    subprocess.run(["e2fsck", "-fn", ours], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["fallocate", "-d", peer], check=True)
    os.sync()
    return bench.verdict("P8 disk used against mke2fs -d and fallocate -d",
                         os.stat(ours).st_blocks / os.stat(peer).st_blocks, 1.02)


def oci(bench):
    """a registry's image of five gzip layers made a disk (P1, P2, P3), its memory (P7), its disk (P8)"""
    for program in ("docker-registry", "skopeo", "umoci", "mke2fs", "e2fsck"):
        if shutil.which(program) is None:
            print(f"   {program} is not installed: nothing to compare with")
            return []
    layout = write_image(bench)
    root = pathlib.Path(bench.place) / "registry"
    root.mkdir()
    missed = []
    with open(root / "log", "wb") as log:
        child, port = real_registry.start(root, log)
        try:
            reference = f"127.0.0.1:{port}/{NAME}"
            subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                            f"oci:{layout}:t", f"docker://{reference}"], check=True)
            missed += compare(bench, "P1", 0.25, reference, WHOLE,
                              "skopeo copy && umoci unpack && mke2fs -d")
            if shutil.which("podman"):
                missed += compare(bench, "P2", 0.25, reference, PODMAN, "podman pull, fresh root")
            missed += compare(bench, "P3", 1.5, reference, SKOPEO, "skopeo copy docker: oci:")
        finally:
            child.kill()
            child.wait()
    return missed
