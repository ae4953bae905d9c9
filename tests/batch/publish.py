# SPDX-License-Identifier: MIT
"""Ports of the guest on this host: what is published is served by the machine's monitor through the
guest's agent, which is the guest's own here with this host's ports for the guest's."""
import json
import os
import signal
import socket

from echo_server import Echo, exchange, exchange_many
from machine_world import clean, prepare, run
from web_world import held_port
from world import PATIENCE_S, main



def handle(world, name="web"):
    with open(os.path.join(world.state, "vms", name, "handle.json"), encoding="utf-8") as file:
        return json.load(file)


def host_ports(world, name="web"):
    words = world.json("vm", "show", name)["publish"]
    return [int(word.split(":")[1]) for word in words]


def is_refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # taken, and given up at once: nobody is behind it just now
    return False


def is_reset(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
            client.recv(1)
    except ConnectionResetError:
        return True
    return False


def test_what_is_published_is_reached(world):
    """By many clients at once, byte for byte, with the end of each direction of its own."""
    echo = Echo()
    prepare(world)
    run(world, "web", "fake.realagent", "--publish", f"0:{echo.port}", "--publish",
        f"127.0.0.2:0:{echo.port}")
    first, second = host_ports(world)
    assert exchange(first, b"hello") == b"hello5" and exchange(first, b"") == b"0"
    with socket.create_connection(("127.0.0.2", second), timeout=PATIENCE_S) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    exchange_many(first)
    with open(f"/proc/{handle(world)['vmm']['pid']}/cmdline", encoding="utf-8") as file:
        assert "hostfwd" not in file.read()
    clean(world)


def test_more_clients_than_the_guest_has_room_for(world):
    """They wait; the guest's other business goes on; whoever hangs up makes room."""
    echo = Echo()
    prepare(world)
    run(world, "web", "fake.realagent", "--publish", f"0:{echo.port}")
    (port,) = host_ports(world)
    clients = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
               for _ in range(130)]
    for client in clients[:96]:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    assert world.run("vm", "exec", "web", "--", "true").status == 0
    for client in clients[:96]:
        client.close()
    for client in clients[96:]:
        client.sendall(b"y")
        assert client.recv(1) == b"y"
        client.close()
    clean(world)


def test_nobody_listens_in_the_guest(world):
    prepare(world)
    run(world, "web", "fake.realagent", "--publish", f"0:{held_port(world)}")
    assert is_reset(host_ports(world)[0])
    clean(world)


def test_before_there_is_an_agent(world):
    prepare(world)
    run(world, "web", "fake.noagent", "--publish", "0:80", "--detach")
    assert is_reset(host_ports(world)[0])
    clean(world)


def test_it_stays_while_the_machine_begins_again(world):
    """A client of the boot before is reset; the port is never free for somebody else."""
    echo = Echo()
    prepare(world)
    before = run(world, "web", "fake.realagent", "--publish", f"0:{echo.port}", "--restart",
                 "on-failure")["pid"]
    (port,) = host_ports(world)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        os.kill(before, signal.SIGKILL)
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
    assert not is_refused(port)
    world.wait_until(lambda: world.json("vm", "show", "web").get("restarts") == 1, "a restart")
    world.ok("vm", "wait", "web")
    assert host_ports(world) == [port] and exchange(port, b"again") == b"again5"
    clean(world)


def test_it_closes_with_the_machine(world):
    echo = Echo()
    prepare(world)
    run(world, "web", "fake.realagent", "--publish", f"0:{echo.port}")
    (port,) = host_ports(world)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        world.ok("vm", "stop", "web")
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
    assert is_refused(port)
    clean(world)


def test_a_new_monitor_takes_them_over(world):
    echo = Echo()
    prepare(world)
    run(world, "web", "fake.realagent", "--publish", f"0:{echo.port}")
    (port,) = host_ports(world)
    os.kill(handle(world)["monitor"]["pid"], signal.SIGKILL)
    world.wait_until(lambda: is_refused(port), "the end of the monitor")
    assert world.run("vm", "exec", "web", "--", "true").status == 0
    assert host_ports(world) == [port] and exchange(port, b"x") == b"x1"
    clean(world)


def test_a_port_that_is_taken(world):
    prepare(world)
    port = held_port(world)
    with socket.create_server(("127.0.0.1", port)):
        world.ok("vm", "create", "small", "--name", "web", "--publish", f"{port}:80")
        failure = world.fails(75, "vm", "start", "web")
        assert failure["code"] == "IN_USE" and str(port) in failure["message"], failure
        assert not os.path.exists(os.path.join(world.state, "vms", "web", "handle.json"))
    world.ok("vm", "start", "web")
    clean(world)


main()
