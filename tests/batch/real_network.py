# SPDX-License-Identifier: MIT
"""Real guests on a real bridge: out into the world through NAT, in through published ports, and to
each other. The world is another network namespace with an nginx in it."""
import os
import shutil
import socket
import subprocess
import sys

from machine_world import clean, find_kernel
from network_world import UPLINK, WORLD, Outside, enter, forwarding, foreign_rules, links, rules
from world import BUILDDIR, PATIENCE_S, Skip, main, need

ASK = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
with socket.socket(socket.AF_INET, kind) as line:
    line.settimeout(20)
    line.connect((sys.argv[1], int(sys.argv[2])))
    if kind == socket.SOCK_DGRAM:
        line.send(b"?")
    print(line.recv(64).decode())
"""


def make_image(world):
    for program in ("qemu-system-x86_64", "mkfs.ext4"):
        need(program)
    probe = os.path.join(BUILDDIR, "tests", "smoke", "net_probe")
    if not os.path.exists(probe):
        raise Skip(f"{probe} is not built")
    kernel = find_kernel()
    for folder in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"):
        world.mkdir("tree", folder)
    shutil.copy(probe, world.path("tree", "bin", "probe"))
    disk = world.path("root.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", world.path("tree"), disk, "16M"],
                   stdout=subprocess.DEVNULL, check=True)
    world.env["BANGER_ACCEL"] = "tcg"
    world.ok("kernel", "import", "k", "--from", kernel)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")


def guest(world, name, *words):
    return world.run("vm", "exec", name, "--", "/bin/probe", *words)


def serve(world, name, port):
    child = world.start("vm", "exec", name, "--", "/bin/probe", "serve", port,
                        stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"serving\n"
    return child


def ask_from_outside(outside, address, port, kind="tcp"):
    return outside.run(sys.executable, "-c", ASK, address, str(port), kind).strip()


def traffic(world, name):
    (row,) = world.json("vm", "stats", name)
    assert row["sources"]["network"] == "link" and row["net_received_rate"] >= 0, row
    return row["net_received_bytes"], row["net_sent_bytes"]


def assert_counted(world, name):
    """What the guest fetched is what this host counted, and on the side of what it received."""
    world.write("www/index.html", "from the world\n" * 40000)
    received, sent = traffic(world, name)
    fetched = guest(world, name, "fetch", WORLD, "80").out
    received_after, sent_after = traffic(world, name)
    assert len(fetched) >= 600000, fetched[:200]
    assert len(fetched) <= received_after - received <= len(fetched) * 1.2, (received, sent)
    assert 0 < sent_after - sent < 100000, (sent, sent_after)


def test_nat_bridge_and_published_ports(world):
    make_image(world)
    forwarding("1")
    outside = Outside(world)
    before, before_links = foreign_rules(), links()
    outside.nginx()
    world.write("www/index.html", "from the world\n")
    world.env["BANGER_CONFIG"] = world.write("config.ini", "[network]\ndns = 198.51.100.53\n")
    world.ok("vm", "run", "small", "--name", "one", "--memory", "160M", "--net", "nat",
             "--publish", "0.0.0.0:8007:7", "--publish", f"{UPLINK}:8053:7/udp")
    world.ok("vm", "run", "small", "--name", "two", "--memory", "160M", "--net", "bridge")
    one, two = (world.json("vm", "show", name) for name in ("one", "two"))
    assert any(stage["stage"] == "network" for stage in one["timeline"]), one["timeline"]
    assert guest(world, "one", "resolver").out == "nameserver 198.51.100.53\n"
    # Out into the world, with this host's address.
    result = guest(world, "one", "fetch", WORLD, "80")
    assert "from the world" in result.out and outside.asked() == [UPLINK], str(result)
    assert guest(world, "one", "ping", WORLD).out == "pong\n"
    assert_counted(world, "one")
    # Each other, and this host; but not the world for the one that did not ask.
    assert guest(world, "one", "ping", two["address"]).out == "pong\n"
    assert guest(world, "two", "ping", one["address"]).out == "pong\n"
    assert guest(world, "two", "ping", two["gateway"]).out == "pong\n"
    assert guest(world, "two", "fetch", WORLD, "80", "3").status != 0
    assert outside.asked() == [UPLINK] * 2
    # In: rules keep who asks, and also carry UDP; loopback goes through the agent.
    server = serve(world, "one", "7")
    assert ask_from_outside(outside, UPLINK, 8007) == WORLD
    assert ask_from_outside(outside, UPLINK, 8053, "udp") == WORLD
    assert guest(world, "two", "fetch", one["address"], "7").out == two["address"]
    with socket.create_connection(("127.0.0.1", 8007), timeout=PATIENCE_S) as line:
        assert line.recv(64)
    # The same after a start anew, and nothing of it once it is gone.
    world.ok("vm", "restart", "one")
    server.communicate(timeout=PATIENCE_S)
    assert "from the world" in guest(world, "one", "fetch", WORLD, "80").out
    clean(world)
    assert rules() == before and links() == before_links


def test_namespace(world):
    """Out by slirp4netns, in by the agent, and not to what listens at this host's loopback."""
    make_image(world)
    need("slirp4netns")
    before_links = links()
    outside = Outside(world)
    outside.nginx()
    world.write("www/index.html", "from the world\n")
    world.ok("vm", "run", "small", "--name", "one", "--memory", "160M", "--net", "namespace",
             "--publish", "8007:7")
    pid = world.json("vm", "show", "one")["pid"]
    result = guest(world, "one", "fetch", WORLD, "80")
    assert "from the world" in result.out and outside.asked() == [UPLINK], str(result)
    with socket.socket() as local:
        local.bind(("127.0.0.1", 8099))
        local.listen(1)
        assert guest(world, "one", "fetch", "10.0.2.2", "8099", "3").status != 0
    assert_counted(world, "one")
    # It dies, and the guest has its network again as if nothing had been.
    subprocess.run(["pkill", "-KILL", "-f", f"slirp4netns.*/proc/{pid}/ns/net"], check=True)
    world.wait_until(lambda: "from the world" in guest(world, "one", "fetch", WORLD, "80", "3").out,
                     "the network is back")
    server = serve(world, "one", "7")
    with socket.create_connection(("127.0.0.1", 8007), timeout=PATIENCE_S) as line:
        assert line.recv(64)
    clean(world)
    server.communicate(timeout=PATIENCE_S)
    assert set(links()) - set(before_links) == {"up0"}  # the test's own


enter()
main()
