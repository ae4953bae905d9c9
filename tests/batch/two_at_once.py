# SPDX-License-Identifier: MIT
"""Two processes on one state directory (B11)."""
import json
import os
import signal
import subprocess

from world import PATIENCE_S, main


def start_pull(world, behaviour):
    url = world.server()
    entry = world.offer_kernel(url)
    entry["tarball_url"] = f"{url}/{behaviour}/kernel.tar.zst"
    world.catalog(kernels=[entry])
    child = world.start("kernel", "pull", "lab", stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    world.wait_until(world.requests, "the server was asked")
    return child


def test_holder_is_named_when_waiting_ends(world):
    child = start_pull(world, "hang-body=1000")
    error = world.fails(75, "kernel", "pull", "lab", "--force", "--lock-timeout", "200ms")
    assert error["code"] == "BUSY" and str(child.pid) in error["message"]
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=PATIENCE_S) == 143


def waits_for(world, child):
    """What its job says it waits for."""
    rows = [row for row in world.json("job", "list") if row["pid"] == child.pid]
    return "".join(row["waits_for"] for row in rows if row.get("note") and "waits_for" in row)


def test_second_pull_takes_the_first_ones_result(world):
    """It existed only after the verb started."""
    child = start_pull(world, "held=1000")
    second = world.start("kernel", "pull", "lab", "--format", "json", stdout=subprocess.PIPE)
    world.wait_until(lambda: waits_for(world, second), "it waits")
    world.write("www/go", "")
    result = json.loads(second.communicate(timeout=PATIENCE_S)[0])
    assert second.returncode == 0 and child.wait(timeout=PATIENCE_S) == 0
    assert result["changed"] is False and world.entries("kernels") == ["lab"]


def test_jobs_of_another_process_are_listed_and_cancelled(world):
    child = start_pull(world, "hang-body=1000")
    (job,) = [row for row in world.json("job", "list") if row.get("object") == "kernel/lab"]
    assert job["pid"] == child.pid and job["command"] and job["phase"]
    world.wait_until(lambda: world.json("job", "ls")[0].get("total", 0) > 0, "the size is known")
    assert world.json("job", "list")[0]["done"] <= world.json("job", "list")[0]["total"]
    (row,) = world.json("job", "list")
    assert 0 <= row["percent"] < 100 and row["done_bytes"] == row["done"], row
    assert row["total_bytes"] == row["total"] and row["unit"] == "bytes", row
    world.ok("job", "cancel", str(job["id"]))
    assert child.wait(timeout=PATIENCE_S) == 130
    told = world.ok("events", "--since", "all", "job").lines()
    assert [line["names"] for line in told] == [["kernel pull lab"]], told  # who stopped it
    assert [row for row in world.json("job", "list") if row.get("object") == "kernel/lab"] == []


def test_one_that_waits_for_a_lock_says_so(world):
    """Whoever looks at the list sees why nothing happens."""
    child = start_pull(world, "hang-body=1000")
    waiting = world.start("kernel", "pull", "lab", "--force", stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    world.wait_until(lambda: str(child.pid) in waits_for(world, waiting), "it names whom it waits for")
    for process in (waiting, child):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 143


def test_unknown_job(world):
    world.ok("kernel", "list")
    world.fails(66, "job", "cancel", "123456")


def test_killed_pull_leaves_nothing_that_disturbs(world):
    child = start_pull(world, "hang-body=1000")
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=PATIENCE_S)
    world.offer_kernel(world.server())
    assert world.json("kernel", "pull", "lab")["changed"] is True
    assert world.entries("kernels") == ["lab"]


main()
