#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Layers that somebody made to hurt: each is refused with the status for it, or becomes a clean disk
where its content is only data. Nothing is ever written but the disk, and in bounded time and memory.
The classes are those of the bundles' corpus: N names L links T types W whiteouts C compression
V volume D digests."""
import gzip
import os
import resource
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["SRCDIR"], "tests/support"))
import layers  # noqa: E402
import make_bundle as mb  # noqa: E402
from layers import Member  # noqa: E402

ALL = os.environ.get("BANGER_CHECK_ALL") == "yes"
FORMAT, LIMIT, DIGEST = "FORMAT", "LIMIT", "DIGEST"


def file(name, data=b"x", **more):
    return Member("f", mb.raw(name), data, **more)


def link(name, target):
    return Member("l", mb.raw(name), link=mb.raw(target))


def hard(name, target):
    return Member("h", mb.raw(name), link=mb.raw(target))


def refused():
    """(name, layers from the oldest on, code)"""
    for i, name in enumerate(("../x", "a/../../x", "..", "a/..", "./../x", "a/./../..//x", "a/b/..",
                              "/../x")):
        yield "N1-%d" % i, [[file(name)]], FORMAT
    yield "N5", [[mb.pax((b"path", b"a\0b")) + mb.member("short", b"x")]], FORMAT
    yield "N9", [[file("n" * 256)]], LIMIT
    yield "N10-129", [[file("d/" * 128 + "x")]], LIMIT
    yield "N10-path", [[file("d/" * 2048 + "x")]], LIMIT
    yield "L3-loop", [[link("l", "l"), file("l/x")]], FORMAT
    yield "L3-loop-of-two", [[link("l", "m"), link("m", "/l/../l")], [file("m/x")]], FORMAT
    yield "L3-41", [[link("l%d" % i, "l%d" % (i + 1)) for i in range(41)] + [file("l0/x")]], FORMAT
    yield "L3-to-file", [[file("f"), link("l", "f")], [file("l/x")]], FORMAT
    yield "L3-long", [[link("l", "n" * 256), file("l/x")]], LIMIT
    yield "N10-by-links", [[link("l", "d/" * 100), file("l/" + "e/" * 28 + "x")]], LIMIT
    yield "L6-removed-by-link", [[file("d/t"), link("l", "d")], [Member("w", b"l/t")],
                                 [hard("a", "d/t")]], FORMAT
    yield "L6-replaced", [[file("a/b"), hard("a", "a/b")]], FORMAT
    yield "L6-self", [[hard("a", "a")]], FORMAT
    yield "L6-self-later", [[file("a"), hard("./a", "a")]], FORMAT
    yield "L6-missing", [[hard("a", "missing")]], FORMAT
    yield "L6-missing-below", [[file("x")], [hard("a", "missing")]], FORMAT
    yield "L6-later", [[hard("a", "b"), file("b")]], FORMAT
    yield "L6-dotdot", [[hard("a", "../x")]], FORMAT
    yield "L6-root", [[hard("a", "/")]], FORMAT
    yield "L6-directory", [[Member("d", b"d"), hard("a", "d")]], FORMAT
    yield "L6-directory-below", [[Member("d", b"d")], [hard("a", "d")]], FORMAT
    yield "L6-removed", [[file("t")], [Member("w", b"t")], [hard("a", "t")]], FORMAT
    yield "L6-emptied", [[file("d/t")], [Member("o", b"d")], [hard("a", "d/t")]], FORMAT
    yield "L8-below-file", [[file("a"), file("a/b")]], FORMAT
    yield "L9-long", [[mb.pax((b"linkpath", b"x" * 4096)) + mb.symlink("l", "x")]], LIMIT
    yield "T1-major", [[Member("c", b"c", device=(4096, 0))]], FORMAT
    yield "T1-minor", [[Member("b", b"b", device=(1, 1 << 20))]], FORMAT
    yield "T6-late", [[file("a", mtime=(2 ** 34, 0))]], FORMAT
    yield "T6-early", [[file("a", mtime=(-2 ** 31 - 1, 0))]], FORMAT
    yield "T6-uid", [[mb.pax((b"uid", b"4294967295")) + mb.member("x", b"")]], FORMAT
    yield "T6-negative", [[mb.pax((b"uid", b"-1")) + mb.member("x", b"")]], FORMAT
    yield "T5-large", [[file("a", xattrs={b"user.x": bytes(70000)})]], LIMIT
    for i, name in enumerate((".wh.", ".wh..", ".wh...", "a/.wh...", ".wh./x", ".wh.a/b",
                              ".wh..wh..opq/x")):
        yield "W1-%d" % i, [[file(name)]], FORMAT
    yield "W8", [[Member("c", b"c", device=(0, 0))]], FORMAT
    for i, (code, member) in enumerate(sparse_lies()):
        yield "H9-%d" % i, [[member]], code
    yield "H3-root-file", [[file("./")]], FORMAT
    yield "H3-root-file-plain", [[file(".")]], FORMAT
    yield "H3-root-link", [[link(".", "x")]], FORMAT
    yield "lost+found", [[file("lost+found")]], FORMAT


def sparse_pax(stored, alias="x", **records):
    return mb.pax(*[(b"GNU.sparse." + mb.raw(key), mb.raw(str(value)))
                    for key, value in records.items()]) + mb.member(alias, stored)


def sparse_text(text, data=b"", alias="GNUSparseFile.1/x", **more):
    records = {"major": 1, "minor": 0, "name": "x", "realsize": 1 << 20, **more}
    stored = text.encode() + bytes(-len(text) % 512) + data
    return sparse_pax(stored, alias, **records)


def sparse_old(places, size, stored=b"", more=0):
    """GNU tar's first form: up to four pieces in the header."""
    block = bytearray(mb.header("x", kind="S", size=len(stored), magic=b"ustar  \0"))
    for i, (offset, length) in enumerate(places):
        block[386 + 24 * i:410 + 24 * i] = b"%011o\0%011o\0" % (offset, length)
    block[482] = more
    block[483:495] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + mb.padded(stored)


def sparse_lies():
    """Maps that overlap, go backwards, end outside, say another length, or never end."""
    data = bytes(512)
    for text in ("1\n0\n513\n", "2\n512\n512\n0\n512\n", "1\n1048576\n512\n", "", "x\n", "1\n0\n",
                 "2\n0\n512\n256\n512\n", "1\n0\n512\n9", "-1\n", "\n", "0\n",
                 "1\n18446744073709551615\n512\n", "1\n99999999999999999999999\n512\n"):
        yield FORMAT, sparse_text(text, data)
    yield FORMAT, sparse_text("2\n0\n100\n1024\n412\n", data)
    yield LIMIT, sparse_text("1000000000\n0\n512\n", data)
    yield LIMIT, sparse_text("1\n0\n512\n", data, realsize=1 << 59)
    yield FORMAT, sparse_text("1\n0\n512\n", data, alias="GNUSparseFile.1/y")
    yield FORMAT, sparse_text("1\n0\n512\n", data, alias="other/x")
    yield FORMAT, sparse_text("1\n0\n512\n", data, major=2)
    yield FORMAT, sparse_text("1\n0\n512\n", data, numblocks=1)
    yield FORMAT, sparse_pax(data, major=1)
    yield FORMAT, sparse_pax(data, size=1024, map="0,512,512", numblocks=1)
    yield FORMAT, sparse_pax(data, size=1024, map="0,512,", numblocks=1)
    yield FORMAT, sparse_pax(data, size=1024, map="512,512,0,0", numblocks=2)
    yield FORMAT, sparse_pax(data, size=1024, map="0,512", numblocks=2)
    yield FORMAT, sparse_pax(data, size=100, map="0,512", numblocks=1)
    yield FORMAT, sparse_pax(data, map="0,512", numblocks=1)
    yield FORMAT, sparse_pax(data, size=1024, offset=0)
    yield FORMAT, sparse_pax(data, size=1024, numbytes=512)
    yield FORMAT, sparse_pax(b"", size=1024, alias="../x")
    yield FORMAT, mb.pax((b"SCHILY.realsize", b"1024")) + mb.member("x", data)
    yield FORMAT, sparse_old([(512, 512), (0, 512)], 1024, data * 2)
    yield FORMAT, sparse_old([(0, 512)], 100, data)
    yield FORMAT, sparse_old([(0, 512)], 1024)
    yield FORMAT, sparse_old([(0, 512)], 1024, data, more=7)
    yield FORMAT, sparse_old([(0, 512)], 1024, data, more=1)


def accepted():
    """(name, layers) that are data, whatever they look like."""
    yield "N2", [[file("/x"), file("//y/z"), file("/./w")]]
    yield "N4", [[file("manifest.json"), file(".lock"), link(".tmp-x", "/")]]
    yield "N6", [[file(b"a\n\x1b[2J\x07\x7f\x9b\r\tb"), file(b"\xe2\x80\xae\xef\xbb\xbf")]]
    yield "N8", [[file(b"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xff")]]
    yield "N9", [[file("n" * 255)]]
    yield "N10", [[file("d/" * 127 + "x"), file(("d" * 250 + "/") * 16 + "x")]]
    yield "N11", [[file("vmlinux"), file("VMLINUX"), file("\u00e9"), file("e\u0301")]]
    yield "N13", [[file("-rf"), file(" x "), file("$(touch x)`x`%s%n'\"~"), file("..."), file("C:\\x")]]
    yield "L9", [[link("l", "/proc/self/fd/9"), link("m", "\x1b[2J"), link("n", "x" * 4095)]]
    for i, target in enumerate(("/tmp", "../..", "../../tmp", "/proc/self/cwd/..")):
        yield "L1-%d" % i, [[link("l", target), file("l/x")]]
        yield "L2-%d" % i, [[link("l", target)], [file("l/x"), Member("w", b"l/y"), hard("h", "l/x")]]
    yield "L1-across", [[Member("d", b"d"), link("l", "d")], [file("l/x")]]
    yield "L3-40", [[link("l%d" % i, "l%d" % (i + 1)) for i in range(40)] + [file("l0/x")]]
    yield "L6-through-link", [[file("d/t"), link("l", "d"), hard("a", "l/t")]]
    yield "N10-by-links", [[link("l", "d/" * 100), file("l/" + "e/" * 27 + "x")]]
    yield "T7", [[file("t", b"1"), hard("h", "t"), file("t", b"2"), hard("i", "t"), file("t", b"3")],
                 [file("t", b"4")]]
    yield "H9", [[sparse_text("1\n512\n512\n", b"x" * 512), sparse_old([(4096, 5)], (1 << 33) - 1, b"12345"),
                  sparse_pax(b"y", size=1 << 40, map="1099511627775,1", numblocks=1),
                  sparse_text("0\n"), sparse_pax(b"", size=99, numblocks=0, alias="z")]]
    yield "L4", [[link("l", "/tmp")], [Member("d", b"l"), file("l/x")]]
    yield "L6-to-link", [[link("l", "/x"), hard("h", "l")]]
    yield "T2", [[file("a", mode=0o7777), Member("d", b"d", mode=0), file("d/x", mode=0)]]
    yield "T5", [[file("a", xattrs={b"user.big": bytes(5000), b"user.": b"x", b"trusted.overlay.opaque":
                                    b"y", b"system.posix_acl_access": b"z", b"user.ok": b"1"}),
                  file("b", xattrs={b"user.%d" % i: b"v" * 9 for i in range(500)})]]
    yield "W2", [[file("d/x"), file("e")], [Member("o", b"missing/d"), Member("o", b"e"),
                                           Member("o", b"d"), Member("o", b"d"), file("d/y")]]
    yield "W4", [[file("t/x"), link("l", "t"), link("m", "/")], [Member("w", b"l/x"), Member("o", b"m")]]
    yield "W7", [[file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs"), Member("d", b".wh..wh.orph"), file("a")]]
    yield "git", [[mb.pax((b"comment", b"0" * 40), kind="g"), file("a")]]
    yield "padding", [[file("a"), bytes(20480)]]


def flatten(place, name, stack, how="tar", **more):
    tars = [layers.tar(members) for members in stack]
    image = layers.Image(os.path.join(place, "blobs", name), tars, how, **more)
    return image.flatten(os.path.join(place, "disk"), 64 << 20)


def assert_refused(name, done, code):
    assert done.returncode not in (0, 70) and done.returncode > 0, (name, done)
    assert done.stderr.startswith(code.encode()), (name, code, done.stderr)


def check_refused(place):
    count = 0
    for name, stack, code in refused():
        assert_refused(name, flatten(place, name, stack), code)
        count += 1
    return count


def check_accepted(place):
    count = 0
    for name, stack in accepted():
        done = flatten(place, name, stack)
        assert done.returncode == 0, (name, done.stderr)
        layers.assert_clean(os.path.join(place, "disk"), name)
        count += 1
    return count


def check_broken(place):
    """Digests that lie, streams that end, and what is behind them."""
    plain = layers.tar([file("a", bytes(100000))])
    packed = gzip.compress(plain, mtime=0)
    assert_refused("D1", flatten(place, "D1", [[file("a")]], diff_ids=["0" * 64]), DIGEST)
    for i, blob in enumerate((packed[:-9], packed[:len(packed) // 2], packed + b"junk", b"",
                              packed[:40] + b"\xff\xff" + packed[42:], b"BZh9" + bytes(100), plain)):
        image = layers.Image(os.path.join(place, "C"), [b""], "gzip")
        digest = layers.sha256(blob)
        with open(os.path.join(place, "C", digest), "wb") as out:
            out.write(blob)
        image.arguments = [digest, layers.sha256(plain), "gzip", str(len(blob))]
        assert_refused("C%d" % i, image.flatten(os.path.join(place, "disk"), 64 << 20), FORMAT)
    for cut in range(0, len(plain) - 1024, 512 * 23):
        done = layers.run_driver(os.path.join(place, "disk"), 64 << 20, "tar",
                                 write(place, plain[:cut or 1]))
        assert_refused("H12-%d" % cut, done, FORMAT)


def write(place, data):
    path = os.path.join(place, "input")
    with open(path, "wb") as out:
        out.write(data)
    return path


def check_volume(place):
    """Many names, in bounded memory; a disk too small for its files."""
    count = 1000000 if ALL else 100000
    with open(os.path.join(place, "input"), "wb") as out:
        for i in range(count):
            out.write(mb.header("%d/%d" % (i % 7, i)))
        out.write(mb.END)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    began = time.monotonic()
    done = layers.run_driver(os.path.join(place, "disk"), 0, "tar", os.path.join(place, "input"),
                             timeout=300)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    seconds = time.monotonic() - began
    print("%d names: %.2f s, at most %d MiB" % (count, seconds, after >> 10))
    assert seconds < 300
    if os.environ.get("SANITIZERS", "no") == "no":
        assert after <= max(before, 512 << 10 if ALL else 80 << 10), (before, after)
    layers.assert_clean(os.path.join(place, "disk"), "V1")
    done = flatten(place, "V7", [[file("a", mb.noise(65 << 20, 1))]])
    assert_refused("V7", done, "NO_SPACE")
    done = flatten(place, "V3", [[file("a")] + [hard("b/%d" % i, "a") for i in range(65001)]])
    assert_refused("V3", done, LIMIT)
    done = flatten(place, "V4", [[file("a", b"%d" % i) for i in range(20000)]])
    assert done.returncode == 0, done.stderr
    layers.assert_clean(os.path.join(place, "disk"), "V4")


def check_limits(place):
    """All layers together stay within what one alone may have."""
    def limited(name, stack, **limits):
        with_limits = {f"FLATTEN_{key}": str(value) for key, value in limits.items()}
        tars = [layers.tar(members) for members in stack]
        image = layers.Image(os.path.join(place, "blobs", name), tars, "tar")
        return image.flatten(os.path.join(place, "disk"), 64 << 20, env={**os.environ, **with_limits})

    many = [[file("%d/%d" % (layer, i)) for i in range(40)] for layer in range(4)]
    assert limited("V9", many, entries=200).returncode == 0
    assert_refused("V9", limited("V9", many, entries=100), LIMIT)
    large = [[file("a%d" % layer, mb.noise(100000, layer))] for layer in range(4)]
    assert limited("V10", large, expanded_bytes=1 << 20).returncode == 0
    assert_refused("V10", limited("V10", large, expanded_bytes=300000), LIMIT)
    # A disk of others whose home is next to endless: nobody reads that for hours.
    disk, seed = os.path.join(place, "disk"), os.path.join(place, "C", "seed")
    assert flatten(place, "V12", [[file("root/a", b"a"), file("root/b", bytes(9 << 20))]]).returncode == 0
    for limit, status in ((10 << 20, 0), (8 << 20, 65)):
        done = layers.run_driver(seed, 0, "seed", disk,
                                 env={**os.environ, "FLATTEN_expanded_bytes": str(limit)})
        assert done.returncode == status, done


def main():
    if layers.e2fsck() is None:
        print("skipped: e2fsck is missing: install e2fsprogs")
        return 77
    place = tempfile.mkdtemp(prefix="banger-test-")
    try:
        inside = set(os.listdir("/tmp"))
        print("%d refused, %d accepted" % (check_refused(place), check_accepted(place)))
        check_broken(place)
        check_volume(place)
        check_limits(place)
        assert not {"x", "probe"} & (set(os.listdir("/tmp")) - inside)
        assert set(os.listdir(place)) == {"blobs", "disk", "C", "input"}, os.listdir(place)
    finally:
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
