# SPDX-License-Identifier: MIT
"""Layers as lists of members, the tars and images made from them, and what they mean when they are
put one upon the other from the oldest on, as every other tool does it."""
import gzip
import hashlib
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import ext4_tree  # noqa: E402
import make_bundle as mb  # noqa: E402

DRIVER = os.path.join(os.environ.get("BUILDDIR", "."), "tests/support/flatten_driver")
FIXED_TIME = (1577836800, 0)


class Member:
    """kind: f d l c b p, h (hard link), and the two that remove: w, o. path is bytes."""

    def __init__(self, kind, path, data=b"", link=b"", mode=0o644, uid=0, gid=0,
                 mtime=(mb.TIME, 0), device=(0, 0), xattrs=None):
        self.kind, self.path, self.data, self.link = kind, path, data, link
        self.mode, self.uid, self.gid, self.mtime = mode, uid, gid, mtime
        self.device, self.xattrs = device, dict(xattrs or {})

    def __repr__(self):
        return "%s %r%s" % (self.kind, self.path[:20], " -> %r" % self.link[:20] if self.link else "")

    def name(self):
        parent, _, last = self.path.rpartition(b"/")
        if self.kind == "w":
            last = b".wh." + last
        elif self.kind == "o":
            parent, last = self.path, b".wh..wh..opq"
        return (parent + b"/" if parent else b"") + last

    def tar(self):
        code = {"f": "0", "w": "0", "o": "0", "h": "1", "l": "2", "c": "3", "b": "4", "d": "5",
                "p": "6"}[self.kind]
        name = self.name() + (b"/" if self.kind == "d" else b"")
        records = [(b"SCHILY.xattr." + key, value) for key, value in sorted(self.xattrs.items())]
        seconds, fraction = self.mtime
        if fraction:
            records.append((b"mtime", b"%d.%09d" % (seconds, fraction) if seconds >= 0 else
                            b"-%d.%09d" % (-seconds - 1, 10 ** 9 - fraction)))
        elif not 0 <= seconds < 8 ** 11:
            records.append((b"mtime", b"%d" % seconds))
        if len(name) > 100:
            records.append((b"path", name))
        if len(self.link) > 100:
            records.append((b"linkpath", self.link))
        records += [(key, b"%d" % value) for key, value in ((b"uid", self.uid), (b"gid", self.gid))
                    if value >= 8 ** 7]
        out = mb.pax(*records) if records else b""
        return out + mb.header(
            name[:100], kind=code, size=len(self.data) if self.kind == "f" else 0,
            link=self.link[:100], mode=self.mode, uid=self.uid if self.uid < 8 ** 7 else 0,
            gid=self.gid if self.gid < 8 ** 7 else 0,
            mtime=seconds if 0 <= seconds < 8 ** 11 else 0, major=self.device[0],
            minor=self.device[1]) + (mb.padded(self.data) if self.kind == "f" else b"")


def tar(members):
    return b"".join(m if isinstance(m, bytes) else m.tar() for m in members) + mb.END


def packed(data, how):
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if how == "zstd":
        return mb.stored(data)
    return data


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Image:
    """Blobs in a directory as in the cache, and the driver's arguments."""

    def __init__(self, directory, tars, how="tar", diff_ids=None):
        os.makedirs(directory, exist_ok=True)
        self.directory, self.arguments = directory, []
        for i, data in enumerate(tars):
            blob = packed(data, how)
            digest = sha256(blob)
            with open(os.path.join(directory, digest), "wb") as file:
                file.write(blob)
            self.arguments += [digest, diff_ids[i] if diff_ids else sha256(data), how,
                               str(len(blob))]
        self.digest = sha256("".join(self.arguments).encode())

    def flatten(self, disk, size=0, **more):
        return run_driver(disk, size, "image", self.directory, self.digest, *self.arguments, **more)


def run_driver(disk, size, *arguments, **more):
    more.setdefault("timeout", 120)
    return subprocess.run([DRIVER, disk, str(size), *arguments], capture_output=True, check=False,
                          **more)


def e2fsck():
    for place in os.environ.get("PATH", "").split(":") + ["/sbin", "/usr/sbin"]:
        if os.access(os.path.join(place, "e2fsck"), os.X_OK):
            return os.path.join(place, "e2fsck")
    return None


def assert_clean(disk, why):
    done = subprocess.run([e2fsck(), "-fn", disk], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (why, done.stdout, done.stderr)


class Inode:
    def __init__(self, kind, mode=0o755, uid=0, gid=0, mtime=FIXED_TIME, xattrs=None, content=None,
                 size=0):
        self.kind, self.mode, self.uid, self.gid, self.mtime = kind, mode, uid, gid, mtime
        self.xattrs, self.content, self.size, self.links = xattrs or {}, content, size, 0


class Name:
    def __init__(self, inode, layer):
        self.inode, self.layer = inode, layer
        self.children = {}
        self.meta_layer = layer

    def is_directory(self):
        return self.inode.kind == "d"


class Refused(Exception):
    pass


class Model:
    """The tree that layers give when they are applied in their order."""

    def __init__(self, is_strict=False):
        self.root = Name(Inode("d"), 0)
        self.is_strict, self.followed = is_strict, False

    def find(self, path):
        node = self.root
        for part in path.split(b"/") if path else []:
            node = node.children.get(part)
            if node is None:
                return None
        return node

    def resolve(self, path, layer=None):
        """The names a path leads to, links in front of its last name followed as in a chroot."""
        parts = path.split(b"/") if path else []
        out, todo, links = [], parts[:-1], 0
        while todo:
            part = todo.pop(0)
            if part in (b"", b"."):
                continue
            if part == b"..":
                out = out[:-1]
                continue
            node = self.find(b"/".join(out + [part]))
            if node is not None and node.inode.kind == "l":
                links += 1
                if links > 40:
                    raise Refused(path)
                text = node.inode.content
                out = [] if text.startswith(b"/") else out
                todo = text.split(b"/") + todo
                continue
            if node is not None and not node.is_directory() and (
                    links or self.is_strict or node.layer == layer):
                raise Refused(path)
            if len(part) > 255:
                raise Refused(path)
            out.append(part)
        self.followed |= links > 0
        return b"/".join(out + parts[-1:])

    def apply(self, members, layer):
        for member in members:
            self.add(member, layer)

    def prune(self, node, layer):
        """What is not of this layer goes; whether anything stays."""
        for name in list(node.children):
            if not self.prune(node.children[name], layer):
                del node.children[name]
        if node.layer != layer and not (node.children and node.is_directory()):
            return False
        if node.meta_layer != layer:
            node.inode = Inode("d")
        return True

    def strip(self, parent, name, layer):
        if name in parent.children and not self.prune(parent.children[name], layer):
            del parent.children[name]

    def strip_all(self, node, layer):
        for name in list(node.children):
            self.strip(node, name, layer)

    def add(self, member, layer):
        if member.kind in "wo":
            try:
                path = self.resolve(member.path if member.kind == "w" else member.path + b"/.")
            except Refused:
                if self.is_strict:
                    raise
                return
            parts = path.split(b"/")
            node = self.find(b"/".join(parts[:-1]))
            if node is not None and node.is_directory():
                if member.kind == "w":
                    self.strip(node, parts[-1], layer)
                else:
                    self.strip_all(node, layer)
            return
        path = self.resolve(member.path, layer)
        parts = [p for p in path.split(b"/") if p]
        if len(parts) > 128:
            raise Refused(member)
        if not parts:
            self.root.inode = self.make(member)
            self.root.meta_layer = layer
            return
        link = self.resolve(member.link) if member.kind == "h" else b""
        target = self.find(link) if link else None
        if member.kind == "h" and (target is None or target.is_directory() or
                                   (path + b"/").startswith(link + b"/") or
                                   (link + b"/").startswith(path + b"/")):
            raise Refused(member)
        node = self.root
        for part in parts[:-1]:
            child = node.children.get(part)
            if child is None or not child.is_directory():
                child = node.children[part] = Name(Inode("d"), layer)
            child.layer = layer
            node = child
        old = node.children.get(parts[-1])
        if member.kind == "d" and old is not None and old.is_directory():
            old.inode, old.layer, old.meta_layer = self.make(member), layer, layer
            return
        if member.kind == "h":
            node.children[parts[-1]] = Name(target.inode, layer)
            return
        node.children[parts[-1]] = Name(self.make(member), layer)

    @staticmethod
    def make(member):
        content, size = None, 0
        if member.kind == "f":
            content, size = sha256(member.data), len(member.data)
        elif member.kind == "l":
            content, size = member.link, len(member.link)
        elif member.kind in "cb":
            content = member.device
        xattrs = {k: v for k, v in member.xattrs.items()
                  if k == b"security.capability" or k.startswith(b"user.")}
        return Inode(member.kind, 0o777 if member.kind == "l" else member.mode, member.uid,
                     member.gid, member.mtime, xattrs, content, size)

    def flat(self):
        """The same form as ext4_tree's keys."""
        out, inodes = {}, {}

        def walk(path, node):
            inode = node.inode
            inodes.setdefault(id(inode), []).append(path)
            if node.is_directory():
                inode = Inode("d", inode.mode, inode.uid, inode.gid, inode.mtime, inode.xattrs)
                inode.links = 2 + sum(c.is_directory() for c in node.children.values())
            out[path] = inode
            for name, child in node.children.items():
                walk((path + b"/" if path else b"") + name, child)

        walk(b"", self.root)
        for path, inode in out.items():
            if inode.kind != "d":
                inode.links = len(inodes[id(inode)])
        return {path: (i.kind, i.mode, i.uid, i.gid, i.size, i.mtime, i.links,
                       tuple(sorted(i.xattrs.items())), i.content) for path, i in out.items()}


def difference(disk, expected):
    """What the disk has otherwise than expected, as lines; lost+found is its own."""
    found = {path: entry.key() for path, entry in ext4_tree.tree(disk).items()}
    if b"lost+found" not in expected:
        del found[b"lost+found"]
        root = list(found[b""])
        root[6] -= 1
        found[b""] = tuple(root)
    lines = []
    for path in sorted(set(found) | set(expected)):
        if found.get(path) != expected.get(path):
            lines.append("%r:\n  found    %r\n  expected %r" % (path, found.get(path),
                                                              expected.get(path)))
    return lines
