# SPDX-License-Identifier: MIT
"""The power fails at each change that a pull, an import, a replacement and a removal of a kernel, and
the pull of a registry's image, make to an ext4 file system: its device is copied as it is at that moment, the copy is mounted (which replays the
journal), and every entry in it must be whole by its own hashes, the old one or the new one; what was
reported as done before must be there. Needs root and loop devices.

Commits by the kernel's own clock are put off, so that only what the program syncs is on the device:
the hardest case.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import faults
import seed
from world import Skip

SAMPLED = 16
DEVICE_MIB = 48
OPTIONS = "loop,commit=300"


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stderr}")


def copy_device(source, target):
    """Data only, holes stay holes."""
    into = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    out = os.open(source, os.O_RDONLY)
    try:
        end = os.fstat(out).st_size
        os.ftruncate(into, end)
        at = 0
        while at < end:
            try:
                at = os.lseek(out, at, os.SEEK_DATA)
            except OSError:  # only a hole is left
                break
            stop = os.lseek(out, at, os.SEEK_HOLE)
            os.lseek(into, at, os.SEEK_SET)
            while at < stop:
                at += os.sendfile(into, out, at, stop - at)
    finally:
        os.close(out)
        os.close(into)


class Device:
    """An ext4 file system in a file, and the copies that are taken of it."""

    def __init__(self, options):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.place = tempfile.mkdtemp(prefix="banger-test-", dir=memory)
        self.file = os.path.join(self.place, "device")
        self.copy = os.path.join(self.place, "copy")
        self.at = os.path.join(self.place, "at")
        self.copy_at = os.path.join(self.place, "copy-at")
        self.options = options
        os.mkdir(self.at)
        os.mkdir(self.copy_at)

    def open(self):
        """Blocks as large as those of the tests' own place: holes are looked at too."""
        with open(self.file, "wb") as file:
            file.truncate(DEVICE_MIB << 20)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=4", "-m", "0", self.file)
        run("mount", "-o", self.options, self.file, self.at)

    def close(self):
        if os.path.ismount(self.at):
            run("umount", self.at)

    def after_power_cut(self, check):
        copy_device(self.file, self.copy)
        run("mount", "-o", "loop", self.copy, self.copy_at)
        try:
            check(os.path.join(self.copy_at, "state"))
        finally:
            run("umount", self.copy_at)

    def remove(self):
        for at in (self.copy_at, self.at):
            if os.path.ismount(at):
                subprocess.run(["umount", at], check=False)
        shutil.rmtree(self.place, ignore_errors=True)


def cut_everywhere(place, scenario, device, chosen):
    """One undisturbed run, stopped before each chosen change for a look at what the device holds."""
    device.close()
    device.open()
    state = place.state
    place.state = place.env["BANGER_STATE_DIR"] = os.path.join(device.at, "state")
    try:
        # Not synced by the test: what the program reported as done must be on the device by itself.
        place.ok("kernel", "import", "other", "--from", place.other_tree)
        scenario.prepare(place)
        with subprocess.Popen(
                faults.trapped(place, ["--calls", ",".join(faults.CHANGES), "--pause"], scenario.words),
                env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True) as child:
            count = 0
            for line in child.stdout:
                call = faults.Call(line)
                if call.changes():
                    if count in chosen:
                        device.after_power_cut(lambda at: scenario.check_published(
                            at, f"{scenario.name}, power cut before {call}"))
                    count += 1
                child.stdin.write("\n")
                child.stdin.flush()
            assert child.wait(timeout=60) == 0, scenario.name

        def check_done(at):
            now = scenario.look(at)
            assert now == scenario.after, (
                f"{scenario.name}: reported as done and lost: "
                f"{faults.difference(now, scenario.after)}")

        device.after_power_cut(check_done)
    finally:
        place.state = place.env["BANGER_STATE_DIR"] = state
    return count


def test(place):
    if os.geteuid() != 0 or not shutil.which("mke2fs"):
        raise Skip("a loop device needs root and mke2fs")
    chance = seed.chance()
    images = faults.image_scenarios(place)[:1] if shutil.which("zstd") else []
    modes = [OPTIONS, OPTIONS + ",data=writeback,nodelalloc"] if faults.IS_ALL else [OPTIONS]
    for options in modes:
        device = Device(options)
        try:
            try:
                device.open()
            except AssertionError as error:
                raise Skip(f"no loop device here: {error}") from error
            for scenario in [*faults.scenarios(place), *images]:
                scenario.set_up(place)
                calls = [call for call in scenario.calls(place, faults.CHANGES) if call.changes()]
                chosen = set(faults.sample(chance, range(len(calls)), SAMPLED))
                count = cut_everywhere(place, scenario, device, chosen)
                print(f"{scenario.name} ({options}): {count} changes, "
                      f"{len(chosen) + 1} power cuts", flush=True)
        finally:
            device.remove()


sys.exit(faults.main(test))
