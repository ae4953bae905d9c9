# SPDX-License-Identifier: MIT
"""Machines on a bridge: what is made on the host and taken away again, and nothing else. The VMM is
a stand-in; bridge, taps and rules are real, in a network namespace of the test's own."""
import json
import os
import shutil
import signal
import subprocess

from machine_world import clean, prepare, run, state
from network_world import enter, foreign_rules, forwarding, ip, links, rules
from world import PATIENCE_S, main, need
import seed


def configure(world, network):
    with open(world.env["BANGER_CONFIG"], encoding="utf-8") as file:
        before = file.read().partition("[network]")[0]
    world.write("config.ini", f"{before}[network]\n{network}")


def ours(found):
    """Our one table; what all others hold."""
    mine = [name for name in found if name.startswith("banger_") and name != "banger_stranger"]
    assert len(mine) <= 1, mine
    return {row for name in mine for row in found.pop(name)}, found


def mentions(found, address):
    return [row for row in ours(dict(found))[0] if address in row[1]]


def test_bridge_comes_and_goes(world):
    """Two machines share the bridge; the last one takes it along. Foreign rules and interfaces stay
    as they are through all of it."""
    prepare(world)
    forwarding("1")
    before, before_links = foreign_rules(), links()
    first = run(world, "one", "", "--net", "nat")
    second = run(world, "two", "", "--net", "bridge")
    assert first["state"] == second["state"] == "running"
    one, two = (world.json("vm", "show", name) for name in ("one", "two"))
    assert (one["net"], two["net"]) == ("nat", "bridge")
    assert one["address"] == "172.16.0.2" and two["address"] == "172.16.0.3", (one, two)
    assert one["gateway"] == two["gateway"] == "172.16.0.1" and one["bridge"] == two["bridge"]
    assert one["tap"] == "bt-" + one["uuid"][:8]
    assert set(links()) - set(before_links) == {one["bridge"], one["tap"], two["tap"]}
    now = rules()
    assert ours(dict(now))[1] == before
    # Masquerading is for the one that asked.
    assert mentions(now, "172.16.0.2") and not mentions(now, "172.16.0.3")
    world.ok("vm", "stop", "one")
    assert set(links()) - set(before_links) == {one["bridge"], two["tap"]}
    assert not mentions(rules(), "172.16.0.2")
    # Over and over, it stays one.
    for _ in range(2):
        world.ok("vm", "start", "one")
        assert len(mentions(rules(), "172.16.0.2")) == 1
        assert world.json("vm", "show", "one")["address"] == "172.16.0.2"
        world.ok("vm", "stop", "one")
    world.ok("vm", "rm", "two", "--force")
    world.ok("vm", "rm", "one")
    assert links() == before_links and rules() == before
    assert world.json("host", "gc")["network"] == []


def test_the_end_of_a_guest_takes_its_tap_along(world):
    prepare(world)
    run(world, "web", "", "--net", "bridge")
    tap = world.json("vm", "show", "web")["tap"]
    assert tap in links()
    os.kill(world.json("vm", "show", "web")["pid"], signal.SIGTERM)
    world.ok("vm", "wait", "web", "--for", "stopped")
    world.wait_until(lambda: tap not in links(), "the tap is gone")
    world.ok("vm", "rm", "web")
    assert "bb-" not in " ".join(links())


def kill_all(world, names):
    pids = [world.json("vm", "show", name)["pid"] for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    for name in names:
        world.ok("vm", "wait", name, "--for", "exit")


def test_the_last_end_by_itself_leaves_nothing(world):
    """However many end at once: once they have, there is no bridge, table or tap, and foreign rules
    and interfaces are what they were. A machine that starts meanwhile keeps what it needs."""
    prepare(world)
    forwarding("1")
    before, before_links = foreign_rules(), links()
    names = ["one", "three", "two"]
    for name in names:
        run(world, name, "", "--net", "nat" if name == "two" else "bridge")
    kill_all(world, names[:1])
    assert len(set(links()) - set(before_links)) == 3  # two taps and the bridge
    kill_all(world, names[1:])
    assert links() == before_links and rules() == before
    for _ in range(3):
        world.ok("vm", "start", "one")
        starting = world.start("vm", "start", "two", stdout=subprocess.DEVNULL)
        kill_all(world, ["one"])
        assert starting.wait(timeout=PATIENCE_S) == 0
        two = world.json("vm", "show", "two")
        assert set(links()) - set(before_links) == {two["bridge"], two["tap"]}
        assert mentions(rules(), two["address"])
        kill_all(world, ["two"])
        assert links() == before_links and rules() == before
    # Without a monitor, whoever settles it.
    world.ok("vm", "start", "one")
    with open(os.path.join(world.state, "vms", "one", "handle.json"), encoding="utf-8") as file:
        handle = json.load(file)
    for who in ("monitor", "vmm"):
        os.kill(handle[who]["pid"], signal.SIGKILL)
    world.wait_until(lambda: state(world, "one") == "crashed", "both are gone")
    world.run("vm", "exec", "one", "--", "true")
    world.wait_until(lambda: links() == before_links and rules() == before, "it is settled")
    clean(world)


def test_addresses_do_not_clash(world):
    prepare(world)
    configure(world, "cidr = 10.99.0.0/29\nmode = bridge\n")
    made = [world.json("vm", "create", "small", "--name", name) and name
            for name in ("a", "b", "c")]
    addresses = [world.json("vm", "show", name)["address"] for name in made]
    assert addresses == ["10.99.0.2", "10.99.0.3", "10.99.0.4"]
    world.ok("vm", "create", "small", "--name", "d", "--address", "10.99.0.6")
    error = world.fails(75, "vm", "create", "small", "--name", "e", "--address", "10.99.0.6")
    assert error["code"] == "IN_USE" and "VM d" in error["message"], error
    assert world.json("vm", "clone", "a", "copy")["changed"] is True
    assert world.json("vm", "show", "copy")["address"] == "10.99.0.5"
    assert world.fails(75, "vm", "create", "small", "--name", "full")["code"] == "IN_USE"
    for address in ("10.99.0.0", "10.99.0.1", "10.99.0.7", "10.99.1.2", "x"):
        world.fails(64, "vm", "create", "small", "--name", "bad", "--address", address)
    world.fails(64, "vm", "create", "small", "--name", "bad", "--net", "user",
                "--address", "10.99.0.3")
    world.fails(64, "vm", "create", "small", "--name", "bad", "--net", "maybe")
    for words in (("bridge", "53:53/udp"), ("nat", "53:53/udp"), ("none", "0.0.0.0:53:53/udp")):
        world.fails(64, "vm", "create", "small", "--name", "bad", "--net", words[0],
                    "--publish", words[1])
    world.ok("vm", "rm", "b")
    assert world.json("vm", "create", "small", "--name", "new")["changed"] is True
    assert world.json("vm", "show", "new")["address"] == "10.99.0.3"
    # One that comes back finds its address given away, and says so before it starts.
    (entry,) = [row for row in world.json("host", "trash", "list") if row["name"] == "b"]
    world.ok("host", "trash", "restore", entry["id"])
    assert world.fails(75, "vm", "start", "b")["code"] == "IN_USE"
    world.ok("vm", "rm", "c")
    assert world.json("vm", "set", "b", "--address", "auto")["changed"] is True
    assert world.json("vm", "show", "b")["address"] == "10.99.0.4"
    world.ok("vm", "start", "b")
    world.ok("vm", "set", "b", "--net", "none")
    assert world.json("vm", "show", "b")["net"] == "bridge"  # holds from the next start on
    world.ok("vm", "restart", "b")
    shown = world.json("vm", "show", "b")
    assert shown["net"] == "none" and "address" not in shown
    clean(world)


def test_what_is_somebody_elses(world):
    """A range that an interface has, a bridge that is not ours, forwarding that is off: refused
    before anything is made, and nothing is changed."""
    prepare(world)
    forwarding("0")
    ip("link add br0 type bridge")
    ip("addr add 172.16.0.77/24 dev br0")
    before, before_links = foreign_rules(), links()
    world.ok("vm", "create", "small", "--name", "web", "--net", "bridge")
    error = world.fails(78, "vm", "start", "web")
    assert error["code"] == "CONFIG" and "172.16.0.77" in error["message"], error
    configure(world, "bridge = br0\ncidr = 10.9.0.0/24\n")
    world.ok("vm", "set", "web", "--address", "auto")
    error = world.fails(78, "vm", "start", "web")
    assert error["code"] == "CONFIG" and "br0" in error["message"], error
    configure(world, "cidr = 10.9.0.0/24\n")
    world.ok("vm", "set", "web", "--net", "nat")
    error = world.fails(69, "vm", "start", "web")
    assert "net.ipv4.ip_forward" in error["message"] and forwarding() == "0", error
    assert rules() == before and links() == before_links
    configure(world, "cidr = 10.9.0.0/24\nforward = yes\n")
    world.ok("vm", "start", "web")
    assert forwarding() == "1"
    for network in ("cidr = 10.9.0.0\n", "cidr = 10.9.0.0/31\n", "bridge = a/b\n",
                    "bridge = much-too-long-a-name\n", "mode = maybe\n"):
        configure(world, network)
        world.fails(78, "vm", "create", "small", "--name", "bad", *(
            () if "mode" in network else ("--net", "bridge")))
    configure(world, "cidr = 10.9.0.0/24\n")
    clean(world)
    assert rules() == before and links() == before_links
    ip("link del br0")


def test_settings_change_when_nobody_is_cut_off(world):
    prepare(world)
    before_links = links()
    run(world, "old", "", "--net", "bridge")
    for network in ("bridge = other0\n", "cidr = 10.7.0.0/24\n"):
        configure(world, network)
        world.ok("vm", "create", "small", "--name", "new", "--net", "bridge")
        assert world.fails(78, "vm", "start", "new")["code"] == "CONFIG"
        world.ok("vm", "rm", "new")
    configure(world, "bridge = other0\ncidr = 10.7.0.0/24\n")
    # What ends by itself leaves the bridge for the next one, which may want another.
    os.kill(world.json("vm", "show", "old")["pid"], signal.SIGTERM)
    world.ok("vm", "wait", "old", "--for", "stopped")
    run(world, "new", "", "--net", "bridge")
    shown = world.json("vm", "show", "new")
    assert shown["bridge"] == "other0" and shown["address"] == "10.7.0.2"
    assert set(links()) - set(before_links) == {"other0", shown["tap"]}
    clean(world)
    assert links() == before_links


def test_killed_while_it_starts(world):
    """Whenever the engine dies, there is a machine with its network, or gc leaves nothing."""
    prepare(world)
    chance = seed.chance()
    before, before_links = rules(), links()
    for _ in range(40 if os.environ.get("BANGER_CHECK_ALL") == "yes" else 6):
        world.ok("vm", "create", "small", "--name", "web", "--net", "bridge")
        child = world.start("vm", "start", "web", "--detach", stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        try:
            child.wait(timeout=chance.uniform(0, 0.3))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        world.children.remove(child)
        # A monitor that was on its way ends what it began, or has it running.
        world.wait_until(lambda: state(world) in ("created", "running", "crashed", "stopped"),
                         "it is settled")
        if state(world) != "running":
            world.ok("host", "gc")
            assert state(world) == "running" or links() == before_links, links()
        world.ok("vm", "rm", "web", "--force")
        assert links() == before_links and rules() == before


def test_start_that_fails_leaves_nothing(world):
    prepare(world)
    before, before_links = rules(), links()
    world.ok("vm", "create", "small", "--name", "web", "--net", "bridge", "--append", "fake.die=3")
    world.fails(69, "vm", "start", "web")
    assert state(world) == "crashed"
    assert links() == before_links and rules() == before
    clean(world)


def servers(vmm):
    """Processes of slirp4netns for the namespace of that VMM."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"slirp4netns") and f"/proc/{vmm}/ns/net".encode() in words:
            found.append(int(entry))
    return found


def findings(world, **more):
    rows = world.run("host", "doctor", "--format", "json", **more).json()
    return {row["check"]: row for row in rows if row["check"].startswith("network")}


def test_doctor(world):
    """What does not work is off, and a warning where the configuration wants it."""
    prepare(world)
    forwarding("0")
    rows = findings(world)
    assert rows["network: bridge"]["status"] == "ok", rows
    row = rows["network: nat"]
    assert row["status"] == "off" and "ip_forward" in row["detail"], row
    assert "ip_forward=1" in row["hint"], row
    configure(world, "mode = nat\n")
    assert findings(world)["network: nat"]["status"] == "warn"
    forwarding("1")
    assert findings(world)["network: nat"]["status"] == "ok"
    subprocess.run(["nft", "add", "table", "ip", "wall"], check=True)
    subprocess.run(["nft", "add", "chain", "ip", "wall", "FORWARD",
                    "{ type filter hook forward priority 0; policy drop; }"], check=True)
    row = findings(world)["network: nat"]
    assert row["status"] == "warn" and "wall" in row["detail"] and "bb-" in row["hint"], row
    subprocess.run(["nft", "delete", "table", "ip", "wall"], check=True)
    place = world.mkdir("few")
    row = findings(world, env={"PATH": place})["network: namespace"]
    assert row["status"] == "off" and "slirp4netns" in row["detail"] and row["hint"], row
    configure(world, "mode = namespace\n")
    assert findings(world, env={"PATH": place})["network: namespace"]["status"] == "warn"
    configure(world, "cidr = x\n")
    assert findings(world)["network: bridge"]["status"] == "warn"


def test_a_namespace_of_the_vmms_own(world):
    """Nothing is made on the host; the VMM is elsewhere, and its network ends with it, however it
    ends."""
    prepare(world)
    need("slirp4netns")
    before, before_links = rules(), links()
    here = os.readlink("/proc/self/ns/net")
    run(world, "web", "", "--net", "namespace")
    shown = world.json("vm", "show", "web")
    assert shown["net"] == "namespace" and shown["address"] and "tap" not in shown
    assert os.readlink(f"/proc/{shown['pid']}/ns/net") != here
    assert len(servers(shown["pid"])) == 1
    assert links() == before_links and rules() == before
    world.ok("vm", "restart", "web")
    again = world.json("vm", "show", "web")["pid"]
    assert servers(shown["pid"]) == [] and len(servers(again)) == 1
    with open(os.path.join(world.state, "vms", "web", "handle.json"), encoding="utf-8") as file:
        world.kill(json.load(file)["monitor"]["pid"])
    assert len(servers(again)) == 1  # the machine goes on, and so does its network
    os.kill(again, signal.SIGKILL)
    world.wait_until(lambda: servers(again) == [], "the end of slirp4netns")
    assert world.json("host", "gc")["settled"] == ["web"]
    # Without the program it is refused in words, before anything runs.
    place = world.mkdir("few")
    for name in ("sh", "ip", "nft"):
        os.symlink(shutil.which(name), os.path.join(place, name))
    error = world.fails(69, "vm", "start", "web", env={"PATH": place})
    assert error["code"] == "UNSUPPORTED" and "slirp4netns" in error["message"], error
    clean(world)


def next_event(events, names):
    while True:
        event = json.loads(events.stdout.readline())
        if event["event"] in names:
            return event


def test_what_serves_a_namespace_dies(world):
    """Told, and started again, each time; the machine does not notice."""
    prepare(world)
    need("slirp4netns")
    pid = run(world, "web", "", "--net", "namespace")["pid"]
    events = world.start("events", stdout=subprocess.PIPE)
    world.wait_until(lambda: len(os.listdir(f"/proc/{events.pid}/fd")) > 6, "it listens")
    seen = servers(pid)
    for _ in range(2):
        world.wait_until(lambda: len(servers(pid)) == 1, "its server")
        (server,) = servers(pid)
        os.kill(server, signal.SIGKILL)
        world.wait_until(lambda: servers(pid) and not set(servers(pid)) & set(seen), "a new one")
        seen += servers(pid)
        if world.json("vm", "list")[0].get("network_lost"):
            world.wait_until(lambda: "network_lost" not in world.json("vm", "list")[0], "told")
    assert next_event(events, ("network-lost",))["name"] == "web"
    assert next_event(events, ("network-back",))["name"] == "web"
    assert world.json("vm", "show", "web")["pid"] == pid and state(world) == "running"
    with open(os.path.join(world.state, "vms", "web", "monitor.log"), encoding="utf-8") as file:
        assert len(file.read().splitlines()) >= 2
    # It is not served any more once the machine is gone, and nobody calls that a loss.
    world.ok("vm", "kill", "web")
    world.wait_until(lambda: servers(pid) == [], "the end of slirp4netns")
    events.kill()
    clean(world)


def test_a_new_monitor_watches_what_serves_the_namespace(world):
    """Also when it died while no monitor was there."""
    prepare(world)
    need("slirp4netns")
    pid = run(world, "web", "fake.realagent", "--net", "namespace")["pid"]

    def end_monitor():
        with open(os.path.join(world.state, "vms", "web", "handle.json"), encoding="utf-8") as file:
            monitor = json.load(file)["monitor"]["pid"]
        world.kill(monitor)

    end_monitor()
    world.ok("vm", "exec", "web", "--", "true")  # gives it a new one
    seen = servers(pid)
    for _ in range(2):
        world.wait_until(lambda: len(servers(pid)) == 1, "its server")
        (server,) = servers(pid)
        os.kill(server, signal.SIGKILL)
        world.wait_until(lambda: servers(pid) and not set(servers(pid)) & set(seen), "a new one")
        seen += servers(pid)
    world.wait_until(lambda: "network_lost" not in world.json("vm", "list")[0], "it is told")
    end_monitor()
    os.kill(servers(pid)[0], signal.SIGKILL)
    world.wait_until(lambda: servers(pid) == [], "it is served by nobody")
    world.ok("vm", "exec", "web", "--", "true")
    world.wait_until(lambda: len(servers(pid)) == 1, "it is served again")
    world.wait_until(lambda: "network_lost" not in world.json("vm", "list")[0], "it is told")
    # What it watches ends with the machine.
    world.ok("vm", "stop", "web")
    world.wait_until(lambda: servers(pid) == [], "the end of slirp4netns")
    clean(world)


def test_a_lost_network_is_told_while_it_is_lost(world):
    """The program is gone, so it cannot come back: list and show say so; the machine goes on."""
    prepare(world)
    need("slirp4netns")
    place = world.mkdir("few")
    for name in ("sh", "ip", "nft", "unshare", "nsenter", "true", "slirp4netns"):
        os.symlink(shutil.which(name), os.path.join(place, name))
    row = json.loads(world.ok("vm", "run", "small", "--name", "web", "--net", "namespace",
                              "--format", "json", env={"PATH": place}).out)
    assert "network_lost" not in world.json("vm", "list")[0]
    os.unlink(os.path.join(place, "slirp4netns"))
    os.kill(servers(row["pid"])[0], signal.SIGKILL)
    world.wait_until(lambda: world.json("vm", "list")[0].get("network_lost") is True, "it is told")
    assert world.json("vm", "show", "web")["network_lost"] is True and state(world) == "running"
    assert "lost" in world.ok("vm", "list").out and "lost" in world.ok("vm", "show", "web").out
    os.symlink(shutil.which("slirp4netns"), os.path.join(place, "slirp4netns"))
    world.wait_until(lambda: "network_lost" not in world.json("vm", "list")[0], "it is back")
    assert "lost" not in world.ok("vm", "list").out + world.ok("vm", "show", "web").out
    assert len(servers(row["pid"])) == 1
    clean(world)


def test_gc_finds_what_no_record_owns(world):
    """Monitor and VMM killed: what they had is found, once, and not that of others."""
    prepare(world)
    before, before_links = foreign_rules(), links()
    run(world, "keep", "", "--net", "bridge")
    run(world, "lost", "", "--net", "bridge")
    tap = world.json("vm", "show", "lost")["tap"]
    place = os.path.join(world.state, "vms", "lost")
    with open(os.path.join(place, "handle.json"), encoding="utf-8") as file:
        handle = json.load(file)
    assert handle["net"]["tap"] == tap
    for who in ("monitor", "vmm"):
        world.kill(handle[who]["pid"])
    os.rename(place, world.path("taken-away"))
    ip("tuntap add dev bt-12345678 mode tap")  # of somebody else, by name alone
    plan = world.json("host", "gc", "--dry-run")["plan"]
    assert [step["object"] for step in plan if step["action"] == "remove" and
            not step["object"].startswith("control group ")] == [f"tap {tap}"], plan
    assert tap in links()
    assert world.json("host", "gc")["network"] == [f"tap {tap}"]
    assert tap not in links() and world.json("vm", "show", "keep")["tap"] in links()
    assert world.json("host", "gc")["network"] == []
    # A crash that left its record is settled with all it had.
    with open(os.path.join(world.state, "vms", "keep", "handle.json"), encoding="utf-8") as file:
        handle = json.load(file)
    for who in ("monitor", "vmm"):
        os.kill(handle[who]["pid"], signal.SIGKILL)
    world.wait_until(lambda: state(world, "keep") == "crashed", "both are gone")
    done = world.json("host", "gc")
    assert done["settled"] == ["keep"], done
    assert "bt-12345678" in links()
    ip("link del bt-12345678")
    assert links() == before_links and rules() == before
    clean(world)


enter()
main()
