# SPDX-License-Identifier: MIT
"""What a logout does to machines: where the user lingers they live in scopes of the user's manager, else
in the session that started them; a manager that does not answer stops nobody."""
import json
import os
import shutil
import signal
import time

import login_world
from login_world import (LOGIND, SESSION, ask, begin_logind, begin_manager, end_logind, end_manager,
                         linger, logout, members, scopes)
from machine_world import clean, prepare, state
from world import main

login_world.enter()


def run(world, name="web", **more):
    """Started in the session."""
    return world.json("vm", "run", "small", "--name", name, "--append", "fake.realagent",
                      **{**SESSION, **more})


def show(world):
    return world.json("vm", "show", "web")


def handle(world):
    with open(world.path("state", "vms", "web", "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def processes(world):
    return {handle(world)[part]["pid"] for part in ("monitor", "vmm")}


def doctor(world):
    rows = world.run("host", "doctor", "--format", "json").json()
    (row,) = [row for row in rows if row["check"] == "logout"]
    return row


def assert_kept(world):
    """It is in a scope that is named after it, with the control group of its own inside."""
    row = show(world)
    assert row["runs_under"] == "user-manager", row
    assert row["unit"].startswith(f"banger-{row['uuid']}-") and row["unit"] in scopes(world), row
    assert processes(world) <= set(members("user")), (row, members("user"))
    place = handle(world)["cgroup"]
    assert place.endswith(f"/{row['unit']}/banger-{row['uuid']}"), place
    with open(place + "/cgroup.procs", encoding="utf-8") as file:
        assert processes(world) <= {int(line) for line in file}


def assert_none_left(world):
    world.wait_until(lambda: scopes(world) == [], "no scope is left")
    assert world.json("host", "gc", "--dry-run")["plan"] == []


def test_a_logout_ends_nothing(world):
    linger(True)
    manager = begin_manager(world)
    prepare(world)
    run(world)
    assert_kept(world)
    if "memory" in open(login_world.GROUPS + "/cgroup.subtree_control", encoding="utf-8").read():
        assert world.json("vm", "stats", "web")[0]["cgroup_memory_bytes"] > 0
    assert members("session-1.scope") == []
    logout()
    assert state(world) == "running"
    world.ok("vm", "exec", "web", "--", "true")
    unit = show(world)["unit"]
    world.ok("vm", "restart", "web")
    assert_kept(world)
    assert show(world)["unit"] != unit
    world.ok("vm", "stop", "web", **SESSION)
    assert not {"runs_under", "unit"} & set(show(world))
    assert_none_left(world)
    clean(world)
    end_manager(world, manager)


def test_a_new_monitor(world):
    """It is in no session either, and counted where the machine is."""
    linger(True)
    manager = begin_manager(world)
    prepare(world)
    run(world)
    before = handle(world)
    world.kill(before["monitor"]["pid"])
    world.ok("vm", "exec", "web", "--", "true", **SESSION)
    now = handle(world)
    assert now["vmm"] == before["vmm"] and now["monitor"] != before["monitor"], (before, now)
    assert_kept(world)
    world.wait_until(lambda: scopes(world) == [now["unit"]], "its own scope went when it left it")
    logout()
    world.ok("vm", "exec", "web", "--", "true")
    assert handle(world)["monitor"] == now["monitor"]
    # Everything killed: the record is settled, and nothing is left of the scope.
    for pid in processes(world):
        os.kill(pid, signal.SIGKILL)
    world.wait_until(lambda: state(world) == "crashed", "it is settled")
    world.ok("vm", "rm", "web")
    assert_none_left(world)
    clean(world)
    end_manager(world, manager)


def test_the_end_of_the_manager(world):
    """As at a shutdown: machines are stopped in order, those with a unit of their own too."""
    linger(True)
    prepare(world)
    manager = begin_manager(world)
    run(world)
    world.json("vm", "create", "small", "--name", "unit", "--append", "fake.realagent")
    world.ok("vm", "set", "unit", "--autostart", "yes", env={"XDG_CONFIG_HOME": world.home + "/.config"})
    ask(world, "daemon-reload")
    (unit,) = os.listdir(world.home + "/.config/systemd/user/default.target.wants")
    assert ask(world, "start", unit).returncode == 0, ask(world, "status", unit).stdout
    rows = world.json("vm", "list")
    assert {row["runs_under"] for row in rows} == {"user-manager"}, rows
    logout()
    end_manager(world, manager, is_quiet=True)
    for row in world.json("vm", "list"):
        assert row["state"] == "stopped" and row["exit"]["reason"] == "guest-poweroff", row
    assert world.json("host", "gc", "--dry-run")["plan"] == []
    clean(world)


def test_without_lingering_it_is_the_sessions(world):
    """As the manager would end with the session, too."""
    linger(False)
    manager = begin_manager(world)
    prepare(world)
    run(world)
    row = show(world)
    assert row["runs_under"] == "caller" and "unit" not in row and scopes(world) == [], row
    assert processes(world) <= set(members("session-1.scope"))
    logout()
    world.wait_until(lambda: state(world) == "crashed", "it ended with the session")
    clean(world)
    end_manager(world, manager)


def test_a_manager_that_is_gone_or_refuses(world):
    linger(True)
    manager = begin_manager(world)
    prepare(world)
    # A real refusal: it is about to end itself, and starts nothing any more.
    refusing = world.path("bin", "systemd-run")
    world.write("bin/systemd-run", "#!/bin/sh\necho 'Failed to start transient scope' >&2\nexit 1\n")
    os.chmod(refusing, 0o755)
    path = {"PATH": os.path.dirname(refusing) + ":" + world.env["PATH"]}
    result = world.ok("vm", "run", "small", "--name", "web", "-d", env=path, **SESSION)
    assert "Failed to start transient scope" in result.err, result
    assert show(world)["runs_under"] == "caller"
    world.ok("vm", "rm", "web", "--force")
    end_manager(world, manager)
    assert os.path.exists(login_world.RUNTIME + "/systemd/private")  # as a crash leaves it
    result = world.ok("vm", "run", "small", "--name", "web", "-d", **SESSION)
    assert show(world)["runs_under"] == "caller" and result.err.count("systemd") == 0, result
    clean(world)


def test_a_manager_that_hangs(world):
    """It is not waited for for ever, and what it does of it later comes to nothing."""
    linger(True)
    manager = begin_manager(world)
    prepare(world)
    os.kill(manager.pid, signal.SIGSTOP)
    began = time.monotonic()
    result = world.ok("vm", "run", "small", "--name", "web", "-d", **SESSION)
    assert time.monotonic() - began < 60 and "systemd" in result.err, result
    row = show(world)
    assert row["runs_under"] == "caller" and row["state"] == "running", row
    os.kill(manager.pid, signal.SIGCONT)
    assert_none_left(world)
    assert processes(world) <= set(members("session-1.scope"))
    clean(world)
    end_manager(world, manager)


def test_doctor(world):
    """logind is asked what it does, and for whom."""
    linger(True)
    manager = begin_manager(world)
    row = doctor(world)
    assert row["status"] == "ok" and "hint" not in row, row
    linger(False)
    row = doctor(world)
    assert row["status"] == "warn" and "enable-linger" in row["hint"], row
    if os.path.exists("/run/dbus") and shutil.which("dbus-daemon") and os.path.exists(LOGIND):
        assert_doctor_with_logind(world, manager)
    end_manager(world, manager)


def assert_doctor_with_logind(world, manager):
    for words, status in (("KillUserProcesses=yes\n", "warn"), ("KillUserProcesses=no\n", "ok"),
                          ("KillUserProcesses=yes\nKillExcludeUsers=root\n", "ok"),
                          ("KillUserProcesses=yes\nKillOnlyUsers=nobody\n", "ok"),
                          ("KillUserProcesses=yes\nKillOnlyUsers=root nobody\n", "warn")):
        children = begin_logind(world, words)
        linger(False)
        row = doctor(world)
        assert row["status"] == status and words[:17] in row["detail"], (words, row)
        assert ("hint" in row) == (status == "warn"), (words, row)
        if status == "warn":
            assert "enable-linger" in row["hint"], row
            # Lingering alone does not help: the manager has to be there.
            linger(True)
            os.rename(login_world.RUNTIME + "/systemd", login_world.RUNTIME + "/away")
            row = doctor(world)
            os.rename(login_world.RUNTIME + "/away", login_world.RUNTIME + "/systemd")
            assert row["status"] == "warn" and "user@" in row["hint"], row
        end_logind(world, children)
    linger(True)
    assert doctor(world)["status"] == "ok"
    assert manager.poll() is None


main()
