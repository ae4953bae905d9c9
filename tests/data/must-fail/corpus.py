# SPDX-License-Identifier: MIT
"""Kernel and image bundles that must be refused, and those that must be accepted.

Every case is one archive, made from nothing: a name whose first part is the class it belongs to, a
verdict, and how many members of the types that are skipped the report has to count. The classes:

    N names  L links  T types, modes, owners, attributes  H headers  C compression  V volume
    I image bundles  A archives that must be accepted

cases(False) is the sample for every run; cases(True) adds those that take seconds or gigabytes.
"""

import make_bundle as mb
from make_bundle import (GNU, END, binary, directory, hardlink, header, long_name, member, noise,
                         octal, padded, pax, record, stored, symlink, zstd)

KERNEL = member("vmlinux", noise(4096, 1))
GNU_KERNEL = member("vmlinux", noise(4096, 1), magic=GNU)


class Case:
    """One archive. `tar` may be a function, so that large ones are only made when wanted."""

    def __init__(self, name, verdict, tar=None, blob=None, kind="kernel", skipped=(0, 0, 0, 0)):
        self.name = name
        self.verdict = verdict
        self.kind = kind
        self.skipped = skipped
        self._tar = tar
        self._blob = blob

    def blob(self):
        """The compressed bytes."""
        if self._blob is not None:
            return self._blob() if callable(self._blob) else self._blob
        tar = self._tar() if callable(self._tar) else self._tar
        return stored(tar) if len(tar) < 1 << 20 else zstd(tar)


def numbered(prefix, tars, verdict="refuse", **more):
    return [Case("%s-%02d" % (prefix, i), verdict, tar, **more) for i, tar in enumerate(tars)]


def with_kernel(*members):
    """The members and a proper kernel, so that only they can be the reason."""
    return b"".join(members) + KERNEL + END


def with_gnu_kernel(*members):
    return b"".join(members) + GNU_KERNEL + END


def named(name, data=b"evil"):
    """A file of that name, by pax where a header cannot hold it."""
    name = mb.raw(name)
    if len(name) > 100 or b"\0" in name:
        return pax(("path", name)) + member("short", data)
    return member(name, data)


def names():
    out = []
    out += numbered("N01-dotdot", [with_kernel(named(n)) for n in (
        "../x", "modules/../../x", "..", "modules/..", "./../x", "modules/./../..//x",
        "modules/x/..", "modules/../modules/x")])
    out += numbered("N01-dotdot-directory", [with_kernel(directory(n)) for n in (
        "../", "modules/../", "..", "modules/..", "./..")])
    out += numbered("N02-absolute", [with_kernel(named(n)) for n in (
        "/x", "//x", "///x", "/./x", "/../x", "/vmlinux", "/modules/x")])
    out += numbered("N04-reserved", [with_kernel(m) for m in (
        member("manifest.json", "{}"), symlink("manifest.json", "/tmp/probe"),
        directory("manifest.json/"), member(".lock"), member(".tmp-x"), member(".staging"),
        member("./manifest.json", "{}"), hardlink("manifest.json", "vmlinux"))])
    nul = []
    for at, field in ((3, 0), (20, 0), (5, 157), (3, 345), (4, 265)):
        block = bytearray(header("modules/x", kind="2" if field == 157 else "0",
                                 link="y" if field == 157 else ""))
        block[field + at + 10] = ord("z")
        nul.append(with_kernel(resummed(block)))
    nul += [with_kernel(pax(("path", b"modules/x\0y")), member("modules/z")),
            with_kernel(pax(("linkpath", b"x\0y")), symlink("modules/z", "x")),
            with_gnu_kernel(long_name(b"modules/x\0y"), member("modules/z", magic=GNU)),
            with_gnu_kernel(long_name(b"x\0y", "K"), symlink("modules/z", "x", magic=GNU))]
    out += numbered("N05-nul", nul)
    out += numbered("N06-control", [with_kernel(named(b"modules/a" + c + b"b")) for c in (
        b"\n", b"\r", b"\t", b"\a", b"\x1b[2J", b"\x1b]52;c;eA==\a", b"\x1b[21t", b"\x7f",
        b"\xc2\x9b31m", b"\x9b31m", b"\b", b"\x01")])
    out += numbered("N07-invisible", [with_kernel(named("modules/a" + c + "b")) for c in (
        "\u202e", "\u2066", "\u200b", "\ufeff", "e\u0301", "\ue000", "\u2028", "\u00ad", "\U000e0041")])
    out += numbered("N08-not-utf8", [with_kernel(named(b"modules/" + c)) for c in (
        b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"caf\xe9", b"\xff\xfe",
        b"\x80")])
    out += numbered("N09-component", [with_kernel(named("modules/" + "n" * n))
                                      for n in (256, 900)])
    out.append(Case("N09-component-65535", "refuse", with_kernel(named("modules/" + "n" * 65535))))
    out += numbered("N10-path", [with_kernel(named("modules/" + ("d" * 100 + "/") * n + "x"))
                                 for n in (11, 40, 41)])
    out += numbered("N10-depth", [with_kernel(named("modules/" + "d/" * n + "x"))
                                  for n in (31, 32, 127, 128, 300)])
    out.append(Case("N10-long-60000", "refuse", with_kernel(named("modules/" + "d/" * 30000 + "x"))))
    out.append(Case("N10-long-mebibyte", "refuse", lambda: with_kernel(
        named("modules/" + "d/" * 600000 + "x"))))
    out += numbered("N10-gnu-long", [with_gnu_kernel(long_name("modules/" + "d/" * n + "x"),
                                                     member("modules/d", magic=GNU))
                                     for n in (31, 600, 3000)])
    out += numbered("N11-case", [with_kernel(named(n)) for n in (
        "VMLINUX", "Vmlinux", "Initrd.img", "MODULES/x", "vml\u0131nux", "vmlinux\u0301",
        "modules/e\u0301")])
    out += numbered("N12-other-systems", [with_kernel(named(n)) for n in (
        "modules\\x", "modules/..\\..\\x", "C:x", "modules/C:x", "modules/x:stream",
        "\\\\host\\share", "modules/\\x")])
    out += numbered("N13-words", [with_kernel(named(n)) for n in (
        "-rf", "modules/-rf", "modules/ x", "modules/x ", "modules/ ", "modules/~",
        "modules/~root", "modules/$(touch x)", "modules/`x`", "modules/%s%n", "modules/'x'",
        "modules/\"x\"", "modules/a;b", "modules/a|b", "modules/*", "modules/a&b", "modules/<x",
        "modules/!x", " ", " vmlinux")])
    out += numbered("N14-slashes", [with_kernel(named(n)) for n in (
        "modules//x", "././vmlinux2", ".//modules/x", "modules/x//", "x/", "./", "modules/./x")])
    out += numbered("N15-top-level", [with_kernel(m) for m in (
        member("vmlinuz"), member("boot/vmlinuz"), member("README"), directory("boot/"),
        directory("lib/"), member("initrd"), member("modules.tar"), symlink("latest", "vmlinux"),
        member("rootfs.ext4"), directory("vmlinux.d/"), member("modulesx/y"))])
    return out


def resummed(block):
    block = bytearray(block)
    block[148:156] = b"%06o\0 " % mb.checksum(bytes(block))
    return bytes(block)


def links():
    out = []
    below = member("modules/l/x", "evil")
    out += numbered("L01-absolute", [with_kernel(symlink("modules/l", t), below) for t in (
        "/", "/tmp", "/etc", "//tmp")])
    out += numbered("L01-absolute-alone", [with_kernel(symlink("modules/l", t)) for t in (
        "/", "/tmp/x", "//x", "/proc/self/cwd/x", "/usr/src/linux", "/./x")])
    out += numbered("L02-relative", [with_kernel(symlink("modules/l", t), below) for t in (
        "../..", "../../..", "../../tmp", "../../../../../../../../tmp")])
    out += numbered("L02-relative-alone", [with_kernel(symlink("modules/l", t)) for t in (
        "../..", "../../x", "x/../../..", "./../../x", "../modules/../../x", "x/..", "a/../b")])
    out += numbered("L02-inside-then-below", [with_kernel(symlink("modules/l", t), below)
                                              for t in ("d", "..", ".", "../modules")])
    deep = symlink("modules/a/b/c", "../..")
    out += numbered("L03-chain", [with_kernel(*m) for m in (
        (deep, symlink("modules/d", "a/b/c/../..")),
        (symlink("modules/a", "b"), symlink("modules/b", "a")),
        (symlink("modules/a", "a"),),
        (symlink("modules/a", "b/x"), symlink("modules/b", "a/x")),
        tuple(symlink("modules/l%d" % i, "l%d" % (i + 1)) for i in range(41)),
        (symlink("modules/a", ".."), symlink("modules/b", "a/../x")),
        (symlink("modules/a", ".."), member("modules/a/vmlinux2")))])
    out += numbered("L04-plant", [with_kernel(symlink("modules", "../other"), below),
                                  with_kernel(symlink("modules/l", "/tmp/probe"))])
    out += numbered("L05-directory-over-link", [with_kernel(symlink("modules/l", "d"), m) for m in (
        directory("modules/l/"), directory("modules/l"), directory("modules/l/", mtime=1),
        directory("modules/l/x/"))])
    out += numbered("L08-change", [with_kernel(*m) for m in (
        (directory("modules/d/"), symlink("modules/d", "e")),
        (directory("modules/d/"), symlink("modules/d", "e"), member("modules/d/x")),
        (symlink("modules/d", "e"), directory("modules/d/"), member("modules/d/x")),
        (member("modules/d"), directory("modules/d/")),
        (directory("modules/d/"), member("modules/d")),
        (member("modules/d/x"), member("modules/d")),
        (member("modules/d"), member("modules/d/x")),
        (member("modules/d"), symlink("modules/d", "e")),
        (symlink("modules/d", "e"), member("modules/d")),
        (hardlink("modules/d", "e"), member("modules/d")),
        (member("modules/d"), hardlink("modules/d", "vmlinux")))])
    out += numbered("L09-text", [with_kernel(m) for m in (
        symlink("modules/l", ""), pax(("linkpath", "x" * 4096)) + symlink("modules/l", "x"),
        symlink("modules/l", "a\x1b[2Jb"), symlink("modules/l", "/proc/self/fd/9"),
        symlink("modules/l", "/dev/stdin"), symlink("modules/l", "x//y"),
        symlink("modules/l", "x/"), symlink("modules/l", b"\xff"),
        symlink("modules/l", "\u202ex"), symlink("modules/l", "a\nb"), hardlink("modules/l", ""))])
    out += numbered("L10-late", [with_kernel(directory("modules/d/", mtime=5),
                                             symlink("modules/d", "/tmp"), member("modules/d/x")),
                                 with_kernel(directory("modules/d/"), symlink("modules/d", ".."))])
    out += numbered("L11-wanted-is-link", [b"".join(m) + END for m in (
        (symlink("vmlinux", "/etc/shadow"),), (symlink("vmlinux", "initrd.img"), member(
            "initrd.img", "x")), (KERNEL, symlink("initrd.img", "vmlinux")),
        (KERNEL, header("initrd.img", kind="3")), (hardlink("vmlinux", "/etc/shadow"),),
        (KERNEL, hardlink("initrd.img", "vmlinux")), (header("vmlinux", kind="6"),),
        (KERNEL, symlink("modules", "/lib/modules")), (KERNEL, hardlink("modules", "vmlinux")),
        (directory("vmlinux/"),))])
    out += numbered("L12-sibling", [with_kernel(named(n)) for n in (
        "../other/vmlinux", "modules/../../other/manifest.json")])
    return out


def hard_links_skipped():
    targets = ("/etc/shadow", "../x", "modules/l", "../../..", "modules/h", "modules/", "modules/late",
               "missing", ".", "vmlinux", "/", "\u202e")
    return [Case("L06-hardlink-%02d" % i, "accept", with_kernel(
        symlink("modules/l", "d"), hardlink("modules/h", t), member("modules/late", "x")),
        skipped=(1, 0, 0, 0)) for i, t in enumerate(targets)]


def types():
    out = []
    for i, (kind, fields) in enumerate((("3", {}), ("4", {}), ("3", {"major": 255, "minor": 255}),
                                        ("4", {"major": binary(1 << 40, 8)}),
                                        ("3", {"minor": b"7777777"}))):
        out.append(Case("T01-device-%02d" % i, "accept",
                        with_kernel(header("modules/n", kind=kind, **fields)),
                        skipped=(0, 1, 0, 0)))
    out.append(Case("T01-fifo", "accept", with_kernel(header("modules/n", kind="6")),
                    skipped=(0, 0, 1, 0)))
    for i, mode in enumerate((0o4755, 0o2755, 0o1777, b"0177777", 0, b"7777777")):
        out.append(Case("T02-mode-%02d" % i, "accept", with_kernel(
            member("modules/x", "x", mode=mode), directory("modules/d/")[:0] +
            header("modules/d/", kind="5", mode=mode), member("modules/d/y", "y"))))
    many = [("SCHILY.xattr.user.a%d" % i, "1") for i in range(10000)]
    for i, (records, count) in enumerate((
            ([("SCHILY.xattr.security.capability", b"\1\0\0\2\0\0\0\0")], 1),
            ([("RHT.security.selinux", "system_u:object_r:modules_object_t:s0\0")], 1),
            ([("SCHILY.acl.access", "user::rw-,group::r--,other::r--")], 1),
            ([("SCHILY.xattr.trusted.overlay.opaque", "y")], 1),
            ([("SCHILY.xattr.user.big", "x" * 70000)], 1),
            (many, 10000),
            ([("SCHILY.xattr.user.a", "1"), ("LIBARCHIVE.xattr.user.a", "MQ==")], 1))):
        out.append(Case("T05-xattr-%02d" % i, "accept",
                        with_kernel(pax(*records), member("modules/x", "x")),
                        skipped=(0, 0, 0, count)))
    for i, fields in enumerate(({"uid": binary(-1, 8)}, {"uid": binary(1 << 31, 8)},
                                {"gid": binary((1 << 32) - 1, 8)}, {"uid": b"7777777"},
                                {"uname": "nobody", "gname": "nogroup"},
                                {"mtime": binary(-1, 12)}, {"mtime": binary(1 << 33, 12)},
                                {"mtime": b"77777777777"})):
        out.append(Case("T06-number-%02d" % i, "accept",
                        with_kernel(member("modules/x", "x", **fields))))
    for i, (key, value) in enumerate((("mtime", "9223372036854775807"), ("mtime", "-1.5"),
                                      ("mtime", "1." + "3" * 40), ("uid", "4294967295"),
                                      ("gid", "2147483648"), ("atime", "0"))):
        out.append(Case("T06-pax-number-%02d" % i, "accept",
                        with_kernel(pax((key, value)), member("modules/x", "x"))))
    out += numbered("T07-duplicate", [
        KERNEL + KERNEL + END, KERNEL + member("./vmlinux", "two") + END,
        with_kernel(member("modules/x", "1"), member("modules/x", "2")),
        with_kernel(member("modules/x", "1"), member("./modules/x", "2")),
        with_kernel(*(member("modules/x%d" % (i % 500), "") for i in range(501)))])
    out += numbered("T08-unknown-type", [with_kernel(header("modules/x", kind=k)) for k in (
        "7", "8", "A", "D", "M", "N", "S", "V", "X", "Z", "a", "\x80", " ")])
    return out


def bad_records():
    """Bodies of pax headers that no reader should make sense of."""
    return (b"0 path=x\n", b"-5 path=x\n", b"99 path=x\n", b"x path=x\n", b"12 pathmodul\n",
            b"17 path=modules/x", b"18 path=modules/x", b"\n", b"9 path=x\n0 path=y\n",
            b"010 path=x\n", b"4294967306 path=x\n", b"+9 path=x\n", b" 9 path=x\n", b"7 =abc\n\n",
            b"9\tpath=x\n", b"1" * 1000 + b" path=x\n")


def headers():
    out = []
    smaller = header("modules/x", size=10)
    out += numbered("H01-two-sizes", [
        with_kernel(pax(("size", "1024")), header("modules/x", size=512), bytes(1024)),
        with_kernel(pax(("size", "0")), header("modules/x", size=512), bytes(512)),
        with_kernel(pax(("size", "512")), header("modules/x", size=0), padded(b"x" * 512)),
        with_kernel(pax(("size", "10")), pax(("size", "10")), smaller, padded(b"x" * 10)),
        with_kernel(pax(("size", "10")), long_name("modules/y", magic=mb.POSIX), smaller,
                    padded(b"x" * 10)),
        with_gnu_kernel(long_name("modules/y"), pax(("path", "modules/z"), magic=GNU),
                        member("modules/x", "x", magic=GNU)),
        with_kernel(pax(("path", "modules/a")), pax(("path", "modules/b")), member("modules/c")),
        with_kernel(pax(("path", "modules/a"), ("path", "modules/b")), member("modules/c"))])
    out += numbered("H02-record", [with_kernel(pax(r), member("modules/x")) for r in bad_records()])
    out += numbered("H03-value", [with_kernel(pax(r), member("modules/x", "x")) for r in (
        ("path", ""), ("size", "-1"), ("size", "1x"), ("size", ""), ("size", "9" * 30),
        ("size", " 1"), ("uid", "x"), ("gid", "--1"), ("mtime", "1e9"), ("mtime", ""),
        ("mtime", "1.2.3"))])
    out += numbered("H04-global", [with_kernel(pax(r, kind="g"), member("modules/x")) for r in (
        ("path", "modules/y"), ("size", "0"), ("linkpath", "x"), ("uid", "0"), ("mtime", "1"),
        ("SCHILY.xattr.user.a", "1"))])
    out += numbered("H05-long-name", [with_gnu_kernel(*m) for m in (
        (long_name("modules/a"), long_name("modules/b"), member("modules/c", magic=GNU)),
        (long_name("x", "K"), long_name("y", "K"), symlink("modules/c", "z", magic=GNU)),
        (header("././@LongLink", kind="L", size=4, magic=GNU), padded(b"abcd"),
         member("modules/c", magic=GNU)),
        (header("././@LongLink", kind="L", size=0, magic=GNU), member("modules/c", magic=GNU)),
        (header("././@LongLink", kind="L", size=1, magic=GNU), padded(b"\0"),
         member("modules/c", magic=GNU)),
        (long_name("modules/" + "d" * 2000000), member("modules/c", magic=GNU)),
        (header("././@LongLink", kind="L", size=100, magic=GNU), padded(b"modules/x\0"),
         bytes(512)))])
    out += [Case("H05-no-follower", "refuse", GNU_KERNEL + long_name("modules/x") + END),
            Case("H05-no-follower-pax", "refuse", KERNEL + pax(("path", "modules/x")) + END),
            Case("H05-no-follower-cut", "refuse", GNU_KERNEL + long_name("modules/x")),
            Case("H06-rename", "refuse", with_gnu_kernel(header("x", kind="N", size=20, magic=GNU),
                                                         padded(b"Rename a to b\n")))]
    out += numbered("H07-size", [with_kernel(header("modules/x", size_field=s)) for s in (
        b"0000000000x", b"            ", b"\0" * 12, b"77777777777\0", b"777777777777",
        binary(1 << 62, 12), binary(1 << 63, 12), binary(-1, 12), binary(-512, 12), b"-1",
        b"0x10", b"\x80" + b"\xff" * 11, b"1 2", b"\xc0" + b"\0" * 11)])
    out += numbered("H08-checksum", [with_kernel(header("modules/\u00e9", sum_field=f)) for f in (
        lambda b: octal(mb.checksum(b) + 1, 8), lambda b: b" " * 8, lambda b: b"\0" * 8,
        lambda b: octal(sum(c - 256 if c > 127 else c for c in b[:148] + b[156:]) + 256, 8),
        lambda b: b"junk\0\0\0\0")])
    sparse = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
              ("GNU.sparse.name", "modules/x"), ("GNU.sparse.realsize", "1048576")]
    out += numbered("H09-sparse", [with_kernel(*m) for m in (
        (pax(*sparse), member("GNUSparseFile.0/x", padded(b"1\n0\n512\n") + bytes(512))),
        (pax(("GNU.sparse.size", "99"), ("GNU.sparse.numblocks", "1"),
             ("GNU.sparse.offset", "0"), ("GNU.sparse.numbytes", "9")), member("modules/x", "x" * 9)),
        (pax(("GNU.sparse.map", "0,10,5,10"), ("GNU.sparse.size", "99")),
         member("modules/x", "x" * 20)),
        (pax(("GNU.sparse.numblocks", "1000000000")), member("modules/x", "x")),
        (pax(("SCHILY.realsize", str(1 << 59))), member("modules/x", "x")),
        (header("modules/x", kind="S", magic=GNU, tail=bytes(41) + octal(0, 12) + octal(512, 12)),),
        (pax(*sparse[2:3]), member("modules/y", "x")))])
    out += numbered("H09-old-sparse", [with_gnu_kernel(
        resummed(header("modules/x", kind=k, size=512, magic=GNU)[:386] + octal(1 << 30, 12) +
                 octal(512, 12) + bytes(102)), bytes(512)) for k in ("S", "0")])
    out += [Case("H10-big-pax", "refuse", lambda: with_kernel(
                pax(("comment", "x" * (1 << 20))), member("modules/x"))),
            Case("H10-many-records", "refuse", lambda: with_kernel(
                pax(record("comment", "x") * 100000), member("modules/x"))),
            Case("H10-claimed-gibibyte", "refuse", with_kernel(
                header("PaxHeaders/x", kind="x", size=1 << 30), member("modules/x")))]
    whole = KERNEL + member("modules/x", "content") + END
    for at in range(0, len(whole), 512):
        for shift in (-1, 0, 1):
            # the archive is whole once both blocks of zeros are there
            if 0 <= at + shift < len(whole):
                out.append(Case("H12-cut-%05d" % (at + shift), "refuse", whole[:at + shift]))
    out += numbered("H13-keys", [with_kernel(pax((k, v)), member("modules/x")) for k, v in (
        ("hdrcharset", "BINARY"), ("VENDOR.key", "1"), ("SCHILY.volhdr.x", "1"),
        ("LIBARCHIVE.symlinktype", "dir"), ("GNU.sparse.name", "y"), ("PATH", "modules/y"),
        ("charset", "x"), ("realtime.x", "1"), ("security.x", "1"), ("size ", "1"))])
    out += numbered("H14-magic", [with_kernel(header("modules/x", magic=m)) for m in (
        b"\0" * 8, GNU, b"ustar\x0001", b"ustar   ", b"ustar\0\0\0", b"USTAR\x0000",
        b"ustar 00", b"tar\0\0\0\0\0")])
    out += numbered("H14-prefix", [with_kernel(header("x", prefix=p)) for p in (
        "modules/", "..", "/", "../modules", "modules//y", "modules/.")])
    tail = bytearray(header("modules/x"))
    tail[508:512] = b"tar\0"
    out.append(Case("H14-star-tail", "refuse", with_kernel(resummed(tail))))
    out += [Case("H15-empty", "refuse", b""), Case("H15-byte", "refuse", b"x"),
            Case("H15-zeros", "refuse", END), Case("H15-block", "refuse", bytes(512)),
            Case("H15-no-kernel", "refuse", member("initrd.img", "x") + END),
            Case("H15-empty-kernel", "refuse", member("vmlinux", "") + END),
            Case("H15-many-zeros", "refuse", lambda: KERNEL + END + bytes(2 << 20)),
            Case("H15-member-behind-end", "refuse", with_kernel() + member("modules/x", "x") + END),
            Case("H15-lone-zero-block", "refuse", KERNEL + bytes(512) + member("modules/x") + END),
            Case("H15-text-behind-end", "refuse", with_kernel() + padded(b"hello"))]
    out += numbered("H16-data-where-none-is", [with_kernel(
        header(n, kind=k, size=512, link=t), bytes(512)) for n, k, t in (
            ("modules/d/", "5", ""), ("modules/l", "2", "x"), ("modules/h", "1", "x"),
            ("modules/c", "3", ""), ("modules/f", "6", ""))])
    out.append(Case("H17-link-on-file", "refuse", with_kernel(header("modules/x", link="vmlinux"))))
    return out


def frame(data, descriptor=0x00, window=0x38, last=True):
    """A zstd frame of one raw block."""
    word = (len(data) << 3) | int(last)
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor, window]) + word.to_bytes(3, "little") + data


def compression(full):
    good = with_kernel()
    whole = zstd(good)
    checked = mb.subprocess.run(["zstd", "-q", "-c", "--check"], input=good,
                                stdout=mb.subprocess.PIPE, check=True).stdout
    flipped = bytearray(checked)
    flipped[len(flipped) // 2] ^= 0x40
    wrong_sum = checked[:-1] + bytes([checked[-1] ^ 1])
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"skip"
    out = [Case("C03-window-31", "refuse", blob=frame(good, window=(31 - 10) << 3)),
           Case("C03-window-30", "refuse", blob=frame(good, window=(30 - 10) << 3)),
           Case("C03-window-27", "accept", blob=frame(good, window=(27 - 10) << 3)),
           Case("C03-window-23", "accept", blob=frame(good, window=(23 - 10) << 3)),
           Case("C04-flipped", "refuse", blob=bytes(flipped)),
           Case("C04-wrong-sum", "refuse", blob=wrong_sum),
           Case("C04-checked", "accept", blob=checked),
           Case("C04-wrong-size", "refuse",
                blob=b"\x28\xb5\x2f\xfd\xa0" + (len(good) + 1).to_bytes(4, "little") +
                frame(good)[6:]),
           Case("C05-two-frames", "accept", blob=zstd(good[:700]) + zstd(good[700:])),
           Case("C05-skippable", "accept", blob=skippable + whole + skippable),
           Case("C05-empty-frames", "accept", blob=zstd(b"") * 10 + whole),
           Case("C05-too-many-frames", "refuse", blob=lambda: frame(b"") * 20000 + whole),
           Case("C06-junk", "refuse", blob=whole + b"junk"),
           Case("C06-zeros", "refuse", blob=whole + bytes(512)),
           Case("C09-dictionary", "refuse",
                blob=b"\x28\xb5\x2f\xfd\x03\x38" + b"\x01\x02\x03\x04" + frame(good)[6:]),
           Case("C08-empty", "refuse", blob=b""),
           Case("C08-magic-only", "refuse", blob=b"\x28\xb5\x2f\xfd")]
    for i, part in enumerate((1, 5, len(whole) // 2, len(whole) - 1)):
        out.append(Case("C04-cut-%02d" % i, "refuse", blob=whole[:part]))
    others = {
        "none": good, "gz": mb.compress(good, "gz")[1], "xz": mb.compress(good, "xz")[1],
        "bzip2": b"BZh91AY&SY" + noise(100, 1), "lzma": b"\x5d\0\0\x80\0" + noise(100, 2),
        "compress": b"\x1f\x9d\x90" + noise(100, 3), "lzop": b"\x89LZO\0\r\n\x1a\n" + noise(100, 4),
        "uuencode": b"begin 644 x\n#0V%T\n`\nend\n", "lrzip": b"LRZI\0\6" + noise(100, 5),
        "zip": b"PK\3\4" + noise(100, 6), "7z": b"7z\xbc\xaf\x27\x1c" + noise(100, 7),
        "rar": b"Rar!\x1a\7\0" + noise(100, 8), "cpio": b"070701" + b"0" * 104,
        "ar": mb.ar([("vmlinux", b"x")]), "mtree": b"#mtree\n./vmlinux type=file\n",
        "xar": b"xar!\0\x1c\0\1" + noise(100, 9), "lz4": b"\x04\x22\x4d\x18" + noise(100, 10),
        "lz4-legacy": b"\x02\x21\x4c\x18" + noise(100, 11), "iso": bytes(32769) + b"CD001",
    }
    for name, blob in others.items():
        out.append(Case("C07-outer-" + name, "refuse", blob=blob))
        if name != "none":
            out.append(Case("C07-inner-" + name, "refuse", blob))
    if full:
        out.append(Case("C01-bomb-sparse-member", "refuse", lambda: header(
            "vmlinux", size=3 << 30) + bytes(1 << 28)))
    out.append(Case("C01-bomb", "refuse", lambda: header("vmlinux", size=1 << 28) + bytes(1 << 28) +
                    END))
    return out


def volume(full):
    """Each is refused at a limit; the runner lowers expanded_bytes to 64 MiB and entries to 5000."""
    out = [Case("V01-files", "refuse", lambda: with_kernel(
               *(member("modules/f%d" % i) for i in range(5001)))),
           Case("V02-directories", "refuse", lambda: with_kernel(
               *(directory("modules/d%d/" % i) for i in range(5001)))),
           Case("V03-hard-links", "refuse", lambda: with_kernel(
               *(hardlink("modules/h%d" % i, "vmlinux") for i in range(5001)))),
           Case("V04-duplicates", "refuse", lambda: with_kernel(
               member("modules/f") * 100000)),
           Case("V05-comments", "refuse", lambda: with_kernel(
               pax(("comment", "x"), kind="g") * 5001)),
           Case("V06-declared-15-tib", "refuse", header("vmlinux", size_field=binary(15 << 40, 12))),
           Case("V06-pax-15-tib", "refuse",
                pax(("size", str(15 << 40))) + header("vmlinux", size=0)),
           Case("V06-eight-gib", "refuse", header("vmlinux", size=(8 << 30) - 1))]
    if full:
        out.append(Case("V01-million", "refuse", lambda: with_kernel(
            *(header("modules/f%d" % i) for i in range(1000001)))))
    return out


def images():
    """Image bundles."""
    root = member("rootfs.ext4", mb.sparse_image(1))
    manifest = member("manifest.json", '{"name": "x", "distro": "d", "arch": "x86_64", '
                                       '"kernel_ref": "k"}')
    bad = [root + END, manifest + END, root + manifest + member("vmlinux", "x") + END,
           root + manifest + directory("modules/") + END, root + root + manifest + END,
           root + manifest + manifest + END, directory("rootfs.ext4/") + manifest + END,
           symlink("rootfs.ext4", "/dev/sda") + manifest + END,
           root + symlink("manifest.json", "/etc/passwd") + END,
           header("rootfs.ext4", kind="4") + manifest + END,
           hardlink("rootfs.ext4", "/dev/sda") + manifest + END,
           root + member("manifest.json", "[]") + END, root + member("manifest.json", "{") + END,
           root + member("manifest.json", "") + END,
           root + member("manifest.json", '{"name": "x", "name": "y"}') + END,
           member("rootfs.ext4", "") + manifest + END, root + manifest + member("../x", "y") + END,
           root + manifest + directory("sub/") + END, root + member("./sub/manifest.json", "{}") + END,
           member("rootfs.img", "x") + manifest + END]
    out = numbered("I01-image", bad, kind="image")
    good = [root + manifest + END, manifest + root + END,
            directory("./") + member("./rootfs.ext4", noise(1000, 3)) +
            member("./manifest.json", "{}") + END]
    return out + numbered("I02-image", good, verdict="accept", kind="image")


def accepted():
    """Over-strictness is a bug too."""
    module = member("modules/6.1/kernel/a.ko", "a")
    tars = {
        "plain": with_kernel(),
        "initrd": with_kernel(member("initrd.img", "i")),
        "dots": directory("./") + member("./vmlinux", "k") + directory("./modules/") +
                member("./modules/modules.dep", "d") + END,
        "dot-without-slash": directory(".") + KERNEL + END,
        "contents": with_kernel(member("modules/modules.dep", "d"), member("modules/kernel/a.ko",
                                                                          "a")),
        "versioned": with_kernel(module),
        "no-directories": with_kernel(module),
        "directories-late": with_kernel(module, directory("modules/6.1/kernel/"),
                                        directory("modules/6.1/"), directory("modules/")),
        "directory-without-slash": with_kernel(directory("modules"), module),
        "directory-twice": with_kernel(directory("modules/"), directory("modules/"), module),
        "links-inside": with_kernel(module, symlink("modules/6.1/kernel/b.ko", "a.ko"),
                                    symlink("modules/top", "../vmlinux"),
                                    symlink("modules/6.1/d", "kernel"),
                                    symlink("modules/6.1/up", ".."),
                                    symlink("modules/dangling", "missing/for/now"),
                                    symlink("modules/here", "./6.1")),
        "chain-of-40": with_kernel(*(symlink("modules/l%02d" % i, "l%02d" % (i + 1))
                                     for i in range(40))),
        "pax-long-name": with_kernel(named("modules/" + "d" * 200 + "/" + "n" * 255)),
        "depth-32": with_kernel(named("modules/" + "d/" * 30 + "x")),
        "git-comment": pax(("comment", "0" * 40), kind="g") + with_kernel(),
        "pax-times": with_kernel(pax(("mtime", "1700000000.123456789"), ("atime", "1700000000.5"),
                                     ("ctime", "-3.25")), module),
        "pax-owner": with_kernel(pax(("uid", "3000000000"), ("uname", "j\u00f6rg")), module),
        "bsdtar": with_kernel(pax(("LIBARCHIVE.creationtime", "1700000000"), ("SCHILY.dev", "1"),
                                  ("SCHILY.ino", "2"), ("SCHILY.nlink", "1")), module),
        "pax-size-said-twice-alike": with_kernel(pax(("size", "1")), member("modules/x", "x")),
        "utf8": with_kernel(named("modules/N\u00e9zet-\u00e4\u00f6\u00fc.ko")),
        "record-padding": with_kernel() + bytes(20 * 512),
        "ustar-prefix": with_kernel(header("x", prefix="modules/6.1")),
        "old-regular-type": member("vmlinux", "k", kind="\0") + END,
        "usual-signs": with_kernel(member("modules/a+b_c-d.e,f=g@h#i", "x"),
                                   member("modules/with blank", "x")),
        "modules-empty": with_kernel(directory("modules/")),
        "binary-size": header("vmlinux", size_field=binary(4096, 12)) + noise(4096, 2) + END,
        "size-with-blanks": header("vmlinux", size_field=b"      10000 ") + noise(4096, 2) + END,
    }
    gnu = directory("./", magic=GNU) + GNU_KERNEL + long_name("modules/" + "n" * 150) + \
        member("modules/" + "n" * 92, "x", magic=GNU) + long_name("t" * 120, "K") + \
        symlink("modules/l", "t" * 100, magic=GNU) + END
    out = [Case("A01-" + name, "accept", tar) for name, tar in tars.items()]
    out.append(Case("A02-gnu", "accept", gnu))
    return out


def cases(full):
    out = names() + links() + hard_links_skipped() + types() + headers() + compression(full) + \
        volume(full) + images() + accepted()
    assert len({c.name for c in out}) == len(out)
    return out
