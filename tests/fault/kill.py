# SPDX-License-Identifier: MIT
"""The real program killed at each of its system calls that concern the store, while it pulls,
imports, replaces and removes kernels, moves them to the trash and back, and empties that: afterwards
there is the old state or the new one, the next start removes what is left over, and the same command
works."""
import sys

import faults

SAMPLED = 12
SAMPLED_MOVES = 5


def test(place):
    faults.kill_each(place, faults.scenarios, SAMPLED)
    faults.kill_each(place, faults.trash_scenarios, SAMPLED_MOVES)


sys.exit(faults.main(test))
