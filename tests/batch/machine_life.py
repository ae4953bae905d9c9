# SPDX-License-Identifier: MIT
"""What can be done to a machine that is there: its life, its parts, its name."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import time

from machine_world import clean, prepare, run, state
from world import main


def spec_path(world, name):
    return os.path.join(world.state, "vms", name, "vm.json")


def read_spec(world, name="web"):
    with open(spec_path(world, name), encoding="utf-8") as file:
        return json.load(file)


def test_pause_and_resume(world):
    prepare(world)
    run(world)
    paused = world.json("vm", "pause", "web")
    assert paused["changed"] is True and paused["state"] == "paused"
    assert world.json("vm", "pause", "web")["changed"] is False
    world.fails_streaming(125, "vm", "exec", "web", "--", "true")
    world.fails(69, "vm", "start", "web")
    assert [row["name"] for row in world.json("vm", "list", "--running")] == ["web"]
    resumed = world.json("vm", "resume", "web")
    assert resumed["changed"] is True and resumed["state"] == "running"
    assert world.json("vm", "resume", "web")["changed"] is False
    assert world.run("vm", "exec", "web", "--", "exit", "3").status == 3
    world.ok("vm", "stop", "web")
    world.fails(69, "vm", "pause", "web")
    world.fails(69, "vm", "resume", "web")
    clean(world)


def test_a_paused_machine_is_stopped_in_order(world):
    """Asleep it would hear no power-off, and end by force with what it had not yet written."""
    prepare(world)
    run(world)
    world.ok("vm", "pause", "web")
    ended = world.json("vm", "stop", "web")
    assert ended["state"] == "stopped" and ended["exit"]["reason"] == "guest-poweroff", ended
    clean(world)


def test_restart(world):
    prepare(world)
    before = run(world)["pid"]
    result = world.json("vm", "restart", "web")
    assert result["changed"] is True and result["state"] == "running" and result["pid"] != before
    assert result["ready_ms"] >= 0
    world.ok("vm", "stop", "web")
    assert world.json("vm", "restart", "web", "--detach")["state"] in ("starting", "running")
    result = world.run("vm", "restart", "web", "nope", "--format", "json")
    assert result.status == 2 and [row["changed"] for row in result.json()] == [True, False]
    clean(world)


def test_kill_takes_any_signal_by_name_or_number(world):
    prepare(world)
    run(world)
    for word in ("CONT", "cont", "sigcont", "18"):
        world.ok("vm", "kill", "web", "--signal", word)
    assert state(world) == "running"
    world.ok("vm", "kill", "web", "-s", "sigkill")
    world.ok("vm", "wait", "web", "--for", "exit")
    clean(world)


def test_an_end_is_told_at_once(world):
    """Who ends a machine and its monitor once waited for each other, two seconds each time."""
    prepare(world)
    for words in (("kill",), ("stop",)):
        shortest_s = 60.0
        for _ in range(10):
            run(world)
            begin = time.monotonic()
            world.ok("vm", *words, "web")
            shortest_s = min(shortest_s, time.monotonic() - begin)
            world.ok("vm", "rm", "web", "--force")
            if shortest_s < 1.5:
                break
        assert shortest_s < 1.5, (words, shortest_s)
    clean(world)


def test_set(world):
    prepare(world)
    world.ok("kernel", "import", "other", "--from", world.kernel_tree(name="other"))
    world.ok("vm", "create", "small", "--name", "web", "--append", "a=1", "--publish", "0:80")
    changed = world.json("vm", "set", "web", "--vcpu", "3", "--memory", "1G", "--append", "b=2",
                         "--kernel-ref", "other", "--publish", "8081:81", "--publish", "8082:82")
    assert changed["changed"] is True and (changed["vcpu"], changed["memory_mib"]) == (3, 1024)
    shown = world.json("vm", "show", "web")
    assert shown["append"] == "b=2" and shown["kernel_ref"] == "other"
    assert len(shown["publish"]) == 2 and "8081" in shown["publish"][0]
    assert world.json("vm", "set", "web", "--vcpu", "3")["changed"] is False
    world.ok("vm", "set", "web", "--append", "", "--publish", "none")
    shown = world.json("vm", "show", "web")
    assert "append" not in shown and "publish" not in shown
    before = read_spec(world)
    for status, words in ((64, []), (64, ["--memory", "1M"]), (64, ["--publish", "x"]),
                          (64, ["--disk-size", "16M"]), (66, ["--kernel-ref", "nope"])):
        world.fails(status, "vm", "set", "web", *words)
    world.fails(66, "vm", "set", "nope", "--vcpu", "1")
    assert world.json("vm", "set", "web", "--vcpu", "1", "--dry-run")["plan"]
    assert read_spec(world) == before
    clean(world)


def test_set_knows_the_words_of_run(world):
    """What vm run decides, vm set changes; what could not start is refused and changes nothing."""
    prepare(world)
    world.env["FIRECRACKER_BIN"] = world.path("nowhere")
    world.write("key.pub", "ssh-ed25519 AAAA me\n")
    world.write("env", "A=1\nB=2\n")
    world.ok("vm", "create", "small", "--name", "web", "--env-file", "env")
    world.write("env", "B=3\nC=4\n")
    world.ok("vm", "set", "web", "--vmm", "qemu", "--ssh-key", "key.pub", "--env-file", "env")
    spec = read_spec(world)
    assert spec["vmm"] == "qemu" and spec["config"]["env"] == ["A=1", "B=3", "C=4"], spec
    assert spec["ssh_key"].endswith("/key.pub") and spec["ssh_key"].startswith("/"), spec
    before = world.tree()
    for status, *words in ((69, "--vmm", "firecracker"), (64, "--vmm", "other"),
                           (66, "--ssh-key", "nowhere"), (66, "--env-file", "nowhere"),
                           (69, "--vmm", "firecracker", "--dry-run"),
                           (64, "--memory", "900G", "--dry-run")):
        world.fails(status, "vm", "set", "web", *words)
    assert world.tree() == before
    world.ok("vm", "set", "web", "--vmm", "auto", "--ssh-key", "none")
    assert read_spec(world)["vmm"] == "auto" and "ssh_key" not in read_spec(world)
    rows = {row["name"]: {argument["name"] for argument in row["arguments"]}
            for row in world.json("help")["verbs"] if row.get("subject") == "vm"}
    assert rows["create"] - rows["set"] == {"image", "root"}, rows["create"] - rows["set"]
    clean(world)


def test_set_of_a_running_machine_holds_from_the_next_start(world):
    prepare(world)
    run(world)
    result = world.json("vm", "set", "web", "--memory", "768M")
    assert result["changed"] is True and result["note"] and result["state"] == "running"
    assert world.fails(75, "vm", "set", "web", "--disk-size", "20G")["code"] == "IN_USE"
    with open(f"/proc/{result['pid']}/cmdline", encoding="utf-8") as file:
        assert "768" not in file.read().split("\0")
    pid = world.json("vm", "restart", "web")["pid"]
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        assert "768" in file.read().split("\0")
    clean(world)


def test_restart_policy(world):
    """It comes back when its VMM dies, and not when it was stopped."""
    prepare(world)
    first = run(world, "web", "", "--restart", "on-failure")["pid"]
    os.kill(first, signal.SIGKILL)
    world.wait_until(lambda: world.json("vm", "show", "web").get("restarts") == 1, "a restart")
    world.ok("vm", "wait", "web")
    shown = world.json("vm", "show", "web")
    assert shown["state"] == "running" and shown["pid"] != first
    latest, before = shown["boots"]
    assert latest["ready_ms"] >= 0 and "exit" not in latest
    assert before["exit"]["reason"] == "killed" and before["timeline"][-1]["stage"] == "agent"
    assert before["ready_ms"] == before["timeline"][-1]["ms"], before
    assert world.run("vm", "exec", "web", "--", "exit", "4").status == 4
    world.ok("vm", "set", "web", "--restart", "no")
    assert world.json("vm", "stop", "web")["state"] == "stopped"
    assert world.json("vm", "show", "web")["restart"] == "no"
    clean(world)


def test_crash_loop(world):
    prepare(world)
    result = world.run("vm", "run", "small", "--name", "web", "--append", "fake.noagent fake.panic",
                       "--restart", "always", "--format", "json")
    assert result.status == 69, str(result)
    shown = world.json("vm", "show", "web")
    assert shown["state"] == "crashed" and shown["exit"]["reason"] == "panic", shown
    assert 4 <= len(shown["boots"]) <= 10
    assert all(boot["exit"]["reason"] == "panic" for boot in shown["boots"])
    clean(world)


def test_history_is_bounded(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web")
    for _ in range(12):
        world.ok("vm", "start", "web", "--detach")
        world.ok("vm", "kill", "web")
    boots = world.json("vm", "show", "web")["boots"]
    assert len(boots) == 10
    clean(world)


def test_autostart(world):
    """A unit of the user's own, as systemd wants it, that starts exactly this machine."""
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web")
    units = os.path.join(world.home, ".config", "systemd", "user")
    assert world.json("vm", "set", "web", "--autostart", "yes")["next"]
    name, wants = sorted(os.listdir(units), reverse=True)[1], "default.target.wants"
    assert sorted(os.listdir(units)) == sorted([name, wants]) and name.endswith(".service")
    link = os.path.join(units, wants, name)
    assert os.path.realpath(link) == os.path.join(units, name)
    if shutil.which("systemd-analyze"):
        done = subprocess.run(["systemd-analyze", "verify", "--user", os.path.join(units, name)],
                              env=world.env, capture_output=True, text=True, check=False)
        assert name not in done.stderr, done.stderr
    with open(link, encoding="utf-8") as file:
        lines = dict(line.split("=", 1) for line in file.read().splitlines() if "=" in line)
    env = {key: value for key, value in world.env.items() if key != "BANGER_STATE_DIR"}
    subprocess.run(shlex.split(lines["ExecStart"]), env=env, stdout=subprocess.DEVNULL, check=True)
    world.ok("vm", "wait", "web")
    subprocess.run(shlex.split(lines["ExecStop"]), env=env, stdout=subprocess.DEVNULL, check=True)
    assert state(world) == "stopped" and world.json("vm", "show", "web")["autostart"] is True
    world.ok("vm", "rename", "web", "www")
    with open(link, encoding="utf-8") as file:
        assert '"www"' in file.read()
    world.ok("vm", "clone", "www", "twin")
    assert "autostart" not in world.json("vm", "show", "twin") and len(os.listdir(units)) == 2
    world.ok("vm", "rm", "www")
    assert os.listdir(units) == [wants] and os.listdir(os.path.join(units, wants)) == []
    world.ok("host", "trash", "restore", "www")
    assert world.json("vm", "show", "www")["autostart"] is True
    with open(link, encoding="utf-8") as file:
        assert '"www"' in file.read()
    clean(world)
    assert os.listdir(os.path.join(units, wants)) == []


def test_disks_grow(world):
    prepare(world)
    for root, file in (("overlay", "upper.ext4"), ("copy", "root.ext4")):
        world.ok("vm", "create", "small", "--name", root, "--root", root, "--disk-size", "64M")
        disk = os.path.join(world.state, "vms", root, file)
        assert os.path.getsize(disk) == 64 << 20
        world.ok("vm", "set", root, "--disk-size", "3G")
        assert os.path.getsize(disk) == 3 << 30
        assert world.json("vm", "show", root)["size_bytes"] == 3 << 30
        assert world.json("vm", "show", root)["disk_bytes"] < 1 << 20
        assert subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0
    clean(world)


def test_more_than_this_host_has(world):
    """Refused before anything is made or fetched; what is only tight is said."""
    prepare(world)
    before = world.tree()
    for words in (["--memory", "4000G"], ["--vcpu", "1", "--memory", "900G"]):
        world.fails(64, "vm", "run", "nowhere", "--name", "web", *words)
        world.fails(64, "vm", "create", "small", "--name", "web", *words)
    assert world.tree() == before
    world.ok("vm", "create", "small", "--name", "web")
    world.fails(64, "vm", "set", "web", "--memory", "900G")
    spec = read_spec(world)
    with open(spec_path(world, "web"), "w", encoding="utf-8") as file:
        json.dump({**spec, "memory_mib": 900 << 10}, file)
    world.fails(69, "vm", "start", "web")  # made on another host
    with open("/proc/meminfo", encoding="utf-8") as file:
        total_mib = int(file.readline().split()[1]) // 1024
    with open(spec_path(world, "web"), "w", encoding="utf-8") as file:
        json.dump({**spec, "memory_mib": total_mib}, file)
    assert world.json("vm", "start", "web")["warning"]
    clean(world)


def test_work_disk(world):
    """An image with a seed: each machine has its own copy, and shows it to the guest."""
    prepare(world)
    seed = os.path.join(world.state, "images", "small", "work-seed.ext4")
    with open(seed, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", seed], check=True)
    pid = run(world)["pid"]
    disk = os.path.join(world.state, "vms", "web", "work.ext4")
    subprocess.run(["cmp", seed, disk], check=True)
    assert os.stat(disk).st_blocks <= os.stat(seed).st_blocks + 64
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        assert "serial=work" in file.read()
    world.ok("vm", "stop", "web")
    world.ok("vm", "clone", "web", "twin")
    assert os.path.exists(os.path.join(world.state, "vms", "twin", "work.ext4"))
    clean(world)


def test_a_nested_home_is_put_right_at_the_start(world):
    prepare(world)
    tree = world.mkdir("seed", "root")
    world.write(os.path.join("seed", "root", "mine"), "at home")
    seed = os.path.join(world.state, "images", "small", "work-seed.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", os.path.dirname(tree), seed, "32M"], check=True)
    run(world)
    world.ok("vm", "stop", "web")
    disk = os.path.join(world.state, "vms", "web", "work.ext4")
    for path, wanted in (("/mine", "at home"), ("/root/mine", "")):
        said = subprocess.run(["debugfs", "-R", f"cat {path}", disk], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True, text=True).stdout
        assert said == wanted, (path, said)
    assert subprocess.run(["e2fsck", "-fn", disk], capture_output=True,
                          check=False).returncode == 0
    # A guest that never unmounts is no reason to complain at every start; one whose home is nested is.
    change(disk, "feature needs_recovery")
    assert world.ok("vm", "start", "web").err == ""
    world.ok("vm", "stop", "web")
    change(disk, "mkdir /root")
    assert world.ok("vm", "start", "web").err != ""
    clean(world)


def change(disk, words):
    subprocess.run(["debugfs", "-w", "-R", words, disk], capture_output=True, check=True)


def test_a_copy_is_as_large_as_its_image(world):
    prepare(world)
    big = world.path("big.ext4")
    with open(big, "wb") as file:
        file.truncate(128 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", big], check=True)
    world.ok("image", "register", "big", "--rootfs", big, "--kernel-ref", "k")
    world.fails(64, "vm", "create", "big", "--name", "web", "--root", "copy", "--disk-size", "64M")
    assert world.entries("vms") == []
    with open(world.env["BANGER_CONFIG"], "a", encoding="utf-8") as file:
        file.write("[defaults]\ndisk_size = 64M\n")
    world.ok("vm", "create", "big", "--name", "web", "--root", "copy")
    assert world.json("vm", "show", "web")["size_bytes"] == 128 << 20
    clean(world)


def test_rename(world):
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web")
    uuid = world.json("vm", "show", "web")["uuid"]
    world.ok("vm", "create", "small", "--name", "taken")
    world.fails(73, "vm", "rename", "web", "taken")
    world.fails(64, "vm", "rename", "web", "No_Label")
    world.fails(66, "vm", "rename", "nope", "www")
    assert world.json("vm", "rename", "web", "www", "--dry-run")["plan"]
    result = world.json("vm", "rename", "web", "www")
    assert result["name"] == "www" and result["was"] == "web" and result["changed"] is True
    assert world.entries("vms") == ["taken", "www"]
    shown = world.json("vm", "show", "www")
    assert shown["uuid"] == uuid and "was" not in read_spec(world, "www")
    world.ok("vm", "start", "www")
    assert world.fails(75, "vm", "rename", "www", "web")["code"] == "IN_USE"
    clean(world)


def test_a_rename_that_was_killed_halfway(world):
    """The record says the new name, the directory still has the old one: it is the old one."""
    prepare(world)
    world.ok("vm", "create", "small", "--name", "web")
    spec = read_spec(world)
    with open(spec_path(world, "web"), "w", encoding="utf-8") as file:
        json.dump({**spec, "name": "www", "was": "web"}, file)
    (row,) = world.json("vm", "list")
    assert row["name"] == "web" and row["state"] == "created"
    assert world.json("vm", "rename", "web", "db")["name"] == "db"
    assert read_spec(world, "db")["name"] == "db"
    clean(world)


def test_clone(world):
    prepare(world)
    run(world, "web", "", "--publish", "0:80", "--disk-size", "64M")
    world.fails(75, "vm", "clone", "web", "twin")
    world.ok("vm", "stop", "web")
    disk = os.path.join(world.state, "vms", "web", "upper.ext4")
    assert world.json("vm", "clone", "web", "twin", "--dry-run")["plan"]
    result = world.json("vm", "clone", "web", "twin")
    assert result["name"] == "twin" and result["from"] == "web" and result["state"] == "created"
    twin = os.path.join(world.state, "vms", "twin", "upper.ext4")
    subprocess.run(["cmp", disk, twin], check=True)
    assert os.stat(twin).st_blocks * 512 < 16 << 20
    first, second = read_spec(world), read_spec(world, "twin")
    for field in ("uuid", "mac"):
        assert first[field] != second[field]
    assert first["image"] == second["image"]
    world.fails(73, "vm", "clone", "web", "twin")
    world.fails(66, "vm", "clone", "nope", "more")
    world.ok("vm", "start", "web", "twin")
    assert len(world.json("vm", "list", "--running")) == 2
    clean(world)


def test_prune(world):
    prepare(world)
    for name in ("new", "ended", "runs"):
        world.ok("vm", "create", "small", "--name", name)
    world.ok("vm", "start", "ended", "runs")
    world.ok("vm", "stop", "ended")
    plan = world.json("vm", "prune", "--dry-run")["plan"]
    assert [row["object"] for row in plan] == ["vm/ended"] and plan[0]["bytes"] > 0
    assert world.entries("vms") == ["ended", "new", "runs"]
    result = world.json("vm", "prune")
    assert result["removed"] == ["ended"] and result["freed_bytes"] > 0
    assert world.entries("vms") == ["new", "runs"]
    assert world.json("vm", "prune")["changed"] is False
    clean(world)


main()
