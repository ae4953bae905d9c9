# SPDX-License-Identifier: MIT
"""Transfers as operators see them: mirrors, interruptions, and processes that want the same."""
import errno
import json
import os
import signal
import subprocess
import time

from world import BUILDDIR, PATIENCE_S, PROGRAM, Skip, main

MEGABYTES = 4 << 20
RATE = 20000  # bytes a second: longer than anybody waits


def offer(world, *behaviours, names=("lab",), size=65536):
    """Entries of those names for one bundle at several URLs, the first being their own."""
    url = world.server()
    file, digest, length = world.kernel_bundle("kernel.tar.zst", "--vmlinux-bytes", str(size))
    urls = [f"{url}/{behaviour}/{file}" for behaviour in behaviours]
    world.catalog(kernels=[
        {"name": name, "tarball_url": urls[0], "tarball_urls": urls[1:], "tarball_sha256": digest,
         "size_bytes": length} for name in names])
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[limits]\nretries = 0\n")
    return urls


def bundles_asked(world):
    return [request for request in world.requests() if "kernel.tar.zst" in request["target"]]


def test_mirrors_in_turn_with_one_digest(world):
    urls = offer(world, "404", "500", "flip=200", "short=100", "gzip", "ok")
    result = world.json("kernel", "pull", "lab")
    assert result["source"] == f"pull:{urls[0]}"  # the entry's, whoever served it
    assert result["fetched_from"] == urls[-1]
    assert world.manifest("kernels", "lab")["fetched_from"] == urls[-1]
    asked = [request["target"].split("/")[1] for request in bundles_asked(world)]
    assert list(dict.fromkeys(asked)) == ["404", "500", "flip=200", "short=100", "gzip", "ok"]


def test_no_mirror_has_it(world):
    offer(world, "404", "flip=200", "500")
    assert world.fails(65, "kernel", "pull", "lab")["code"] == "DIGEST"  # what tells most
    assert world.entries("kernels") == [] and world.parts() == []


def test_a_disk_that_fails_is_no_network(world):
    """What cannot be written here is not asked for again, of this mirror or of another."""
    at_call = os.path.join(BUILDDIR, "tests", "fault", "at_call")
    if not os.path.exists(at_call):
        raise Skip(f"{at_call} is not built")
    offer(world, "first=1+ok", "ok", size=MEGABYTES)
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[limits]\nretries = 5\n")
    log = world.path("calls")
    traced = {**world.env, "ASAN_OPTIONS": "detect_leaks=0"}  # it does not work under ptrace

    def pull(*options):
        return subprocess.run([at_call, *options, os.path.join(world.state, "cache", "downloads"),
                               PROGRAM, "--batch", "kernel", "pull", "lab", "--format", "json"],
                              env=traced, capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S)

    done = pull("--calls", "write,pwrite64", "--fail", "20", "--error", str(errno.EIO), "--log", log)
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    assert done.returncode == 74, (done.stdout, done.stderr)
    assert json.loads(done.stdout)["error"]["code"] == "IO", done.stdout
    assert len(bundles_asked(world)) == 1, bundles_asked(world)
    assert world.entries("kernels") == []
    # Once was enough; the disk is well again.
    assert world.json("kernel", "pull", "lab")["changed"] is True


def start_pull(world, name, *words):
    with open(world.path(f"said-{len(world.children)}"), "wb") as said:
        child = world.start("kernel", "pull", name, "--progress", "jsonl", *words,
                            stdout=subprocess.PIPE, stderr=said)
    child.said = said.name
    return child


def told(child):
    """What it told of its progress so far."""
    with open(child.said, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.startswith("{") and line.endswith("\n")]


def downloaded(child):
    """So many bytes were there, each time."""
    return [line["done"] for line in told(child) if line.get("phase") == "download" and line["done"]]


def end_of(world, child):
    out, _ = child.communicate(timeout=PATIENCE_S)
    world.children.remove(child)
    return child.returncode, out.decode(), told(child)


def test_interrupted_within_a_second_and_gone_on_with(world):
    offer(world, f"first=1+rate={RATE}", size=MEGABYTES)
    child = start_pull(world, "lab")
    world.wait_until(lambda: any(name.endswith(".part") for name in world.parts()), "it began")
    time_asked = time.monotonic()
    child.send_signal(signal.SIGINT)
    status, _, lines = end_of(world, child)
    assert time.monotonic() - time_asked < PATIENCE_S < MEGABYTES / RATE
    assert status == 130 and lines[-1]["result"] == "cancelled"
    assert world.entries("kernels") == []
    if not world.parts():
        return  # interrupted before the first byte
    result = world.json("kernel", "pull", "lab")
    assert result["changed"] is True and world.parts() == []
    assert "range" in bundles_asked(world)[-1]["headers"]


def both_at_once(world, first, second):
    """Two pulls; the second one sees what is there of the first one's before that goes on."""
    one = start_pull(world, first)
    world.wait_until(lambda: any(name.endswith(".part") for name in world.parts()), "it began")
    two = start_pull(world, second)
    world.wait_until(lambda: downloaded(two), "the second one sees it")
    world.write("www/go", "")
    ends = [end_of(world, one), end_of(world, two)]
    assert [status for status, _, _ in ends] == [0, 0], ends
    assert len(bundles_asked(world)) == 1, bundles_asked(world)
    assert world.parts() == []
    for child, (_, _, lines) in zip((one, two), ends):
        seen = downloaded(child)
        assert seen and seen == sorted(seen), lines
        assert lines[-1]["result"] == "ok"


def test_one_name_wanted_twice_is_fetched_once_and_both_see_it(world):
    offer(world, f"held={MEGABYTES // 2}", size=MEGABYTES)
    both_at_once(world, "lab", "lab")
    assert world.entries("kernels") == ["lab"]


def test_two_names_of_one_bundle_share_the_download(world):
    offer(world, f"held={MEGABYTES // 2}", names=("lab", "twin"), size=MEGABYTES)
    both_at_once(world, "lab", "twin")
    assert world.entries("kernels") == ["lab", "twin"]
    assert world.manifest("kernels", "lab")["sha256"] == world.manifest("kernels", "twin")["sha256"]


main()
