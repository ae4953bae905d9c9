# SPDX-License-Identifier: MIT
"""What the fault tests share: changes of a store by the real program, each with the state before and
the state after it, and what must hold whatever happens in between.

BANGER_CHECK_ALL=yes takes every point; otherwise some are taken by chance and the seed is printed
(BANGER_SEED repeats it).
"""
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "batch"))
import images_world  # noqa: E402
import seed  # noqa: E402
import world  # noqa: E402
from world import PROGRAM, Skip, World  # noqa: E402

AT_CALL = os.path.join(world.BUILDDIR, "tests", "fault", "at_call")
IS_ALL = os.environ.get("BANGER_CHECK_ALL") == "yes"

# What can leave a trace on disk; between two others, one moment is like the next.
CHANGES = ("write", "pwrite64", "writev", "copy_file_range", "ioctl", "openat", "openat2", "mkdirat",
           "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs", "rename", "renameat",
           "renameat2", "linkat", "symlinkat", "unlink", "unlinkat", "fchmod", "fchmodat",
           "utimensat", "fsetxattr")

# Statuses of failures that have a cause outside.
HONEST = {65, 66, 69, 70, 73, 74, 75, 77, 78}


def sample(chance, items, count):
    """All of them, or so many in their order."""
    if IS_ALL or len(items) <= count:
        return items
    return [items[i] for i in sorted(chance.sample(range(len(items)), count))]


class Call:
    """One line of at_call's log."""

    def __init__(self, line):
        number, self.thread, self.name, self.path, self.more = line.rstrip("\n").split("\t")
        self.number = int(number)

    def changes(self):
        return self.name in CHANGES and (not self.name.startswith("openat") or self.more == "create")

    def __str__(self):
        return f"{self.number}: {self.name} {self.path} {self.more}"


def trapped(place, options, words):
    return [AT_CALL, *options, place.state, PROGRAM, "--batch", *words]


def entry_of(folder):
    """One published entry: path -> what is there. The moment it was made is left out,
    and who served it, which nobody knows any more once a part is complete."""
    found = {}
    for base, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(base, name)
            below = os.path.relpath(path, folder)
            status = os.lstat(path)
            what = stat.S_IFMT(status.st_mode) | stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                found[below] = (what, os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[below] = (what,)
            elif below == "manifest.json":
                with open(path, encoding="utf-8") as file:
                    manifest = json.load(file)
                for row in [manifest, *manifest.get("history", [])]:
                    for word in ("imported_at", "created_at", "fetched_from"):
                        row.pop(word, None)
                found[below] = (what, json.dumps(manifest, sort_keys=True))
            else:
                found[below] = (what, digest_of(path))
    return found


def digest_of(path):
    """SHA-256 of a file; of what there is in it where most of it is holes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        at = end and next_data(file, 0)
        if end and at == 0 and os.lseek(file.fileno(), 0, os.SEEK_HOLE) == end:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            return hashlib.sha256(file.read()).hexdigest()
        digest.update(str(end).encode())
        while at is not None and at < end:
            stop = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            data = os.pread(file.fileno(), stop - at, at)
            for block in range(0, len(data), 4096):  # zeros are holes that somebody wrote
                if data[block:block + 4096].strip(b"\0"):
                    digest.update(b"%d:" % (at + block) + data[block:block + 4096])
            at = next_data(file, stop)
    return digest.hexdigest()


def next_data(file, at):
    try:
        return os.lseek(file.fileno(), at, os.SEEK_DATA)
    except OSError:  # nothing but a hole
        return None


def published(state, kind="kernels"):
    """Every entry with a name; without the moment, for what lies in the trash."""
    folder = os.path.join(state, kind)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return {name.rsplit("@", 1)[0] if kind == "trash" else name: entry_of(os.path.join(folder, name))
            for name in names if name[0] != "."}


def difference(some, other):
    """What two states of the store do not share, for a message."""
    out = []
    for name in sorted(set(some) | set(other)):
        one, two = some.get(name, {}), other.get(name, {})
        out += [f"{name}/{path}: {one.get(path)} {two.get(path)}"
                for path in sorted(set(one) | set(two)) if one.get(path) != two.get(path)]
    return "; ".join(out)


def check_hashes(entries):
    """A kernel's manifest tells the truth about the kernel beside it."""
    for name, entry in entries.items():
        manifest = json.loads(entry["manifest.json"][1])
        assert manifest["name"] == name, (name, manifest)
        assert entry["vmlinux"][1] == manifest["sha256"], (name, manifest)


def check_lists(place, why):
    """Whatever is listed is whole."""
    for kind in ("kernel", "image"):
        rows = place.json(kind, "list")
        assert all(row["state"] == "ok" for row in rows), (why, rows)


def leftovers(state):
    """What a dead process left behind and nobody will ever use."""
    found = []
    for kind in ("kernels", "images", "vms", "trash"):
        folder = os.path.join(state, kind)
        if os.path.isdir(folder):
            found += [f"{kind}/{name}" for name in os.listdir(folder) if name[0] == "."]
    jobs = os.path.join(state, "jobs")
    found += [f"jobs/{name}" for name in (os.listdir(jobs) if os.path.isdir(jobs) else [])]
    return found


class Scenario:
    """One command on a store: `before` and `after` are what is published without and with it, of the
    kinds named; `again` is the status of the same command once it was done."""

    def __init__(self, name, words, prepare, again, kinds=("kernels",)):
        self.name, self.words, self.prepare, self.again = name, words, prepare, again
        self.kinds = kinds
        self.template = self.before = self.after = None

    def look(self, state):
        if self.kinds == ("kernels",):
            return published(state)
        return {f"{kind}/{name}": entry for kind in self.kinds
                for name, entry in published(state, kind).items()}

    def set_up(self, place):
        """Makes the state before once, and sees what the undisturbed command makes of it."""
        shutil.rmtree(place.state, ignore_errors=True)
        place.ok("kernel", "import", "other", "--from", place.other_tree)
        self.prepare(place)
        self.template = place.path(f"template-{self.name}")
        subprocess.run(["cp", "-a", place.state, self.template], check=True)
        self.before = self.look(place.state)
        place.ok(*self.words)
        self.after = self.look(place.state)
        assert self.before != self.after, self.name
        self.reset(place)

    def reset(self, place):
        shutil.rmtree(place.state, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, place.state], check=True)

    def calls(self, place, only=None):
        """The calls of an undisturbed run that concern the store."""
        log = place.path("calls")
        self.reset(place)
        options = ["--log", log] + (["--calls", ",".join(only)] if only else [])
        done = subprocess.run(trapped(place, options, self.words), env=place.env, cwd=place.place,
                              capture_output=True, timeout=120, check=False)
        if done.returncode == 77:
            raise Skip("no system call can be trapped here")
        assert done.returncode == 0, done.stderr
        with open(log, encoding="utf-8", errors="replace") as file:
            return [Call(line) for line in file]

    def check_published(self, state, why):
        now = self.look(state)
        assert now in (self.before, self.after), (
            f"{why}: not what was before: {difference(now, self.before)}; "
            f"nor what was to come: {difference(now, self.after)}")
        check_hashes(published(state))
        return now

    def check_recovery(self, place, why):
        """The listing is right at once; the next process that changes something sweeps first; the
        same command can be given again."""
        self.check_published(place.state, why)
        check_lists(place, why)
        assert place.run("kernel", "rm", "never-there").status == 66, why
        assert leftovers(place.state) == [], (why, leftovers(place.state))
        now = self.check_published(place.state, why)
        result = place.run(*self.words)
        wanted = 0 if now == self.before else self.again
        assert result.status == wanted, f"{why}: again: {result}"
        now = self.look(place.state)
        assert now == self.after, f"{why}: again: {difference(now, self.after)}"
        assert leftovers(place.state) == [], (why, leftovers(place.state))


def kernel_catalog(place, number):
    """A bundle with everything in it, other content for another number."""
    file, digest, size = place.kernel_bundle(f"kernel-{number}.tar.zst", "--seed", str(number),
                                             "--initrd", "--modules")
    place.catalog(kernels=[{
        "name": "lab", "distro": "test", "arch": "x86_64", "kernel_version": "6.1.0",
        "tarball_url": f"{place.url}/{file}", "tarball_sha256": digest, "size_bytes": size}])


def fault_world(place):
    """Makes a world ready: a server and trees."""
    place.env["BANGER_JOBS"] = "1"
    place.url = place.server()
    place.other_tree = place.kernel_tree("build", "other-tree")
    place.boot_tree = place.kernel_tree("boot", "boot-tree")
    place.store_tree = place.kernel_tree("store", "store-tree")


def pulled(place):
    kernel_catalog(place, 1)
    place.ok("kernel", "pull", "lab")
    kernel_catalog(place, 2)


def imported(place):
    place.ok("kernel", "import", "lab", "--from", place.boot_tree)


def scenarios(place):
    return [
        Scenario("pull", ["kernel", "pull", "lab"], lambda p: kernel_catalog(p, 1), 73),
        Scenario("import", ["kernel", "import", "lab", "--from", place.boot_tree], lambda p: None, 73),
        Scenario("replace", ["kernel", "pull", "lab", "--force"], pulled, 0),
        Scenario("replace by import",
                 ["kernel", "import", "lab", "--from", place.store_tree, "--force"], imported, 0),
        Scenario("rm", ["kernel", "rm", "lab"], pulled, 66),
    ]


def trash_scenarios(place):
    """What is removed waits in the trash; both sides of the move are looked at."""
    kinds = ("kernels", "trash")

    def removed(place):
        imported(place)
        place.ok("kernel", "rm", "lab")

    return [
        Scenario("to the trash", ["kernel", "rm", "lab"], imported, 66, kinds),
        Scenario("restore", ["host", "trash", "restore", "kernel/lab"], removed, 66, kinds),
        Scenario("empty", ["host", "trash", "empty"], removed, 0, kinds),
    ]


def packed(place):
    """A tar of a root file system; a directory would be another disk each time."""
    path = place.path("root.tar")
    subprocess.run(["tar", "-C", place.store_tree, "-cf", path, "."], check=True)
    return path


def image_scenarios(place):
    """A registry's image, a disk of one's own, one that becomes ours, one that goes."""
    host = images_world.registry(place, "registry.py")
    reference = f"{host}/hub/busy:latest"
    words = ["image", "pull", reference, "--name", "box", "--kernel-ref", "other", "--size", "64M"]
    kinds = ("images", "trash")
    disk = images_world.rootfs(place)
    register = ["image", "register", "box", "--rootfs", disk, "--kernel", place.path(
        "boot-tree", "boot", "vmlinux-6.1.0-test"), "--modules", place.path(
            "boot-tree", "lib", "modules", "6.1.0-test")]

    def plain(place):
        place.ok("image", "pull", f"{host}/hub/plain:latest", *words[3:])

    return [
        Scenario("image pull", words, lambda p: None, 73, kinds),
        Scenario("image replace", [*words, "--force"], plain, 0, kinds),
        Scenario("image register", register, lambda p: None, 73, kinds),
        Scenario("image register a tar", ["image", "register", "box", "--rootfs", packed(place),
                                          "--kernel-ref", "other"], lambda p: None, 73, kinds),
        Scenario("image promote", ["image", "promote", "box"], lambda p: p.ok(*register), 0, kinds),
        Scenario("image rm", ["image", "rm", "box"], plain, 66, kinds),
    ]


def kill_at(place, scenario, call):
    """Killed before that call; True when it was the program itself that died."""
    why = f"{scenario.name} killed at {call}"
    scenario.reset(place)
    done = subprocess.run(
        trapped(place, ["--log", place.path("calls"), "--kill", str(call.number)], scenario.words),
        env=place.env, cwd=place.place, capture_output=True, timeout=60, check=False)
    # The process that unpacks may be the one that died; then the program says so.
    assert done.returncode in {137, 0} | HONEST, (why, done)
    scenario.check_recovery(place, why)
    return done.returncode == 137


def kill_each(place, scenarios_of, sampled):
    """Kills each scenario at each of its calls, or at so many of those that change something."""
    chance = seed.chance()
    for scenario in scenarios_of(place):
        scenario.set_up(place)
        calls = scenario.calls(place)
        points = calls if IS_ALL else [call for call in calls if call.changes()]
        chosen = sample(chance, points, sampled)
        killed = sum(kill_at(place, scenario, call) for call in chosen)
        print(f"{scenario.name}: {len(calls)} calls, {len(chosen)} kill points, "
              f"{killed} times the program itself", flush=True)


def main(test):
    """Runs one test function on a world made ready."""
    if os.environ.get("SANITIZERS", "no") != "no":
        print("skipped: a sanitizer's program cannot be stopped at its calls by ptrace")
        return 77
    place = World()
    try:
        fault_world(place)
        test(place)
    except Skip as skip:
        print(f"skipped: {skip}")
        return 77
    finally:
        place.close()
    return 0
