#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The disk made from an image's layers holds the tree that umoci unpacks from them: type, mode,
owner, size, time, links, attributes, content. As an ordinary user umoci cannot give files away, so
then owners and devices are left out. gzip and zstd twins give one tree.

Layers like those of distributions, whiteouts in all places, what lies below links, and random stacks
whose seeds are printed (BANGER_SEED repeats one, BANGER_CHECK_ALL=yes takes many more)."""
import hashlib
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.environ["SRCDIR"], place) for place in ("tests/support", "tests/unit")]
sys.dont_write_bytecode = True
import ext4_tree  # noqa: E402
import flatten_stacks  # noqa: E402
import layers  # noqa: E402
import seed  # noqa: E402
from layers import Member  # noqa: E402

IS_ROOT = os.geteuid() == 0
KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c",
         stat.S_IFBLK: "b", stat.S_IFIFO: "p"}


def write_layout(layout, tars):
    """An OCI layout with gzip layers, as umoci wants it."""
    blobs = os.path.join(layout, "blobs/sha256")
    os.makedirs(blobs)

    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}

    config = {"architecture": "amd64", "os": "linux", "config": {}, "history": [],
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + layers.sha256(t) for t in tars]}}
    kind = "application/vnd.oci.image."
    manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
                "config": dict(put(json.dumps(config).encode()), mediaType=kind + "config.v1+json"),
                "layers": [dict(put(layers.packed(t, "gzip")), mediaType=kind + "layer.v1.tar+gzip")
                           for t in tars]}
    entry = dict(put(json.dumps(manifest).encode()), mediaType=kind + "manifest.v1+json",
                 annotations={"org.opencontainers.image.ref.name": "t"})
    with open(os.path.join(layout, "index.json"), "w", encoding="ascii") as file:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
    with open(os.path.join(layout, "oci-layout"), "w", encoding="ascii") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


def host_entry(path, names):
    status = os.lstat(path)
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    content = None
    if kind == "f":
        mode = stat.S_IMODE(status.st_mode)
        if not IS_ROOT:
            os.chmod(path, 0o600)
        with open(path, "rb") as file:
            content = layers.sha256(file.read())
        if not IS_ROOT:
            os.chmod(path, mode)
            os.utime(path, ns=(0, status.st_mtime_ns))
    elif kind == "l":
        content = os.readlink(path)
    elif kind in "cb":
        content = (os.major(status.st_rdev), os.minor(status.st_rdev))
    xattrs = () if kind == "l" else tuple(sorted(
        (name.encode(), os.getxattr(path, name)) for name in os.listxattr(path)
        if name.startswith("user.") and name != "user.rootlesscontainers" or
        (IS_ROOT and name == "security.capability")))
    links = len(names[(status.st_dev, status.st_ino)]) if kind != "d" else None
    return (kind, status.st_mode & 0o7777, status.st_uid, status.st_gid,
            status.st_size if kind in "fl" else 0, divmod(status.st_mtime_ns, 10 ** 9), links,
            xattrs, content)


def host_tree(root):
    root, names, paths = os.fsencode(root), {}, [os.fsencode(root)]
    for place, directories, files in os.walk(root):
        paths += [os.path.join(place, name) for name in files + directories]
    for path in paths:
        status = os.lstat(path)
        names.setdefault((status.st_dev, status.st_ino), []).append(path)
    return {os.path.relpath(p, root) if p != root else b"": host_entry(p, names) for p in paths}


def disk_tree(disk):
    out = {}
    for path, entry in ext4_tree.tree(disk).items():
        key = list(entry.key())
        if entry.kind == "d":
            key[6] = None
        out[path] = tuple(key)
    del out[b"lost+found"]
    return out


def forgive(ours, theirs):
    """umoci gives directories that no layer describes the time of unpacking, and without being root
    it can neither give files away nor make devices."""
    ours, theirs = list(ours), list(theirs)
    if ours[0] == "d" and ours[5] == layers.FIXED_TIME:
        ours[5] = theirs[5] = None
    if not IS_ROOT:
        ours[2:4] = theirs[2:4] = [None, None]
        ours[7] = tuple(pair for pair in ours[7] if pair[0] != b"security.capability")
        if ours[0] in "cb":
            return True
    return ours == theirs


def unpack(place, name, tars):
    """What umoci makes of them."""
    layout, bundle = place + "/" + name, place + "/" + name + ".bundle"
    write_layout(layout, tars)
    rootless = [] if IS_ROOT else ["--rootless"]
    done = subprocess.run(["umoci", "unpack", *rootless, "--image", layout + ":t", bundle],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, (name, done.stderr)
    expected = host_tree(bundle + "/rootfs")
    for directory in (layout, bundle):
        subprocess.run(["chmod", "-R", "u+rwx", directory], check=True)
        shutil.rmtree(directory)
    return expected


def assert_alike(why, found, expected, has_directory_times=True):
    """umoci gives a directory that something changes in later the time of unpacking."""
    for tree in (found, expected):
        for path, key in tree.items():
            if key[0] == "d" and not has_directory_times:
                tree[path] = key[:5] + (None,) + key[6:]
    wrong = [p for p in set(found) | set(expected) if p not in found or p not in expected or
             not forgive(found[p], expected[p])]
    assert not wrong, "%s:\n%s" % (why, "\n".join(
        "%r\n  ours  %r\n  umoci %r" % (p, found.get(p), expected.get(p)) for p in sorted(wrong)))


def compare(place, name, stack, has_directory_times=True):
    tars = [layers.tar(members) for members in stack]
    expected = unpack(place, name, tars)
    disks = []
    for how in ("gzip", "zstd", "tar"):
        disk = place + "/" + how + ".ext4"
        done = layers.Image(place + "/blobs." + how + name, tars, how).flatten(disk)
        assert done.returncode == 0, (name, done.stderr)
        disks.append(disk_tree(disk))
    layers.assert_clean(disk, name)
    assert disks[0] == disks[1] == disks[2], name
    assert_alike(name, disks[0], expected, has_directory_times)


def plain_facts(rng, kind):
    """What any file system of any host can hold. Without the bit that new directories inherit."""
    facts = {"mode": rng.choice([0o644, 0o755, 0o1777, 0o600] + [0o4755] * (kind == "f")),
             "uid": rng.choice([0, 0, 1000, 70000]), "gid": rng.choice([0, 0, 5, 123456]),
             "mtime": (rng.choice([1, layers.mb.TIME, 2 ** 31 + 5]), rng.choice([0, 1, 999999999]))}
    if kind in "fd" and rng.random() < 0.2:
        facts["xattrs"] = {rng.choice([b"user.x", b"user.y"]): rng.randbytes(rng.choice([1, 5, 99]))}
    return facts


def check_random(place, number):
    """Whether the stack had names below links."""
    rng = random.Random(number)
    stack, model = flatten_stacks.random_stack(rng, plain_facts, is_strict=True)
    tars = [layers.tar(members) for members in stack]
    expected = unpack(place, "random", tars)
    done = layers.Image(place + "/random.blobs", tars, rng.choice(["gzip", "tar"])).flatten(
        place + "/random.ext4", 64 << 20)
    assert done.returncode == 0, (number, done.stderr, stack)
    assert_alike("seed %d %r" % (number, stack), disk_tree(place + "/random.ext4"), expected, False)
    shutil.rmtree(place + "/random.blobs")
    return model.followed


def check_random_stacks(place):
    first = seed.first()
    count = 1 if seed.IS_TOLD else 200 if os.environ.get("BANGER_CHECK_ALL") == "yes" else 20
    followed = sum(check_random(place, number) for number in range(first, first + count))
    print("%d of %d stacks follow links" % (followed, count))


def directories(*paths):
    return [Member("d", p, mode=0o755) for p in (b"",) + paths]


def distribution():
    """Three layers like those of a distribution's image: a base, packages, changes."""
    rng = layers.mb.noise
    base = directories(b"bin", b"dev", b"etc", b"usr", b"usr/bin", b"usr/lib", b"var", b"tmp", b"home")
    base += [Member("f", b"bin/busybox", rng(700000, 1), mode=0o4755)]
    base += [Member("h", b"bin/applet%d" % i, link=b"bin/busybox") for i in range(310)]
    base += [Member("f", b"usr/lib/f%d" % i, rng(i * 37 % 9000, i), mode=0o644) for i in range(400)]
    base += [Member("l", b"lib", link=b"usr/lib"), Member("l", b"absolute", link=b"/etc/passwd"),
             Member("l", b"dangling", link=b"nowhere/" + b"x" * 300)]
    base += [Member("f", b"home/user", b"x", uid=1000, gid=100000),
             Member("f", b"usr/bin/ping", rng(5000, 7), mode=0o755, xattrs={
                 b"security.capability": bytes.fromhex("0100000200200000" + "0" * 24),
                 b"user.note": b"n" * 300}),
             Member("f", "usr/lib/Főtanúsítvány.crt".encode(), b"cert"),
             Member("f", b"etc/passwd", b"root:x:0:0\n", mtime=(1234567890, 123456789)),
             Member("f", b"usr/lib/" + b"n" * 255, b"long"), Member("p", b"tmp/fifo", mode=0o666),
             Member("f", b"var/old", b"1" * 100000), Member("f", b"var/log/deep/file", b"2")]
    if IS_ROOT:
        base += [Member("c", b"dev/null", device=(1, 3), mode=0o666),
                 Member("b", b"dev/disk", device=(8, 300), mode=0o660, gid=6)]
    packages = [Member("d", b"usr", mode=0o755), Member("d", b"usr/bin", mode=0o2755),
                Member("f", b"usr/bin/perl", rng(200000, 9), mode=0o755),
                Member("h", b"usr/bin/perl5", link=b"usr/bin/perl"),
                Member("f", b"usr/bin/ping", b"replaced", mode=0o755), Member("d", b"var", mode=0o755), Member("w", b"var/old"),
                Member("f", b"usr/lib/f3", bytes(100000) + b"x" + bytes(5000))]
    changes = [Member("d", b"usr/bin", mode=0o755), Member("d", b"bin", mode=0o755), Member("d", b"home", mode=0o700),
               Member("o", b"home"), Member("f", b"home/new", b"n"), Member("w", b"usr/bin/perl"),
               Member("d", b"absolute"), Member("f", b"absolute/inside", b"i"),
               Member("w", b"bin/busybox"), Member("f", b"tmp/fifo", b"a file now")]
    return [base, packages, changes]


def torture():
    """Whiteouts in all places and orders."""
    one = directories(b"a", b"a/b", b"a/b/c", b"k") + [
        Member("f", b"a/x", b"1"), Member("f", b"a/b/y", b"1"), Member("f", b"a/b/c/z", b"1"),
        Member("f", b"k/one", b"k"), Member("h", b"k/two", link=b"k/one"),
        Member("h", b"k/three", link=b"k/one")]
    # As all who make layers do: a directory comes along with what changes in it, since umoci gives
    # one that does not the time of unpacking.
    two = [Member("d", b"a"), Member("d", b"k"), Member("w", b"a/x"), Member("f", b"a/x", b"2"), Member("d", b"a/b"),
           Member("f", b"a/b/new", b"2"), Member("o", b"a/b"), Member("w", b"k/one"),
           Member("w", b"nothing"), Member("w", b"missing/nothing")]
    three = [Member("d", b"k"), Member("d", b"a"), Member("o", b"a"), Member("f", b"a/only", b"3"),
             Member("w", b"k/two"), Member("f", b"late", b"l")]
    four = [Member("d", b"a"), Member("d", b"k"), Member("f", b"late", b"l2"), Member("h", b"hard", link=b"late"), Member("w", b"a/only"),
            Member("f", b"k/three", b"own")]
    return [one, two, three, four]


def merged_usr():
    """A base whose /bin, /lib and so on are links, as Debian's have been for years, and layers made by
    who does not know: their names mean what the links lead to."""
    base = directories(b"usr", b"usr/bin", b"usr/lib", b"usr/lib/x86_64", b"var", b"var/tmp", b"opt")
    base += [Member("l", b"bin", link=b"usr/bin"), Member("l", b"lib", link=b"usr/lib"),
             Member("l", b"sbin", link=b"/bin"), Member("l", b"opt/up", link=b"../../../usr"),
             Member("l", b"tmp", link=b"/var/tmp"), Member("l", b"later", link=b"var/not/yet"),
             Member("f", b"usr/bin/sh", b"sh", mode=0o755), Member("f", b"usr/lib/old", b"old"),
             Member("f", b"usr/lib/x86_64/gone", b"gone"), Member("f", b"usr/bin/both", b"base")]
    tools = [Member("f", b"bin/foo", b"foo", mode=0o755), Member("h", b"sbin/foo2", link=b"bin/foo"),
             Member("l", b"bin/bar", link=b"foo"), Member("w", b"lib/old"),
             Member("o", b"lib/x86_64"), Member("f", b"lib/x86_64/new", b"new"),
             Member("f", b"opt/up/lib/deep/er", b"deeper"), Member("f", b"later/file", b"there"),
             Member("h", b"usr/linked", link=b"opt/up/bin/sh"), Member("f", b"bin/both", b"tools"),
             Member("f", b"usr/bin/both", b"tools, again")]
    newest = [Member("f", b"sbin/bar", b"bar"), Member("w", b"tmp"), Member("f", b"tmp/file", b"t"),
              Member("w", b"bin/both")]
    return [base, tools, newest]


def main():
    if shutil.which("umoci") is None or layers.e2fsck() is None:
        print("skipped: install umoci and e2fsprogs")
        return 77
    place = tempfile.mkdtemp(prefix="banger-test-")
    try:
        compare(place, "distribution", distribution())
        compare(place, "torture", torture())
        compare(place, "merged", merged_usr(), has_directory_times=False)
        check_random_stacks(place)
        compare(place, "scratch", [[Member("f", b"program", b"static", mode=0o755)]])
    finally:
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
