# SPDX-License-Identifier: MIT
"""The real program killed at each of its system calls that concern the directory it publishes to:
the catalog there is the old one or the new one, every bundle it names is whole, and publishing
again ends where an undisturbed run ends, with nothing left over. Then two publishers at once."""
import json
import os
import shutil
import subprocess
import sys

import faults
import seed
from world import PROGRAM, sha256_of

SAMPLED = 12


def command(place):
    return ["catalog", "publish", place.out, "--key", place.path("key.pem")]


def content(folder):
    """File name -> digest; what everybody may see."""
    return {name: sha256_of(os.path.join(folder, name)) for name in os.listdir(folder)}


def check_bundles(place, why):
    with open(os.path.join(place.out, "catalog.json"), encoding="utf-8") as file:
        kernels = json.load(file)["kernels"]
    for entry in kernels:
        path = os.path.join(place.out, entry["tarball_url"])
        assert sha256_of(path) == entry["tarball_sha256"], (why, entry)


def reset(place):
    shutil.rmtree(place.out)
    shutil.copytree(place.path("before"), place.out)


def at_call(place, *options):
    return subprocess.run(
        [faults.AT_CALL, "--log", place.path("calls"), *options, place.out, PROGRAM, "--batch",
         *command(place)],
        env=place.env, cwd=place.place, capture_output=True, timeout=120, check=False)


def calls(place):
    done = at_call(place)
    if done.returncode == 77:
        raise faults.Skip("no system call can be trapped here")
    assert done.returncode == 0, done.stderr
    with open(place.path("calls"), encoding="utf-8", errors="replace") as file:
        return [faults.Call(line) for line in file]


def kill_at(place, call):
    why = f"killed at {call}"
    reset(place)
    done = at_call(place, "--kill", str(call.number))
    assert done.returncode == 137, (why, done)
    now = content(place.out)
    assert now["catalog.json"] in (place.old["catalog.json"], place.new["catalog.json"]), why
    if now["catalog.json"] != place.old["catalog.json"]:  # the document comes last
        assert now["catalog.json.sig"] == place.new["catalog.json.sig"], why
    check_bundles(place, why)
    again = place.json(*command(place))
    assert again["signed"], why
    assert content(place.out) == place.new, (why, sorted(content(place.out)))


def two_at_once(place):
    """One waits for the other; what either published is there."""
    reset(place)
    both = [place.start("catalog", "publish", place.out, "--key", place.path("key.pem"), "--kernel",
                        name, stdout=subprocess.DEVNULL) for name in ("one", "two")]
    for child in both:
        assert child.wait(timeout=60) == 0
        place.children.remove(child)
    with open(os.path.join(place.out, "catalog.json"), encoding="utf-8") as file:
        assert sorted(entry["name"] for entry in json.load(file)["kernels"]) == ["one", "two"]
    check_bundles(place, "two at once")


def test(place):
    chance = seed.chance()
    place.out = place.path("out")
    place.ok("catalog", "keygen", place.path("key.pem"))
    place.ok("kernel", "import", "one", "--from", place.boot_tree)
    place.ok(*command(place))
    place.old = content(place.out)
    shutil.copytree(place.out, place.path("before"))
    place.ok("kernel", "import", "one", "--from", place.store_tree, "--force")
    place.ok("kernel", "import", "two", "--from", place.other_tree)
    place.ok(*command(place))
    place.new = content(place.out)
    assert len(place.new) == len(place.old) + 2, (place.old, place.new)
    reset(place)
    every = calls(place)
    points = every if faults.IS_ALL else [call for call in every if call.changes()]
    chosen = faults.sample(chance, points, SAMPLED)
    for call in chosen:
        kill_at(place, call)
    print(f"publish: {len(every)} calls, {len(chosen)} kill points", flush=True)
    two_at_once(place)


sys.exit(faults.main(test))
