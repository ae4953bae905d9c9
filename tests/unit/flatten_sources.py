#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A directory and its tar become the same disk, plain and compressed; sockets are left out and
counted, holes stay holes in whatever form a tar tells them. The image's /root becomes a work disk with its links kept, and a nested
home is put right without losing what is in both places."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["SRCDIR"], "tests/support"))
import ext4_tree  # noqa: E402
import layers  # noqa: E402

MIB = 1 << 20


def report(done):
    assert done.returncode == 0, done.stderr
    return {key: int(value) for key, value in (line.split() for line in done.stdout.decode().splitlines())}


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def make_tree(root):
    for number in range(3000):
        write(os.fsencode(root) + b"/many/file-with-a-longer-name-%d" % number, b"%d" % number)
    write(os.fsencode(root) + b"/\xff\x80/x", b"bytes")
    write(root + "/usr/bin/one", os.urandom(3 * MIB + 5))
    for number in range(320):
        os.link(root + "/usr/bin/one", root + "/usr/bin/link%d" % number)
    os.symlink("/usr/bin/one", root + "/absolute")
    os.symlink("x" * 200, root + "/dangling")
    os.mkfifo(root + "/fifo")
    write(root + "/large", b"start")
    os.truncate(root + "/large", 5000 * MIB)
    with open(root + "/large", "ab") as file:
        file.write(b"end")
    # More pieces than fit in an inode, and in one block.
    with open(root + "/pieces", "wb") as file:
        for number in range(2000):
            file.seek(number * 17 * 4096)
            file.write(b"piece %d" % number)
    os.chmod(root + "/usr/bin/one", 0o6711)
    os.utime(root + "/many", ns=(5, -1234567891))
    try:
        os.setxattr(root + "/usr/bin/one", "user.note", b"v" * 500)
    except OSError:
        pass
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(root + "/socket")


def keys(disk):
    return {path: entry.key() for path, entry in ext4_tree.tree(disk).items()}


def on_host(root):
    """What ext4_tree would say of the directory, without content and lost+found's link."""
    out = {}
    for place, directories, files in os.walk(os.fsencode(root)):
        for path in [place] + [os.path.join(place, name) for name in files + directories]:
            status = os.lstat(path)
            out[os.path.relpath(path, os.fsencode(root))] = (
                status.st_mode & 0o7777, status.st_uid, status.st_gid,
                divmod(status.st_mtime_ns, 10 ** 9))
    out[b""] = out.pop(b".")
    del out[b"socket"]
    return out


def check_directory(place):
    root, disk = place + "/tree", place + "/directory.ext4"
    os.mkdir(root)
    make_tree(root)
    told = report(layers.run_driver(disk, 0, "directory", root))
    layers.assert_clean(disk, "directory")
    found = ext4_tree.tree(disk)
    assert told["skipped_sockets"] == 1 and told["size"] == 1024 * MIB, told
    assert os.stat(disk).st_blocks * 512 < 40 * MIB, "holes take space"
    del found[b"lost+found"]
    expected = on_host(root)
    assert set(found) == set(expected), set(found) ^ set(expected)
    for path, facts in expected.items():
        entry = found[path]
        assert (entry.mode, entry.uid, entry.gid, entry.mtime) == facts, (path, entry, facts)
    assert found[b"usr/bin/one"] is found[b"usr/bin/link319"]
    assert found[b"usr/bin/one"].links == 321
    assert found[b"large"].size == 5000 * MIB + 3
    with open(root + "/pieces", "rb") as file:
        assert found[b"pieces"].content == layers.sha256(file.read())
    assert found[b"many"].flags & ext4_tree.INDEX


def content(path):
    with open(path, "rb") as file:
        return layers.sha256(file.read())


def check_repeated(place):
    """The same tree is the same disk, wherever and however its holes lie; any other is another."""
    root, twin = place + "/twice", place + "/elsewhere/twin"
    for path in (root, twin):
        write(path + "/bin/a", b"a" * 5000)
        os.link(path + "/bin/a", path + "/bin/b")
        os.symlink("a", path + "/bin/c")
        os.mkfifo(path + "/fifo")
        write(path + "/sparse", b"")
    os.truncate(root + "/sparse", MIB)
    write(twin + "/sparse", bytes(MIB))
    for path in (root, twin):
        for top, directories, files in os.walk(path, topdown=False):
            for name in directories + files:
                os.utime(os.path.join(top, name), (7, 7), follow_symlinks=False)
        os.utime(path, (7, 7))
    disk = place + "/twice.ext4"
    report(layers.run_driver(disk, 64 * MIB, "directory", root))
    first = content(disk)
    report(layers.run_driver(disk, 64 * MIB, "directory", twin))
    assert content(disk) == first
    for change in (lambda: os.chmod(twin + "/bin", 0o700), lambda: os.utime(twin + "/bin/a", (8, 8)),
                   lambda: os.rename(twin + "/bin/c", twin + "/bin/d")):
        change()
        report(layers.run_driver(disk, 64 * MIB, "directory", twin))
        with open(disk, "rb") as file:
            file.seek(1024 + 104)
            uuid = file.read(16)
        assert uuid not in SEEN, "another tree with the same UUID"
        SEEN.add(uuid)
    # A tar, twice.
    tar = place + "/twice.tar"
    subprocess.run(["tar", "--format=pax", "-cf", tar, "-C", root, "."], check=True)
    disks = []
    for name in ("one", "two"):
        disks.append(place + "/" + name)
        report(layers.run_driver(disks[-1], 64 * MIB, "tar", tar))
    assert content(disks[0]) == content(disks[1])


SEEN = set()


def check_sparse(place):
    """All forms in which GNU tar keeps holes out of an archive: the directory's disk, holes and all."""
    root, tar, disk = place + "/tree", place + "/sparse.tar", place + "/sparse.ext4"
    os.makedirs(root + "/a-long-name-" + "l" * 90)
    with open(root + "/a-long-name-" + "l" * 90 + "/file", "wb") as file:
        file.seek(3 * MIB + 100)
        file.write(b"x" * 1000)
        file.truncate(9 * MIB + 7)
    with open(root + "/only-a-hole", "wb") as file:
        file.truncate(3 * MIB)
    os.unlink(root + "/socket")
    report(layers.run_driver(disk, 0, "directory", root))
    expected = keys(disk)
    forms = [("--format=gnu",)] + [("--format=pax", "--sparse-version=" + v) for v in ("0.0", "0.1", "1.0")]
    for form in forms:
        subprocess.run(["tar", "--sparse", *form, "--xattrs-include=user.*", "-cf", tar, "-C", root,
                        "."], check=True)
        assert os.stat(tar).st_size < 40 * MIB
        report(layers.run_driver(disk, 0, "tar", tar))
        assert os.stat(disk).st_blocks * 512 < 40 * MIB, "holes take space"
        layers.assert_clean(disk, form)
        found = keys(disk)
        for path in set(found) | set(expected):
            ours, theirs = list(found[path]), list(expected[path])
            if form == forms[0]:  # neither fractions of seconds nor attributes
                ours[5], theirs[5], ours[7], theirs[7] = ours[5][0], theirs[5][0], (), ()
            assert ours == theirs, (form, path, ours, theirs)


def check_tar(place):
    root, tar = place + "/tree", place + "/tree.tar"
    os.unlink(root + "/large")  # gigabytes of zeros in a tar
    subprocess.run(["tar", "--format=pax", "--xattrs", "--xattrs-include=user.*", "-cf", tar, "-C",
                    root, "."], check=True)
    plain = place + "/plain.ext4"
    report(layers.run_driver(plain, 0, "tar", tar))
    layers.assert_clean(plain, "tar")
    again = place + "/again.ext4"
    report(layers.run_driver(again, 0, "directory", root))
    expected = keys(again)
    assert keys(plain) == expected, "the tar's tree is another than the directory's"
    for how in ("gzip", "zstd"):
        packed = place + "/" + how
        with open(tar, "rb") as file:
            write(packed, layers.packed(file.read(), how))
        disk = place + "/packed.ext4"
        report(layers.run_driver(disk, 0, "tar", packed))
        assert keys(disk) == expected, how
    done = layers.run_driver(disk, 20 * MIB, "tar", tar)
    assert done.returncode != 0 and b"NO_SPACE" in done.stderr, done


def check_growth(place):
    """By rule a small tar gets a gibibyte; what it takes where that is too small."""
    tar = place + "/growing.tar"
    with open(tar, "wb") as file:
        subprocess.run(["tar", "--format=pax", "-cf", "-", "-C", place + "/tree", "many"], check=True,
                       stdout=file)
    disk = place + "/small.ext4"
    # 3000 files: more than the inodes of 32 MiB.
    told = report(layers.run_driver(disk, 32 * MIB, "tar", tar))
    assert told["size"] == 32 * MIB
    layers.assert_clean(disk, "more inodes")


def check_seed(place):
    home = place + "/home/root"
    write(home + "/kept", b"outer")
    write(home + "/root/kept", b"inner")
    write(home + "/root/sub/file", b"moved")
    os.symlink("sub/file", home + "/root/link")
    os.link(home + "/kept", home + "/twin")
    image, seed, again = place + "/image.ext4", place + "/seed.ext4", place + "/seed2.ext4"
    report(layers.run_driver(image, 0, "directory", place + "/home"))
    told = report(layers.run_driver(seed, 0, "seed", image))
    assert told["size"] == 256 * MIB, told
    layers.assert_clean(seed, "seed")
    found = ext4_tree.tree(seed)
    assert found[b"kept"] is found[b"twin"] and found[b"kept"].links == 2
    assert found[b"kept"].content == layers.sha256(b"outer")
    assert found[b"root/kept"].content == layers.sha256(b"inner")
    assert found[b"sub/file"].content == layers.sha256(b"moved") and found[b"link"].kind == "l"
    assert b"root/sub" not in found
    report(layers.run_driver(again, 0, "seed", image))
    with open(seed, "rb") as one, open(again, "rb") as two:
        assert one.read() == two.read(), "the same image gives another seed"
    # Nothing left behind: then the nested directory goes, and doing it again changes nothing.
    os.unlink(home + "/root/kept")
    report(layers.run_driver(image, 0, "directory", place + "/home"))
    report(layers.run_driver(seed, 0, "seed", image))
    layers.assert_clean(seed, "seed without a nested home")
    before = keys(seed)
    assert b"root" not in before, before
    report(layers.run_driver(seed, 0, "unnest", "."))
    assert keys(seed) == before
    layers.assert_clean(seed, "seed, once more")
    os.mkdir(place + "/empty")
    report(layers.run_driver(image, 0, "directory", place + "/empty"))
    done = layers.run_driver(seed, 0, "seed", image)
    assert done.returncode == 66, done


def main():
    if layers.e2fsck() is None:
        print("skipped: e2fsck is missing: install e2fsprogs")
        return 77
    place = tempfile.mkdtemp(prefix="banger-test-")
    try:
        check_directory(place)
        check_repeated(place)
        check_sparse(place)
        check_tar(place)
        check_growth(place)
        check_seed(place)
    finally:
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
