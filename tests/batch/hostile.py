# SPDX-License-Identifier: MIT
"""The hostile archives (tests/data/must-fail) through the whole program, as each way in takes them:
a kernel or an image to pull, a package to import, a root file system to register. Each has its status
by itself; what was refused has left nothing in the store, and everything around the state directory,
content and metadata, is as it was. As the user who runs this, and as another one when that is root.
BANGER_CHECK_ALL=yes takes every archive; otherwise some are taken by chance (BANGER_FAULT_SEED)."""
import hashlib
import importlib
import json
import os
import shutil
import stat
import subprocess
import sys

import world
from images_world import import_kernel, rootfs
from world import PROGRAM, SANITIZED, SRCDIR, Skip, main, need
import seed

sys.path[:0] = [world.SUPPORT, os.path.join(SRCDIR, "tests", "data", "must-fail")]
import make_bundle as mb  # noqa: E402

IS_ALL = os.environ.get("BANGER_CHECK_ALL") == "yes"
SAMPLED = 10 if SANITIZED else 40
HANG_S = 3600 if IS_ALL else 600
NOBODY = 65534
LIMITS = "[limits]\nexpanded_bytes = 64M\nentries = 5000\n"
SECRET = "not for anybody's store"
VERSION = "6.1.0-hostile"
NO_DISK = "I02-image-02"  # good as a bundle, but what it holds is no file system


def corpus_of(disk, rename=None):
    """The corpus, made afresh; rename: what every name in its headers becomes; disk: the root file
    system of its image bundles."""
    maker = importlib.reload(mb)
    maker.sparse_image = lambda mib: disk
    if rename is not None:
        header, record, long_name = maker.header, maker.record, maker.long_name
        maker.header = lambda name, **more: header(
            name if more.get("kind") in ("x", "g", "L", "K") else rename(maker.raw(name)), **more)
        maker.record = lambda key, value: record(
            key, rename(maker.raw(value)) if key == "path" else value)
        maker.long_name = lambda name, kind="L", **more: long_name(
            rename(maker.raw(name)) if kind == "L" else name, kind, **more)
    import corpus
    return importlib.reload(corpus).cases(IS_ALL)


def in_a_package(name):
    """Where a kernel package has what a bundle has."""
    for old, new in ((b"modules/", b"lib/modules/" + VERSION.encode() + b"/"),
                     (b"vmlinux", b"boot/vmlinuz-" + VERSION.encode())):
        for dot in (b"", b"./"):
            if name.startswith(dot + old) and b"\0" not in name:
                return dot + new + name[len(dot + old):]
    return name


def chosen(chance, cases):
    if IS_ALL:
        return cases
    light = [case for case in cases if not case.name.startswith(("C01-bomb", "V"))]
    return chance.sample(light, min(SAMPLED, len(light)))


# ---- what is around the store ----


def facts(path):
    """All that can be seen of one file, but when it was last read."""
    found = os.lstat(path)
    more = ""
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            more = hashlib.sha256(file.read()).hexdigest()
    elif stat.S_ISLNK(found.st_mode):
        more = os.readlink(path)
    attributes = [(name, os.getxattr(path, name, follow_symlinks=False))
                  for name in os.listxattr(path, follow_symlinks=False)]
    return (found.st_mode, found.st_uid, found.st_gid, found.st_nlink, found.st_size,
            found.st_mtime_ns, found.st_ctime_ns, found.st_ino, more, attributes)


def around(place):
    """Everything in the world but the state directory, whose own entry may change."""
    found = {}
    for folder, folders, names in os.walk(place.place):
        if folder == place.place:
            folders.remove("state")
        found[folder] = facts(folder)
        for name in folders + names:
            found[os.path.join(folder, name)] = facts(os.path.join(folder, name))
    return found


def plant(place):
    """What an archive that gets out would find: files and directories of all kinds."""
    for name in ("other/vmlinux", "other/manifest.json", "x", "probe", "home/.ssh/authorized_keys",
                 "home/.config/other.ini", "vmlinux", "modules/x", "tmp/probe", "etc/shadow"):
        place.write(name, SECRET)
    os.chmod(place.path("other/vmlinux"), 0o4751)
    os.symlink("other/vmlinux", place.path("link"))
    os.mkfifo(place.path("fifo"))
    os.link(place.path("other/vmlinux"), place.path("second"))


# ---- what goes in ----


def write_archives(place, chance):
    """Archives below `in`, and the lines of a script with what becomes of each: (line, name,
    statuses, kind of what is published)."""
    folder = place.mkdir("in")
    lines, kernels, images = [], [], []
    with open(rootfs(place), "rb") as file:
        disk = file.read()
    cases = corpus_of(disk)
    for case in chosen(chance, [case for case in cases if case.kind == "kernel"]) + [
            case for case in cases if case.kind == "image"]:
        data = case.blob()
        file = os.path.join(folder, case.name + ".tar.zst")
        with open(file, "wb") as out:
            out.write(data)
        entry = {"name": case.name, "distro": "test", "arch": "x86_64", "size_bytes": len(data),
                 "tarball_url": file, "tarball_sha256": hashlib.sha256(data).hexdigest()}
        (images if case.kind == "image" else kernels).append(entry)
        more = " --kernel-ref lab" if case.kind == "image" else ""
        lines.append((f"{case.kind} pull {case.name}{more}", case.name,
                      {65} if case.verdict == "refuse" or case.name == NO_DISK else {0},
                      case.kind + "s"))
    for case in chosen(chance, cases):
        file = os.path.join(folder, f"root-{case.name}.tar.zst")
        with open(file, "wb") as out:
            out.write(case.blob())
        lines.append((f"image register R-{case.name} --rootfs {file} --kernel-ref lab",
                      f"R-{case.name}", {0, 65}, "images"))
    for case in chosen(chance, corpus_of(disk, in_a_package)):
        file = os.path.join(folder, case.name + ".deb")
        with open(file, "wb") as out:
            out.write(mb.ar([("debian-binary", b"2.0\n"),
                             ("control.tar.gz", mb.compress(mb.END, "gz")[1]),
                             ("data.tar.zst", case.blob())]))
        lines.append((f"kernel import D-{case.name} --from {file}", f"D-{case.name}", {0, 65},
                      "kernels"))
    importlib.reload(mb)
    place.catalog(kernels=kernels, images=images)
    return lines


def run_script(place, lines, become):
    """One process for all lines: an answer for each."""
    command = [*become, place.path("program"), "--batch", "--keep-going", "--format", "jsonl",
               "--config", place.path("config.ini")]
    done = subprocess.run(command, input="".join(line + "\n" for line, *_ in lines).encode(),
                          env=place.env, cwd=place.place, capture_output=True, timeout=HANG_S,
                          check=False)
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 2, (done.returncode, said[-2000:])
    assert "AddressSanitizer" not in said and "runtime error:" not in said, said[-6000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


# ---- what came of it ----


def check_entry(place, kind, name):
    """What was accepted holds only plain files, directories and links that stay inside."""
    base = os.path.join(place.state, kind, name)
    for folder, folders, names in os.walk(base):
        for entry in folders + names:
            path = os.path.join(folder, entry)
            mode = os.lstat(path).st_mode
            assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode), path
            if stat.S_ISLNK(mode):
                target = os.path.normpath(os.path.join(folder, os.readlink(path)))
                assert not os.readlink(path).startswith("/") and target.startswith(base + "/"), path
            else:
                assert stat.S_IMODE(mode) & 0o7022 == 0, (path, oct(mode))


def check_store(place, accepted):
    """The accepted ones under their names and nothing else, nowhere a secret."""
    for kind in ("kernels", "images"):
        wanted = sorted(name for name, its in accepted if its == kind)
        assert place.entries(kind) == wanted, (kind, set(place.entries(kind)) ^ set(wanted))
    for kind in ("trash", "jobs", "vms"):
        assert place.entries(kind) == [], (kind, place.entries(kind))
    for folder, _, names in os.walk(place.state):
        assert not os.path.basename(folder).startswith(".tmp"), folder
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode) and os.path.getsize(path) < 1 << 20:
                with open(path, "rb") as file:
                    assert SECRET.encode() not in file.read(), path


def check_all(place, become=()):
    lines = write_archives(place, seed.chance())
    before = around(place)
    probe = os.path.lexists("/tmp/probe")
    answers = run_script(place, lines, become)
    assert len(answers) == len(lines), (len(answers), len(lines))
    accepted, wrong = {("lab", "kernels")}, []
    for (line, name, statuses, kind), answer in zip(lines, answers):
        status = answer["error"]["exit_status"] if "error" in answer else 0
        if status not in statuses:
            wrong.append((line, status, answer))
        if status == 0:
            accepted.add((name, kind))
            check_entry(place, kind, name)
    assert not wrong, f"{len(wrong)} wrong: {wrong[:5]}"
    after = around(place)
    assert before == after, [path for path in sorted(set(before) | set(after))
                             if before.get(path) != after.get(path)]
    assert probe == os.path.lexists("/tmp/probe"), "somebody made /tmp/probe"
    check_store(place, accepted)
    print(f"{len(lines)} archives, {len(accepted) - 1} accepted, nothing around the store changed",
          flush=True)


def prepare(place):
    need("zstd")
    import_kernel(place)
    shutil.copy(PROGRAM, place.path("program"))
    place.write("config.ini", LIMITS)
    plant(place)


def test_hostile_archives(place):
    prepare(place)
    check_all(place)


def test_hostile_archives_as_another_user(place):
    """Root's rights hide what another one's do not allow, and the other way round."""
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    need("setpriv")
    prepare(place)
    os.chmod(place.place, 0o755)
    for folder, folders, names in os.walk(place.state):
        for name in [folder] + [os.path.join(folder, name) for name in folders + names]:
            os.lchown(name, NOBODY, NOBODY)
    check_all(place, ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"])


main()
