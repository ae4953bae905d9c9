# SPDX-License-Identifier: MIT
"""Words that are wrong end with 64 before anything is made, and say so in the format asked for."""
import os

from world import main


def test_bad_words(world):
    for words in (
            ["kernl", "list"], ["kernel"], ["kernel", "lsit"], ["kernel", "list", "extra"],
            ["kernel", "pull"], ["kernel", "pull", ""], ["kernel", "pull", "../x"],
            ["kernel", "pull", "x" * 65], ["kernel", "pull", ".x"], ["kernel", "pull", "a/b"],
            ["kernel", "import", "lab"], ["kernel", "import", "lab", "--from"],
            ["kernel", "pull", "lab", "--nonsense"], ["kernel", "pull", "lab", "-Z"],
            ["kernel", "pull", "lab", "--force=yes"],
            ["kernel", "pull", "lab", "--force", "--if-absent"],
            ["kernel", "list", "--timeout", "soon"], ["kernel", "list", "--accel", "magic"],
            ["kernel", "list", "--progress", "loud"], ["kernel", "list", "--progress-fd", "-1"],
            ["image", "register", "x", "--rootfs", "/x"],
            ["image", "register", "x", "--rootfs", "/x", "--kernel-ref", "a", "--kernel", "/b"],
            ["vm", "run", "debian", "--name", "Web"], ["vm", "run", "debian", "--name", "-web"],
            ["vm", "run", "debian", "--memory", "0"], ["vm", "run", "debian", "--memory", "-1G"],
            ["vm", "run", "debian", "--vcpu", "0"],
            ["vm", "run", "debian", "-d", "--rm"],
            ["vm", "wait", "web", "--for", "godot"],
            ["frobnicate"], ["--frobnicate"]):
        error = world.fails(64, *words)
        assert error["code"] == "INVALID", (words, error)
    assert not os.path.exists(world.state)


def test_bad_words_of_streams(world):
    for words in (
            ["vm", "run", "debian", "-d", "--", "true"], ["vm", "run", "debian", "--"],
            ["vm", "exec", "web"], ["vm", "exec", "web", "--"], ["vm", "exec", "web", "id"],
            ["vm", "exec", "web", "--env", "x", "--", "id"], ["vm", "logs"], ["vm", "console"]):
        world.fails_streaming(64, *words)
    assert not os.path.exists(world.state)


def test_format_itself_is_wrong(world):
    result = world.run("kernel", "list", "--format", "xml")
    assert result.status == 64 and result.out == ""


def test_near_words_are_offered(world):
    for words, near in ((["kernl", "list"], "kernel"), (["kernel", "lsit"], "list"),
                        (["kernel", "pull", "x", "--forec"], "--force")):
        assert near in world.fails(64, *words)["message"]


def test_jsonl_is_one_line(world):
    result = world.run("kernel", "lsit", "--format=jsonl")
    assert result.status == 64
    assert [list(line) for line in result.lines()] == [["error"]]


def test_error_goes_where_the_format_says(world):
    """The option stands behind the word that is wrong."""
    result = world.run("frobnicate", "--format", "json")
    assert result.json()["error"]["code"] == "INVALID"


def test_stdin_that_is_no_terminal(world):
    """What needs a terminal says so instead of hanging."""
    for words in (["vm", "console", "web"], ["vm", "exec", "-t", "web", "--", "sh"]):
        world.fails_streaming(64, *words)
    assert not os.path.exists(world.state)


main()
