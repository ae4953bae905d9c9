# SPDX-License-Identifier: MIT
"""Reaching into a real guest: the agent behind a real virtio line, a real ssh server that nothing but
the agent leads to. The image holds this host's own sshd and shell with the libraries they need."""
import glob
import os
import signal
import socket
import subprocess

from machine_world import clean, find_kernel
from ssh_tree import PROGRAMS, fill_tree
from world import PATIENCE_S, Skip, interrupt, main, need, sha256_of

MIB = 1 << 20
def make_image(world):
    for program in ("qemu-system-x86_64", "mkfs.ext4", "ssh", "ssh-keygen", "ldd"):
        need(program)
    if not os.path.exists(PROGRAMS[0]):
        raise Skip("openssh-server is not installed")
    kernel = find_kernel()
    root = fill_tree(world.mkdir("tree"))
    world.write("tree/root/.ssh/authorized_keys", "ssh-ed25519 " + "A" * 68 + " of the image\n")
    os.chmod(world.path("tree/root/.ssh"), 0o700)
    disk = world.path("root.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", root, disk, "64M"],
                   stdout=subprocess.DEVNULL, check=True)
    world.env["BANGER_ACCEL"] = "tcg"
    world.ok("kernel", "import", "k", "--from", kernel)
    world.ok("image", "register", "small", "--rootfs", disk, "--kernel-ref", "k")
    return disk


def start_server(world, *options):
    world.ok("vm", "exec", "web", "--", "/bin/sh", "-c",
             "mkdir -p /run/sshd; ssh-keygen -q -A; exec /usr/sbin/sshd " +
             " ".join(options))


def own_key(world):
    return os.path.join(world.state, "ssh", "id_ed25519")


def authorized(world):
    return world.ok("vm", "exec", "web", "--", "/bin/cat", "/root/.ssh/authorized_keys").out


def test_ssh(world):
    """A key of our own is given at the start, the guest's is known before the first connection, and
    words arrive as they were given."""
    image = make_image(world)
    digest = sha256_of(image)
    world.ok("vm", "run", "small", "--name", "web", "--memory", "192M")
    assert os.stat(own_key(world)).st_mode & 0o7777 == 0o600
    with open(own_key(world) + ".pub", encoding="utf-8") as file:
        public = " ".join(file.read().split()[:2])
    lines = authorized(world).splitlines()
    assert len(lines) == 2 and lines[0].endswith("of the image") and lines[1].startswith(public)
    assert world.run("vm", "ssh", "web", "--", "true").status == 125  # no server yet
    start_server(world)
    words = ["a b", "c'd", "$HOME", "*", "", "\\"]
    result = world.ok("vm", "ssh", "web", "--", "printf", "%s|", *words)
    assert result.out == "".join(word + "|" for word in words), str(result)
    assert world.run("vm", "ssh", "web", "--", "sh", "-c", "exit 7").status == 7
    assert world.run("vm", "ssh", "web", "--", "cat", stdin="through").out == "through"
    assert world.run("vm", "ssh", "web", "--user", "nobody", "--", "id").status == 125
    assert world.run("vm", "ssh", "web").status == 64  # a shell wants a terminal
    assert world.run("vm", "ssh", "web", "--tty", "--", "id").status == 64
    known = os.path.join(world.state, "ssh", "known_hosts")
    assert os.stat(known).st_mode & 0o7777 == 0o600
    with open(known, encoding="utf-8") as file:
        hosts = file.read().splitlines()
    uuid = world.json("vm", "show", "web")["uuid"]
    assert hosts and all(line.startswith(f"banger-{uuid} ") for line in hosts), hosts
    # A new key of ours holds from the next start on; a key of the guest's that no file tells is
    # learnt from the server itself.
    world.ok("vm", "exec", "web", "--", "/bin/sh", "-c",
             "for file in /etc/ssh/ssh_host_*.pub; do : >$file; done")
    os.unlink(known)
    rotate(world)
    world.ok("vm", "restart", "web")
    lines = authorized(world).splitlines()
    assert len(lines) == 2 and not lines[1].startswith(public), lines
    start_server(world, "-p", "2222")
    assert world.ok("vm", "ssh", "web", "--port", "2222", "--", "id", "-u").out == "0\n"
    ports = {row["port"]: row for row in world.json("vm", "ports", "web")}
    assert ports[2222]["process"].startswith("sshd"), ports
    assert_forward(world)
    assert_copies(world)
    assert sha256_of(image) == digest
    clean(world)


def rotate(world):
    for path in glob.glob(own_key(world) + "*"):
        os.unlink(path)


def assert_forward(world):
    child = world.start("vm", "forward", "web", "0:2222", stdout=subprocess.PIPE)
    port = int(child.stdout.readline().split(b":")[1])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        assert client.recv(4) == b"SSH-"
    assert interrupt(child, signal.SIGTERM) == 143


def assert_copies(world):
    """Through a real virtio line, and what was copied is there after a stop right behind it."""
    with open(world.path("large"), "wb") as file:
        for _ in range(20):
            file.write(os.urandom(MIB))
    world.ok("vm", "cp", world.path("large"), "web:/srv/large")
    world.ok("vm", "stop", "web")
    world.ok("vm", "start", "web")
    world.ok("vm", "cp", "web:/srv/large", world.path("back"))
    assert sha256_of(world.path("large")) == sha256_of(world.path("back"))


def test_a_key_and_an_environment_of_the_operators(world):
    make_image(world)
    key = world.path("mine")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    world.fails(66, "vm", "create", "small", "--name", "bad", "--ssh-key", world.path("none"))
    world.ok("vm", "create", "small", "--name", "web", "--memory", "192M", "--ssh-key",
             key + ".pub", "--env-file", world.write("vm.env", "SITE=north = 1\n"))
    world.ok("vm", "start", "web")
    told = world.ok("vm", "exec", "web", "-e", "B=2", "--", "sh", "-c", "echo $SITE $B").out
    assert told == "north = 1 2\n"
    with open(key + ".pub", encoding="utf-8") as file:
        assert " ".join(file.read().split()[:2]) in authorized(world)
    assert not os.path.exists(own_key(world))
    start_server(world)
    assert world.ok("vm", "ssh", "web", "--", "id", "-u").out == "0\n"
    clean(world)


main()
