# SPDX-License-Identifier: MIT
"""Are the tests worth anything? Each line of mutants.py is taken out of a copy of the sources, one at
a time, and one of the tests named for it has to turn red; at most one in twenty may go unnoticed,
and is named. Only with BANGER_CHECK_ALL=yes: it takes half an hour. MUTANTS limits it to files
of these names; MUTANTS_SHARE=2/3 takes every third one, from the second on."""
import os
import shutil
import signal
import subprocess
import sys

from mutants import MUTANTS

SRCDIR = os.path.abspath(os.environ.get("SRCDIR", "."))
BUILDDIR = os.path.abspath(os.environ.get("BUILDDIR", "build"))
PLACE = os.path.join(BUILDDIR, "tests", "fault", "mutants")
COPY = os.path.join(PLACE, "source")
BUILD = os.path.join(PLACE, "build")
LOG = os.path.join(PLACE, "log")
HANG_S = 120

# Programs that a script needs beside banger-tui.
HELPERS = {"flatten_": "tests/support/flatten_driver", "store_faults": "tests/support/store_driver",
           "tests/fuzz/": "tests/fuzz/replay", "tests/fault/": "tests/fault/at_call",
           "sync_order": "tests/support/store_driver"}


def make(*targets):
    return subprocess.run(["make", "-C", BUILD, "-j2", "--no-print-directory", *targets],
                          capture_output=True, text=True, check=False)


def prepare():
    """A copy of its own, configured without warnings as errors: a change may leave a name unused."""
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(BUILD)
    shutil.copytree(SRCDIR, COPY, symlinks=True, ignore=lambda folder, names: [
        name for name in names if name in ("build", ".git", "autom4te.cache") or
        os.path.exists(os.path.join(folder, name, "config.status"))])
    done = subprocess.run([os.path.join(COPY, "configure"), "--quiet", "CFLAGS=-O1 -w",
                           f"CC={os.environ.get('CC') or 'gcc'}"], cwd=BUILD, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = make("all")
    assert done.returncode == 0, done.stderr[-4000:]


def programs(tests):
    """What has to be built for them."""
    wanted = ["banger-tui"]
    for test in tests:
        if not test.endswith(".py"):
            wanted.append(test)
        wanted += [helper for part, helper in HELPERS.items() if part in test]
    return wanted


def run_test(test):
    """"green", "red" or "skipped"; a test that hangs is red."""
    path = os.path.join(COPY if test.endswith(".py") else BUILD, test)
    command = [sys.executable, "-B", path] if test.endswith(".py") else [path]
    env = dict(os.environ, SRCDIR=COPY, BUILDDIR=BUILD, SANITIZERS="no", BANGER_CHECK_ALL="no",
               BANGER_TUI=os.path.join(BUILD, "banger-tui"), BANGER_SEED="7")
    with open(LOG, "wb") as log, subprocess.Popen(
            command, cwd=BUILD, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True) as child:
        try:
            status = child.wait(timeout=HANG_S)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            status = -1
    return {0: "green", 77: "skipped"}.get(status, "red")


def change(path, old, new):
    """Writes the changed file; the original text."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert text.count(old) == 1, f"{path}: stands there {text.count(old)} times: {old!r}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return text


def try_one(name, tests, old, new):
    """The test that noticed, or None."""
    path = os.path.join(COPY, "src", name)
    original = change(path, old, new)
    try:
        done = make(*programs(tests))
        assert done.returncode == 0, f"{name}: {old!r} -> {new!r}\n{done.stderr[-2000:]}"
        return next((test for test in tests if run_test(test) == "red"), None)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(original)


def chosen():
    words = os.environ.get("MUTANTS", "").split()
    first, step = (int(part) for part in os.environ.get("MUTANTS_SHARE", "1/1").split("/"))
    every = [(name, tests, old, new) for name, (tests, changes) in MUTANTS.items()
             for old, new in changes if not words or any(name.endswith("/" + word) for word in words)]
    return every[first - 1::step]


def check_green(mutants):
    """Without a change every one of these tests is green or cannot run here."""
    tests = sorted({test for _, tests, _, _ in mutants for test in tests})
    done = make(*programs(tests))
    assert done.returncode == 0, done.stderr[-4000:]
    for test in tests:
        verdict = run_test(test)
        print(f"unchanged: {test} is {verdict}", flush=True)
        if verdict == "red":
            with open(LOG, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"{test}: {log.read()[-4000:]}")


def check_list():
    """What is to be taken out is there, once."""
    for name, (_, changes) in MUTANTS.items():
        with open(os.path.join(SRCDIR, "src", name), encoding="utf-8") as file:
            text = file.read()
        stale = [old for old, _ in changes if text.count(old) != 1]
        assert not stale, f"{name}: not there once: {stale}"


def main():
    check_list()
    if os.environ.get("BANGER_CHECK_ALL") != "yes" or os.environ.get("SANITIZERS", "no") != "no":
        print("skipped: ./check --all runs it")
        return 77
    mutants = chosen()
    prepare()
    check_green(mutants)
    survived = []
    for name, tests, old, new in mutants:
        by = try_one(name, tests, old, new)
        print(f"{by or 'SURVIVED'}: {name}: {old!r} -> {new!r}", flush=True)
        if by is None:
            survived.append(name)
    print(f"{len(mutants)} changes, {len(mutants) - len(survived)} noticed, {len(survived)} survived")
    shutil.rmtree(PLACE)
    return 1 if len(survived) * 20 > len(mutants) else 0


if __name__ == "__main__":
    sys.exit(main())
