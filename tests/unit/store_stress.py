#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many processes change one store at once and some are killed in the middle: no lost, half or doubled
entry, every answer true, no deadlock, and nothing left over after a sweep. The seed is printed;
BANGER_SEED repeats it and STORE_STRESS_SECONDS makes it longer."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.environ["SRCDIR"], "tests/support"))
import seed  # noqa: E402

DRIVER = os.path.join(os.environ["BUILDDIR"], "tests/support/store_driver")
WORKERS = 8
PATIENCE_S = 120
NAMES = ["k0", "k1", "k2"]
# done, not found, exists, busy
ANSWERS = {0, 66, 73, 75}
ENV = dict(os.environ, LC_ALL="C")


def whole(state, name):
    """The content of an entry, None when there is none; a half one is a failure."""
    entry = os.path.join(state, "kernels", name)
    if not os.path.lexists(entry):
        return None
    with open(os.path.join(entry, "manifest.json"), encoding="ascii") as file:
        found = {json.load(file)["distro"]}
    for part in ("vmlinux", "modules/kernel/x.ko"):
        with open(os.path.join(entry, part), encoding="ascii") as file:
            found.add(file.read())
    assert len(found) == 1, (name, found)
    return found.pop()


class Worker(threading.Thread):
    def __init__(self, state, number, first, deadline):
        super().__init__()
        self.state, self.number, self.deadline = state, number, deadline
        self.random = random.Random(first * 1000 + number)
        self.done = self.killed = 0
        self.failure = None

    def once(self, turn):
        action = self.random.choice(["publish", "publish", "replace", "remove", "sweep"])
        name = self.random.choice(NAMES)
        with subprocess.Popen([DRIVER, self.state, action, name, f"w{self.number}-{turn}"], env=ENV,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
            if self.random.random() < 0.15:
                time.sleep(self.random.random() * 0.004)
                child.kill()
                child.communicate()
                self.killed += 1
                return
            _, said = child.communicate(timeout=PATIENCE_S)
            assert child.returncode in ANSWERS, (action, name, child.returncode, said)
            self.done += 1

    def run(self):
        turn = 0
        try:
            while time.monotonic() < self.deadline:
                self.once(turn)
                turn += 1
        except Exception as failure:  # told by the main thread
            self.failure = failure


def race(state):
    """All publish one new name: one wins."""
    racers = [subprocess.Popen([DRIVER, state, "publish", "race", str(i)], env=ENV,
                               stderr=subprocess.DEVNULL) for i in range(WORKERS)]
    codes = sorted(racer.wait(timeout=PATIENCE_S) for racer in racers)
    assert codes == [0] + [73] * (WORKERS - 1), codes
    assert whole(state, "race") is not None


def main():
    first = seed.first()
    seconds = float(os.environ.get("STORE_STRESS_SECONDS", "3"))
    place = tempfile.mkdtemp(prefix="banger-test-")
    try:
        state = os.path.join(place, "state")
        assert subprocess.run([DRIVER, state, "sweep", "x", "x"], env=ENV, check=False).returncode == 0
        workers = [Worker(state, i, first, time.monotonic() + seconds) for i in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for worker in workers:
            if worker.failure is not None:
                raise worker.failure
        race(state)
        assert subprocess.run([DRIVER, state, "sweep", "x", "x"], env=ENV, check=False).returncode == 0
        left = [name for name in os.listdir(os.path.join(state, "kernels")) if name.startswith(".")]
        assert left == [], left
        for name in NAMES:
            whole(state, name)
        print(f"{WORKERS} workers, {sum(w.done for w in workers)} changes, "
              f"{sum(w.killed for w in workers)} killed: every entry whole, nothing left over")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
