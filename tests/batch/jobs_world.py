# SPDX-License-Identifier: MIT
"""A console that nobody looks at, and the jobs in it as other processes see them."""
import fcntl
import os
import pty
import signal
import struct
import termios
import threading
import time

from world import PATIENCE_S, PROGRAM


REPAINT = b"\x0c"


class Console:
    """The console on a terminal that nobody looks at: it is driven by keys, and told by job list."""

    def __init__(self, world, at_once=1):
        self.world = world
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM],
                      dict(world.env, TERM="xterm-256color", LC_ALL="C.UTF-8",
                           BANGER_JOBS=str(at_once)))
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.seen = bytearray()
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while chunk := os.read(self.terminal, 65536):
                with self.changed:
                    self.seen += chunk
                    self.changed.notify_all()
        except OSError:
            pass

    def wait(self, text):
        """Where some of its characters stood already, only the others are written: after a while the
        whole screen is asked for."""
        end = time.monotonic() + PATIENCE_S
        with self.changed:
            while not self.changed.wait_for(lambda: text in self.seen, 0.5):
                assert time.monotonic() < end, bytes(self.seen)
                self.type(REPAINT)
            del self.seen[:]

    def pull(self, name):
        """By the palette, and until it is listed."""
        before = len(jobs(self.world))
        self.type(f":kernel pull {name}\r".encode())
        self.world.wait_until(lambda: len(jobs(self.world)) > before, f"{name} is listed")

    def type(self, keys):
        os.write(self.terminal, keys)

    def end(self, number=signal.SIGKILL):
        os.kill(self.pid, number)
        self.ended()

    def ended(self):
        """Its status, once it has left by itself."""
        _, status = os.waitpid(self.pid, 0)
        self.thread.join(PATIENCE_S)
        assert b"Sanitizer" not in self.seen, bytes(self.seen)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def jobs(world):
    return [row for row in world.json("job", "list") if row.get("object", "").startswith("kernel/")]


def names(world):
    return [row["object"].split("/")[1] for row in jobs(world)]


def id_of(world, name):
    return str(next(row["id"] for row in jobs(world) if row["object"] == f"kernel/{name}"))


def busy_console(world):
    """One pull that hangs, and three that wait for it."""
    url = world.server()
    entry = world.offer_kernel(url)
    hanging = dict(entry, name="hanging", tarball_url=f"{url}/hang-body=1000/kernel.tar.zst")
    world.catalog(kernels=[hanging] + [dict(entry, name=name) for name in ("a", "b", "c")])
    console = Console(world)
    console.wait(b"hanging")
    for name in ("hanging", "a", "b", "c"):
        console.pull(name)
    return console
