# SPDX-License-Identifier: MIT
"""Progress for programs and for people (B04)."""
import json
import os

from world import main

PHASES = {"resolve", "download", "verify", "extract", "publish", "boot", "wait"}


def pull_with_progress(world, *words):
    read_end, write_end = os.pipe()
    result = world.run("kernel", "pull", "lab", "--progress", "jsonl", "--progress-fd",
                       str(write_end), *words, pass_fds=[write_end])
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        return result, [json.loads(line) for line in lines]


def test_lines_and_exactly_one_result(world):
    world.offer_kernel(world.server())
    result, lines = pull_with_progress(world, "--format", "json")
    assert result.status == 0 and result.json()["changed"] is True
    assert result.err == ""
    for line in lines:
        assert line["schema"] == 1 and line["time"].endswith("Z")
        assert line["object"] == "kernel/lab" and line["job"] > 0
        assert line["phase"] in PHASES and line["unit"] in ("bytes", "entries", "steps")
        assert line["done"] >= 0 and line.get("total", 1) > 0
    assert ["result" in line for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["result"] == "ok" and lines[-1]["exit_status"] == 0


def test_failure_has_its_code(world):
    world.offer_kernel(world.server(), sha256="0" * 64)
    result, lines = pull_with_progress(world)
    assert result.status == 65
    assert lines[-1]["result"] == "failed" and lines[-1]["code"] == "DIGEST"
    assert lines[-1]["exit_status"] == 65
    assert sum("result" in line for line in lines) == 1


def test_none_and_auto_are_silent_in_a_pipe(world):
    world.offer_kernel(world.server())
    assert world.ok("kernel", "pull", "lab").err == ""
    assert world.ok("kernel", "pull", "lab", "--force", "--progress", "none").err == ""
    assert world.ok("kernel", "pull", "lab", "--force", "--progress", "plain").err != ""


def test_reader_that_went_away_does_not_end_the_pull(world):
    world.offer_kernel(world.server())
    read_end, write_end = os.pipe()
    os.close(read_end)
    world.ok("kernel", "pull", "lab", "--progress", "jsonl", "--progress-fd", str(write_end),
             pass_fds=[write_end])
    os.close(write_end)
    assert world.entries("kernels") == ["lab"]


def test_descriptor_that_is_not_open(world):
    world.offer_kernel(world.server())
    assert world.fails(64, "kernel", "pull", "lab", "--progress", "jsonl", "--progress-fd", "77")
    assert world.requests() == []


main()
