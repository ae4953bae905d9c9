# SPDX-License-Identifier: MIT
"""Machines that an earlier version of this program started, and their monitors, which go on running
when the program is replaced: the present one works with them, and the earlier one with those of the
present. The earlier one is BANGER_PREVIOUS, a build directory; with BANGER_CHECK_ALL=yes it is built
from BANGER_PREVIOUS_REVISION, or from the commit before this one."""
import os
import subprocess

from machine_world import clean, prepare
from world import PATIENCE_S, PROGRAM, SRCDIR, Skip, main, need, sha256_of

REVISION = os.environ.get("BANGER_PREVIOUS_REVISION", "HEAD~1")
MIB = 1 << 20


def git(*words, **more):
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", SRCDIR, *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)


def build(world):
    """The earlier program, out of the history and nothing else."""
    for tool in ("git", "tar", "autoreconf", "make"):
        need(tool)
    if git("rev-parse", "--verify", "--quiet", REVISION + "^{commit}").returncode != 0:
        raise Skip(f"there is no {REVISION} in the history")
    source = world.mkdir("previous")
    archive = git("archive", REVISION).stdout
    subprocess.run(["tar", "-xC", source], input=archive, check=True)
    for words in (["./autogen.sh"], ["./configure", "--quiet"],
                  ["make", f"-j{os.cpu_count() or 1}", "banger-tui"]):
        done = subprocess.run(words, cwd=source, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout[-2000:].decode("utf-8", "replace")
    return os.path.join(source, "banger-tui")


def previous(world):
    place = os.environ.get("BANGER_PREVIOUS")
    if place:
        return os.path.join(place, "banger-tui")
    if os.environ.get("BANGER_CHECK_ALL") != "yes":
        raise Skip("an earlier version takes minutes to build: BANGER_CHECK_ALL=yes")
    return build(world)


def use(world, program, *words, status=0, **more):
    result = world.run("--batch", *words, program=program, **more)
    assert result.status == status, (program, str(result))
    return result


def work_with(world, program):
    """Everything that goes by way of the monitor, on a machine that runs."""
    assert [row["state"] for row in use(world, program, "vm", "list", "--format", "json").json()
            if row["name"] == "web"] == ["running"]
    assert use(world, program, "vm", "exec", "web", "--", "cat", stdin="through").out == "through"
    use(world, program, "vm", "exec", "web", "--", "sh", "-c", "exit 5", status=5)
    use(world, program, "vm", "cp", world.path("large"), "web:" + world.path("there"))
    assert sha256_of(world.path("large")) == sha256_of(world.path("there"))
    use(world, program, "vm", "cp", "web:" + world.path("there"), world.path("back"))
    assert sha256_of(world.path("large")) == sha256_of(world.path("back"))
    assert "Linux version" in use(world, program, "vm", "logs", "web").out
    use(world, program, "vm", "stats", "web")
    use(world, program, "vm", "pause", "web")
    use(world, program, "vm", "resume", "web")
    use(world, program, "vm", "wait", "web")
    use(world, program, "host", "gc")
    for name in ("there", "back"):
        os.unlink(world.path(name))


def test_each_understands_what_the_other_started(world):
    program = previous(world)
    prepare(world)
    with open(world.path("large"), "wb") as file:
        file.write(os.urandom(3 * MIB))
    for first, second in ((program, PROGRAM), (PROGRAM, program)):
        use(world, first, "vm", "run", "small", "--name", "web", "--append", "fake.realagent",
            "--publish", "0:80")
        pid = world.json("vm", "show", "web")["pid"]
        work_with(world, second)
        assert world.json("vm", "show", "web")["pid"] == pid
        waiting = world.start("--batch", "vm", "wait", "web", "--for", "exit", program=second)
        use(world, second, "vm", "stop", "web")
        assert waiting.wait(timeout=PATIENCE_S) == 0
        shown = world.json("vm", "show", "web")
        assert shown["state"] == "stopped" and shown["exit"]["reason"] == "guest-poweroff", shown
        use(world, second, "vm", "start", "web", "--detach")
        use(world, first, "vm", "wait", "web")
        use(world, first, "vm", "rm", "web", "--force")
    clean(world)


main()
