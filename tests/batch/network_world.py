# SPDX-License-Identifier: MIT
"""A network of the test's own: a network namespace with an uplink to another one, where nobody's
interfaces and rules can come to harm. Entered by root, or by anybody where user namespaces are
permitted."""
import json
import os
import shutil
import subprocess
import sys

from web_world import nginx_words
from world import Skip, need

INSIDE = "BANGER_TEST_NETNS"
WORLD = "198.51.100.1"   # of the other namespace, as seen from this "host"
UPLINK = "198.51.100.2"  # this "host"
FOREIGN_RULES = """
table ip stranger {
    chain guard { type filter hook input priority 5; policy accept;
        tcp dport 4444 counter drop comment "of somebody else"
    }
    chain nat { type nat hook postrouting priority 90; policy accept;
        ip saddr 192.168.77.0/24 masquerade
    }
}
table inet banger_stranger {
    set nat_guests { type ipv4_addr; elements = { 172.16.0.2, 172.16.0.3 } }
}
"""


def enter():
    """Runs this test file again inside; returns there. Call it before main()."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.environ.get(INSIDE):
        ip("link set lo up")
        return
    for program in ("unshare", "ip", "nft"):
        if shutil.which(program) is None:
            print(f"skip: {program} is not installed")
            sys.exit(77)
    words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    probe = [*words, "sh", "-c", "ip tuntap add dev probe mode tap && nft add table inet probe"]
    done = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          text=True)
    if done.returncode != 0:
        print(f"skip: no network namespace with taps and nftables here: {done.stdout.strip()}")
        sys.exit(77)
    os.environ[INSIDE] = "yes"
    os.execvp(words[0], [*words, sys.executable, "-B", *sys.argv])


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


def rules():
    """The whole ruleset by table, without what only counts."""
    said = subprocess.run(["nft", "-j", "-s", "list", "ruleset"], stdout=subprocess.PIPE,
                          check=True).stdout
    found = {}
    for row in json.loads(said)["nftables"]:
        for kind, value in row.items():
            if kind == "table":
                found.setdefault(value["name"], [])
            elif kind != "metainfo":
                value.pop("handle", None)
                found.setdefault(value["table"], []).append((kind, json.dumps(value)))
    return found


def links():
    said = subprocess.run(["ip", "-json", "link"], stdout=subprocess.PIPE, check=True).stdout
    return sorted(row["ifname"] for row in json.loads(said))


def foreign_rules():
    subprocess.run(["nft", "-f", "-"], input=FOREIGN_RULES.encode(), check=True)
    return rules()


def forwarding(value=None):
    path = "/proc/sys/net/ipv4/ip_forward"
    if value is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


class Outside:
    """The other namespace, at the end of the uplink. It knows the way to UPLINK alone."""

    def __init__(self, world):
        need("nsenter")
        self.world = world
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo in; exec sleep 3600"],
                                       stdout=subprocess.PIPE)
        world.children.append(self.holder)
        self.holder.stdout.readline()
        # One of a test before goes with its namespace, but not at once.
        subprocess.run(["ip", "link", "del", "up0"], stderr=subprocess.DEVNULL, check=False)
        ip(f"link add up0 type veth peer name out0 netns {self.holder.pid}")
        ip(f"addr add {UPLINK}/24 dev up0")
        ip("link set up0 up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "addr", "add", f"{WORLD}/24", "dev", "out0")
        self.run("ip", "link", "set", "out0", "up")
        ip(f"route add default via {WORLD}")

    def words(self, *words):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *words]

    def run(self, *words):
        done = subprocess.run(self.words(*words), stdout=subprocess.PIPE, check=False, timeout=60)
        assert done.returncode == 0, words
        return done.stdout.decode()

    def nginx(self):
        """Serves world.www at WORLD:80."""
        need("nginx")
        words = nginx_words(self.world, "outside", f"{WORLD}:80")
        child = subprocess.Popen(self.words(*words), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        self.world.children.append(child)
        self.world.wait_until(lambda: child.poll() is not None or self.is_listening(), "nginx")
        if child.poll() is not None:
            raise Skip("nginx does not run here")

    def is_listening(self):
        return ":0050 00000000:0000 0A" in self.run("cat", "/proc/self/net/tcp")

    def asked(self):
        """Who asked nginx, in order."""
        with open(self.world.path("outside", "access.log"), encoding="utf-8") as file:
            return [line.split()[0] for line in file]
