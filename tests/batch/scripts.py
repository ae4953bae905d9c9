# SPDX-License-Identifier: MIT
"""Scripts from a file and from stdin (B07)."""
import os
import subprocess

from world import PATIENCE_S, main


def test_lines_comments_and_line_ends(world):
    text = "# a comment\n\nversion -q\r\n  version -q   # and another\nversion -q"
    once = world.ok("version", "-q").out
    assert world.ok(stdin=text).out == once * 3
    assert world.ok("-", stdin=text).out == once * 3
    assert world.ok("--file", world.write("s", text)).out == once * 3
    assert world.ok("--file=" + world.path("s")).out == once * 3


def test_quoting_and_no_shell(world):
    result = world.run(stdin="kernel show '$(touch here)'\n")
    assert result.status == 64
    result = world.run(stdin="version; touch here\n")
    assert result.status == 64
    assert not os.path.exists(world.path("here"))


def test_first_error_ends_it_and_is_named(world):
    script = world.write("s", "version -q\nkernel lsit\nversion -q\n")
    result = world.run("--file", script)
    assert result.status == 64
    assert result.out == world.ok("version", "-q").out
    assert f"{script}:2" in result.err
    line = world.run("--file", script, "--format", "jsonl").lines()[-1]
    assert line["error"]["at"] == f"{script}:2"


def test_keep_going(world):
    some = "version -q\nkernel lsit\nversion -q\n"
    result = world.run("--keep-going", stdin=some)
    assert result.status == 2
    assert result.out == world.ok("version", "-q").out * 2
    assert world.run("--keep-going", stdin="kernel lsit\nnope\n").status == 64
    assert world.run("--keep-going", stdin="version\n").status == 0


def test_refused_text(world):
    assert world.run(stdin=b"version\0\n").status == 65
    assert world.run(stdin=b"version 'open\n").status == 64
    assert world.run(stdin=b"version \\\n").status == 64
    assert world.run(stdin=b"x" * 100000).status == 65


def test_script_is_not_there(world):
    assert world.fails(66, "--file", world.path("absent"))["code"] == "NOT_FOUND"
    assert world.run("--file", world.home).status != 0


def test_script_and_command_exclude_each_other(world):
    world.fails(64, "--file", "x", "version")


def test_options_of_the_run_are_not_for_lines(world):
    assert world.run(stdin=f"kernel list --state-dir {world.home}\n").status == 64
    assert world.run(stdin="version --format json\n").json()["name"] == "banger-tui"


def test_script_within_a_script(world):
    assert world.run(stdin="--file x\n").status == 64


def test_empty_script_is_nothing_to_do(world):
    result = world.ok(stdin="# nothing\n")
    assert result.out == "" and result.err == ""


def test_lines_are_answered_as_they_come(world):
    """A program may write one line, read the result, and write the next."""
    child = world.start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(3):
        child.stdin.write(b"version -q\n")
        child.stdin.flush()
        assert child.stdout.readline().strip()
    child.stdin.close()
    assert child.wait(timeout=PATIENCE_S) == 0


main()
