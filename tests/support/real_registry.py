#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs Debian's docker-registry on a free port of 127.0.0.1 and fills it by skopeo and umoci.

Writes the port to standard output once everything is in it, and puts the digest of what each
reference names, as skopeo tells it, into <root>/<name>.digest. Ends with its parent."""

import argparse
import ctypes
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

sys.dont_write_bytecode = True
import registry  # noqa: E402

PATIENCE_S = 120


def write_layout(directory, images):
    """An OCI image layout that holds the images under their names."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entries = []
    for name, image in images.items():
        for digest, content in image.blobs.items():
            (blobs / digest.removeprefix("sha256:")).write_bytes(content)
        note = {"org.opencontainers.image.ref.name": name}
        entries.append(dict(image.root, annotations=note))
    index = {"schemaVersion": 2, "manifests": entries}
    (directory / "index.json").write_text(json.dumps(index))


def make_by_umoci(directory, root):
    """Two layers of umoci's own making."""
    layout = directory / "umoci"
    for number in (1, 2):
        (directory / f"file{number}").write_text(f"{number}\n" * 1000)
    for arguments in (
        ["init", "--layout", layout],
        ["new", "--image", f"{layout}:u"],
        ["insert", "--rootless", "--image", f"{layout}:u", directory / "file1", "/etc/one"],
        ["insert", "--rootless", "--image", f"{layout}:u", directory / "file2", "/etc/two"],
    ):
        run(["umoci", *map(str, arguments)], root)
    return f"oci:{layout}:u"


def run(argv, root):
    with open(root / "tools.log", "ab") as log:
        return subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=log, timeout=PATIENCE_S).stdout


def die_with_parent():
    """Between fork and exec: whoever kills us kills the registry as well (prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(root, log):
    """The registry once it answers, and its port; None and the port when it does not. Until it listens,
    a socket keeps the port from others: the registry, which reuses addresses, may listen there."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        return start_at(root, log, port), port


def start_at(root, log, port):
    config = root / "config.yml"
    config.write_text(f"""version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: {root}/storage}}}}
http: {{addr: 127.0.0.1:{port}}}
""")
    child = subprocess.Popen(["docker-registry", "serve", str(config)], stdin=subprocess.DEVNULL,
        stdout=log, stderr=log, preexec_fn=die_with_parent)
    end = time.monotonic() + PATIENCE_S
    while child.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=PATIENCE_S).close()
            return child
        except OSError:
            time.sleep(0.05)
    child.kill()
    return None


def fill(root, port):
    layout = root / "layout"
    write_layout(layout, {
        "plain": registry.Image(["plain"]),
        "gzip": registry.Image(["nozstd"]),
        "index": registry.Image(["index", "same"]),
    })
    sources = {
        "plain": ([], f"oci:{layout}:plain"),
        "docker": (["--format", "v2s2"], f"oci:{layout}:gzip"),
        "index": (["--all"], f"oci:{layout}:index"),
        "umoci": ([], make_by_umoci(root, root)),
    }
    for name, (options, source) in sources.items():
        target = f"docker://127.0.0.1:{port}/real/{name}:t"
        run(["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", *options, source,
            target], root)
        raw = run(["skopeo", "inspect", "--raw", "--tls-verify=false", target], root)
        (root / f"{name}.digest").write_text("sha256:" + hashlib.sha256(raw).hexdigest())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--log", required=True)
    options = parser.parse_args()
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    child = None
    try:
        with open(options.log, "ab") as log:
            child, port = start(options.root, log)
        if child is None:
            sys.exit("docker-registry did not start")
        fill(options.root, port)
        print(port, flush=True)
        sys.stdout.close()
        while os.getppid() == parent:
            time.sleep(0.2)
    finally:
        if child is not None:
            child.kill()
            child.wait()


if __name__ == "__main__":
    main()
