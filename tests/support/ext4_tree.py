# SPDX-License-Identifier: MIT
"""Reads an ext4 file system out of a file, by nothing but its documentation (Linux,
Documentation/filesystems/ext4), so that what our writer makes is read by something else.

tree(path) gives {name: Entry} with names as bytes, "" for the root; hard links share an Entry."""
import hashlib
import struct

TYPES = {0x1: "p", 0x2: "c", 0x4: "d", 0x6: "b", 0x8: "f", 0xa: "l", 0xc: "s"}
EXTENTS, INDEX = 0x80000, 0x1000
PREFIXES = {1: "user.", 6: "security.", 4: "trusted.", 2: "system.posix_acl_access"}


class Entry:
    """One inode. content is the SHA-256 of a file, the text of a symlink, the number of a device."""

    def __init__(self, number):
        self.number = number

    def key(self):
        return (self.kind, self.mode, self.uid, self.gid, self.size if self.kind in "fl" else 0,
                self.mtime, self.links, tuple(sorted(self.xattrs.items())), self.content)

    def __repr__(self):
        return repr(self.key())


class Disk:
    def __init__(self, path):
        self.file = open(path, "rb")
        self.file.seek(1024)
        block = self.super = self.file.read(1024)
        assert struct.unpack_from("<H", block, 56)[0] == 0xef53
        self.block = 1024 << struct.unpack_from("<I", block, 24)[0]
        self.per_group, = struct.unpack_from("<I", block, 40)
        self.inode_size, = struct.unpack_from("<H", block, 88)
        self.desc_size = struct.unpack_from("<H", block, 254)[0] or 32
        self.tables = {}
        self.entries = {}

    def close(self):
        self.file.close()

    def read_block(self, number, count=1):
        self.file.seek(number * self.block)
        return self.file.read(count * self.block)

    def inode_bytes(self, number):
        group, slot = divmod(number - 1, self.per_group)
        if group not in self.tables:
            self.file.seek(self.block + group * self.desc_size)
            desc = self.file.read(self.desc_size)
            low, = struct.unpack_from("<I", desc, 8)
            high = struct.unpack_from("<I", desc, 40)[0] if self.desc_size > 32 else 0
            self.tables[group] = low | high << 32
        self.file.seek(self.tables[group] * self.block + slot * self.inode_size)
        return self.file.read(self.inode_size)

    def extents(self, node):
        magic, count, _, depth = struct.unpack_from("<HHHH", node)
        assert magic == 0xf30a
        for i in range(count):
            entry = node[12 + 12 * i:24 + 12 * i]
            if depth:
                _, low, high, _ = struct.unpack("<IIHH", entry)
                yield from self.extents(self.read_block(low | high << 32))
            else:
                logical, length, high, low = struct.unpack("<IHHI", entry)
                assert length <= 32768
                yield logical, length, low | high << 32

    def pieces(self, inode, size):
        """(offset, bytes) of what is not a hole."""
        for logical, length, physical in self.extents(inode[40:100]):
            at = logical * self.block
            if at < size:
                yield at, self.read_block(physical, length)[:size - at]

    def content(self, inode, size):
        data = bytearray(size)
        for at, piece in self.pieces(inode, size):
            data[at:at + len(piece)] = piece
        return bytes(data)

    def digest(self, inode, size):
        hasher, at = hashlib.sha256(), 0
        for offset, piece in list(self.pieces(inode, size)) + [(size, b"")]:
            while at < offset:
                step = min(offset - at, 1 << 20)
                hasher.update(bytes(step))
                at += step
            hasher.update(piece)
            at += len(piece)
        return hasher.hexdigest()

    def xattrs(self, inode):
        found = {}
        if inode[160:164] == b"\0\0\x02\xea":
            self.read_xattrs(inode[164:], inode[164:], found)
        low, = struct.unpack_from("<I", inode, 104)
        high, = struct.unpack_from("<H", inode, 118)
        if low | high << 32:
            block = self.read_block(low | high << 32)
            assert block[:4] == b"\0\0\x02\xea"
            self.read_xattrs(block[32:], block, found)
        return found

    @staticmethod
    def read_xattrs(entries, values, found):
        at = 0
        while entries[at:at + 4] != bytes(4):
            length, index, offset, _, size, _ = struct.unpack_from("<BBHIII", entries, at)
            name = PREFIXES.get(index, "?").encode() + entries[at + 16:at + 16 + length]
            assert name not in found
            found[name] = values[offset:offset + size]
            at += (16 + length + 3) & ~3

    def entry(self, number):
        if number in self.entries:
            return self.entries[number]
        inode = self.inode_bytes(number)
        entry = self.entries[number] = Entry(number)
        mode, uid, size_low, _, _, mtime = struct.unpack_from("<HHIIII", inode)
        gid, entry.links = struct.unpack_from("<HH", inode, 24)
        entry.flags, = struct.unpack_from("<I", inode, 32)
        uid_high, gid_high = struct.unpack_from("<HH", inode, 120)
        size_high, = struct.unpack_from("<I", inode, 108)
        extra, = struct.unpack_from("<I", inode, 136)
        entry.kind, entry.mode = TYPES[mode >> 12], mode & 0o7777
        entry.uid, entry.gid = uid | uid_high << 16, gid | gid_high << 16
        entry.size = size_low | size_high << 32
        seconds = mtime - (1 << 32) * (mtime >> 31) + ((extra & 3) << 32)
        entry.mtime = (seconds, extra >> 2)
        entry.xattrs = self.xattrs(inode)
        entry.content = None
        if entry.kind == "f":
            entry.content = self.digest(inode, entry.size)
        elif entry.kind == "l":
            entry.content = (self.content(inode, entry.size) if entry.flags & EXTENTS
                             else inode[40:40 + entry.size])
        elif entry.kind in "cb":
            old, new = struct.unpack_from("<II", inode, 40)
            entry.content = ((old >> 8 & 0xff, old & 0xff) if old else
                             (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xfff00))
        return entry

    def names(self, number):
        """(name, inode number) in a directory, "." and ".." left out."""
        inode = self.inode_bytes(number)
        entry = self.entry(number)
        data = self.content(inode, entry.size)
        for start in range(0, len(data), self.block):
            at = start
            while at < start + self.block:
                child, length, size, _ = struct.unpack_from("<IHBB", data, at)
                assert length >= 8
                name = data[at + 8:at + 8 + size]
                if child and name not in (b".", b".."):
                    yield name, child
                # The root of a hash tree hides the rest of its block behind "..".
                at += length


def tree(path):
    disk, found = Disk(path), {}
    todo = [(b"", 2)]
    while todo:
        name, number = todo.pop()
        entry = found[name] = disk.entry(number)
        if entry.kind == "d":
            for child, inode in disk.names(number):
                todo.append(((name + b"/" if name else b"") + child, inode))
    disk.close()
    return found
