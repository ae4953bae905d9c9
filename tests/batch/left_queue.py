# SPDX-License-Identifier: MIT
"""Pulls that a console left running when it was quit: one process goes on with all of them, as a queue."""
import json
import os
import signal
import subprocess
from contextlib import contextmanager

from jobs_world import Console, id_of, jobs, names
from world import PATIENCE_S, PROGRAM, is_alive, main

AT_ONCE = 2
HANGING = ("hanging", "stuck")
WAITING = ("a", "b", "c")


def offer(world):
    """Two that hang, and three that would be done at once; no two of them the same."""
    url = world.server()
    entry = world.offer_kernel(url)
    kernels = []
    for number, name in enumerate(HANGING + WAITING):
        file, digest, size = world.kernel_bundle(f"{name}.tar.zst", "--seed", str(number + 10))
        how = "hang-body=1000/" if name in HANGING else ""
        kernels.append(dict(entry, name=name, tarball_url=f"{url}/{how}{file}", tarball_sha256=digest,
                            size_bytes=size))
    world.catalog(kernels=kernels)


def asked(world):
    """Names whose file was asked for."""
    targets = [request["target"].split("/")[-1] for request in world.requests()]
    return {target.split(".")[0] for target in targets}


@contextmanager
def left_queue(world):
    """The number of the process that goes on with it."""
    offer(world)
    console = Console(world, AT_ONCE)
    console.wait(b"hanging")
    for name in HANGING + WAITING:
        console.pull(name)
    console.type(b"q")
    console.wait(b"Leave running")
    console.type(b"l")
    assert console.ended() == 0
    world.wait_until(lambda: len(jobs(world)) == 5 and asked(world) == set(HANGING), "it goes on")
    (pid,) = {row["pid"] for row in jobs(world)}
    try:
        assert pid != console.pid
        yield pid
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
        world.wait_until(lambda: not is_alive(pid), "it is gone")


def nothing_is_left(world):
    # What is in there of a process that is gone is taken away by whoever looks.
    assert os.listdir(world.path("state", "jobs")) == []


def test_it_is_listed_as_a_queue(world):
    with left_queue(world) as pid:
        rows = jobs(world)
        assert names(world) == list(HANGING + WAITING)
        assert [row["state"] for row in rows] == ["running"] * 2 + ["queued"] * 3
        assert [row.get("place") for row in rows] == [None, None, 1, 2, 3], rows
        assert rows[3]["waits_for"] == rows[2]["command"]
        assert "kernel pull hanging" in rows[2]["waits_for"], rows
        # The lane takes two: nothing else has been asked for.
        assert asked(world) == set(HANGING)
        world.ok("job", "cancel", id_of(world, "stuck"))
        world.wait_until(lambda: names(world) == ["hanging"], "those behind it are done")
        assert is_alive(pid)
        world.ok("job", "cancel", id_of(world, "hanging"))
        world.wait_until(lambda: not is_alive(pid), "it ends with its last one")
        nothing_is_left(world)
        assert world.entries("kernels") == list(WAITING)
        order = sorted(WAITING, key=lambda name: os.stat(world.path("state", "kernels", name)).st_ctime_ns)
        assert order == list(WAITING)


def test_it_can_be_moved_and_stopped_one_by_one(world):
    with left_queue(world) as pid:
        os.kill(pid, signal.SIGHUP)  # whatever terminal is lost, it was not its own
        assert world.json("job", "move", id_of(world, "c"), "--first")["changed"] is True
        assert names(world) == list(HANGING) + ["c", "a", "b"]
        assert world.json("job", "move", id_of(world, "a"), "--last")["changed"] is True
        assert world.json("job", "move", id_of(world, "a"), "--last")["changed"] is False
        assert names(world) == list(HANGING) + ["c", "b", "a"]
        world.ok("job", "cancel", id_of(world, "b"))
        world.wait_until(lambda: names(world) == list(HANGING) + ["c", "a"], "one waits no more")
        world.ok("job", "cancel", id_of(world, "hanging"))
        world.wait_until(lambda: names(world) == ["stuck"], "the others are done")
        end = [os.stat(world.path("state", "kernels", name)).st_ctime_ns for name in ("c", "a")]
        assert end == sorted(end), end
        world.ok("job", "cancel", id_of(world, "stuck"))
        world.wait_until(lambda: not is_alive(pid), "it ends with its last one")
        nothing_is_left(world)
        assert world.entries("kernels") == ["a", "c"] and "b" not in asked(world)


def test_killed_it_is_forgotten(world):
    with left_queue(world) as pid:
        world.kill(pid)
        assert jobs(world) == []
        nothing_is_left(world)
        assert world.json("kernel", "pull", "a")["changed"] is True


def test_one_that_fails_stops_no_other(world):
    """Started by hand, so that what it says can be read."""
    offer(world)
    child = world.start("--internal-queue", "--", "kernel pull nowhere", "kernel pull a", program=PROGRAM,
                        stderr=subprocess.PIPE)
    _, said = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 2 and b"Sanitizer" not in said, (child.returncode, said)
    assert world.entries("kernels") == ["a"]
    with open(world.path("state", "ui.json"), encoding="utf-8") as file:
        told = [json.loads(line) for line in json.load(file)["values"]["history"].splitlines()]
    assert [(one["line"], one["state"]) for one in told] == [
        ("kernel pull nowhere", "failed"), ("kernel pull a", "ok")], told
    assert told[0]["code"] == "NOT_FOUND" and told[0]["error"], told
    nothing_is_left(world)


def test_asked_to_end_it_keeps_what_it_has(world):
    offer(world)
    child = world.start("--internal-queue", "--", *(f"kernel pull {name}" for name in HANGING + WAITING),
                        program=PROGRAM, env={"BANGER_JOBS": "2"}, stderr=subprocess.PIPE)
    world.wait_until(lambda: len(jobs(world)) == 5 and asked(world) == set(HANGING), "all are listed")
    world.wait_until(lambda: [row.get("done", 0) > 0 for row in jobs(world)[:2]] == [True] * 2, "all begin")
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 143 and b"Sanitizer" not in said, (child.returncode, said)
    nothing_is_left(world)
    assert world.entries("kernels") == []
    assert len([part for part in world.parts() if part.endswith(".part")]) == 2, world.parts()


def test_several_of_one_command_are_a_queue_as_well(world):
    url = world.server()
    sources = [f"{url}/hang/one.json", f"{url}/two.json", f"{url}/three.json"]
    world.write("www/two.json", '{"version": 1, "kernels": [], "images": []}')
    world.write("www/three.json", '{"version": 1, "kernels": [], "images": []}')
    world.write("home/.config/banger/config.ini", "[catalogs]\n" + "".join(
        f"{name} = {source}\n" for name, source in zip(("one", "two", "three"), sources)))

    def commands():
        return [row["command"].split()[-1] for row in world.json("job", "list")]

    def id_of_last(word):
        return str(next(row["id"] for row in world.json("job", "list") if row["command"].split()[-1] == word))

    with open(os.devnull, "wb") as null:
        child = world.start("catalog", "refresh", "one", "two", "three", env={"BANGER_JOBS": "1"},
                            stdout=null, stderr=null)
    world.wait_until(lambda: commands() == ["one", "two", "three"], "all are listed")
    assert world.json("job", "move", id_of_last("three"), "--first")["changed"] is True
    assert commands() == ["one", "three", "two"]
    world.ok("job", "cancel", id_of_last("two"))
    world.wait_until(lambda: commands() == ["one", "three"], "one waits no more")
    world.ok("job", "cancel", id_of_last("one"))
    assert child.wait(timeout=PATIENCE_S) == 2  # some of many
    assert asked(world) == {"one", "three"}
    nothing_is_left(world)


main()
