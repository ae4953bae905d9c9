# SPDX-License-Identifier: MIT
"""The order of the calls with which an entry is published: each of its files and directories is
synced after its last change and before the rename that gives the entry its name, the directory above
it after that, and only then the job is at its end. What is taken away or renamed is so on the disk
before anything of it goes. Many files begin to go to the disk while more come."""
import os
import subprocess
import sys

import faults
import world

DRIVER = os.path.join(world.BUILDDIR, "tests", "support", "store_driver")

FILLS = {"write", "pwrite64", "writev", "copy_file_range", "ioctl", "ftruncate", "fallocate"}


def check_order(name, calls):
    """Follows one run; returns how many files and directories were synced."""
    dirty, synced, renamed, parent = {}, 0, None, None
    for call in calls:
        is_staged = "/.tmp-" in call.path
        if call.name in ("renameat", "renameat2", "rename") and os.path.basename(
                call.path).startswith(".tmp-") and "/cache/" not in call.path:
            below = {path: last for path, last in dirty.items() if path.startswith(call.path)}
            assert not below, f"{name}: renamed before it was synced: " + \
                "; ".join(f"{path} after {last}" for path, last in below.items())
            renamed, parent = call.more, os.path.dirname(call.more)
        elif call.name in ("fsync", "fdatasync"):
            synced += dirty.pop(call.path, None) is not None
            if renamed and call.path == parent:
                parent = None
        elif call.name == "syncfs":
            synced += len(dirty)
            dirty.clear()
        elif is_staged and call.name in FILLS:
            assert renamed is None, f"{name}: changed after it had its name: {call}"
            dirty[call.path] = call
        elif call.name in ("mkdirat", "symlinkat") and is_staged or \
                call.more == "create" and is_staged:
            dirty[call.path] = call
            if "/.tmp-" in os.path.dirname(call.path):
                dirty[os.path.dirname(call.path)] = call
        elif call.name == "unlinkat" and "/jobs/" in call.path and call.path.endswith(".json"):
            assert renamed and parent is None, f"{name}: over before {parent} was synced"
    assert renamed and parent is None, f"{name}: the directory above is never synced"
    return synced


def check_removal(name, calls):
    """The last rename is on the disk before a file of what was renamed goes."""
    renames = [i for i, call in enumerate(calls) if call.name.startswith("rename") and
               os.path.basename(os.path.dirname(call.path)) == "kernels"]
    assert renames, name
    last = calls[renames[-1]]
    for call in calls[renames[-1] + 1:]:
        if call.name == "fsync" and call.path == os.path.dirname(last.path):
            return
        assert call.name != "unlinkat" or not call.path.startswith(os.path.dirname(last.path)), \
            f"{name}: {call} before {last} was synced"
    raise AssertionError(f"{name}: {last} was never synced")


def drive(place, action, content):
    """The calls of one change by store_driver."""
    log = place.path("driven-calls")
    done = subprocess.run([faults.AT_CALL, "--log", log, place.path("driven"), DRIVER,
                           place.path("driven"), action, "k", content], env=place.env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (action, done.stderr)
    with open(log, encoding="utf-8", errors="replace") as file:
        return [faults.Call(line) for line in file]


def test_driven(place):
    """What the verbs do not show: their manifest is written last and syncs its directory."""
    for action in ("late", "many"):
        calls = drive(place, action, "content")
        synced = check_order(action, calls)
        assert synced >= sum(call.more == "create" and "/.tmp-" in call.path for call in calls) > 0
        check_removal(action, drive(place, "drop", ""))
    drive(place, "publish", "content")
    check_removal("rename", drive(place, "rename", "other"))


def test_many(place):
    """Of many files the first go to the disk while the last still come, by a thread of its own; what
    counts is the sync before the rename all the same."""
    tree = place.kernel_tree("boot", "many-tree")
    folder = os.path.join(tree, "lib", "modules", "6.1.0-test", "kernel")
    for i in range(120):
        with open(os.path.join(folder, f"large{i}.ko"), "wb") as file:
            file.truncate(4 << 20)
    scenario = faults.Scenario("many", ["kernel", "import", "lab", "--from", tree], lambda p: None, 73)
    scenario.set_up(place)
    calls = scenario.calls(place)
    check_order("many", calls)
    renamed = next(call for call in calls if call.name == "renameat2" and "/.tmp-" in call.path)
    early = [call for call in calls if call.name == "syncfs" and call.thread != renamed.thread]
    assert early and early[0].number < renamed.number, "the disk waits until everything is there"


def test(place):
    for scenario in faults.scenarios(place):
        if scenario.name == "rm":
            continue
        scenario.set_up(place)
        calls = scenario.calls(place)
        wanted = sum(call.more == "create" and "/.tmp-" in call.path for call in calls)
        synced = check_order(scenario.name, calls)
        assert synced >= wanted > 0, (scenario.name, synced, wanted)
        print(f"{scenario.name}: {len(calls)} calls, {synced} files and directories synced in order",
              flush=True)
    test_many(place)
    test_driven(place)


sys.exit(faults.main(test))
