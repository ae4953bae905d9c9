# SPDX-License-Identifier: MIT
"""SIGINT and SIGTERM cancel, keep what can be resumed, and end with 130 and 143 (B10)."""
import signal
import subprocess

from world import interrupt, main


def slow_pull(world, behaviour="hang-body=1000"):
    url = world.server()
    entry = world.offer_kernel(url)
    entry["tarball_url"] = f"{url}/{behaviour}/kernel.tar.zst"
    world.catalog(kernels=[entry])
    asked = len(world.requests())
    child = world.start("kernel", "pull", "lab", "--format", "json", stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
    world.wait_until(lambda: len(world.requests()) > asked, "the server was asked")
    return child


def test_interrupt(world):
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        child = slow_pull(world)
        assert interrupt(child, number) == status
        assert b'"CANCELLED"' in child.stdout.read()
        assert world.entries("kernels") == []


def test_pull_works_afterwards(world):
    child = slow_pull(world)
    assert interrupt(child) == 130
    world.offer_kernel(world.server())
    assert world.json("kernel", "pull", "lab")["changed"] is True
    assert world.parts() == []


def test_script_ends(world):
    child = world.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdin.write(b"version -q\n")
    child.stdin.flush()
    assert child.stdout.readline()
    assert interrupt(child, signal.SIGTERM) == 143


def test_ignored_signal_stays_ignored(world):
    """nohup: the pull goes on."""
    url = world.server("--rate", "2000000")
    entry = world.offer_kernel(url)
    entry["tarball_url"] = f"{url}/slow/kernel.tar.zst"
    world.catalog(kernels=[entry])
    child = world.start("kernel", "pull", "lab", stdout=subprocess.DEVNULL,
                        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    world.wait_until(world.requests, "the server was asked")
    assert interrupt(child, signal.SIGHUP) == 0
    assert world.entries("kernels") == ["lab"]


main()
