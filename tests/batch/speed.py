# SPDX-License-Identifier: MIT
"""Short commands stay short: no thread, no TLS, no network that they do not need."""
import json
import os
import resource
import subprocess
import time

from world import SANITIZED, Skip, main

# Far above what it takes (about 5 ms), far below what one needless wait or start-up costs; on a busy
# machine, where starting a program that does nothing takes longer, so much more.
LIMIT_S = 0.150
# Processor time; 10,000 kernels take about 100 ms of it.
MANY, MANY_LIMIT_S = 10000, 0.400


def processor_time():
    """Of all that has ended; other programs on the machine do not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def best_of(clock, run):
    best = 1e9
    for _ in range(5):
        before = clock()
        run()
        best = min(best, clock() - before)
    return best


def start_something():
    subprocess.run(["true"], check=True)


def test_quick(world):
    if SANITIZED:
        raise Skip("sanitizers are slow")
    world.ok("kernel", "list")
    for words in (["version"], ["help"], ["kernel", "list"], ["kernel", "list", "-q"],
                  ["kernel", "list", "--available"]):
        took = best_of(time.monotonic, lambda: world.ok(*words))
        nothing = best_of(time.monotonic, start_something)
        assert took < LIMIT_S + 20 * nothing, (words, took, nothing)


def test_thousands(world):
    """10,000 kernels are listed from their manifests, each with what its own says, in time."""
    if SANITIZED:
        raise Skip("sanitizers are slow")
    for i in range(MANY):
        folder = os.path.join(world.state, "kernels", f"k{i:05}")
        os.makedirs(folder)
        for name, text in (("vmlinux", "kernel"), ("manifest.json", json.dumps({
                "name": f"k{i:05}", "distro": "debian", "arch": "x86_64", "kernel_version": f"6.{i}",
                "sha256": f"{i:064x}", "source": "pull:https://example.org/k.tar.zst",
                "imported_at": "2026-01-02T03:04:05Z", "format": 1}))):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
    rows = world.json("kernel", "list")
    assert [(row["name"], row["kernel_version"], row["sha256"], row["state"]) for row in rows] == \
        [(f"k{i:05}", f"6.{i}", f"{i:064x}", "ok") for i in range(MANY)]
    for words in (["kernel", "list"], ["kernel", "list", "--format", "json"]):
        took = best_of(processor_time, lambda: world.ok(*words))
        assert took < MANY_LIMIT_S, (words, took)


main()
