# SPDX-License-Identifier: MIT
"""Short commands stay short: no thread, no TLS, no network that they do not need."""
import time

from world import SANITIZED, Skip, main

# Far above what it takes (about 5 ms), far below what one needless wait or start-up costs.
LIMIT_S = 0.150


def best_of(world, *words):
    best = 1e9
    for _ in range(5):
        start = time.monotonic()
        world.ok(*words)
        best = min(best, time.monotonic() - start)
    return best


def test_quick(world):
    if SANITIZED:
        raise Skip("sanitizers are slow")
    world.ok("kernel", "list")
    for words in (["version"], ["help"], ["kernel", "list"], ["kernel", "list", "-q"],
                  ["kernel", "list", "--available"]):
        took = best_of(world, *words)
        assert took < LIMIT_S, (words, took)


main()
