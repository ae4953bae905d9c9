# SPDX-License-Identifier: MIT
"""Repositories of the shapes that Void Linux and Alpine Linux serve, with one kernel package each.

Void: ARCH-repodata, a compressed tar with index.plist, and packages that are compressed tars.
Alpine: APKINDEX.tar.gz and packages that are gzip streams in a row; all but the last tar have no
end, so that together they read as one tar.
"""
import base64
import gzip
import hashlib
import io
import os
import subprocess
import tarfile

ARCH = "x86_64"


def _zstd(data):
    return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def _tar(files=(), trees=(), is_whole=True, pax=None):
    """A tar of (name, bytes) and of (name, path on disk); pax: what each file has in addition."""
    def like_a_package(info):
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        if info.isreg():
            info.pax_headers = pax or {}
        return info

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, path in trees:
            tar.add(path, arcname=name, filter=like_a_package)
        size = tar.offset
    return out.getvalue() if is_whole else out.getvalue()[:size]


def _write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def _plist(value):
    if isinstance(value, dict):
        return "<dict>\n" + "".join(
            f"<key>{key}</key>\n{_plist(item)}" for key, item in value.items()) + "</dict>\n"
    if isinstance(value, list):
        return "<array>\n" + "".join(_plist(item) for item in value) + "</array>\n"
    if isinstance(value, int):
        return f"<integer>{value}</integer>\n"
    return "<string>" + value.replace("&", "&amp;").replace(">", "&gt;") + "</string>\n"


def void(folder, tree, pkgver="linux6.12-6.12.9_1", sha256=None, names=True):
    """Serves the kernel in tree (boot/, lib/modules/) as Void would; sha256 is what the index
    claims. Without names the index has no kernel at all."""
    name = pkgver.rsplit("-", 1)[0]
    package = _zstd(_tar(
        files=[("./props.plist", _plist({"pkgname": name}).encode()), ("./files.plist", b"")],
        trees=[("./boot", os.path.join(tree, "boot")),
               ("./usr/lib/modules", os.path.join(tree, "lib", "modules"))]))
    _write(folder, f"{pkgver}.{ARCH}.xbps", package)
    index = {"acl": {"architecture": ARCH, "pkgver": "acl-2.3.2_1", "filename-sha256": "0" * 64,
                     "run_depends": ["glibc>=2.39_1"]}}
    if names:
        index["linux"] = {
            "architecture": ARCH, "filename-sha256": "1" * 64, "pkgver": "linux-6.12_1",
            "run_depends": ["linux-firmware-amd>=0", f"{name}>=0", "dracut>=0"],
            "provides": ["linux6.1-6.1_1"], "alternatives": {"linux": ["pkgver", "nothing"]}}
        index[name] = {
            "architecture": ARCH, "filename-sha256": sha256 or hashlib.sha256(package).hexdigest(),
            "filename-size": len(package), "pkgver": pkgver, "run_depends": ["kmod>=11_2"]}
        index[name + "-headers"] = {"architecture": ARCH, "filename-sha256": "2" * 64,
                                    "pkgver": f"{name}-headers-9.9_1"}
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n' + _plist(index) + \
        "</plist>\n"
    _write(folder, f"{ARCH}-repodata", _zstd(_tar(
        files=[("index.plist", text.encode()), ("index-meta.plist", b"")])))


def alpine(folder, tree, release="v3.22", version="6.12.40-r0", datahash=None, checksum=None,
           name="linux-virt"):
    """The same as Alpine would; datahash is what the package claims, checksum what the index does."""
    folder = os.path.join(folder, release, "main", ARCH)
    content = gzip.compress(_tar(
        trees=[("boot", os.path.join(tree, "boot")),
               ("lib/modules", os.path.join(tree, "lib", "modules"))],
        pax={"APK-TOOLS.checksum.SHA1": "0" * 40}), 1)
    claimed = datahash or hashlib.sha256(content).hexdigest()
    description = gzip.compress(_tar(
        files=[(".PKGINFO", f"pkgname = {name}\ndatahash = {claimed}\n".encode()),
               (".post-install", b"#!/bin/sh\n")], is_whole=False))
    signature = gzip.compress(_tar(
        files=[(".SIGN.RSA.test.rsa.pub", os.urandom(256))], is_whole=False))
    _write(folder, f"{name}-{version}.apk", signature + description + content)
    digest = checksum or "Q1" + base64.b64encode(hashlib.sha1(description).digest()).decode()
    index = "".join(f"C:{c}\nP:{p}\nV:{v}\nA:{ARCH}\nS:1\nT:text\nD:so:libc.musl-{ARCH}.so.1\n\n"
                    for c, p, v in (("Q1" + "A" * 27 + "=", "acl", "2.3.2-r1"),
                                    (digest, name, version),
                                    ("Q1" + "B" * 27 + "=", "zstd", "1.5.7-r0")))
    _write(folder, "APKINDEX.tar.gz", signature + gzip.compress(
        _tar(files=[("DESCRIPTION", b"test\n"), ("APKINDEX", index.encode())])))
