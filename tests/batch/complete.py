# SPDX-License-Identifier: MIT
"""The completion script for bash, asked as bash asks it (B14)."""
import os
import shutil
import subprocess

from machine_world import clean, prepare
from world import PATIENCE_S, PROGRAM, Skip, main


def complete(world, *words):
    """What is offered for the last of the words."""
    if shutil.which("bash") is None:
        raise Skip("bash is not installed")
    script = world.write("completion", world.ok("completion", "bash").out)
    asked = ('. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _banger_tui; '
             'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", asked, "bash", script, PROGRAM, *words], env=world.env,
                          cwd=world.place, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE_S)
    assert done.returncode == 0 and done.stderr == b"", done
    return done.stdout.decode().split()


def test_subjects_and_verbs(world):
    assert {"kernel", "image", "vm", "version"} <= set(complete(world, "--batch", ""))
    assert complete(world, "--batch", "ker") == ["kernel"]
    assert {"list", "pull", "rm"} <= set(complete(world, "--batch", "kernel", ""))
    assert complete(world, "kernel", "pu") == ["pull"]


def test_verbs_of_two_words(world):
    assert complete(world, "host", "tra") == ["trash"]
    assert complete(world, "host", "trash", "") == ["list", "restore", "empty"]
    assert "list" not in complete(world, "host", "")
    assert "--format" in complete(world, "host", "trash", "list", "--")


def test_options_and_choices(world):
    assert {"--force", "--if-absent", "--format"} <= set(complete(world, "kernel", "pull", "--"))
    assert complete(world, "kernel", "list", "--format", "json") == ["json", "jsonl"]
    assert complete(world, "--format", "json", "kernel", "pu") == ["pull"]


def test_live_names(world):
    assert complete(world, "kernel", "rm", "") == []
    world.ok("kernel", "import", "lab", "--from", world.kernel_tree())
    assert complete(world, "kernel", "rm", "") == ["lab"]
    assert complete(world, "kernel", "rm", "x") == []


def test_snapshots_of_the_machine_before(world):
    """And its name first; a new one has none to choose from."""
    prepare(world)
    for name in ("web", "db"):
        world.ok("vm", "create", "small", "--name", name)
        world.ok("vm", "snapshot", "create", name, f"of-{name}")
    world.ok("vm", "snapshot", "create", "web", "more")
    for verb in ("show", "restore", "rm"):
        assert complete(world, "vm", "snapshot", verb, "") == ["db", "web"]
        assert complete(world, "vm", "snapshot", verb, "web", "") == ["more", "of-web"]
        assert complete(world, "vm", "snapshot", verb, "db", "of") == ["of-db"]
        assert complete(world, "--format", "json", "vm", "snapshot", verb, "db", "") == ["of-db"]
    assert complete(world, "vm", "snapshot", "rm", "web", "more", "of") == ["of-web"]
    assert complete(world, "vm", "snapshot", "show", "nobody", "") == []
    assert "of-web" not in complete(world, "vm", "snapshot", "create", "web", "")
    clean(world)


def test_silent_when_there_is_no_state(world):
    world.env["BANGER_STATE_DIR"] = "/proc/nowhere"
    assert complete(world, "kernel", "show", "") == []


def test_other_shells_take_theirs(world):
    for shell, check in (("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"]),
                         ("bash", ["bash", "-n"])):
        script = world.write(f"c.{shell}", world.ok("completion", shell).out)
        if shutil.which(shell):
            subprocess.run([*check, script], check=True)
        assert os.path.getsize(script) > 0


main()
