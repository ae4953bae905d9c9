#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random stacks of layers (whiteouts, opaque directories, type changes, duplicates, implied parents,
hard links to whatever there is, names below links) become the tree that applying them one after the other gives; every
disk is clean, and the same bytes when it is made again. The seeds are printed; BANGER_SEED repeats
one, BANGER_CHECK_ALL=yes takes many more."""
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["SRCDIR"], "tests/support"))
import layers  # noqa: E402
import seed  # noqa: E402
from layers import Image, Member, Model, Refused  # noqa: E402

NAMES = [b"a", b"b", b"c", "ü".encode(), b"\xff\x80", b"e" * 120]


def random_path(rng, depth=3):
    return b"/".join(rng.choice(NAMES[:4] if rng.random() < 0.9 else NAMES)
                     for _ in range(rng.randint(1, depth)))


def random_facts(rng, _kind):
    facts = {"mode": rng.choice([0o644, 0o755, 0o4755, 0o1777, 0, 0o2755]),
             "uid": rng.choice([0, 0, 1000, 70000, 2 ** 32 - 2]),
             "gid": rng.choice([0, 0, 5, 123456789]),
             "mtime": (rng.choice([0, 1, layers.mb.TIME, -5, -2 ** 31, 2 ** 33, 0x37fffffff]),
                       rng.choice([0, 0, 1, 999999999]))}
    if rng.random() < 0.2:
        facts["xattrs"] = {rng.choice([b"user.x", b"user.y", b"security.capability", b"trusted.t",
                                       b"security.selinux"]): rng.randbytes(rng.choice([0, 5, 200]))
                           for _ in range(2)}
    return facts


def random_data(rng):
    kind = rng.random()
    if kind < 0.5:
        return rng.randbytes(rng.randint(0, 50))
    if kind < 0.8:
        return rng.randbytes(rng.choice([4095, 4096, 4097, 20000]))
    # Holes of all sizes.
    return b"".join(rng.choice([bytes(4096), bytes(4096 * 9), rng.randbytes(4096)])
                    for _ in range(rng.randint(1, 14))) + rng.randbytes(rng.randint(0, 3))


KINDS = dict(zip("fdlhwocbp", [30, 25, 8, 14, 12, 6, 2, 2, 2]))


def random_member(rng, model, make_facts, kinds):
    path = random_path(rng)
    kind = rng.choices(kinds, [KINDS[kind] for kind in kinds])[0]
    if kind == "o":
        return Member(kind, path if rng.random() < 0.95 else b"")
    if kind == "w":
        return Member(kind, path)
    if kind == "h":
        files = [p for p, key in model.flat().items() if key[0] not in "d"]
        return Member(kind, path, link=rng.choice(files)) if files else None
    facts = make_facts(rng, kind)
    if kind == "f":
        return Member(kind, path, data=random_data(rng), **facts)
    if kind == "l":
        return Member(kind, path, link=rng.choice([
            b"/etc/x", b"..", b"a/b", b"/a", b"../../b/./c", b"c", b".", b"x" * 59, b"x" * 60,
            b"y" * 4000, b"\xff"]), **facts)
    if kind in "cb":
        return Member(kind, path, device=rng.choice([(1, 3), (8, 300), (300, 5), (4095, 1048575)]),
                      **facts)
    return Member(kind, path, **facts)


def random_stack(rng, make_facts=random_facts, is_strict=False):
    """Layers as lists of members, and the model after them. is_strict: only what all tools agree on,
    nothing below what an older layer has as a file, and in each layer first what it removes. (In
    another order a directory that is removed and made again by what is below it keeps its owner with
    umoci and its content with nobody; the specification wants the order not to matter.)"""
    model, stack = Model(is_strict), []
    for layer in range(1, rng.randint(2, 6)):
        members = []
        if layer == 1 and rng.random() < 0.7:
            members.append(Member("d", b"", mode=0o750, uid=7))
            model.add(members[0], layer)
        count = rng.randint(0, 14)
        for i in range(count):
            kinds = "".join(KINDS) if not is_strict else "wo" if i < count // 4 else "fdlhcbp"
            member = random_member(rng, model, make_facts, kinds)
            if member is None:
                continue
            try:
                model.add(member, layer)
            except Refused:
                continue
            members.append(member)
        stack.append(members)
    return stack, model


def check(number, place):
    rng = random.Random(number)
    stack, model = random_stack(rng)
    FOLLOWED.append(model.followed)
    how = rng.choice(["tar", "gzip", "zstd"])
    disk = os.path.join(place, "disk")
    image = Image(os.path.join(place, "blobs"), [layers.tar(m) for m in stack], how)
    done = image.flatten(disk, 64 << 20)
    assert done.returncode == 0, (number, done.stderr, stack)
    wrong = layers.difference(disk, model.flat())
    assert not wrong, "seed %d\n%s\n%s" % (
        number, "\n".join(wrong), "\n".join("layer %d: %r" % (i + 1, m) for i, m in enumerate(stack)))
    layers.assert_clean(disk, number)
    again = os.path.join(place, "again")
    assert image.flatten(again, 64 << 20).returncode == 0
    with open(disk, "rb") as one, open(again, "rb") as two:
        assert one.read() == two.read(), number
    shutil.rmtree(os.path.join(place, "blobs"))


FOLLOWED = []

# Stacks that were once told wrong.
FOUND = [340586244, 900997583]


def main():
    if layers.e2fsck() is None:
        print("skipped: e2fsck is missing: install e2fsprogs")
        return 77
    first = seed.first()
    count = 1 if seed.IS_TOLD else 300 if os.environ.get("BANGER_CHECK_ALL") == "yes" else 20
    numbers = [*([] if seed.IS_TOLD else FOUND), *range(first, first + count)]
    print("%d stacks, the last with seed %d" % (len(numbers), numbers[-1]))
    place = tempfile.mkdtemp(prefix="banger-test-")
    try:
        for number in numbers:
            check(number, place)
        print("%d of them follow links" % sum(FOLLOWED))
        assert len(numbers) < 20 or 0 < sum(FOLLOWED) < len(numbers)
    finally:
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
