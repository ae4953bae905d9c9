# SPDX-License-Identifier: MIT
"""Each call of the real program that concerns the store fails in turn, once and from then on, with
what disks and limits answer: no crash, no hang, the store has the old state or the new one, a failure
has a status of its own and one sentence, and afterwards the same command works."""
import errno
import subprocess
import sys

import faults
import seed
import world

SAMPLED = 9
HANG_S = 60 if world.SANITIZED else 5  # with the machine to itself a run takes 50 ms

MANY = 10**9
FEW = 3  # an interrupted call is tried again, for ever if need be
TRIED_AGAIN = {"read", "pread64", "write", "pwrite64"}

READS = {"read", "pread64", "getdents64", "newfstatat", "fstat", "fstatfs", "lseek"}
OPENS = {"openat", "openat2", "open"}
SPACE = {"write", "pwrite64", "writev", "copy_file_range", "ftruncate", "fallocate", "mkdirat",
         "renameat", "renameat2", "rename", "linkat", "symlinkat", "fsync", "fdatasync", "syncfs"}


def faults_of(call):
    """What may happen to a call: (errno or "short", how often)."""
    if call.name == "close":
        return []
    found = [("EIO", 1), ("EIO", MANY)]
    if call.name in OPENS:
        found += [("EMFILE", 1), ("EMFILE", MANY), ("EINTR", FEW), ("EACCES", 1)]
        found += [("ENOSPC", 1), ("EDQUOT", 1)] if call.more == "create" else []
    elif call.name in READS:
        found += [("EINTR", FEW)] if call.name in ("read", "pread64") else []
    elif call.name in SPACE:
        found += [("ENOSPC", 1), ("ENOSPC", MANY), ("EDQUOT", 1), ("EROFS", MANY)]
        found += [("EINTR", FEW)] if call.name in ("write", "pwrite64", "writev", "copy_file_range",
                                                   "fsync", "ftruncate", "fallocate") else []
        found += [("short", 1), ("short", MANY)] if call.name in (
            "write", "pwrite64", "copy_file_range") else []
    elif call.name == "flock":
        found += [("EINTR", FEW), ("ENOLCK", MANY)]
    if call.name in ("read", "pread64"):
        found += [("short", 1), ("short", MANY)]
    if call.name in ("openat2", "renameat2", "copy_file_range", "fallocate", "ioctl"):
        found += [("ENOSYS", MANY), ("EINVAL", MANY), ("EOPNOTSUPP", MANY)]
    return found


def fail_at(place, scenario, call, index, error, times):
    """index counts the calls of this name alone, so that from then on only they fail."""
    why = f"{scenario.name} with {error} x{times} from {call}"
    scenario.reset(place)
    number = error if error == "short" else str(getattr(errno, error))
    options = ["--calls", call.name, "--fail", str(index), "--error", number, "--times", str(times)]
    try:
        done = subprocess.run(faults.trapped(place, options, scenario.words), env=place.env,
                              cwd=place.place, capture_output=True, text=True, timeout=HANG_S,
                              check=False)
    except subprocess.TimeoutExpired as hang:
        raise AssertionError(f"{why}: hangs") from hang
    now = scenario.check_published(place.state, why)
    if done.returncode == 0:
        assert now == scenario.after, f"{why}: success without what was asked for"
    else:
        assert done.returncode in faults.HONEST, (why, done)
        assert done.stdout == "" and done.stderr.strip(), (why, done)
    if error == "short" or error == "EINTR" and call.name in TRIED_AGAIN:
        assert done.returncode == 0, (why, done)
    scenario.check_recovery(place, why)
    return done.returncode == 0


def cases_of(calls):
    """Every call with everything that may happen to it."""
    seen, cases = {}, []
    for call in calls:
        seen[call.name] = seen.get(call.name, 0) + 1
        cases += [(call, seen[call.name], *fault) for fault in faults_of(call)]
    return cases


def test(place):
    chance = seed.chance()
    for scenario in faults.scenarios(place):
        scenario.set_up(place)
        cases = cases_of(scenario.calls(place))
        chosen = faults.sample(chance, cases, SAMPLED)
        survived, wrong = 0, []
        for case in chosen:
            try:
                survived += fail_at(place, scenario, *case)
            except AssertionError as failure:
                wrong.append(failure)
        for failure in wrong:
            print(f"FAIL: {failure}", flush=True)
        assert not wrong, f"{len(wrong)} of {len(chosen)} failing calls are not survived"
        print(f"{scenario.name}: {len(chosen)} of {len(cases)} failing calls, "
              f"{survived} times it went well all the same", flush=True)


sys.exit(faults.main(test))
