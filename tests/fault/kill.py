# SPDX-License-Identifier: MIT
"""The real program killed at each of its system calls that concern the store, while it pulls,
imports, replaces and removes: afterwards there is the old state or the new one, the next start
removes what is left over, and the same command works."""
import subprocess
import sys

import faults

SAMPLED = 12


def kill_at(place, scenario, call):
    why = f"{scenario.name} killed at {call}"
    scenario.reset(place)
    log = place.path("calls")
    done = subprocess.run(
        faults.trapped(place, ["--log", log, "--kill", str(call.number)], scenario.words),
        env=place.env, cwd=place.place, capture_output=True, timeout=60, check=False)
    # The process that unpacks may be the one that died; then the program says so.
    assert done.returncode in {137, 0} | faults.HONEST, (why, done)
    scenario.check_recovery(place, why)
    return done.returncode == 137


def test(place):
    chance = faults.seeded()
    for scenario in faults.scenarios(place):
        scenario.set_up(place)
        calls = scenario.calls(place)
        points = calls if faults.IS_ALL else [call for call in calls if call.changes()]
        chosen = faults.sample(chance, points, SAMPLED)
        killed = sum(kill_at(place, scenario, call) for call in chosen)
        print(f"{scenario.name}: {len(calls)} calls, {len(chosen)} kill points, "
              f"{killed} times the program itself", flush=True)


sys.exit(faults.main(test))
