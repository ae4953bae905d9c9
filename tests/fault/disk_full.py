# SPDX-License-Identifier: MIT
"""A real full disk: a small tmpfs, by bytes and by files, in steps. Each size gives the new state or
a failure of its own with the old one, nothing is left over, and with space the same command works.
Needs root."""
import os
import shutil
import subprocess
import sys
import tempfile

import faults
import seed
from world import Skip

SAMPLED = 5
SAMPLED_IMAGES = 2
BLOCK = 4096
PLENTY = 30000  # blocks
NO_ROOM = {74}


def used(state):
    """Blocks and files that a copy of this state takes on a tmpfs."""
    blocks = files = 1
    for base, folders, names in os.walk(state):
        files += len(folders) + len(names)
        for name in names:
            blocks += -(-os.lstat(os.path.join(base, name)).st_blocks * 512 // BLOCK)
    return blocks, files


class Disk:
    def __init__(self):
        self.at = tempfile.mkdtemp(prefix="banger-test-")

    def mount(self, blocks, files):
        options = f"size={blocks * BLOCK},nr_inodes={files}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.at],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Skip(f"no tmpfs can be mounted: {done.stderr.strip()}")

    def grow(self):
        subprocess.run(["mount", "-o", "remount,size=256m,nr_inodes=10000", self.at], check=True)

    def close(self):
        if os.path.ismount(self.at):
            subprocess.run(["umount", self.at], check=True)


def with_room(place, scenario, disk, blocks, files):
    """True when it went through."""
    why = f"{scenario.name} with {blocks} blocks and {files} files free"
    has_blocks, has_files = used(scenario.template)
    disk.mount(has_blocks + blocks, has_files + files + 1)
    state = place.state
    place.state = place.env["BANGER_STATE_DIR"] = os.path.join(disk.at, "state")
    try:
        subprocess.run(["cp", "-a", scenario.template, place.state], check=True)
        result = place.run(*scenario.words)
        now = scenario.check_published(place.state, why)
        if result.status == 0:
            assert now == scenario.after, why
        else:
            assert result.status in NO_ROOM and result.out == "" and result.err, (why, str(result))
        faults.check_lists(place, why)
        assert [name for name in faults.leftovers(place.state) if ".tmp" in name] == [], why
        disk.grow()
        scenario.check_recovery(place, why)
        return result.status == 0
    finally:
        place.state = place.env["BANGER_STATE_DIR"] = state
        disk.close()


def steps(need, chance, sampled):
    """From nothing to enough."""
    step = 1 if need < 64 else 2 if need < 1000 else need // 100
    return faults.sample(chance, list(range(0, need + 2, step)), sampled)


def fill_disks(place, disk, scenarios, chance, sampled):
    for scenario in scenarios:
        scenario.set_up(place)
        blocks, files = used(scenario.template)
        place.ok(*scenario.words)
        # The part of a download and what is unpacked from it exist at the same time.
        room_blocks = 3 * (used(place.state)[0] - blocks) + 80
        room_files = used(place.state)[1] - files + 12
        passed = failed = 0
        for free in steps(room_blocks, chance, sampled):
            went = with_room(place, scenario, disk, free, 1000)
            passed, failed = passed + went, failed + (not went)
        for free in steps(room_files, chance, sampled):
            went = with_room(place, scenario, disk, PLENTY, free)
            passed, failed = passed + went, failed + (not went)
        assert with_room(place, scenario, disk, PLENTY, 1000), scenario.name
        print(f"{scenario.name}: {passed + failed} sizes, {failed} too small, all clean", flush=True)


def test(place):
    if os.geteuid() != 0:
        raise Skip("mounting a tmpfs needs root")
    chance = seed.chance()
    disk = Disk()
    try:
        fill_disks(place, disk, faults.scenarios(place), chance, SAMPLED)
        if shutil.which("mkfs.ext4"):
            fill_disks(place, disk, faults.image_scenarios(place), chance, SAMPLED_IMAGES)
    finally:
        disk.close()
        os.rmdir(disk.at)


if shutil.which("mount") is None:
    print("skipped: install mount")
    sys.exit(77)
sys.exit(faults.main(test))
