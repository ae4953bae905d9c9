# SPDX-License-Identifier: MIT
"""Calls of Firecracker's interface and what it says to each, before a start and after it; and a
process of it to hold them against."""
import json
import os
import socket
import subprocess
import time

from machine_world import small_elf
from world import PATIENCE_S

OK, DONE, REFUSED = 200, 204, 400
CONFIG = {"vcpu_count": 1, "mem_size_mib": 128}
SOURCE = {"kernel_image_path": "vmlinux", "boot_args": "console=ttyS0 reboot=k panic=1"}
DISK = {"drive_id": "upper", "path_on_host": "disk", "is_root_device": False,
        "is_read_only": False, "cache_type": "Writeback"}
VSOCK = {"guest_cid": 3, "uds_path": "vsock.sock"}
BALLOON = {"amount_mib": 0, "deflate_on_oom": True}
SAVE = {"snapshot_type": "Full", "snapshot_path": "state", "mem_file_path": "memory"}
LOAD = {"snapshot_path": "state", "resume_vm": True,
        "mem_backend": {"backend_type": "File", "backend_path": "memory"}}
START = {"action_type": "InstanceStart"}
KEYS = {"action_type": "SendCtrlAltDel"}


def without(body, key):
    return {name: value for name, value in body.items() if name != key}


BEFORE = [
    ("GET", "/version", None, OK),
    ("GET", "/", None, OK),
    ("GET", "/nowhere", None, REFUSED),
    ("PUT", "/nowhere", {}, REFUSED),
    ("PUT", "/machine-config", {**CONFIG, "unknown": 1}, REFUSED),
    ("PUT", "/machine-config", without(CONFIG, "mem_size_mib"), REFUSED),
    ("PUT", "/machine-config", {**CONFIG, "vcpu_count": 0}, REFUSED),
    ("PUT", "/machine-config", {**CONFIG, "vcpu_count": 33}, REFUSED),
    ("PUT", "/machine-config", {**CONFIG, "mem_size_mib": 0}, REFUSED),
    ("PUT", "/machine-config", {**CONFIG, "vcpu_count": "1"}, REFUSED),
    ("PUT", "/machine-config", CONFIG, DONE),
    ("PATCH", "/vm", {"state": "Paused"}, REFUSED),
    ("PUT", "/actions", KEYS, REFUSED),
    ("PUT", "/actions", {"action_type": "Nonsense"}, REFUSED),
    ("PUT", "/actions", {}, REFUSED),
    ("PUT", "/actions", START, REFUSED),  # there is no kernel yet
    ("PUT", "/boot-source", {**SOURCE, "unknown": ""}, REFUSED),
    ("PUT", "/boot-source", without(SOURCE, "kernel_image_path"), REFUSED),
    ("PUT", "/boot-source", {**SOURCE, "kernel_image_path": "nowhere"}, REFUSED),
    ("PUT", "/boot-source", {**SOURCE, "initrd_path": "nowhere"}, REFUSED),
    ("PUT", "/boot-source", {**SOURCE, "kernel_image_path": "disk"}, DONE),
    ("PUT", "/actions", START, REFUSED),  # it is none
    ("PUT", "/boot-source", SOURCE, DONE),
    ("PUT", "/drives/upper", {**DISK, "unknown": 1}, REFUSED),
    ("PUT", "/drives/upper", without(DISK, "is_root_device"), REFUSED),
    ("PUT", "/drives/upper", without(DISK, "drive_id"), REFUSED),
    ("PUT", "/drives/upper", {**DISK, "path_on_host": "nowhere"}, REFUSED),
    ("PUT", "/drives/upper", {**DISK, "cache_type": "Nonsense"}, REFUSED),
    ("PUT", "/drives/other", DISK, REFUSED),
    ("PUT", "/drives/upper", DISK, DONE),
    ("PUT", "/drives/upper", DISK, DONE),  # once more: replaced
    ("PUT", "/vsock", without(VSOCK, "uds_path"), REFUSED),
    ("PUT", "/vsock", {**VSOCK, "uds_path": "taken"}, REFUSED),
    ("PUT", "/vsock", VSOCK, DONE),
    ("PUT", "/vsock", VSOCK, DONE),
    ("PUT", "/entropy", {"unknown": 1}, REFUSED),
    ("PUT", "/entropy", {}, DONE),
    ("PUT", "/balloon", without(BALLOON, "deflate_on_oom"), REFUSED),
    ("PUT", "/balloon", BALLOON, DONE),
    ("PUT", "/snapshot/create", SAVE, REFUSED),
    ("PUT", "/snapshot/load", {**LOAD, "unknown": 1}, REFUSED),
    ("PUT", "/snapshot/load", without(LOAD, "snapshot_path"), REFUSED),
    ("PUT", "/snapshot/load", LOAD, REFUSED),  # it is made of something already
]
AFTER = [
    ("PUT", "/actions", START, REFUSED),
    ("PUT", "/machine-config", CONFIG, REFUSED),
    ("PUT", "/boot-source", SOURCE, REFUSED),
    ("PUT", "/vsock", VSOCK, REFUSED),
    ("PUT", "/entropy", {}, REFUSED),
    ("PUT", "/balloon", BALLOON, REFUSED),
    ("PATCH", "/vm", {"state": "Nonsense"}, REFUSED),
    ("PATCH", "/vm", {}, REFUSED),
    ("PUT", "/snapshot/create", SAVE, REFUSED),  # it runs
    ("PUT", "/snapshot/load", LOAD, REFUSED),
    ("PATCH", "/vm", {"state": "Paused"}, DONE),
    ("GET", "/", None, OK),
    ("PUT", "/snapshot/create", {**SAVE, "unknown": 1}, REFUSED),
    ("PUT", "/snapshot/create", without(SAVE, "mem_file_path"), REFUSED),
    ("PUT", "/snapshot/create", {**SAVE, "snapshot_type": "Nonsense"}, REFUSED),
    ("PUT", "/snapshot/create", SAVE, DONE),
    ("PATCH", "/vm", {"state": "Resumed"}, DONE),
    ("PUT", "/actions", KEYS, DONE),
]


class Machine:
    """The program in a directory of its own, with one connection that is kept."""

    def __init__(self, world, program, name):
        self.place = world.mkdir(name)
        self.write("vmlinux", small_elf())
        self.write("disk", bytes(1 << 20))
        self.write("taken", b"")
        self.child = subprocess.Popen(
            [program, "--api-sock", "api.sock", "--id", "abc"], cwd=self.place,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.line = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.line.connect(f"/proc/self/fd/{self.open_place()}/api.sock")
                break
            except OSError:
                assert time.monotonic() < end and self.child.poll() is None, "it does not listen"
                time.sleep(0.01)

    def open_place(self):
        if not hasattr(self, "fd"):
            self.fd = os.open(self.place, os.O_RDONLY)
        return self.fd

    def write(self, name, content):
        with open(os.path.join(self.place, name), "wb") as file:
            file.write(content)

    def call(self, method, path, body):
        """Status and document."""
        text = b"" if body is None else json.dumps(body).encode()
        self.line.sendall(f"{method} {path} HTTP/1.1\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
        said = b""
        while b"\r\n\r\n" not in said:
            said += self.receive()
        head, rest = said.split(b"\r\n\r\n", 1)
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:")]
        while length and len(rest) < length[0]:
            rest += self.receive()
        return int(head.split()[1]), json.loads(rest) if rest else None

    def receive(self):
        self.line.settimeout(PATIENCE_S)
        got = self.line.recv(65536)
        assert got, "it hung up"
        return got

    def close(self):
        self.child.kill()
        self.child.wait()
        self.line.close()
        os.close(self.open_place())


def hold(machine, rows):
    wrong = []
    for method, path, body, wanted in rows:
        status, said = machine.call(method, path, body)
        is_good = status == wanted and (status != REFUSED or said["fault_message"]) and \
            (status != DONE or said is None)
        if not is_good:
            wrong.append(f"{method} {path} {body}: {status} {said}, not {wanted}")
    assert not wrong, "\n".join(wrong)
