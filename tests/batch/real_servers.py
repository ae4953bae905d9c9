# SPDX-License-Identifier: MIT
"""Pulls from servers people really use, and pulls that are killed at any moment."""
import os
import signal
import subprocess
import time

from web_world import nginx, plain_server
from world import main
import seed

KILLS = 40 if os.environ.get("BANGER_CHECK_ALL") == "yes" else 8


def pull_and_spoil(world, url):
    """A verified entry; then one flipped byte on the server refuses the same name."""
    entry = world.offer_kernel(url)
    result = world.json("kernel", "pull", "lab")
    assert result["source_sha256"] == entry["tarball_sha256"]
    assert world.parts() == []
    before = world.tree()
    path = os.path.join(world.www, "kernel.tar.zst")
    with open(path, "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    error = world.fails(65, "kernel", "pull", "lab", "--force")
    assert error["expected"] == entry["tarball_sha256"] != error["found"]
    assert world.tree() == before  # the old entry is untouched and nothing is beside it


def test_nginx(world):
    pull_and_spoil(world, f"http://127.0.0.1:{nginx(world)}")


def test_server_without_ranges_or_etags(world):
    pull_and_spoil(world, plain_server(world))


def test_killed_at_any_moment(world):
    moments = seed.chance()
    url = world.server()
    world.offer_kernel(f"{url}/rate=2000000")
    # How long a whole pull takes here, so that the kills fall into it.
    began = time.monotonic()
    world.ok("kernel", "pull", "lab")
    whole = time.monotonic() - began
    world.ok("kernel", "rm", "lab")
    for _ in range(KILLS):
        child = world.start("kernel", "pull", "lab", stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        try:
            child.wait(timeout=moments.uniform(0, whole))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        world.children.remove(child)
        # Whole or not there; what is not there can be pulled at once.
        rows = world.json("kernel", "list")
        assert [row["state"] for row in rows] in ([], ["ok"]), rows
        result = world.json("kernel", "pull", "lab", "--if-absent")
        assert result["verified"] == "pull" and result["state"] == "ok"
        # Killed between publishing and forgetting the download, its part stays for a week at most.
        assert world.parts() == [] or not result["changed"], world.parts()
        world.ok("kernel", "rm", "lab")
    # The next start sweeps, once the killed one's own child is gone as well.
    world.ok("kernel", "pull", "lab")
    assert world.entries("kernels") == ["lab"], world.entries("kernels")


main()
