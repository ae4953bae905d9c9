# SPDX-License-Identifier: MIT
"""`vm run` beside the same command line of QEMU started by hand, and what making a machine costs."""
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time

from harness import RUNS

PATIENCE_S = 120
MARKER = bytes.fromhex("f7f1fcf4faf0fdf3fef2f9f5fbf8fff6")
NONCE = b"by hand!"
CREATE_MS = 50
CREATE_KIB = 1024


def agent_answers(path):
    """As the monitor does it (src/base/wire.h): a HELLO that waits in the line, and its answer."""
    fields = struct.pack("<HIQ", 1, 8, 1) + struct.pack("<HI", 2, len(NONCE)) + NONCE
    hello = MARKER + struct.pack("<BBHII", 1, 0, 0, 0, len(fields)) + fields + b"\0"
    deadline = time.monotonic() + PATIENCE_S
    with socket.socket(socket.AF_UNIX) as line:
        while line.connect_ex(path) != 0:
            if time.monotonic() > deadline:
                raise SystemExit("QEMU started by hand made no socket")
            time.sleep(0.001)
        line.settimeout(PATIENCE_S)
        line.sendall(hello)
        got = b""
        while NONCE not in got:
            piece = line.recv(65536)
            if not piece:
                raise SystemExit("QEMU started by hand ended")
            got += piece


def command_line(state, name):
    """Of a machine that runs; (words, what it starts with as kernel arguments)."""
    with open(os.path.join(state, "vms", name, "handle.json"), encoding="utf-8") as file:
        pid = json.load(file)["vmm"]["pid"]
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        words = file.read().split("\0")[:-1]
    return words, words[words.index("-append") + 1]


def by_hand(words):
    """With sockets of its own, and running at once."""
    named = [re.sub(r"^socket,id=(\w+),fd=\d+", r"socket,id=\1,path=\1.sock", word)
             for word in words if word != "-S"]
    assert sum(".sock" in word for word in named) == 4, named
    return named


def run_by_hand(side, words, source, place):
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    for name in ("initrd.img", "upper.ext4"):
        subprocess.run(["cp", "--sparse=always", os.path.join(source, name), place], check=True)
    began = time.monotonic()
    with subprocess.Popen(words, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as child:
        agent_answers(os.path.join(place, "agent.sock"))
        side.seconds.append(time.monotonic() - began)
        child.kill()
    side.cpu.append(0)


def run_ours(bench, side, state, name):
    bench.run(side, bench.banger(state, "vm", "run", "i", "--name", name, "--memory", "256M"))
    for words in (("vm", "kill", name), ("vm", "rm", name, "--force")):
        subprocess.run(bench.banger(state, *words), check=True, stdout=subprocess.DEVNULL)


def starts(bench, state):
    """The machine whose command line is taken is new each time, as ours is; it is not timed."""
    source = os.path.join(state, "vms", "model")
    subprocess.run(bench.banger(state, "vm", "create", "i", "--name", "model", "--memory", "256M"),
                   check=True, stdout=subprocess.DEVNULL)
    fresh = os.path.join(bench.place, "upper")
    shutil.copytree(source, fresh)
    subprocess.run(bench.banger(state, "vm", "start", "model"), check=True,
                   stdout=subprocess.DEVNULL)
    words = by_hand(command_line(state, "model")[0])
    shutil.copy(os.path.join(source, "initrd.img"), fresh)
    subprocess.run(bench.banger(state, "vm", "kill", "model"), check=True,
                   stdout=subprocess.DEVNULL)
    return bench.pairs("vm run to ready, of the same QEMU by hand", 1.10, (
        "banger vm run", lambda side, number: run_ours(bench, side, state, f"run-{number}")), (
        "qemu-system-x86_64 by hand", lambda side, _: run_by_hand(
            side, words, fresh, os.path.join(bench.place, "hand"))))[0]


def create(bench, state):
    """On a file system where a sync costs nothing, process start included; its size where it is."""
    memory = os.path.join("/dev/shm", os.path.basename(bench.place))
    shutil.copytree(state, memory, ignore=shutil.ignore_patterns("vms", "trash", "*.sock"))
    os.mkdir(os.path.join(memory, "vms"))
    took = []
    try:
        for number in range(4 * RUNS):
            began = time.monotonic()
            subprocess.run(bench.banger(memory, "vm", "create", "i", "--name", f"made-{number}"),
                           check=True, stdout=subprocess.DEVNULL)
            took.append((time.monotonic() - began) * 1000)
    finally:
        shutil.rmtree(memory)
    began = time.monotonic()
    subprocess.run(bench.banger(state, "vm", "create", "i", "--name", "made"), check=True,
                   stdout=subprocess.DEVNULL)
    with_sync = (time.monotonic() - began) * 1000
    used = subprocess.run(["du", "-sk", os.path.join(state, "vms", "made")], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.split()[0]
    median = sorted(took)[len(took) // 2]
    return bench.verdict("vm create, ms without syncs", median, CREATE_MS,
                         f"(slowest {max(took):.1f}, with syncs {with_sync:.1f}, n={len(took)})") + \
        bench.verdict("vm create, KiB on disk", int(used), CREATE_KIB)
