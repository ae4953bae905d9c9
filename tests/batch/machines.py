# SPDX-License-Identifier: MIT
"""Whole lives of machines."""
import json
import os
import signal
import socket
import subprocess

from machine_world import clean, prepare, run, state
from web_world import held_port
from world import PATIENCE_S, interrupt, main

VM_FIELDS = {"name", "state", "image", "kernel_ref", "vmm", "accel", "vcpu", "memory_mib",
             "created_at"}


def test_life(world):
    prepare(world)
    result = run(world)
    assert result["name"] == "web" and result["state"] == "running" and result["changed"] is True
    assert result["ready_ms"] >= 0 and result["why"]
    assert [stage["stage"] for stage in result["timeline"]][-1] == "agent"
    assert all(stage["ms"] >= 0 for stage in result["timeline"])
    (row,) = world.json("vm", "list")
    assert VM_FIELDS | {"pid", "started_at"} <= set(row), row
    assert world.ok("vm", "ps", "-q", "--running").out == "web\n"
    assert world.json("vm", "start", "web")["changed"] is False
    assert world.json("vm", "stop", "web")["changed"] is True
    assert state(world) == "stopped" and world.json("vm", "show", "web")["exit"]
    assert world.json("vm", "list", "--running") == []
    assert world.json("vm", "stop", "web")["changed"] is False
    assert world.json("vm", "start", "web")["changed"] is True
    assert world.json("vm", "kill", "web")["changed"] is True
    world.ok("vm", "wait", "web", "--for", "exit")
    assert world.json("vm", "delete", "web")["changed"] is True
    assert world.entries("vms") == [] and world.json("vm", "ls") == []


def test_create_then_start(world):
    prepare(world)
    made = world.json("vm", "create", "small", "--name", "db", "--vcpu", "2", "--memory", "1G")
    assert made["name"] == "db" and made["state"] == "created"
    assert (made["vcpu"], made["memory_mib"]) == (2, 1024)
    world.fails(73, "vm", "create", "small", "--name", "db")
    world.ok("vm", "start", "db", "--detach")
    world.ok("vm", "wait", "db")
    assert state(world, "db") == "running"
    clean(world)


def kept_env(world, name):
    with open(os.path.join(world.state, "vms", name, "vm.json"), encoding="utf-8") as file:
        return json.load(file)["config"]["env"]


def test_an_environment_from_a_file(world):
    prepare(world)
    path = world.write("vm.env", "# of the site\n\nA=1\r\nB=two = 2 # all of it\n C=\u00fc\nD=")
    world.ok("vm", "create", "small", "--name", "web", "--env-file", path)
    assert kept_env(world, "web") == ["A=1", "B=two = 2 # all of it", "C=\u00fc", "D="]
    world.fails(66, "vm", "create", "small", "--name", "bad", "--env-file", world.path("none"))
    for line in (b"A", b"=1", b"A B=1", b"A=\xff", b"A=1\0"):
        spoiled = world.write("spoiled.env", b"OK=1\n" + line + b"\n")
        error = world.fails(64, "vm", "create", "absent", "--name", "bad", "--env-file", spoiled)
        assert spoiled in error["message"]
    world.fails(65, "vm", "run", "small", "--name", "bad", "--env-file",
                world.write("long.env", b"A=" + b"x" * 70000))
    assert world.entries("vms") == ["web"]
    clean(world)


def test_what_a_machine_is_made_of(world):
    prepare(world)
    world.ok("kernel", "import", "other", "--from", world.kernel_tree(name="other"))
    world.ok("vm", "create", "small", "--name", "web", "--disk-size", "2G", "--root", "copy",
             "--kernel-ref", "other", "--append", "quiet x=1", "--vmm", "qemu",
             "--publish", "8080:80", "--restart", "no")
    shown = world.json("vm", "show", "web")
    assert shown["root"] == "copy" and shown["kernel_ref"] == "other"
    assert shown["append"] == "quiet x=1" and shown["vmm"] == "qemu"
    assert shown["restart"] == "no" and "8080" in shown["publish"][0]
    assert world.fails(75, "kernel", "rm", "other")["code"] == "IN_USE"
    for words in (["--publish", "x"], ["--publish", "1:99999"], ["--restart", "maybe"],
                  ["--root", "maybe"], ["--vmm", "maybe"], ["--disk-size", "0"]):
        world.fails(64, "vm", "create", "small", "--name", "bad", *words)
    world.fails(64, "vm", "run", "small", "--name", "bad", "--rm", "--restart", "always")
    assert world.entries("vms") == ["web"]
    clean(world)


def test_port_clashes_are_told_before_anything_is_made(world):
    prepare(world)
    port = held_port(world)
    with socket.create_server(("127.0.0.1", port)):
        error = world.fails(75, "vm", "run", "small", "--name", "web", "--publish", f"{port}:80")
        assert error["code"] == "IN_USE" and str(port) in error["message"], error
        assert world.entries("vms") == []
        # One that is only made may be meant for later.
        world.ok("vm", "create", "small", "--name", "later", "--publish", f"{port}:80")
        assert world.fails(75, "vm", "start", "later")["code"] == "IN_USE"
        assert state(world, "later") == "created"
    run(world, "web", "", "--publish", f"{port}:80")
    error = world.fails(75, "vm", "start", "later")
    assert error["code"] == "IN_USE" and "VM web" in error["message"], error
    error = world.fails(64, "vm", "run", "small", "--name", "far", "--publish", "203.0.113.77:0:80")
    assert error["code"] == "INVALID" and "203.0.113.77" in error["message"], error
    world.fails(64, "vm", "create", "small", "--name", "twice", "--publish", "0.0.0.0:81:1",
                "--publish", "81:2")
    assert world.entries("vms") == ["later", "web"]
    world.ok("vm", "stop", "web")
    world.ok("vm", "start", "later")
    clean(world)


def test_kill_with_a_signal(world):
    prepare(world)
    run(world)
    assert world.json("vm", "kill", "web", "--signal", "TERM")["changed"] is True
    world.ok("vm", "wait", "web", "--for", "stopped")
    world.fails(64, "vm", "kill", "web", "--signal", "NOSUCH")
    clean(world)


def test_several_at_once(world):
    prepare(world)
    for name in ("a", "b"):
        world.ok("vm", "create", "small", "--name", name)
    rows = world.json("vm", "start", "b", "a")
    assert [row["name"] for row in rows] == ["b", "a"]
    result = world.run("vm", "stop", "a", "nope", "b", "--format", "json")
    assert result.status == 2
    assert [row["changed"] for row in result.json()] == [True, False, True]
    clean(world)


def test_exec(world):
    prepare(world)
    run(world)
    assert world.run("vm", "exec", "web", "--", "exit", "7").status == 7
    assert world.run("vm", "exec", "web", "--", "kill", "9").status == 137
    for word, status in (("missing", 127), ("denied", 126)):
        result = world.run("vm", "exec", "web", "--", word)
        assert result.status == status and word in result.err and result.out == "", str(result)
    data = os.urandom(300000)
    child = world.start("vm", "exec", "web", "--", "cat", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    assert child.communicate(data, timeout=PATIENCE_S)[0] == data and child.returncode == 0
    assert world.run("vm", "exec", "-n", "web", "--", "cat", stdin="text").out == ""
    environment = world.ok("vm", "exec", "--env", "A=1 2", "--workdir", "/tmp", "--user", "me",
                           "web", "--", "env").out
    assert "A=1 2" in environment
    clean(world)


def test_every_failure_of_ours_in_exec_is_125(world):
    prepare(world)
    world.fails_streaming(125, "vm", "exec", "nope", "--", "true")
    world.ok("vm", "create", "small", "--name", "web")
    world.fails_streaming(125, "vm", "exec", "web", "--", "true")
    clean(world)


def test_output_that_finds_no_room_is_a_failure(world):
    prepare(world)
    run(world)
    with open("/dev/full", "wb") as full:
        assert world.run("vm", "exec", "web", "--", "spew", "100", stdout=full).status == 125
        assert world.run("vm", "logs", "web", stdout=full).status == 74
    clean(world)


def test_exec_is_interrupted(world):
    prepare(world)
    run(world)
    child = world.start("vm", "exec", "web", "--", "cat", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdin.write(b"x")
    child.stdin.flush()
    assert child.stdout.read(1) == b"x"
    assert interrupt(child, signal.SIGTERM) == 143
    assert state(world) == "running"
    clean(world)


def test_run_a_command(world):
    prepare(world)
    result = world.run("vm", "run", "small", "--name", "web", "--", "exit", "5")
    assert result.status == 5 and state(world) == "running"
    result = world.run("vm", "run", "small", "--name", "gone", "--rm", "--", "exit", "0")
    assert result.status == 0 and result.out == ""
    assert world.entries("vms") == ["web"]
    clean(world)


def test_guest_that_never_answers(world):
    prepare(world)
    result = world.run("vm", "run", "small", "--name", "web", "--append", "fake.noagent",
                       "--timeout", "1s", "--format", "json")
    assert result.status == 124 and result.json()["error"]["code"] == "TIMEOUT", str(result)
    assert world.entries("vms") == ["web"] and state(world) in ("starting", "running")
    assert world.run("vm", "wait", "web", "--timeout", "300ms").status == 124
    clean(world)


def test_guest_that_panics_and_qemu_that_dies(world):
    prepare(world)
    for name, append in (("p", "fake.panic"), ("d", "fake.die=3")):
        result = world.run("vm", "run", "small", "--name", name, "--append", append)
        assert result.status == 69, str(result)
    clean(world)


def test_qemu_is_missing(world):
    prepare(world)
    world.write("config.ini", "")
    result = world.run("vm", "run", "small", "--name", "web", "--format", "json",
                       env={"PATH": world.home})
    assert result.status == 69 and result.json()["error"]["code"] == "UNSUPPORTED", str(result)
    clean(world)


def test_logs_and_text(world):
    prepare(world)
    run(world, "web", "fake.flood=4000")
    world.wait_until(lambda: "line 00000200" in world.ok("vm", "logs", "web").out, "line 200")
    whole = world.ok("vm", "logs", "web").out
    last = world.ok("vm", "logs", "web", "--tail", "3").out
    assert len(last.splitlines()) == 3 and whole.endswith(last)
    assert world.ok("vm", "logs", "web", "-T", "--tail", "1").out != last
    world.ok("vm", "logs", "web", "--since", "1h")
    line = whole.splitlines()[-1].strip()
    world.ok("vm", "wait", "web", "--for", f"text={line}")
    child = world.start("vm", "logs", "web", "--follow", stdout=subprocess.PIPE)
    assert child.stdout.read(10)
    world.ok("vm", "stop", "web")
    child.stdout.read()
    assert child.wait(timeout=PATIENCE_S) == 0
    world.fails_streaming(66, "vm", "logs", "nope")
    clean(world)


def test_wait_for_the_system(world):
    """What systemd says before it is up is no answer; a guest without it will never give one."""
    prepare(world)
    run(world, "web", "fake.systemd")
    world.ok("vm", "wait", "web", "--for", "system", "--timeout", "50s")
    # The words before were passed by: asked the first time, it was offline.
    run(world, "slow", "fake.systemd")
    result = world.run("vm", "wait", "slow", "--for", "system", "--timeout", "1ms")
    assert result.status == 124, str(result)
    run(world, "bare")
    world.fails(69, "vm", "wait", "bare", "--for", "system")
    # One that begins to answer and never does is waited for no longer than was said.
    run(world, "hung", "fake.hungsystemd")
    result = world.run("vm", "wait", "hung", "--for", "system", "--timeout", "300ms")
    assert result.status == 124, str(result)
    clean(world)


def test_refusals(world):
    prepare(world)
    run(world)
    before = world.entries("vms")
    world.fails(73, "vm", "run", "small", "--name", "web")
    assert world.fails(75, "vm", "rm", "web")["code"] in ("IN_USE", "BUSY")
    assert world.fails(75, "image", "rm", "small")["code"] == "IN_USE"
    world.fails(66, "vm", "start", "nope")
    for word, verb in (("wbe", "start"), ("wbe", "show"), ("we", "rm")):  # a slip, or half a name
        message = world.fails(66, "vm", verb, word)["message"]
        assert word in message and "web" in message.replace(word, "", 1), message
    wrong = world.run("vm", "forward", "web", "80")
    assert wrong.status == 64 and "--publish" not in wrong.err, str(wrong)  # no option of its own
    world.fails(66, "vm", "run", "nope", "--name", "other")
    assert world.run("vm", "stop", "web", "--readonly").status == 77
    assert world.entries("vms") == before and state(world) == "running"
    assert world.json("vm", "rm", "web", "--force")["changed"] is True
    assert world.entries("vms") == []


def test_dry_run_changes_nothing(world):
    prepare(world)
    before = world.tree()
    for verb in ("run", "create"):
        assert world.json("vm", verb, "small", "--name", "web", "--dry-run")["plan"]
    assert world.tree() == before
    world.ok("vm", "create", "small", "--name", "web")
    before = world.tree()
    for verb in ("start", "stop", "kill", "rm"):
        assert world.json("vm", verb, "web", "--dry-run")["plan"] is not None
    assert world.tree() == before and state(world) == "created"
    clean(world)


def test_machine_outlives_the_command_and_its_terminal(world):
    """The session that started it ends; the machine does not."""
    prepare(world)
    child = world.start("vm", "run", "small", "--name", "web", stdout=subprocess.DEVNULL,
                        start_new_session=True)
    assert child.wait(timeout=PATIENCE_S) == 0
    assert state(world) == "running"
    clean(world)


main()
