# SPDX-License-Identifier: MIT
"""What waits in a console, as other processes see it, put it in order and stop it."""
import os
import signal

from jobs_world import busy_console, id_of, jobs, names
from world import PATIENCE_S, main


def test_what_waits_is_listed_with_its_place(world):
    console = busy_console(world)
    running, *waiting = jobs(world)
    assert running["state"] == "running" and running["object"] == "kernel/hanging", running
    assert [row["state"] for row in waiting] == ["queued"] * 3
    assert [row["place"] for row in waiting] == [1, 2, 3], waiting
    assert {row["places"] for row in waiting} == {3}
    assert [row["object"] for row in waiting] == ["kernel/a", "kernel/b", "kernel/c"]
    assert waiting[0]["waits_for"] == running["command"]
    assert waiting[1]["waits_for"] == waiting[0]["command"]
    for row in jobs(world):
        assert row["pid"] == console.pid and row["terminal"].startswith("pts/"), row
        assert row["by"] == f"{row['login']} on {row['terminal']}", row
    # Nothing is written for them while they only wait.
    (name,) = [name for name in os.listdir(world.path("state", "jobs")) if name.endswith(".queue")]
    before = os.stat(world.path("state", "jobs", name)).st_ino
    done = running["done"]
    world.ok("job", "list")
    assert os.stat(world.path("state", "jobs", name)).st_ino == before, done
    console.end()


def test_what_waits_vanishes_with_its_process(world):
    console = busy_console(world)
    assert len(jobs(world)) == 4
    console.end(signal.SIGKILL)
    assert jobs(world) == []
    assert os.listdir(world.path("state", "jobs")) == []


def test_another_process_puts_it_in_order(world):
    console = busy_console(world)
    moves = (
        (("c", "--first"), ["c", "a", "b"]),
        (("c", "--down"), ["a", "c", "b"]),
        (("b", "--up"), ["a", "b", "c"]),
        (("a", "--last"), ["b", "c", "a"]),
        (("a", "--before", "c"), ["b", "a", "c"]),
    )
    for (name, place, *other), order in moves:
        words = [id_of(world, name), place] + [id_of(world, one) for one in other]
        assert world.json("job", "move", *words)["changed"] is True
        assert names(world) == ["hanging"] + order, words
        if place not in ("--up", "--down"):
            assert world.json("job", "move", *words)["changed"] is False
    # What was put in front is done first.
    world.ok("job", "cancel", id_of(world, "hanging"))
    world.wait_until(lambda: jobs(world) == [], "all is done")
    order = sorted(("a", "b", "c"), key=lambda name: os.stat(world.path("state", "kernels", name)).st_ctime_ns)
    assert order == ["b", "a", "c"], order
    console.end()


def test_one_that_waits_is_stopped_alone(world):
    console = busy_console(world)
    world.ok("job", "cancel", id_of(world, "b"))
    world.wait_until(lambda: names(world) == ["hanging", "a", "c"], "b is gone")
    assert [row.get("place") for row in jobs(world)] == [None, 1, 2]
    console.end()


def test_refusals(world):
    console = busy_console(world)
    waiting = id_of(world, "a")
    world.fails(64, "job", "move", waiting)
    world.fails(64, "job", "move", waiting, "--up", "--down")
    world.fails(66, "job", "move", id_of(world, "hanging"), "--first")
    world.fails(66, "job", "move", "123456", "--first")
    world.fails(66, "job", "move", waiting, "--before", id_of(world, "hanging"))
    world.fails(77, "job", "move", waiting, "--last", "--readonly")
    plan = world.json("job", "move", waiting, "--last", "--dry-run")["plan"]
    assert plan[0]["object"] == f"job/{waiting}"
    plan = world.json("job", "cancel", waiting, "--dry-run")["plan"]
    assert plan[0]["object"] == f"job/{waiting}"
    assert names(world) == ["hanging", "a", "b", "c"]
    console.end()


def test_one_that_is_stopped_does_not_answer_for_ever(world):
    """Its request is taken back: it is not obeyed later, when nobody thinks of it any more."""
    console = busy_console(world)
    waiting = id_of(world, "c")
    os.kill(console.pid, signal.SIGSTOP)
    world.fails(75, "job", "move", waiting, "--first", "--lock-timeout", "200ms")
    assert not [name for name in os.listdir(world.path("state", "jobs")) if ".move" in name]
    os.kill(console.pid, signal.SIGCONT)
    console.end()


def test_a_line_of_a_script_is_stopped_alone(world):
    """What comes of the lines behind it is for the script's own rule about failures."""
    url = world.server()
    entry = world.offer_kernel(url)
    hanging = dict(entry, name="hanging", tarball_url=f"{url}/hang-body=1000/kernel.tar.zst")
    world.catalog(kernels=[hanging, entry])
    script = world.write("pulls.banger", "kernel pull hanging\nkernel pull lab\n")
    for more, status, there in (((), 130, []), (("--keep-going",), 2, ["lab"])):
        with open(os.devnull, "wb") as null:
            child = world.start("--file", script, *more, stdout=null, stderr=null)
        world.wait_until(lambda: names(world) == ["hanging"], "its first line is under way")
        world.ok("job", "cancel", id_of(world, "hanging"))
        assert child.wait(timeout=PATIENCE_S) == status
        assert world.entries("kernels") == there


main()
