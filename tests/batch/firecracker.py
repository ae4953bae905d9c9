# SPDX-License-Identifier: MIT
"""The lives of machines once more, on the stand-in for Firecracker: what a test of machines says holds
for each back end, unless it is named here with the reason. Some of them are taken, by chance and with
the seed printed; BANGER_CHECK_ALL=yes takes all."""
import importlib
import os
import sys

import machine_world
import world
from world import BUILDDIR
import seed

MODULES = ("machines", "machine_life", "terminal", "guest", "publish", "machine_truth",
           "snapshots")
OF_QEMU = (
    "machines_qemu_is_missing",  # there is a twin below
    "machine_life_set_of_a_running_machine_holds_from_the_next_start",  # reads QEMU's command line
    "machine_life_work_disk",  # the same
    "machine_life_set_knows_the_words_of_run",  # from QEMU to Firecracker, which is not there
    "machine_truth_what_the_guest_says",  # the stand-in has no network to count
)
ALWAYS = ("machines_life", "snapshots_memory", "machine_life_pause_and_resume", "terminal_console",
          "machine_life_a_paused_machine_is_stopped_in_order")
SAMPLE = 6


def collect():
    """name -> test of the other files, whose own main() must not run them."""
    run_all, world.main = world.main, lambda: None
    found = {}
    for name in MODULES:
        for key, value in vars(importlib.import_module(name)).items():
            if key.startswith("test_"):
                found[f"{name}_{key[5:]}"] = value
    world.main = run_all
    assert set(OF_QEMU) | set(ALWAYS) <= set(found), "a test was renamed"
    return {name: test for name, test in found.items() if name not in OF_QEMU}


def choose(tests):
    if os.environ.get("BANGER_CHECK_ALL") == "yes" or sys.argv[1:]:
        return list(tests)
    rest = sorted(set(tests) - set(ALWAYS))
    return list(ALWAYS) + seed.chance().sample(rest, SAMPLE)


def test_firecracker_is_missing(world):
    machine_world.prepare(world)
    world.write("config.ini", "[defaults]\nvmm = firecracker\naccel = kvm\n")
    error = world.fails(69, "vm", "run", "small", "--name", "web", env={"PATH": world.home})
    assert error["code"] == "UNSUPPORTED" and "--vmm qemu" in error["message"], error
    assert world.entries("vms") == []


def test_what_it_cannot_do_is_refused_early(world):
    """Nothing is made; each sentence names a way out."""
    machine_world.prepare(world)
    place = world.mkdir("shared")
    for words in (["--volume", f"{place}:/data"], ["--publish", "0:53/udp"], ["--accel", "tcg"]):
        for verb in ("create", "run"):
            error = world.fails(69, "vm", verb, "small", "--name", "web", *words)
            assert "--vmm qemu" in error["message"], error
    assert world.entries("vms") == []
    made = world.json("vm", "run", "small", "--name", "web")
    # User networking is a namespace of its own where this host gives one, else said to be missing.
    net = world.json("vm", "show", "web")["net"]
    assert net == "namespace" or (net == "none" and "network" in made["warning"]), made
    assert made["vmm"] == "firecracker", made
    machine_world.clean(world)


def test_memory_where_a_pause_loses_the_vsock(world):
    """Refused while nothing has happened yet; the disks alone are kept all the same."""
    machine_world.prepare(world)
    old = world.path("firecracker-1.16.1")
    os.symlink(os.path.join(BUILDDIR, "tests", "support", "fake_firecracker"), old)
    world.write("config.ini", f"[paths]\nfirecracker = {old}\n[defaults]\nvmm = firecracker\n"
                              "accel = kvm\n")
    world.ok("vm", "run", "small", "--name", "web")
    failure = world.fails(69, "vm", "snapshot", "create", "web", "one", "--memory")
    assert "--memory" in failure["message"], failure
    assert world.json("vm", "snapshot", "create", "web", "one")["memory"] is False
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    machine_world.clean(world)


machine_world.use_firecracker()
TESTS = collect()
for NAME in choose(TESTS):
    globals()[f"test_{NAME}"] = TESTS[NAME]
world.main()
