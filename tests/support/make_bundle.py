#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes bundles, tars and .deb files for tests: good ones, odd ones and hostile ones.

The same arguments give the same bytes. Needs Python 3 and, for .tar.zst, the zstd program.

    make_bundle.py kernel OUT.tar.zst [--initrd] [--modules] [--vmlinux-bytes N] [--seed S]
    make_bundle.py image OUT.tar.zst [--mib N] [--manifest JSON]
    make_bundle.py deb OUT.deb [--version V] [--compress none|gz|xz|zst] [--part image|modules]
    make_bundle.py tree DIR --layout metadata|store|boot|alpine|build [--version V]
    make_bundle.py corpus DIR [--full] [--only PREFIX]
    make_bundle.py pack OUT.tar.zst DIR

Every command prints one JSON object about what it made. `corpus` writes the archives of
tests/data/must-fail into DIR with an index: file, verdict, kind, hard links, devices, fifos, xattrs
to be skipped; the columns are separated by tabs.
"""

import argparse
import gzip
import hashlib
import io
import json
import lzma
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

BLOCK = 512
POSIX = b"ustar\x0000"
GNU = b"ustar  \x00"
END = bytes(2 * BLOCK)
TIME = 1700000000


def raw(text):
    return text if isinstance(text, bytes) else text.encode()


def octal(number, width):
    return b"%0*o\0" % (width - 1, number)


def binary(number, width):
    """GNU's base-256 form of a number."""
    if number < 0:
        number += 1 << (8 * width)
        return number.to_bytes(width, "big")
    value = bytearray(number.to_bytes(width, "big"))
    value[0] |= 0x80
    return bytes(value)


def checksum(block):
    return sum(block[:148]) + 8 * 32 + sum(block[156:])


def header(name, kind="0", size=0, link="", mode=0o644, uid=0, gid=0, mtime=TIME, magic=POSIX,
           prefix="", uname="root", gname="root", major=0, minor=0, size_field=None,
           sum_field=None, tail=b""):
    """One header block. Numbers may be given as bytes, which are then used as they are."""

    def number(value, width):
        field = value if isinstance(value, bytes) else octal(value, width)
        return field.ljust(width, b"\0")[:width]

    size_bytes = size_field if size_field is not None else octal(size, 12)
    block = b"".join([
        raw(name).ljust(100, b"\0")[:100], number(mode, 8), number(uid, 8), number(gid, 8),
        size_bytes.ljust(12, b"\0")[:12], number(mtime, 12), b" " * 8, raw(kind)[:1],
        raw(link).ljust(100, b"\0")[:100], magic, raw(uname).ljust(32, b"\0")[:32],
        raw(gname).ljust(32, b"\0")[:32], number(major, 8), number(minor, 8),
        raw(prefix).ljust(155, b"\0")[:155],
    ])
    block = (block + tail).ljust(BLOCK, b"\0")[:BLOCK]
    field = sum_field(block) if sum_field else b"%06o\0 " % checksum(block)
    return block[:148] + field[:8].ljust(8, b"\0") + block[156:]


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def member(name, data=b"", **fields):
    data = raw(data)
    fields.setdefault("size", len(data))
    return header(name, **fields) + padded(data)


def directory(name, **fields):
    return header(name, kind="5", mode=0o755, **fields)


def symlink(name, target, **fields):
    return header(name, kind="2", link=target, mode=0o777, **fields)


def hardlink(name, target, **fields):
    return header(name, kind="1", link=target, **fields)


def record(key, value):
    body = b" " + raw(key) + b"=" + raw(value) + b"\n"
    length = len(body)
    while length != len(str(length)) + len(body):
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(*records, kind="x", **fields):
    """An extended header in front of the next member; records are (key, value) or raw bytes."""
    body = b"".join(r if isinstance(r, bytes) else record(*r) for r in records)
    return member("PaxHeaders/x", body, kind=kind, **fields)


def long_name(name, kind="L", **fields):
    fields.setdefault("magic", GNU)
    return member("././@LongLink", raw(name) + b"\0", kind=kind, **fields)


def noise(size, seed):
    """Bytes that look like content: not compressible to nothing, the same every time."""
    out = bytearray()
    counter = 0
    while len(out) < size:
        out += hashlib.sha256(b"%d:%d" % (seed, counter)).digest()
        counter += 1
    return bytes(out[:size])


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", "-3", "--no-check", *options], input=data,
                          stdout=subprocess.PIPE, check=True).stdout


def stored(data):
    """The same as a zstd frame of raw blocks: quick, and it needs no program."""
    out = [b"\x28\xb5\x2f\xfd\x00\x38"]
    step = 128 << 10
    for at in range(0, max(len(data), 1), step):
        part = data[at:at + step]
        word = (len(part) << 3) | (at + step >= len(data))
        out.append(word.to_bytes(3, "little") + part)
    return b"".join(out)


def bzimage(version, size=65536, seed=1):
    """Enough of a bzImage for anybody who only reads its setup header."""
    image = bytearray(noise(size, seed))
    image[0x1f1] = 4
    image[0x1fe:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = struct.pack("<H", 0x20f)
    image[0x20e:0x210] = struct.pack("<H", 0x300)
    image[0x236:0x238] = struct.pack("<H", 1)
    banner = raw(version) + b" (builder@example) #1 SMP PREEMPT_DYNAMIC\0"
    image[0x500:0x500 + len(banner)] = banner
    return bytes(image)


def elf(version, size=65536, seed=1):
    """Enough of an ELF kernel: its header and its banner."""
    image = bytearray(noise(size, seed))
    image[0:16] = b"\x7fELF\x02\x01\x01" + bytes(9)
    image[16:20] = struct.pack("<HH", 2, 62)
    banner = b"Linux version %s\0Linux version " + raw(version) + b" (builder@example) #1 SMP\0"
    at = size // 2
    image[at:at + len(banner)] = banner
    return bytes(image)


def module_files(version, count=3, seed=7):
    """Paths below lib/modules/VERSION with their content."""
    files = {
        "modules.order": b"".join(b"kernel/drivers/m%d.ko\n" % i for i in range(count)),
        "modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
        "modules.dep": b"".join(b"kernel/drivers/m%d.ko:\n" % i for i in range(count)),
    }
    for i in range(count):
        files["kernel/drivers/m%d.ko" % i] = b"\x7fELF" + noise(3000 + i, seed + i) + \
            b"vermagic=" + raw(version) + b"\0"
    return files


def tree_members(files, dot=""):
    """Members for a dict of paths, directories first, in byte order."""
    out = []
    made = set()
    for path in sorted(files):
        parts = path.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            parent = "/".join(parts[:i])
            if parent not in made:
                made.add(parent)
                out.append(directory(dot + parent + "/"))
        out.append(member(dot + path, files[path]))
    return b"".join(out)


def kernel_files(version="6.1.0-test", vmlinux_bytes=65536, seed=1, initrd=False, modules=False):
    files = {"vmlinux": elf(version, vmlinux_bytes, seed)}
    if initrd:
        files["initrd.img"] = b"070701" + noise(5000, seed + 1)
    if modules:
        for path, content in module_files(version).items():
            files["modules/" + path] = content
    return files


def sparse_image(mib):
    """A root file system's outline: data here and there, holes between."""
    size = mib << 20
    image = bytearray(size)
    for at in range(0, size, 1 << 20):
        image[at:at + 8192] = noise(8192, at >> 20)
    return bytes(image)


def ar(members):
    out = [b"!<arch>\n"]
    for name, data in members:
        out.append(b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (raw(name), TIME, 0, 0, b"100644",
                                                         len(data)))
        out.append(data + (b"\n" if len(data) % 2 else b""))
    return b"".join(out)


def compress(data, how):
    if how == "gz":
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as stream:
            stream.write(data)
        return ".gz", out.getvalue()
    if how == "xz":
        return ".xz", lzma.compress(data, preset=1)
    if how == "zst":
        return ".zst", zstd(data)
    return "", data


def deb(tar, how="xz", control=b""):
    suffix, data = compress(tar, how)
    control_suffix, control_data = compress(control or END, "gz")
    return ar([("debian-binary", b"2.0\n"), ("control.tar" + control_suffix, control_data),
               ("data.tar" + suffix, data)])


def deb_tar(version, part="all", modules_home="lib/modules", extra=b""):
    """What Debian's kernel packages hold, in GNU's format as dpkg-deb writes it."""
    out = [directory("./", magic=GNU)]
    made = set()

    def put(path, content):
        parts = path.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            parent = "/".join(parts[:i])
            if parent not in made:
                made.add(parent)
                out.append(directory("./" + parent + "/", magic=GNU))
        out.append(member("./" + path, content, magic=GNU))

    if part in ("all", "image"):
        put("boot/config-" + version, b"CONFIG_EXT4_FS=y\n")
        put("boot/System.map-" + version, b"ffffffff81000000 T _text\n")
        put("boot/vmlinuz-" + version, bzimage(version))
        put("usr/share/doc/linux-image/copyright", b"free\n")
    if part in ("all", "modules"):
        for path, content in sorted(module_files(version).items()):
            if path != "modules.dep":
                put("%s/%s/%s" % (modules_home, version, path), content)
    return b"".join(out) + extra + END


def write_tree(base, files, links=()):
    for path, content in files.items():
        full = os.path.join(base, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as out:
            out.write(content)
    for path, target in links:
        full = os.path.join(base, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        os.symlink(target, full)


def layout_files(layout, version):
    modules = {"lib/modules/%s/%s" % (version, p): c for p, c in module_files(version).items()}
    if layout == "metadata":
        files = {"out/bzImage": bzimage(version), "out/initrd": b"070701" + noise(900, 3),
                 "boot/vmlinux-9.9.9": elf("9.9.9")}
        files.update({"out/" + p: c for p, c in modules.items()})
        files["metadata.json"] = json.dumps({
            "kernel": "out/bzImage", "initrd_path": "out/initrd",
            "modules_dir": "out/lib/modules/" + version, "kernel_version": version,
            "distro": "test", "arch": "x86_64"}).encode()
        return files
    if layout == "store":
        return kernel_files(version, initrd=True, modules=True)
    if layout == "boot":
        files = {"boot/vmlinux-" + version: elf(version), "boot/vmlinuz-5.10.1": bzimage("5.10.1"),
                 "boot/initrd.img-" + version: b"070701" + noise(900, 3)}
        files.update(modules)
        return files
    if layout == "alpine":
        files = {"boot/vmlinuz-virt": bzimage(version), "boot/initramfs-virt": noise(900, 3)}
        files.update(modules)
        return files
    return {"arch/x86/boot/bzImage": bzimage(version)}


def describe(path, **more):
    with open(path, "rb") as stream:
        data = stream.read()
    fact = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    fact.update(more)
    print(json.dumps(fact))


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)


def command_kernel(args):
    files = kernel_files(args.version, args.vmlinux_bytes, args.seed, args.initrd, args.modules)
    if args.no_vmlinux:
        del files["vmlinux"]
    write(args.out, zstd(tree_members(files, args.dot) + END))
    describe(args.out, vmlinux_sha256=hashlib.sha256(files.get("vmlinux", b"")).hexdigest())


def command_image(args):
    image = sparse_image(args.mib)
    write(args.out, zstd(member("manifest.json", args.manifest) + member("rootfs.ext4", image) +
                         END))
    describe(args.out, rootfs_sha256=hashlib.sha256(image).hexdigest())


def command_deb(args):
    write(args.out, deb(deb_tar(args.version, args.part), args.compress))
    describe(args.out)


def command_tree(args):
    write_tree(args.dir, layout_files(args.layout, args.version))
    print(json.dumps({"path": args.dir}))


def command_pack(args):
    files = {}
    for base, _, names in os.walk(args.dir):
        for name in names:
            full = os.path.join(base, name)
            with open(full, "rb") as stream:
                files[os.path.relpath(full, args.dir)] = stream.read()
    write(args.out, zstd(tree_members(files) + END))
    describe(args.out)


def command_corpus(args):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data",
                                    "must-fail"))
    import corpus
    cases = [c for c in corpus.cases(args.full) if c.name.startswith(args.only)]
    with open(os.path.join(args.dir, "index"), "w", encoding="ascii") as index:
        for case in cases:
            name = case.name + ".tar.zst"
            write(os.path.join(args.dir, name), case.blob())
            index.write("%s\t%s\t%s\t%d\t%d\t%d\t%d\n" % (name, case.verdict, case.kind,
                                                         *case.skipped))
    refused = sum(c.verdict == "refuse" for c in cases)
    print(json.dumps({"refuse": refused, "accept": len(cases) - refused}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    kernel = commands.add_parser("kernel")
    kernel.add_argument("out")
    kernel.add_argument("--version", default="6.1.0-test")
    kernel.add_argument("--vmlinux-bytes", type=int, default=65536)
    kernel.add_argument("--seed", type=int, default=1)
    kernel.add_argument("--initrd", action="store_true")
    kernel.add_argument("--modules", action="store_true")
    kernel.add_argument("--no-vmlinux", action="store_true")
    kernel.add_argument("--dot", action="store_const", const="./", default="")
    image = commands.add_parser("image")
    image.add_argument("out")
    image.add_argument("--mib", type=int, default=4)
    image.add_argument("--manifest", default='{"name": "test", "distro": "test", '
                       '"arch": "x86_64", "kernel_ref": "test"}\n')
    package = commands.add_parser("deb")
    package.add_argument("out")
    package.add_argument("--version", default="6.1.0-test")
    package.add_argument("--compress", choices=["none", "gz", "xz", "zst"], default="xz")
    package.add_argument("--part", choices=["all", "image", "modules"], default="all")
    tree = commands.add_parser("tree")
    tree.add_argument("dir")
    tree.add_argument("--layout", required=True,
                      choices=["metadata", "store", "boot", "alpine", "build"])
    tree.add_argument("--version", default="6.1.0-test")
    pack = commands.add_parser("pack")
    pack.add_argument("out")
    pack.add_argument("dir")
    corpus = commands.add_parser("corpus")
    corpus.add_argument("dir")
    corpus.add_argument("--full", action="store_true")
    corpus.add_argument("--only", default="")
    args = parser.parse_args()
    globals()["command_" + args.command](args)


if __name__ == "__main__":
    main()
