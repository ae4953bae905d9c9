# SPDX-License-Identifier: MIT
"""What needs no state directory, no home and no network: help, version, completion (B13)."""
import os

from world import PROGRAM, Skip, main


def bare(world):
    """Nothing to go by, and a state directory that could not be made."""
    del world.env["HOME"]
    world.env["BANGER_STATE_DIR"] = "/proc/nowhere"


def test_version(world):
    bare(world)
    facts = world.json("version")
    assert facts["name"] == "banger-tui" and facts["version"] and facts["schema"] == 1
    assert world.ok("version", "-q").out.strip() == facts["version"]
    assert world.ok("--version").out == world.ok("version").out


def test_help_of_everything(world):
    bare(world)
    table = world.json("help")
    assert {"verbs", "options", "topics", "exit_statuses"} <= set(table)
    for verb in table["verbs"]:
        words = [word for word in (verb.get("subject"), *verb["name"].split()) if word]
        by_help = world.ok("help", *words).out
        assert world.ok(*words, "--help").out == by_help
        for argument in verb["arguments"]:
            if not argument["positional"] and argument["kind"] != "rest":
                assert f"--{argument['name']}" in by_help
    for topic in table["topics"]:
        assert world.ok("help", topic["name"]).out.strip()


def test_exit_statuses_are_told(world):
    bare(world)
    text = world.ok("--help", "exit").out
    for row in world.json("help")["exit_statuses"]:
        assert f"{row['status']} " in text


def test_unknown_topic(world):
    bare(world)
    assert world.fails(64, "help", "kernle")["code"] == "INVALID"


def test_completion_scripts(world):
    bare(world)
    for shell in ("bash", "zsh", "fish"):
        assert world.ok("completion", shell).out.strip()
    world.fails(64, "completion", "tcsh")


def test_alias_is_batch_mode(world):
    alias = os.path.join(os.path.dirname(PROGRAM), "banger")
    if not os.path.exists(alias):
        raise Skip("there is no banger beside the program")
    result = world.run("version", program=alias)
    assert result.status == 0 and result.out == world.ok("version").out
    result = world.run("--batch", "version", program=alias)
    assert result.status == 0


def test_words_without_batch_name_the_line_to_type(world):
    result = world.run("kernel", "list", program=PROGRAM)
    assert result.status == 64 and "--batch" in result.err and result.out == ""


def test_version_and_help_need_no_batch_word(world):
    bare(world)
    for words, same in ((["--version"], ["version"]), (["--help"], ["help"]),
                        (["--help", "exit"], ["help", "exit"])):
        result = world.run(*words, program=PROGRAM)
        assert result.status == 0 and result.out == world.ok(*same).out
    assert world.run("--nonsense", program=PROGRAM).status == 64


def test_nothing_was_made(world):
    world.ok("version")
    world.ok("help")
    world.ok("completion", "bash")
    assert not os.path.exists(world.state)
    assert os.listdir(world.home) == []


main()
