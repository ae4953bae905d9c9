# SPDX-License-Identifier: MIT
"""The real program killed at each of its system calls that concern the store, while it pulls an image
from a registry, replaces it, registers disks and directories, takes one over and removes one; and at
each that concerns the place a kernel is exported to, where the file is whole or not there."""
import os
import shutil
import subprocess
import sys

import faults
import seed
from world import need

SAMPLED = 5


def export_killed_at(place, out, file, whole, number):
    """One export, killed before that call; None: not killed. The calls it made."""
    shutil.rmtree(out, ignore_errors=True)
    os.mkdir(out)
    options = ["--log", place.path("calls")] + (["--kill", str(number)] if number else [])
    done = subprocess.run(
        [faults.AT_CALL, *options, out, faults.PROGRAM, "--batch", "kernel", "export", "lab", "--to",
         file], env=place.env, cwd=place.place, capture_output=True, timeout=60, check=False)
    if done.returncode == 77:
        raise faults.Skip("no system call can be trapped here")
    assert done.returncode == (137 if number else 0), done
    assert not os.path.exists(file) or faults.digest_of(file) == whole, f"half a file at {number}"
    left = [name for name in os.listdir(out) if name != os.path.basename(file)]
    assert left == [], f"a file without an owner, left at {number}: {left}"
    with open(place.path("calls"), encoding="utf-8", errors="replace") as log:
        return [faults.Call(line) for line in log]


def kill_exports(place):
    chance = seed.chance()
    out = place.mkdir("out")
    file = os.path.join(out, "lab.tar.zst")
    faults.imported(place)
    place.ok("kernel", "export", "lab", "--to", file)
    whole = faults.digest_of(file)
    calls = export_killed_at(place, out, file, whole, None)
    chosen = faults.sample(chance, calls, SAMPLED)
    for call in chosen:
        export_killed_at(place, out, file, whole, call.number)
        place.ok("kernel", "export", "lab", "--to", file, "--force")
        assert faults.digest_of(file) == whole
    print(f"export: {len(calls)} calls, {len(chosen)} kill points", flush=True)


def test(place):
    for program in ("mkfs.ext4", "zstd"):
        need(program)
    kill_exports(place)
    faults.kill_each(place, faults.image_scenarios, SAMPLED)


sys.exit(faults.main(test))
