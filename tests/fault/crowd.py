# SPDX-License-Identifier: MIT
"""Sixteen processes pull, import, replace, remove and list on one store at once, and some are killed
in the middle. Each worker has names of its own, where its next look must find exactly what its last
success left, and all share others, where creations and removals must add up. At the end every entry
is whole and nothing is left over. BANGER_SEED repeats the choices, CROWD_SECONDS makes it
longer."""
import json
import os
import random
import subprocess
import sys
import threading
import time

import faults
import seed
from world import PROGRAM

WORKERS = 16
SHARED = ["shared-1", "shared-2", "shared-3"]
SECONDS = float(os.environ.get("CROWD_SECONDS") or (60 if faults.IS_ALL else 12))
HANG_S = 120
ANSWERS = {0, 66, 73, 75}


class Shared:
    """What was answered about the names that all work on."""

    def __init__(self):
        self.lock = threading.Lock()
        self.made = dict.fromkeys(SHARED, 0)
        self.removed = dict.fromkeys(SHARED, 0)
        self.unknown = dict.fromkeys(SHARED, 0)


class Worker(threading.Thread):
    def __init__(self, place, number, first, end, shared):
        super().__init__()
        self.place, self.number, self.end, self.shared = place, number, end, shared
        self.random = random.Random(first * 1000 + number)
        self.own = {f"own-{number}-{letter}": {None} for letter in "ab"}  # what may be there
        self.done = self.killed = 0
        self.failure = None

    def command(self, name):
        """(words, what is published afterwards: "pull", "import" or None)"""
        action = self.random.choice(["pull", "pull", "import", "rm", "rm", "replace"])
        if action == "replace" and name in SHARED:
            action = "rm"
        if action == "rm":
            return ["kernel", "rm", name], None
        if action == "import":
            return ["kernel", "import", name, "--from", self.place.boot_tree], "import"
        return ["kernel", "pull", name] + (["--force"] if action == "replace" else []), "pull"

    def run_one(self, words):
        """Status and answer; None when it was killed."""
        with subprocess.Popen([PROGRAM, "--batch", "--format", "json", *words], env=self.place.env,
                              cwd=self.place.place, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as child:
            if self.random.random() < 0.15:
                time.sleep(self.random.random() * 0.3)
                if child.poll() is None:
                    child.kill()
                    child.communicate()
                    self.killed += 1
                    return None, None
            out, err = child.communicate(timeout=HANG_S)
        assert child.returncode in ANSWERS, (words, child.returncode, out, err)
        self.done += 1
        return child.returncode, json.loads(out)

    def on_shared(self, name):
        words, after = self.command(name)
        status, answer = self.run_one(words)
        with self.shared.lock:
            if status is None:
                self.shared.unknown[name] += 1
            elif status == 0 and answer.get("changed"):
                if after is None:
                    self.shared.removed[name] += 1
                else:
                    self.shared.made[name] += 1

    def on_own(self, name):
        words, after = self.command(name)
        status, answer = self.run_one(words)
        before = self.own[name]
        if status is None:
            self.own[name] = before | {after}
        elif status == 0:
            assert after is not None or before != {None}, (words, before)
            self.own[name] = {after}
        elif status == 66:
            assert after is None and None in before, (words, before, answer)
            self.own[name] = {None}
        elif status == 73:
            assert before != {None}, (words, before, answer)
            self.own[name] = before - {None}

    def look(self):
        status, rows = self.run_one(["kernel", "list"])
        if status is None:
            return
        assert all(row["state"] == "ok" for row in rows), rows
        there = {row["name"]: row["source"].split(":")[0] for row in rows}
        for name, possible in self.own.items():
            assert there.get(name) in possible, (name, there.get(name), possible)
            self.own[name] = {there.get(name)}

    def run(self):
        try:
            while time.monotonic() < self.end:
                turn = self.random.random()
                if turn < 0.15:
                    self.look()
                elif turn < 0.6:
                    self.on_own(self.random.choice(list(self.own)))
                else:
                    self.on_shared(self.random.choice(SHARED))
        except Exception as failure:  # told by the main thread
            self.failure = failure


def offer(place):
    """The same bundle under every name."""
    file, digest, size = place.kernel_bundle("kernel.tar.zst", "--modules")
    names = SHARED + [f"own-{i}-{letter}" for i in range(WORKERS) for letter in "ab"]
    place.catalog(kernels=[{
        "name": name, "distro": "test", "arch": "x86_64", "kernel_version": "6.1.0",
        "tarball_url": f"{place.url}/{file}", "tarball_sha256": digest, "size_bytes": size}
        for name in names])


def test(place):
    first = seed.first()
    offer(place)
    place.ok("kernel", "list")
    shared = Shared()
    workers = [Worker(place, i, first, time.monotonic() + SECONDS, shared) for i in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for worker in workers:
        if worker.failure is not None:
            raise worker.failure
    assert place.run("kernel", "rm", "never-there").status == 66
    assert faults.leftovers(place.state) == [], faults.leftovers(place.state)
    entries = faults.published(place.state)
    faults.check_hashes(entries)
    whole = {json.dumps(sorted((path, what) for path, what in entry.items() if path != "manifest.json"))
             for entry in entries.values()}
    assert len(whole) <= 2, "there are other entries than the two that were published"
    for worker in workers:
        for name, possible in worker.own.items():
            manifest = json.loads(entries[name]["manifest.json"][1]) if name in entries else None
            now = manifest["source"].split(":")[0] if manifest else None
            assert now in possible, (name, now, possible)
    for name in SHARED:
        off = shared.made[name] - shared.removed[name] - (name in entries)
        assert abs(off) <= shared.unknown[name], (name, off, shared.__dict__)
    print(f"{WORKERS} workers, {sum(w.done for w in workers)} commands, "
          f"{sum(w.killed for w in workers)} killed, {len(entries)} entries, all whole", flush=True)


sys.exit(faults.main(test))
