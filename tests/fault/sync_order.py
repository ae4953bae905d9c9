# SPDX-License-Identifier: MIT
"""The order of the calls with which an entry is published: each of its files and directories is
synced after its last change and before the rename that gives the entry its name, the directory above
it after that, and only then the job is at its end."""
import os
import sys

import faults

FILLS = {"write", "pwrite64", "writev", "copy_file_range", "ioctl", "ftruncate", "fallocate"}


def check_order(scenario, calls):
    """Follows one run; returns how many files and directories were synced."""
    dirty, synced, renamed, parent = {}, 0, None, None
    for call in calls:
        is_staged = "/.tmp-" in call.path
        if call.name in ("renameat", "renameat2", "rename") and os.path.basename(
                call.path).startswith(".tmp-") and "/cache/" not in call.path:
            below = {path: last for path, last in dirty.items() if path.startswith(call.path)}
            assert not below, f"{scenario.name}: renamed before it was synced: " + \
                "; ".join(f"{path} after {last}" for path, last in below.items())
            renamed, parent = call.more, os.path.dirname(call.more)
        elif call.name in ("fsync", "fdatasync"):
            synced += dirty.pop(call.path, None) is not None
            if renamed and call.path == parent:
                parent = None
        elif is_staged and call.name in FILLS:
            assert renamed is None, f"{scenario.name}: changed after it had its name: {call}"
            dirty[call.path] = call
        elif call.name in ("mkdirat", "symlinkat") and is_staged or \
                call.more == "create" and is_staged:
            dirty[call.path] = call
            if "/.tmp-" in os.path.dirname(call.path):
                dirty[os.path.dirname(call.path)] = call
        elif call.name == "unlinkat" and "/jobs/" in call.path and call.path.endswith(".json"):
            assert renamed and parent is None, f"{scenario.name}: over before {parent} was synced"
    assert renamed and parent is None, f"{scenario.name}: the directory above is never synced"
    return synced


def test(place):
    for scenario in faults.scenarios(place):
        if scenario.name == "rm":
            continue
        scenario.set_up(place)
        calls = scenario.calls(place)
        wanted = sum(call.more == "create" and "/.tmp-" in call.path for call in calls)
        synced = check_order(scenario, calls)
        assert synced >= wanted > 0, (scenario.name, synced, wanted)
        print(f"{scenario.name}: {len(calls)} calls, {synced} files and directories synced in order",
              flush=True)


sys.exit(faults.main(test))
