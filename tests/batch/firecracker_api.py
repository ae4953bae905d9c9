# SPDX-License-Identifier: MIT
"""What Firecracker's interface takes and refuses: the same calls against the stand-in of our tests and,
where FIRECRACKER_BIN names one and KVM opens, against a real one, so that the stand-in is no kinder.
The calls of our own plan are held against it in tests/unit/test_vmm_firecracker.c."""
import os

from firecracker_calls import AFTER, BEFORE, DONE, START, Machine, hold
from world import BUILDDIR, Skip, main


def stand_in():
    program = os.path.join(BUILDDIR, "tests", "support", "fake_firecracker")
    if not os.path.exists(program):
        raise Skip(f"{program} is not built")
    return program


def real_one():
    program = os.environ.get("FIRECRACKER_BIN")
    if not program:
        raise Skip("FIRECRACKER_BIN names none")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise Skip("/dev/kvm cannot be opened")
    return program


def test_the_stand_in(world):
    machine = Machine(world, stand_in(), "fake")
    try:
        hold(machine, BEFORE)
        assert machine.call("GET", "/", None)[1]["state"] == "Not started"
        hold(machine, [("PUT", "/actions", START, DONE)])
        assert machine.call("GET", "/", None)[1]["state"] == "Running"
        hold(machine, AFTER)
    finally:
        machine.close()


def test_a_real_one(world):
    """Up to the start: what comes after wants a KVM that is real (real_firecracker.py)."""
    machine = Machine(world, real_one(), "real")
    try:
        hold(machine, BEFORE)
        assert machine.call("GET", "/", None)[1]["state"] == "Not started"
    finally:
        machine.close()


main()
