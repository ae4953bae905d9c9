# SPDX-License-Identifier: MIT
"""A terminal of its own for one run of the program."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from world import PATIENCE_S, PROGRAM


class Seat:
    """The program with a terminal of its own."""

    def __init__(self, world, *words, program_words=None, **env):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.shown = b""
        words = program_words or ["--batch", *words]
        self.child = subprocess.Popen([PROGRAM, *words], env={**world.env, **env},
                                      stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                      start_new_session=True)

    def resize(self, rows, columns):
        """As a terminal does it, which also tells the program."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.child.send_signal(signal.SIGWINCH)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)

    def read_until(self, text):
        end = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.master], [], [], 0.1)[0]:
                self.shown += os.read(self.master, 65536)

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        """Its status; the terminal must be as before."""
        status = self.child.wait(timeout=PATIENCE_S)
        after = termios.tcgetattr(self.slave)
        os.close(self.master)
        os.close(self.slave)
        assert after == self.before, "the terminal is not as it was"
        return status
